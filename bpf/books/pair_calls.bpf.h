/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Pairs: what any library's functions acquire and release, by rules (model/catalog.h).
 *
 * A handle may be the result, an argument, or what an argument points to when the call returns, and whether
 * the call has succeeded only its result tells. So calls are remembered from their entry to their return, by
 * thread, the outermost first. A call that another one of the same family makes is part of that: the
 * outermost one has acquired the handle, and what a release does with it inside is its own affair.
 *
 * A call that an exception or longjmp() ended has no return. What is remembered of it lies on a part of the
 * stack that has been left: the next call of the thread that is above it takes it away. A handler of a signal
 * may have a stack of its own: what is called there is inside what it has interrupted, until that goes on.
 */
#ifndef JNITRACE_PAIR_CALLS_BPF_H
#define JNITRACE_PAIR_CALLS_BPF_H

#include "books/finalizers.bpf.h"
#include "books/findings.bpf.h"
#include "books/pairs.bpf.h"
#include "books/refs.bpf.h"
#include "books/rule.bpf.h"
#include "books/sampling.bpf.h"
#include "books/signal_stacks.bpf.h"
#include "books/sites.bpf.h"
#include "border/threads.h"

#define PAIR_NESTING 8    /* calls of one thread inside one another; a power of two */
#define PAIR_ARRAY   1024 /* handles that one call may acquire */
/* Calls do not lie further apart on one stack; on two they may. */
#define PAIR_STACK_BYTES (8ULL << 20)

struct pair_call {
	u64 cfa;      /* the stack pointer after the return */
	u64 pc;       /* of the probe at the entry */
	u64 argument; /* the handle, or where it will be */
	u64 count;
	u64 result;
	u64 finalizer; /* the address of the function that releases */
	u64 old_bytes;
	u32 old_site; /* of what is replaced, or released if the call succeeds: where it was acquired, and
			 when */
	u32 old_tick;
	u32 site; /* where it acquires, or releases */
	u16 func;
	u8 family;
	u8 unread;    /* its argument is not known */
	u8 has_inner; /* calls of the same family inside have acquired something */
	u8 owns;      /* of the rule */
	u8 on_alt;    /* it lies on the stack that the thread has for signals */
	u8 level;     /* as draw */
	u32 since;    /* of the rule */
	u32 inside;   /* the call around it that is of the same family: its place + 1 */
	u32 draw;     /* of its outermost call, see sampling.bpf.h */
	u32 later;    /* its handle is taken when it has succeeded: enum pair_later */
};
struct pair_thread {
	u32 depth;
	u32 target_id;
	u64 began_anew; /* when the thread began, if pair_began_anew() was true of it */
	struct pair_call call[PAIR_NESTING];
};
/* The oldest give way: threads end, and nothing says so here. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1); /* (loader) */
	__type(key, u64);
	__type(value, struct pair_thread);
} pair_threads SEC(".maps");
/* To begin with: too large for a program's stack. */
MAP_ARRAY(pair_thread_none, BPF_MAP_TYPE_ARRAY, 1, struct pair_thread);

MAP_HASH(pair_mores, 1, struct pair_more_key, struct pair_more); /* (loader) */

static __always_inline struct pair_thread *pair_thread_of(bool create)
{
	u64 key = bpf_get_current_pid_tgid();
	struct pair_thread *t = bpf_map_lookup_elem(&pair_threads, &key), *none;
	u32 zero = 0;

	if (t || !create)
		return t;
	none = bpf_map_lookup_elem(&pair_thread_none, &zero);
	if (!none || bpf_map_update_elem(&pair_threads, &key, none, BPF_NOEXIST))
		return NULL;
	return bpf_map_lookup_elem(&pair_threads, &key);
}

static __always_inline u64 pair_cfa(const struct pt_regs *ctx, const struct rule *r)
{
	return reg_read(ctx, r->caller_cfa.reg) + (s64)r->caller_cfa.offset_bytes;
}

/* Is this function at this place already? */
static __always_inline bool pair_calls_have(const struct pair_thread *t, const struct pair_call *c)
{
	for (u32 i = 0; i < PAIR_NESTING; i++)
		if (i < t->depth && t->call[i].cfa == c->cfa && t->call[i].func == c->func)
			return true;
	return false;
}

