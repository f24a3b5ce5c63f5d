/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which of two stands first, for qsort(). */
#ifndef JNITRACE_ORDER_H
#define JNITRACE_ORDER_H

#include <stdbool.h>
#include <string.h>

#define MORE_FIRST(a, b) (((a) < (b)) - ((a) > (b)))

/* Either may be NULL, which stands last. */
static inline int compare_text(const char *a, const char *b)
{
	return a == b ? 0 : a && b ? strcmp(a, b) : !a - !b;
}

static inline bool is_same(const char *a, const char *b)
{
	return compare_text(a, b) == 0;
}

#endif
