/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What stands around the data of a page. See page_parts.h. The only file that has the page's text. */
#include "export/page_parts.h"

#include <string.h>

#if JNITRACE_HTML
#include "page.h"
#else
#define PAGE_ABSENT
static const unsigned char page_head[1], page_tail[1];
#endif

#ifdef PAGE_ABSENT
#define IS_THERE false
#else
#define IS_THERE true
#endif

bool page_begin(struct buf *out)
{
	if (IS_THERE)
		buf_add(out, (const char *)page_head, sizeof(page_head));
	return IS_THERE;
}

/* It stands in an element <script>. */
void page_data(struct buf *out, const char *json, size_t n)
{
	const char *at = json, *end = json + n;

	while (at < end) {
		const char *less = memchr(at, '<', (size_t)(end - at)) ?: end;

		buf_add(out, at, (size_t)(less - at));
		if (less < end)
			buf_printf(out, "\\u003c");
		at = less + (less < end);
	}
}

void page_end(struct buf *out)
{
	buf_add(out, (const char *)page_tail, sizeof(page_tail));
}
