/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The census without a JVM: growth and its alarm, names of classes, what the views make of a reading. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "judge/census_watch.h"
#include "runtime/hotspot/klass.h"
#include "view/census.h"

/* --- growth --- */

static uint64_t noise_state;

/* Pseudorandom in [0, n). */
static double noise(double n)
{
	noise_state = noise_state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (double)(noise_state >> 33) / (double)(1ULL << 31) * n;
}

/* Seconds until the first alarm of a count that is sampled each second; -1: none in that time. */
static double first_alarm(double (*count)(double t_s), double for_s)
{
	struct series *s = calloc(1, sizeof(*s));
	struct growth g;
	double at = -1;

	for (double t = 0; t <= for_s && at < 0; t++) {
		series_add(s, t, floor(count(t)));
		series_growth(s, 0, &g);
		if (g.alarm)
			at = t;
	}
	free(s);
	return at;
}

static double steady_leak(double t)
{
	return 1000 + t;
}

static double noisy_leak(double t)
{
	return 1000 + t + noise(12);
}

static double flat(double t)
{
	(void)t;
	return 5000;
}

static double bounded(double t)
{
	(void)t;
	return 5000 + noise(1000);
}

static double wave(double t)
{
	return 5000 + 500 * sin(t / 4) + noise(50);
}

static double sawtooth(double t)
{
	return 5000 + fmod(t, 20) * 30 + noise(10);
}

static double step(double t)
{
	return t < 10 ? 1000 : 3000 + noise(20);
}

static double warm_up(double t)
{
	return 5000 * (1 - exp(-t / 3)) + noise(20);
}

static double shrinking(double t)
{
	return 100000 - 3 * t;
}

static void test_a_leak_is_seen_within_a_minute(void **state)
{
	double at;

	(void)state;
	at = first_alarm(steady_leak, 60);
	assert_true(at >= 30 && at <= 60);
	for (noise_state = 1; noise_state < 200; noise_state = noise_state % 1000 + 17) {
		uint64_t seed = noise_state;

		at = first_alarm(noisy_leak, 60);
		if (at < 0 || at > 60)
			fail_msg("seed %llu: %g", (unsigned long long)seed, at);
		noise_state = seed;
	}
}

static void test_what_is_bounded_raises_no_alarm(void **state)
{
	double (*const counts[])(double) = {flat, bounded, wave, sawtooth, step, warm_up, shrinking};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(counts); i++)
		for (uint64_t seed = 1; seed <= 20; seed++) {
			double at;

			noise_state = seed * 7919;
			at = first_alarm(counts[i], 3600);
			if (at >= 0)
				fail_msg("count %zu, seed %llu: alarm after %g s", i,
					 (unsigned long long)seed, at);
		}
}

static void test_line_and_forecast(void **state)
{
	struct series *s = calloc(1, sizeof(*s));
	struct growth g;

	(void)state;
	series_growth(s, 100, &g);
	assert_false(g.known);
	assert_true(g.limit_s == -1);
	for (int t = 0; t < 100; t++)
		series_add(s, t * 2, 100 + t);
	series_growth(s, 0, &g);
	assert_true(g.known && fabs(g.per_min - 30) < 1e-6 && g.error_per_min < 1e-6);
	assert_true(g.limit_s == -1);
	series_growth(s, 299, &g);
	assert_true(fabs(g.limit_s - 200) < 1e-3);
	assert_true(g.limit_soonest_s <= g.limit_s && g.limit_s <= g.limit_latest_s);
	series_growth(s, 150, &g);
	assert_true(g.limit_s == 0);
	/* thinned out, it keeps its span and its line */
	for (int t = 100; t < 5000; t++)
		series_add(s, t * 2, 100 + t);
	assert_true(s->n <= SERIES_MAX);
	series_growth(s, 0, &g);
	assert_true(fabs(g.per_min - 30) < 1e-6);
	assert_true(g.span_s == 4999 * 2);
	free(s);
	/* 95 % of the errors hold the truth */
	s = calloc(1, sizeof(*s));
	noise_state = 5;
	int held = 0;
	for (int round = 0; round < 200; round++) {
		s->n = 0;
		for (int t = 0; t < 60; t++)
			series_add(s, t, 2.0 * t + noise(100));
		series_growth(s, 0, &g);
		held += fabs(g.per_min - 120) <= g.error_per_min;
	}
	assert_in_range(held, 180, 200);
	free(s);
}

static void test_shrinking_never_reaches_the_limit(void **state)
{
	struct series *s = calloc(1, sizeof(*s));
	struct growth g;

	(void)state;
	for (int t = 0; t < 50; t++)
		series_add(s, t, 1000 - t);
	series_growth(s, 5000, &g);
	assert_true(isinf(g.limit_s) && isinf(g.limit_latest_s));
	free(s);
}

/* --- names --- */

static void expect_name(const char *symbol, const char *want)
{
	char name[256];
	bool ok = class_name_decode(symbol, strlen(symbol), name, sizeof(name));

	if (ok != (want != NULL) || (ok && strcmp(name, want) != 0))
		fail_msg("%s: %s", symbol, ok ? name : "refused");
}

