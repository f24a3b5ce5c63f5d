/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How fast a count grows, and when it will be at a limit: as judged, plain data. */
#ifndef JNITRACE_GROWTH_H
#define JNITRACE_GROWTH_H

#include <stdbool.h>
#include <stddef.h>

struct growth {
	bool known; /* false: too few samples yet */
	double per_min;
	/* The true growth is within per_min +- this with 95 %, if the noise stays as it was. */
	double error_per_min;
	double span_s;
	size_t samples;
	/* It grows steadily: each quarter of the time is above the one before, the last wholly above the
	 * first. */
	bool alarm;
	/*
	 * Seconds until the limit, at the growth seen, at most and at least of what the uncertainty allows;
	 * INFINITY: never; -1: no limit, or nothing known. 0: it is there.
	 */
	double limit_s, limit_soonest_s, limit_latest_s;
};

#endif
