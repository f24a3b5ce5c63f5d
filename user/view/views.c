/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The table of views, and what they share. */
#include "view/views.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "view/columns.h"

#define BATCH_ROWS         20
#define BATCH_STACK_FRAMES 5

const struct view views[] = {
    {"table", FORMAT_TABLE, view_table},
    {"json", FORMAT_JSON, view_json},
};
const size_t nr_views = ARRAY_LEN(views);

/* By https://no-color.org: set and not empty. */
static bool color_wanted(void)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	return !(no_color && *no_color) && term && strcmp(term, "dumb") != 0;
}

void view_opts_init(struct view_opts *v, const struct view_request *r, int width, int height, bool live)
{
	int frames = r->all_frames ? r->depth : live ? LIVE_STACK_FRAMES : BATCH_STACK_FRAMES;

	*v = (struct view_opts){
	    .width = width > VIEW_MIN_WIDTH ? width : VIEW_MIN_WIDTH,
	    .height = live && height > 0 ? height : 0,
	    .rows = r->rows >= 0         ? r->rows
		    : live && height > 0 ? 0
					 : BATCH_ROWS,
	    .color = width > 0 && color_wanted(),
	    .stacks = r->stacks,
	    .stack_frames = frames < r->depth ? frames : r->depth,
	    .sort = r->sort,
	    .group_by = r->group_by,
	    .count_only = r->count_only,
	};
}

bool frame_is_shown(const struct frame *f, enum stacks_shown stacks)
{
	switch (stacks) {
	case STACKS_NONE:
		return false;
	case STACKS_JAVA:
		return f->type == FRAME_JAVA;
	case STACKS_NATIVE:
		return f->type != FRAME_JAVA;
	default:
		return true;
	}
}

int report_sort(struct report *r, const char *key)
{
	const struct column *by = key ? column_find(key) : column_default(GROUP_SITE);
	const struct report *const reports[] = {r};
	struct report_site *sorted = NULL;
	struct rows rows = {0};
	int rc;

	if (!by)
		return -EINVAL;
	if (r->sites.n < 2)
		return 0;
	rc = rows_make(reports, 1, GROUP_SITE, &rows);
	if (rc == 0) {
		sorted = calloc(r->sites.n, sizeof(*sorted));
		rc = sorted ? 0 : -ENOMEM;
	}
	if (rc == 0) {
		rows_sort(&rows, by);
		for (size_t i = 0, n = 0; i < rows.n; i++)
			if (rows.v[i].site) /* not of before attach */
				sorted[n++] = *rows.v[i].site;
		memcpy(r->sites.v, sorted, r->sites.n * sizeof(*sorted));
	}
	free(sorted);
	rows_free(&rows);
	return rc;
}

const char *library_verdict(const struct report_library *l)
{
	if (l->verdicts[VERDICT_GROWING])
		return site_verdict_names[VERDICT_GROWING];
	for (int v = VERDICT_UNKNOWN + 1; v < NR_VERDICTS && !l->verdicts[VERDICT_UNKNOWN]; v++)
		if (l->verdicts[v])
			return site_verdict_names[VERDICT_CLEAN];
	return NULL;
}
