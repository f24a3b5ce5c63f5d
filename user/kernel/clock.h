/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef JNITRACE_CLOCK_H
#define JNITRACE_CLOCK_H

#include "kernel/tracer_priv.h"

/* One moment by the kernel's two clocks. */
struct clock_reading {
	uint64_t monotonic_ns;
	uint32_t tick; /* the clock of the references */
	double tick_s; /* seconds of one tick */
};
/* 0 or -errno. */
int clock_read(struct tracer *t, struct clock_reading *out);

#endif
