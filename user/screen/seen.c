/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* See seen.h. */
#include "screen/seen.h"

#include <errno.h>
#include <stdlib.h>

#include "base/util.h"

int seen_note(struct seen *s, uint64_t a, uint64_t b, uint64_t acquired, double t_s)
{
	uint32_t i = hash_find(&s->index, a, b);
	struct seen_site *site;

	if (!acquired || (!i && s->sites.n >= SEEN_MOST))
		return 0;
	if (!i) {
		site = VEC_ADD(&s->sites);
		if (!site || hash_set(&s->index, a, b, (uint32_t)s->sites.n)) {
			s->sites.n -= site != NULL;
			return -ENOMEM;
		}
		*site = (struct seen_site){acquired, t_s, t_s};
		return 0;
	}
	site = &s->sites.v[i - 1];
	if (site->acquired != acquired)
		site->last_s = t_s;
	site->acquired = acquired;
	return 0;
}

const struct seen_site *seen_find(const struct seen *s, uint64_t a, uint64_t b)
{
	uint32_t i = hash_find(&s->index, a, b);

	return i ? &s->sites.v[i - 1] : NULL;
}

void seen_free(struct seen *s)
{
	hash_free(&s->index);
	free(s->sites.v);
	*s = (struct seen){0};
}
