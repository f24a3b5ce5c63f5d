/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The pairing store: which site acquired the reference that is now released.
 *
 * A table of buckets of four, one cache line each. A JVM's handles are addresses
 * of slots that lie side by side in blocks, so handle >> 5 spreads them without a
 * hash; a second, hashed bucket takes what finds the first full, then an overflow
 * map. Measured against a BPF hash in docs/measurements.md.
 *
 * The release of a handle is seen before the VM can hand it out again (probe at
 * the entry of Delete*), its acquisition before the program has it (probe at the
 * return of New*): for one handle the two never race. Freeing is one compare-and-swap
 * nevertheless, as claiming is: the loader frees too, local references that have died
 * with their frame (tracer_bury()). A freed place keeps what it was, marked dead,
 * until it is needed: at no cost a second release of a handle is told from one of
 * a reference that was never seen.
 */
#ifndef JNITRACE_PAIRS_BPF_H
#define JNITRACE_PAIRS_BPF_H

#include "maps.bpf.h"
#include "walk/task.bpf.h"

static __always_inline u32 bucket_first(u64 tag)
{
	return first_bucket(tag, bucket_mask);
}

static __always_inline u32 bucket_second(u64 tag)
{
	return second_bucket(tag, bucket_mask);
}

/*
 * Handles that are neighbours share a bucket; each begins to look for a place at its own one. So does one
 * with the next serial number (indirect.bpf.h), which is not to take the place where the last one of its
 * entry lies dead.
 */
static __always_inline u32 bucket_way(u64 tag, u32 i)
{
	return ((tag >> (indirect_refs ? 2 : 3)) + i) % JT_BUCKET_WAYS;
}

/* Before anything is put there. It is read first: CPUs that write to one cache line wait for each other. */
static __always_inline void use_part(u32 index)
{
	volatile u8 *used = &parts_used[index >> part_shift & (JT_STORE_PARTS - 1)];

	if (!*used)
		*used = 1;
}

/* The first free place is taken, so of two dead ones of a handle the one found first is the younger. */
static __always_inline int bucket_put(u32 index, u64 tag, u32 site, u32 tick)
{
	struct bucket *b = bpf_map_lookup_elem(&buckets, &index);

	if (!b)
		return -1;
	use_part(index);
#pragma unroll
	for (u32 i = 0; i < JT_BUCKET_WAYS; i++) {
		u32 way = bucket_way(tag, i);
		u64 free = b->tag[way];

		if ((free && !(free & TAG_DEAD)) ||
		    __sync_val_compare_and_swap(&b->tag[way], free, TAG_BUSY) != free)
			continue;
		b->site[way] = site;
		b->tick[way] = tick;
		barrier();
		*(volatile u64 *)&b->tag[way] = tag;
		return 0;
	}
	return -1;
}

/* In the place of the site of a release: it may yet fail. */
#define RELEASE_UNDER_WAY (~0U)

/*
 * Returns the site and frees the place, or 0. released_at: the site that does, RELEASE_UNDER_WAY, or 0. It is
 * written when the reference is not live any more: the loader reads along, and must not take it for a time.
 * *tick: when it was acquired.
 */
static __always_inline u32 bucket_take(u32 index, u64 tag, u32 released_at, u32 *tick)
{
	struct bucket *b = bpf_map_lookup_elem(&buckets, &index);
	u64 dead = tag | TAG_DEAD;

	if (!b)
		return 0;
#pragma unroll
	for (u32 i = 0; i < JT_BUCKET_WAYS; i++) {
		u32 way = bucket_way(tag, i);

		if (b->tag[way] == tag) {
			u32 site = b->site[way];

			*tick = b->tick[way];
			if (__sync_val_compare_and_swap(&b->tag[way], tag, released_at ? TAG_BUSY : dead) !=
			    tag)
				continue; /* the loader was first */
			if (released_at) {
				b->tick[way] = released_at;
				barrier();
				*(volatile u64 *)&b->tag[way] = dead | TAG_TOLD;
			}
			return site;
		}
	}
	return 0;
}

static __always_inline u32 second_take(u64 tag, u32 released_at, u32 *tick)
{
	u32 site;

	if (!*(volatile u64 *)&second_refs)
		return 0;
	site = bucket_take(bucket_second(tag), tag, released_at, tick);
	if (site)
		__sync_fetch_and_sub(&second_refs, 1);
	return site;
}

static __always_inline u32 overflow_take(u64 tag, u32 *tick)
{
	struct overflow_ref *o;
	u32 site;

	if (!*(volatile u64 *)&overflow_refs)
		return 0;
	o = bpf_map_lookup_elem(&overflow, &tag);
	if (!o)
		return 0;
	site = o->site;
	*tick = o->tick;
	if (bpf_map_delete_elem(&overflow, &tag))
		return 0;
	__sync_fetch_and_sub(&overflow_refs, 1);
	return site;
}

