/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * References used wrongly. The slot a handle points to is the VM's own evidence: DeleteGlobalRef stores null
 * there (JDK: runtime/jniHandles.cpp, destroy_global), and no live global reference is null. So neither a
 * handle that was handed out again nor one from before attach can be taken for a deleted one. JDK 8 stores an
 * object that stands for what was deleted (JNIHandles::_deleted_handle), and later the address of another
 * free slot; there null is that of a weak reference whose object was collected, or the end of that list.
 */
#ifndef JNITRACE_MISUSE_BPF_H
#define JNITRACE_MISUSE_BPF_H

#include "books/envs.bpf.h"
#include "books/findings.bpf.h"
#include "books/handles.bpf.h"
#include "books/indirect.bpf.h"
#include "books/pairs.bpf.h"
#include "books/spending.bpf.h"

/* Generational ZGC's null has a colour, in 16 bits (JDK: gc/z/zAddress.hpp). No object is down there. */
#define NULL_BITS 16

/* Between two of these that are equal, and do not say so, no collection has moved an object. */
static __always_inline u64 collections(const struct thread_config *c)
{
	u8 now = 1;
	u32 n = 0;

	if (bpf_probe_read_user(&now, sizeof(now), (void *)c->collecting_at) || now ||
	    bpf_probe_read_user(&n, sizeof(n), (void *)c->collected_at))
		return ~0ULL;
	return n;
}

/* What the slot of a handle holds. A global function: verified once. */
__noinline int slot_of(u32 target_id, u64 handle)
{
	const struct thread_config *c = bpf_map_lookup_elem(&thread_configs, &target_id);
	u64 oop = 0, deleted = 0, before = 0;
	bool marks = c && c->deleted_at;

	if (marks)
		before = collections(c);
	if (bpf_probe_read_user(&oop, sizeof(oop), (void *)(handle & ~HANDLE_TAG_BITS)))
		return SLOT_UNKNOWN;
	if (!(oop >> NULL_BITS))
		return SLOT_NULL;
	if (!marks)
		return SLOT_OBJECT;
	if (oop - c->heap_start >= c->heap_bytes)
		return SLOT_DELETED;
	if (bpf_probe_read_user(&deleted, sizeof(deleted), (void *)c->deleted_at) || before == ~0ULL ||
	    collections(c) != before)
		return SLOT_UNKNOWN;
	return oop == deleted ? SLOT_DELETED : SLOT_OBJECT;
}

static __always_inline int family_of_site(u32 number)
{
	struct site *s = bpf_map_lookup_elem(&sites, &number);

	return number && s && s->func ? s->family : FAMILY_NONE;
}

/*
 * Does this release get a reference of another kind? Its lowest bits say so, or, where they do not tell
 * global ones from local ones, what acquired it.
 */
static __always_inline bool is_mismatch(const struct rule *r, u64 tag, u64 handle)
{
	int family, wanted = r->operation == OP_USE ? FAMILY_LOCAL : r->family;

	if ((handle & r->kind_mask) != r->kind_bits)
		return true;
	if (!r->by_books || handle >> HANDLE_BITS)
		return false;
	family = family_of_site(pair_site(tag));
	return family != FAMILY_NONE && family != wanted;
}

/*
 * The same where neither those bits nor the books tell: where does it lie? Only what is found in the table,
 * or in the blocks, of the other kind is of that kind.
 */
__noinline int is_misplaced(const struct rule *r, u64 env, u64 handle)
{
	struct local_frame f = {0};
	const struct thread_config *c;
	u32 target_id;
	int place;

	if (!r || !r->by_place || handle & HANDLE_TAG_BITS || handle >> HANDLE_BITS)
		return 0;
	target_id = r->target_id;
	c = bpf_map_lookup_elem(&thread_configs, &target_id);
	place = local_frame_read(c, env, &f) ? PLACE_ELSEWHERE : frame_place(target_id, &f, handle);
	if (r->family == FAMILY_GLOBAL)
		return place != PLACE_ELSEWHERE;
	if (place != PLACE_ELSEWHERE)
		return 0;
	return storage_entry(target_id, STORAGE_GLOBAL, handle) == ENTRY_IN_USE ||
	       ((by_frame || checking) && slot_of(target_id, handle) == SLOT_OBJECT &&
		is_in_chain(target_id, handle));
}

