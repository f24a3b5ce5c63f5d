/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The texts of --help and jnitrace help, made from the tables of commands, options, columns and keys. */
#ifndef JNITRACE_HELP_H
#define JNITRACE_HELP_H

#include "base/util.h"
#include "run/options.h"
#include "run/opts_rows.h"

/* "one of: a, b" */
void help_choices(struct buf *out, choice_fn *choices);
/* What a command does and takes; at most 60 lines of 80 columns. */
void help_command(struct buf *out, enum command command);
/* What jnitrace help TOPIC prints: a command, "columns", "keys" or "rows" (for programs). false: there is no
 * such topic. */
bool help_topic(struct buf *out, const char *topic);
/* The i-th topic, NULL behind the last. */
const char *help_topic_name(size_t i);

#endif
