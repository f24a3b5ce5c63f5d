/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "model/report.h"

#include "base/util.h"

void report_with_locals(const struct report *r, struct buf *out)
{
	for (int f = 0; f < NR_FAMILIES; f++)
		if (r->families[f].traced)
			buf_printf(out, "%s,", family_name(r->catalog, f));
	buf_printf(out, "%s", family_name(r->catalog, FAMILY_LOCAL));
}
