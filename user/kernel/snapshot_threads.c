/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Count what the books of threads hold (bpf/books/threads.bpf.h), and read the frames that they pushed. */
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "bpf/border/threads.h"
#include "kernel/map_walk.h"
#include "kernel/tracer_priv.h"
#include "model/report.h"

#define HAVE_BOOKS (KIND_BIT(KIND_MONITOR) | KIND_BIT(KIND_THREAD))

static void count_one(struct snapshot *s, uint32_t site, uint32_t tick)
{
	struct snapshot_site *v = snapshot_site_of(s, site);

	if (v && (!v->live++ || (int32_t)(tick - v->oldest_tick) < 0))
		v->oldest_tick = tick;
}

static void count_books(struct snapshot *s, const struct thread_books *b)
{
	if (b->attached)
		count_one(s, b->site, b->tick);
	for (uint32_t i = 0; i < b->nr_held && i < JT_MAX_HELD; i++)
		count_one(s, b->held[i].site, b->held[i].tick);
}

static int take_books(const void *key, const void *value, void *of)
{
	const struct books_key *k = key;
	struct snapshots *all = of;

	if (k->target_id < JT_MAX_TARGETS)
		count_books(&all->of[k->target_id], value);
	return 0;
}

static int take_push(const void *key, const void *value, void *of)
{
	uint64_t tag = *(const uint64_t *)key;
	uint32_t target_id = ref_target_id(tag);
	struct snapshots *all = of;
	struct snapshot_push *v = target_id < JT_MAX_TARGETS ? VEC_ADD(&all->of[target_id].pushes) : NULL;

	if (target_id >= JT_MAX_TARGETS)
		return 0;
	if (!v)
		return -ENOMEM;
	v->outer = ref_handle(tag);
	memcpy(&v->push, value, sizeof(v->push));
	return 0;
}

int snapshot_threads(struct tracer *t, struct snapshots *all)
{
	int rc = 0;

	if (t->families & catalog_families(t->catalog, HAVE_BOOKS))
		rc = map_walk(t->skel->maps.threads, take_books, all);
	if (!rc && t->families & catalog_families(t->catalog, KIND_BIT(KIND_LOCAL)))
		rc = map_walk(t->skel->maps.pushes, take_push, all);
	return rc;
}

bool tracer_holds_push(const struct tracer *t, int target_id, const struct snapshot_push *p)
{
	uint64_t tag = ref_tag((uint32_t)target_id, p->outer);
	struct push now;

	return !bpf_map_lookup_elem(bpf_map__fd(t->skel->maps.pushes), &tag, &now) &&
	       now.env == p->push.env && now.sp == p->push.sp && now.site == p->push.site &&
	       now.tick == p->push.tick;
}

void tracer_bury_push(struct tracer *t, int target_id, const struct snapshot_push *p)
{
	uint64_t tag = ref_tag((uint32_t)target_id, p->outer);

	if (tracer_holds_push(t, target_id, p))
		bpf_map_delete_elem(bpf_map__fd(t->skel->maps.pushes), &tag);
}
