/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* jnitrace probes: print the probe sites of the targets; attaches nothing. */
#ifndef JNITRACE_CMD_PROBES_H
#define JNITRACE_CMD_PROBES_H

#include "base/util.h"
#include "run/options.h"

/* Returns the exit code; err is set unless it is 0. */
enum exit_code cmd_probes(const struct options *o, struct error *err);

#endif
