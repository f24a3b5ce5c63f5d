/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Moments of a recording that one can be at again at once, in bounded memory: all that are near to where one
 * is, and of the others as many as have room, evenly; always the first and the last.
 */
#ifndef JNITRACE_MARKS_H
#define JNITRACE_MARKS_H

#include "record/recording.h"

struct marks { /* start zeroed but for this: */
	uint64_t most_bytes;

	struct mark {
		size_t at; /* the moment, from 1 */
		struct recording_mark *mark;
	} * v; /* sorted by it */
	size_t n, cap;
	uint64_t bytes;
};
#define MARKS_NEAR 32 /* moments */

/* Take it, unless there is one of that moment; others go for it, far from now. 0 or -ENOMEM: it is freed. */
int marks_add(struct marks *m, size_t at, struct recording_mark *mark, size_t now);
/* The last of the near moments before this one that has none; 0: all have one. */
size_t marks_missing(const struct marks *m, size_t at);
/* The last one that is not behind this moment; NULL: none. */
const struct mark *marks_find(const struct marks *m, size_t at);
void marks_free(struct marks *m);

#endif
