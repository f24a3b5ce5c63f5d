/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Do the reference tables of a JVM grow, of which classes, and do local references and attached threads? */
#ifndef JNITRACE_CENSUS_WATCH_H
#define JNITRACE_CENSUS_WATCH_H

#include "judge/verdicts.h"
#include "model/census.h"

/* Growth of a JVM's tables, of its local references in all and of each thread, of the threads that native
 * code attached and, where they are read, of its classes. */
struct census_watch; /* opaque */
int census_watch_new(struct census_watch **out);
void census_watch_free(struct census_watch *w);
/* Take a reading over. 0 or -ENOMEM. */
int census_watch_add(struct census_watch *w, const struct census *c);
/* Set all growth of c, and the time until each table and class is at limit (0: none). */
void census_watch_judge(const struct census_watch *w, double limit, struct census *c);
/* How a table went, by as many points as there is room for; none: n is 0. */
void census_watch_curve(const struct census_watch *w, enum vm_table table, struct curve *out);

#endif
