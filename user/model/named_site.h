/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the stacks of call sites mean, as plain data. With a snapshot of counters this is all that a report
 * needs: addresses mean nothing when the process is gone, names do.
 */
#ifndef JNITRACE_NAMED_SITE_H
#define JNITRACE_NAMED_SITE_H

#include "model/report.h"

/* One function called from one stack of named frames: what the reader sees as one site. */
struct named_site {
	uint64_t id;       /* hash of function and frames, equal on every host that runs the same build */
	uint64_t name_key; /* hash of their names alone, without offsets and lines: equal for two builds */
	enum func_id func;
	struct frames frames;  /* innermost first */
	const char *truncated; /* why frames do not reach the thread's start; NULL: they do */
	bool no_stack;         /* the stack could not be kept */
};
/* A site of the snapshot, by its number. Several are one named site when their frames are the same. */
struct site_name {
	uint32_t named; /* index in named_sites.v, + 1; 0: not named (yet) */
	uint32_t lacks; /* what its stack lacks: bit per enum stack_end */
	bool put_off;   /* it was looked at, and there was no time to name it */
};
struct named_sites {
	struct named_site *v; /* each id once; an index never changes its meaning */
	size_t n, cap;
	struct site_name *by_number; /* as in snapshot_site.index */
	size_t nr_numbers;
};
/* NULL: not named (yet). It stays until the next site is named; its frames as long as the sites. */
static inline const struct named_site *named_site_of(const struct named_sites *s, uint32_t number)
{
	return number < s->nr_numbers && s->by_number[number].named ? &s->v[s->by_number[number].named - 1]
								    : NULL;
}

#endif
