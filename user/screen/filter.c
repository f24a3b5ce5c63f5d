/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A filter of rows. See filter.h. */
#include "screen/filter.h"

#include <string.h>

#include "screen/typing.h"

#define MOST_BYTES 4096 /* of a text that is looked at: it is foreign, and matching takes time */

static void compile(struct filter *f)
{
	if (f->on && !f->bad)
		regfree(&f->regex);
	f->on = f->text[0] != '\0';
	f->bad = f->on && regcomp(&f->regex, f->text, REG_EXTENDED | REG_ICASE | REG_NOSUB) != 0;
}

void filter_free(struct filter *f)
{
	filter_clear(f);
}

void filter_clear(struct filter *f)
{
	f->text[0] = '\0';
	compile(f);
}

void filter_set(struct filter *f, const char *literal)
{
	size_t n = 0;

	filter_clear(f);
	for (; *literal && n + 3 < sizeof(f->text); literal++) {
		if (strchr(".[]{}()*+?^$|\\", *literal))
			f->text[n++] = '\\';
		f->text[n++] = *literal;
	}
	while (n && *literal && (f->text[n - 1] & 0x80)) /* no part of a character */
		n--;
	f->text[n] = '\0';
	compile(f);
}

void filter_type(struct filter *f, uint32_t c)
{
	typing_add(f->text, sizeof(f->text), c);
	compile(f);
}

void filter_erase(struct filter *f)
{
	typing_erase(f->text);
	compile(f);
}

bool filter_passes(const struct filter *f, const struct buf *text)
{
	char looked_at[MOST_BYTES];

	if (!f->on || f->bad)
		return true;
	snprintf(looked_at, sizeof(looked_at), "%s", text->p ? text->p : "");
	return regexec(&f->regex, looked_at, 0, NULL, 0) == 0;
}
