/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The targets of two recordings, each compared with its like: with that of the same name (main class or jar
 * file, else its command), the first with the first where there are several; with the other one whatever
 * their names are, where there is one on either side.
 */
#ifndef JNITRACE_COMPARE_TARGETS_H
#define JNITRACE_COMPARE_TARGETS_H

#include "judge/compare.h"
#include "run/options.h"

struct comparisons { /* start zeroed */
	struct comparison *v;
	size_t n, cap;
};
/*
 * o->pids and o->names, where there are any: of which targets of either side; one of those that are alike is
 * enough. 0 or -ENOMEM; to be freed in either case.
 */
int compare_targets(const struct options *o, struct report *const *a, size_t n_a, struct report *const *b,
		    size_t n_b, enum per per, struct comparisons *out);
void comparisons_free(struct comparisons *c);

#endif
