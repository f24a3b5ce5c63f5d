/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "judge/pace.h"

#include <math.h>

/* Nothing is put off for longer: what is asked then is asked in vain. */
#define MOST_S 3600

struct pace pace_begin(double now_s, double cpu_s)
{
	return (struct pace){.now_s = now_s, .cpu_s = cpu_s, .saved_s = PACE_SAVED_S};
}

double pace_wait(struct pace *p, double share, double interval_s, double now_s, double cpu_s)
{
	double taken_s = cpu_s - p->cpu_s, wait_s = interval_s;

	p->saved_s = fmin(p->saved_s + (now_s - p->now_s) * share, PACE_SAVED_S) - taken_s;
	p->now_s = now_s;
	p->cpu_s = cpu_s;
	if (share <= 0)
		return wait_s;
	if (p->saved_s < PACE_SAVED_S / 2 && p->begun) /* until it has earned what it takes each time */
		wait_s = fmax(wait_s, fmin(taken_s / share, MOST_S));
	if (p->saved_s < 0)
		wait_s = fmax(wait_s, fmin(-p->saved_s / share, MOST_S));
	p->begun = true;
	return wait_s;
}
