/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a view of a certain size shows. See view_opts.h. */
#include "view/view_opts.h"

#include <stdlib.h>
#include <string.h>

#define BATCH_ROWS         20
#define BATCH_STACK_FRAMES 5

/* By https://no-color.org: set and not empty. */
static bool color_wanted(void)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	return !(no_color && *no_color) && term && strcmp(term, "dumb") != 0;
}

void view_opts_init(struct view_opts *v, const struct view_request *r, int width, int height, bool live)
{
	int frames = r->all ? r->depth : live ? LIVE_STACK_FRAMES : BATCH_STACK_FRAMES;

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
	    .all = r->all,
	};
}