/*
 * Take away calls that have ended without a return that was seen. Two may be at the same place on the stack:
 * of which the first ended by jumping to the second (the kernel has put its own address in the place of the
 * return address then); or one call, of a function that is in two families. A global function: verified once,
 * and not for each number of calls that it may leave.
 */
__noinline int pair_calls_tidy(struct pair_thread *t, const struct pair_call *c, u32 jumped_to)
{
	bool same;

	if (!t || !c)
		return 0;
	same = jumped_to || !pair_calls_have(t, c);
	for (u32 i = 0; i < PAIR_NESTING; i++) {
		u32 top = t->depth - 1;
		u64 above;

		if (top >= PAIR_NESTING || c->on_alt > t->call[top].on_alt)
			break;
		above = t->call[top].on_alt > c->on_alt ? -1 : t->call[top].cfa - c->cfa;
		if (above < PAIR_STACK_BYTES && (above || (same && (jumped_to || t->call[top].pc == c->pc))))
			break;
		t->depth = top;
	}
	return 0;
}

/* The innermost call around this one that is of the same family: its place + 1; 0: there is none. A global
 * function, likewise. */
__noinline u32 pair_around(const struct pair_thread *t, const struct rule *r)
{
	if (!t || !r)
		return 0;
	for (u32 i = PAIR_NESTING; i > 0; i--)
		if (i <= t->depth && t->call[i - 1].family == r->family && t->call[i - 1].since == r->since)
			return i;
	return 0;
}

/* Is it told how large its handles are, in bytes? */
static __always_inline bool is_sized(const struct rule *r)
{
	return r->counts == COUNT_BYTES;
}

/* What the entry knows of the call. Returns pair_around(). */
static __always_inline u32 pair_call_begin(struct pt_regs *ctx, const struct rule *r, struct pair_call *c)
{
	struct pair_thread *t = pair_thread_of(false);
	u64 pc = 1, argument = 0, count = 0, times = 1, finalizer = 0;
	u32 inside = 0;

	c->cfa = pair_cfa(ctx, r);
	c->on_alt = is_on_alt(c->cfa);
	if (r->by_kernel)
		signal_stack_look(r->target_id, c->cfa);
	c->pc = PT_REGS_IP(ctx);
	c->func = r->func;
	c->family = r->family;
	c->since = r->since;
	c->owns = r->owns;
	if (t && t->target_id != r->target_id)
		t->depth = 0;
	if (t && t->depth) {
		loc_read(ctx, &r->caller_pc, &pc);
		pair_calls_tidy(t, c, pc % TRAMPOLINE_ALIGN == 0);
		inside = pair_around(t, r);
		if (inside && t->call[(inside - 1) & (PAIR_NESTING - 1)].owns)
			c->owns = 1; /* as all that is called inside */
		if (inside && is_sampled(r)) {
			c->draw = t->call[(inside - 1) & (PAIR_NESTING - 1)].draw;
			c->level = t->call[(inside - 1) & (PAIR_NESTING - 1)].level;
		}
	}
	if (!inside && is_sampled(r)) {
		c->draw = sample_draw();
		c->level = sample_level_of(r->target_id);
	}
	if (r->handle.kind != LOC_NONE && loc_read(ctx, &r->handle, &argument)) {
		drop(r->target_id, DROP_HANDLE_UNREAD);
		c->unread = 1;
	}
	if (r->extra.kind != LOC_NONE && loc_read(ctx, &r->extra, &count))
		drop(r->target_id, DROP_HANDLE_UNREAD);
	if (r->object.kind != LOC_NONE && loc_read(ctx, &r->object, &times))
		drop(r->target_id, DROP_HANDLE_UNREAD);
	if (r->finalizer.kind != LOC_NONE && loc_read(ctx, &r->finalizer, &finalizer))
		drop(r->target_id, DROP_HANDLE_UNREAD);
	barrier_var(argument); /* to the verifier the same, wherever it was */
	barrier_var(count);
	barrier_var(times);
	barrier_var(finalizer);
	c->finalizer = finalizer;
	c->argument = r->narrow && r->form == HANDLE_ITSELF ? (u32)argument : argument;
	c->count = r->counts == COUNT_BYTES    ? count * times
		   : r->counts == COUNT_NUMBER ? (u32)count
					       : count != 0;
	return inside;
}

