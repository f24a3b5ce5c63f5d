// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The probes. One program serves all JNI functions, so that the stack walk in it is verified once; the cookie
 * (an index into the rules) tells it which function of which target fired, what that does, and where its
 * handle and its caller are.
 */
#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "books/misuse.bpf.h"
#include "books/pairs.bpf.h"
#include "books/sites.bpf.h"
#include "border/shared.h"
#include "maps.bpf.h"
#include "program.bpf.h"
#include "walk/arch.bpf.h"
#include "walk/task.bpf.h"

/* uses the scratch memory of stack walks */
#include "books/frames.bpf.h"
#include "books/pins.bpf.h"
#include "books/threads.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* The rule of this event, or NULL when it is not to be counted (not yet, no more, or another process's). */
static __always_inline struct rule *rule_of(struct pt_regs *ctx)
{
	struct rule *r = rule_at(ctx);

	return r && target_is_open(r->slot, r->others) ? r : NULL;
}

static __always_inline struct func_counts *counts_of(const struct rule *r)
{
	u32 key = r->slot * nr_funcs + r->func;

	return bpf_map_lookup_elem(&func_counts, &key);
}

static __always_inline struct site_counts *site_counts_of(u32 site)
{
	return bpf_map_lookup_elem(&site_counts, &site);
}

/*
 * The handle was live in our books although the VM hands it out anew: a local reference has died with its
 * native frame, which nothing tells; of any other the release went unseen.
 */
static __always_inline void forget_stale(u32 slot, u64 tag)
{
	u32 site = pair_take(tag, 0), key;
	struct site_counts *sc = site_counts_of(site);
	struct site *s = bpf_map_lookup_elem(&sites, &site);
	struct func_counts *fc;

	if (!site || !sc || !s || !s->func)
		return;
	key = slot * nr_funcs + s->func;
	fc = bpf_map_lookup_elem(&func_counts, &key);
	if (fc)
		__sync_fetch_and_add(&fc->replaced, 1);
	if (s->family == FAMILY_LOCAL) {
		__sync_fetch_and_add(&sc->died, 1);
	} else {
		__sync_fetch_and_add(&sc->unpaired, 1);
		drop(slot, DROP_RELEASE_MISSED);
	}
}

struct call {
	struct func_counts *fc;
	u64 handle, tag;
	u64 env;         /* of what is released */
	u32 acquired_at; /* of what it releases: the site */
};

/* What all calls have in common. True: there is a handle. */
static __always_inline bool call_begin(struct pt_regs *ctx, struct rule *r, struct call *c)
{
	u64 handle = 0;

	c->fc = counts_of(r);
	if (!c->fc)
		return false;
	__sync_fetch_and_add(&c->fc->calls, 1);
	if (loc_read(ctx, &r->handle, &handle)) {
		drop(r->slot, DROP_HANDLE_UNREAD);
		__sync_fetch_and_add(&c->fc->unpaired, 1);
		return false;
	}
	barrier_var(handle); /* to the verifier the same, wherever it was */
	c->handle = handle;
	if (!c->handle) {
		__sync_fetch_and_add(&c->fc->nulls, 1);
		return false;
	}
	c->tag = tag_of(r->slot, c->handle);
	return true;
}

static __always_inline void acquire(const struct rule *r, const struct call *c, u32 site)
{
	struct site_counts *sc = site_counts_of(site);

	if (!sc)
		return;
	__sync_fetch_and_add(&sc->acquired, 1);
	if (count_only)
		return;
	if (c->handle >> HANDLE_BITS) {
		drop(r->slot, DROP_HANDLE_RANGE);
	} else {
		forget_stale(r->slot, c->tag);
		if (site && !pair_put(c->tag, site))
			return;
		drop(r->slot, DROP_REFS_FULL);
		pair_unbury(c->tag);
	}
	__sync_fetch_and_add(&sc->unpaired, 1);
	__sync_fetch_and_add(&c->fc->unpaired, 1);
}

/* The usual case. released_at: where, or 0 when nobody will ask. False: not acquired since attach. */
static __always_inline bool release_paired(struct call *c, u32 released_at)
{
	u32 acquired_at = c->handle >> HANDLE_BITS ? 0 : pair_take(c->tag, released_at);
	struct site_counts *sc;

	if (!acquired_at)
		return false;
	sc = site_counts_of(acquired_at);
	if (sc)
		__sync_fetch_and_add(&sc->released, 1);
	c->acquired_at = acquired_at;
	return true;
}

