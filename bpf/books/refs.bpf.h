/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a call of the families of references does to the store (pairs.bpf.h), to the counts and findings. */
#ifndef JNITRACE_REFS_BPF_H
#define JNITRACE_REFS_BPF_H

#include "books/critical.bpf.h"
#include "books/misuse.bpf.h"
#include "books/pairs.bpf.h"
#include "books/rule.bpf.h"
#include "books/sites.bpf.h"
#include "books/spending.bpf.h"
#include "walk/arch.bpf.h"

/*
 * The handle was live in our books although the VM hands it out anew: a local reference has died with its
 * native frame, which nothing tells; of any other the release went unseen.
 */
static __always_inline void forget_stale(u32 target_id, u64 tag)
{
	u32 site = pair_take(tag, 0), key;
	struct site_counts *sc = site_counts_of(site);
	struct site *s = bpf_map_lookup_elem(&sites, &site);
	struct func_counts *fc;

	if (!site || !sc || !s || !s->func)
		return;
	key = target_id * nr_funcs + s->func;
	fc = bpf_map_lookup_elem(&func_counts, &key);
	if (fc)
		__sync_fetch_and_add(&fc->replaced, 1);
	if (s->family == FAMILY_LOCAL) {
		__sync_fetch_and_add(&sc->died, 1);
	} else {
		__sync_fetch_and_add(&sc->unpaired, 1);
		drop(target_id, DROP_RELEASE_MISSED);
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
	count_call(r, &c->fc->calls);
	if (loc_read(ctx, &r->handle, &handle)) {
		drop(r->target_id, DROP_HANDLE_UNREAD);
		__sync_fetch_and_add(&c->fc->unpaired, 1);
		return false;
	}
	barrier_var(handle); /* to the verifier the same, wherever it was */
	c->handle = handle;
	if (!c->handle) {
		__sync_fetch_and_add(&c->fc->nulls, 1);
		return false;
	}
	c->tag = ref_tag(r->target_id, c->handle);
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
		drop(r->target_id, DROP_HANDLE_RANGE);
	} else {
		forget_stale(r->target_id, c->tag);
		if (site && !pair_put(c->tag, site))
			return;
		drop(r->target_id, DROP_REFS_FULL);
		pair_unbury(c->tag);
	}
	__sync_fetch_and_add(&sc->unpaired, 1);
	__sync_fetch_and_add(&c->fc->unpaired, 1);
}

/*
 * A method that returns no object was called by a function that returns one: what that returns is whatever is
 * there (JDK: prims/jni.cpp, jni_invoke_static() makes a handle of objects only). No slot is there.
 */
static __always_inline bool is_no_reference(const struct rule *r, u64 handle)
{
	u64 slot;

	return r->never_bits && (handle & r->never_bits || handle >> HANDLE_BITS ||
				 bpf_probe_read_user(&slot, sizeof(slot), (void *)handle));
}

/* It has acquired nothing. */
static __always_inline void no_reference(const struct rule *r, const struct call *c, u32 site)
{
	__sync_fetch_and_add(&c->fc->nulls, 1);
	finding(r->target_id, FINDING_WRONG_RETURN_TYPE, site, 0, 0, c->handle);
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
	if (is_double_delete(r, c->env, c->tag, c->handle))
		double_delete(r, c->tag, c->handle, site);
	else
		bury_unknown(c->tag, site);
}

/*
 * JDK 8 has one way to delete: a reference that was given to the function for another kind is gone, and its
 * slot used again. Elsewhere it stays. A global function: verified once.
 */
__noinline int released_anyhow(u32 target_id, u64 handle, u32 released_at)
{
	const struct thread_config *c = bpf_map_lookup_elem(&thread_configs, &target_id);
	struct site_counts *sc;
	u32 acquired_at;

	if (!c || !c->deleted_at || handle >> HANDLE_BITS)
		return 0;
	acquired_at = pair_take(ref_tag(target_id, handle), released_at);
	sc = acquired_at ? site_counts_of(acquired_at) : NULL;
	if (sc)
		__sync_fetch_and_add(&sc->released, 1);
	return 0;
}

static __always_inline void mismatch(const struct rule *r, const struct call *c, u32 site)
{
	__sync_fetch_and_add(&c->fc->unpaired, 1);
	finding(r->target_id, FINDING_KIND_MISMATCH, site, pair_site(c->tag), 0, c->handle);
	released_anyhow(r->target_id, c->handle, site);
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
	if (is_double_delete(r, c->env, c->tag, c->handle) || is_misplaced(r, c->env, c->handle))
		return 0;
	release_unpaired(r, c, 0);
	return 1;
}

static __always_inline int call_end(const struct rule *r, struct call *c, u32 site)
{
	u32 inside = critical_site();

	if (inside && !is_used(r))
		finding(r->target_id, FINDING_CALL_IN_CRITICAL, site, inside, 0, c->handle);
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

#endif
