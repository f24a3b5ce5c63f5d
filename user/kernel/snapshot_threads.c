/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Count what the books of threads hold (bpf/books/threads.bpf.h). */
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

int snapshot_threads(struct tracer *t, struct snapshots *all)
{
	if (!(t->families & catalog_families(t->catalog, HAVE_BOOKS)))
		return 0;
	return map_walk(t->skel->maps.threads, take_books, all);
}
