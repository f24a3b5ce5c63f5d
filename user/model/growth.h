/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How fast a count grows, and when it will be at a limit: as judged, plain data. */
#ifndef JNITRACE_GROWTH_H
#define JNITRACE_GROWTH_H

#include <stdbool.h>
#include <stddef.h>

struct growth {
	bool known; /* false: too few samples yet */
	double per_min;
	/* The true growth is within per_min +- this with 95 %. */
	double error_per_min;
	double span_s;
	size_t samples;
	bool alarm; /* it grows: see judge/verdicts.h */
	/* When alarm: it would look the same if each lived for so long and then went. */
	double same_life_s;
	/*
	 * Seconds until the limit: as likely sooner as later; with 95 % between soonest and latest. INFINITY:
	 * never, or too far away to tell; -1: no limit, or nothing known. 0: it is there.
	 */
	double limit_s, limit_soonest_s, limit_latest_s;
};

/* How a count went, the oldest first. */
#define CURVE_POINTS 32
struct curve {
	double t_s[CURVE_POINTS], count[CURVE_POINTS];
	size_t n;
};

#endif
