/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Sites whose rows read the same, and the frames in which their stacks differ. */
#ifndef JNITRACE_ALIKE_H
#define JNITRACE_ALIKE_H

#include "base/hash.h"
#include "view/columns.h"

/* What was found of the same sites the last time: comparing a thousand deep stacks takes a millisecond. */
struct alike {             /* start zeroed */
	uint64_t sum;      /* of who they were, and where their frames are */
	struct hash index; /* of a site: to marks, + 1 */
	struct alike_mark *marks;
	size_t n;
};

/*
 * Of the first so many rows, in which frames do those differ that look alike: row.differs, by_offset. last:
 * what came of the last time, where frames that have the same place and site say the same; else NULL. 0 or
 * -ENOMEM.
 */
int rows_tell_apart(struct rows *rows, size_t shown, struct alike *last);
void alike_free(struct alike *last);

#endif
