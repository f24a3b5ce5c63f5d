/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Metrics: what is not known has no sample, and no name of a process breaks a line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "export/metrics.h"

static struct census a_census(void)
{
	return (struct census){
	    .target = {.pid = 7, .comm = "java", .main = "/opt/a.b/shop.jar", .vm = "HotSpot"},
	    .refs = {31, 6},
	    .refs_known = true,
	    .local_refs = 12,
	    .native_attached = -1,
	    .gone = 0,
	    .growth[VM_GLOBAL] = {.known = true, .per_min = 90, .alarm = true, .limit_s = INFINITY},
	    .limit = 51200,
	};
}

static char *written(bool openmetrics, const struct census *c)
{
	const struct agent_self self = {.version = "1.2.3", .commit = "", .rounds = 5, .cpu_s = 0.25};
	static struct buf out;
	const struct agent_seen seen = {.jvms = &c, .nr_jvms = 1};

	buf_free(&out);
	metrics_write(&out, openmetrics, &self, &seen, 0);
	buf_add(&out, "", 1);
	assert_false(out.failed);
	return out.p;
}

static char *written_with(const struct census *c, const struct window *w, size_t top_sites)
{
	const struct agent_self self = {.version = "1.2.3", .commit = "", .windows_done[WINDOW_GROWTH] = 3};
	const struct agent_seen seen = {.jvms = &c, .nr_jvms = 1, .windows = &w, .nr_windows = 1};
	static struct buf out;

	buf_free(&out);
	metrics_write(&out, false, &self, &seen, top_sites);
	buf_add(&out, "", 1);
	assert_false(out.failed);
	return out.p;
}

static void expect(const char *text, const char *line)
{
	if (!strstr(text, line))
		fail_msg("no ..%s.. in\n%s", line, text);
}

static void expect_none(const char *text, const char *line)
{
	if (strstr(text, line))
		fail_msg("..%s.. in\n%s", line, text);
}

static void test_known_and_unknown(void **state)
{
	struct census c = a_census();
	char *text = written(false, &c);

	(void)state;
	expect(text, "\njnitrace_up{service=\"shop\",pid=\"7\"} 1\n");
	expect(text, "\njnitrace_vm_references{service=\"shop\",pid=\"7\",family=\"global\"} 31\n");
	expect(
	    text,
	    "\njnitrace_vm_references_growth_per_second{service=\"shop\",pid=\"7\",family=\"global\"} 1.5\n");
	expect(text, "\njnitrace_vm_references_growing{service=\"shop\",pid=\"7\",family=\"global\"} 1\n");
	expect(text, "\njnitrace_forecast_seconds{service=\"shop\",pid=\"7\",family=\"global\"} +Inf\n");
	expect(text, "\njnitrace_vm_local_references{service=\"shop\",pid=\"7\"} 12\n");
	expect(text, "\njnitrace_vm_dead_threads{service=\"shop\",pid=\"7\"} 0\n");
	expect_none(text, "\njnitrace_vm_native_threads{");
	expect_none(text, "growing{service=\"shop\",pid=\"7\",family=\"weak\"}");
	expect(text, "\njnitrace_build_info{version=\"1.2.3\"} 1\n");
	expect(text, "\n# TYPE jnitrace_agent_rounds_total counter\njnitrace_agent_rounds_total 5\n");
	expect(text, "\nprocess_cpu_seconds_total 0.25\n");
	expect_none(text, "# EOF");

	c.refs_known = false;
	text = written(false, &c);
	expect(text, "\njnitrace_up{service=\"shop\",pid=\"7\"} 0\n");
	expect_none(text, "\njnitrace_vm_references{");
}

static void test_openmetrics(void **state)
{
	struct census c = a_census();
	char *text = written(true, &c);

	(void)state;
	expect(text, "\n# TYPE jnitrace_agent_rounds counter\njnitrace_agent_rounds_total 5\n");
	expect(text, "\n# TYPE process_cpu_seconds counter\n# UNIT process_cpu_seconds seconds\n");
	assert_string_equal(text + strlen(text) - 6, "# EOF\n");
}

