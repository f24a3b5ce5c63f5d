/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the books of threads hold (bpf/books/threads.bpf.h), and what lives that have ended left in them: the
 * monitors that were held are findings; those that the VM released are taken out.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/border/threads.h"
#include "kernel/map_walk.h"
#include "kernel/tracer_priv.h"
#include "model/report.h"

#define MAX_ENDED 4096 /* different findings, of all targets */

static bool has_books(const struct tracer *t)
{
	return t->families_seen & catalog_families(t->catalog, KINDS_OF_BOOKS);
}

/* --- lives that have ended --- */

struct life {
	struct life_key key;
	struct life_end end;
};
struct left {
	struct monitor_key key;
	struct held_monitor m;
	bool released;
};
struct ends {
	struct tracer *t;
	struct {
		struct life *v;
		size_t n, cap;
	} lives; /* sorted */
	struct {
		struct left *v;
		size_t n, cap;
	} left; /* the monitors that they held */
};

static int compare_lives(const void *a, const void *b)
{
	const struct life_key *x = a, *y = b; /* the first member */

	if (x->target_id != y->target_id)
		return x->target_id < y->target_id ? -1 : 1;
	return x->life < y->life ? -1 : x->life > y->life;
}

static int take_life(const void *key, const void *value, void *of)
{
	struct ends *e = of;
	struct life *l = VEC_ADD(&e->lives);

	if (!l)
		return -ENOMEM;
	*l = (struct life){*(const struct life_key *)key, *(const struct life_end *)value};
	return 0;
}

/* One more of a finding, which only this makes. */
static int tell_end(struct tracer *t, const struct finding_key *key, uint64_t handle, uint32_t tick)
{
	struct snapshot_finding *f = NULL;

	for (size_t i = 0; i < t->ended.n && !f; i++)
		if (!memcmp(&t->ended.v[i].key, key, sizeof(*key)))
			f = &t->ended.v[i];
	if (!f && t->ended.n == MAX_ENDED) {
		t->traced[key->target_id].findings_lost++;
		return 0;
	}
	if (!f) {
		f = VEC_ADD(&t->ended);
		if (!f)
			return -ENOMEM;
		*f = (struct snapshot_finding){.key = *key, .f = {.handle = handle, .first_tick = tick}};
	}
	f->f.count++;
	f->f.last_tick = tick;
	return 0;
}

static int take_left(const void *key, const void *value, void *of)
{
	const struct monitor_key *k = key;
	const struct held_monitor *m = value;
	struct ends *e = of;
	struct life_key wanted = {k->target_id, k->life};
	const struct life *l = bsearch(&wanted, e->lives.v, e->lives.n, sizeof(*e->lives.v), compare_lives);
	struct left *left;

	if (!l || m->told || k->target_id >= JT_MAX_TARGETS)
		return 0;
	left = VEC_ADD(&e->left);
	if (!left)
		return -ENOMEM;
	*left = (struct left){*k, *m, l->end.released};
	return tell_end(e->t,
			&(struct finding_key){.site = l->end.site,
					      .acquire_site = m->site,
					      .target_id = (uint16_t)k->target_id,
					      .kind = FINDING_MONITOR_AT_END},
			m->handle, l->end.tick);
}

/* Their threads are gone: nobody else writes these elements. */
static void settle_left(struct ends *e)
{
	int held = bpf_map__fd(e->t->skel->maps.held_monitors);

	for (size_t i = 0; i < e->left.n; i++) {
		struct left *left = &e->left.v[i];

		left->m.told = 1;
		if (!left->released) {
			bpf_map_update_elem(held, &left->key, &left->m, BPF_EXIST);
		} else if (!bpf_map_delete_elem(held, &left->key) && left->m.site < e->t->max_sites) {
			e->t->given_back[left->m.site]++;
		}
	}
	for (size_t i = 0; i < e->lives.n; i++)
		bpf_map_delete_elem(bpf_map__fd(e->t->skel->maps.life_ends), &e->lives.v[i].key);
}

int snapshot_ends(struct tracer *t)
{
	struct ends e = {.t = t};
	int rc = has_books(t) ? map_walk(t->skel->maps.life_ends, take_life, &e) : 0;

	if (!rc && e.lives.n) {
		qsort(e.lives.v, e.lives.n, sizeof(*e.lives.v), compare_lives);
		rc = map_walk(t->skel->maps.held_monitors, take_left, &e);
	}
	if (!rc)
		settle_left(&e);
	free(e.lives.v);
	free(e.left.v);
	return rc;
}

int snapshot_ended(const struct tracer *t, struct snapshots *all)
{
	for (size_t i = 0; i < t->ended.n; i++) {
		struct snapshot_finding *v = VEC_ADD(&all->of[t->ended.v[i].key.target_id].findings);

		if (!v)
			return -ENOMEM;
		*v = t->ended.v[i];
	}
	return 0;
}

void snapshot_forget_ends(struct tracer *t, int target_id)
{
	size_t kept = 0;

	for (size_t i = 0; i < t->ended.n; i++)
		if (t->ended.v[i].key.target_id != target_id)
			t->ended.v[kept++] = t->ended.v[i];
	t->ended.n = kept;
}

/* --- what is held --- */

static int count_one(struct snapshot *s, uint32_t site, uint32_t tick)
{
	struct snapshot_site *v = snapshot_site_of(s, site);
	struct snapshot_held *h = v ? VEC_ADD(&s->held) : NULL;

	if (v && (!v->live++ || (int32_t)(tick - v->oldest_tick) < 0))
		v->oldest_tick = tick;
	if (h)
		*h = (struct snapshot_held){site, tick};
	return v && !h ? -ENOMEM : 0;
}

static int take_books(const void *key, const void *value, void *of)
{
	const struct books_key *k = key;
	const struct thread_books *b = value;
	struct snapshots *all = of;

	return k->target_id < JT_MAX_TARGETS && b->attached
		   ? count_one(&all->of[k->target_id], b->site, b->tick)
		   : 0;
}

static int take_held(const void *key, const void *value, void *of)
{
	const struct monitor_key *k = key;
	const struct held_monitor *m = value;
	struct snapshots *all = of;

	return k->target_id < JT_MAX_TARGETS ? count_one(&all->of[k->target_id], m->site, m->tick) : 0;
}

static int take_churn(const void *key, const void *value, void *of)
{
	const struct churn *c = value;
	struct snapshots *all = of;
	struct snapshot_churn *v =
	    c->target_id < JT_MAX_TARGETS ? VEC_ADD(&all->of[c->target_id].churns) : NULL;

	if (v)
		*v = (struct snapshot_churn){*(const uint32_t *)key, *c};
	return c->target_id < JT_MAX_TARGETS && !v ? -ENOMEM : 0;
}

int snapshot_threads(struct tracer *t, struct snapshots *all)
{
	if (!has_books(t))
		return 0;
	return map_walk(t->skel->maps.threads, take_books, all)
		   ?: map_walk(t->skel->maps.held_monitors, take_held, all)
		   ?: map_walk(t->skel->maps.churns, take_churn, all);
}
