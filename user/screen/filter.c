/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A filter of rows. See filter.h. */
#include "screen/filter.h"

#include <string.h>

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

static size_t encode(uint32_t c, char out[4])
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

void filter_type(struct filter *f, uint32_t c)
{
	size_t n = strlen(f->text), k;
	char bytes[4];

	if (c < 0x20 || c == 0x7f || c > 0x10ffff)
		return;
	k = encode(c, bytes);
	if (n + k >= sizeof(f->text))
		return;
	memcpy(f->text + n, bytes, k);
	f->text[n + k] = '\0';
	compile(f);
}

void filter_erase(struct filter *f)
{
	size_t n = strlen(f->text);

	while (n > 0 && (f->text[n - 1] & 0xc0) == 0x80)
		n--;
	f->text[n > 0 ? n - 1 : 0] = '\0';
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
