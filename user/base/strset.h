/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Interned strings: each text is kept once, so its pointer stays valid and tells it from others. */
#ifndef JNITRACE_STRSET_H
#define JNITRACE_STRSET_H

#include <stddef.h>

struct strset {      /* start zeroed */
	char **slot; /* open addressing; NULL: free */
	size_t n, cap;
	size_t bytes; /* of all texts */
};
/* The one copy of text, alive until strset_free(). NULL when memory is exhausted. */
const char *strset_add(struct strset *s, const char *text);
void strset_free(struct strset *s);

#endif
