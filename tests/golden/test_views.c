/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Views against files. Reports are made by hand here, so that every byte of a file can be accounted
 * for. UPDATE_GOLDEN=1 writes the files anew: look at the difference before keeping it.
 * Run from the top of the source tree, or with JNITRACE_SRCDIR set to it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "golden.h"
#include "view/cells.h"
#include "view/columns.h"
#include "view/json.h"
#include "view/probes.h"
#include "view/table.h"

#define LONG_NAME                                                                                            \
	"std::vector<std::map<std::basic_string<char, std::char_traits<char>, std::allocator<char> >, "      \
	"leaky::Handle<leaky::Cache> > >::emplace_back<leaky::Entry&&>(leaky::Entry&&)"

/* Tests. */

static void test_leaks(void **state)
{
	struct view_opts wide = plain, brief = plain;
	struct sample s;

	(void)state;
	init_leaks(&s);
	expect_table("leaks-80.txt", &s, &plain);
	wide.width = 132;
	expect_table("leaks-132.txt", &s, &wide);
	brief.stack_frames = 0;
	expect_table("leaks-brief.txt", &s, &brief);
	brief.stack_frames = 2;
	brief.rows = 1;
	expect_table("leaks-row.txt", &s, &brief);
	brief.rows = 20;
	brief.stack_frames = 5;
	brief.stacks = STACKS_NONE;
	expect_table("leaks-brief.txt", &s, &brief);
	assert_int_equal(report_sort(&s.report, NULL), 0);
	expect_records("leaks.json", &s, &plain);
	expect_records("leaks-nostacks.json", &s, &brief);
}

/* Estimates have their errors beside them; families that are not sampled have none. */
static void test_sampled(void **state)
{
	struct view_opts by_function = plain;
	struct sample s;

	(void)state;
	init_leaks(&s);
	s.report.families[FAMILY_WEAK].one_in = 10;
	s.report.families[FAMILY_WEAK].one_in_now = 5;
	expect_table("sampled.txt", &s, &plain);
	by_function.group_by = GROUP_FUNCTION;
	expect_table("sampled-function.txt", &s, &by_function);
	expect_records("sampled.json", &s, &plain);
}

static void test_color(void **state)
{
	struct view_opts color = plain;
	struct sample s;

	(void)state;
	init_leaks(&s);
	s.report.drops[DROP_REFS_FULL] = 12;
	expect_table("plain.txt", &s, &color);
	color.color = true;
	expect_table("color.txt", &s, &color);
}

static void test_height(void **state)
{
	struct view_opts live = plain;
	struct sample s;

	(void)state;
	init_leaks(&s);
	for (live.height = 1; live.height < 40; live.height++) {
		const struct report *const reports[] = {&s.report, &s.report};
		struct buf out = {0};
		int lines = 0;

		view_table(&out, reports, 1, &live);
		for (size_t i = 0; i < out.n; i++)
			lines += out.p[i] == '\n';
		/* header 4, families 5, table's header 1, first row 5, what is left out 1, empty 1 */
		if (lines > (live.height > 17 ? live.height : 17))
			fail_msg("%d lines on a screen of %d:\n%s", lines, live.height, out.p);
		buf_free(&out);
		view_table(&out, reports, 2, &live);
		lines = 0;
		for (size_t i = 0; i < out.n; i++)
			lines += out.p[i] == '\n';
		if (lines > (live.height > 34 ? live.height : 34))
			fail_msg("%d lines on a screen of %d:\n%s", lines, live.height, out.p);
		buf_free(&out);
	}
	live.height = 18;
	expect_table("leaks-height.txt", &s, &live);
}

static void test_empty(void **state)
{
	struct sample s;

	(void)state;
	init_sample(&s);
	s.report.events_per_s = 0;
	s.report.events = 0;
	trace(&s, FUNC_NewGlobalRef, 0);
	trace(&s, FUNC_DeleteGlobalRef, 0);
	expect_table("empty.txt", &s, &plain);
	expect_records("empty.json", &s, &plain);
}

