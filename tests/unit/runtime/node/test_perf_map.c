/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Names of JavaScript functions as V8 writes them for perf, true ones and others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/node/perf_map.h"

static void expect(const char *text, const char *symbol, const char *file, int line)
{
	struct perf_name name;

	assert_true(perf_name_parse(text, strlen(text), &name));
	assert_string_equal(name.symbol, symbol);
	assert_string_equal(name.file, file);
	assert_int_equal(name.line, line);
}

static void test_names(void **state)
{
	struct perf_name name;

	(void)state;
	expect("JS:~leak /srv/app.js:3:18", "leak", "app.js", 3);
	expect("JS:*get size /srv/my app.js:3:18", "get size", "my app.js", 3);
	expect("LazyCompile:^leak file:///srv/app.mjs:30:1", "leak", "app.mjs", 30);
	expect("JS:~ node:internal/main/run_main_module:1:1", "(anonymous)",
	       "node:internal/main/run_main_module", 1);
	expect("JS:+Elem", "Elem", "", 0);
	expect("JS:~a /b:c", "a", "b:c", 0);
	expect("JS:~a /b:1", "a", "b:1", 0);
	expect("JS:~a /b:99999999999:1", "a", "b:99999999999:1", 0);
	expect("JS:~a\033[2J /b\n:1:2", "a?[2J", "b?", 1);
	expect("JS:~", "(anonymous)", "", 0);
	for (size_t n = 0; n <= 3; n++)
		assert_false(perf_name_parse("JS:~a", n, &name));
	assert_false(perf_name_parse("Builtin:Call_ReceiverIsAny", 26, &name));
	assert_false(perf_name_parse("BytecodeHandler:LdaZero", 23, &name));
}

static void write_file(const char *path, const char *mode, const char *text)
{
	FILE *f = fopen(path, mode);

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void expect_at(struct perf_map *m, uint64_t addr, const char *symbol)
{
	struct frame f = {0};
	int rc = perf_map_find(m, addr, &f);

	assert_int_equal(rc, symbol != NULL);
	if (symbol)
		assert_string_equal(f.symbol, symbol);
}

/* This process writes one, as its own target. */
static void test_file(void **state)
{
	struct perf_map *m;
	char path[64];

	(void)state;
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)getpid());
	unlink(path);
	assert_int_equal(perf_map_new(getpid(), &m), 0);
	perf_map_refresh(m); /* there is none */
	expect_at(m, 0x1000, NULL);
	write_file(path, "w",
		   "1000 10 JS:~one /a.js:1:1\n1010 10 JS:~two /a.js:2:1\nnonsense\n\n1020 JS:~x\n"
		   "1030 0 JS:~none\nffffffffffffffff 10 JS:~none\n2000 10 JS:~three /a.js:3:1");
	perf_map_refresh(m);
	expect_at(m, 0xfff, NULL);
	expect_at(m, 0x1000, "one");
	expect_at(m, 0x100f, "one");
	expect_at(m, 0x1010, "two");
	expect_at(m, 0x1030, NULL);
	expect_at(m, 0x2000, NULL); /* its line has not ended */
	write_file(path, "a",
		   "\n1008 10 JS:*four /a.js:4:1\n1018 8 Builtin:X\n"); /* over both, and over that */
	perf_map_refresh(m);
	expect_at(m, 0x2000, "three");
	expect_at(m, 0x1007, "one");
	expect_at(m, 0x1008, "four");
	expect_at(m, 0x1017, "four");
	expect_at(m, 0x1018, NULL);
	perf_map_free(m);
	unlink(path);
}

/* A line without an end does not stop what comes behind it. */
static void test_long_line(void **state)
{
	enum { BYTES = 200000 };
	char *text = malloc(BYTES + 1), path[64];
	struct perf_map *m;

	(void)state;
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)getpid());
	memset(text, 'x', BYTES);
	text[BYTES] = '\0';
	write_file(path, "w", text);
	write_file(path, "a", "\n1000 10 JS:~one /a.js:1:1\n");
	free(text);
	assert_int_equal(perf_map_new(getpid(), &m), 0);
	perf_map_refresh(m);
	expect_at(m, 0x1000, "one");
	perf_map_free(m);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_file),
	    cmocka_unit_test(test_long_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
