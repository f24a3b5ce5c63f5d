/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the views make of a census, and of one that knows little. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "view/cells.h"
#include "view/census.h"

static struct census *a_census(void)
{
	static struct census_thread threads[] = {
	    {.tid = 7, .name = "w", .local_refs = 12, .native_attached = 1, .criticals = 3},
	    {.tid = 8, .name = "", .local_refs = -1, .native_attached = -1, .criticals = -1, .gone = true}};
	static struct report_of of[] = {{"a.Plugin", "a.Loader", 0x1234, 1, 30}, {"int", NULL, 0, 0, 1}};
	static struct census_class classes[2];
	static struct census c;

	classes[0] = (struct census_class){VM_GLOBAL, "java.lang.Class", 31, 2, {of, 2, 2}, {0}};
	classes[1] = (struct census_class){VM_WEAK, "x.Y", 5, 5, {NULL, 0, 0}, {0}};
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
	    .gone = 1,
	    .classes_known = true,
	    .classes_wanted = true,
	    .growth_per_min = NAN,
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
	const struct census *c = a_census();
	const struct view_opts o = {.width = 80};
	struct buf b = {0};

	(void)state;
	view_census_json(&b, &(const struct census *){c}, 1, &o);
	expect_part(&b, "\"vm_total\":31");
	expect_part(&b, "\"acquired\":null");
	expect_part(&b, "{\"tid\":7,\"name\":\"w\",\"local_refs\":12,\"native_attached\":true,"
			"\"criticals\":3,\"gone\":false}");
	expect_part(&b, "{\"tid\":8,\"name\":null,\"local_refs\":null,\"native_attached\":null,"
			"\"criticals\":null,\"gone\":true}");
	expect_part(&b, "\"native_gone\":1,\"threads\":[");
	expect_part(&b, "\"growth\":null,\"growth_per_min\":null,\"refused\":null");
	expect_part(&b, "\"loader\":\"a.Loader\",\"loader_id\":\"0x1234\"");
	expect_part(&b, "\"of\":null");
	assert_ptr_equal(strchr(b.p, '\n'), b.p + b.n - 1);
	buf_free(&b);
	b = (struct buf){0};
	view_census_table(&b, &(const struct census *){c}, 1, &o);
	expect_part(&b, "global: 31 references");
	expect_part(&b, "weak: (cleared: 1)");
	expect_part(&b, "of a.Plugin (loader a.Loader");
	expect_part(&b, "? attached by native code");
	expect_part(&b, "  1 ended without DetachCurrentThread: the VM keeps it for ever\n");
	expect_part(&b, "w (7): inside a critical section, and 2 in it");
	for (const char *line = b.p; *line; line = strchr(line, '\n') + 1)
		assert_true(strchr(line, '\n') - line <= 80);
	buf_free(&b);
}

/* The time is rounded to a millisecond, as in all records, never cut. */
static void test_time(void **state)
{
	struct census *c = a_census();
	const struct view_opts o = {.width = 80};
	struct buf b = {0};

	(void)state;
	c->time_unix_s = 1769860800.9996;
	view_census_json(&b, &(const struct census *){c}, 1, &o);
	expect_part(&b, "\"time\":\"2026-01-31T12:00:01.000Z\"");
	buf_free(&b);
	b = (struct buf){0};
	c->time_unix_s = -1;
	view_census_json(&b, &(const struct census *){c}, 1, &o);
	expect_part(&b, "\"time\":null");
	buf_free(&b);
}

/* Growth is part of the census: of the tables and of each class, with the limit of the view. */
static void test_growth(void **state)
{
	struct census *c = a_census();
	const struct view_opts o = {.width = 200};
	struct buf b = {0};

	(void)state;
	c->watched = true;
	c->limit = 51200;
	c->growth[VM_GLOBAL] = (struct growth){.known = true,
					       .per_min = 300,
					       .error_per_min = 0.5,
					       .span_s = 50,
					       .alarm = true,
					       .limit_s = 8400,
					       .limit_soonest_s = 8300,
					       .limit_latest_s = INFINITY};
	c->growth[VM_WEAK].limit_s = -1;
	c->classes.v[0].growth = c->growth[VM_GLOBAL];
	c->classes.v[1].growth = c->growth[VM_WEAK];
	view_census_json(&b, &(const struct census *){c}, 1, &o);
	expect_part(
	    &b,
	    "{\"family\":\"global\",\"name\":null,\"per_min\":300.0,\"error_per_min\":0.5,\"span_s\":50.0,"
	    "\"alarm\":true,"
	    "\"not_known\":\"it would look the same if each were released after 0 "
	    "seconds\",\"limit\":51200,\"limit_s\":8400.0,\"limit_soonest_s\":8300.0,"
	    "\"limit_latest_s\":null}");
	expect_part(&b, "{\"family\":\"weak\",\"name\":null,\"per_min\":null,");
	expect_part(&b, "{\"family\":\"global\",\"name\":\"java.lang.Class\",\"per_min\":300.0,");
	buf_free(&b);
	b = (struct buf){0};
	view_census_table(&b, &(const struct census *){c}, 1, &o);
	expect_part(&b, "\nGROWS STEADILY global: 31 references, +300/min +-0.5 over 50.0s; at 51,200 in "
			"2h20m (2h18m to never)");
	expect_part(&b, "weak: 6 references, growth not known yet");
	expect_part(&b, "GROWS STEADILY  +300/min  java.lang.Class");
	buf_free(&b);
}