static void test_drops(void **state)
{
	struct sample s;

	(void)state;
	init_leaks(&s);
	for (size_t i = 0; i < NR_DROPS; i++)
		s.report.drops[i] = i * 1234;
	s.report.check = (struct report_check){true, 4711, 1200, 0.5};
	s.report.probed[FUNC_USE_IsSameObject] = s.report.probed[FUNC_USE_NewGlobalRef] = true;
	s.report.calls[FUNC_USE_IsSameObject] = 4700;
	s.report.calls[FUNC_USE_NewGlobalRef] = 11;
	expect_table("drops.txt", &s, &plain);
	expect_records("drops.json", &s, &plain);
}

static void test_incomplete_stacks(void **state)
{
	struct sample s;

	(void)state;
	init_leaks(&s);
	s.report.stacks.complete = 119812;
	s.report.stacks.incomplete = 602 + 1197;
	s.report.stacks.complete_sites = 1;
	s.report.stacks.incomplete_sites = 2;
	s.report.stacks.reasons[END_DEPTH] = 602;
	s.report.stacks.reasons[END_NO_CFI] = s.report.stacks.reasons[END_FLUSHED] = 1197;
	expect_table("stacks.txt", &s, &plain);
	expect_records("stacks.json", &s, &plain);
	s.report.stacks.complete = 1000000000;
	for (size_t i = 0; i < NR_ENDS; i++)
		s.report.stacks.reasons[i] = stack_end_rows[i].name ? i + 1 : 0;
	expect_table("stacks-all.txt", &s, &plain);
}

static void test_unknown(void **state)
{
	struct report_site *site;
	struct frame *f;
	struct sample s;

	(void)state;
	init_sample(&s);
	s.report.target = (struct report_target){.pid = 7};
	s.report.probe_cost_ns_per_event = -1;
	s.report.target_cpu_pct = -1;
	s.report.self_cpu_pct = -1;
	s.report.events_per_s = NAN;
	trace(&s, FUNC_NewGlobalRef, 5);
	s.report.families[FAMILY_GLOBAL] = (struct report_family){
	    .traced = true,
	    .acquired = 5,
	    .outstanding = 5,
	    .vm_total = -1,
	    .cost_ns_per_event = -1,
	    .target_cpu_pct = -1,
	};
	site = add_site(&s, FUNC_NewGlobalRef, 3, 0);
	add_frame(site, NULL, NULL, 0);
	site = add_site(&s, FUNC_NewGlobalRef, 1, 0);
	site->rate_per_s = NAN;
	site->acquired_per_s = INFINITY;
	f = add_frame(site, NULL, NULL, 0);
	f->module = NULL;
	f->build_id = NULL;
	f->offset = 0x7f00deadbeef;
	site = add_site(&s, FUNC_NewGlobalRef, 1, 0);
	site->rate_per_s = -1e-9;
	site = add_site(&s, FUNC_NONE, 0, 0);
	site->no_stack = true;
	site->truncated = "said by the caller";
	expect_table("unknown.txt", &s, &plain);
	expect_records("unknown.json", &s, &plain);
}

static void test_final(void **state)
{
	struct sample s;

	(void)state;
	init_leaks(&s);
	s.report.final = true;
	s.report.end_reason = END_EXITED;
	s.report.elapsed_s = 7505.3;
	expect_table("final.txt", &s, &plain);
	expect_records("final.json", &s, &plain);
}

static void test_two_targets(void **state)
{
	static struct sample a, b;
	const struct report *const reports[] = {&a.report, &b.report};
	struct view_opts o = plain;
	struct buf out = {0};

	(void)state;
	init_leaks(&a);
	init_sample(&b);
	b.report.target.pid = 98765;
	b.report.target.comm = "tomcat";
	b.report.target.vm_version = "25.0.3+9-LTS";
	trace(&b, FUNC_NewGlobalRef, 50);
	trace(&b, FUNC_DeleteGlobalRef, 5);
	b.report.families[FAMILY_GLOBAL] = (struct report_family){
	    .traced = true,
	    .acquired = 50,
	    .released = 5,
	    .outstanding = 45,
	    .vm_total = 61,
	    .before_known = true,
	    .before_attach = 16,
	    .cost_ns_per_event = 1300,
	    .target_cpu_pct = -1,
	};
	b.report.drops[DROP_STACKS_FULL] = 2;
	add_frame(add_site(&b, FUNC_NewGlobalRef, 30, 2), "Cache::put(Entry const&)", "cache.cc", 140);
	add_frame(add_site(&b, FUNC_NewGlobalRef, 20, 3), "Cache::grow(unsigned long)", "cache.cc", 88);
	o.stack_frames = 1;
	view_table(&out, reports, 2, &o);
	expect_width(&out, 80);
	expect_golden("two-targets.txt", &out);
	view_json(&out, reports, 2, &o);
	expect_json(&out);
	expect_golden("two-targets.json", &out);
	o.group_by = GROUP_FUNCTION;
	view_table(&out, reports, 2, &o);
	expect_width(&out, 80);
	expect_golden("group-function.txt", &out);
	/* A sum with one unknown is unknown. */
	a.report.families[FAMILY_GLOBAL].vm_total = -1;
	view_table(&out, reports, 2, &o);
	assert_non_null(strstr(out.p, "(released untracked 3, VM total ?)"));
	a.report.families[FAMILY_GLOBAL].vm_total = 1218;
	buf_free(&out);
	o.group_by = GROUP_PID;
	o.sort = "comm";
	o.width = 132;
	view_table(&out, reports, 2, &o);
	expect_width(&out, 132);
	expect_golden("group-pid.txt", &out);
}

