/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a call of the families string, array and critical does to the pins (pins.bpf.h) and to the counts. */
#ifndef JNITRACE_PIN_CALLS_BPF_H
#define JNITRACE_PIN_CALLS_BPF_H

#include "books/pins.bpf.h"
#include "books/refs.bpf.h"

/*
 * The pointer of a pin is handed out again. That of a copy is the allocator's: if it gives the memory away
 * although no Release was called for it, somebody else has freed it. (JDK: prims/jni.cpp allocates and frees
 * it in these functions only.)
 */
static __always_inline void pin_replaced(const struct rule *r, const struct call *c,
					 const struct replaced_pin *was)
{
	struct site_counts *before = site_counts_of(was->site);

	if (was->copy == PIN_DIRECT)
		drop(r->target_id, DROP_RELEASE_MISSED);
	else
		finding(r->target_id, FINDING_WRONG_DEALLOCATOR, 0, was->site, 0, c->handle);
	__sync_fetch_and_add(&c->fc->replaced, 1);
	if (before)
		__sync_fetch_and_add(&before->unpaired, 1);
}

/* It is in the store, or counted as not. */
static __always_inline void pin_keep(const struct rule *r, const struct call *c, struct pin *p,
				     struct site_counts *sc)
{
	struct pin_key key = {.tag = c->tag, .owner = pin_owner(r, c->handle, p)};
	struct replaced_pin replaced;
	u32 outer = 0;

	pin_unbury(&key);
	p->tick = now_tick();
	p->start_ns = bpf_ktime_get_ns(); /* as late as can be: from here on it is held */
	if (p->site && !(c->handle >> HANDLE_BITS) && !pin_put(&key, p, &replaced)) {
		if (r->family == FAMILY_CRITICAL)
			outer = critical_enter(r->target_id, p->site, p->start_ns);
		if (outer)
			pin_count_nested(p->site, outer);
		if (replaced.site)
			pin_replaced(r, c, &replaced);
		return;
	}
	drop(r->target_id, c->handle >> HANDLE_BITS ? DROP_HANDLE_RANGE : DROP_PINS_FULL);
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
	p.is_shared = r->is_shared;
	pin_describe(r, c.handle, &got->begun, &p);
	stats = pin_stats_of(p.site);
	if (stats)
		pin_count_copy(stats, p.copy);
	pin_keep(r, &c, &p, sc);
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
		u->wrong = p ? pin_judge(ctx, r, p, u->pointer, key.owner != JT_PIN_NOBODY)
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
	if (r->family == FAMILY_CRITICAL && critical_leave(r->target_id, u->now, &section))
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

#endif
