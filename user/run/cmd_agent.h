/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* jnitrace agent: every JVM of the host, read again and again without a probe, as metrics over HTTP. */
#ifndef JNITRACE_CMD_AGENT_H
#define JNITRACE_CMD_AGENT_H

#include "base/util.h"
#include "run/options.h"

/* Returns the exit code; err is set unless it is 0. */
enum exit_code cmd_agent(const struct options *o, struct error *err);

#endif
