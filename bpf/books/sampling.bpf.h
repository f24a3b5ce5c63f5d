/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * --sample N, and --budget: of the families that are sampled, one of N handles is followed, from its
 * acquisition to its release. Calls are counted all the same, and what has failed.
 *
 * Each acquisition is decided anew, at random. A hash of the handle alone would decide for all who get it: an
 * allocator gives out few addresses, and one site's may all be left out. The decision is a hash of the handle
 * and of a number drawn at the outermost call, so that the calls inside decide on the same handle alike, and
 * on others of it independently. A release needs none: it finds the handle in the store, or it is none of
 * those that are followed.
 *
 * N is that of the outermost call's entry. It may change while the target is traced (struct level_key), for
 * calls to come: a release needs no N either.
 */
#ifndef JNITRACE_SAMPLING_BPF_H
#define JNITRACE_SAMPLING_BPF_H

#include "books/sites.bpf.h"
#include "maps.bpf.h"

#define SAMPLE_DRAW_BITS  27 /* of a number that is drawn */
#define SAMPLE_LEVEL_BITS 3

static __always_inline bool has_unfollowed(u32 target_id)
{
	return sample_n > 1 || *(volatile u8 *)&sample_begun[target_id & (JT_MAX_TARGETS - 1)];
}

/* May there be handles of this family that are not followed? */
static __always_inline bool is_sampled(const struct rule *r)
{
	return sampled_families >> (r->family & 31) & 1 && has_unfollowed(r->target_id);
}

static __always_inline bool is_any_sampled(const struct rule *r)
{
	return sampled_families && has_unfollowed(r->target_id);
}

static __always_inline u32 sample_draw(void)
{
	return bpf_get_prandom_u32() >> (32 - SAMPLE_DRAW_BITS);
}

static __always_inline u32 sample_level_of(u32 target_id)
{
	return *(volatile u8 *)&sample_level[target_id & (JT_MAX_TARGETS - 1)];
}

/* Is this one followed? By the upper bits of the hash: as good as one of N, whatever N. */
static __always_inline bool sample_has(u64 handle, u32 draw, u32 level)
{
	u64 n = (u64)sample_n << (level & ((1 << SAMPLE_LEVEL_BITS) - 1));

	return (mix(handle ^ (u64)draw << (64 - SAMPLE_DRAW_BITS)) >> 32) * n >> 32 == 0;
}

/* Something is acquired at a site at this level for the first time: a site of its own. 0: no room. */
static __noinline u32 level_site_new(const struct level_key *key)
{
	u32 id = site_number(max_stacks), from = key->site;
	struct site *s = bpf_map_lookup_elem(&sites, &id), *of = bpf_map_lookup_elem(&sites, &from);
	struct site_thread *t = bpf_map_lookup_elem(&site_threads, &id),
			   *whose = bpf_map_lookup_elem(&site_threads, &from);

	if (!id || !s || !of)
		return 0;
	if (may_tell_threads && t && whose)
		*t = *whose;
	s->target_id = of->target_id;
	s->func = of->func;
	s->family = of->family;
	s->has_stack = of->has_stack;
	s->level = key->level;
	s->made_of = of->made_of; /* not stack_id: another CPU may be about to write that */
	if (bpf_map_update_elem(&level_sites, key, &id, BPF_NOEXIST)) {
		u32 *winner = bpf_map_lookup_elem(&level_sites, key); /* another CPU was first */

		s->level = 0;
		if (may_tell_threads && t)
			t->key.site = 0;
		bpf_map_push_elem(&free_sites, &id, 0);
		return winner ? *winner : 0;
	}
	s->stack_id = s->made_of; /* the loader sees it only now */
	__sync_fetch_and_add(&sites_made, 1);
	return id;
}

/*
 * The part of a site that is acquired at this level. 0: no room, and who acquired it is not told: it stands
 * for more than the site's others. A global function: verified once.
 */
__noinline int level_site(u32 target_id, u32 site, u32 level)
{
	struct level_key key = {.site = site, .level = level};
	u32 *known, id;

	if (!site || !level)
		return site;
	known = bpf_map_lookup_elem(&level_sites, &key);
	id = known ? *known : level_site_new(&key);
	if (!id)
		drop(target_id, DROP_STACKS_FULL);
	return id;
}

#endif
