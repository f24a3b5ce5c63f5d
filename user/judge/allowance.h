/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How much CPU time the probes may take of a process: a share of each second, and a little at once, for what
 * comes in bursts. Pure arithmetic.
 */
#ifndef JNITRACE_ALLOWANCE_H
#define JNITRACE_ALLOWANCE_H

#include <stdbool.h>
#include <stdint.h>

#define ALLOWANCE_BURST_NS 50e6 /* of CPU time */

struct allowance {
	double share; /* of one CPU: 0.01 is 1 % */
	uint64_t since_ns;
	double left_ns;
};
struct allowance allowance_begin(double share, uint64_t now_ns);
/* So much was taken since the last time; false: that was too much. */
bool allowance_take(struct allowance *a, double taken_ns, uint64_t now_ns);

#endif
