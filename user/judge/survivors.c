/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Survivors. See survivors.h. They lie side by side, and so in the caches: a hundred thousand references, of
 * any site each, are counted once a second.
 */
#include "judge/survivors.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * How many of the ages a reference has: so many now, so many of them a snapshot ago. One who has an age has
 * the younger ones, too.
 */
struct ages {
	uint32_t n[NR_AGES + 1][NR_AGES + 1];
};
struct counting {
	const struct named_sites *names;
	const struct snapshot *snapshot;
	bool levels; /* some site is of a higher level than 0 */
	uint32_t born[NR_AGES], born_before[NR_AGES];
	struct ages *of;
};

/* A handle of this site stands for so many, of those that are followed at level 0. */
static uint32_t each_is(const struct counting *c, uint32_t site)
{
	const struct snapshot_site *s = c->levels ? snapshot_site_of(c->snapshot, site) : NULL;

	return s ? 1U << s->level : 1;
}

/* One that is outstanding since tick. */
static void count(const struct counting *c, uint32_t site, uint32_t tick)
{
	unsigned now = 0, kept = 0;

	if (!named_site_of(c->names, site))
		return;
	for (int k = 0; k < NR_AGES; k++) {
		now += (int32_t)(c->born[k] - tick) > 0;
		kept += (int32_t)(c->born_before[k] - tick) > 0;
	}
	c->of[c->names->by_number[site].named - 1].n[now][kept] += each_is(c, site);
}

static void sum_up(const struct ages *ages, struct survivors *out)
{
	for (int now = 0; now <= NR_AGES; now++)
		for (int kept = 0; kept <= NR_AGES; kept++)
			for (int k = 0; k < NR_AGES; k++) {
				out->now[k] += k < now ? ages->n[now][kept] : 0;
				out->kept[k] += k < kept ? ages->n[now][kept] : 0;
			}
}

int survivors_count(const struct named_sites *names, const struct snapshot *s, double late_s,
		    uint32_t born[NR_AGES], struct survivors **out)
{
	struct counting c = {.names = names, .snapshot = s, .of = calloc(names->n + 1, sizeof(*c.of))};

	*out = calloc(names->n + 1, sizeof(**out));
	if (!c.of || !*out) {
		free(c.of);
		free(*out);
		return -ENOMEM;
	}
	for (size_t i = 0; i < s->sites.n && !c.levels; i++)
		c.levels = s->sites.v[i].level;
	memcpy(c.born_before, born, sizeof(c.born_before));
	for (int k = 0; k < NR_AGES; k++)
		c.born[k] = s->now_tick - (uint32_t)((survivor_ages_s[k] + late_s) / s->tick_s);
	for (size_t i = 0; i < s->refs.n; i++)
		count(&c, s->refs.v[i].site, s->refs.v[i].tick);
	for (size_t i = 0; i < s->pins.n; i++)
		count(&c, s->pins.v[i].pin.site, s->pins.v[i].pin.tick);
	for (size_t i = 0; i < s->held.n; i++)
		count(&c, s->held.v[i].site, s->held.v[i].tick);
	memcpy(born, c.born, sizeof(c.born));
	for (size_t i = 0; i < names->n; i++)
		sum_up(&c.of[i], &(*out)[i]);
	free(c.of);
	return 0;
}