/* What --check costs is that of all targets, as is what their families cost. */
static void test_costs_of_two_targets(void **state)
{
	static struct sample a, b;
	const struct report *const reports[] = {&a.report, &b.report};
	struct view_opts o = plain;
	struct buf out = {0};

	(void)state;
	init_leaks(&a);
	a.report.check =
	    (struct report_check){.on = true, .calls = 1000, .cost_ns_per_event = 900, .target_cpu_pct = 7.2};
	b = a;
	o.width = 200;
	o.group_by = GROUP_FUNCTION;
	view_table(&out, reports, 2, &o);
	assert_non_null(strstr(out.p, "overhead: target 4.4% (global 4.4, weak 0.1, check 14.4)"));
	buf_free(&out);
}

static void test_long_names(void **state)
{
	static char huge[20000];
	struct view_opts wide = plain;
	struct report_site *site;
	struct sample s;

	(void)state;
	memset(huge, 'x', sizeof(huge) - 1);
	init_sample(&s);
	trace(&s, FUNC_NewWeakGlobalRef, 60);
	s.report.target.comm = LONG_NAME;
	site = add_site(&s, FUNC_NewWeakGlobalRef, 30, 0);
	add_frame(site, LONG_NAME, "/a/b/vector.tcc", 123);
	add_frame(site, LONG_NAME, LONG_NAME, 1);
	add_frame(site, huge, "x.c", 1)->inlined = true;
	site = add_site(&s, FUNC_NewWeakGlobalRef, 20, 0);
	add_frame(site, huge, huge, 2);
	add_frame(site, huge, NULL, 0)->module = huge;
	site = add_site(&s, FUNC_NewWeakGlobalRef, 10, 0);
	/* 40 wide characters, an accent, and what must not reach a terminal */
	add_frame(site,
		  "\xe5\xad\x97\xe5\xad\x97\xe5\xad\x97\xe5\xad\x97\xe5\xad\x97\xe5\xad\x97\xe5\xad\x97"
		  "\xe5\xad\x97\xe5\xad\x97\xe5\xad\x97\xe5\xad\x97\xe5\xad\x97\xe5\xad\x97\xe5\xad\x97"
		  "e\xcc\x81\x1b[31m\xe2\x80\xae\xff\xc2\x9b",
		  "caf\xc3\xa9.c", 7);
	add_frame(site, "tab\there\nnew line", "a\rb.c", 8);
	expect_table("long-80.txt", &s, &plain);
	wide.width = 132;
	expect_table("long-132.txt", &s, &wide);
	s.sites[0].frames.n = 2;
	s.sites[1].frames.n = 0;
	expect_records("long.json", &s, &plain);
}

static uint64_t next_random(uint64_t *seed)
{
	*seed += 0x9e3779b97f4a7c15ULL;
	return mix64(*seed);
}

