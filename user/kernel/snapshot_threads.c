/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Count what the books of threads hold (bpf/books/threads.bpf.h). */
#include <bpf/bpf.h>

#include "bpf/border/threads.h"
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

/* Bounded: the map may change under the walk. */
void snapshot_threads(struct tracer *t, struct snapshots *all)
{
	int fd = bpf_map__fd(t->skel->maps.threads);
	struct books_key key, next;
	bool more =
	    (t->families & catalog_families(t->catalog, HAVE_BOOKS)) && !bpf_map_get_next_key(fd, NULL, &key);

	for (uint32_t left = 2 * JT_MAX_THREADS; more && left; left--) {
		struct thread_books b;

		more = !bpf_map_get_next_key(fd, &key, &next);
		if (key.slot < JT_MAX_TARGETS && !bpf_map_lookup_elem(fd, &key, &b))
			count_books(&all->of[key.slot], &b);
		key = next;
	}
}
