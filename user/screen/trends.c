/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Curves. See trends.h. */
#include "screen/trends.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/util.h"

#define FIRST_WIDTH_S 0.5

static void halve(struct trends *t)
{
	for (size_t i = 0; i < t->all.n; i++) {
		float *v = t->all.v[i].v;

		for (int k = 0; k < TREND_BINS; k++) {
			float early = k < TREND_BINS / 2 ? v[2 * k] : NAN;

			v[k] = k < TREND_BINS / 2 && !isnan(v[2 * k + 1]) ? v[2 * k + 1] : early;
		}
	}
	t->width_s *= 2;
}

bool trends_go_to(struct trends *t, double t_s)
{
	if (!(t_s >= 0) || t_s > 1e12 || (t->width_s > 0 && t_s <= t->last_s))
		return false;
	if (t->width_s == 0)
		t->width_s = FIRST_WIDTH_S;
	while (t_s >= t->width_s * TREND_BINS)
		halve(t);
	t->last_s = t_s;
	return true;
}

int trends_add(struct trends *t, uint64_t a, uint64_t b, double value)
{
	uint32_t i = hash_find(&t->index, a, b);
	struct trend *trend;

	if (!i) {
		if (t->all.n >= TREND_MOST)
			return 0;
		trend = VEC_ADD(&t->all);
		if (!trend || hash_set(&t->index, a, b, (uint32_t)t->all.n)) {
			t->all.n -= trend != NULL;
			return -ENOMEM;
		}
		i = (uint32_t)t->all.n;
		for (int k = 0; k < TREND_BINS; k++)
			trend->v[k] = NAN;
	}
	t->all.v[i - 1].v[(int)(t->last_s / t->width_s)] = (float)value;
	return 0;
}

void trends_free(struct trends *t)
{
	hash_free(&t->index);
	free(t->all.v);
	*t = (struct trends){0};
}

bool trends_curve(const struct trends *t, uint64_t a, uint64_t b, double now_s, float *points, int n)
{
	uint32_t i = hash_find(&t->index, a, b);
	int last = t->width_s > 0 && now_s >= 0 ? (int)fmin(now_s / t->width_s, TREND_BINS - 1) : 0;
	const float *v;

	if (!i || n < 1)
		return false;
	v = t->all.v[i - 1].v;
	for (int k = 0; k < n; k++) {
		int from = k * (last + 1) / n, to = (k + 1) * (last + 1) / n;

		points[k] = NAN;
		for (int bin = from; bin < (to > from ? to : from + 1); bin++)
			if (!isnan(v[bin]))
				points[k] = v[bin];
		/* Between two readings it is as it was. */
		if (isnan(points[k]) && k > 0)
			points[k] = points[k - 1];
	}
	return true;
}