/* Names made of anything: lines hold, columns are no wider than the screen, JSON is JSON. */
static void test_random_names(void **state)
{
	static char names[8][300];
	uint64_t seed = 1;

	(void)state;
	for (int round = 0; round < 500; round++) {
		struct view_opts o = plain;
		struct buf out = {0};
		struct sample s;
		const struct report *const reports[] = {&s.report, &s.report};

		for (size_t i = 0; i < ARRAY_LEN(names); i++) {
			size_t len = next_random(&seed) % (sizeof(names[i]) - 1);

			for (size_t j = 0; j < len; j++)
				names[i][j] = (char)(next_random(&seed) % 255 + 1);
			names[i][len] = '\0';
		}
		init_sample(&s);
		trace(&s, FUNC_NewGlobalRef, 1);
		s.report.target.comm = names[0];
		s.report.target.vm = names[1];
		s.report.target.vm_version = names[2];
		s.report.target.library = names[3];
		for (size_t i = 0; i < 8; i++) {
			struct report_site *site = add_site(&s, FUNC_NewGlobalRef, next_random(&seed), 0);

			site->truncated = names[i];
			add_frame(site, names[next_random(&seed) % 8], names[next_random(&seed) % 8], 1);
			add_frame(site, NULL, NULL, 0)->module = names[next_random(&seed) % 8];
		}
		o.width = 80 + (int)(next_random(&seed) % 100);
		o.group_by = (enum group_by)(next_random(&seed) % NR_GROUPS);
		view_table(&out, reports, 2, &o);
		expect_width(&out, o.width);
		assert_null(strchr(out.p, '\033'));
		buf_free(&out);
		view_json(&out, reports, 2, &o);
		expect_json(&out);
		buf_free(&out);
	}
}

static void test_huge_numbers(void **state)
{
	const uint64_t most = 1ULL << 63;
	struct view_opts wide = plain;
	struct report_site *site;
	struct sample s;

	(void)state;
	init_sample(&s);
	trace(&s, FUNC_NewGlobalRef, most);
	trace(&s, FUNC_DeleteGlobalRef, UINT64_MAX);
	s.report.families[FAMILY_GLOBAL] = (struct report_family){
	    true,  most, most - 1, UINT64_MAX, most, INT64_MAX, NULL, false, 0, 0, 1e300,
	    1e300, 0,    0,        false,      {0},  0,         0,    0,     0, 0};
	s.report.events = UINT64_MAX;
	s.report.events_per_s = 1e300;
	s.report.map_bytes = UINT64_MAX;
	s.report.drops[DROP_REFS_FULL] = most;
	s.report.drops[DROP_STACKS_FULL] = most;
	site = add_site(&s, FUNC_NewGlobalRef, 0, 0);
	add_frame(site, "nothing", "zero.c", 0);
	site = add_site(&s, FUNC_NewGlobalRef, UINT64_MAX, most);
	site->id = UINT64_MAX;
	site->oldest_s = 1e15;
	site->rate_per_s = -1e18;
	site->acquired_per_s = 1e300;
	add_frame(site, "everything", "/max.c", INT32_MAX)->offset = UINT64_MAX;
	expect_table("huge-80.txt", &s, &plain);
	wide.sort = "released"; /* never left out, however tight it gets */
	expect_table("huge-sorted-80.txt", &s, &wide);
	wide.width = 200;
	expect_table("huge-200.txt", &s, &wide);
	wide.group_by = GROUP_FUNCTION;
	expect_table("huge-function.txt", &s, &wide);
	expect_records("huge.json", &s, &plain);
}

/* Pinned contents: the column of bytes is there, and unknown where one of a site is. */
static void test_pins(void **state)
{
	static const struct report_pins held = {.direct = 20,
						.holds = 17,
						.hold_ns = 61000000,
						.max_hold_ns = 20500000,
						.nested = 3,
						.cpu_wait_ns = 1500000,
						.cpu_waits_known = true,
						.hold = {[0] = 3, [12] = 13, [31] = 1}};
	static const struct report_pins copied = {.copied = 7, .committed = 2, .aborted = 1},
					unsure = {.copy_unknown = 1};
	struct report_site *site;
	struct sample s;

	(void)state;
	init_sample(&s);
	trace(&s, FUNC_GetPrimitiveArrayCritical, 20);
	trace(&s, FUNC_GetByteArrayElements, 8);
	site = add_site(&s, FUNC_GetPrimitiveArrayCritical, 20, 17);
	site->outstanding_bytes = 12345678;
	site->pins = &held;
	add_frame(site, "Java_Zip_compress", "/src/zip.c", 77);
	site = add_site(&s, FUNC_GetByteArrayElements, 7, 7);
	site->outstanding_bytes = 0;
	site->pins = &copied;
	add_frame(site, "Java_Zip_copy", "/src/zip.c", 88);
	site = add_site(&s, FUNC_GetByteArrayElements, 1, 0);
	site->pins = &unsure;
	add_frame(site, "Java_Zip_early", "/src/zip.c", 99);
	expect_table("pins.txt", &s, &plain);
	expect_records("pins.json", &s, &plain);
}

