/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the browser is looking at, for its panels and keys. See browser.h. */
#ifndef JNITRACE_SCREEN_STATE_H
#define JNITRACE_SCREEN_STATE_H

#include <stdbool.h>

#include "screen/class_names.h"
#include "screen/filter.h"
#include "screen/page.h"
#include "screen/seen.h"
#include "screen/timeline.h"
#include "screen/trends.h"
#include "view/alike.h"
#include "view/columns.h"

enum panel_id { PANEL_TABLE, PANEL_SITE, PANEL_FINDINGS, PANEL_FAMILIES, PANEL_HELP, NR_PANELS };
#define PANEL_BIT(panel) (1U << (panel))
#define PANELS_ALL       (PANEL_BIT(NR_PANELS) - 1)
#define PANELS_OF_PAGES  (PANELS_ALL & ~PANEL_BIT(PANEL_TABLE))

#define FILE_BYTES 256
#define TOLD_BYTES 512
#define NAME_BYTES 128
/* What a row of the table is, whatever its numbers are now. */
struct row_key {
	uint64_t a, b;
};
struct table {
	enum group_by group;
	const struct column *sort; /* NULL: what grows comes first, else the group's default */
	bool reverse;
	struct rows rows;     /* those that the filter lets pass, sorted */
	struct row_key *keys; /* of each of them, */
	struct class_parts *parts;
	struct alike alike; /* as they looked the last time */
	bool by_function; /* of those shown some sites read the same, and differ by the function they call */
	size_t all;       /* how many there are without the filter */
	struct row_key chosen;
	bool moved;                      /* by a person: until then the first row is the chosen one */
	size_t at, top;                  /* the chosen one among the rows, and the first that is shown */
	int shown;                       /* rows on the screen, as drawn last */
	int head_row;                    /* where they begin there */
	int column_at[32];               /* where each column begins there, */
	const struct column *column[32]; /* and what it is sorted by; NULL: nothing */
	size_t nr_columns;
};
/* What there was when b was pressed. */
struct baseline {
	bool on;
	double at_s;
	struct hash index; /* of rows: to counts, + 1 */
	struct {
		uint64_t *v;
		size_t n, cap;
	} counts;
};
struct browser {
	const struct view_request *request;
	struct {
		const struct report **v;
		size_t n, cap;
	} reports;
	struct timeline time;
	bool paused;
	enum panel_id panels[NR_PANELS]; /* the last one is shown; Esc goes to the one before */
	size_t depth;
	struct table table;
	bool overview;         /* several targets: a row each is where one begins */
	struct row_key target; /* the one that was opened there; 0: all */
	struct {
		int pid;
		char name[NAME_BYTES];
		enum end_reason reason; /* it has ended; NOT_ENDED: that is not known */
	} opened_target;                /* who that is, as it may be gone */
	bool no_pane;                   /* nothing below the table of the chosen row */
	struct filter filter;
	struct row_key within; /* where filter.of_row: the row whose sites are shown, */
	enum group_by within_group;
	struct trends trends;
	size_t turn; /* of the groups that have curves: counts readings */
	struct seen seen;
	struct baseline baseline;
	struct {
		bool typing; /* keys go into its name */
		char name[FILE_BYTES];
	} file; /* to write to */
	struct {
		bool typing;
		char name[FILE_BYTES];
	} by; /* the column to sort by, by its name */
	struct {
		uint32_t may;       /* be switched, see browser_set_families(); */
		uint32_t on, asked; /* as it is, and as it is once the last WISH_SWITCH is granted */
		bool is_asked;      /* and that is not granted yet */
		uint32_t wanted;    /* as the page has it, until Enter */
		int at;             /* the one under the cursor */
	} families;
	char told[TOLD_BYTES]; /* what stands in place of the keys; empty: nothing does */
	struct row_key opened; /* in PANEL_SITE */
	struct page page;      /* of a panel that is text */
	int page_top, page_rows, page_columns;
};

static inline enum panel_id panel_of(const struct browser *b)
{
	return b->panels[b->depth - 1];
}
/* Have the rows of the table curves? Those of groups are of all targets together. */
bool has_curves(const struct browser *b);
/* Have references classes? Not where no family of JNI is traced. */
bool has_classes(const struct browser *b);
/* Has some process a runtime whose methods call the libraries? */
bool has_callers(const struct browser *b);
/* Is it a recording, and not live? */
static inline bool is_recorded(const struct browser *b)
{
	return b->time.n > 0;
}

void panel_open(struct browser *b, enum panel_id panel);
/* false: there is none before. */
bool panel_back(struct browser *b);

/* The reports that are looked at: of one target, or of all. */
struct looked_at {
	const struct report *const *v;
	size_t n;
};
struct looked_at reports_of(const struct browser *b);
struct row_key key_of_target(const struct report_target *t);
/* Look at this one alone, by its sites. */
void target_open(struct browser *b, const struct report_target *t);
/* Its last report was made. Of one that is looked at, or beside which there is only one, it is told. */
void target_ended(struct browser *b, const struct report_target *t, enum end_reason reason);
/* The one that is looked at is not among the reports: look at what there is, and tell it. */
void target_gone(struct browser *b);

/* Seconds since attach, of all reports the most. */
double now_of(const struct browser *b);
/* The rows anew: the reports, the group, the order or the filter have changed. 0 or -ENOMEM. */
int table_make(struct browser *b);
void table_free(struct table *t);
/*
 * Of the rows that are shown, from top on: how much of a class tells it from others, and by_function. Without
 * memory they are as they were.
 */
void table_tell_apart(struct table *t);
/* Another row is selected; the one that is nearest, when there is none so far. */
void table_choose(struct table *t, size_t at);
/* NULL: there is none. */
const struct row *table_chosen(const struct table *t);
const struct column *table_sort(const struct table *t);
/* Can its rows be sorted by it? */
bool table_has(const struct table *t, const struct column *c);

struct row_key row_key_of(const struct row *r, enum group_by group);
static inline bool is_same_row(struct row_key a, struct row_key b)
{
	return a.a == b.a && a.b == b.b;
}
/* The report that a row is of; NULL: of several, or gone. */
const struct report *report_of_row(const struct browser *b, const struct row *r);
/* The site that is opened, and its report; NULL: it is there no more. */
const struct report_site *site_opened(const struct browser *b, const struct report **of);
/* Of a site, for its curve. */
struct row_key key_of_site(const struct report *r, const struct report_site *s);
/* Of a family's total: of one target, by key_of_target(), or of all together ({0}). */
struct row_key key_of_family(enum family_id family, struct row_key target);

/* Remember what there is now, or forget it. 0 or -ENOMEM. */
int baseline_toggle(struct browser *b);
void baseline_forget(struct baseline *l);
/* What a row had then; false: it was not there. */
bool baseline_of(const struct browser *b, struct row_key key, uint64_t *count);

#endif
