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