/* A call that is looked at, and by whom. */
struct use {
	u64 env, sp;
	u32 has_frame;
	u32 whose; /* enum whose, the JNIEnv */
	struct local_frame frame;
};

/* env and sp are set. */
__noinline int use_begin(const struct rule *r, struct use *u)
{
	const struct thread_config *c;
	u32 target_id;

	if (!r || !u)
		return 0;
	target_id = r->target_id;
	c = bpf_map_lookup_elem(&thread_configs, &target_id);
	if (!c) {
		thread_env_keep(u->env);
		return 0;
	}
	u->has_frame = !local_frame_read(c, u->env, &u->frame);
	u->whose = env_whose(target_id, u->env, u->has_frame);
	if (u->whose == ENV_OTHERS)
		return 0;
	if (u->has_frame)
		owner_seen(c, target_id, u->env, u->sp, &u->frame);
	if (u->whose == ENV_OWN)
		env_own(target_id, u->env);
	else
		thread_env_keep(u->env);
	return 0;
}

/* A weak reference whose slot is null: was it deleted, or its object collected? */
static __always_inline enum finding_kind null_weak(const struct rule *r, u64 tag, u64 handle,
						   bool may_be_null)
{
	int entry = storage_entry(r->target_id, STORAGE_WEAK, handle);
	struct grave g;

	if (entry == ENTRY_FREE)
		return FINDING_STALE_USE;
	/* one that lives may lie in another place than an earlier one of this handle has left */
	if (entry == ENTRY_NONE && !pair_site(tag) && pair_grave(tag, &g))
		return FINDING_STALE_USE;
	return may_be_null ? NR_FINDINGS : FINDING_CLEARED_WEAK;
}

/*
 * What is wrong with a reference that a function is given; NR_FINDINGS: nothing that can be proven. The slot
 * of a strong reference is never null while it lives; that of a weak one is when its object was collected.
 */
__noinline int misuse(const struct rule *r, const struct use *u, u64 handle, u32 may_be_null)
{
	u64 tag;
	int place, owner, slot;

	if (!r || !u)
		return NR_FINDINGS;
	tag = ref_tag(r->target_id, handle);
	if (r->func == FUNC_USE_DeleteLocalRef &&
	    (is_mismatch(r, tag, handle) || is_misplaced(r, u->env, handle)))
		return FINDING_KIND_MISMATCH;
	if (is_indirect(r->target_id)) {
		if (indirect_slot(r->target_id, u->env, handle) != SLOT_DELETED)
			return NR_FINDINGS;
		if (r->func != FUNC_USE_DeleteLocalRef)
			return FINDING_STALE_USE;
		return by_frame ? NR_FINDINGS : FINDING_DOUBLE_DELETE; /* its release tells */
	}
	slot = slot_of(r->target_id, handle);
	if (!r->weak_bit) /* before 8u200: which are weak is not known, and the collector clears none but
			     those */
		return u->has_frame && !may_be_null && slot == SLOT_NULL ? FINDING_CLEARED_WEAK : NR_FINDINGS;
	if (handle & r->weak_bit) {
		if (slot == SLOT_DELETED)
			return FINDING_STALE_USE;
		if (slot == SLOT_NULL)
			return null_weak(r, tag, handle, may_be_null);
		return may_be_null ? NR_FINDINGS : FINDING_WEAK_AS_STRONG;
	}
	if (!(handle & HANDLE_TAG_BITS)) {
		place = u->has_frame ? frame_place(r->target_id, &u->frame, handle) : PLACE_ELSEWHERE;
		if (place == PLACE_OVER || (place == PLACE_ELSEWHERE && u->has_frame &&
					    is_in_free_block(r->target_id, u->env, handle)))
			return FINDING_STALE_USE;
		owner =
		    place == PLACE_IN_USE ? NOT_FOREIGN : foreign_local(r->target_id, u->env, u->sp, handle);
		if (owner != NOT_FOREIGN)
			return owner == FOREIGN_THREAD ? FINDING_FOREIGN_LOCAL : FINDING_STALE_USE;
	}
	return slot >= SLOT_NULL ? FINDING_STALE_USE : NR_FINDINGS;
}

