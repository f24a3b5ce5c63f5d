/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Folded stacks. See folded.h. */
#include "export/folded.h"

#include "export/marks.h"
#include "view/columns.h"
#include "view/text.h"

/* A name as the format can hold it: a semicolon ends a frame, a line break ends the stack. */
static void put_name(struct buf *out, const struct frame *f)
{
	char clean[MARK_MAX_NAME];
	struct buf name = {0};

	frame_name(&name, f);
	if (name.p) {
		text_clean(clean, sizeof(clean), name.p, name.n);
		for (char *c = clean; *c; c++)
			*c = *c == ';' ? ':' : *c;
		buf_printf(out, "%s", clean);
	}
	out->failed |= name.failed;
	buf_free(&name);
}

static void put_site(struct buf *out, const struct report_site *s, uint64_t count, const struct view_opts *o)
{
	const char *before = "";

	if (s->truncated && s->frames.n) {
		buf_printf(out, "%s", MARK_TRUNCATED);
		before = ";";
	}
	for (size_t i = s->frames.n; i-- > 0;) {
		if (!frame_is_shown(&s->frames.v[i], o->stacks))
			continue;
		buf_printf(out, "%s", before);
		put_name(out, &s->frames.v[i]);
		before = ";";
	}
	buf_printf(out, "%s %llu\n", *before ? "" : MARK_NO_STACK, (unsigned long long)count);
}

void folded_reports(void *state, struct buf *out, const struct report *const *reports, size_t n,
		    const struct view_opts *o)
{
	(void)state;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < reports[i]->sites.n; k++) {
			const struct report_site *s = &reports[i]->sites.v[k];
			uint64_t count = reports[i]->count_only ? s->acquired
					 : s->life_unknown      ? 0
								: s->outstanding;

			if (count)
				put_site(out, s, count, o);
		}
}
