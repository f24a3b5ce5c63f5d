/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Reports of one tick as NDJSON for scripts, schema jnitrace/1. */
#ifndef JNITRACE_JSON_H
#define JNITRACE_JSON_H

#include "base/util.h"
#include "model/report.h"
#include "view/view_opts.h"

struct json_out;

/* Out of memory: out->failed. */
void view_json(struct buf *out, const struct report *const *reports, size_t n, const struct view_opts *o);

/* A site, a finding of a report as its record has it; NULL: null. */
void json_site(struct json_out *j, const char *key, const struct report *r, const struct report_site *s,
	       const struct view_opts *o);
void json_finding(struct json_out *j, const char *key, const struct report *r, const struct report_finding *f,
		  const struct view_opts *o);

#endif
