/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What all calls of a family's functions come to. */
#ifndef JNITRACE_TOTALS_H
#define JNITRACE_TOTALS_H

#include "bpf/border/shared.h"
#include "model/catalog.h"
#include "model/report.h"

/* Add the calls of one function to its family: acquired, released, and as outstanding what was acquired and
 * is not lost, of which the released are still to be taken. */
void totals_add(const struct catalog *catalog, const struct func_row *row, const struct func_counts *c,
		struct report_family *f);

#endif
