/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reports of a moment that stay as they are, with all that they point to, whatever becomes of their targets:
 * a recording of that moment, in memory.
 */
#ifndef JNITRACE_FROZEN_H
#define JNITRACE_FROZEN_H

#include "record/recording.h"

struct frozen;
/* catalog: theirs. 0, or -errno. */
int frozen_make(const struct catalog *catalog, const struct report *const *reports, size_t n,
		struct frozen **out);
/* How many. */
size_t frozen_reports(const struct frozen *f, const struct report *const **out);
void frozen_free(struct frozen *f);

#endif
