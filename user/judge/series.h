/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Does a count grow, how fast, and when will it be at a limit? A straight line through what was seen,
 * with its uncertainty, and an alarm that noise does not raise.
 */
#ifndef JNITRACE_SERIES_H
#define JNITRACE_SERIES_H

#include <stddef.h>

#include "model/growth.h"

#define SERIES_MAX 240
/* Samples of one count. When it is full every second one of the older half goes: the span is kept. */
struct series {
	double t_s[SERIES_MAX], count[SERIES_MAX];
	size_t n;
};
void series_add(struct series *s, double t_s, double count);

/* limit: 0: none */
void series_growth(const struct series *s, double limit, struct growth *out);

#endif
