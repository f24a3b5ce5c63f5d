/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* See checks.h. */
#include "export/checks.h"

#include <stdint.h>
#include <string.h>

/* Text in XML 1.0: what it cannot have at all becomes '?'. */
static void put_xml(struct buf *out, const char *text)
{
	for (; text && *text; text++) {
		switch (*text) {
		case '&':
			buf_printf(out, "&amp;");
			break;
		case '<':
			buf_printf(out, "&lt;");
			break;
		case '>':
			buf_printf(out, "&gt;");
			break;
		case '"':
			buf_printf(out, "&quot;");
			break;
		case '\n':
		case '\t':
			buf_add(out, text, 1);
			break;
		default:
			buf_add(out, (unsigned char)*text < ' ' || *text == 0x7f ? "?" : text, 1);
		}
	}
}

static size_t count(const struct check_suite *s, enum check_result result)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		n += s->v[i].result == result;
	return n;
}

static void put_numbers(struct buf *out, size_t tests, size_t failures, size_t errors, double time_s)
{
	buf_printf(out, " tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" time=\"%llu.%03u\"", tests, failures,
		   errors, (unsigned long long)time_s, (unsigned)((uint64_t)(time_s * 1000) % 1000));
}

/* What is not known is an error: the test could not be made. */
static void put_case(struct buf *out, const struct check_suite *s, const struct check *c)
{
	const char *element = c->result == CHECK_FAILS ? "failure" : "error";

	buf_printf(out, "    <testcase classname=\"");
	put_xml(out, s->name);
	buf_printf(out, "\" name=\"");
	put_xml(out, c->name);
	buf_printf(out, "\" time=\"0\"");
	if (c->result == CHECK_HOLDS) {
		buf_printf(out, ">\n      <system-out>");
		put_xml(out, c->message);
		buf_printf(out, "</system-out>\n    </testcase>\n");
		return;
	}
	buf_printf(out, ">\n      <%s type=\"%s\" message=\"", element,
		   c->result == CHECK_FAILS ? "assertion" : "not known");
	put_xml(out, c->message);
	buf_printf(out, "\">");
	put_xml(out, c->details);
	buf_printf(out, "</%s>\n    </testcase>\n", element);
}

void checks_junit(struct buf *out, const struct check_suite *suites, size_t n)
{
	size_t tests = 0, failures = 0, errors = 0;
	double time_s = 0;

	for (size_t i = 0; i < n; i++) {
		tests += suites[i].n;
		failures += count(&suites[i], CHECK_FAILS);
		errors += count(&suites[i], CHECK_NOT_KNOWN);
		time_s = suites[i].time_s > time_s ? suites[i].time_s : time_s;
	}
	buf_printf(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"jnitrace\"");
	put_numbers(out, tests, failures, errors, time_s);
	buf_printf(out, ">\n");
	for (size_t i = 0; i < n; i++) {
		const struct check_suite *s = &suites[i];

		buf_printf(out, "  <testsuite name=\"");
		put_xml(out, s->name);
		buf_printf(out, "\"");
		put_numbers(out, s->n, count(s, CHECK_FAILS), count(s, CHECK_NOT_KNOWN), s->time_s);
		buf_printf(out, ">\n");
		for (size_t k = 0; k < s->n; k++)
			put_case(out, s, &s->v[k]);
		buf_printf(out, "  </testsuite>\n");
	}
	buf_printf(out, "</testsuites>\n");
}

/* '#' begins a directive, and a backslash quotes it. */
static void put_tap(struct buf *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '#' || *text == '\\')
			buf_add(out, "\\", 1);
		buf_add(out, *text == '\n' ? " " : text, 1);
	}
}

/* A YAML block of text, indented; */
static void put_lines(struct buf *out, const char *text)
{
	while (text && *text) {
		size_t n = strcspn(text, "\n");

		buf_printf(out, "    %.*s\n", (int)n, text);
		text += n + (text[n] == '\n');
	}
}

void checks_tap(struct buf *out, const struct check_suite *suite)
{
	buf_printf(out, "TAP version 14\n1..%zu\n", suite->n);
	for (size_t i = 0; i < suite->n; i++) {
		const struct check *c = &suite->v[i];

		buf_printf(out, "%sok %zu - ", c->result == CHECK_HOLDS ? "" : "not ", i + 1);
		put_tap(out, c->name);
		buf_printf(out, "\n");
		if (c->result == CHECK_HOLDS)
			continue;
		buf_printf(out, "  ---\n  message: |\n");
		put_lines(out, c->message);
		if (c->details && *c->details) {
			buf_printf(out, "  culprits: |\n");
			put_lines(out, c->details);
		}
		buf_printf(out, "  ...\n");
	}
}

/* A property's value, or a message: of a property comma and colon are quoted, too. */
static void put_github(struct buf *out, const char *text, bool property)
{
	for (; text && *text; text++) {
		bool quoted = *text == '%' || *text == '\r' || *text == '\n' ||
			      (property && (*text == ':' || *text == ','));

		if (quoted)
			buf_printf(out, "%%%02X", (unsigned char)*text);
		else
			buf_add(out, text, 1);
	}
}

void checks_github(struct buf *out, const struct check_suite *suite)
{
	for (size_t i = 0; i < suite->n; i++) {
		const struct check *c = &suite->v[i];

		if (c->result == CHECK_HOLDS)
			continue;
		buf_printf(out, "::error ");
		if (c->file) {
			buf_printf(out, "file=");
			put_github(out, c->file, true);
			if (c->line > 0)
				buf_printf(out, ",line=%d", c->line);
			buf_printf(out, ",");
		}
		buf_printf(out, "title=");
		put_github(out, c->name, true);
		buf_printf(out, "::");
		put_github(out, c->message, false);
		if (c->details && *c->details) {
			buf_printf(out, "%%0A");
			put_github(out, c->details, false);
		}
		buf_printf(out, "\n");
	}
}
