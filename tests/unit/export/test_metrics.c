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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_known_and_unknown),
	    cmocka_unit_test(test_openmetrics),
	    cmocka_unit_test(test_hostile_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
