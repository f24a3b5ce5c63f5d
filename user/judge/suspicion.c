/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* When to trace. See suspicion.h. */
#include "judge/suspicion.h"

#include <math.h>

struct suspicion suspicion_begin(double share, double now_s)
{
	return (struct suspicion){
	    .share = share, .seen_s = now_s, .growing_s = -1, .begun_s = -1, .ended_s = -1};
}

void suspicion_grows(struct suspicion *s, bool grows, double now_s)
{
	if (!grows)
		s->growing_s = -1;
	else if (s->growing_s < 0)
		s->growing_s = now_s;
}

/* The number of the period that a moment is in; periods begin at the JVM's own place. */
static double period(const struct suspicion *s, const struct window_rules *r, double at_s)
{
	return floor(at_s / r->every_s - s->share);
}

enum window_reason suspicion_due(const struct suspicion *s, const struct window_rules *r, double now_s)
{
	double last_s = s->begun_s >= 0 ? s->begun_s : s->seen_s;

	if (s->asked)
		return WINDOW_REQUEST;
	if (s->growing_s >= 0 && now_s - s->growing_s >= s->share * r->spread_s &&
	    (s->ended_s < 0 || now_s - s->ended_s >= r->rest_s))
		return WINDOW_GROWTH;
	if (r->every_s > 0 && period(s, r, now_s) > period(s, r, last_s))
		return WINDOW_SCHEDULE;
	return WINDOW_NONE;
}

void suspicion_opened(struct suspicion *s, double now_s)
{
	s->asked = false;
	s->begun_s = now_s;
}

void suspicion_ended(struct suspicion *s, double now_s)
{
	s->ended_s = now_s;
}
