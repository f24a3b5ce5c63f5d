/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What has changed from one report to another. Sites and findings are matched by id first, then by the names
 * in their stacks (frames_name_key()), which two builds of one library have in common. Where several on
 * either side have the same names, they are matched in the order of their places in the code if there are as
 * many of both, and taken together if not: nobody knows which is new then.
 *
 * A compiler that optimises otherwise leaves out other frames (sibling calls, and functions it takes apart).
 * So sites of a library of which there are two builds, that neither id nor names match, are matched by what
 * is left of their stacks in every build: the JNI function, the function that calls it, and the Java frames.
 *
 * grown: more are outstanding than in A, or the verdict growing is new; shrunk: fewer. Of a site that comes
 * and goes on both sides (bounded or clean) the number of one moment is chance: it has changed when those
 * that are some seconds old have become more than twice as many, or less than half.
 */
#ifndef JNITRACE_COMPARE_H
#define JNITRACE_COMPARE_H

#include "model/comparison.h"

/* a or b may be NULL: that target is on one side alone. 0 or -ENOMEM; out is to be freed in either case. */
int compare_reports(const struct report *a, const struct report *b, enum per per, struct comparison *out);
void comparison_free(struct comparison *c);

/* What a comparison may be asked to fail on. */
enum fail_on_change { FAIL_ON_GROWTH, FAIL_ON_NEW, FAIL_ON_NEW_FINDING, NR_FAIL_ON_CHANGE };
extern const char *const fail_on_change_names[NR_FAIL_ON_CHANGE]; /* "growth", "new", "finding" */
/* Is there a site that grew; a site or finding that A has not; a finding that A has not? */
bool compare_fails(const struct comparison *c, enum fail_on_change on);

#endif
