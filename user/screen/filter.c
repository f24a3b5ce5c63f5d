/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A filter of rows. See filter.h. */
#include "screen/filter.h"

#include <string.h>

#include "screen/typing.h"

#define MOST_BYTES  16384 /* of a text that is looked at: it is foreign, and matching takes time */
#define MOST_COPIES 255   /* that {n} makes of what is before it, one inside the other */

/* The last byte of "[...]", in which nothing has a meaning of its own; NULL: it has no end. */
static const char *end_of_set(const char *p)
{
	p += p[1] == '^';
	p += p[1] == ']';
	for (p++; *p && *p != ']'; p++)
		if (*p == '[' && p[1] && strchr(":.=", p[1])) {
			const char end[] = {p[1], ']', '\0'};

			p = strstr(p + 2, end);
			if (!p)
				return NULL;
			p++;
		}
	return *p ? p : NULL;
}

/* What "{n,m}" makes of what is before it, one at least; p: behind the brace. */
static unsigned long most_copies(const char *p)
{
	unsigned long most = 1, n = 0;

	for (; (*p >= '0' && *p <= '9') || *p == ','; p++) {
		n = *p == ',' ? 0 : n * 10 + (unsigned long)(*p - '0');
		n = n > MOST_COPIES ? MOST_COPIES + 1 : n;
		most = n > most ? n : most;
	}
	return most;
}

/*
 * Nothing that takes much longer than it is to read: no back-reference, for which all ways to match are
 * tried, and no copies of copies of copies.
 */
static bool is_quick(const char *text)
{
	unsigned long copies = 1;

	for (const char *p = text; *p; p++) {
		if (*p == '\\') {
			if (p[1] >= '1' && p[1] <= '9')
				return false;
			p += p[1] != 0;
		} else if (*p == '[') {
			p = end_of_set(p);
			if (!p)
				break;
		} else if (*p == '{') {
			copies *= most_copies(p + 1);
			if (copies > MOST_COPIES)
				return false;
		}
	}
	return true;
}

static void compile(struct filter *f)
{
	if (f->on && !f->bad && !f->of_row)
		regfree(&f->regex);
	f->of_row = false;
	f->on = f->text[0] != '\0';
	f->bad = f->on && (!is_quick(f->text) ||
			   regcomp(&f->regex, f->text, REG_EXTENDED | REG_ICASE | REG_NOSUB) != 0);
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

void filter_set_row(struct filter *f, const char *name)
{
	filter_clear(f);
	text_clean(f->text, sizeof(f->text), name, strlen(name));
	f->on = f->of_row = true;
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

	if (!f->on || f->bad || f->of_row)
		return true;
	snprintf(looked_at, sizeof(looked_at), "%s", text->p ? text->p : "");
	return regexec(&f->regex, looked_at, 0, NULL, 0) == 0;
}