static __always_inline void release_unpaired(const struct rule *r, const struct call *c, u32 site)
{
	__sync_fetch_and_add(&c->fc->unpaired, 1);
	if (c->handle >> HANDLE_BITS)
		return;
	if (is_double_delete(r, c->tag, c->handle))
		double_delete(r, c->tag, c->handle, site);
	else
		bury_unknown(c->tag, site);
}

static __always_inline void mismatch(const struct rule *r, const struct call *c, u32 site)
{
	__sync_fetch_and_add(&c->fc->unpaired, 1);
	finding(r->slot, FINDING_KIND_MISMATCH, site, pair_site(c->tag), 0, c->handle);
}

/*
 * The usual release needs no site. Nonzero: done. This and call_end() are functions of their own so that the
 * verifier finds one state before the walk, and goes through that once.
 */
static __always_inline int release_begin(const struct rule *r, struct call *c)
{
	if (critical_site() || is_mismatch(r, c->tag, c->handle) || release_is_watched(c->tag))
		return 0;
	if (release_paired(c, 0))
		return 1;
	if (is_double_delete(r, c->tag, c->handle) || is_misplaced(r, c->env, c->handle))
		return 0;
	release_unpaired(r, c, 0);
	return 1;
}

static __always_inline int call_end(const struct rule *r, struct call *c, u32 site)
{
	u32 inside = critical_site();

	if (inside)
		finding(r->slot, FINDING_CALL_IN_CRITICAL, site, inside, 0, c->handle);
	if (r->operation != OP_RELEASE) {
		acquire(r, c, site);
	} else if (is_mismatch(r, c->tag, c->handle)) {
		mismatch(r, c, site);
	} else if (!release_paired(c, site)) {
		if (is_misplaced(r, c->env, c->handle))
			mismatch(r, c, site);
		else
			release_unpaired(r, c, site);
	}
	return 0;
}

UPROBE(jt_call)
{
	struct rule *r = rule_of(ctx);
	struct call c = {0};
	u32 site = 0;

	if (!r || !call_begin(ctx, r, &c))
		return 0;
	if (r->operation == OP_RELEASE)
		c.env = env_of(ctx, r);
	else
		site = site_known(ctx, r);
	if (r->operation != OP_RELEASE || !release_begin(r, &c)) {
		site = site ?: site_of((void *)ctx, r);
		call_end(r, &c, site);
	}

	if (by_frame && r->family == FAMILY_LOCAL) {
		if (r->operation != OP_RELEASE)
			frame_acquire(ctx, r, c.handle, site);
		else if (c.acquired_at)
			frame_release(ctx, r, c.acquired_at);
	}
	return 0;
}

/* --check: a function is given references. The first bad one of a call is what is told. */
UPROBE(jt_use)
{
	u64 args[] = {PT_REGS_PARM2(ctx), PT_REGS_PARM3(ctx), PT_REGS_PARM4(ctx)};
	struct use u = {.env = PT_REGS_PARM1(ctx), .sp = PT_REGS_SP(ctx)};
	struct rule *r = rule_of(ctx);
	u32 kind = NR_FINDINGS;
	u64 handle = 0;

	if (!r)
		return 0;
	count_use(r);
	use_begin(r, &u);
#pragma unroll
	for (int i = 0; i < 3; i++) {
		if (!(r->refs >> (i + 1) & 1) || !args[i] || args[i] >> HANDLE_BITS || kind != NR_FINDINGS)
			continue;
		handle = args[i];
		kind = misuse(r, &u, handle, r->nulls >> (i + 1) & 1);
	}
	if (kind != NR_FINDINGS)
		use_told(r, kind, handle, site_of((void *)ctx, r));
	return 0;
}

/* A call that gives and takes nothing. */
UPROBE(jt_count)
{
	struct rule *r = rule_of(ctx);
	struct func_counts *fc = r ? counts_of(r) : NULL;

	if (fc)
		__sync_fetch_and_add(&fc->calls, 1);
	return 0;
}

static __always_inline void thread_env_keep(u64 env)
{
	u64 thread = bpf_get_current_pid_tgid(), *known, *at_hand = thread_at_hand(thread);
	u64 word = env | (u64)((u32)thread >> THREAD_PLACE_BITS) << 48;

	if (at_hand && *at_hand == word)
		return;
	known = bpf_map_lookup_elem(&thread_envs, &thread);
	if (!known || *known != env)
		bpf_map_update_elem(&thread_envs, &thread, &env, BPF_ANY);
	if (at_hand && !(env >> 48))
		*(volatile u64 *)at_hand = word;
}

