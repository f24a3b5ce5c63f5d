/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A pile of local references. See local_pile.h. */
#include "reconcile/local_pile.h"

#include <math.h>

#define GROWS_S 2.5 /* three looks at least */

static bool is_same(const struct vm_pile *a, const struct vm_pile *b)
{
	return a->thread == b->thread && a->tid == b->tid;
}

static bool is_many(const struct vm_pile *p, uint64_t many)
{
	return p->thread && (p->refs >= many || p->frames >= PILE_FRAMES);
}

/* How many more each second, as long as each look has more than the one before. */
static double pace(struct pile_watch *w, const struct vm_pile *look, double t_s)
{
	if (!w->begun || !is_same(&w->last, look) || look->refs <= w->last.refs) {
		w->first = *look;
		w->first_s = t_s;
	}
	w->last = *look;
	w->last_s = t_s;
	w->begun = true;
	if (look->more || t_s - w->first_s < GROWS_S)
		return NAN;
	return (double)(look->refs - w->first.refs) / (t_s - w->first_s);
}

bool pile_take(struct pile_watch *w, const struct vm_pile *look, double t_s, uint64_t many,
	       struct report_pile *out)
{
	double per_s = pace(w, look, t_s);
	bool other = !out->found || out->tid != look->tid;

	out->now = is_many(look, many);
	if (!out->now || (look->refs < out->refs && look->frames < out->frames)) {
		out->now &= !other;
		out->per_s = NAN;
		return false;
	}
	if (other)
		out->name[0] = '\0';
	out->found = true;
	out->tid = look->tid;
	out->refs = look->refs;
	out->frames = look->frames;
	out->more = look->more;
	out->per_s = per_s;
	return other;
}
