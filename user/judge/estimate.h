/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From what was counted of one handle in so many to estimates of all (model/sample.h). */
#ifndef JNITRACE_ESTIMATE_H
#define JNITRACE_ESTIMATE_H

#include "model/report.h"
#include "model/snapshot.h"

/*
 * one_in: of level 0, 1: each; level: now, most_level: the highest that ever was (struct level_key). The
 * numbers of a site and of a family are in handles of level 0. threads: those of the site. The verdict stays
 * that of the handles which were followed, as if all stood for the most: to it they come and go by chance, as
 * those of any program do.
 */
void estimate_site(struct report_site *s, struct report_thread *threads, uint64_t one_in,
		   unsigned most_level);
void estimate_family(struct report_family *f, uint64_t one_in, unsigned level, unsigned most_level);
/*
 * What was acquired and released of these families, in handles of level 0, and as outstanding what was
 * acquired and is not lost: by the sites, as only these tell the level. Others stay as they are.
 */
void estimate_totals(const struct snapshot *snapshot, const struct catalog *catalog, uint32_t sampled,
		     struct report_family families[NR_FAMILIES]);

#endif
