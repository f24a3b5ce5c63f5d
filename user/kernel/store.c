/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The pairing store: references that are outstanding, by their handles. */
#include "kernel/store.h"

#include "kernel/map_walk.h"
#include "kernel/whose.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

/* An array's elements; NULL: errno says why. */
static void *map_array(const struct bpf_map *map, size_t bytes, int protection)
{
	void *p = mmap(NULL, bytes, protection, MAP_SHARED, bpf_map__fd(map), 0);

	return p == MAP_FAILED ? NULL : p;
}

int store_map(struct tracer *t)
{
	t->buckets_bytes = (size_t)t->nr_buckets * sizeof(struct bucket);
	t->sites_bytes = (size_t)t->max_sites * sizeof(struct site);
	t->site_counts_bytes = (size_t)t->max_sites * t->features.cpu_ids * sizeof(struct site_counts);
	/* Written only to free places that no probe will, see store_forget() and tracer_bury(). */
	t->buckets = map_array(t->skel->maps.buckets, t->buckets_bytes, PROT_READ | PROT_WRITE);
	t->sites = t->buckets ? map_array(t->skel->maps.sites, t->sites_bytes, PROT_READ) : NULL;
	/* Written only to forget what was counted for a target without probes. */
	t->site_counts =
	    t->sites ? map_array(t->skel->maps.site_counts, t->site_counts_bytes, PROT_READ | PROT_WRITE)
		     : NULL;
	return t->site_counts ? 0 : -errno;
}

void store_unmap(struct tracer *t)
{
	if (t->buckets)
		munmap(t->buckets, t->buckets_bytes);
	if (t->sites)
		munmap((void *)t->sites, t->sites_bytes);
	if (t->site_counts)
		munmap(t->site_counts, t->site_counts_bytes);
}

/* The references of a site. They are counted here, where those of all sites are near to each other. */
struct site_refs {
	uint32_t live, oldest_tick;
};
struct store_walk {
	struct snapshots *all;
	struct site_refs *of; /* by number of the site */
	uint32_t nr_sites;
};

static int add_ref(struct store_walk *w, uint64_t tag, uint32_t site, uint32_t tick)
{
	uint32_t target_id = ref_target_id(tag);
	struct snapshot *s = target_id < JT_MAX_TARGETS ? &w->all->of[target_id] : NULL;
	struct snapshot_ref *ref = s ? VEC_ADD(&s->refs) : NULL;

	if (!ref)
		return s ? -ENOMEM : 0;
	*ref = (struct snapshot_ref){
	    .handle = ref_handle(tag), .target_id = target_id, .site = site, .tick = tick};
	if (site < w->nr_sites) { /* else it is too new to be listed */
		struct site_refs *r = &w->of[site];

		if (!r->live++ || (int32_t)(tick - r->oldest_tick) < 0)
			r->oldest_tick = tick;
	}
	return 0;
}

static int take_overflow(const void *key, const void *value, void *of)
{
	const struct overflow_ref *o = value;

	return add_ref(of, *(const uint64_t *)key, o->site, o->tick);
}

static void count_refs(struct snapshot *s, const struct store_walk *w)
{
	for (size_t i = 0; i < s->sites.n; i++) {
		struct snapshot_site *site = &s->sites.v[i];

		site->live = w->of[site->index].live;
		site->oldest_tick = w->of[site->index].oldest_tick;
	}
}

/* The bucket, or the first one behind it that is of a part where something was put. */
static uint32_t next_used(const struct tracer *t, uint32_t b)
{
	const volatile uint8_t *used = t->skel->bss->parts_used;
	uint32_t shift = t->skel->rodata->part_shift, part = 1U << shift;

	while (b < t->nr_buckets && !(b & (part - 1)) && !used[b >> shift])
		b += part;
	return b;
}

static int read_buckets(struct tracer *t, struct store_walk *w)
{
	int rc = 0;

	for (uint32_t b = next_used(t, 0); b < t->nr_buckets && !rc; b = next_used(t, b + 1))
		for (int i = 0; i < JT_BUCKET_WAYS && !rc; i++) {
			uint64_t tag = *(volatile uint64_t *)&t->buckets[b].tag[i];

			if (tag > TAG_BUSY && !(tag & TAG_DEAD))
				rc = add_ref(w, tag, t->buckets[b].site[i], t->buckets[b].tick[i]);
		}
	return rc;
}

int store_read(struct tracer *t, struct snapshots *all)
{
	struct store_walk w = {.all = all, .nr_sites = sites_in_use(t)};
	int rc;

	w.of = calloc(w.nr_sites, sizeof(*w.of));
	rc = w.of ? read_buckets(t, &w) : -ENOMEM;
	if (!rc && *(volatile uint64_t *)&t->skel->bss->overflow_refs)
		rc = map_walk(t->skel->maps.overflow, take_overflow, &w);
	for (int target_id = 0; target_id < JT_MAX_TARGETS && !rc; target_id++)
		count_refs(&all->of[target_id], &w);
	free(w.of);
	return rc;
}

