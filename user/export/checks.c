/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* See checks.h. */
#include "export/checks.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/*
 * A character of a text, of whoever it is, as every format here can have it: what is no UTF-8, and controls
 * but for tab and newline, become '?'. Returns the bytes taken.
 */
static size_t take_character(const char *text, char out[8])
{
	size_t n = 1;

	while ((text[0] & 0xc0) == 0xc0 && n < 4 && (text[n] & 0xc0) == 0x80)
		n++;
	if (*text == '\n' || *text == '\t')
		snprintf(out, 8, "%c", *text);
	else
		text_clean(out, 8, text, n);
	return n;
}

enum xml_place { XML_ATTRIBUTE, XML_TEXT };

/* In an attribute a plain newline is read as a blank (XML 1.0, 3.3.3). */
static void put_xml(struct buf *out, const char *text, enum xml_place place)
{
	char c[8];

	while (text && *text) {
		text += take_character(text, c);
		if (*c == '&')
			buf_printf(out, "&amp;");
		else if (*c == '<')
			buf_printf(out, "&lt;");
		else if (*c == '>')
			buf_printf(out, "&gt;");
		else if (*c == '"')
			buf_printf(out, "&quot;");
		else if (place == XML_ATTRIBUTE && (*c == '\n' || *c == '\t'))
			buf_printf(out, "&#%d;", *c);
		else
			buf_printf(out, "%s", c);
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
	put_xml(out, s->name, XML_ATTRIBUTE);
	buf_printf(out, "\" name=\"");
	put_xml(out, c->name, XML_ATTRIBUTE);
	buf_printf(out, "\" time=\"0\"");
	if (c->result == CHECK_HOLDS) {
		buf_printf(out, ">\n      <system-out>");
		put_xml(out, c->message, XML_TEXT);
		buf_printf(out, "</system-out>\n    </testcase>\n");
		return;
	}
	buf_printf(out, ">\n      <%s type=\"%s\" message=\"", element,
		   c->result == CHECK_FAILS ? "assertion" : "not known");
	put_xml(out, c->message, XML_ATTRIBUTE);
	buf_printf(out, "\">");
	put_xml(out, c->details, XML_TEXT);
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
		put_xml(out, s->name, XML_ATTRIBUTE);
		buf_printf(out, "\"");
		put_numbers(out, s->n, count(s, CHECK_FAILS), count(s, CHECK_NOT_KNOWN), s->time_s);
		buf_printf(out, ">\n");
		for (size_t k = 0; k < s->n; k++)
			put_case(out, s, &s->v[k]);
		buf_printf(out, "  </testsuite>\n");
	}
	buf_printf(out, "</testsuites>\n");
}

/* A description: '#' begins a directive, and a backslash quotes it. */
static void put_tap(struct buf *out, const char *text)
{
	char c[8];

	while (*text) {
		text += take_character(text, c);
		buf_printf(out, "%s%s", *c == '#' || *c == '\\' ? "\\" : "",
			   *c == '\n' || *c == '\t' ? " " : c);
	}
}

/* A YAML block of text, indented by two more than its key. */
static void put_lines(struct buf *out, const char *key, const char *text)
{
	bool begins = true;
	char c[8];

	buf_printf(out, "  %s: |2\n", key);
	while (text && *text) {
		text += take_character(text, c);
		if (begins)
			buf_printf(out, "    ");
		buf_printf(out, "%s", c);
		begins = *c == '\n';
	}
	if (!begins)
		buf_printf(out, "\n");
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
		buf_printf(out, "  ---\n");
		put_lines(out, "message", c->message);
		if (c->details && *c->details)
			put_lines(out, "culprits", c->details);
		buf_printf(out, "  ...\n");
	}
}

/* A property's value, or a message: of a property comma and colon are quoted, too. */
static void put_github(struct buf *out, const char *text, bool property)
{
	char c[8];

	while (text && *text) {
		text += take_character(text, c);
		if (*c == '%' || *c == '\n' || (property && (*c == ':' || *c == ',')))
			buf_printf(out, "%%%02X", *c);
		else
			buf_printf(out, "%s", c);
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