static __always_inline void pair_call_push(const struct rule *r, const struct pair_call *c)
{
	struct pair_thread *t = pair_thread_of(true);
	u32 depth;

	if (!t || t->depth >= PAIR_NESTING) {
		drop(r->target_id, DROP_CALLS_FULL);
		return;
	}
	depth = t->depth & (PAIR_NESTING - 1);
	t->target_id = r->target_id;
	t->call[depth] = *c;
	t->depth = depth + 1;
}

/*
 * The call that returns. false: it is not known. *inside: as pair_around(). At one place, the last one may
 * not be the first to return: a function that is in two families has two returns here.
 */
static __always_inline bool pair_call_end(struct pt_regs *ctx, const struct rule *r, struct pair_call *out,
					  u32 *inside)
{
	struct pair_thread *t = pair_thread_of(false);
	u64 cfa = pair_cfa(ctx, r);
	bool on_alt = is_on_alt(cfa);

	*inside = 0;
	if (!t || t->target_id != r->target_id)
		return false;
	for (u32 i = 0; i < PAIR_NESTING; i++) { /* what was inside, and has not returned */
		u32 top = t->depth - 1;

		if (top >= PAIR_NESTING)
			return false;
		if (on_alt > t->call[top].on_alt ||
		    (on_alt == t->call[top].on_alt && t->call[top].cfa - cfa < PAIR_STACK_BYTES))
			break;
		t->depth = top;
	}
	for (u32 i = PAIR_NESTING; i > 0; i--) {
		u32 top = (t->depth - 1) & (PAIR_NESTING - 1), at = i - 1;

		if (at >= t->depth || t->call[at].func != r->func || t->call[at].cfa != cfa ||
		    t->call[at].since != r->since)
			continue;
		*out = t->call[at];
		t->call[at] = t->call[top];
		t->depth = top;
		*inside = pair_around(t, r);
		return true;
	}
	return false;
}

static __always_inline bool pair_succeeded(const struct rule *r, u64 result)
{
	switch (r->success) {
	case SUCCESS_NOT_NULL:
		return r->form == HANDLE_ITSELF ? result && result != ~0ULL : (u32)result != 0;
	case SUCCESS_ZERO:
		return !(u32)result;
	case SUCCESS_ZERO_OR:
		return !(u32)result || (u32)result == r->refs;
	case SUCCESS_NOT_NEGATIVE:
		return (s32)result >= 0;
	default:
		return true;
	}
}

/* --- references and acquisitions beside the first ------------------------------------------------ */

#define MORE_TRIES 8

/* Take one away. false: there is none. */
static __always_inline bool more_take(u32 *n)
{
	for (int i = 0; i < MORE_TRIES; i++) {
		u32 was = *(volatile u32 *)n;

		if (!was)
			return false;
		if (__sync_val_compare_and_swap(n, was, was - 1) == was)
			return true;
	}
	return false;
}

static __always_inline struct pair_more *more_of(u64 tag, u32 site, bool create)
{
	struct pair_more_key key = {.tag = tag, .site = site};
	struct pair_more *m = bpf_map_lookup_elem(&pair_mores, &key), none = {0};

	if (m || !create)
		return m;
	bpf_map_update_elem(&pair_mores, &key, &none, BPF_NOEXIST);
	return bpf_map_lookup_elem(&pair_mores, &key);
}

/* The site that acquired a live handle; 0: it is not live, as far as is known. */
static __always_inline u32 pair_live(u64 tag)
{
	u32 site = pair_site(tag);
	struct overflow_ref *o;

	if (site || !*(volatile u64 *)&overflow_refs)
		return site;
	o = bpf_map_lookup_elem(&overflow, &tag);
	return o ? o->site : 0;
}

/* --- what a call is given ------------------------------------------------------------------------ */

/* NULL, or a negative descriptor: a release of it does nothing. */
static __always_inline bool pair_is_null(const struct rule *r, u64 handle)
{
	return r->narrow ? (s32)handle < 0 : !handle;
}