static __always_inline void count_use(const struct rule *r)
{
	u32 key = r->target_id * NR_USE_FUNCS + r->func - NR_FUNCS;
	u64 *calls = bpf_map_lookup_elem(&use_counts, &key);

	if (calls)
		count_call(r, calls);
}

/* site: of the call. */
static __always_inline void use_told(const struct rule *r, u32 kind, u64 handle, u32 site)
{
	u64 tag = ref_tag(r->target_id, handle);
	struct grave g = {.site = pair_site(tag)};

	if (!g.site)
		pair_grave(tag, &g);
	finding(r->target_id, kind, site, g.site, g.released_at, handle);
}

/* site: of the call, 0 where nothing is to be told; inside: of the critical section around it. Likewise. */
__noinline int use_tell(const struct rule *r, const struct use_verdict *v, u32 site, u32 inside)
{
	if (!r || !v)
		return 0;
	if (v->kind != NR_FINDINGS)
		use_told(r, v->kind, v->handle, site);
	if (inside)
		finding(r->target_id, FINDING_CALL_IN_CRITICAL, site, inside, 0, v->handle);
	if (v->pending)
		pending_exception(r, v->last_key, site);
	if (v->kept)
		call_keep(r, v, site);
	return 0;
}

/* Is it worth a walk to know where this reference is released, before it is released a second time? */
static __always_inline bool release_is_watched(u64 tag)
{
	u32 site;
	struct site *s;

	if (checking)
		return true;
	if (!*(volatile u32 *)&suspects)
		return false;
	site = pair_site(tag);
	s = bpf_map_lookup_elem(&sites, &site);
	return site && s && s->suspect;
}

static __always_inline void suspect(u32 site)
{
	struct site *s = bpf_map_lookup_elem(&sites, &site);

	if (site && s && !(__sync_fetch_and_or(&s->word, SITE_SUSPECT) & SITE_SUSPECT))
		__sync_fetch_and_add(&suspects, 1);
}

/*
 * Was this reference, which is not live in our books, deleted before? What a weak one refers to may have been
 * collected, which makes its slot null as well: there only a release that was seen is proof.
 */
static __always_inline bool is_double_delete(const struct rule *r, u64 env, u64 tag, u64 handle)
{
	struct grave g;
	int slot;

	if (is_indirect(r->target_id))
		return indirect_slot(r->target_id, env, handle) == SLOT_DELETED;
	if (r->func != FUNC_DeleteGlobalRef && r->func != FUNC_DeleteWeakGlobalRef)
		return false;
	slot = slot_of(r->target_id, handle);
	return slot == SLOT_DELETED ||
	       (slot == SLOT_NULL && (r->func == FUNC_DeleteGlobalRef || pair_grave(tag, &g)));
}

static __always_inline void double_delete(const struct rule *r, u64 tag, u64 handle, u32 site)
{
	struct grave g = {0};

	pair_grave(tag, &g);
	finding(r->target_id, FINDING_DOUBLE_DELETE, site, g.site, g.released_at, handle);
	suspect(g.site);
}

/* A reference was released whose acquisition was not seen. It may be released again. */
static __always_inline void bury_unknown(u64 tag, u32 released_at)
{
	pair_unbury(tag); /* what is known of an earlier one of this handle */
	pair_bury(tag, released_at);
}

#endif
