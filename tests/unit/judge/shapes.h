/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Made-up histories: each reference is born and dies as a shape says. The same seed makes the same history.
 */
#ifndef JNITRACE_SHAPES_H
#define JNITRACE_SHAPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "judge/verdicts.h"

#define NEVER 1e9

/* References, and what is read of them every second. */
struct model {
	struct {
		double born, dies;
	} * v;
	size_t n, cap;
	uint64_t seed;
};
struct model *model_new(uint64_t seed);
void model_free(struct model *m);
double uniform(struct model *m);
double exponential(struct model *m, double mean);
double normal(struct model *m);
void birth(struct model *m, double at, double life);
/* Born at random, so many a second; life: the mean, NEVER: for ever. */
void poisson(struct model *m, double from, double to, double per_s, double life);

/* Readings at every_s, 2 every_s, ... until seconds. Free them. */
struct reading *model_read(const struct model *m, double seconds, double every_s, bool ages, size_t *n);

struct shape {
	const char *name, *what;
	void (*make)(struct model *m, double seconds);
	double
	    told_s; /* of leaks: by then all but few are told to grow; of others: for so long none can tell */
};
extern const struct shape fine_shapes[], long_shapes[], leak_shapes[];
extern const size_t nr_fine_shapes, nr_long_shapes, nr_leak_shapes;

/* Counts that grow towards a limit. */
struct growing {
	const char *name, *what;
	uint64_t seed; /* from here on */
	/* So many samples, one a second, are seen; more follow, all are made. true growth a minute at the
	 * last that is seen. */
	double (*make)(struct model *m, double *count, size_t seen, size_t n);
};
extern const struct growing growing_shapes[], unseen_shapes[];
extern const size_t nr_growing_shapes, nr_unseen_shapes;

#endif
