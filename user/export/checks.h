/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What was asserted and how it turned out, for programs that collect the results of tests. */
#ifndef JNITRACE_CHECKS_H
#define JNITRACE_CHECKS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/util.h"

enum check_result { CHECK_HOLDS, CHECK_FAILS, CHECK_NOT_KNOWN };
/* Strings are not owned. */
struct check {
	const char *name; /* the expression */
	enum check_result result;
	const char *message; /* what it was, in a line */
	const char *details; /* who is to blame, in lines; may be NULL */
	const char *file;    /* of the source, of who is to blame most; NULL: not known */
	int line;
};
struct check_suite {
	const char *name;
	double time_s;
	const struct check *v;
	size_t n;
};

/* As JUnit's XML (tests/checks/junit.xsd), a suite each. Out of memory: out->failed. */
void checks_junit(struct buf *out, const struct check_suite *suites, size_t n);
/* As version 14 of the Test Anything Protocol. */
void checks_tap(struct buf *out, const struct check_suite *suite);
/* As annotations of GitHub's: a line for each that does not hold. */
void checks_github(struct buf *out, const struct check_suite *suite);

#endif
