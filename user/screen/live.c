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
		      : r->all                 ? LIVE_STACKS_ALL
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

/* The keys: what each does, and what it says of itself in the footer. */

static enum live_action quit(struct live *l)
{
	(void)l;
	return LIVE_QUIT;
}

static void say_quit(const struct live *l, struct buf *out)
{
	(void)l;
	buf_printf(out, "quit");
}

static enum live_action pause_or_go_on(struct live *l)
{
	l->paused = !l->paused;
	return LIVE_DRAW;
}

static void say_pause(const struct live *l, struct buf *out)
{
	buf_printf(out, "%s", l->paused ? "go on" : "pause");
}

static enum live_action sort_by_next(struct live *l)
{
	l->key = next_key(l);
	return LIVE_DRAW;
}

static void say_sort(const struct live *l, struct buf *out)
{
	buf_printf(out, "sort: %s", l->key ?: column_default(l->group_by)->key);
}

static enum live_action next_stacks(struct live *l)
{
	l->stacks = (l->stacks + 1) % NR_LIVE_STACKS;
	return LIVE_DRAW;
}

static void say_stacks(const struct live *l, struct buf *out)
{
	buf_printf(out, "stacks: %s", stacks_names[l->stacks]);
}

/* clang-format off */
const struct live_key live_keys[] = {
	{'q', "q",     "quit; the final report is printed below what was on the terminal before", quit, say_quit},
	{' ', "space", "pause the display, or go on; counting continues", pause_or_go_on, say_pause},
	{'s', "s",     "sort by the next column", sort_by_next, say_sort},
	{'t', "t",     "show the stacks of the first rows, whole stacks, or none", next_stacks, say_stacks},
};
/* clang-format on */
const size_t nr_live_keys = ARRAY_LEN(live_keys);

enum live_action live_key(struct live *l, int key)
{
	for (size_t i = 0; i < nr_live_keys; i++)
		if (live_keys[i].key == key)
			return live_keys[i].act(l);
	return LIVE_NOTHING;
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
	for (size_t i = 0; i < nr_live_keys; i++) {
		if (!live_keys[i].say)
			continue;
		buf_printf(out, "%s%s ", out->n ? GAP : "", live_keys[i].name);
		live_keys[i].say(l, out);
	}
	if (l->paused)
		buf_printf(out, GAP "PAUSED");
}