/* Where it is released is kept, for the day that it is released again or used. */
static __always_inline bool pair_wants_site(const struct rule *r, const struct pair_call *c, u32 inside)
{
	u64 tag = pair_tag(r->target_id, r->family, c->argument);
	struct grave g;

	if (pair_is_null(r, c->argument) || c->argument >> HANDLE_BITS || r->operation == OP_REF)
		return false;
	if (r->maybe)
		return pair_live(tag);
	if (r->operation == OP_USE)
		return !inside && !pair_live(tag) && pair_grave(tag, &g);
	if (is_sampled(r)) /* of others nobody will ask */
		return pair_live(tag) || pair_grave(tag, &g);
	return !inside || pair_live(tag);
}

/* Live in the books of another family of pairs: which site acquired it there. Only addresses are compared. */
#define FIRST_ADDRESS 0x10000
__noinline u32 pair_elsewhere(u32 target_id, u32 family, u64 handle)
{
	if (handle < FIRST_ADDRESS)
		return 0;
	for (u32 f = NR_JNI_FAMILIES; f < NR_FAMILIES; f++) {
		u32 site = 0;

		if (f != family && pairs_traced >> f & 1)
			site = pair_site(pair_tag(target_id, f, handle));
		if (site)
			return site;
	}
	return 0;
}

/* Is it, or was it, a handle of one of these families? A global function: verified once. */
__noinline int pair_is_of(u32 target_id, u32 families, u64 handle)
{
	for (u32 f = NR_JNI_FAMILIES; f < NR_FAMILIES; f++) {
		u64 tag = pair_tag(target_id, f, handle);
		struct grave g;

		if (families >> f & 1 && (pair_live(tag) || pair_grave(tag, &g)))
			return 1;
	}
	return 0;
}

/*
 * glibc 2.42 and later: the first free() of a thread makes the thread's cache, and jumps to its own beginning
 * (malloc/malloc.c, tcache_free_init()). To a probe there it is a second call, of the same handle from the
 * same place. It is none where a call that has just returned left its return address below the stack pointer,
 * and the code there jumps here: `push; call; mov; pop; jmp`. Once for each thread, as that word may stay
 * there. A global function: verified once.
 */
__noinline int pair_began_anew(struct bpf_user_pt_regs_t *regs)
{
	bool jumps = false;
#if defined(__TARGET_ARCH_x86)
	struct pt_regs *ctx = (void *)regs;
	u64 began = ((struct task_struct *)bpf_get_current_task_btf())->start_time, from = 0;
	struct pair_thread *t;
	u8 code[16];

	if (bpf_probe_read_user(&from, sizeof(from), (void *)(PT_REGS_SP(ctx) - 16)) ||
	    bpf_probe_read_user(code, sizeof(code), (void *)from))
		return 0;
#pragma unroll
	for (u32 i = 0; i + 5 <= sizeof(code); i++) {
		s32 by = code[i + 1] | code[i + 2] << 8 | code[i + 3] << 16 | (u32)code[i + 4] << 24;

		/* the probe may be behind a test of the argument */
		jumps |= code[i] == 0xe9 && PT_REGS_IP(ctx) - (from + i + 5 + (s64)by) < 16;
	}
	t = jumps ? pair_thread_of(true) : NULL;
	jumps = t && t->began_anew != began;
	if (jumps)
		t->began_anew = began;
#else
	(void)regs;
#endif
	return jumps;
}

static __always_inline void pair_unknown(const struct rule *r, struct func_counts *fc, u64 tag, u64 handle,
					 u32 site, struct bpf_user_pt_regs_t *regs)
{
	struct grave g = {0};
	bool again = pair_grave(tag, &g);
	u32 other;

	if (again && g.released_at == RELEASE_UNDER_WAY) { /* which fails now, if all is well */
		pair_released(tag, site);
		return;
	}
	if (again && site && g.released_at == site && pair_began_anew(regs))
		return;
	if (r->also && pair_is_of(r->target_id, r->also, handle))
		return;
	if (r->operation != OP_REPLACE)
		__sync_fetch_and_add(&fc->unpaired, 1);
	if (again) {
		finding(r->target_id, FINDING_DOUBLE_RELEASE, site, g.site, g.released_at, handle);
		return;
	}
	if (is_sampled(r)) /* it is not followed, or was never acquired: nobody knows */
		return;
	other = r->narrow ? 0 : pair_elsewhere(r->target_id, r->family, handle);
	if (other)
		finding(r->target_id, FINDING_WRONG_FAMILY, site, other, 0, handle);
	else if (r->whole && !is_any_sampled(r)) /* it may be another family's, which does not follow it */
		finding(r->target_id, FINDING_NEVER_ACQUIRED, site, 0, 0, handle);
	if (other)
		return;
	/* another reference may still be there, and one whose handle ended at once */
	if (r->operation != OP_UNREF && r->counts != COUNT_ALL)
		bury_unknown(tag, site);
}