static void test_no_stack(void **state)
{
	struct report_site *site;
	struct sample s;

	(void)state;
	init_leaks(&s);
	s.report.drops[DROP_STACKS_FULL] = 5000;
	site = add_site(&s, FUNC_NewGlobalRef, 5000, 10);
	site->no_stack = true;
	site->id = 0;
	site = add_site(&s, FUNC_NewGlobalRef, 4000, 10);
	site->truncated = "the caller could not be read";
	expect_table("no-stack.txt", &s, &plain);
	expect_records("no-stack.json", &s, &plain);
}

/* Native methods that left no frame: their functions are known, of a stripped library without a name. */
static void test_tail_calls(void **state)
{
	static const char *const symbols[] = {"Java_Leaky_make", NULL};
	struct report_site *site;
	struct frame *f;
	struct sample s;

	(void)state;
	init_sample(&s);
	trace(&s, FUNC_NewGlobalRef, 15);
	for (size_t i = 0; i < ARRAY_LEN(symbols); i++) {
		site = add_site(&s, FUNC_NewGlobalRef, 12 - i, 0);
		add_frame(site, symbols[i], NULL, 0)->tail_call = true;
		f = add_frame(site, "Leaky.make", "Leaky.java", 0);
		f->type = FRAME_JAVA;
		f->module = NULL;
	}
	expect_table("tail-calls.txt", &s, &plain);
	expect_records("tail-calls.json", &s, &plain);
}

static void test_vm_and_java_frames(void **state)
{
	struct view_opts java = plain, native = plain;
	struct report_site *site;
	struct sample s;

	(void)state;
	init_sample(&s);
	trace(&s, FUNC_NewGlobalRef, 12);
	site = add_site(&s, FUNC_NewGlobalRef, 12, 0);
	add_frame(site, "JNIHandles::make_global(Handle)", NULL, 0)->type = FRAME_VM;
	add_frame(site, "Leak.main", "Leak.java", 40)->type = FRAME_JAVA;
	site->frames.v[1].module = NULL;
	site = add_site(&s, FUNC_NewGlobalRef, 3, 0);
	add_frame(site, "jvmti_only", NULL, 0)->type = FRAME_VM;
	expect_table("vm-frames.txt", &s, &plain);
	expect_records("vm-frames.json", &s, &plain);
	java.stacks = STACKS_JAVA;
	expect_table("java-only.txt", &s, &java);
	expect_records("java-only.json", &s, &java);
	native.stacks = STACKS_NATIVE;
	expect_table("native-only.txt", &s, &native);
}

/* The worst leak stands first, and what is equal keeps its order. */
static void test_sort(void **state)
{
	struct sample s;

	(void)state;
	init_sample(&s);
	add_site(&s, FUNC_NewGlobalRef, 100, 90);        /* 0: 10 outstanding, growing fast */
	add_site(&s, FUNC_NewGlobalRef, 1000, 900);      /* 1: 100 outstanding, standing still */
	add_site(&s, FUNC_NewGlobalRef, 200, 100);       /* 2: 100, growing */
	add_site(&s, FUNC_NewWeakGlobalRef, 1000, 1000); /* 3: churn */
	add_site(&s, FUNC_NewWeakGlobalRef, 1000, 1000); /* 4: the same */
	for (size_t i = 0; i < 5; i++)
		s.sites[i].id = 4 - i;
	s.sites[0].rate_per_s = 50;
	s.sites[1].rate_per_s = 0;
	s.sites[2].rate_per_s = 1;
	assert_int_equal(report_sort(&s.report, NULL), 0);
	assert_int_equal(s.sites[0].id, 2);
	assert_int_equal(s.sites[1].id, 3);
	assert_int_equal(s.sites[2].id, 4);
	assert_int_equal(s.sites[3].id, 1);
	assert_int_equal(s.sites[4].id, 0);
	s.sites[3].verdict.kind = VERDICT_GROWING;
	assert_int_equal(report_sort(&s.report, NULL), 0);
	assert_int_equal(s.sites[0].id, 1);
	assert_int_equal(s.sites[1].id, 2);
	assert_int_equal(report_sort(&s.report, "rate"), 0);
	assert_int_equal(s.sites[0].id, 4);
	assert_int_equal(s.sites[1].id, 2);
	assert_int_equal(report_sort(&s.report, "function"), 0);
	assert_int_equal(s.sites[0].func, FUNC_NewGlobalRef);
	assert_int_equal(s.sites[0].id, 2);
	assert_int_equal(s.sites[3].func, FUNC_NewWeakGlobalRef);
	assert_int_equal(report_sort(&s.report, "id"), 0);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(s.sites[i].id, i);
	assert_int_equal(report_sort(&s.report, "colour"), -EINVAL);
	for (size_t i = 0; i < nr_columns; i++)
		assert_int_equal(report_sort(&s.report, columns[i].key), 0);
}