/* The site that acquired it; it is not live any more. 0: not known. released_at, *tick: see bucket_take(). */
static __always_inline u32 pair_take_when(u64 tag, u32 released_at, u32 *tick)
{
	u32 site = bucket_take(bucket_first(tag), tag, released_at, tick);

	if (!site)
		site = second_take(tag, released_at, tick);
	if (!site)
		site = overflow_take(tag, tick);
	return site;
}

static __always_inline u32 pair_take(u64 tag, u32 released_at)
{
	u32 tick;

	return pair_take_when(tag, released_at, &tick);
}

/*
 * Acquired at that tick. 0, or -1 when there is no room. The counters grow before the entry is there: a
 * release must look for it.
 */
static __always_inline int pair_put_when(u64 tag, u32 site, u32 tick)
{
	struct overflow_ref o = {.site = site, .tick = tick};

	if (!bucket_put(bucket_first(tag), tag, site, tick))
		return 0;
	__sync_fetch_and_add(&second_refs, 1);
	if (!bucket_put(bucket_second(tag), tag, site, tick))
		return 0;
	__sync_fetch_and_sub(&second_refs, 1);
	__sync_fetch_and_add(&overflow_refs, 1);
	if (!bpf_map_update_elem(&overflow, &tag, &o, BPF_NOEXIST))
		return 0;
	__sync_fetch_and_sub(&overflow_refs, 1);
	return -1;
}

static __always_inline int pair_put(u64 tag, u32 site)
{
	return pair_put_when(tag, site, now_tick());
}

/* A reference that is dead, as long as nobody needed its place. */
struct grave {
	u32 site;        /* that acquired it; 0: before attach */
	u32 released_at; /* 0: not known; or RELEASE_UNDER_WAY */
};

static __always_inline bool bucket_grave(u32 index, u64 tag, struct grave *out)
{
	struct bucket *b = bpf_map_lookup_elem(&buckets, &index);

	if (!b)
		return false;
#pragma unroll
	for (u32 i = 0; i < JT_BUCKET_WAYS; i++) {
		u32 way = bucket_way(tag, i);
		u64 found = b->tag[way];

		if ((found & ~TAG_TOLD) == (tag | TAG_DEAD)) {
			out->site = b->site[way];
			out->released_at = found & TAG_TOLD ? b->tick[way] : 0;
			barrier();
			return *(volatile u64 *)&b->tag[way] == found; /* else taken meanwhile */
		}
	}
	return false;
}

static __always_inline bool pair_grave(u64 tag, struct grave *out)
{
	return bucket_grave(bucket_first(tag), tag, out) || bucket_grave(bucket_second(tag), tag, out);
}

static __always_inline void bucket_released(u32 index, u64 tag, u32 released_at)
{
	struct bucket *b = bpf_map_lookup_elem(&buckets, &index);

	if (!b)
		return;
#pragma unroll
	for (u32 i = 0; i < JT_BUCKET_WAYS; i++)
		if (b->tag[i] == (tag | TAG_DEAD | TAG_TOLD))
			__sync_val_compare_and_swap(&b->tick[i], RELEASE_UNDER_WAY, released_at);
}

/* If a release of this reference was under way, it has succeeded: at this site, or 0. */
static __always_inline void pair_released(u64 tag, u32 released_at)
{
	bucket_released(bucket_first(tag), tag, released_at);
	bucket_released(bucket_second(tag), tag, released_at);
}

/* Keep in mind that a reference which is not in the store was released, if there is room. */
static __always_inline void pair_bury(u64 tag, u32 released_at)
{
	u32 index = bucket_first(tag), tick = now_tick();

	if (!bucket_put(index, tag, 0, tick))
		bucket_take(index, tag, released_at, &tick);
}

static __always_inline void bucket_unbury(u32 index, u64 tag)
{
	struct bucket *b = bpf_map_lookup_elem(&buckets, &index);

	if (!b)
		return;
#pragma unroll
	for (u32 i = 0; i < JT_BUCKET_WAYS; i++) {
		__sync_val_compare_and_swap(&b->tag[i], tag | TAG_DEAD, 0);
		__sync_val_compare_and_swap(&b->tag[i], tag | TAG_DEAD | TAG_TOLD, 0);
	}
}

/* The handle was handed out again, to a reference that found no place here: forget what it was before. */
static __always_inline void pair_unbury(u64 tag)
{
	bucket_unbury(bucket_first(tag), tag);
	bucket_unbury(bucket_second(tag), tag);
}

static __always_inline u32 bucket_site(u32 index, u64 tag)
{
	struct bucket *b = bpf_map_lookup_elem(&buckets, &index);

	if (!b)
		return 0;
#pragma unroll
	for (u32 i = 0; i < JT_BUCKET_WAYS; i++)
		if (b->tag[i] == tag)
			return b->site[i];
	return 0;
}

/* The site that acquired a live reference, if it is in its buckets; else 0. */
static __always_inline u32 pair_site(u64 tag)
{
	u32 site = bucket_site(bucket_first(tag), tag);

	return site ? site : bucket_site(bucket_second(tag), tag);
}

#endif
