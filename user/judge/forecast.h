/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How fast does a count grow, and when will it be at a limit? With intervals that hold.
 *
 * A straight line with independent errors claims far too much: counts wander, come in steps and waves, and
 * their growth may itself grow. So the samples are explained in several ways at once: a line or a parabola,
 * each with noise of several kinds (white, a random walk, a wandering rate, waves of several lengths). Each
 * explanation weighs as much as it makes the samples likely, and what is said is what all of them say
 * together.
 */
#ifndef JNITRACE_FORECAST_H
#define JNITRACE_FORECAST_H

#include <stddef.h>

#include "model/growth.h"

#define FORECAST_SAMPLES 32 /* at most */
#define FORECAST_FEWEST  5

struct samples {
	double t_s[FORECAST_SAMPLES], count[FORECAST_SAMPLES]; /* oldest first */
	size_t n;
	/* Of all readings in that time: how many, and how many found another count than the one before. */
	double readings, moves;
};

/*
 * limit: 0: none. Takes about a millisecond. Fills all but alarm; where there are too few samples, or no
 * memory, known is false.
 */
void forecast(const struct samples *s, double limit, struct growth *out);

/*
 * Of counts that never moved, without a limit: what is said of them depends on nothing but when they were
 * looked at. Start with zeros, for counts that are read together: those of the same times share a figure.
 */
struct flat {
	size_t n; /* 0: none was made yet */
	double t_s[FORECAST_SAMPLES];
	struct growth growth;
};
/* As forecast(). */
void forecast_flat(struct flat *flat, const struct samples *s, struct growth *out);

#endif