/* What the mode is for is in the first cells of its line, at any width; and there is nothing to make of
 * noise. */
static void test_alarm_is_never_cut(void **state)
{
	struct census *c = a_census();
	struct view_opts o = {0};

	(void)state;
	c->watched = true;
	c->limit = 51200;
	c->growth[VM_GLOBAL] = (struct growth){
	    .known = true, .per_min = 300, .error_per_min = 0.5, .span_s = 50, .alarm = true, .limit_s = -1};
	c->growth[VM_WEAK] = (struct growth){.known = true,
					     .per_min = -0.04,
					     .error_per_min = 0.01,
					     .span_s = 50,
					     .limit_s = INFINITY,
					     .limit_soonest_s = INFINITY,
					     .limit_latest_s = INFINITY};
	c->classes.v[0].growth = c->growth[VM_GLOBAL];
	c->classes.v[1].growth = c->growth[VM_WEAK];
	for (o.width = 20; o.width < 240; o.width += 10) {
		struct buf b = {0};

		view_census_table(&b, &(const struct census *){c}, 1, &o);
		expect_part(&b, "\nGROWS STEADILY");
		expect_part(&b, "GROWS STEADILY  +300/min  java.lang.Class");
		assert_null(strstr(b.p, "never"));
		assert_null(strstr(b.p, "-0.0"));
		if (o.width >= 80)
			expect_part(&b,
				    "weak: 6 references, 0/min +-0.1 over 50.0s; not on the way to 51,200\n");
		buf_free(&b);
	}
}

/* Who it is, and in a file each thing in one line. */
static void test_who(void **state)
{
	struct census *c = a_census();
	struct view_opts o = {.width = CELLS_UNCUT, .all = true};
	struct buf b = {0};

	(void)state;
	c->classes_wanted = false;
	c->target.main = "com.acme.Server";
	c->target.command =
	    "java -Xmx2g -Dsome.long.property=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx com.acme.Server a b c d e";
	c->target.user = "pay";
	c->target.host = "node7";
	c->target.container = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
	view_census_table(&b, &(const struct census *){c}, 1, &o);
	expect_part(&b, "  PID 1 com.acme.Server, pay@node7, container 0123456789ab, HotSpot 17; read in ");
	expect_part(&b, "\ncommand: java -Xmx2g -Dsome.long.property=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx "
			"com.acme.Server a b c d e\n");
	buf_free(&b);
	view_census_table(&b, (const struct census *[]){c, c}, 2, &o);
	expect_part(&b, "  com.acme.Server 17, container 0123456789ab\n");
	buf_free(&b);
	view_census_json(&b, &(const struct census *){c}, 1, &o);
	expect_part(&b, "\"main\":\"com.acme.Server\"");
	expect_part(&b, "\"jnitrace\":\"");
	buf_free(&b);
}

static void test_unknown_is_said(void **state)
{
	struct census *c = a_census();
	const struct view_opts o = {.width = 80};
	struct buf b = {0};

	(void)state;
	c->refs_known = c->threads_known = c->classes_known = false;
	strcpy(c->refused, "because");
	view_census_json(&b, &(const struct census *){c}, 1, &o);
	expect_part(&b, "\"vm_total\":null,\"vm_note\":null,\"table_bytes\":null,\"in_use\":null");
	expect_part(&b, "\"threads\":null,\"classes\":null");
	expect_part(&b, "\"refused\":\"because\"");
	buf_free(&b);
	b = (struct buf){0};
	view_census_table(&b, &(const struct census *){c}, 1, &o);
	expect_part(&b, "global: ? references");
	expect_part(&b, "classes: ? (because)");
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_views),  cmocka_unit_test(test_time),
	    cmocka_unit_test(test_growth), cmocka_unit_test(test_alarm_is_never_cut),
	    cmocka_unit_test(test_who),    cmocka_unit_test(test_unknown_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
