/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a view of a certain size shows. See view_opts.h. */
#include "view/view_opts.h"

#include <stdlib.h>
#include <string.h>

#include "view/cells.h"

#define UNKNOWN_WIDTH 80 /* of a terminal that does not tell */
#define BATCH_ROWS    20

/* By https://no-color.org: set and not empty. */
static bool color_wanted(void)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	return !(no_color && *no_color) && term && strcmp(term, "dumb") != 0;
}

/* What the environment says; 0: nothing. */
static int columns_wanted(void)
{
	const char *columns = getenv("COLUMNS");
	char *end;
	long n = columns ? strtol(columns, &end, 10) : 0;

	return n > 0 && n < CELLS_UNCUT && !*end ? (int)n : 0;
}

/* Into files and pipes nothing is cut unless it is asked for: names are for searching and for tickets. */
static int width_wanted(const struct view_request *r, int width)
{
	int wanted = r->width >= 0 ? r->width : width > 0 ? width : columns_wanted();

	if (wanted == 0)
		return width < 0 && r->width < 0 ? UNKNOWN_WIDTH : CELLS_UNCUT;
	return wanted > VIEW_MIN_WIDTH ? wanted : VIEW_MIN_WIDTH;
}

/* In plain text stacks are printed once, at the end: they would be the same in each interval. */
static int frames_wanted(const struct view_request *r, enum view_moment moment)
{
	int frames = r->all || moment == VIEW_LAST ? r->depth : moment == VIEW_LIVE ? LIVE_STACK_FRAMES : 0;

	return frames < r->depth ? frames : r->depth;
}

void view_opts_init(struct view_opts *v, const struct view_request *r, int width, int height,
		    enum view_moment moment)
{
	bool live = moment == VIEW_LIVE;

	*v = (struct view_opts){
	    .width = width_wanted(r, width),
	    .height = live && height > 0 ? height : 0,
	    .rows = r->rows >= 0         ? r->rows
		    : live && height > 0 ? 0
					 : BATCH_ROWS,
	    .color = width != 0 && color_wanted(),
	    .stacks = r->stacks,
	    .stack_frames = frames_wanted(r, moment),
	    .sort = r->sort,
	    .group_by = r->group_by,
	    .count_only = r->count_only,
	    .all = r->all,
	};
}
