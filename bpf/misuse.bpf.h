/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * References used wrongly. The slot a handle points to is the VM's own evidence: DeleteGlobalRef stores null
 * there (JDK: runtime/jniHandles.cpp, destroy_global), and no live global reference is null. So neither a
 * handle that was handed out again nor one from before attach can be taken for a deleted one.
 */
#ifndef JNITRACE_MISUSE_BPF_H
#define JNITRACE_MISUSE_BPF_H

#include "findings.bpf.h"
#include "pairs.bpf.h"

/* HotSpot marks the kind of a handle in its lowest bits (JDK: runtime/jniHandles.hpp). */
#define HANDLE_TAG_BITS 7ULL
/* Generational ZGC's null has a colour, in 16 bits (JDK: gc/z/zAddress.hpp). No object is down there. */
#define NULL_BITS 16

static __always_inline bool slot_is_null(u64 handle)
{
	u64 oop;

	return !bpf_probe_read_user(&oop, sizeof(oop), (void *)(handle & ~HANDLE_TAG_BITS)) &&
	       !(oop >> NULL_BITS);
}

static const u8 family_of[NR_FUNCS] = {
#define JNI_FUNC(name, table, slot, family, operation, handle) [FUNC_##name] = FAMILY_##family,
#include "jni_funcs.def"
#undef JNI_FUNC
};

static __always_inline int family_of_site(u32 number)
{
	struct site *s = bpf_map_lookup_elem(&sites, &number);

	return number && s && s->func < NR_FUNCS ? family_of[s->func] : FAMILY_NONE;
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
 * Is this a local reference of a native call that has ended? The thread's own blocks of handles tell: each
 * call begins to fill them anew, so what lies in them above their top is of an earlier one (JDK:
 * runtime/jniHandles.cpp, JNIHandleBlock). Behind an empty first block nothing is valid.
 */
#define MAX_BLOCKS  8
#define BLOCK_SLOTS 32
static __always_inline bool local_is_over(const struct java_config *j, u64 env, u64 handle)
{
	bool empty = false;
	u64 block = 0;

	if (!j || !j->blocks_from_env)
		return false;
	bpf_probe_read_user(&block, sizeof(block), (void *)(env + (s64)j->blocks_from_env));
	for (int i = 0; i < MAX_BLOCKS && block; i++) {
		u64 at = handle - block - j->block_slots;
		u32 top = 0;

		if (bpf_probe_read_user(&top, sizeof(top), (void *)(block + j->block_top)))
			return false;
		empty |= i == 0 && top == 0;
		if (at < BLOCK_SLOTS * sizeof(u64))
			return empty || at / sizeof(u64) >= top;
		if (bpf_probe_read_user(&block, sizeof(block), (void *)(block + j->block_next)))
			return false;
	}
	return false;
}

/*
 * What is wrong with a reference that a function is given; NR_FINDINGS: nothing that can be proven. The slot
 * of a strong reference is never null while it lives; that of a weak one is when its object was collected.
 */
static __always_inline enum finding_kind misuse(const struct rule *r, const struct java_config *j, u64 env,
						u64 tag, u64 handle)
{
	struct grave g;

	if (r->func == FUNC_USE_DeleteLocalRef && is_mismatch(r, tag, handle))
		return FINDING_KIND_MISMATCH;
	if (!r->weak_bit)
		return NR_FINDINGS;
	if (!(handle & HANDLE_TAG_BITS) && local_is_over(j, env, handle))
		return FINDING_STALE_USE;
	if (!slot_is_null(handle))
		return NR_FINDINGS;
	if (!(handle & r->weak_bit))
		return FINDING_STALE_USE;
	/* one that lives may lie in another place than an earlier one of this handle has left */
	return !pair_site(tag) && pair_grave(tag, &g) ? FINDING_STALE_USE : NR_FINDINGS;
}

static __always_inline void count_use(const struct rule *r)
{
	u32 key = r->slot * NR_USE_FUNCS + r->func - NR_FUNCS - 1;
	u64 *calls = bpf_map_lookup_elem(&use_counts, &key);

	if (calls)
		__sync_fetch_and_add(calls, 1);
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

	if (!site || !s || s->suspect)
		return;
	s->suspect = 1;
	__sync_fetch_and_add(&suspects, 1);
}

/*
 * Was this reference, which is not live in our books, deleted before? What a weak one refers to may have been
 * collected, which makes its slot null as well: there only a release that was seen is proof.
 */
static __always_inline bool is_double_delete(const struct rule *r, u64 tag, u64 handle)
{
	struct grave g;

	if (r->func != FUNC_DeleteGlobalRef && r->func != FUNC_DeleteWeakGlobalRef)
		return false;
	return slot_is_null(handle) && (r->func == FUNC_DeleteGlobalRef || pair_grave(tag, &g));
}

static __always_inline void double_delete(const struct rule *r, u64 tag, u64 handle, u32 site)
{
	struct grave g = {0};

	pair_grave(tag, &g);
	finding(r->slot, FINDING_DOUBLE_DELETE, site, g.site, g.released_at, handle);
	suspect(g.site);
}

/* A reference was released whose acquisition was not seen. It may be released again. */
static __always_inline void bury_unknown(u64 tag, u32 released_at)
{
	pair_unbury(tag); /* what is known of an earlier one of this handle */
	pair_bury(tag, released_at);
}

#endif