static __always_inline void site_released(u32 acquired_at, struct func_counts *fc, bool moved)
{
	struct site_counts *sc = site_counts_of(acquired_at);

	if (sc)
		__sync_fetch_and_add(&sc->released, 1);
	if (moved)
		__sync_fetch_and_add(&fc->moved, 1);
	else
		__sync_fetch_and_add(&fc->handles, 1);
}

/* A live handle of which there are more. true: it stays live. */
static __always_inline bool pair_stays(const struct rule *r, struct func_counts *fc, u64 tag, bool all)
{
	u32 acquired_at = r->has_more ? pair_live(tag) : 0;
	struct pair_more *m = acquired_at ? more_of(tag, acquired_at, false) : NULL;
	struct pair_more_key key = {.tag = tag, .site = acquired_at};

	if (!m)
		return false;
	if (r->operation == OP_UNREF && !all && more_take(&m->refs))
		return true;
	if (more_take(&m->acquired)) {
		site_released(acquired_at, fc, r->operation == OP_REPLACE);
		return true;
	}
	bpf_map_delete_elem(&pair_mores, &key);
	return false;
}

/*
 * A call is given its argument, a handle; site: of the call, or 0; inside: it is made by a call of the same
 * family; PAIR_ALL: references to the handle end at once, and those who had one may yet say so;
 * PAIR_UNDER_WAY: the call may yet fail.
 * Sets old_site and old_tick, if it releases the handle. A global function: verified once.
 */
#define PAIR_ALL       (1U << 31)
#define PAIR_UNDER_WAY (1U << 30)
__noinline int pair_taken(struct rule *r, struct pair_call *c, u32 site, u32 inside,
			  struct bpf_user_pt_regs_t *regs)
{
	struct func_counts *fc = r ? counts_of(r) : NULL;
	struct pair_more *m;
	struct grave g = {0};
	u32 acquired_at;
	u64 tag, handle;

	if (!fc || !c)
		return 0;
	handle = c->argument;
	if (pair_is_null(r, handle)) {
		if (r->operation == OP_RELEASE || r->operation == OP_UNREF)
			__sync_fetch_and_add(&fc->nulls, 1);
		return 0;
	}
	tag = pair_tag(r->target_id, r->family, handle);
	if (handle >> HANDLE_BITS) {
		if (r->operation == OP_RELEASE || r->operation == OP_UNREF)
			__sync_fetch_and_add(&fc->unpaired, 1);
		return 0;
	}
	if (r->operation == OP_USE) {
		if (site && !pair_live(tag) && pair_grave(tag, &g) && g.released_at != RELEASE_UNDER_WAY)
			finding(r->target_id, FINDING_RELEASED_USE, site, g.site, g.released_at, handle);
		return 0;
	}
	if (r->operation == OP_REF) {
		acquired_at = pair_live(tag);
		m = acquired_at ? more_of(tag, acquired_at, true) : NULL;
		if (m)
			__sync_fetch_and_add(&m->refs, 1);
		return 0;
	}
	if (pair_stays(r, fc, tag, inside & PAIR_ALL))
		return 0;
	c->old_site = pair_take_when(tag, inside & PAIR_UNDER_WAY ? RELEASE_UNDER_WAY : site, &c->old_tick);
	if (inside & PAIR_ALL)
		pair_unbury(tag);
	if (c->old_site)
		site_released(c->old_site, fc, r->operation == OP_REPLACE);
	else if (!(inside & ~PAIR_UNDER_WAY) && !r->maybe)
		pair_unknown(r, fc, tag, handle, site, regs);
	return 0;
}

/*
 * May the call fail, and has nobody the handle anew before it returns? Then what it does is done on return:
 * the handle has more references than that, or nobody knows it, or another thread's release is under way. Not
 * what was released before, which is told at once.
 */
