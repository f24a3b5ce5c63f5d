/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* jnitrace census: readings of the JVMs' reference tables, once or every interval. No BPF. */
#ifndef JNITRACE_CMD_CENSUS_H
#define JNITRACE_CMD_CENSUS_H

#include "base/util.h"
#include "run/options.h"

/* Returns the exit code; err is set unless it is 0. */
enum exit_code cmd_census(const struct options *o, struct error *err);

#endif
