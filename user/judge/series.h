/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Does a count grow, how fast, and when will it be at a limit? A straight line through what was seen,
 * with its uncertainty, and an alarm that noise does not raise.
 */
#ifndef JNITRACE_SERIES_H
#define JNITRACE_SERIES_H

#include <stdbool.h>
#include <stddef.h>

#define SERIES_MAX 240
/* Samples of one count. When it is full every second one of the older half goes: the span is kept. */
struct series {
	double t_s[SERIES_MAX], count[SERIES_MAX];
	size_t n;
};
void series_add(struct series *s, double t_s, double count);

struct growth {
	bool known; /* false: too few samples yet */
	double per_min;
	double error_per_min; /* the true growth is within per_min +- this with 95 %, if the noise stays as it
				 was */
	double span_s;
	size_t samples;
	bool alarm; /* it grows steadily: each quarter of the time is above the one before, the last wholly
		       above the first */
	/* Seconds until the limit, at the growth seen, at most and at least of what the uncertainty allows;
	   INFINITY: never; -1: no limit, or nothing known. 0: it is there. */
	double limit_s, limit_soonest_s, limit_latest_s;
};
/* limit: 0: none */
void series_growth(const struct series *s, double limit, struct growth *out);

#endif
