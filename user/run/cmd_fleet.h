/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* jnitrace fleet diff: what several agents say, held against each other. */
#ifndef JNITRACE_CMD_FLEET_H
#define JNITRACE_CMD_FLEET_H

#include "base/util.h"
#include "run/options.h"

enum exit_code cmd_fleet(const struct options *o, struct error *err);

#endif
