/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Renderings of a report. A view is one file and one row in the table of views. */
#ifndef JNITRACE_VIEWS_H
#define JNITRACE_VIEWS_H

#include "base/util.h"
#include "model/probe_site.h"
#include "model/report.h"
#include "view/view_opts.h"

/* Is this frame one of those asked for? */
bool frame_is_shown(const struct frame *f, enum stacks_shown stacks);

/* "growing" when a site of it is, "clean" when none is, NULL when that cannot be said yet. */
const char *library_verdict(const struct report_library *l);

/* Render n targets' reports of one tick. Out of memory: out->failed. */
void view_table(struct buf *out, const struct report *const *reports, size_t n, const struct view_opts *o);
void view_json(struct buf *out, const struct report *const *reports, size_t n, const struct view_opts *o);
struct view {
	const char *name; /* as in --format */
	enum format format;
	void (*render)(struct buf *out, const struct report *const *reports, size_t n,
		       const struct view_opts *o);
};
extern const struct view views[];
extern const size_t nr_views;

/* jnitrace probes */
struct probes_info {
	const struct report_target *target;
	const char *library_file; /* path by which the library is known to the target */
	const struct probe_sites *sites;
};
void view_probes_table(struct buf *out, const struct probes_info *p, const struct view_opts *o);
void view_probes_json(struct buf *out, const struct probes_info *p);

/*
 * Sort the report's sites by a column's key (NULL: what grows, then outstanding). Equal ones go by
 * outstanding, rate, acquired, then as they were. -EINVAL: no such key, -ENOMEM.
 */
int report_sort(struct report *r, const char *key);

#endif
