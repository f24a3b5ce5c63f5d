/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Survivors. See survivors.h. They lie side by side, and so in the caches: a hundred thousand references, of
 * any site each, are counted once a second.
 */
#include "judge/survivors.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/*
 * How many of the ages a reference has: so many now, so many of them a snapshot ago. One who has an age has
 * the younger ones, too.
 */
#define COUNTS          (NR_AGES + 1)
#define WHICH(now, ago) ((now)*COUNTS + (ago))
struct ages {
	uint32_t n[COUNTS * COUNTS];
};
#define NEAR (1U << 14) /* ticks: a minute at least */
struct counting {
	const struct named_sites *names;
	const struct snapshot *snapshot;
	bool levels; /* some site is of a higher level than 0 */
	uint32_t born[NR_AGES], born_before[NR_AGES];
	uint8_t which[NEAR]; /* by the ticks that went by since it was acquired */
	uint32_t old;        /* if more of them did, it has all ages */
	struct ages *of;
};

/* A handle of this site stands for so many, of those that are followed at level 0. */
static uint32_t each_is(const struct counting *c, uint32_t site)
{
	const struct snapshot_site *s = c->levels ? snapshot_site_of(c->snapshot, site) : NULL;

	return s ? 1U << s->level : 1;
}

static unsigned which_of(const struct counting *c, uint32_t tick)
{
	unsigned now = 0, ago = 0;

	for (int k = 0; k < NR_AGES; k++) {
		now += (int32_t)(c->born[k] - tick) > 0;
		ago += (int32_t)(c->born_before[k] - tick) > 0;
	}
	return WHICH(now, ago);
}

/* Few references are younger than these and older than those: only they are reckoned one by one. */
static void list_which(struct counting *c)
{
	uint32_t now_tick = c->snapshot->now_tick, ticks[2 * NR_AGES];

	for (int k = 0; k < NR_AGES; k++) {
		ticks[2 * k] = now_tick - c->born[k];
		ticks[2 * k + 1] = now_tick - c->born_before[k];
	}
	for (uint32_t from = 0, to; from < NEAR; from = to) {
		to = NEAR;
		for (int i = 0; i < 2 * NR_AGES; i++)
			to = ticks[i] >= from && ticks[i] < to ? ticks[i] + 1 : to;
		memset(c->which + from, (int)which_of(c, now_tick - from), to - from);
	}
	for (int i = 0; i < 2 * NR_AGES; i++)
		c->old = ticks[i] > c->old ? ticks[i] : c->old;
}

/* One that is outstanding since tick. */
static void count(const struct counting *c, uint32_t site, uint32_t tick)
{
	uint32_t ticks = c->snapshot->now_tick - tick;
	unsigned which;

	if (!named_site_of(c->names, site))
		return;
	if (ticks < NEAR)
		which = c->which[ticks];
	else
		which = ticks > c->old && ticks <= INT32_MAX ? WHICH(NR_AGES, NR_AGES) : which_of(c, tick);
	c->of[c->names->by_number[site].named - 1].n[which] += each_is(c, site);
}

static void sum_up(const struct ages *ages, struct survivors *out)
{
	for (int which = 0; which < COUNTS * COUNTS; which++)
		for (int k = 0; k < NR_AGES; k++) {
			out->now[k] += k < which / COUNTS ? ages->n[which] : 0;
			out->kept[k] += k < which % COUNTS ? ages->n[which] : 0;
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
	list_which(&c);
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
