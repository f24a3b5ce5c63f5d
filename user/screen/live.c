/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "screen/live.h"

#include <string.h>

#include "view/columns.h"

#define GAP "  "

static const char *const stacks_names[NR_LIVE_STACKS] = {
    [LIVE_STACKS_SOME] = "top",
    [LIVE_STACKS_ALL] = "whole",
    [LIVE_STACKS_NONE] = "none",
};

void live_init(struct live *l, const struct view_request *r)
{
	*l = (struct live){
	    .key = r->sort,
	    .group_by = r->group_by,
	    .count_only = r->count_only,
	    .stacks = r->stacks == STACKS_NONE ? LIVE_STACKS_NONE
		      : r->all_frames          ? LIVE_STACKS_ALL
					       : LIVE_STACKS_SOME,
	};
}

/* The next column one would sort this table by; behind the last one the default comes again. */
static const char *next_key(const struct live *l)
{
	size_t i = 0;

	while (l->key && i < nr_columns && strcmp(columns[i++].key, l->key) != 0)
		;
	for (; i < nr_columns; i++)
		if (columns[i].groups & 1U << l->group_by && columns[i].align == CELLS_RIGHT &&
		    !(l->count_only && columns[i].groups & COLUMN_PAIRED) &&
		    &columns[i] != column_default(l->group_by))
			return columns[i].key;
	return NULL;
}

enum live_action live_key(struct live *l, int key)
{
	switch (key) {
	case 'q':
		return LIVE_QUIT;
	case ' ':
		l->paused = !l->paused;
		return LIVE_DRAW;
	case 's':
		l->key = next_key(l);
		return LIVE_DRAW;
	case 't':
		l->stacks = (l->stacks + 1) % NR_LIVE_STACKS;
		return LIVE_DRAW;
	default:
		return LIVE_NOTHING;
	}
}

void live_apply(const struct live *l, const struct view_request *r, struct view_opts *v)
{
	v->sort = l->key;
	v->stack_frames = l->stacks == LIVE_STACKS_NONE  ? 0
			  : l->stacks == LIVE_STACKS_ALL ? r->depth
							 : LIVE_STACK_FRAMES;
	if (l->stacks != LIVE_STACKS_NONE && v->stacks == STACKS_NONE)
		v->stacks = STACKS_MIXED;
}

void live_footer(const struct live *l, struct buf *out)
{
	buf_printf(out, "q quit" GAP "space %s" GAP "s sort: %s" GAP "t stacks: %s%s",
		   l->paused ? "go on" : "pause", l->key ?: column_default(l->group_by)->key,
		   stacks_names[l->stacks], l->paused ? GAP "PAUSED" : "");
}