static void test_class_names(void **state)
{
	(void)state;
	expect_name("java/lang/String", "java.lang.String");
	expect_name("A", "A");
	expect_name("a/b/Outer$Inner", "a.b.Outer$Inner");
	expect_name("[B", "byte[]");
	expect_name("[[J", "long[][]");
	expect_name("[Ljava/lang/String;", "java.lang.String[]");
	expect_name("[[[La/B;", "a.B[][][]");
	expect_name("A$$Lambda+0x00007f8", "A$$Lambda/0x00007f8");
	expect_name("a/\xc3\xa4", "a.\xc3\xa4");
	expect_name("", NULL);
	expect_name("[", NULL);
	expect_name("[V", NULL);
	expect_name("[L;", NULL);
	expect_name("[Ljava/lang/String", NULL);
	expect_name("java.lang.String", NULL);
	expect_name("java//lang", NULL);
	expect_name("/a", NULL);
	expect_name("a/", NULL);
	expect_name("a\033[2J", NULL);
	expect_name("a;b", NULL);
}

/* --- views --- */

static struct census *a_census(void)
{
	static struct census_thread threads[] = {
	    {.tid = 7, .name = "w", .local_refs = 12, .native_attached = 1},
	    {.tid = 8, .name = "", .local_refs = -1, .native_attached = -1}};
	static struct census_of of[] = {{"a.Plugin", "a.Loader", 0x1234, 30}, {"int", NULL, 0, 1}};
	static struct census_class classes[2];
	static struct census c;

	classes[0] = (struct census_class){VM_GLOBAL, "java.lang.Class", 31, 2, {of, 2, 2}};
	classes[1] = (struct census_class){VM_WEAK, "x.Y", 5, 5, {NULL, 0, 0}};
	c = (struct census){
	    .target = {.pid = 1,
		       .comm = "java",
		       .vm = "HotSpot",
		       .vm_version = "17",
		       .library = "/l",
		       .build_id = "ab"},
	    .refs = {31, 6},
	    .refs_known = true,
	    .threads_known = true,
	    .local_refs = 12,
	    .native_attached = -1,
	    .classes_known = true,
	    .tables = {{.in_use = 31, .read = 31}, {.in_use = 6, .read = 5, .cleared = 1}},
	};
	c.threads.v = threads;
	c.threads.n = 2;
	c.classes.v = classes;
	c.classes.n = 2;
	return &c;
}

static void expect_part(const struct buf *b, const char *part)
{
	assert_false(b->failed);
	if (!strstr(b->p, part))
		fail_msg("no %s in\n%s", part, b->p);
}

static void test_views(void **state)
{
	const struct census_item item = {.census = a_census(), .growth_per_min = NAN};
	const struct census_view v = {.classes = true};
	const struct view_opts o = {.width = 80};
	struct buf b = {0};

	(void)state;
	view_census_json(&b, &item, 1, &v);
	expect_part(&b, "\"vm_total\":31");
	expect_part(&b, "\"acquired\":null");
	expect_part(&b, "{\"tid\":7,\"name\":\"w\",\"local_refs\":12,\"native_attached\":true}");
	expect_part(&b, "{\"tid\":8,\"name\":null,\"local_refs\":null,\"native_attached\":null}");
	expect_part(&b, "\"growth\":null,\"growth_per_min\":null,\"refused\":null");
	expect_part(&b, "\"loader\":\"a.Loader\",\"loader_id\":\"0x1234\"");
	expect_part(&b, "\"of\":null");
	assert_ptr_equal(strchr(b.p, '\n'), b.p + b.n - 1);
	buf_free(&b);
	b = (struct buf){0};
	view_census_table(&b, &item, 1, &v, &o);
	expect_part(&b, "global: 31 references");
	expect_part(&b, "weak: (cleared: 1)");
	expect_part(&b, "of a.Plugin (loader a.Loader");
	expect_part(&b, "? attached by native code");
	for (const char *line = b.p; *line; line = strchr(line, '\n') + 1)
		assert_true(strchr(line, '\n') - line <= 80);
	buf_free(&b);
}

static void test_unknown_is_said(void **state)
{
	struct census *c = a_census();
	const struct census_item item = {.census = c, .growth_per_min = NAN};
	const struct census_view v = {.classes = true};
	const struct view_opts o = {.width = 80};
	struct buf b = {0};

	(void)state;
	c->refs_known = c->threads_known = c->classes_known = false;
	strcpy(c->refused, "because");
	view_census_json(&b, &item, 1, &v);
	expect_part(&b, "\"vm_total\":null,\"table_bytes\":null,\"in_use\":null");
	expect_part(&b, "\"threads\":null,\"classes\":null");
	expect_part(&b, "\"refused\":\"because\"");
	buf_free(&b);
	b = (struct buf){0};
	view_census_table(&b, &item, 1, &v, &o);
	expect_part(&b, "global: ? references");
	expect_part(&b, "classes: ? (because)");
	buf_free(&b);
}

static void test_no_jvm(void **state)
{
	struct census_vm *vm = NULL;
	struct error err = {0};
	const char *kind;

	(void)state;
	assert_true(census_open(1 << 22, NULL, &vm, &kind, &err) < 0);
	assert_int_equal(err.exit_code, EXIT_NO_TARGET);
	err = (struct error){0};
	assert_int_equal(census_open(getpid(), NULL, &vm, &kind, &err), -EAGAIN); /* it is young */
	assert_string_equal(kind, "?");
	assert_null(vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_leak_is_seen_within_a_minute),
	    cmocka_unit_test(test_what_is_bounded_raises_no_alarm),
	    cmocka_unit_test(test_line_and_forecast),
	    cmocka_unit_test(test_shrinking_never_reaches_the_limit),
	    cmocka_unit_test(test_class_names),
	    cmocka_unit_test(test_views),
	    cmocka_unit_test(test_unknown_is_said),
	    cmocka_unit_test(test_no_jvm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
