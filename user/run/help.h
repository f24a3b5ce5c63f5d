/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The texts of --help and jnitrace help, made from the tables of commands, options, columns and keys. */
#ifndef JNITRACE_HELP_H
#define JNITRACE_HELP_H

#include "base/util.h"
#include "run/options.h"
#include "run/opts_rows.h"

/* "one of: a, b" */
void help_choices(struct buf *out, choice_fn *choices);
/* What a command does and takes. all: the rarer options as well; else at most 50 lines of 80 columns. */
void help_command(struct buf *out, enum command command, bool all);
/* What this is, and what it was made of and for. */
void help_version(struct buf *out);
/* What jnitrace help TOPIC prints: a command, "all", "columns", "keys" or "rows" (for programs). false: there
 * is no such topic. */
bool help_topic(struct buf *out, const char *topic);
/* The i-th topic, NULL behind the last. */
const char *help_topic_name(size_t i);

#endif
