/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the agent knows, as NDJSON: docs/json.md. */
#ifndef JNITRACE_VIEW_AGENT_H
#define JNITRACE_VIEW_AGENT_H

#include "base/util.h"
#include "model/census.h"
#include "model/window.h"

struct agent_seen {
	const struct census *const *jvms;
	size_t nr_jvms;
	const struct window *const *windows;
	size_t nr_windows;
};
/* The last window of a process; NULL: it had none. */
const struct window *window_of(const struct agent_seen *seen, const struct report_target *t);

/* A line for each JVM: who it is, whether it grows, its last window. Out of memory: out->failed. */
void view_agent_targets(struct buf *out, const struct agent_seen *seen);
/* A line for each site, each finding of the last window of each. */
void view_agent_sites(struct buf *out, const struct agent_seen *seen);
void view_agent_findings(struct buf *out, const struct agent_seen *seen);
/* The member "window" of one; NULL: null. */
struct json_out;
void json_window(struct json_out *j, const struct window *w);

#endif
