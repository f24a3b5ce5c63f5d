/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "run/log_line.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

/* Room for the quote at the end. */
#define END_BYTES 2

static void put(struct log_line *l, const char *text, size_t n)
{
	if (l->n + n + END_BYTES >= sizeof(l->text))
		return;
	memcpy(l->text + l->n, text, n);
	l->n += n;
	l->text[l->n] = '\0';
}

struct log_line log_begin(const char *event)
{
	struct log_line l = {0};

	put(&l, event, strlen(event));
	return l;
}

static void put_key(struct log_line *l, const char *key)
{
	put(l, " ", 1);
	put(l, key, strlen(key));
	put(l, "=", 1);
}

static bool is_word(const char *text)
{
	for (; *text; text++)
		if (isspace((unsigned char)*text) || strchr("\"\\=", *text))
			return false;
	return true;
}

void log_text(struct log_line *l, const char *key, const char *value)
{
	bool plain = !value || is_word(value);

	if (!value || !*value)
		return;
	put_key(l, key);
	if (!plain)
		put(l, "\"", 1);
	for (; *value; value++) {
		if (*value == '"' || *value == '\\')
			put(l, "\\", 1);
		put(l, value, 1);
	}
	if (!plain) {
		l->text[l->n++] = '"';
		l->text[l->n] = '\0';
	}
}

void log_number(struct log_line *l, const char *key, double value)
{
	char text[32];

	put_key(l, key);
	put(l, text, (size_t)snprintf(text, sizeof(text), value == floor(value) ? "%.0f" : "%.3f", value));
}

void log_end(const struct log_line *l, bool warning)
{
	if (warning)
		warn("agent: %s", l->text);
	else
		inform("agent: %s", l->text);
}
