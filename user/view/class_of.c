/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "view/class_of.h"

void view_class_of(struct buf *out, const struct report_of *of)
{
	buf_printf(out, "%s", of->name);
	if (of->loaders > 1)
		buf_printf(out, " in %llu loaders", (unsigned long long)of->loaders);
	if (of->loader && of->loader_id)
		buf_printf(out, " (loader %s @%llx)", of->loader, (unsigned long long)of->loader_id);
	else if (of->loader)
		buf_printf(out, " (%s)", of->loader);
}