/* The order things came in decides where nothing else does, whatever qsort does. */
static void test_sort_stable(void **state)
{
	struct row v[4] = {0};
	struct rows rows = {.v = v, .n = ARRAY_LEN(v)};

	(void)state;
	for (size_t i = 0; i < nr_columns; i++) {
		for (size_t j = 0; j < rows.n; j++)
			v[j].order = (j * 3 + 1) % 4;
		rows_sort(&rows, &columns[i]);
		for (size_t j = 1; j < rows.n; j++)
			assert_true(v[j - 1].order < v[j].order);
	}
}

static void test_column_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < nr_columns; i++) {
		assert_ptr_equal(column_find(columns[i].key), &columns[i]);
		assert_non_null(columns[i].header);
		assert_non_null(columns[i].help);
		assert_non_null(columns[i].compare);
		assert_non_null(columns[i].format);
		uint32_t groups = columns[i].groups & ~COLUMN_PAIRED;

		assert_true(groups != 0 && groups < 1U << NR_GROUPS);
	}
	assert_string_equal(column_default(GROUP_SITE)->key, "verdict");
	assert_string_equal(column_default(GROUP_FUNCTION)->key, "outstanding");
	assert_null(column_find("OUTSTANDING"));
	assert_null(column_find(""));
}

static void test_probes(void **state)
{
	struct probe_site v[] = {
	    {.func = FUNC_NewGlobalRef,
	     .point = POINT_RETURN,
	     .strategy = STRATEGY_USDT,
	     .offset = 0x8b6d90,
	     .insn = "nop",
	     .price_ns = 470},
	    {.func = FUNC_DeleteGlobalRef,
	     .point = POINT_ENTRY,
	     .strategy = STRATEGY_SYMTAB,
	     .offset = 0x8b7004,
	     .insn = "push",
	     .price_ns = 545},
	    {.func = FUNC_NewWeakGlobalRef,
	     .point = POINT_URETPROBE,
	     .strategy = STRATEGY_FUNCTION_TABLE,
	     .offset = 0x8b7100,
	     .insn = "push",
	     .price_ns = 870},
	};
	struct probe_unseen unseen[] = {{FUNC_USE_GetIntField, "the VM has replaced it"},
					{FUNC_USE_GetModule, "not found in the library"},
					{FUNC_USE_GetLongField, "the VM has replaced it"}};
	const struct probe_sites sites = {
	    .catalog = &jni_catalog, .v = v, .n = 3, .missing = 1, .unseen = {unseen, 3, 3}};
	struct view_opts o = plain;
	struct buf out = {0};
	struct sample s;
	struct probes_info info = {
	    .target = &s.report.target,
	    .library_file = "/opt/a b/libjvm.so",
	    .sites = &sites,
	    .blind = {{FINDING_PENDING_EXCEPTION, "the VM's tables do not say where a thread has it"}},
	    .nr_blind = 1};

	(void)state;
	init_sample(&s);
	view_probes_table(&out, &info, &o);
	expect_golden("probes.txt", &out);
	o.color = true;
	view_probes_table(&out, &info, &o);
	expect_golden("probes-color.txt", &out);
	s.report.target = (struct report_target){.pid = 1};
	v[0].insn = NULL;
	view_probes_json(&out, &info, &o);
	expect_json(&out);
	expect_golden("probes.json", &out);
}

