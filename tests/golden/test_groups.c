/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Ways to look at one report: by thread, and without releases. See golden.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "golden.h"
#include "view/json.h"
#include "view/table.h"

static struct frame frames[] = {
    {.type = FRAME_NATIVE,
     .symbol = "churn",
     .module = "libleaky.so",
     .offset = 0x1223,
     .file = "leaky.c",
     .line = 12},
    {.type = FRAME_NATIVE,
     .symbol = "leak",
     .module = "libleaky.so",
     .offset = 0x1263,
     .file = "leaky.c",
     .line = 24},
};
static const struct report_thread churners[] = {
    {.tid = 77,
     .start_ns = 1000,
     .name = "worker-1",
     .acquired = 100000,
     .released = 99990,
     .outstanding = 10},
    {.tid = 78, .start_ns = 2000, .name = "worker-\303\251", .acquired = 19812, .released = 19812},
};
static const struct report_thread leakers[] = {
    {.tid = 78, .start_ns = 9000, .name = "later", .acquired = 7, .outstanding = 7},
    {.tid = 77, .start_ns = 1000, .name = "worker-1", .acquired = 1190, .outstanding = 1190},
    {.acquired = 5, .outstanding = 5, .life_unknown = true},
};
static struct report_site sites[] = {
    {.id = 0x1234567890abcdf0,
     .func = FUNC_NewGlobalRef,
     .acquired = 119812,
     .released = 119802,
     .outstanding = 10,
     .oldest_s = 0.5,
     .acquired_per_s = 9984,
     .frames = {&frames[0], 1, 1},
     .threads = {churners, ARRAY_LEN(churners), true}},
    {.id = 0x1234567890abcdf1,
     .func = FUNC_NewGlobalRef,
     .acquired = 1202,
     .outstanding = 1202,
     .oldest_s = 11.9,
     .rate_per_s = 100,
     .acquired_per_s = 100,
     .frames = {&frames[1], 1, 1},
     .threads = {leakers, ARRAY_LEN(leakers), true}},
};

static struct report sample(void)
{
	struct report r = {
	    .target = {.pid = 1234,
		       .start_time_ticks = 456789,
		       .comm = "java",
		       .vm = "HotSpot",
		       .vm_version = "17"},
	    .catalog = &jni_catalog,
	    .time_unix_s = 1769860800.123,
	    .elapsed_s = 12.004,
	    .sites = {sites, ARRAY_LEN(sites), ARRAY_LEN(sites)},
	    .probe_cost_ns_per_event = -1,
	    .target_cpu_pct = -1,
	    .self_cpu_pct = -1,
	    .probed[FUNC_NewGlobalRef] = true,
	    .calls[FUNC_NewGlobalRef] = 121014,
	};

	for (int i = 0; i < NR_FAMILIES; i++)
		r.families[i] =
		    (struct report_family){.vm_total = -1, .cost_ns_per_event = -1, .target_cpu_pct = -1};
	r.families[FAMILY_GLOBAL].traced = true;
	r.families[FAMILY_GLOBAL].acquired = 121014;
	r.families[FAMILY_GLOBAL].released = 119802;
	r.families[FAMILY_GLOBAL].outstanding = 1212;
	return r;
}

static void expect_both(const char *table, const char *json, const struct report *r,
			const struct view_opts *o)
{
	struct buf out = {0};

	view_table(&out, &r, 1, o);
	expect_width(&out, o->width);
	expect_golden(table, &out);
	view_json(&out, &r, 1, o);
	expect_json(&out);
	expect_golden(json, &out);
}

static void test_group_thread(void **state)
{
	struct view_opts o = {.width = 80, .rows = 20, .group_by = GROUP_THREAD};
	struct report r = sample();

	(void)state;
	expect_both("group-thread.txt", "group-thread.json", &r, &o);
}

#define JAVA(name, number)                                                                                   \
	{                                                                                                    \
		.type = FRAME_JAVA, .symbol = (name), .file = "App.java", .line = (number)                   \
	}
#define NATIVE_METHOD(name)                                                                                  \
	{                                                                                                    \
		.type = FRAME_JAVA, .symbol = (name), .native_method = true                                  \
	}
#define NATIVE(name, folder)                                                                                 \
	{                                                                                                    \
		.type = FRAME_NATIVE, .symbol = (name), .module = "libleaky.so",                             \
		.path = folder "/libleaky.so"                                                                \
	}

/*
 * Two files of one name are two libraries; a method is one caller, whatever its line; frames of the VM and of
 * natives are none, nor are native methods: who calls them is, unless there is none.
 */
static void test_owners(void **state)
{
	struct frame stacks[][3] = {
	    {NATIVE("one", "/opt/a"), NATIVE_METHOD("com.acme.Lib.one"), JAVA("com.acme.App.load", 12)},
	    {NATIVE("two", "/opt/a"), NATIVE_METHOD("com.acme.Lib.two"), JAVA("com.acme.App.load", 14)},
	    {NATIVE("one", "/opt/b"), JAVA("com.acme.App.store", 20), JAVA("com.acme.App.main", 4)},
	    {{.type = FRAME_VM, .symbol = "inside", .module = "libjvm.so"},
	     JAVA("com.acme.App.store", 21),
	     JAVA("com.acme.App.main", 4)},
	    {NATIVE("thread", "/opt/b"), NATIVE("start", "/opt/b"), NATIVE("clone", "/opt/b")},
	    {NATIVE("run", "/opt/b"), NATIVE_METHOD("com.acme.Lib.run"), NATIVE("clone", "/opt/b")},
	};
	struct report_site owned[ARRAY_LEN(stacks) + 1];
	struct view_opts o = {.width = 100, .rows = 20};
	struct report r = sample();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(owned); i++) {
		owned[i] = (struct report_site){.id = i + 1,
						.func = FUNC_NewGlobalRef,
						.acquired = 100 + i,
						.released = 90,
						.outstanding = 10 + i,
						.oldest_s = (double)i,
						.rate_per_s = (double)i,
						.acquired_per_s = 10,
						.outstanding_bytes = -1};
		if (i < ARRAY_LEN(stacks)) /* of the last one nothing is known */
			owned[i].frames = (struct frames){stacks[i], 3, 3};
	}
	owned[1].verdict.kind = VERDICT_GROWING;
	r.sites.v = owned;
	r.sites.n = r.sites.cap = ARRAY_LEN(owned);
	o.group_by = GROUP_LIBRARY;
	expect_both("group-library.txt", "group-library.json", &r, &o);
	o.group_by = GROUP_CALLER;
	expect_both("group-caller.txt", "group-caller.json", &r, &o);
}

/* What needs releases is no column, and null. */
static void test_count_only(void **state)
{
	struct view_opts o = {
	    .width = 80, .rows = 1, .stack_frames = 5, .sort = "acquired", .count_only = true};
	struct report r = sample();

	(void)state;
	r.count_only = true;
	expect_both("count-only.txt", "count-only.json", &r, &o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_group_thread),
	    cmocka_unit_test(test_owners),
	    cmocka_unit_test(test_count_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
