/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What was released, for the case that it is released again. A place for each pointer, by its hash, and the
 * last one released has it. Written and read by all CPUs without a lock: what is half one's and half
 * another's is known by its check.
 */
#ifndef JNITRACE_PIN_GRAVES_BPF_H
#define JNITRACE_PIN_GRAVES_BPF_H

#include "border/pins.h"
#include "maps.bpf.h"

MAP_ARRAY(pin_graves, BPF_MAP_TYPE_ARRAY, JT_PIN_GRAVES, struct pin_grave);

static __always_inline u64 pin_grave_key(u64 tag, u32 owner)
{
	return owner ? mix(tag ^ mix(owner)) : tag;
}

static __always_inline u64 pin_grave_check(const struct pin_grave *g)
{
	return mix(g->key + mix((u64)g->site << 32 | g->released_at));
}

static __always_inline struct pin_grave *pin_grave_of(u64 key)
{
	u32 at = mix(key) & (JT_PIN_GRAVES - 1);

	return bpf_map_lookup_elem(&pin_graves, &at);
}

static __always_inline void pin_bury(const struct pin_key *k, u32 site, u32 released_at)
{
	struct pin_grave g = {
	    .key = pin_grave_key(k->tag, k->owner), .site = site, .released_at = released_at};
	struct pin_grave *place = pin_grave_of(g.key);

	g.check = pin_grave_check(&g);
	if (place)
		*place = g;
}

/* The pointer was got again: what was released of it is no more of interest. */
static __always_inline void pin_unbury(const struct pin_key *k)
{
	u64 key = pin_grave_key(k->tag, k->owner);
	struct pin_grave *place = pin_grave_of(key);

	if (place)
		__sync_val_compare_and_swap(&place->key, key, 0); /* not another's, that is just written */
}

static __always_inline bool pin_grave(u64 tag, u32 owner, struct pin_grave *out)
{
	u64 key = pin_grave_key(tag, owner);
	struct pin_grave *place = pin_grave_of(key);

	if (!place)
		return false;
	*out = *place;
	if (out->key == key && out->check == pin_grave_check(out))
		return true;
	out->site = out->released_at = 0;
	return false;
}

#endif
