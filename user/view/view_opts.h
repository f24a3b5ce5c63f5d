/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is to be shown, and how: as the user asks for it, and as a view of a certain size takes it. */
#ifndef JNITRACE_VIEW_OPTS_H
#define JNITRACE_VIEW_OPTS_H

#include <stdbool.h>

struct format;
enum group_by {
	GROUP_SITE,
	GROUP_FUNCTION,
	GROUP_PID,
	GROUP_CLASS,
	GROUP_THREAD,
	GROUP_LIBRARY,
	GROUP_CALLER,
	NR_GROUPS
};
extern const char *const group_names[NR_GROUPS]; /* as in --group-by */
enum stacks_shown { STACKS_MIXED, STACKS_JAVA, STACKS_NATIVE, STACKS_NONE };

/* What the user asks for, whatever the size of the screen. Strings are not owned. */
struct view_request {
	const struct format *format;
	const char *output; /* name of a file; NULL: stdout */
	bool batch;         /* plain text on a terminal, too */
	int width;          /* cells of a line; 0: nothing is cut; -1: as the terminal has, or COLUMNS says */
	int rows;           /* rows of a table; 0: all; -1: as the screen has, in batch 20 */
	const char *sort;   /* a column's key; NULL: the default */
	enum group_by group_by;
	enum stacks_shown stacks;
	int depth; /* frames of a stack that are kept */
	bool all;  /* leave out nothing: all frames, threads, classes */
	bool count_only;
};

#define VIEW_MIN_WIDTH    20 /* narrower ones are not served */
#define LIVE_STACK_FRAMES 3
struct view_opts {
	int width;  /* cells of a line; CELLS_UNCUT: nothing is cut */
	int height; /* lines a table view may take, as far as that can be; 0: any number */
	int rows;   /* rows of a table at the most; <= 0: all */
	bool color; /* bold header and warnings; never with NO_COLOR */
	enum stacks_shown stacks;
	int stack_frames; /* frames printed under each row in the table view; 0: only the first line */
	const char *sort;
	enum group_by group_by;
	bool count_only;
	bool all; /* leave out no details */
};
/* On a screen that is drawn anew each time, so that it must not scroll; of an interval, in plain text; the
 * last. */
enum view_moment { VIEW_LIVE, VIEW_INTERVAL, VIEW_LAST };
/*
 * What is asked for on a terminal of this size; width 0: no terminal; -1: it does not say. Reads the
 * environment: NO_COLOR, TERM, COLUMNS.
 */
void view_opts_init(struct view_opts *v, const struct view_request *r, int width, int height,
		    enum view_moment moment);

#endif
