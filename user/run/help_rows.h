/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The tables of this program as JSON, from which scripts/docs makes lists of the documents: jnitrace help
 * rows. */
#ifndef JNITRACE_HELP_ROWS_H
#define JNITRACE_HELP_ROWS_H

#include "base/util.h"

void help_rows(struct buf *out);

#endif