/*
 * Nobody else touches the tags of a target without probes. Those in a second bucket stay
 * counted in second_refs, which then only costs the others a look.
 */
void store_forget(struct tracer *t, int target_id)
{
	for (uint32_t b = next_used(t, 0); b < t->nr_buckets; b = next_used(t, b + 1))
		for (int i = 0; i < JT_BUCKET_WAYS; i++)
			if (ref_target_id(t->buckets[b].tag[i]) == (uint32_t)target_id)
				*(volatile uint64_t *)&t->buckets[b].tag[i] = 0;
}

/*
 * A dead one tells where it was acquired (0: before attach) and released; either may be of these families.
 * The places of others are theirs: a place is taken only if it is still as it was.
 */
void store_forget_families(struct tracer *t, const struct whose *w)
{
	for (uint32_t b = next_used(t, 0); b < t->nr_buckets; b = next_used(t, b + 1))
		for (int i = 0; i < JT_BUCKET_WAYS; i++) {
			uint64_t tag = *(volatile uint64_t *)&t->buckets[b].tag[i];
			uint32_t site = *(volatile uint32_t *)&t->buckets[b].site[i];
			bool dead = tag & TAG_DEAD;

			if (tag <= TAG_BUSY || ref_target_id(tag) != w->target_id ||
			    !(whose_site(w, site) || (dead && site == 0)))
				continue;
			if (__atomic_compare_exchange_n(&t->buckets[b].tag[i], &tag, 0, false,
							__ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST) &&
			    !dead)
				w->held[site]++;
		}
}

static bool bucket_holds(const struct bucket *b, uint64_t tag, uint32_t site, uint32_t tick)
{
	for (int i = 0; i < JT_BUCKET_WAYS; i++)
		if (*(volatile const uint64_t *)&b->tag[i] == tag)
			return b->site[i] == site && b->tick[i] == tick;
	return false;
}

bool tracer_holds(const struct tracer *t, const struct snapshot_ref *ref)
{
	uint64_t tag = ref_tag(ref->target_id, ref->handle);
	uint32_t mask = t->nr_buckets - 1;
	struct overflow_ref o;

	if (bucket_holds(&t->buckets[first_bucket(tag, mask)], tag, ref->site, ref->tick) ||
	    bucket_holds(&t->buckets[second_bucket(tag, mask)], tag, ref->site, ref->tick))
		return true;
	return !bpf_map_lookup_elem(bpf_map__fd(t->skel->maps.overflow), &tag, &o) && o.site == ref->site &&
	       o.tick == ref->tick;
}

static bool is_of(const struct bucket *b, int i, const struct snapshot_ref *ref)
{
	return *(volatile const uint32_t *)&b->site[i] == ref->site &&
	       *(volatile const uint32_t *)&b->tick[i] == ref->tick;
}

/* The place is free, and tells of whom it was until it is taken, as if a probe had freed it. */
static bool bucket_bury(struct bucket *b, uint64_t tag, const struct snapshot_ref *ref)
{
	for (int i = 0; i < JT_BUCKET_WAYS; i++) {
		uint64_t found = tag;

		/* claimed first: meanwhile the handle may have come again, to this place */
		if (*(volatile uint64_t *)&b->tag[i] != tag || !is_of(b, i, ref) ||
		    !__atomic_compare_exchange_n(&b->tag[i], &found, TAG_BUSY, false, __ATOMIC_SEQ_CST,
						 __ATOMIC_SEQ_CST))
			continue;
		if (is_of(b, i, ref)) {
			__atomic_store_n(&b->tag[i], tag | TAG_DEAD, __ATOMIC_RELEASE);
			return true;
		}
		__atomic_store_n(&b->tag[i], tag, __ATOMIC_RELEASE);
	}
	return false;
}

void tracer_bury(struct tracer *t, const struct snapshot_ref *ref, enum func_id func)
{
	uint64_t tag = ref_tag(ref->target_id, ref->handle);
	uint32_t mask = t->nr_buckets - 1;

	if (func_is_use(func) || ref->site >= t->max_sites)
		return;
	if (!bucket_bury(&t->buckets[first_bucket(tag, mask)], tag, ref)) {
		if (!bucket_bury(&t->buckets[second_bucket(tag, mask)], tag, ref))
			return;
		__atomic_fetch_sub(&t->skel->bss->second_refs, 1, __ATOMIC_SEQ_CST);
	}
	t->buried[ref->site]++;
	t->traced[ref->target_id].buried[func]++;
}