/* Names of every length around that of the writer's own room, quotes and backslashes included. */
static void test_json_lengths(void **state)
{
	static char name[1200];
	struct sample s;
	const struct report *const reports[] = {&s.report};

	(void)state;
	init_sample(&s);
	s.report.target.comm = name;
	for (size_t len = 0; len < sizeof(name) - 1; len++) {
		struct buf out = {0};
		json_t *record;

		name[len] = "a\"b\\"[len % 4];
		view_json(&out, reports, 1, &plain);
		record = json_loadb(out.p, out.n, 0, NULL);
		assert_non_null(record);
		assert_string_equal(
		    json_string_value(json_object_get(json_object_get(record, "target"), "comm")), name);
		json_decref(record);
		buf_free(&out);
	}
}

/* Numbers come back from JSON as they were. */
static void test_json_exact(void **state)
{
	static const uint64_t numbers[] = {0, 1, 9007199254740993ULL, INT64_MAX};
	struct sample s;
	const struct report *const reports[] = {&s.report};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		json_t *record, *calls;
		struct buf out = {0};

		init_sample(&s);
		trace(&s, FUNC_NewGlobalRef, numbers[i]);
		view_json(&out, reports, 1, &plain);
		record = json_loadb(out.p, out.n, 0, NULL);
		assert_non_null(record);
		calls = json_object_get(record, "calls");
		assert_int_equal(json_integer_value(json_object_get(calls, "NewGlobalRef")), numbers[i]);
		assert_int_equal(json_object_size(calls), 1);
		assert_int_equal(json_object_size(json_object_get(record, "families")), 1);
		assert_int_equal(json_object_size(json_object_get(record, "drops")), NR_DROPS);
		json_decref(record);
		buf_free(&out);
	}
}

static void test_before_attach(void **state)
{
	static const struct {
		enum group_by by;
		const char *name;
	} groups[] = {
	    {GROUP_SITE, "before-site.txt"},         {GROUP_CLASS, "before-class.txt"},
	    {GROUP_FUNCTION, "before-function.txt"}, {GROUP_PID, "before-pid.txt"},
	    {GROUP_LIBRARY, "before-library.txt"},   {GROUP_CALLER, "before-caller.txt"},
	};
	struct sample s;
	const struct report *const reports[] = {&s.report};
	struct buf out = {0};

	(void)state;
	init_late(&s);
	for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
		struct view_opts o = plain;

		o.group_by = groups[i].by;
		view_table(&out, reports, 1, &o);
		expect_width(&out, 80);
		expect_golden(groups[i].name, &out);
	}
	/* sorting its sites leaves the rest alone */
	assert_int_equal(report_sort(&s.report, NULL), 0);
	assert_int_equal(s.report.sites.n, 3);
	assert_int_equal(s.report.sites.v[0].acquired, 1197);
	view_json(&out, reports, 1, &plain);
	expect_json(&out);
	expect_golden("before.json", &out);
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_leaks),
	    cmocka_unit_test(test_sampled),
	    cmocka_unit_test(test_before_attach),
	    cmocka_unit_test(test_color),
	    cmocka_unit_test(test_height),
	    cmocka_unit_test(test_empty),
	    cmocka_unit_test(test_drops),
	    cmocka_unit_test(test_incomplete_stacks),
	    cmocka_unit_test(test_unknown),
	    cmocka_unit_test(test_final),
	    cmocka_unit_test(test_two_targets),
	    cmocka_unit_test(test_costs_of_two_targets),
	    cmocka_unit_test(test_long_names),
	    cmocka_unit_test(test_random_names),
	    cmocka_unit_test(test_huge_numbers),
	    cmocka_unit_test(test_pins),
	    cmocka_unit_test(test_no_stack),
	    cmocka_unit_test(test_tail_calls),
	    cmocka_unit_test(test_vm_and_java_frames),
	    cmocka_unit_test(test_sort),
	    cmocka_unit_test(test_sort_stable),
	    cmocka_unit_test(test_column_table),
	    cmocka_unit_test(test_probes),
	    cmocka_unit_test(test_json_exact),
	    cmocka_unit_test(test_json_lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
