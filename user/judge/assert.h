/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a run is held against: --assert EXPR.
 *
 *	EXPR  = COMPARE { "&&" COMPARE }
 *	COMPARE = VALUE ( "<" | "<=" | "==" | "!=" | ">=" | ">" ) NUMBER
 *	VALUE = FAMILY "." COUNT                  global, weak, local, ...: of all but what the JDK itself
 *holds | "site" "(" TEXT ")" "." COUNT     of sites whose caller is in this library, or this function |
 *"class" "(" TEXT ")" ".outstanding"       references to objects of this class | "findings" [ "(" KIND ")" ]
 *how many different ones | "leak.growing"                    sites that grow | "drops" [ "(" REASON ")" ]
 *what was lost COUNT = "outstanding" | "acquired" | "released" TEXT  = in "" or '', where * stands for any
 *text NUMBER = decimal digits
 *
 * A value is the sum over all JVMs of the run. What cannot be known, because it was not traced, was lost, or
 * there was too little time to judge, is not known: such a comparison does not hold.
 */
#ifndef JNITRACE_ASSERT_H
#define JNITRACE_ASSERT_H

#include "judge/suppress.h"
#include "model/catalog.h"
#include "model/report.h"

#define ASSERT_MAX_TERMS 16
#define ASSERT_MAX_TEXT  256
#define ASSERT_MAX_WHY   192

enum assert_kind { ASSERT_FAMILY, ASSERT_SITE, ASSERT_CLASS, ASSERT_FINDINGS, ASSERT_GROWING, ASSERT_DROPS };
enum assert_count { COUNT_OUTSTANDING, COUNT_ACQUIRED, COUNT_RELEASED, NR_ASSERT_COUNTS };
enum assert_compare { CMP_LT, CMP_LE, CMP_EQ, CMP_NE, CMP_GE, CMP_GT, NR_ASSERT_COMPARES };
struct assert_term {
	enum assert_kind kind;
	enum assert_count count;
	enum family_id family;
	char text[ASSERT_MAX_TEXT]; /* pattern, kind, reason; "": all */
	enum assert_compare compare;
	uint64_t number;
	size_t from, to; /* where it stands in the expression */
	/* --- of all JVMs until now --- */
	uint64_t value;
	char not_known[ASSERT_MAX_WHY]; /* "": all is known */
};
struct assertion {
	const char *text; /* not owned */
	struct assert_term term[ASSERT_MAX_TERMS];
	size_t n;
};

/*
 * text: lives as long as out. 0, or -EINVAL with the column, from 1, and the reason, a literal or a text of
 * why.
 */
int assert_parse(const char *text, const struct catalog *catalog, struct assertion *out, size_t *column,
		 char why[ASSERT_MAX_WHY]);
/* Does it ask for the classes of objects? */
bool assert_needs_classes(const struct assertion *a);

/* What one JVM's last report says of a term. suppressed: left out, may be NULL. */
struct assert_part {
	uint64_t value;
	char not_known[ASSERT_MAX_WHY];
};
void assert_part(const struct assert_term *t, const struct report *r, struct suppressions *suppressed,
		 struct assert_part *out);
/* Add it. */
void assert_add(struct assert_term *t, const struct assert_part *p);

enum assert_result { ASSERT_HOLDS, ASSERT_FAILS, ASSERT_NOT_KNOWN };
/* Of a value; not_known "": it is known. */
enum assert_result assert_compare(const struct assert_term *t, uint64_t value, const char *not_known);
/* Of all its terms: one that fails decides, then one that is not known. */
enum assert_result assert_judge(const struct assertion *a);

/* Is the caller one of the JDK's own libraries? What these hold counts against nobody. */
bool assert_is_own(const struct report *r, const struct report_site *s);
/* Does this site, or finding, count for the value? For showing who is to blame. */
bool assert_counts_site(const struct assert_term *t, const struct report *r, const struct report_site *s);
bool assert_counts_finding(const struct assert_term *t, const struct report_finding *f);

#endif
