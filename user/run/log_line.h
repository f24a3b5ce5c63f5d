/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A line of a log for programs and people: an event, and what belongs to it as key=value. */
#ifndef JNITRACE_LOG_LINE_H
#define JNITRACE_LOG_LINE_H

#include "base/util.h"

struct log_line {
	char text[1024]; /* cut off where it is longer */
	size_t n;
};
struct log_line log_begin(const char *event);
/* Foreign text may be in it: quoted where it is not one plain word. NULL and "" are left out. */
void log_text(struct log_line *l, const char *key, const char *value);
void log_number(struct log_line *l, const char *key, double value);
/* To stderr: as a warning, or as what is as it should be. */
void log_end(const struct log_line *l, bool warning);

#endif
