/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Two reports side by side, A and B, as plain data: what is new in B, grown, shrunk, gone or the same. */
#ifndef JNITRACE_COMPARISON_H
#define JNITRACE_COMPARISON_H

#include "model/report.h"

enum change { CHANGE_NEW, CHANGE_GROWN, CHANGE_SAME, CHANGE_SHRUNK, CHANGE_GONE, NR_CHANGES };
extern const char *const change_names[NR_CHANGES]; /* "new", ... */
/* By what something of A was found in B: both have it under one id, under the same names, or from one caller
 * in two builds. */
enum matched { MATCHED_NOT, MATCHED_ID, MATCHED_NAMES, MATCHED_CALLER, NR_MATCHED };
extern const char *const matched_names[NR_MATCHED]; /* NULL, "id", "names", "caller" */
/* A's numbers are taken as they are, or times what B took longer, or times what B called more. */
enum per { PER_RUN, PER_SECOND, PER_CALL, NR_PER };
extern const char *const per_names[NR_PER]; /* "run", ... */

struct compared {
	enum change change;
	enum matched matched;
	uint64_t a, b; /* outstanding, or how often it was found; 0 where there is none */
	int64_t delta; /* b less a, where a was multiplied as asked */
	bool unknown;  /* numbers are not known */
	bool growth;   /* it has grown, from nothing perhaps, or the verdict growing is new */
};
struct compared_site {
	struct compared is;
	const struct report_site *a,
	    *b;            /* NULL: none. Of several of the same names that with most outstanding */
	size_t nr_a, nr_b; /* how many those are */
};
struct compared_class {
	struct compared is;
	const char *family, *name;
};
struct compared_finding {
	struct compared is;
	const struct report_finding *a, *b; /* NULL: none */
};
/* A file with code that both have, of two builds. */
struct compared_module {
	const char *name, *build_id_a, *build_id_b; /* build ids: NULL: unknown */
};
/* Where a side comes from. */
struct comparison_side {
	const struct report *report; /* NULL: this target is on the other side alone */
	const char *file;            /* NULL: not of a file */
	const char *version;         /* of jnitrace that wrote it; NULL: not known */
};
/* All that it points to belongs to the reports. */
struct comparison {
	struct comparison_side a, b;
	enum per per;
	struct {
		struct compared_site *v;
		size_t n, cap;
	} sites; /* growth first, then the largest difference */
	bool classes_known;
	struct {
		struct compared_class *v;
		size_t n, cap;
	} classes; /* likewise */
	struct {
		struct compared_finding *v;
		size_t n, cap;
	} findings; /* likewise */
	struct {
		struct compared_module *v;
		size_t n, cap;
	} modules;
};

#endif
