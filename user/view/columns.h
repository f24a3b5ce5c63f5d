/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The columns of the tables, one row each: it feeds the tables, --sort, --help and the tests. */
#ifndef JNITRACE_COLUMNS_H
#define JNITRACE_COLUMNS_H

#include "base/util.h"
#include "model/report.h"
#include "view/cells.h"
#include "view/view_opts.h"

/* One line of a table: a site, or sites taken together. Points into reports, owns nothing. */
struct row {
	int64_t peak;                        /* of local references in one native call; 0: unknown, or none */
	bool unknown;                        /* how many are outstanding is not known */
	const struct report_target *target;  /* NULL: several */
	const struct report_site *site;      /* NULL: several */
	enum func_id func;                   /* FUNC_NONE: several */
	const char *func_name, *family_name; /* of func, family; NULL: several */
	const char *class;                   /* of the objects; NULL: several, or unknown */
	struct report_of of; /* where that is java.lang.Class: which; name NULL: another class, or unknown */
	size_t more_of;      /* of how many more; of is that of most of the references */
	int tid;             /* 0: several, or unknown */
	uint64_t thread_start_ns;
	const char *thread;      /* its name; NULL: several, or unknown */
	const char *module;      /* in a table of libraries: whose call it was, as in report_library; */
	const char *module_path; /* NULL: unknown */
	const char *caller;      /* in a table of callers: see frames_java_caller(); NULL: unknown */
	bool before;             /* what was there at attach, of class, or of all classes; */
	bool typed;              /* its references have classes */
	bool in_sites;           /* in a table of sites, where SITE says the class */
	enum family_id family;   /* of those */
	uint64_t acquired, released, outstanding;
	uint64_t held_before;       /* of outstanding, where rows are processes: there already at attach */
	uint64_t one_in, estimated; /* of outstanding so many are an estimate, by one handle in one_in */
	double oldest_s;            /* -1: nothing outstanding */
	int64_t bytes;              /* pinned; -1: unknown, or no pins */
	double rate_per_s, acquired_per_s;
	size_t nr_sites;
	size_t order;              /* where it came: the last tie-break */
	enum site_verdict verdict; /* the worst of its sites' */
	double ready_in_s;         /* while that is unknown: the nearest of theirs; 0: there is none */
	size_t differs[2];         /* see rows_tell_apart(); NO_FRAME: none */
	bool by_offset;            /* and there by nothing but the offset */
};
#define NO_FRAME SIZE_MAX
struct rows {
	struct row *v;
	size_t n, cap;
};

#define COLUMN_PAIRED (1U << 31)
struct column {
	const char *key, *header, *help;
	enum cells_align align;
	uint32_t
	    groups; /* bit per enum group_by: whose tables have it; COLUMN_PAIRED: not with --count-only */
	int least;  /* may be cut to this many cells where it is tight; 0: never */
	int room;   /* shown while this many cells are left for the last column; 0: always */
	/* NULL, or: has it something to say of this row? Shown when it has of one at least. */
	bool (*says)(const struct row *r);
	/* < 0: a stands before b when sorted by this column. */
	int (*compare)(const struct row *a, const struct row *b);
	/* width: cells there are; only the last column may make use of it. */
	void (*format)(struct buf *out, const struct row *r, int width);
	bool late; /* it is cut when nothing else can be */
	int min;   /* cells it has at least, so that columns do not jump when numbers change */
	bool tail; /* when it is cut, its end stays: of a class the package says least */
};
extern const struct column columns[];
extern const size_t nr_columns;

/* NULL: no such key. */
const struct column *column_find(const char *key);
/* What a table is sorted by when nobody says: sites that grow, and then the most outstanding first. */
const struct column *column_default(enum group_by by);

/* A row for each site, or group of them, of n reports; targets in the order given. 0 or -ENOMEM. */
int rows_make(const struct report *const *reports, size_t n, enum group_by by, struct rows *out);
/* Sort; what is equal by this column goes by outstanding, rate, acquired, then as it came. */
void rows_sort(struct rows *rows, const struct column *by);
void rows_free(struct rows *rows);
/* Sort the report's sites likewise, by a column's key (NULL: what grows, then outstanding). -EINVAL: no such
 * key, -ENOMEM. */
int report_sort(struct report *r, const char *key);

/* "130", of what is sampled with its error: "130 +-45"; "?": not known. */
void row_put_outstanding(struct buf *out, const struct row *r);
/* The frame a site is named after: see frames_caller(). */
const struct frame *site_frame(const struct report_site *s);
/* "symbol", else "module+0x11e3", else "0x7f0011e3". Not cleaned. */
void frame_name(struct buf *out, const struct frame *f);
/* "leak.c:9", "leak.c" or nothing. Not cleaned. */
void frame_location(struct buf *out, const struct frame *f);

#endif
