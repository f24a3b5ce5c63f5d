/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What somebody may have meant: the names that are nearest to the one that was given. */
#ifndef JNITRACE_NEAR_H
#define JNITRACE_NEAR_H

#include <stddef.h>

#define NEAR_NAMES 3
#define NEAR_SHOWN 200 /* bytes of a name that are shown */

/* The nearest so far, the first is nearest; start zeroed. */
struct near {
	char shown[NEAR_NAMES][NEAR_SHOWN];
	size_t far[NEAR_NAMES];
	size_t n;
};

/* A name that there is, compared by key; once each. */
void near_add(struct near *of, const char *wanted, const char *key, const char *shown);
/* "thing_new, thing_next"; "": none is near. */
void near_put(const struct near *of, char *out, size_t cap);

#endif
