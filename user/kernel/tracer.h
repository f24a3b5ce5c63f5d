/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kernel side as the rest of the loader sees it: load once, attach and detach targets by number, take
 * snapshots. Only this room knows libbpf.
 */
#ifndef JNITRACE_TRACER_H
#define JNITRACE_TRACER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/util.h"
#include "bpf/border/pins.h"
#include "bpf/border/shared.h"
#include "kernel/kernel_features.h"
#include "kernel/unwind_maps.h"
#include "model/catalog.h"
#include "model/plan.h"
#include "model/probe_site.h"
#include "model/snapshot.h"
#include "modules/code.h"
#include "proc/proc.h"

struct tracer;

/* By one link for all sites of a program, or one for each. */
enum attach_method { ATTACH_AUTO, ATTACH_MULTI, ATTACH_PERF };
struct tracer_opts {
	const struct catalog *catalog; /* of all that may be traced; not owned */
	const char *const *bottom;     /* files at the bottom of most stacks, see unwinder_new(); likewise */
	enum attach_method attach;
	uint32_t families;       /* that may be traced: bit per enum family_id; */
	uint32_t at_once;        /* of these, from the start */
	uint64_t max_refs;       /* live references that can be paired */
	uint64_t max_stacks;     /* distinct ones */
	size_t max_targets;      /* at one moment, up to JT_MAX_TARGETS; 0: as many as that */
	uint32_t local_capacity; /* local references that a native frame may have without asking */
	int depth;               /* frames kept of a stack, 1..JT_MAX_FRAMES */
	enum memo_mode memo;
	bool share;            /* probes, by file: many processes map it */
	bool by_thread;        /* sites are counted for each thread, from the start; */
	bool may_tell_threads; /* or from tracer_tell_threads() on */
	bool count_only;       /* releases are not probed */
	uint32_t sampled;      /* families that may be: bit per enum family_id */
	uint64_t one_in;       /* of these one handle of so many is followed, at level 0; 0 or 1: each one */
	bool check;            /* uses of references are probed */
	bool fragments; /* stacks may be MANAGED_BY_FRAGMENTS, and handles numbers of entries in tables */
	bool budgeted;  /* what the probes take is asked for all the time, */
	bool few_walks; /* and is at most a small part of a CPU: few are under way at one moment */
	bool hold;      /* see tracer_hold() */
	bool verbose;   /* what libbpf and the kernel say goes to stderr */
};
/* Load the programs and make the maps. err says what failed. */
int tracer_open(const struct tracer_opts *o, const struct features *f, struct tracer **out,
		struct error *err);
/* Detaches everything. */
void tracer_close(struct tracer *t);
/* Bytes of kernel memory the maps hold from the start; what grows with use is not in it. */
uint64_t tracer_map_bytes(const struct tracer *t);

/*
 * From now on sites are counted for each thread; what was counted before is of a thread that is not known.
 * Only where it may be asked for.
 */
void tracer_tell_threads(struct tracer *t);

/*
 * Attach all sites of one target that are of these families (the others can be switched on): releases first,
 * so that no acquisition is ever counted whose release could be missed. All or nothing: a site that no
 * program serves is an error, as its function would seem never to be called. paths: where the kernel finds
 * the inodes of the files, by the sites' file. Returns its number (>= 0), its gate still closed, or -errno
 * with err.
 */
int tracer_attach(struct tracer *t, const struct proc_id *id, const char *const *paths, size_t nr_paths,
		  const struct probe_sites *sites, uint32_t families, struct error *err);
/*
 * Attach more sites, of files that the target has loaded since; those of sites from `first` on, as above.
 * What was counted stays. 0, or -errno: some of them may be attached.
 */
int tracer_attach_more(struct tracer *t, int target_id, const struct proc_id *id, const char *const *paths,
		       size_t nr_paths, const struct probe_sites *sites, size_t first);
/* So many sites of its functions could not be found, or be attached to: its drop sites_missing. */
void tracer_tell_missing(struct tracer *t, int target_id, size_t missing);
/* From here on every call counts. */
int tracer_open_gate(struct tracer *t, int target_id);
/* Stop counting. Calls in flight may still be counted until tracer_settle() returns. */
void tracer_close_gate(struct tracer *t, int target_id);
/* Wait until no program that began before a gate was closed is running any more. */
void tracer_settle(void);
/* Remove the probes of n targets; what was counted stays readable until tracer_forget(). */
void tracer_detach(struct tracer *t, const int *target_ids, size_t n);
/* The number, its sites and its references become free again. Only after tracer_detach(). */
void tracer_forget(struct tracer *t, int target_id);
/*
 * Families of a target that goes on. Of those that are switched off nothing counts from
 * tracer_close_families() on, of those that are switched on all does from tracer_open_families() on.
 *
 * To switch off: close, tracer_settle(), tracer_detach_families(), tracer_forget_families(). What was held
 * then is let go: nobody will see its release. It counts as acquired, and as held no more; live: how many, by
 * family, added to what is there. What was released is forgotten, too, as its handles may be given out and
 * taken back unseen; each counts for 1 << level of its site. Findings stay. To switch on:
 * tracer_attach_families(), with the files and the sites of tracer_attach(), all or none of them; then what
 * the probes must know; then tracer_open_families(). 0 or -errno.
 */
