/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The reports of several targets as one: how each number of a report is taken together with its like. */
#ifndef JNITRACE_POOL_H
#define JNITRACE_POOL_H

#include "model/report.h"

/*
 * Fill out with the n >= 1 reports taken together; they have one catalog.
 * - Counts, rates and the targets' CPU time add up; a sum with one unknown is unknown.
 * - The time elapsed and what one event costs are those of the target that has the most.
 * - What is of the whole run and thus equal in all (this process's CPU time, kernel memory, the drop
 *   prog_missed) is not added up.
 * - What is not known of one is not known; final: all are; the end's reason: that of all.
 * - Lists (sites, findings, libraries, what was there before) are of one target each, and empty here, as is
 *   the target when there are several.
 * A family or --check counts where it was traced. out owns nothing.
 */
void report_pool(const struct report *const *reports, size_t n, struct report *out);

#endif
