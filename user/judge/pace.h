/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How often something is done that may take no more than a share of a CPU: as often as is wished, or as
 * seldom as it must be. Pure arithmetic on seconds of clocks that never go back.
 */
#ifndef JNITRACE_PACE_H
#define JNITRACE_PACE_H

#include <stdbool.h>

#define PACE_SAVED_S 1.0 /* of CPU time: so much may be taken at once, as a beginning does */

struct pace {
	double now_s, cpu_s; /* of the last time */
	double saved_s;      /* of CPU time; negative: it took more than it may */
	bool begun;          /* the first time is a beginning, and takes more than those that follow */
};
struct pace pace_begin(double now_s, double cpu_s);
/*
 * It was done, and has taken cpu_s in all. The time until it is done again: interval_s, or longer. share: of
 * a CPU; 0: any.
 */
double pace_wait(struct pace *p, double share, double interval_s, double now_s, double cpu_s);

#endif
