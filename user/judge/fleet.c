/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Sites of one version alone. See fleet.h. */
#include "judge/fleet.h"

#include <stdlib.h>
#include <string.h>

/* Groups of this scope of which a JVM was traced. */
static size_t traced_in(const struct fleet *f, const char *scope)
{
	size_t n = 0;

	for (size_t i = 0; i < f->nr_groups; i++)
		n += f->groups[i].traced && !strcmp(f->groups[i].scope, scope);
	return n;
}

static void judge(const struct fleet *f, struct fleet_site *s)
{
	size_t holding = 0, growing = 0;
	int holds = FLEET_NONE, grows = FLEET_NONE;

	s->only_in = s->grows_only_in = FLEET_NONE;
	if (traced_in(f, s->scope) < 2)
		return;
	for (size_t i = 0; i < f->nr_groups; i++) {
		if (s->of[i].outstanding || s->of[i].growing) {
			holding++;
			holds = (int)i;
		}
		if (s->of[i].growing) {
			growing++;
			grows = (int)i;
		}
	}
	if (holding == 1)
		s->only_in = holds;
	else if (growing == 1)
		s->grows_only_in = grows;
}

/* Of the group that a site is told for: whether it grows, and how much a JVM of it holds. */
static const struct fleet_count *told(const struct fleet_site *s)
{
	static const struct fleet_count none;
	int group = s->only_in >= 0 ? s->only_in : s->grows_only_in;

	return group >= 0 ? &s->of[group] : &none;
}

static int compare(const void *a, const void *b)
{
	const struct fleet_site *x = *(const struct fleet_site *const *)a,
				*y = *(const struct fleet_site *const *)b;
	const struct fleet_count *p = told(x), *q = told(y);

	if (!p->growing != !q->growing)
		return p->growing ? -1 : 1;
	if (p->jvms != q->jvms)
		return p->jvms < q->jvms ? 1 : -1;
	if (p->outstanding != q->outstanding)
		return p->outstanding < q->outstanding ? 1 : -1;
	return x->key < y->key ? -1 : x->key > y->key;
}

static bool is_before(const struct fleet_group *a, const struct fleet_group *b)
{
	int differs = strcmp(a->scope, b->scope) ?: strverscmp(a->value, b->value);

	return differs < 0;
}

static void order_groups(struct fleet *f)
{
	for (size_t i = 0; i < f->nr_groups; i++) {
		size_t at = i;

		for (; at && is_before(&f->groups[i], &f->groups[f->order[at - 1]]); at--)
			f->order[at] = f->order[at - 1];
		f->order[at] = i;
	}
}

bool fleet_judge(struct fleet *f)
{
	bool any = false;

	order_groups(f);
	for (size_t i = 0; i < f->nr_groups; i++)
		any |= f->groups[i].traced && traced_in(f, f->groups[i].scope) > 1;
	for (size_t i = 0; i < f->sites.n; i++)
		judge(f, f->sites.v[i]);
	if (f->sites.n > 1)
		qsort(f->sites.v, f->sites.n, sizeof(*f->sites.v), compare);
	return any;
}
