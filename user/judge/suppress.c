/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Suppressions. See suppress.h. */
#include "judge/suppress.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

#define MAX_PATTERNS 16 /* of a line */
#define MAX_LINE     1024

struct suppression {
	char *text;                        /* owned; the patterns are parts of a copy of it: */
	char *copy;                        /* owned */
	const char *pattern[MAX_PATTERNS]; /* innermost first */
	size_t n, line;
	int kind; /* enum finding_kind of the first row of its name; LEAK: references, too */
	struct suppression_used used;
};
#define LEAK (-1)
struct suppressions {
	struct suppression *v;
	size_t n, cap;
};

bool pattern_matches(const char *pattern, const char *text)
{
	const char *star = NULL, *again = NULL; /* behind the last *, and what it may swallow more of */

	while (*text) {
		if (*pattern == '*') {
			star = ++pattern;
			again = text;
		} else if (*pattern == *text) {
			pattern++;
			text++;
		} else if (star) {
			pattern = star;
			text = ++again;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}

/* --- parsing ------------------------------------------------------------------------------------- */

static int kind_named(const char *name, size_t n, int *out)
{
	if (n == 4 && !strncmp(name, "leak", 4)) {
		*out = LEAK;
		return 0;
	}
	for (int i = 0; i < NR_FINDINGS; i++)
		if (strlen(finding_rows[i].name) == n && !strncmp(finding_rows[i].name, name, n)) {
			*out = i;
			return 0;
		}
	return -EINVAL;
}

static const char *parse_rule(struct suppression *r)
{
	char *colon = strchr(r->copy, ':'), *at = colon ? colon + 1 : NULL, *next;

	if (!colon || kind_named(r->copy, (size_t)(colon - r->copy), &r->kind))
		return "it does not begin with leak: or a kind of finding and a colon";
	for (; at; at = next) {
		next = strchr(at, ';');
		if (next)
			*next++ = 0;
		if (!*at)
			return "a pattern is empty";
		if (r->n == MAX_PATTERNS)
			return "more than 16 patterns";
		r->pattern[r->n++] = at;
	}
	return NULL;
}

int suppressions_parse(const char *text, size_t n, struct suppressions **out, size_t *line, const char **why)
{
	struct suppressions *s = calloc(1, sizeof(*s));

	*why = NULL;
	*line = 0;
	for (size_t at = 0; s && !*why && at < n;) {
		const char *end = memchr(text + at, '\n', n - at), *from = text + at;
		size_t len = (size_t)((end ?: text + n) - from);
		struct suppression *r;

		++*line;
		at += len + 1;
		while (len && (*from == ' ' || *from == '\t')) {
			from++;
			len--;
		}
		while (len && (from[len - 1] == ' ' || from[len - 1] == '\t' || from[len - 1] == '\r'))
			len--;
		if (!len || *from == '#')
			continue;
		if (len > MAX_LINE || memchr(from, 0, len)) {
			*why = "the line is too long, or no text";
			break;
		}
		r = VEC_ADD(s);
		if (!r)
			break;
		r->line = *line;
		r->text = strndup(from, len);
		r->copy = strndup(from, len);
		if (!r->text || !r->copy) {
			suppressions_free(s);
			return -ENOMEM;
		}
		*why = parse_rule(r);
	}
	if (s && !*why) {
		*out = s;
		return 0;
	}
	suppressions_free(s);
	return s ? -EINVAL : -ENOMEM;
}

void suppressions_free(struct suppressions *s)
{
	for (size_t i = 0; s && i < s->n; i++) {
		free(s->v[i].text);
		free(s->v[i].copy);
	}
	if (s)
		free(s->v);
	free(s);
}

/* --- matching ------------------------------------------------------------------------------------ */

static bool frame_matches(const char *pattern, const struct frame *f)
{
	return (f->symbol && pattern_matches(pattern, f->symbol)) ||
	       (f->module && pattern_matches(pattern, f->module)) ||
	       (f->path && pattern_matches(pattern, f->path));
}

static bool stack_matches(const struct suppression *r, const struct frames *frames)
{
	size_t at = 0;

	for (size_t i = 0; i < frames->n && at < r->n; i++)
		at += frame_matches(r->pattern[at], &frames->v[i]);
	return at == r->n;
}

static bool rule_has_site(const struct suppression *r, const struct report_site *site)
{
	return r->kind == LEAK && stack_matches(r, &site->frames);
}

static bool rule_has_finding(const struct suppression *r, const struct report_finding *f)
{
	if (r->kind == LEAK ? !finding_is_leak(f->kind)
			    : strcmp(finding_rows[r->kind].name, finding_rows[f->kind].name) != 0)
		return false;
	return stack_matches(r, &f->stack.frames) || stack_matches(r, &f->acquire.frames);
}

bool suppresses_site(const struct suppressions *s, const struct report_site *site)
{
	for (size_t i = 0; s && i < s->n; i++)
		if (rule_has_site(&s->v[i], site))
			return true;
	return false;
}

bool suppresses_finding(const struct suppressions *s, const struct report_finding *f)
{
	for (size_t i = 0; s && i < s->n; i++)
		if (rule_has_finding(&s->v[i], f))
			return true;
	return false;
}

void suppressions_count(struct suppressions *s, const struct report *r)
{
	for (size_t i = 0; s && i < s->n; i++) {
		struct suppression_used *used = &s->v[i].used;

		for (size_t k = 0; k < r->sites.n; k++) {
			const struct report_site *site = &r->sites.v[k];

			if (!site->outstanding || !rule_has_site(&s->v[i], site))
				continue;
			used->sites++;
			used->references = add_capped(used->references, site->outstanding);
		}
		for (size_t k = 0; k < r->findings.n; k++)
			used->findings += rule_has_finding(&s->v[i], &r->findings.v[k]);
	}
}

bool suppression_used(const struct suppressions *s, size_t i, struct suppression_used *out)
{
	if (!s || i >= s->n)
		return false;
	*out = s->v[i].used;
	out->text = s->v[i].text;
	out->line = s->v[i].line;
	return true;
}
