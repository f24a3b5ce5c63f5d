/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The tracer of an agent's windows: a process of its own, which traces the JVMs that it is told to, each for
 * a while. Its standard input is a socket to the agent (window_words.h); when that is closed it detaches and
 * ends.
 */
#ifndef JNITRACE_CMD_WINDOWS_H
#define JNITRACE_CMD_WINDOWS_H

#include "base/util.h"
#include "run/options.h"

enum exit_code cmd_windows(const struct options *o, struct error *err);

#endif
