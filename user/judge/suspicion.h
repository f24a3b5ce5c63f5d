/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * When to trace a JVM that is otherwise only counted: when its tables grow, on a schedule, or because
 * somebody asks. Pure arithmetic on seconds of one clock that never goes back.
 */
#ifndef JNITRACE_SUSPICION_H
#define JNITRACE_SUSPICION_H

#include "model/window.h"

struct window_rules {
	double every_s; /* one on schedule; 0: none */
	/* Growth opens one at once, and again after so long at the earliest: what a window has said holds for
	 * a while. */
	double rest_s;
	/* What begins on many hosts at once, as a rollout does, is spread over so long. */
	double spread_s;
};
/* Of one JVM. */
struct suspicion {
	double share; /* 0 to below 1: its place in what is spread; of its host and process */
	double seen_s;
	double growing_s; /* since then; negative: it does not grow */
	double begun_s;   /* its last window did then, and */
	double ended_s;   /* ended; negative: there was none */
	bool asked;
};
struct suspicion suspicion_begin(double share, double now_s);
void suspicion_grows(struct suspicion *s, bool grows, double now_s);
/* The reason to open one now. */
enum window_reason suspicion_due(const struct suspicion *s, const struct window_rules *r, double now_s);
void suspicion_opened(struct suspicion *s, double now_s);
void suspicion_ended(struct suspicion *s, double now_s);

#endif
