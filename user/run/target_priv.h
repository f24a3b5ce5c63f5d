/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Shared by the target_*.c files only: a target and its parts. */
#ifndef JNITRACE_TARGET_PRIV_H
#define JNITRACE_TARGET_PRIV_H

#include "base/strset.h"
#include "judge/aggregate.h"
#include "judge/regulator.h"
#include "modules/code.h"
#include "reconcile/account.h"
#include "reconcile/left_frames.h"
#include "reconcile/local_refs.h"
#include "reconcile/ref_classes.h"
#include "reconcile/weak_objects.h"
#include "run/count_note.h"
#include "run/inside.h"
#include "run/opening.h"
#include "run/owners.h"
#include "run/pairs.h"
#include "run/pile.h"
#include "run/seldom.h"
#include "run/target.h"
#include "run/who.h"
#include "sites/sites.h"
#include "symbols/naming.h"
#include "symbols/symbols.h"

/* To hold the references against the VM's tables, for a screen. */
static const struct seldom_rule tables_rule = {.part = 0.0005, .most_s = 5};

/* The classes of what is outstanding as they were read last, with --assert 'class(...)' and on a screen. */
struct kept_classes {
	bool known;
	struct ref_classes classes; /* its names are: */
	struct strset names;
	struct func_counts at[NR_ALL_FUNCS]; /* the calls then */
};

struct target {
	enum target_state_kind state;
	struct proc_id id;
	int pidfd; /* -1: none */
	bool asked_for;
	bool held, caught_up;               /* see target_set_held(), target_catch_up() */
	const struct options *o;            /* not owned */
	const struct target_shared *shared; /* not owned */

	/* --- from target_find() on --- */
	struct who who;
	struct root_key root;                       /* its packages are there */
	struct opening at;                          /* its runtime; at.maps is as of the last read_code() */
	struct vm_file pair_files[PAIRS_MAX_FILES]; /* that have functions of pairs */
	size_t nr_pair_files;
	size_t nr_finalizers; /* functions at addresses, of these */
	size_t nr_refused;    /* likewise, that cannot be probed */
	bool pairs_refused;   /* some of their files: told once */
	bool pairs_gone;      /* likewise: some were closed before they were probed */
	uint32_t pair_opened; /* of the libraries that --pair names: bit per its number */
	bool lacks_libraries; /* none of them is there yet */
	bool stops;           /* it is held whenever its libraries change: see target_set_stops() */
	struct probe_sites sites;
	struct target_plan plan; /* what the probes know of it, and how far each part has come */

	struct {
		double off_s, on_s; /* see report_family */
		uint64_t let_go;
	} switched[NR_FAMILIES];

	/* --- from target_attach() on --- */
	struct tracer *tracer; /* not owned */
	int target_id;         /* of the tracer; -1: not attached */
	struct share *share;   /* of the budget */
	struct code *code;     /* where its modules are */
	bool code_changed;     /* libraries came or went, and target_code() was not called since */
	struct symbols *symbols;
	struct naming *naming; /* by symbols */
	uint64_t java_unnamed; /* frames, as of the last time that the process was alive behind the naming */
	struct aggregate *aggregate;

	/* --- from target_start() on: the VM's own tables, as of the last look --- */
	struct regulator regulator;           /* of --budget; levels 0: not begun */
	unsigned most_level;                  /* that it ever had */
	uint64_t allowed_calls[NR_ALL_FUNCS]; /* as of the last look at it */
	double charged_ns[NR_ALL_FUNCS];      /* what the programs take a call to cost; 0: not told */
	uint64_t started_ns, stopped_ns;      /* CLOCK_MONOTONIC: gate opened, closed (0: not yet) */
	struct vm_counts vm_counts;
	struct {
		uint64_t count, marked;      /* of the last report */
		char text[COUNT_NOTE_BYTES]; /* why they differ; "": they do not, or not for good */
	} count_notes[NR_VM_TABLES];
	struct account *account; /* since the gate was opened; NULL: not kept */
	struct local_look local_look;
	struct local_look push_look; /* the last one before the gate was closed; known false: not closed */
	bool locals_refused;         /* local references can never be looked at */
	struct local_refs locals;
	struct left_books *left; /* since the gate was opened; NULL: local references are not traced */
	struct pile_watch pile;
	struct ref_classes classes;
	struct kept_classes kept;
	/* On a screen, which is drawn anew before long: */
	struct seldom reading_classes, looking_at_tables;
	bool tables_looked_at; /* for the next report */
	struct weak_look weak;
	struct vm_insides inside; /* critical sections from before attach */

	enum end_reason end_reason; /* NOT_ENDED before target_stop() */
	struct report report;
	bool reported; /* it was made at least once */
};

/* Are functions of its runtime asked for? */
/* Why managed frames are not shown; NULL: they are. */
const char *target_frames_refused(const struct target *t);
/* Of its runtime; "Java" where none is known. */
const char *target_language(const struct target *t);
bool target_traces_runtime(const struct target *t);
/* Open the files that have functions of --pair, and find their sites. 0, or -errno with err. */
int target_pairs_resolve(struct target *t, struct error *err);
/* It maps none of the libraries: -ENXIO with err. */
int target_pairs_none(const struct target *t, struct error *err);
/* It is traced, and has loaded libraries: open those that --pair names, and trace their functions. */
void target_pairs_load(struct target *t);
/* Add sites of the file of this number, of the pairs', which become empty. 0 or -errno. */
int target_pairs_add_sites(struct target *t, struct probe_sites *of, size_t file);
/* Attach the sites from number `first` on, of files from this number on. 0 or -errno. */
int target_pairs_attach(struct target *t, size_t file, size_t first);
/* Close them. */
void target_pairs_close(struct target *t);
/* With --budget: tell the programs what the target may be charged with, before the gate is opened. */
void target_may_spend(struct target *t);
/* Look at the VM's local references. still: the gate is closed. */
void target_look_at_locals(struct target *t, bool still);
/* Tell the probes what they must know of the runtime, as far as it is known now. 0 or -errno. */
int target_tell_plan(struct target *t);
/* The files that have functions of its sites, by the sites' file, while they are open. */
struct held_files {
	char path[1 + PAIRS_MAX_FILES][PROC_HELD_BYTES];
	const char *paths[1 + PAIRS_MAX_FILES]; /* where the kernel finds them; NULL: closed, and gone */
	int fd[1 + PAIRS_MAX_FILES];
	size_t n;
};
/* may_lack: those of pairs. 0 or -errno; target_let_files() in any case. */
int target_hold_files(const struct target *t, bool may_lack, struct held_files *h);
void target_let_files(struct held_files *h);
/* Tell the probes which threads native code has attached already. 0 or -errno. */
int target_tell_attached(struct target *t);
/* Have the pages of a file of its sites, fd, in memory: the kernel waits for them as it attaches. 0 or
 * -errno. */
int target_touch(const struct target *t, size_t file, int fd);
/* Families that were switched off. */
uint32_t target_families_off(const struct target *t);
/* What a thread got in a native method that runs already we have not seen. */
void target_note_before(struct target *t);
/* Can objects be read now? */
bool target_reads_objects(struct target *t);
/* Keep the walker and the symbols up to date while the process lives. */
void target_refresh_maps(struct target *t);
/* Frames that could not be named while it lived become a drop. */
void target_count_unnamed(struct target *t);

#endif
