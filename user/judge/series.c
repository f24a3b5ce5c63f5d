/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A straight line through what was counted. See series.h. */
#include "judge/series.h"

#include <math.h>

#define MIN_SAMPLES   3 /* of a line with an uncertainty */
#define ALARM_SAMPLES 24
#define ALARM_SPAN_S  40.0
#define MIN_T_VALUE   4.0 /* slope against its error */
#define QUARTERS      4
#define T_95          2.0

void series_add(struct series *s, double t_s, double count)
{
	if (s->n == SERIES_MAX) {
		size_t kept = 0, half = s->n / 2;

		for (size_t i = 0; i < s->n; i++) {
			if (i < half && i % 2)
				continue;
			s->t_s[kept] = s->t_s[i];
			s->count[kept++] = s->count[i];
		}
		s->n = kept;
	}
	s->t_s[s->n] = t_s;
	s->count[s->n++] = count;
}

struct line {
	double slope, slope_error, last; /* last: of the line, at the last sample */
};

/*
 * Least squares. Neighbouring samples resemble each other, so there are fewer independent ones than
 * samples: the error is widened by what the residuals' correlation says.
 */
static bool fit_line(const struct series *s, struct line *out)
{
	double n = (double)s->n, mean_t = 0, mean_c = 0, tt = 0, tc = 0, rr = 0, lag = 0, before = 0, rho;

	for (size_t i = 0; i < s->n; i++) {
		mean_t += s->t_s[i] / n;
		mean_c += s->count[i] / n;
	}
	for (size_t i = 0; i < s->n; i++) {
		tt += (s->t_s[i] - mean_t) * (s->t_s[i] - mean_t);
		tc += (s->t_s[i] - mean_t) * (s->count[i] - mean_c);
	}
	if (s->n < MIN_SAMPLES || !(tt > 0))
		return false;
	out->slope = tc / tt;
	for (size_t i = 0; i < s->n; i++) {
		double r = s->count[i] - mean_c - out->slope * (s->t_s[i] - mean_t);

		rr += r * r;
		lag += i > 0 ? r * before : 0;
		before = r;
	}
	rho = rr > 0 ? lag / rr : 0;
	rho = rho < 0 ? 0 : rho > 0.95 ? 0.95 : rho;
	out->slope_error = sqrt(rr / (n - 2) / tt * (1 + rho) / (1 - rho));
	out->last = mean_c + out->slope * (s->t_s[s->n - 1] - mean_t);
	return true;
}

/* Every quarter of the time above the one before, the last one's least above the first one's most. */
static bool is_rising(const struct series *s)
{
	double start = s->t_s[0], span = s->t_s[s->n - 1] - start;
	double lo[QUARTERS], hi[QUARTERS];
	size_t n[QUARTERS] = {0};

	for (size_t i = 0; i < s->n; i++) {
		int q = (int)((s->t_s[i] - start) / span * QUARTERS);
		double c = s->count[i];

		q = q < QUARTERS ? q : QUARTERS - 1;
		lo[q] = n[q] && lo[q] < c ? lo[q] : c;
		hi[q] = n[q] && hi[q] > c ? hi[q] : c;
		n[q]++;
	}
	for (int q = 0; q < QUARTERS; q++)
		if (n[q] < 2 || (q > 0 && (lo[q] <= lo[q - 1] || hi[q] <= hi[q - 1])))
			return false;
	return lo[QUARTERS - 1] > hi[0];
}

static double seconds_to(double missing, double per_s)
{
	if (missing <= 0)
		return 0;
	return per_s > 0 ? missing / per_s : INFINITY;
}

void series_growth(const struct series *s, double limit, struct growth *out)
{
	struct line line;
	double error, missing;

	*out = (struct growth){.samples = s->n, .limit_s = -1, .limit_soonest_s = -1, .limit_latest_s = -1};
	if (s->n > 0)
		out->span_s = s->t_s[s->n - 1] - s->t_s[0];
	if (!fit_line(s, &line))
		return;
	error = T_95 * line.slope_error;
	out->known = true;
	out->per_min = line.slope * 60;
	out->error_per_min = error * 60;
	out->alarm = s->n >= ALARM_SAMPLES && out->span_s >= ALARM_SPAN_S && line.slope > 0 &&
		     line.slope > MIN_T_VALUE * line.slope_error && is_rising(s);
	if (!(limit > 0))
		return;
	missing = limit - s->count[s->n - 1];
	out->limit_s = seconds_to(missing, line.slope);
	out->limit_soonest_s = seconds_to(missing, line.slope + error);
	out->limit_latest_s = seconds_to(missing, line.slope - error);
}
