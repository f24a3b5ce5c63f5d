/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A snapshot put right. See corrections.h. */
#include "reconcile/corrections.h"

#include <errno.h>
#include <stdlib.h>

#include "base/util.h"

int corrections_add(struct corrections *c, size_t ref, enum correction_kind kind)
{
	struct correction *place = VEC_ADD(c);

	if (!place)
		return -ENOMEM;
	*place = (struct correction){.ref = (uint32_t)ref, .kind = kind};
	return 0;
}

/* The oldest of each site from which references were taken out. */
static void count_again(struct snapshot *s)
{
	for (size_t i = 0; i < s->refs.n; i++) {
		const struct snapshot_ref *ref = &s->refs.v[i];
		struct snapshot_site *site = snapshot_site_of(s, ref->site);

		if (site && site->recount && (!site->live++ || (int32_t)(ref->tick - site->oldest_tick) < 0))
			site->oldest_tick = ref->tick;
	}
}

void corrections_apply(const struct corrections *c, struct snapshot *s, struct target_counts *counts)
{
	bool missed = false;

	for (size_t i = 0; i < c->n; i++) {
		struct snapshot_ref *ref = &s->refs.v[c->v[i].ref];
		struct snapshot_site *site = snapshot_site_of(s, ref->site);

		if (c->v[i].kind == REF_MISSED && site) {
			site->unpaired++;
			site->live = 0; /* to be counted anew */
			site->recount = missed = true;
			counts->funcs[site->func].replaced++;
			counts->drops[DROP_RELEASE_MISSED]++;
		}
		ref->site = 0;
	}
	if (missed)
		count_again(s);
}

void corrections_free(struct corrections *c)
{
	free(c->v);
	*c = (struct corrections){0};
}
