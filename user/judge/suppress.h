/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Known faults of others, silenced: a file of lines
 *
 *	KIND:PATTERN
 *
 * as of LeakSanitizer. KIND is leak, for references that are outstanding and for findings of leaks, or a kind
 * of finding. PATTERN is a function, a Java method, a class or a library (base name or path) that must be
 * among the frames of a stack; * stands for any text. Several patterns with ; between them must be found from
 * the innermost frame outwards, in this order, as in a block of valgrind's. # begins a comment.
 */
#ifndef JNITRACE_SUPPRESS_H
#define JNITRACE_SUPPRESS_H

#include <stddef.h>

#include "model/report.h"

struct suppressions; /* opaque */

/* Does the text match, all of it? Time is at most the product of the lengths. */
bool pattern_matches(const char *pattern, const char *text);

/* 0, -ENOMEM, or -EINVAL with the line, from 1, and why, a literal. */
int suppressions_parse(const char *text, size_t n, struct suppressions **out, size_t *line, const char **why);
void suppressions_free(struct suppressions *s);
/* Is this one silenced? s may be NULL: none is. */
bool suppresses_site(const struct suppressions *s, const struct report_site *site);
bool suppresses_finding(const struct suppressions *s, const struct report_finding *f);
/* A JVM's last report: count what each line silences. */
void suppressions_count(struct suppressions *s, const struct report *r);
/* The i-th line, and what it silenced; false: there is none. */
struct suppression_used {
	const char *text;
	size_t line;
	uint64_t sites, references, findings;
};
bool suppression_used(const struct suppressions *s, size_t i, struct suppression_used *out);

#endif
