/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the command line asks for, as plain data. */
#ifndef JNITRACE_OPTIONS_H
#define JNITRACE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "kernel/tracer.h"
#include "model/catalog.h"
#include "model/comparison.h"
#include "record/recorder.h"
#include "view/view_opts.h"

enum command {
	CMD_TOP,
	CMD_CENSUS,
	CMD_RECORD,
	CMD_REPORT,
	CMD_DIFF,
	CMD_PROBES,
	CMD_DOCTOR,
	CMD_AGENT,
	CMD_FLEET,
	CMD_RUN,
	NR_COMMANDS, /* that people know */
	CMD_WINDOWS = NR_COMMANDS,
	NR_ALL_COMMANDS
};

#define OPTIONS_MAX            128 /* rows of options */
#define OPTS_MAX_PIDS          256
#define OPTS_MAX_NAMES         16
#define OPTS_MAX_ASSERTS       64
#define OPTS_MAX_SERVICE_RULES 32
#define OPTS_MAX_WORDS         1024
struct config;
struct options {
	enum command command;
	const struct catalog *catalog; /* families and functions to choose from; not owned */
	pid_t pids[OPTS_MAX_PIDS];
	size_t nr_pids;
	char names[OPTS_MAX_NAMES][128]; /* processes that are named; run/names.c makes pids of them */
	size_t nr_names;
	bool all;
	const struct pairs
	    *pairs;          /* of functions to trace, beside those of runtimes; not owned; NULL: none */
	const char *runtime; /* of processes to trace, by name (runtime_by_name()); NULL: any */
	uint32_t families;   /* bit per enum family_id; default global, weak */
	double interval_s;   /* default 1 */
	bool interval_given, events_given;
	int count;         /* -1: no limit */
	double duration_s; /* -1: no limit */
	struct view_request view;
	bool hidden_frames;
	double hold_s; /* a critical section held longer is a finding */
	int depth;     /* frames kept, 1..JT_MAX_FRAMES */
	int verbose;
	uint64_t max_refs; /* live references that can be paired; default 1,000,000, of the agent 250,000 */
	uint64_t local_capacity; /* local references a native frame may have without asking; default 512 */
	uint64_t max_stacks;     /* distinct stacks; default 20,000 */
	uint64_t limit_bytes;    /* memory for what is read of foreign files */
	bool allow_loss;
	bool count_only; /* releases are not probed: who acquires, not who leaks */
	uint64_t sample; /* one handle of so many is followed, where that can be; 0 or 1: each one */
	bool check;      /* look closely at every use of a reference */
	/* Which findings change the exit code: enum finding_severity: those and worse; FAIL_ON_LEAK: errors
	 * and leaks; -1: none. */
#define FAIL_ON_LEAK NR_SEVERITIES
	int fail_on;
	enum attach_method attach; /* --attach auto|multi|perf */
	enum memo_mode memo;
	bool classes, watch; /* census */
	uint64_t limit;      /* census --watch: references; 0: none */
	double budget_share; /* of a CPU that the probes may take of a target: 0.01 is 1 %; 0: any */
	uint64_t budget_ms;  /* census --classes: of a reading; 0: none */
	int strategy;        /* --strategy NAME: enum site_strategy, -1: all */
	const char *record;  /* file to record into, "-": stdout; NULL: none */
	/* Those that a report of the recording has, too. */
	struct recording_option inherited[RECORDING_MAX_OPTIONS];
	size_t nr_inherited;
	bool given[OPTIONS_MAX]; /* by row of options */
	/*
	 * Take the options that a recording was made with, unless others were given. They are foreign: 0, or
	 * -errno with err. Their strings must outlive o.
	 */
	int (*inherit)(struct options *o, const struct recording_option *v, size_t n, struct error *err);
	/* report, diff */
	const char *file;          /* to read; NULL: none */
	double at_s, from_s, to_s; /* seconds since attach; -1: not given */
	bool each;                 /* all intervals, one after the other */
	const char *other;         /* diff: B; NULL: of the same file */
	enum per per;              /* diff: what numbers are measured by */
	int fail_on_change;        /* diff: enum fail_on_change; -1: none */
	bool from_start;           /* a target whose first calls were not seen has lost something */
	/* agent */
	const char *listen, *tls_cert, *tls_key, *token_file; /* NULL: not given */
	double window_s, every_s, rest_s; /* of a window; between two: on schedule (0: none), of growth */
	int windows;                      /* at a time; 0: none */
	int top_sites;                    /* of a JVM, as metrics */
	const char *push, *otlp_profiles, *push_headers, *spool; /* NULL: not given */
	uint64_t spool_bytes;
	const char *podinfo; /* folder of a pod's files, in the process's own root; NULL: not given */
	const char *trace;   /* of which JVMs; NULL: all */
	bool allow_trigger;
	const char *config_path;                           /* NULL: no file */
	struct config *config;                             /* what stands in it; owned: opts_free() */
	bool check_config;                                 /* and no more */
	const char *service_rules[OPTS_MAX_SERVICE_RULES]; /* see judge/service.h */
	size_t nr_service_rules;
	const char *tls_client_ca; /* NULL: clients need no certificate */
	int words_n;               /* the command line, to read the file anew with it; not owned */
	char **words;
	/* Parse them again, with the file as it is now: as opts_parse(). */
	int (*again)(const struct options *o, struct options *out, struct error *err);
	/* fleet */
	const char *words_given[OPTS_MAX_WORDS]; /* "diff", and whom to ask; not owned */
	size_t nr_words;
	int fleet_by;      /* enum fleet_by */
	const char *ca;    /* PEM file; NULL: the system's */
	int fleet_fail_on; /* -1: nothing */
#define FLEET_FAIL_GROWTH 0
#define FLEET_FAIL_NEW    1
	/* run */
	char *const *argv; /* the command, NULL-terminated; not owned */
	const char *asserts[OPTS_MAX_ASSERTS];
	size_t nr_asserts;
	const char *report, *junit, *tap, *suppressions, *baseline; /* files; NULL: none */
	double wait_s;                                              /* for JVMs that outlive the command */
};

#endif
