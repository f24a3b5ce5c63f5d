/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* When sites were seen for the first time, and last: acquired since the report before. In seconds since
 * attach. */
#ifndef JNITRACE_SEEN_H
#define JNITRACE_SEEN_H

#include <stdbool.h>

#include "base/hash.h"

#define SEEN_MOST 16384 /* sites; of more it is not known */

struct seen { /* start zeroed */
	struct hash index;
	struct {
		struct seen_site {
			uint64_t acquired;
			double first_s, last_s;
		} * v;
		size_t n, cap;
	} sites;
};
/* So much was acquired by then, which is later than what was noted before. 0 or -ENOMEM. */
int seen_note(struct seen *s, uint64_t a, uint64_t b, uint64_t acquired, double t_s);
/* NULL: not known. */
const struct seen_site *seen_find(const struct seen *s, uint64_t a, uint64_t b);
void seen_free(struct seen *s);

#endif
