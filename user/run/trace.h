/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A run of jnitrace top, or of a command that traces as it does (cmd_top.h): which processes are traced, and
 * what is said of them. For cmd_top.c, which has the loop, and the files below it.
 */
#ifndef JNITRACE_TRACE_H
#define JNITRACE_TRACE_H

#include "kernel/tracer.h"
#include "run/frozen.h"
#include "run/loop.h"
#include "run/outcome.h"
#include "run/record_file.h"
#include "run/targets.h"
#include "run/trace_use.h"
#include "run/write_now.h"
#include "runtime/runtime.h"
#include "screen/browser.h"
#include "screen/output.h"

#define SEARCH_INTERVAL_S 0.02 /* for the VM of a process that is starting */
#define NAME_INTERVAL_S   0.1  /* once all is attached: also for new stacks to name */
#define BUDGET_INTERVAL_S 0.02 /* from look to look at what the probes take */
#define READING_S         1.0 /* between two readings for the verdicts, whatever the interval of reports is */

/* A process that may run on, and is not traced again while it runs this program. */
struct left {
	struct proc_id id;
	uint64_t program; /* proc_program() then */
};
struct trace {
	const struct options *o;
	const struct trace_use *use; /* NULL: of jnitrace top itself */
	struct tracer *tracer;
	struct snapshots snapshots;
	struct target_list targets;
	struct output out;
	struct record_file record;
	struct write_now write;
	struct browser *browser; /* NULL: not on a terminal */
	bool remade;             /* reports that it shows are, or were, and it was not given them anew */
	enum wish wish;          /* of a key, that waits for what is being done; WISH_NOTHING: none does */
	struct frozen *frozen;   /* what the browser shows while it is paused; NULL: it is not */
	const char *bottom[RUNTIMES_BOTTOM_MAX + 1]; /* what the runtimes say is at the bottom of stacks */

	struct loop *loop;
	loop_fn *on_exit; /* of a target, which is given; for trace_watch() */
	int tick, search; /* timers: reports; until all is attached VMs, then new processes and stacks */

	struct {
		struct left *v;
		size_t n, cap;
	} left;

	bool catching_up; /* some VM is starting, and was attached to before */
	bool announced;   /* the `tracing` line is out */
	bool told_why;    /* a process that was held could not be traced */
	bool ends;        /* no target is to come, and none is traced any more; */
	bool asked;       /* that was asked for by a signal */
	long intervals;
	uint64_t last_usage_ns, last_scan_ns;
	uint64_t sites_named; /* tracer_sites_made() then */
	bool names_pending;   /* then there was no time for all */
	uint64_t reading_due_ns;
	double last_cpu_s;
	struct outcome outcome;
};

/* --- trace_targets.c: all return 0, or -errno with err --- */

/* Notice when it ends. */
int trace_watch(struct trace *s, struct target *t, struct error *err);
/* A process that may be traced: it may be gone again, then it is none. */
void trace_found(struct trace *s, pid_t pid);
/* Detach from the i-th, and forget it. */
void trace_drop(struct trace *s, size_t i);
/* Attach to whatever became ready. A process named by the user that cannot be traced ends the run. */
int trace_attach_ready(struct trace *s, struct error *err);

/* Bring one target as far as it gets. */
int trace_advance(struct trace *s, struct target *t, struct error *err);
/*
 * Why one that is traced ends when nobody wants it any more. A process that is gone is so, though that was
 * not heard of yet.
 */
enum end_reason trace_end_reason(const struct trace *s, const struct target *t);
/* Remove its probes at once; what it was is reported by trace_let_go(). */
void trace_leave(struct trace *s, struct target *t, enum end_reason reason);
/* Was this process left so, and runs the same program as then, whatever it calls itself? */
bool trace_has_left(const struct trace *s, pid_t pid);
/* The one of this process that has not ended; NULL: there is none. */
struct target *trace_target_of(const struct trace *s, pid_t pid);

/* --- trace_stopped.c: likewise --- */

/* Look at the processes that have stopped as their libraries changed, and let them go on (trace_use.h). */
int trace_take_stopped(struct trace *s, struct error *err);
/* No process stops any more, and those that have go on. */
void trace_end_hold(struct trace *s);

/* --- trace_reports.c: likewise --- */

/* Take in which libraries the targets loaded and closed, and name what only they can. */
int trace_take_code(struct trace *s, struct error *err);
/* Report the targets in state: traced ones every interval, ended ones for the last time. */
int trace_report(struct trace *s, enum target_state_kind state, struct error *err);
/* Show ended targets for the last time and let them go. */
int trace_let_go(struct trace *s, struct error *err);
/* Name new stacks at once: at the next report the code or the process may be gone. */
int trace_name_sites(struct trace *s, struct error *err);
/* A reading of each target, for the verdicts; and one unless reports are often enough, which are readings,
 * too. */
int trace_read(struct trace *s, struct error *err);
int trace_take_reading(struct trace *s, struct error *err);
/* The keys may have paused the browser, or let it go on. 0 or -errno. */
int trace_freeze(struct trace *s);
/* Is nobody to see what has changed since? What is to be recorded goes on. */
bool trace_is_paused(const struct trace *s);

#endif
