/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the agent has seen as metrics, in Prometheus' text format 0.0.4 or in OpenMetrics 1.0.0. A metric is a
 * row of metrics.c; what is not known has no sample. Foreign text is in labels alone, cleaned, escaped and of
 * bounded length.
 */
#ifndef JNITRACE_METRICS_H
#define JNITRACE_METRICS_H

#include "base/util.h"
#include "model/agent_self.h"
#include "view/agent.h"

#define METRICS_TYPE     "text/plain; version=0.0.4; charset=utf-8"
#define OPENMETRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"
/* What a request for the latter accepts. */
#define OPENMETRICS_ACCEPT "application/openmetrics-text"

/* top_sites: of each JVM so many call sites, those that hold most. Out of memory: out->failed. */
void metrics_write(struct buf *out, bool openmetrics, const struct agent_self *self,
		   const struct agent_seen *seen, size_t top_sites);

#endif
