/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One process from discovery to its last report: who it is, its VM, its probe sites, what was seen. */
#ifndef JNITRACE_TARGET_H
#define JNITRACE_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include "elf/elf_cache.h"
#include "judge/aggregate.h"
#include "kernel/tracer.h"
#include "model/report.h"
#include "modules/code.h"
#include "proc/proc.h"
#include "reconcile/account.h"
#include "reconcile/local_refs.h"
#include "reconcile/ref_classes.h"
#include "run/opening.h"
#include "run/options.h"
#include "sites/sites.h"
#include "symbols/naming.h"
#include "symbols/symbols.h"

enum target_state_kind {
	TARGET_WAITING, /* alive, its VM not loaded yet */
	TARGET_FOUND,   /* VM found, probe sites known */
	TARGET_TRACED,
	TARGET_ENDED, /* gone, or detached; its last report is made */
};

struct target {
	enum target_state_kind state;
	struct proc_id id;
	int pidfd;      /* becomes readable when the process ends; -1: none */
	bool asked_for; /* named by -p, so that its absence is an error */

	struct elf_cache *libraries; /* not owned; NULL: not shared */
	struct modules *modules;     /* not owned */
	struct opening at;           /* its runtime; at.maps is as of the last read_code() */
	struct target_plan plan;     /* what the probes know of it */
	struct ref_classes classes;
	struct local_refs locals;
	struct local_look local_look; /* the last one */
	bool locals_refused;          /* it never can be done */
	struct account *account;      /* of the VM's tables, since the gate was opened */
	struct probe_sites sites;

	int slot;          /* of the tracer; -1: not attached */
	bool code_changed; /* libraries came or went, and target_code() was not called since */
	struct code *code; /* where its modules are */
	struct symbols *symbols;
	struct naming *naming;       /* by symbols */
	const struct tracer *tracer; /* NULL: managed frames are not walked (yet) */
	bool verbose, hidden_frames;
	struct aggregate *aggregate;
	struct report report;
	struct vm_counts vm_counts;      /* the VM's own, as of the last look */
	uint64_t started_ns, stopped_ns; /* CLOCK_MONOTONIC: gate opened, closed (0: not yet) */
	bool seen;                       /* its counters were read at least once */
	enum end_reason end_reason;
	uint64_t java_unnamed; /* frames, as of the last time that the process was alive behind the naming */
};

/* A process by pid, nothing looked at yet. -ESRCH with err when there is none. */
int target_new(pid_t pid, struct target **out, struct error *err);
void target_free(struct target *t);

/*
 * Look for the VM and its probe sites: state becomes TARGET_FOUND, or stays TARGET_WAITING when the
 * process may still load one. -errno with err when it cannot be traced: not a JVM, 32-bit, no sites, gone.
 */
int target_find(struct target *t, const struct options *o, struct error *err);
/* Attach and get ready to name frames. The gate stays closed. */
int target_attach(struct target *t, struct tracer *tracer, struct error *err);
/* Open the gate: from here on every call counts. */
int target_start(struct target *t, struct tracer *tracer, struct error *err);
/* Stop counting; the probes are the caller's to remove. reason: for the last report. */
void target_stop(struct target *t, struct tracer *tracer, enum end_reason reason);
/* Look at the VM's tables: right before the snapshot that they are held against. */
void target_look(struct target *t, struct tracer *tracer);
/* Did libraries come or go since target_code() was called? */
bool target_code_changed(struct target *t, struct tracer *tracer);
/*
 * Libraries came or went: learn where the code is now. When some were closed, first name what the snapshot
 * has, by the code that was there: it must be younger than that.
 */
int target_code(struct target *t, struct tracer *tracer, const struct snapshot *snapshot, struct error *err);
/* Name the call sites that are new in the snapshot, while what their stacks mean is still there. */
int target_name(struct target *t, struct tracer *tracer, const struct snapshot *snapshot, struct error *err);
/* Between two reports: a reading for the verdicts, from a snapshot taken after target_look(). */
int target_reading(struct target *t, struct tracer *tracer, struct snapshot *snapshot, struct error *err);
/* Make t->report from the snapshot of this target. What turns out to be released already is taken out of the
 * snapshot. */
int target_report(struct target *t, struct tracer *tracer, struct snapshot *snapshot, const struct options *o,
		  struct error *err);

#endif
