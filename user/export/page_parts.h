/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What stands around the data of a page for a browser: export/page/, as it was bundled when this was built.
 */
#ifndef JNITRACE_PAGE_PARTS_H
#define JNITRACE_PAGE_PARTS_H

#include "base/util.h"

/* false: built without it, then nothing is written. */
bool page_begin(struct buf *out);
/* JSON, in as many parts as it comes: no name in it ends or begins an element. */
void page_data(struct buf *out, const char *json, size_t n);
void page_end(struct buf *out);

#endif
