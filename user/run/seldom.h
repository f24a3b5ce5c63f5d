/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Work that is done more seldom the longer it takes, so that it takes no more than a part of a CPU. */
#ifndef JNITRACE_SELDOM_H
#define JNITRACE_SELDOM_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/util.h"

/* Starts with zeros: it is due. */
struct seldom {
	uint64_t due_ns; /* CLOCK_MONOTONIC */
};

static inline bool seldom_is_due(const struct seldom *s)
{
	return clock_ns(CLOCK_MONOTONIC) >= s->due_ns;
}

/* A piece of it began at start_ns, and ended now. part: of a CPU that it may take, above 0. */
static inline void seldom_took(struct seldom *s, uint64_t start_ns, double part)
{
	uint64_t took_ns = clock_ns(CLOCK_MONOTONIC) - start_ns;

	s->due_ns = (s->due_ns > start_ns ? s->due_ns : start_ns) + (uint64_t)((double)took_ns / part);
}

#endif
