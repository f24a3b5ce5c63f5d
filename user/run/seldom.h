/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Work that is done more seldom the more of a CPU it takes, so that it takes no more than a part of one; but
 * at least every so often. By one thread.
 */
#ifndef JNITRACE_SELDOM_H
#define JNITRACE_SELDOM_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/util.h"

/* What part of a CPU it may take, above 0, and how long to wait for it at the most. */
struct seldom_rule {
	double part, most_s;
};
/* Starts with zeros: it is due. */
struct seldom {
	uint64_t began_ns, due_ns; /* CLOCK_MONOTONIC */
};

static inline bool seldom_is_due(const struct seldom *s)
{
	return clock_ns(CLOCK_MONOTONIC) >= s->due_ns;
}

/* It is done now. */
static inline void seldom_begin(struct seldom *s)
{
	s->began_ns = s->due_ns = clock_ns(CLOCK_MONOTONIC);
}

/* What was done since seldom_begin(), or a piece of it, took so much of a CPU. */
static inline void seldom_took(struct seldom *s, uint64_t cpu_ns, const struct seldom_rule *rule)
{
	uint64_t latest_ns = s->began_ns + (uint64_t)(rule->most_s * 1e9);

	s->due_ns += (uint64_t)((double)cpu_ns / rule->part);
	if (s->due_ns > latest_ns)
		s->due_ns = latest_ns;
}

#endif
