/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Processes of recordings and their like, and what is new since a recording. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "record/recorder.h"
#include "run/baseline.h"
#include "run/compare_targets.h"

#define MOST 4
struct jvm {
	struct report report;
	struct report_site sites[MOST];
	struct report_finding findings[MOST];
	struct frame frames[2 * MOST];
};

static void init(struct jvm *j, int pid, const char *name)
{
	*j = (struct jvm){
	    .report = {.catalog = &jni_catalog, .elapsed_s = 5, .final = true, .end_reason = END_EXITED}};
	j->report.target = (struct report_target){
	    .pid = pid, .start_time_ticks = (uint64_t)pid, .comm = "java", .main = name};
	j->report.sites.v = j->sites;
	j->report.findings.v = j->findings;
	for (size_t i = 0; i < NR_FAMILIES; i++)
		j->report.families[i].vm_total = -1;
}

static void add(struct jvm *j, const char *symbol, uint64_t id, uint64_t outstanding)
{
	size_t i = j->report.sites.n++;

	j->frames[i] = (struct frame){.symbol = symbol, .module = "liba.so", .offset = id};
	j->sites[i] = (struct report_site){.id = id,
					   .func = FUNC_NewGlobalRef,
					   .acquired = outstanding,
					   .outstanding = outstanding,
					   .oldest_s = -1,
					   .outstanding_bytes = -1,
					   .peak_per_call = -1,
					   .frames = {&j->frames[i], 1, 1}};
}

static void add_finding(struct jvm *j, uint64_t id)
{
	size_t i = j->report.findings.n++;

	j->frames[MOST + i] = (struct frame){.symbol = "drop", .module = "liba.so", .offset = id};
	j->findings[i] = (struct report_finding){.kind = FINDING_DOUBLE_DELETE,
						 .id = id,
						 .count = 1,
						 .stack = {true, {&j->frames[MOST + i], 1, 1}, NULL}};
}

/* A recording of them, which the caller frees and unlinks. */
static char *record(const struct report *const *reports, size_t n)
{
	char *name = strdup("/tmp/jnitrace-baseline-XXXXXX");
	int fd = mkstemp(name);
	struct recorder *r = NULL;
	struct buf out = {0};

	assert_true(fd >= 0);
	assert_int_equal(recorder_new(&jni_catalog, NULL, 0, 0, &r), 0);
	assert_int_equal(recorder_begin(r, &out), 0);
	assert_int_equal(recorder_reports(r, reports, n, &out), 0);
	assert_int_equal(recorder_end(r, &out), 0);
	assert_int_equal(write(fd, out.p, out.n), out.n);
	close(fd);
	buf_free(&out);
	recorder_free(r);
	return name;
}

static void test_baseline(void **state)
{
	static struct jvm one, two, now;
	const struct report *const were[] = {&one.report, &two.report};
	struct baseline *b = NULL;
	struct error err = {0};
	struct news news = {0};
	char *name;

	(void)state;
	init(&one, 1, "Fork");
	init(&two, 2, "Fork");
	add(&one, "a", 1, 5);
	add(&two, "a", 1, 2);
	add(&two, "b", 2, 7);
	add_finding(&two, 50);
	name = record(were, 2);
	assert_int_equal(baseline_new(name, 1 << 24, &b, &err), 0);

	/* All that one of them had, and in another build. */
	init(&now, 3, "Fork");
	add(&now, "a", 1, 5);
	add(&now, "b", 0x102, 7);
	add(&now, "nothing", 4, 0);
	add_finding(&now, 51);
	assert_int_equal(baseline_compare(b, &now.report, &news), 0);
	assert_int_equal(news.likes, 2);
	assert_true(news.sites.n == 0 && news.findings.n == 0);
	news_free(&news);

	/* One more than any of them had, one that is new. */
	now.sites[0].outstanding = 6;
	now.sites[2].outstanding = 1;
	now.findings[0].kind = FINDING_KIND_MISMATCH;
	assert_int_equal(baseline_compare(b, &now.report, &news), 0);
	assert_int_equal(news.sites.n, 2);
	assert_ptr_equal(news.sites.v[0], &now.sites[0]);
	assert_ptr_equal(news.sites.v[1], &now.sites[2]);
	assert_int_equal(news.findings.n, 1);
	news_free(&news);

	/* Of another name. */
	now.report.target.main = "Other";
	assert_int_equal(baseline_compare(b, &now.report, &news), 0);
	assert_true(news.likes == 0 && news.sites.n == 3 && news.findings.n == 1);
	news_free(&news);
	baseline_free(b);
	unlink(name);
	free(name);
	assert_true(baseline_new("/dev/null", 1 << 24, &b, &err) < 0);
	assert_null(b);
}

static void expect_pairs(const struct options *o, struct report *const *a, size_t n_a,
			 struct report *const *b, size_t n_b, const char *want)
{
	struct comparisons found = {0};
	struct buf got = {0};

	assert_int_equal(compare_targets(o, a, n_a, b, n_b, PER_RUN, &found), 0);
	for (size_t i = 0; i < found.n; i++)
		buf_printf(&got, "%d-%d ", found.v[i].a.report ? found.v[i].a.report->target.pid : 0,
			   found.v[i].b.report ? found.v[i].b.report->target.pid : 0);
	assert_string_equal(got.p ? got.p : "", want);
	buf_free(&got);
	comparisons_free(&found);
}

static void test_targets(void **state)
{
	static struct jvm v[6];
	static struct options o;
	struct report *a[] = {&v[0].report, &v[1].report, &v[2].report};
	struct report *b[] = {&v[3].report, &v[4].report, &v[5].report};

	(void)state;
	init(&v[0], 1, "Main");
	init(&v[1], 2, "Fork");
	init(&v[2], 3, "Gone");
	init(&v[3], 11, "Fork");
	init(&v[4], 12, "Fork");
	init(&v[5], 13, "Main");
	expect_pairs(&o, a, 3, b, 3, "2-11 0-12 1-13 3-0 ");
	expect_pairs(&o, a, 1, b, 1, "1-11 "); /* whatever their names are */
	o.nr_pids = 1;
	o.pids[0] = 2;
	expect_pairs(&o, a, 3, b, 3, "2-11 ");
	o.nr_pids = 2;
	o.pids[1] = 13;
	expect_pairs(&o, a, 3, b, 3, "2-13 ");
	o.nr_pids = 1;
	o.pids[0] = 99;
	expect_pairs(&o, a, 3, b, 3, "");
	o.nr_pids = 0;
	o.nr_names = 1;
	strcpy(o.names[0], "Fork");
	expect_pairs(&o, a, 3, b, 3, "2-11 0-12 ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_baseline),
	    cmocka_unit_test(test_targets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
