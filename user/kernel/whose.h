/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is to be deleted of a target. For this room only. */
#ifndef JNITRACE_WHOSE_H
#define JNITRACE_WHOSE_H

#include <stdbool.h>
#include <stdint.h>

/* What is to be deleted: all of a target, or of some of its families. */
struct whose {
	uint32_t target_id;
	uint32_t families; /* bit per enum family_id; 0: all there is, and the rest is not needed: */
	uint32_t nr_sites;
	const uint8_t *family_of; /* by site number; FAMILY_NONE: another target's */
	uint64_t *held;           /* by site number: live ones that were deleted are added */
};

/* Is this site of one of the families? */
static inline bool whose_site(const struct whose *w, uint32_t site)
{
	return site < w->nr_sites && w->families >> w->family_of[site] & 1;
}

#endif
