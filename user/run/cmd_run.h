/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* jnitrace run: start a command, trace its JVMs from their first JNI call, and judge at the end. */
#ifndef JNITRACE_CMD_RUN_H
#define JNITRACE_CMD_RUN_H

#include "base/util.h"
#include "run/options.h"

/* Returns the exit code: the command's own, EXIT_ASSERT, or what went wrong before it was started. */
enum exit_code cmd_run(const struct options *o, struct error *err);

#endif