enum pair_later { PAIR_AT_ONCE, PAIR_LATER, PAIR_LATER_UNKNOWN };
static __always_inline u32 pair_waits(const struct rule *r, u64 handle)
{
	u64 tag = pair_tag(r->target_id, r->family, handle);
	u32 site = r->may_fail && !(handle >> HANDLE_BITS) ? pair_live(tag) : 0;
	struct pair_more *m = site && r->has_more ? more_of(tag, site, false) : NULL;
	struct grave g;

	if (!r->may_fail || pair_is_null(r, handle))
		return PAIR_AT_ONCE;
	if (site)
		return r->operation == OP_REF || (m && (m->refs || m->acquired)) ? PAIR_LATER : PAIR_AT_ONCE;
	if (!pair_grave(tag, &g))
		return PAIR_LATER_UNKNOWN;
	return g.released_at == RELEASE_UNDER_WAY ? PAIR_LATER : PAIR_AT_ONCE;
}

/* --- what a call gives --------------------------------------------------------------------------- */

/*
 * The handle is live already: a call inside this one has acquired it, and it is this one's; or its release
 * went unseen. How much is counted of the former's goes back.
 */
static __always_inline void pair_again(const struct rule *r, u32 before, bool from_inside)
{
	struct site *s = bpf_map_lookup_elem(&sites, &before);
	struct site_counts *sc = site_counts_of(before);
	struct func_counts *fc;
	u32 key;

	if (!s || !sc)
		return;
	key = r->target_id * nr_funcs + s->func;
	fc = bpf_map_lookup_elem(&func_counts, &key);
	if (!fc)
		return;
	if (from_inside) {
		__sync_fetch_and_add(&sc->acquired, -1);
		__sync_fetch_and_add(&fc->handles, -1);
	} else {
		__sync_fetch_and_add(&sc->unpaired, 1);
		__sync_fetch_and_add(&fc->replaced, 1);
		drop(r->target_id, DROP_RELEASE_MISSED);
	}
}

static __always_inline bool bucket_has(u32 index, u64 tag, u32 site)
{
	struct bucket *b = bpf_map_lookup_elem(&buckets, &index);

	if (!b)
		return false;
#pragma unroll
	for (u32 i = 0; i < JT_BUCKET_WAYS; i++)
		if (b->tag[i] == tag && b->site[i] == site)
			return true;
	return false;
}

/* Is the same handle live already, acquired at the same site? Then it is counted there. */
static __always_inline bool pair_counts(u64 tag, u32 site)
{
	struct pair_more *m;

	if (!bucket_has(bucket_first(tag), tag, site) && !bucket_has(bucket_second(tag), tag, site))
		return false;
	m = more_of(tag, site, true);
	if (m)
		__sync_fetch_and_add(&m->acquired, 1);
	return m != NULL;
}

/* One that is not followed. What is known of an earlier one of this handle is over. */
static __always_inline void pair_passed(const struct rule *r, u64 handle)
{
	u64 tag = pair_tag(r->target_id, r->family, handle);
	u32 before;

	if (count_only || handle >> HANDLE_BITS)
		return;
	before = pair_take(tag, 0);
	if (before)
		pair_again(r, before, false);
	pair_unbury(tag);
}

/*
 * One handle. amount: its size in bytes, where that is known, else with how many references it begins. A
 * global function: verified once. flags: its calls inside have acquired something; its release may go unseen;
 * above these, the call's level, and what it has drawn.
 */
