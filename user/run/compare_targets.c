/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Targets and their like. See compare_targets.h. */
#include "run/compare_targets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool is_asked_for(const struct options *o, const struct report *r)
{
	for (size_t i = 0; i < o->nr_pids; i++)
		if (o->pids[i] == r->target.pid)
			return true;
	for (size_t i = 0; i < o->nr_names; i++)
		if (!strcmp(o->names[i], target_name_of(&r->target)))
			return true;
	return false;
}

/* Those of one side that may take part: all, unless some of them are asked for. */
struct side {
	const struct report **v;
	size_t n;
	bool chosen;
};

static int side_new(const struct options *o, struct report *const *v, size_t n, struct side *out)
{
	*out = (struct side){.v = calloc(n + 1, sizeof(*out->v))};
	if (!out->v)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		out->chosen |= is_asked_for(o, v[i]);
	for (size_t i = 0; i < n; i++)
		if (!out->chosen || is_asked_for(o, v[i]))
			out->v[out->n++] = v[i];
	return 0;
}

static int add(struct comparisons *out, const struct report *a, const struct report *b, enum per per)
{
	struct comparison *c = VEC_ADD(out);

	return c ? compare_reports(a, b, per, c) : -ENOMEM;
}

/* Its like on the other side, which is then taken out of it. NULL: there is none. */
static const struct report *take_like(const struct report *r, struct side *other)
{
	for (size_t i = 0; i < other->n; i++) {
		const struct report *like = other->v[i];

		if (!like || strcmp(target_name_of(&like->target), target_name_of(&r->target)))
			continue;
		other->v[i] = NULL;
		return like;
	}
	return NULL;
}

static int pair(struct side *a, struct side *b, enum per per, struct comparisons *out)
{
	bool asked = a->chosen || b->chosen;
	int rc = 0;

	if (a->n == 1 && b->n == 1)
		return add(out, a->v[0], b->v[0], per);
	for (size_t i = 0; !rc && i < b->n; i++) {
		const struct report *like = take_like(b->v[i], a);

		if (like || !asked || b->chosen)
			rc = add(out, like, b->v[i], per);
	}
	for (size_t i = 0; !rc && i < a->n; i++)
		if (a->v[i] && (!asked || a->chosen))
			rc = add(out, a->v[i], NULL, per);
	return rc;
}

int compare_targets(const struct options *o, struct report *const *a, size_t n_a, struct report *const *b,
		    size_t n_b, enum per per, struct comparisons *out)
{
	struct side side_a = {0}, side_b = {0};
	bool asked = o->nr_pids + o->nr_names > 0;
	int rc = side_new(o, a, n_a, &side_a);

	rc = rc ?: side_new(o, b, n_b, &side_b);
	if (!rc && (!asked || side_a.chosen || side_b.chosen))
		rc = pair(&side_a, &side_b, per, out);
	free(side_a.v);
	free(side_b.v);
	return rc;
}

void comparisons_free(struct comparisons *c)
{
	for (size_t i = 0; i < c->n; i++)
		comparison_free(&c->v[i]);
	free(c->v);
	*c = (struct comparisons){0};
}