void tracer_close_families(struct tracer *t, int target_id, uint32_t families);
void tracer_detach_families(struct tracer *t, int target_id, uint32_t families);
int tracer_forget_families(struct tracer *t, int target_id, uint32_t families, uint64_t live[NR_FAMILIES]);
int tracer_attach_families(struct tracer *t, int target_id, pid_t pid, const char *const *paths,
			   size_t nr_paths, const struct probe_sites *sites, uint32_t families);
void tracer_open_families(struct tracer *t, int target_id, uint32_t families);
/* Those that have probes. */
uint32_t tracer_families(const struct tracer *t, int target_id);
/* Has the target called exec since the gate was opened? */
bool tracer_execed(struct tracer *t, int target_id);
size_t tracer_probes(const struct tracer *t, int target_id);
/* Of a target whose runtime runs scripts: struct vm_code (model/vm.h). */
void tracer_set_script(struct tracer *t, int target_id, uint32_t function_info, bool generates);
/*
 * Where the target's dynamic linker calls when libraries come and go, as an offset in its file (path), and
 * the address of its struct r_debug. Without it nobody sees that a library took the place of another until
 * the mappings are read. Call it while the gate is closed.
 */
int tracer_set_linker(struct tracer *t, int target_id, pid_t pid, const char *path, uint64_t offset,
		      uint64_t debug_at);
/*
 * From here on each process stops, as by SIGSTOP, that descends from this one's parent, and not from this
 * one, when its dynamic linker has changed its list of libraries, until it gets SIGCONT. path, offset: where
 * that linker calls; debug_bytes: from there to its struct r_debug. 0 or -errno.
 */
int tracer_hold(struct tracer *t, const char *path, uint64_t offset, int64_t debug_bytes);
struct finalizer_asked;
/*
 * The next function, as of tracer_code_drain(), by which this target releases handles, and that is to be
 * probed; tracer_code_changed() says that there is one. false: there is none. Then: whether it is.
 */
bool tracer_finalizer_asked(struct tracer *t, int target_id, struct finalizer_asked *out);
void tracer_finalizer_known(struct tracer *t, const struct finalizer_asked *asked, bool is_probed);
/* The next that has stopped, as of tracer_code_drain(); 0: none. */
pid_t tracer_held(struct tracer *t);
/* No more; those who have stopped until now are told by tracer_held(). Also by tracer_close(). */
void tracer_end_hold(struct tracer *t);
/* Readable when some target's code has changed, or a process has stopped. */
int tracer_code_fd(const struct tracer *t);
/* Take note of that; then of each target: has its code changed since it was asked? */
void tracer_code_drain(struct tracer *t);
bool tracer_code_changed(struct tracer *t, int target_id);
/*
 * Libraries that the target has opened since the last call, in order, each told once; v is valid until the
 * next tracer_code_drain(). How many.
 */
struct code_opened;
size_t tracer_opened(struct tracer *t, int target_id, const struct code_opened **v);
/* Before the mappings are read for tracer_set_code(). */
struct unwind_moment tracer_code_now(const struct tracer *t, int target_id);
/*
 * Tell the walker where the target's file-backed code is; code lives until tracer_forget(). Call again when
 * libraries were loaded. -EAGAIN: libraries were closed since `when`, read the mappings again.
 */
int tracer_set_code(struct tracer *t, int target_id, const struct code *code, struct layout *layout,
		    const struct unwind_moment *when);

/*
 * What the VM's count of unloaded classes is now, where they are probed, and what it was when klass was
 * unloaded last, or another one that cannot be told from it; *last = *n: not known. 0 or -errno.
 */
int tracer_unloads(const struct tracer *t, int target_id, uint64_t klass, uint64_t *n, uint64_t *last);
/*
 * The last Java frames of all threads that are in native code, read when the gate was open already: what they
 * got earlier went unseen. Until this is known no release is called wrong for want of its Get.
 */
