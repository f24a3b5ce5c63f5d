/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "judge/regulator.h"

#include <math.h>

#define WAIT_MOST_S 320

struct regulator regulator_begin(double share, unsigned levels, uint64_t now_ns)
{
	return (struct regulator){
	    .share = share,
	    .levels = levels ?: 1,
	    .all = allowance_begin(share, now_ns),
	    .least = allowance_begin(share, now_ns),
	    .changed_ns = now_ns,
	    .window_ns = now_ns,
	    .waits_s = REGULATOR_WAIT_S,
	};
}

static void change(struct regulator *r, unsigned level, uint64_t now_ns)
{
	bool back = level < r->level, soon = (double)(now_ns - r->changed_ns) / 1e9 < 2 * r->waits_s;

	if (!back && r->went_back) /* in vain: not again for longer */
		r->waits_s = soon ? fmin(2 * r->waits_s, WAIT_MOST_S) : REGULATOR_WAIT_S;
	r->went_back = back;
	r->level = level;
	r->all = allowance_begin(r->share, now_ns);
	r->changed_ns = r->window_ns = now_ns;
	r->window_least_ns = r->taken_ns = r->least_ns = 0;
}

/* Would the level below take no more than it may, by what was called since the last look at this? */
static bool has_room(const struct regulator *r, uint64_t now_ns)
{
	double below = r->ratio[r->level - 1], here = r->ratio[r->level];

	if (below <= 0) /* it follows twice as many */
		below = here > 1 ? 2 * here - 1 : 2;
	return r->window_least_ns * below <= REGULATOR_ROOM * r->share * (double)(now_ns - r->window_ns);
}

static bool look_for_room(struct regulator *r, uint64_t now_ns)
{
	bool has;

	if (!r->level || (double)(now_ns - r->window_ns) / 1e9 < r->waits_s)
		return false;
	has = has_room(r, now_ns);
	r->window_ns = now_ns;
	r->window_least_ns = 0;
	return has;
}

enum regulated regulator_take(struct regulator *r, double taken_ns, double least_ns, bool known,
			      uint64_t now_ns)
{
	bool bearable = allowance_take(&r->least, least_ns, now_ns), within;

	known |= r->levels == 1 || now_ns - r->changed_ns >= REGULATOR_KNOWN_NS;
	within = allowance_take(&r->all, known ? taken_ns : least_ns, now_ns);
	r->window_least_ns += least_ns;
	if (known) {
		r->taken_ns += taken_ns;
		r->least_ns += least_ns;
	}
	if (known && r->least_ns > 0)
		r->ratio[r->level] = r->taken_ns / r->least_ns;
	if (!bearable || (!within && r->level + 1 >= r->levels))
		return REGULATED_OVER;
	if (!within)
		change(r, r->level + 1, now_ns);
	else if (look_for_room(r, now_ns))
		change(r, r->level - 1, now_ns);
	else
		return REGULATED_AS_IT_WAS;
	return REGULATED_CHANGED;
}
