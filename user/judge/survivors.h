/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How much of what each site holds is of some age already: what a verdict judges by. */
#ifndef JNITRACE_SURVIVORS_H
#define JNITRACE_SURVIVORS_H

#include "judge/history.h"
#include "model/named_site.h"
#include "model/snapshot.h"

/* Of a site, for each of the ages: those that are so old, and of these, those that were one snapshot ago.
 * Each counts for 1 << level of its site. */
struct survivors {
	uint32_t now[NR_AGES], kept[NR_AGES];
};

/*
 * Of the snapshot's references, sections and handles, by named site, as names->v. late_s: how long after the
 * snapshot it is now. born: ticks at which the youngest survivors of the last snapshot were acquired, zeros
 * at first; it becomes that of this one. *out is the caller's to free. 0 or -ENOMEM.
 */
int survivors_count(const struct named_sites *names, const struct snapshot *s, double late_s,
		    uint32_t born[NR_AGES], struct survivors **out);

#endif
