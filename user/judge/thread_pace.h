/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How fast the part of a call site grows that each thread holds. */
#ifndef JNITRACE_THREAD_PACE_H
#define JNITRACE_THREAD_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/report.h"

#define THREAD_PACE_S 15

/* What a thread held at the beginning of this part of its time, and of the part before. */
struct thread_pace {
	uint64_t held[2];
	double at_s[2];
};

/* Of a thread that is new, which held so many when it was looked at last. */
struct thread_pace thread_pace_begin(uint64_t held, double at_s);
/*
 * Sets paced and rate_per_s of n threads at this second: over the last 15 to 30 s, at the end over the whole
 * run. each: stands for so many. p: of each of them.
 */
void thread_paces(struct report_thread *threads, struct thread_pace *p, size_t n, double elapsed_s,
		  bool final, uint64_t each);

#endif
