/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One process from discovery to its last report: who it is, its VM, its probe sites, what was seen.
 *
 * Its states, and which calls are allowed in each:
 *
 *	TARGET_WAITING  after target_new(). target_find(), again and again, until it finds a VM or fails.
 *	TARGET_FOUND    target_probes(); or target_attach() and then target_start(). A failure of one of these
 *	                three is the end: only the calls of TARGET_ENDED that need no report are left.
 *	TARGET_TRACED   its calls count. In any order, as often as needed:
 *	                    target_code_changed(), target_code(), target_name()
 *	                    target_look(), then a snapshot, then target_reading() or target_report()
 *	                and target_stop(), once.
 *	TARGET_ENDED    a snapshot and target_report(), once. Then tracer_detach() and tracer_forget() of
 *	                target_number(), which are the caller's to do, and target_free().
 *
 * target_free() is allowed in every state; its number, if it has one, is given back first.
 */
#ifndef JNITRACE_TARGET_H
#define JNITRACE_TARGET_H

#include <stdbool.h>

#include "base/budget.h"
#include "elf/elf_cache.h"
#include "kernel/tracer.h"
#include "model/report.h"
#include "modules/modules.h"
#include "proc/proc.h"
#include "run/options.h"
#include "view/probes.h"

enum target_state_kind {
	TARGET_WAITING, /* alive, its VM not loaded yet */
	TARGET_FOUND,   /* VM found, probe sites known */
	TARGET_TRACED,
	TARGET_ENDED, /* gone, or detached */
};

/* What all targets of a command share. Outlives them. */
struct history_room;
struct target_shared {
	bool drawn;                     /* for a person who looks at a screen, not for a program */
	const struct options *options;  /* not owned */
	uint32_t families;              /* traced now: bit per enum family_id */
	uint32_t switchable;            /* may be switched on and off */
	struct budget *budget;          /* of all that is read of their files */
	struct history_room *histories; /* of all their sites; not owned */
	struct elf_cache *images;       /* opened so far */
	struct modules *modules;        /* of all; uses images */
	struct owners *owners;          /* packages of files */
};

struct target;

/*
 * A process by pid, nothing looked at yet. asked_for: it was named by -p, so that its absence is an error.
 * -ESRCH with err when there is none.
 */
int target_new(pid_t pid, bool asked_for, const struct target_shared *shared, struct target **out,
	       struct error *err);
void target_free(struct target *t);

/*
 * Look for the VM and its probe sites: state becomes TARGET_FOUND, or stays TARGET_WAITING when the
 * process may still load one. -errno with err when it cannot be traced: not a JVM, 32-bit, no sites, gone.
 */
int target_find(struct target *t, struct error *err);
/*
 * It is held at a point where its runtime's file is loaded and nothing was called yet; call it before
 * target_find(). A target that is found, attached and started before it goes on has missed nothing.
 */
void target_set_held(struct target *t, bool held);
bool target_held(const struct target *t);
/*
 * From its start on it stops whenever its list of libraries changes, and is to be looked at only then. Call
 * it before target_find().
 */
void target_set_stops(struct target *t);
bool target_stops(const struct target *t);
/* It is waited for, as it maps none of the libraries that --pair names; -ENXIO with err. 0: it is not. */
int target_lacks_libraries(const struct target *t, struct error *err);
/* It was waited for, and is traced now: say so. */
void target_tell_loaded(const struct target *t);
/* Attach to those of them that a traced one has loaded since. What fails is told, and counted as missing. */
void target_pairs_more(struct target *t);
/*
 * What was traced while its VM was starting is known in part: try again what could not be proven then. Call
 * it every 20 ms while it returns true.
 */
bool target_catch_up(struct target *t);
/* Attach and get ready to name frames. The gate stays closed. tracer: outlives t. */
int target_attach(struct target *t, struct tracer *tracer, struct error *err);
/* Open the gate: from here on every call counts. */
int target_start(struct target *t, struct error *err);
/*
 * Switch families on and off: of all targets target_close_families() first, then, after tracer_settle(),
 * target_switch(). wanted: what is to be traced; of what cannot be switched nothing changes. What fails
 * leaves the rest as it was. 0, or -errno with err.
 */
void target_close_families(struct target *t, uint32_t wanted);
int target_switch(struct target *t, uint32_t wanted, struct error *err);
/* What can be switched: it is traced, and has functions of these families. */
uint32_t target_switchable(const struct target *t);
/*
 * With --budget: do its probes take more of it than they may? Of what can be sampled fewer handles are
 * followed before they do, and more when there is room. To be asked often.
 */
bool target_over_budget(struct target *t);
/* Have its probes taken so much that the programs stopped counting by themselves? */
bool target_has_overspent(const struct target *t);
/* While it is traced: for how many milliseconds they have taken more than their share, or had then; -1: not
 * known. */
double target_overspent_ms(const struct target *t);
/* Seconds since the gate was opened, until it was closed. */
double target_traced_s(const struct target *t);
/* Close the gate; the probes are the caller's to remove. reason: for the last report. */
void target_stop(struct target *t, enum end_reason reason);
/* Look at the VM's tables: right before the snapshot that they are held against. */
void target_look(struct target *t);
/* Did libraries come or go since target_code() was called? */
bool target_code_changed(struct target *t);
/*
 * If target_code_changed() said so: learn where the code is now. When some libraries were closed, first name
 * what the snapshot has, by the code that was there: it must be younger than that.
 */
int target_code(struct target *t, const struct snapshot *snapshot, struct error *err);
/* Name the call sites that are new in the snapshot, while what their stacks mean is still there. */
int target_name(struct target *t, const struct snapshot *snapshot, struct error *err);
/* Look up whose the libraries of its last report are, for the next one. */
void target_look_up_owners(struct target *t);
/* Between two reports: a reading for the verdicts, from a snapshot taken after target_look(). */
int target_reading(struct target *t, struct snapshot *snapshot, struct error *err);
/*
 * Make the report anew from the snapshot of this target. What turns out to be released already is taken out
 * of the snapshot.
 */
int target_report(struct target *t, struct snapshot *snapshot, struct error *err);

/* --- what is asked of it --- */

enum target_state_kind target_state(const struct target *t);
const struct proc_id *target_id(const struct target *t);
int target_pidfd(const struct target *t); /* becomes readable when the process ends */
bool target_asked_for(const struct target *t);
int target_number(const struct target *t); /* of the tracer; -1: not attached */
/* Why it has ended; NOT_ENDED before target_stop(). */
enum end_reason target_end_reason(const struct target *t);
/* The last report; NULL: none yet. The caller may sort it and fill in self_cpu_pct; lives as long as t. */
struct report *target_report_of(struct target *t);
/* Are there sites that a slice had no time for? See budget_slice(). */
bool target_names_pending(const struct target *t);
/* What jnitrace probes shows. Lives as long as t. */
struct probes_info target_probes(const struct target *t);

#endif
