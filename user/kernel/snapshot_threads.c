/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The books of threads (bpf/books/threads.bpf.h): read into a snapshot, begun with what was there, and
 * forgotten.
 */
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

/* Each thread's books to count, or with all NULL those of a target to delete. */
static void walk_books(struct tracer *t, struct snapshots *all, int slot)
{
	int fd = bpf_map__fd(t->skel->maps.threads);
	struct books_key key, next;
	bool more =
	    (t->families & catalog_families(t->catalog, HAVE_BOOKS)) && !bpf_map_get_next_key(fd, NULL, &key);

	/* Bounded: the map may change under the walk. */
	for (uint32_t left = 2 * JT_MAX_THREADS; more && left; left--) {
		struct thread_books b;

		more = !bpf_map_get_next_key(fd, &key, &next);
		if (all && key.slot < JT_MAX_TARGETS && !bpf_map_lookup_elem(fd, &key, &b))
			count_books(&all->of[key.slot], &b);
		if (!all && key.slot == (uint32_t)slot)
			bpf_map_delete_elem(fd, &key);
		key = next;
	}
}

void snapshot_threads(struct tracer *t, struct snapshots *all)
{
	walk_books(t, all, -1);
}

void forget_threads(struct tracer *t, int slot)
{
	const struct thread_config none = {0};

	walk_books(t, NULL, slot);
	tracer_set_threads(t, slot, &none);
}

int tracer_set_threads(struct tracer *t, int slot, const struct thread_config *c)
{
	uint32_t key = slot;

	return bpf_map_update_elem(bpf_map__fd(t->skel->maps.thread_configs), &key, c, BPF_ANY);
}

int tracer_set_attached(struct tracer *t, int slot, const pid_t *tids, size_t n)
{
	const struct thread_books b = {.attached = 1};
	int rc = 0;

	for (size_t i = 0; i < n && !rc; i++) {
		struct books_key key = {.slot = (uint32_t)slot, .tid = (uint32_t)tids[i]};

		rc = bpf_map_update_elem(bpf_map__fd(t->skel->maps.threads), &key, &b, BPF_ANY);
	}
	return rc;
}