/* Each byte of a name may be anything; a line stays a line, a label a label. */
static void test_hostile_names(void **state)
{
	struct census c = a_census();
	char name[2000], *text;

	(void)state;
	c.target.main = "a\"b\\c\nd\033[31m";
	text = written(false, &c);
	expect(text, "\njnitrace_up{service=\"a\\\"b\\\\c?d?[31m\",pid=\"7\"} 1\n");
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	c.target.main = c.target.container = name;
	text = written(false, &c);
	for (char *line = text; *line; line += strcspn(line, "\n") + 1)
		assert_true(strcspn(line, "\n") < 800);
	c.target.main = c.target.comm = NULL;
	expect(written(false, &c), "\njnitrace_up{service=\"?\",pid=\"7\"");
}

/* What a window has said, and what it has not: nobody invents a 0 for a family that was not traced. */
static void test_a_window(void **state)
{
	struct report_site sites[3] = {{.id = 0xab, .func = FUNC_NewGlobalRef, .outstanding = 5},
				       {.id = 0xaa, .func = FUNC_NewGlobalRef, .outstanding = 7},
				       {.id = 0xac, .func = FUNC_NewGlobalRef}};
	struct report_finding found[3] = {
	    {.kind = FINDING_LEAK}, {.kind = FINDING_DOUBLE_DELETE}, {.kind = FINDING_DOUBLE_DELETE}};
	struct census c = a_census();
	struct report r = {.catalog = &jni_catalog,
			   .elapsed_s = 30,
			   .families[FAMILY_GLOBAL] = {.traced = true, .outstanding = 12},
			   .target_cpu_pct = 0.5};
	struct window w = {.pid = 7, .state = WINDOW_DONE, .reason = WINDOW_GROWTH};
	char *text = written_with(&c, &w, 1);

	(void)state;
	expect_none(text, "\njnitrace_references{");
	expect_none(text, "\njnitrace_site_outstanding{");
	r.sites.v = sites;
	r.sites.n = 3;
	r.findings.v = found;
	r.findings.n = 3;
	w.report = &r;
	w.report_unix_s = 1000;
	w.totals.acquired[FAMILY_GLOBAL] = 1009;
	w.totals.drops[0] = 11;
	w.totals.findings[FINDING_DOUBLE_DELETE] = 13;
	text = written_with(&c, &w, 1);
	expect(text, "\njnitrace_acquired_total{service=\"shop\",pid=\"7\",family=\"global\"} 1009\n");
	expect(text, "\njnitrace_references{service=\"shop\",pid=\"7\",family=\"global\"} 12\n");
	expect_none(text, "family=\"local\"}");
	expect(text, "\njnitrace_window_findings{service=\"shop\",pid=\"7\",kind=\"double-delete\",severity="
		     "\"error\"} 2\n");
	expect(text, "\njnitrace_findings_total{service=\"shop\",pid=\"7\",kind=\"double-delete\","
		     "severity=\"error\"} 13\n");
	expect(
	    text,
	    "\njnitrace_window_findings{service=\"shop\",pid=\"7\",kind=\"leak\",severity=\"warning\"} 1\n");
	expect(text, "\njnitrace_overhead_ratio{service=\"shop\",pid=\"7\"} 0.005\n");
	expect(text, "\njnitrace_site_outstanding{service=\"shop\",pid=\"7\",site=\"00000000000000aa\","
		     "function=\"NewGlobalRef\"} 7\n");
	expect_none(text, "00000000000000ab");
	expect(text, "\njnitrace_sites_left_out{service=\"shop\",pid=\"7\"} 1\n");
	expect(text, "\njnitrace_agent_windows_total{reason=\"growth\"} 3\n");
	r.count_only = true; /* then nobody knows what is outstanding */
	expect_none(written_with(&c, &w, 0), "\njnitrace_references{");
	w.start_time_ticks = 5; /* another process, which had that number before */
	expect_none(written_with(&c, &w, 1), "\njnitrace_acquired_total{");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_known_and_unknown),
	    cmocka_unit_test(test_openmetrics),
	    cmocka_unit_test(test_hostile_names),
	    cmocka_unit_test(test_a_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
