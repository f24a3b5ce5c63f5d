/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the keys of the live view change of it. */
#ifndef JNITRACE_LIVE_H
#define JNITRACE_LIVE_H

#include <stdbool.h>

#include "base/util.h"
#include "view/view_opts.h"

enum live_stacks { LIVE_STACKS_SOME, LIVE_STACKS_ALL, LIVE_STACKS_NONE, NR_LIVE_STACKS };
struct live {
	bool paused;     /* the screen stays as it is; counting goes on */
	const char *key; /* to sort by; NULL: the default */
	enum group_by group_by;
	bool count_only;
	enum live_stacks stacks;
};
/* As it is asked for. */
void live_init(struct live *l, const struct view_request *r);

enum live_action { LIVE_NOTHING, LIVE_DRAW, LIVE_QUIT };

/* The keys, a row each: they feed the screen, its footer, jnitrace help keys and the man page. */
struct live_key {
	int key;          /* the byte that comes */
	const char *name; /* as people call it */
	const char *help;
	enum live_action (*act)(struct live *l);
	void (*say)(const struct live *l, struct buf *out); /* for the footer; NULL: it is not there */
};
extern const struct live_key live_keys[];
extern const size_t nr_live_keys;

/* What is to be done now that this key was pressed. */
enum live_action live_key(struct live *l, int key);
/* Let v be as l says. */
void live_apply(const struct live *l, const struct view_request *r, struct view_opts *v);
/* The keys and what they are set to, for the last line of the screen. */
void live_footer(const struct live *l, struct buf *out);

#endif