#define PAIR_FROM_INSIDE 1
#define PAIR_UNSEEN      2
#define PAIR_LEVEL_SHIFT 2
#define PAIR_DRAW_SHIFT  (PAIR_LEVEL_SHIFT + SAMPLE_LEVEL_BITS)
_Static_assert(PAIR_DRAW_SHIFT + SAMPLE_DRAW_BITS == 32, "no bit is lost");
_Static_assert(JT_SAMPLE_LEVELS <= 1 << SAMPLE_LEVEL_BITS, "likewise");
__noinline int pair_acquired(struct rule *r, u64 handle, u32 site, u64 amount, u32 flags)
{
	struct func_counts *fc = r ? counts_of(r) : NULL;
	struct site_counts *sc = site_counts_of(site);
	struct pair_more *m;
	u32 before;
	u64 tag;

	if (!fc)
		return 0;
	if (is_sampled(r) && !sample_has(handle, flags >> PAIR_DRAW_SHIFT, flags >> PAIR_LEVEL_SHIFT)) {
		pair_passed(r, handle);
		return 0;
	}
	__sync_fetch_and_add(&fc->handles, 1);
	if (sc)
		__sync_fetch_and_add(&sc->acquired, 1);
	if (count_only)
		return 0;
	tag = pair_tag(r->target_id, r->family, handle);
	if (handle >> HANDLE_BITS) {
		drop(r->target_id, DROP_HANDLE_RANGE);
		goto unpaired;
	}
	if (r->counted && pair_counts(tag, site))
		return 0;
	if (!r->counted) {
		before = pair_take(tag, 0);
		if (before)
			pair_again(r, before, flags & PAIR_FROM_INSIDE);
	}
	pair_unbury(tag);
	if (flags & PAIR_UNSEEN) {
		drop(r->target_id, DROP_FINALIZER_UNSEEN);
		goto unpaired;
	}
	if (site && !pair_put(tag, site)) {
		m = amount > !is_sized(r) ? more_of(tag, site, true) : NULL;
		if (m && is_sized(r))
			m->bytes = amount;
		else if (m)
			__sync_fetch_and_add(&m->refs, (u32)amount - 1);
		return 0;
	}
	drop(r->target_id, DROP_REFS_FULL);
unpaired:
	if (sc)
		__sync_fetch_and_add(&sc->unpaired, 1);
	__sync_fetch_and_add(&fc->unpaired, 1);
	return 0;
}

/* Of what may be live again, or is to be replaced: its size, which goes with it. */
static __always_inline u64 pair_bytes(const struct rule *r, u64 handle)
{
	u64 tag = pair_tag(r->target_id, r->family, handle);
	u32 site =
	    (is_sized(r) || (r->may_fail && r->has_more)) && !(handle >> HANDLE_BITS) ? pair_live(tag) : 0;
	struct pair_more *m = site ? more_of(tag, site, false) : NULL;

	return m ? m->bytes : 0;
}

/* Has another thread released what this release was given, or has it anew? One that may be live more than
 * once is taken for what it was. */
static __always_inline bool pair_is_over(const struct rule *r, u64 tag)
{
	struct grave g;

	return r->may_fail && !r->has_more &&
	       (pair_live(tag) || (pair_grave(tag, &g) && g.released_at != RELEASE_UNDER_WAY));
}

/*
 * The call has acquired nothing, or not released what it was given. That stays, as old as it is, as what it
 * was to replace does, unless by nothing: realloc(p, 0) frees.
 */
static __always_inline void pair_failed(const struct rule *r, const struct pair_call *c)
{
	struct func_counts *fc = counts_of(r);
	struct site_counts *sc = site_counts_of(c->old_site);
	u64 tag = pair_tag(r->target_id, r->family, c->argument);
	struct pair_more *more;

	if (!fc)
		return;
	if (r->operation == OP_ACQUIRE)
		__sync_fetch_and_add(&fc->nulls, 1);
	if (!c->old_site || !sc || (is_sized(r) && !c->count) || pair_is_over(r, tag))
		return;
	__sync_fetch_and_add(&sc->released, -1);
	__sync_fetch_and_add(r->operation == OP_REPLACE ? &fc->moved : &fc->handles, -1);
	pair_unbury(tag);
	if (!pair_put_when(tag, c->old_site, c->old_tick)) {
		more = c->old_bytes ? more_of(tag, c->old_site, true) : NULL;
		if (more)
			more->bytes = c->old_bytes;
		return;
	}
	drop(r->target_id, DROP_REFS_FULL);
	__sync_fetch_and_add(&sc->unpaired, 1);
	__sync_fetch_and_add(&fc->unpaired, 1);
}

/* What it has given is the affair of the call around it. */
static __always_inline bool pair_is_owned(u32 inside)
{
	struct pair_thread *t = inside ? pair_thread_of(false) : NULL;

	return t && t->call[(inside - 1) & (PAIR_NESTING - 1)].owns;
}

/* Tell the call around it. */
static __always_inline void pair_tell_outer(u32 inside)
{
	struct pair_thread *t = inside ? pair_thread_of(false) : NULL;

	if (t)
		t->call[(inside - 1) & (PAIR_NESTING - 1)].has_inner = 1;
}