/* The entry of a function whose return is probed: its JNIEnv is in no register any more by then. */
UPROBE(jt_enter)
{
	thread_env_keep(
	    PT_REGS_PARM1(ctx)); /* before the gate opens, too: it may be open when this returns */
	return 0;
}

/* The entry of a Get function whose return is probed too. */
UPROBE(jt_pin_enter)
{
	struct rule *r = rule_of(ctx);

	if (!r)
		return 0;
	thread_env_keep(PT_REGS_PARM1(ctx));
	if (r->family == FAMILY_CRITICAL)
		critical_get();
	pin_call_begin(ctx, r);
	return 0;
}

/* It is in the store, or counted as not. */
static __always_inline void pin_keep(const struct rule *r, const struct call *c, struct pin *p,
				     struct site_counts *sc)
{
	struct pin_key key = {.tag = c->tag, .owner = pin_owner(r, c->handle, p)};
	struct site_counts *before;
	u32 replaced, outer = 0;

	pin_unbury(&key);
	p->tick = now_tick();
	p->start_ns = bpf_ktime_get_ns(); /* as late as can be: from here on it is held */
	if (p->site && !(c->handle >> HANDLE_BITS) && !pin_put(&key, p, &replaced)) {
		if (r->family == FAMILY_CRITICAL)
			outer = critical_enter(r->slot, p->site, p->start_ns);
		if (outer)
			pin_count_nested(p->site, outer);
		if (!replaced)
			return;
		drop(r->slot, DROP_RELEASE_MISSED);
		__sync_fetch_and_add(&c->fc->replaced, 1);
		before = site_counts_of(replaced);
		if (before)
			__sync_fetch_and_add(&before->unpaired, 1);
		return;
	}
	drop(r->slot, c->handle >> HANDLE_BITS ? DROP_HANDLE_RANGE : DROP_PINS_FULL);
	__sync_fetch_and_add(&sc->unpaired, 1);
	__sync_fetch_and_add(&c->fc->unpaired, 1);
}

/* What a Get function gave, and where it was called. */
struct got {
	struct call call; /* its handle is the pointer */
	struct pin_call begun;
	u32 site, pad;
};

/* A string or array is pinned. A global function: its stack is not there while the call's is walked. */
__noinline int pin_got(struct bpf_user_pt_regs_t *regs, const struct got *got)
{
	struct rule *r = rule_at((void *)regs);
	struct func_counts *fc;
	struct pin_stats *stats;
	struct site_counts *sc;
	struct pin p = {0};
	struct call c;

	if (!r || !got)
		return 0;
	c.handle = got->call.handle;
	c.tag = got->call.tag;
	c.fc = fc = counts_of(r);
	p.site = got->site;
	sc = site_counts_of(p.site);
	if (!fc || !sc)
		return 0;
	__sync_fetch_and_add(&sc->acquired, 1);
	p.func = r->func;
	p.family = r->family;
	pin_describe(r, c.handle, &got->begun, &p);
	stats = pin_stats_of(p.site);
	if (stats)
		pin_count_copy(stats, p.copy);
	pin_keep(r, &c, &p, sc);
	return 0;
}

/* The return of a Get function. */
UPROBE(jt_pin)
{
	struct rule *r = rule_of(ctx);
	struct got got = {0};
	u32 inside;

	if (!r)
		return 0;
	pin_call_end(ctx, r, &got.begun);
	if (!call_begin(ctx, r, &got.call))
		return 0;
	got.call.fc = NULL; /* a pointer of the kernel's side is not handed on */
	got.site = site_of((void *)ctx, r);
	inside = r->family == FAMILY_CRITICAL ? 0 : critical_site();
	if (inside)
		finding(r->slot, FINDING_CALL_IN_CRITICAL, got.site, inside, 0, got.call.handle);
	pin_got((void *)ctx, &got);
	return 0;
}

/* What the caller says in the last argument; 0 where there is none. */
static __always_inline u32 pin_mode(struct pt_regs *ctx, const struct rule *r)
{
	u64 mode = 0;

	if (r->extra.kind != LOC_NONE && loc_read(ctx, &r->extra, &mode))
		return 0;
	return mode;
}

