/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* jnitrace probes, for people and as JSON. */
#ifndef JNITRACE_VIEW_PROBES_H
#define JNITRACE_VIEW_PROBES_H

#include "base/util.h"
#include "model/probe_site.h"
#include "model/report.h"
#include "view/view_opts.h"

/* A kind of finding that --check cannot make of this target. */
struct probes_blind {
	enum finding_kind kind;
	const char *why;
};
struct probes_info {
	const struct report_target *target;
	const char *library_file; /* path by which the library is known to the target */
	const struct probe_sites *sites;
	struct probes_blind blind[3];
	size_t nr_blind;
};
void view_probes_table(struct buf *out, const struct probes_info *p, const struct view_opts *o);
void view_probes_json(struct buf *out, const struct probes_info *p, const struct view_opts *o);

#endif
