/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The table of formats, for --format. See view/format.h. */
#ifndef JNITRACE_FORMATS_H
#define JNITRACE_FORMATS_H

#include "view/format.h"

extern const struct format formats[]; /* the first is the default */
extern const size_t nr_formats;

/* Nothing is written: of a command that has an output of its own. */
extern const struct format format_none;

/* NULL: there is none of this name. */
const struct format *format_find(const char *name);

#endif
