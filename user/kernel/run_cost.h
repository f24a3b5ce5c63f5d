/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a run of a program takes, by sums that the kernel's clock makes of its runs. That clock goes on while
 * the program is preempted, where the kernel is (preempt=full): then most of a sum is what others took. So a
 * sum counts only if it is so short that nobody else had a turn in it, and of those the median of a few.
 */
#ifndef JNITRACE_RUN_COST_H
#define JNITRACE_RUN_COST_H

#include <stdbool.h>
#include <stdint.h>

#define RUN_COST_MOST_NS                                                                                     \
	1000000.0       /* a sum of more has somebody else's turn in it, or is not known not to              \
			 */
#define RUN_COST_SOME 7 /* averages that a median is taken of */

struct run_cost {
	double ns, runs;               /* of all sums, lately */
	double some_ns[RUN_COST_SOME]; /* of one run on average, by each short sum; a ring: */
	uint64_t nr_some;              /* that there ever were; */
	unsigned nr_long;              /* sums since the last of them that were too long */
};

/* So many runs have taken so long. Is the sum too long to count, so that a shorter one is wanted? */
bool run_cost_add(struct run_cost *c, uint64_t ns, uint64_t runs);
/* Nanoseconds. -1: not known. */
double run_cost_ns(const struct run_cost *c);
/* What a run does has changed: all that is known counts no more than one run of those to come. */
void run_cost_forget(struct run_cost *c);

#endif