int tracer_set_before(struct tracer *t, int target_id, const struct frame_anchor *anchors, size_t n);
/*
 * Hand all parts of the plan that are PLAN_READY to the kernel; each is PLAN_DONE then, or PLAN_NEVER where
 * that cannot be done. path: where the kernel finds the runtime's file. Places are probed while the gate is
 * closed, or once later. 0, or -errno of a part that the probes cannot do without.
 */
int tracer_apply(struct tracer *t, int target_id, pid_t pid, const char *path, struct target_plan *p);

/* These threads, by their ids here, were attached by native code before the gate is opened. 0 or -errno. */
int tracer_set_attached(struct tracer *t, int target_id, const pid_t *tids, size_t n);
/* Whose n JNIEnvs are: for the names in findings, with --check. 0 or -errno. */
int tracer_set_env_owners(struct tracer *t, int target_id, const uint64_t *envs,
			  const struct env_owner *owners, size_t n);

/* Is this reference, of the last snapshot, still in the pairing store? Neither released nor its handle come
 * again. */
bool tracer_holds(const struct tracer *t, const struct snapshot_ref *ref);
/*
 * A local reference of the last snapshot died with its frame, which no probe sees: free its place in the
 * store and count it as died, unless that has happened meanwhile. Its tick must be an earlier one than the
 * present. Not those in the overflow map: their places are freed when their handles come again.
 */
void tracer_bury(struct tracer *t, const struct snapshot_ref *ref, enum func_id func);
/* Is this frame, of the last snapshot, still pushed? */
bool tracer_holds_push(const struct tracer *t, int target_id, const struct snapshot_push *p);
/* It will never be popped, and is told: take it out of the books. */
void tracer_bury_push(struct tracer *t, int target_id, const struct snapshot_push *p);
/*
 * May a signal that the target handles on a stack of its own (sigaltstack) end it, as returns are probed?
 * They are to be removed then. See bpf/books/signal_stacks.bpf.h.
 */
bool tracer_endangers(const struct tracer *t, int target_id);
/*
 * From here on one handle is followed of 2^level times as many as at level 0, which is where a target begins;
 * of the families that may be sampled. level < JT_SAMPLE_LEVELS. What is followed already stays so.
 */
void tracer_set_sampling(struct tracer *t, int target_id, unsigned level);
/* The clock of the references. */
int tracer_tick(struct tracer *t, uint32_t *tick);
/* A number that changes when there are sites that no snapshot had yet. */
uint64_t tracer_sites_made(const struct tracer *t);
/* Only the sites and their counts, for their stacks to be named soon: `live` and the clocks are not set. */
int tracer_sites(struct tracer *t, struct snapshots *all, struct error *err);
/* Read sites and references of all targets. all is reused from call to call; start with zeros. */
int tracer_snapshot(struct tracer *t, struct snapshots *all, struct error *err);

int tracer_counts(struct tracer *t, int target_id, struct target_counts *out, struct error *err);

/*
 * What one call of each function costs the target, in nanoseconds: the trap and a run of its
 * program lately (user/kernel/overhead.h). -1: not probed, or not known (yet).
 */
void tracer_costs(const struct tracer *t, int target_id, double ns[NR_ALL_FUNCS]);
/* The traps alone, likewise: no less can it be. */
void tracer_trap_costs(const struct tracer *t, int target_id, double ns[NR_ALL_FUNCS]);
/* Are they of programs as they are since the last tracer_set_sampling()? */
bool tracer_costs_are_new(const struct tracer *t);
/*
 * The programs themselves hold what they take of a target against its budget (tracer_opts.budgeted): this
 * share of a CPU, and so much CPU time at once. At more they count no call of it any more, whatever the
 * loader does meanwhile. Before the gate is opened, and before it is told what calls are reckoned to take.
 */
void tracer_may_spend(struct tracer *t, int target_id, double share, double at_once_ns);
/* One call of this function is reckoned to take so many nanoseconds from here on. */
void tracer_charge(struct tracer *t, int target_id, enum func_id f, double ns);
/* Has that happened? */
bool tracer_has_overspent(const struct tracer *t, int target_id);
/* Since when they have taken more than the share, until that, or until now. CLOCK_MONOTONIC; 0: never. */
uint64_t tracer_spends_since(const struct tracer *t, int target_id, uint64_t *until_ns);
/* Call every 0.1 s: keeps those up to date. */
void tracer_poll(struct tracer *t);

/* With -vv: what the native unwind tables of all targets take, on stderr. */
void tracer_print_unwind(const struct tracer *t);
/* With -vv: how long they took to load; size and verified instructions of every program, on stderr. */
void tracer_print_programs(const struct tracer *t);
/* With -vv: how many stacks had to be walked, as they were not in the memo. */
void tracer_print_walks(const struct tracer *t);

#endif