/* A handle in the target's memory. false: there is none. */
static __always_inline bool pair_read(const struct rule *r, u64 at, u64 *handle)
{
	u32 narrow = 0;

	*handle = 0;
	if (!at) /* the caller does not want it */
		return false;
	if (r->narrow ? bpf_probe_read_user(&narrow, sizeof(narrow), (void *)at)
		      : bpf_probe_read_user(handle, sizeof(*handle), (void *)at)) {
		drop(r->target_id, DROP_HANDLE_UNREAD);
		return false;
	}
	if (r->narrow)
		*handle = narrow;
	return !pair_is_null(r, *handle);
}

/*
 * One handle that lies in the target's memory. 0: there is none. A global function, as it is verified once:
 * 1,024 of an array would take most of what a program may.
 */
__noinline int pair_acquired_at(struct rule *r, u64 at, u32 site, u64 amount, u32 flags)
{
	u64 handle;

	if (!r || !pair_read(r, at, &handle))
		return 0;
	pair_acquired(r, handle, site, amount, flags);
	return 1;
}

/* May what a call gives be followed? If not, who called does not matter. A call may give several. */
static __always_inline bool pair_follows(const struct rule *r, const struct pair_call *c)
{
	u64 handle = r->by_argument ? c->argument : c->result;

	if (!is_sampled(r) || r->form != HANDLE_ITSELF)
		return true;
	return sample_has(r->narrow ? (u32)handle : handle, c->draw, c->level);
}

/* It has succeeded, and what its entry could not do is done. */
static __always_inline void pair_given_back(struct pt_regs *ctx, struct rule *r, struct pair_call *c)
{
	u64 handle = c->argument;

	if (r->form == HANDLE_ITSELF && !c->later) {
		if (c->old_site)
			pair_released(pair_tag(r->target_id, r->family, handle), c->site);
		return;
	}
	if (r->form != HANDLE_ITSELF && !pair_read(r, c->argument, &handle))
		return;
	c->argument = handle;
	if (c->later == PAIR_LATER_UNKNOWN && pair_live(pair_tag(r->target_id, r->family, handle))) {
		struct func_counts *fc = counts_of(r);

		if (fc) /* another thread has been given the handle meanwhile */
			__sync_fetch_and_add(&fc->unpaired, 1);
		return;
	}
	pair_taken(r, c, pair_wants_site(r, c, c->inside) ? site_of((void *)ctx, r) : 0, c->inside,
		   (void *)ctx);
}

/* The call has succeeded. */
static __always_inline void pair_given(struct rule *r, const struct pair_call *c)
{
	struct func_counts *fc = counts_of(r);
	u32 flags = (c->has_inner ? PAIR_FROM_INSIDE : 0) | (u32)c->level << PAIR_LEVEL_SHIFT |
		    c->draw << PAIR_DRAW_SHIFT,
	    n = 1, bytes = r->narrow ? 4 : 8;
	u64 handle = r->narrow ? (u32)c->result : c->result;
	u64 amount = is_sized(r) || r->operation == OP_ACQUIRE ? c->count : 1;

	if (!fc)
		return;
	pair_tell_outer(c->inside);
	if (r->counts == COUNT_NEEDED) {
		amount = 1;
		if (!c->count) {
			__sync_fetch_and_add(&fc->nulls, 1);
			return;
		}
	}
	if (r->by_finalizer) {
		if (is_no_finalizer(c->finalizer)) { /* nobody will release it */
			__sync_fetch_and_add(&fc->nulls, 1);
			return;
		}
		if (!finalizer_is_probed(r, c->finalizer))
			flags |= PAIR_UNSEEN;
	}
	if (r->form == HANDLE_ITSELF) {
		if (r->by_argument)
			handle = c->argument;
		if (pair_is_null(r, handle))
			__sync_fetch_and_add(&fc->nulls, 1);
		else
			pair_acquired(r, handle, c->site, amount, flags);
		return;
	}
	if (r->form == HANDLE_ARRAY) {
		n = c->count;
		amount = 1;
	}
	if (n > PAIR_ARRAY)
		drop(r->target_id, DROP_REFS_FULL);
	for (u32 i = 0; i < PAIR_ARRAY; i++) {
		if (i >= n)
			break;
		if (!pair_acquired_at(r, c->argument + i * bytes, c->site, amount, flags) && n == 1)
			__sync_fetch_and_add(&fc->nulls, 1);
	}
}

#endif
