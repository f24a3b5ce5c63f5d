/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What probes may take of a target, and what is done when they take more: first one handle is followed of
 * twice as many as before (a level, see struct level_key), as that takes less; and when it does not help, or
 * the traps alone are too much already, the probes have to go. When there is room again, a level is gone
 * back.
 */
#ifndef JNITRACE_REGULATOR_H
#define JNITRACE_REGULATOR_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/border/shared.h"
#include "judge/allowance.h"

#define REGULATOR_WAIT_S 10 /* from a change until a level may be gone back */
#define REGULATOR_KNOWN_NS                                                                                   \
	1000000000ULL      /* from a change until what a call takes is measured, or never will be */
#define REGULATOR_ROOM 0.8 /* it is, when as much of what is allowed would be taken then, at most */

struct regulator {
	double share;
	unsigned levels; /* that there are: 1, nothing can be sampled, to JT_SAMPLE_LEVELS */
	unsigned level;
	struct allowance all, least;
	/* Since the level was changed last, and of it since the room was looked at last: */
	uint64_t changed_ns, window_ns;
	double window_least_ns;
	double taken_ns, least_ns;      /* as far as known */
	double waits_s;                 /* until a level may be gone back */
	bool went_back;                 /* the last change */
	double ratio[JT_SAMPLE_LEVELS]; /* what is taken, by the least that can be; 0: not known */
};
enum regulated { REGULATED_AS_IT_WAS, REGULATED_CHANGED, REGULATED_OVER };

/* share: of a CPU. */
struct regulator regulator_begin(double share, unsigned levels, uint64_t now_ns);
/*
 * The probes have taken so much CPU time since the last call; at any level it would have been least_ns or
 * more. known: taken_ns is of the level as it is, not of one before. REGULATED_OVER: it is not to be borne.
 */
enum regulated regulator_take(struct regulator *r, double taken_ns, double least_ns, bool known,
			      uint64_t now_ns);

#endif
