/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How numbers went over time, for curves: each has a value in bins of equal width. When there is no bin left
 * two become one of twice the width, in all of them. So memory is bounded, and all curves have one scale.
 */
#ifndef JNITRACE_TRENDS_H
#define JNITRACE_TRENDS_H

#include <stdbool.h>

#include "base/hash.h"

#define TREND_BINS 128
#define TREND_MOST 4096 /* curves; of more no history is kept */

struct trend {
	float v[TREND_BINS]; /* the last value in each bin; not a number: none */
};
struct trends {         /* start zeroed */
	double width_s; /* of a bin; 0: nothing was added yet */
	double last_s;  /* what was added last */
	struct hash index;
	struct {
		struct trend *v;
		size_t n, cap;
	} all;
};
/*
 * Time goes on to t_s: make room for it. false: it is not later than what was added last, as when a recording
 * is gone through once more; then nothing is to be added.
 */
bool trends_go_to(struct trends *t, double t_s);
/* A value of then. 0 or -ENOMEM. */
int trends_add(struct trends *t, uint64_t a, uint64_t b, double value);
void trends_free(struct trends *t);

/*
 * The curve until now_s, in exactly n points from the first time to now; where there is no value it is not a
 * number. false: there is none.
 */
bool trends_curve(const struct trends *t, uint64_t a, uint64_t b, double now_s, float *points, int n);

#endif