/* Does the pin stay? JDK: jni_ReleasePrimitiveArrayCritical ignores the mode, so that ends the section. */
static __always_inline bool pin_stays(const struct rule *r, u32 mode)
{
	return mode != 0 && mode != JT_PIN_ABORT && r->family != FAMILY_CRITICAL;
}

/* A Release as its steps hand it on. */
struct unpin {
	u64 pointer, tag, now;
	u32 got_at, released_at; /* sites, of an earlier release too; 0: not known */
	u32 inside;              /* site of a critical section that the call is made in, and must not be */
	u32 wrong;               /* enum finding_kind; NR_FINDINGS: nothing is */
	u32 site;                /* of the call; 0: nobody asks */
	u32 watched;             /* somebody does */
};

static __always_inline bool site_is_watched(u32 site)
{
	struct site *s = bpf_map_lookup_elem(&sites, &site);

	return checking || (*(volatile u32 *)&suspects && s && s->suspect);
}

/* Look only. Global functions, here and below: their stack is not there while the call's is walked. */
__noinline int unpin_judge(struct bpf_user_pt_regs_t *regs, struct unpin *u)
{
	struct pt_regs *ctx = (void *)regs;
	struct rule *r = rule_at(ctx);
	struct pin_grave grave = {0};
	struct pin_key key = {0};
	struct pin *p;

	if (!r || !u)
		return 0;
	u->wrong = NR_FINDINGS;
	u->inside = r->family == FAMILY_CRITICAL ? 0 : critical_site();
	if (!(u->pointer >> HANDLE_BITS)) {
		p = pin_find(u->tag, &key);
		u->wrong = p ? pin_judge(ctx, r, p, u->pointer)
			     : pin_judge_unknown(ctx, r, u->tag, u->pointer, &grave);
		u->got_at = p ? p->site : grave.site;
		u->released_at = p ? 0 : grave.released_at;
		u->watched = p && site_is_watched(p->site);
	}
	u->watched |= u->inside || u->wrong != NR_FINDINGS;
	return 0;
}

static __always_inline void unpin_paired(const struct rule *r, const struct pin_key *key, struct pin *pin,
					 const struct unpin *u)
{
	u32 site = pin->site; /* before it goes */
	struct site_counts *sc = site_counts_of(site);
	struct section section = {0};

	pin_drop(key);
	pin_bury(key, site, u->site);
	if (sc)
		__sync_fetch_and_add(&sc->released, 1);
	if (r->family == FAMILY_CRITICAL && critical_leave(r->slot, u->now, &section))
		pin_count_hold(&section);
}

/* Keep the books. */
__noinline int unpin_count(struct bpf_user_pt_regs_t *regs, const struct unpin *u)
{
	struct rule *r = rule_at((void *)regs);
	struct pin_key key = {0};
	struct pin_stats *stats;
	struct func_counts *fc;
	struct pin *p = NULL;
	u32 mode;

	fc = r && u ? counts_of(r) : NULL;
	if (!fc || !u)
		return 0;
	if (!(u->pointer >> HANDLE_BITS))
		p = pin_find(u->tag, &key);
	mode = pin_mode((void *)regs, r);
	stats = p ? pin_stats_of(p->site) : NULL;
	if (stats && mode == JT_PIN_COMMIT)
		__sync_fetch_and_add(&stats->committed, 1);
	if (stats && mode == JT_PIN_ABORT)
		__sync_fetch_and_add(&stats->aborted, 1);
	if (pin_stays(r, mode)) {
		if (p)
			p->committed = 1;
		__sync_fetch_and_add(&fc->kept, 1);
	} else if (p && p->family == r->family) {
		unpin_paired(r, &key, p, u);
	} else { /* not got since attach, or memory of another kind, which this function does not release */
		__sync_fetch_and_add(&fc->unpaired, 1);
	}
	return 0;
}

/* The entry of a Release function. */
UPROBE(jt_unpin)
{
	struct rule *r = rule_of(ctx);
	struct unpin u = {.now = bpf_ktime_get_ns()};
	struct call c = {0};

	if (!r || !call_begin(ctx, r, &c))
		return 0;
	u.pointer = c.handle;
	u.tag = c.tag;
	unpin_judge((void *)ctx, &u);
	if (u.watched)
		u.site = site_of((void *)ctx, r);
	if (u.wrong != NR_FINDINGS) {
		finding(r->slot, u.wrong, u.site, u.got_at, u.released_at, u.pointer);
		suspect(u.got_at);
	}
	if (u.inside)
		finding(r->slot, FINDING_CALL_IN_CRITICAL, u.site, u.inside, 0, u.pointer);
	unpin_count((void *)ctx, &u);
	return 0;
}

