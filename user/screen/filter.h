/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What rows are shown: those that match a text that a person types, a regular expression, extended, of either
 * case; or those of a row that was opened, of which only the name is here.
 */
#ifndef JNITRACE_FILTER_H
#define JNITRACE_FILTER_H

#include <regex.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/util.h"

#define FILTER_BYTES 96
struct filter { /* start zeroed */
	char text[FILTER_BYTES];
	bool typing;  /* keys go into it */
	bool on, bad; /* there is one; it is no regular expression */
	bool of_row;  /* text is the name of a row: who has it decides what passes */
	regex_t regex;
};
void filter_free(struct filter *f);
void filter_clear(struct filter *f);
/* What is of the row of this name: as much of it as there is room for. */
void filter_set_row(struct filter *f, const char *name);
/* One character more. */
void filter_type(struct filter *f, uint32_t c);
/* One less. */
void filter_erase(struct filter *f);
/* Does it let a text pass? Without one, or with a bad one, all do. */
bool filter_passes(const struct filter *f, const struct buf *text);

#endif
