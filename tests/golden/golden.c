/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What was rendered, held against files and rules. See golden.h. */
#include "golden.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cells.h"

#define CONTEXT 60 /* bytes shown of both sides of a difference */

static void golden_path(char *path, size_t cap, const char *name)
{
	const char *dir = getenv("JNITRACE_SRCDIR");

	snprintf(path, cap, "%s/tests/golden/%s", dir ? dir : ".", name);
}

static char *read_whole(const char *path)
{
	FILE *f = fopen(path, "re");
	char *text;
	long n;

	if (!f)
		fail_msg("%s: %s (UPDATE_GOLDEN=1 writes it)", path, strerror(errno));
	assert_int_equal(fseek(f, 0, SEEK_END), 0);
	n = ftell(f);
	assert_true(n >= 0);
	rewind(f);
	text = calloc(1, (size_t)n + 1);
	assert_non_null(text);
	assert_int_equal(fread(text, 1, (size_t)n, f), n);
	fclose(f);
	return text;
}

static void update(const char *path, const struct buf *got)
{
	FILE *f = fopen(path, "we");

	if (!f)
		fail_msg("%s: %s", path, strerror(errno));
	assert_int_equal(fwrite(got->p, 1, got->n, f), got->n);
	assert_int_equal(fclose(f), 0);
}

void expect_golden(const char *name, struct buf *got)
{
	char path[512], *want;
	int line = 1;
	size_t i = 0, start = 0;

	assert_false(got->failed);
	assert_non_null(got->p);
	golden_path(path, sizeof(path), name);
	if (getenv("UPDATE_GOLDEN"))
		update(path, got);
	want = read_whole(path);
	while (want[i] && want[i] == got->p[i])
		if (want[i++] == '\n') {
			line++;
			start = i;
		}
	if (want[i] != got->p[i]) {
		size_t from = i - start > CONTEXT ? i - CONTEXT : start;

		fail_msg("%s:%d:%zu\n  want ..%.*s\n  got  ..%.*s", path, line, i - start + 1, 2 * CONTEXT,
			 want + from, 2 * CONTEXT, got->p + from);
	}
	free(want);
	buf_free(got);
}

void expect_width(const struct buf *got, int width)
{
	for (const char *line = got->p; *line;) {
		size_t n = strcspn(line, "\n");

		if (cells_width(line, n) > width)
			fail_msg("%d cells, not %d: %.*s", cells_width(line, n), width, (int)n, line);
		line += n + (line[n] == '\n');
	}
}

void expect_json(const struct buf *got)
{
	for (const char *line = got->p; *line;) {
		size_t n = strcspn(line, "\n");
		json_error_t error;
		json_t *record = json_loadb(line, n, JSON_REJECT_DUPLICATES, &error);

		if (!record)
			fail_msg("not JSON: %s at %d: %.*s", error.text, error.column, (int)n, line);
		assert_true(json_is_object(record));
		assert_string_equal(json_string_value(json_object_get(record, "schema")), "jnitrace/1");
		json_decref(record);
		assert_int_equal(line[n], '\n');
		line += n + 1;
	}
}