/* A thread waits for critical sections to end, so that it can have a collection. The cookie is the slot. */
UPROBE(jt_stall_begin)
{
	u32 slot = bpf_get_attach_cookie(ctx);

	if (target_is_open(slot, true))
		stall_begin(slot, current_tid());
	return 0;
}

UPROBE(jt_stall_end)
{
	if (target_is_open(bpf_get_attach_cookie(ctx), true))
		stall_end();
	return 0;
}

#include "books/thread_calls.bpf.h"

/* --- monitors and threads ---------------------------------------------------------------------- */

/* The entry of a function of these families: the return does not know the argument any more. */
UPROBE(jt_thread_enter)
{
	struct rule *r = rule_of(ctx);
	struct pin_call call = {0};
	u64 key;

	if (!r)
		return 0;
	if (r->family == FAMILY_MONITOR) /* the others are called with a JavaVM */
		thread_env_keep(PT_REGS_PARM1(ctx));
	if (r->handle.kind != LOC_NONE && loc_read(ctx, &r->handle, &call.object))
		return 0;
	key = pin_call_key(ctx, r);
	if (bpf_map_update_elem(&pin_calls, &key, &call, BPF_ANY))
		drop(r->slot, DROP_PIN_CALLS_FULL);
	return 0;
}

/* The return of a function of these families. The handle of the rule is the result, a jint. */
UPROBE(jt_thread_return)
{
	struct rule *r = rule_of(ctx);
	struct func_counts *fc = r ? counts_of(r) : NULL;
	struct pin_call begun = {0};
	struct thread_books *b;
	bool failed, is_monitor, wants_site;
	u64 result = 0;
	u32 site = 0;

	if (!fc)
		return 0;
	pin_call_end(ctx, r, &begun);
	__sync_fetch_and_add(&fc->calls, 1);
	loc_read(ctx, &r->handle, &result);
	failed = (u32)result != 0;
	is_monitor = r->family == FAMILY_MONITOR;
	b = books_of(r->slot, current_tid(), false);
	if (is_monitor)
		wants_site = begun.object && (r->operation == OP_ACQUIRE) == !failed;
	else
		wants_site = !failed && thread_changes(r, &begun, b);
	if (wants_site)
		site = site_of((void *)ctx, r);
	if (!wants_site && !(is_monitor && begun.object)) {
		__sync_fetch_and_add(&fc->nulls, 1); /* it has done nothing */
	} else if (!is_monitor) {
		if (r->operation == OP_ACQUIRE)
			thread_attached(ctx, r, site, fc);
		else if (b)
			thread_detached(ctx, r, site, b, fc);
	} else if (failed) {
		__sync_fetch_and_add(&fc->nulls, 1);
		if (r->operation == OP_RELEASE)
			finding(r->slot, FINDING_MONITOR_IMBALANCE, site, 0, 0, begun.object);
	} else if (r->operation == OP_ACQUIRE) {
		count_acquired(site, fc, monitor_push(r->slot, current_tid(), begun.object, site));
	} else {
		count_released(monitor_pop(r->slot, current_tid(), begun.object), fc);
	}
	return 0;
}

/* Is it ended by itself, and not with its process (exit_group, a signal, exec)? */
#define SIGNAL_GROUP_EXIT 4 /* include/linux/sched/signal.h */
static __always_inline bool ends_alone(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	return !(BPF_CORE_READ(task, exit_code) & 0x7f) &&
	       !(BPF_CORE_READ(task, signal, flags) & SIGNAL_GROUP_EXIT);
}

