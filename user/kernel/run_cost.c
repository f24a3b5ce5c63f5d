/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "kernel/run_cost.h"

#include <stdlib.h>
#include <string.h>

#define ENOUGH_RUNS   8        /* in a sum, or: */
#define ENOUGH_NS     200000.0 /* of runs that take long */
#define LONG_AGO      50       /* sums */
#define REMEMBER_RUNS 20000    /* beyond, older ones count less and less */

bool run_cost_add(struct run_cost *c, uint64_t ns, uint64_t runs)
{
	if (!runs)
		return false;
	c->ns += (double)ns;
	c->runs += (double)runs;
	if (c->runs > REMEMBER_RUNS) {
		c->ns /= 2;
		c->runs /= 2;
	}
	if ((double)ns > RUN_COST_MOST_NS) {
		if (++c->nr_long >=
		    LONG_AGO) /* there are no others any more: the average of all is all there is */
			c->nr_some = 0;
		return true;
	}
	c->nr_long = 0;
	if (runs >= ENOUGH_RUNS || (double)ns >= ENOUGH_NS)
		c->some_ns[c->nr_some++ % RUN_COST_SOME] = (double)ns / (double)runs;
	return false;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double run_cost_ns(const struct run_cost *c)
{
	size_t n = c->nr_some < RUN_COST_SOME ? c->nr_some : RUN_COST_SOME;
	double some_ns[RUN_COST_SOME];

	if (!n)
		return c->runs > 0 ? c->ns / c->runs : -1;
	memcpy(some_ns, c->some_ns, sizeof(some_ns));
	qsort(some_ns, n, sizeof(some_ns[0]), compare);
	return some_ns[n / 2];
}

void run_cost_forget(struct run_cost *c)
{
	if (c->runs > 1) {
		c->ns /= c->runs;
		c->runs = 1;
	}
	c->nr_some = 0;
}
