/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What was seen of a count, in bounded memory: bins of time that get wider with their age. At most BINS_EACH
 * have one width, then the oldest two become one of twice the width. A bin keeps its last and its least
 * count, so neither the floor nor the beginning is ever lost, only when it was exactly.
 *
 * A history takes all its memory at once, with its first reading or, where many share a room, before
 * (history_room.h).
 *
 * Young references come and go in any program and would hide a slow leak in their noise, so growth is judged
 * by the survivors: those that have been outstanding for a while. Where references have no known age, as in a
 * census, the least count within that while stands for them: as many at most have survived it.
 */
#ifndef JNITRACE_HISTORY_H
#define JNITRACE_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "judge/forecast.h"

/* Ages from which on a reference is a survivor. */
#define NR_AGES 3
extern const double survivor_ages_s[NR_AGES];

#define HISTORY_BINS 128
#define BINS_EACH    12

/* What is known at one moment. */
struct reading {
	double t_s; /* since attach */
	uint64_t acquired, released, outstanding;
	uint64_t survivors[NR_AGES]; /* of the outstanding */
	uint64_t kept[NR_AGES];      /* of those, survivors at the last reading already */
	bool ages_known;             /* false: only outstanding is */
};

struct bin {
	float t_s; /* of its last reading */
	uint32_t doublings;
	uint16_t readings;           /* in it, at most UINT16_MAX; */
	uint16_t moves[NR_AGES + 1]; /* of those found another count of survivors, and of all */
	float count, last[NR_AGES], least[NR_AGES];
	float died[NR_AGES]; /* survivors that were released, since the beginning */
};

/* A count that rises and falls back: how long and how deep at the most. */
struct cycle {
	double bottom, bottom_s, peak, fell_from, longest_s, deepest;
	bool begun, returned;
};

#define FLOOR_PARTS 8
struct floor_window {
	float least[FLOOR_PARTS + 1];
	uint64_t part;
};

/* What has been found to grow; see verdicts.c. */
struct rise {
	bool on, slowed;
	bool doubted; /* the last look spoke against it: a second one takes it back */
	int age;
	double since_s, per_s;
};

struct history {
	struct bin
	    *bins; /* cap of them, n in use, oldest first; NULL: HISTORY_BINS come with the first reading */
	size_t n, cap;
	double spacing_s, opened_s; /* of the youngest bin */

	double first_s, last_s; /* first and last reading */
	double last_acquired_s; /* when it was last seen to acquire */
	double sum_outstanding; /* of all readings */
	uint64_t readings, acquired, outstanding, peak;
	bool ages_known;
	bool clean; /* it held nothing, and since then nothing for long: a call that goes on is no news */
	double survivors[NR_AGES], died[NR_AGES];
	double jitter; /* how much the count changes from reading to reading, lately on average */
	struct floor_window *floors; /* NR_AGES; NULL where ages are known */
	struct cycle cycles[NR_AGES];
	struct rise rise;
	double look_s;        /* when to look again for one; where ages are not known */
	struct growth growth; /* as told last; until then: */
	double growth_until_s, growth_limit;
	double growth_made_s, growth_count; /* when it was made, and the count then */
	int growth_age;
	bool growth_moved;  /* the count, as far as that was made of it */
	bool growth_rising; /* it was found to grow then */
};

/* h starts with zeros, or out of a room. Readings in the order of their time. 0 or -ENOMEM. */
int history_add(struct history *h, const struct reading *r);
void history_free(struct history *h); /* what it holds, not itself */

/* Since when can there be survivors of this age? */
double history_from(const struct history *h, int age);

/* A stretch of time in equal parts. */
#define PARTS 8
struct stretch {
	double from_s, span_s;
	double floors[PARTS]; /* the least count of survivors in each */
	double begin, end;
	double died; /* not a number: unknown */
};
/* false: too few bins. */
bool history_stretch(const struct history *h, int age, double from_s, double to_s, struct stretch *out);

#define AGE_NONE (-1) /* the count itself */
/* Samples of survivors (or of the count), evenly over the time since from_s. */
void history_samples(const struct history *h, int age, double from_s, struct samples *out);

#endif