/* A thread ends. If it is attached or holds monitors, for the VM it lives on, so its books stay. */
TRACEPOINT("sched_process_exit", jt_thread_end)
{
	u32 tgid = current_tgid(), *slot = bpf_map_lookup_elem(&slots, &tgid);
	struct books_key key = {.tid = current_tid()}, gone;
	struct target_state *t;
	struct thread_books *b;

	if (!slot)
		return 0;
	t = bpf_map_lookup_elem(&targets, slot);
	key.slot = *slot;
	if (!t || t->gate != GATE_OPEN || t->tgid != tgid || !ends_alone())
		return 0;
	if (criticals_traced)
		critical_thread_end(key.slot);
	b = bpf_map_lookup_elem(&threads, &key);
	if (!b)
		return 0;
	if (b->attached && !b->by_vm)
		finding(key.slot, FINDING_ATTACHED_AT_END, 0, b->site, 0, 0);
	end_monitors(key.slot, b, 0, false);
	gone = key;
	gone.tid = JT_THREAD_GONE | __sync_fetch_and_add(&threads_gone, 1);
	bpf_map_update_elem(&threads, &gone, b, BPF_ANY);
	bpf_map_delete_elem(&threads, &key);
	return 0;
}

/* The VM frees code, and may put other code in its place: nothing remembered of addresses holds any more. */
UPROBE(jt_code_freed)
{
	u32 slot = bpf_get_attach_cookie(ctx);
	struct java_config *j = bpf_map_lookup_elem(&java_configs, &slot);

	if (j)
		__sync_fetch_and_add(&j->generation, 1);
	return 0;
}

#define UNLOAD_TRIES 8

/* A class goes, and the addresses of its methods will be another's. */
UPROBE(jt_class_unloaded)
{
	u32 slot = bpf_get_attach_cookie(ctx), at = unloaded_place(slot, PT_REGS_PARM1(ctx));
	struct java_config *j = bpf_map_lookup_elem(&java_configs, &slot);
	u64 *place = bpf_map_lookup_elem(&unloaded, &at), number;

	if (!j)
		return 0;
	number = __sync_fetch_and_add(&j->unloads, 1) + 1;
	if (!j->unloads_class || !place)
		return 0;
	for (int i = 0; i < UNLOAD_TRIES; i++) { /* others may be unloading, too: the highest stays */
		u64 old = *(volatile u64 *)place;

		if (old >= number || __sync_val_compare_and_swap(place, old, number) == old)
			return 0;
	}
	*(volatile u64 *)place = ~0ULL; /* of the classes here nothing is known any more */
	return 0;
}

/*
 * The dynamic linker is about to map or unmap libraries, or has done so. What it unmaps nobody runs any more,
 * but another library may come to lie there at once: until the loader has read the mappings, no address in
 * code means anything. Libraries that are added change nothing of the others.
 */
UPROBE(jt_libraries)
{
	u32 slot = bpf_get_attach_cookie(ctx), before;
	struct unwind_space *s = bpf_map_lookup_elem(&unwind_spaces, &slot);
	struct link_debug debug;

	if (!s)
		return 0;
	if (bpf_probe_read_user(&debug, sizeof(debug), (void *)s->link_debug))
		debug.state = LINK_DELETE;
	before = s->linker;
	s->linker = debug.state;
	if (debug.state == LINK_ADD)
		return 0;
	/* with more than one namespace this is the state of the first, whichever changes */
	if (debug.state == LINK_DELETE || before == LINK_DELETE || debug.version > 1) {
		__sync_fetch_and_add(&s->closings, 1);
		*(volatile u64 *)&s->layout = UNWIND_CLOSED(s->closings);
	} else {
		__sync_fetch_and_add(&s->added, 1);
	}
	bpf_ringbuf_output(&code_changes, &slot, sizeof(slot), 0);
	return 0;
}

/* exec keeps the pid and replaces the program: what was learned of the old one must not be used on the new.
 */
TRACEPOINT("sched_process_exec", jt_exec)
{
	u32 tgid = current_tgid(), *slot = bpf_map_lookup_elem(&slots, &tgid);
	struct target_state *t;

	if (!slot)
		return 0;
	t = bpf_map_lookup_elem(&targets, slot);
	if (t && t->tgid == tgid)
		t->gate = GATE_EXECED;
	return 0;
}

/* What a probe costs before its program does anything: attached to a function of our own
 * (user/kernel/overhead.c).
 */
UPROBE(jt_nothing)
{
	return 0;
}

/* Run by the loader, not by an event. */
SEC("syscall")
int jt_hello(struct hello *out)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	pid_ns_level = BPF_CORE_READ(task, group_leader, thread_pid, level);
	out->jiffies = bpf_jiffies64();
	out->monotonic_ns = bpf_ktime_get_ns();
	out->cpu_waits = cpu_waits_known();
	return 0;
}
