/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Every number of two equal reports doubles, or is what model/pool.h says of it. The initializers here name
 * no members on purpose: one that is new to a struct is missing in them, and this does not compile until
 * somebody has said how it is pooled.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "model/catalog.h"
#include "model/pool.h"

#define EACH(i, array)                                                                                       \
	size_t i = 0;                                                                                        \
	i < sizeof(array) / sizeof((array)[0]);                                                              \
	i++

/* times: 1, or 2 where numbers are to have doubled. */
static struct report_family family_of(uint64_t times)
{
	return (struct report_family){
	    true,                       /* traced */
	    3 * times,                  /* acquired */
	    5 * times,                  /* released */
	    7 * times,                  /* outstanding */
	    11 * times,                 /* released_untracked */
	    13 * times,                 /* vm_total */
	    NULL,                       /* vm_note */
	    true,                       /* before_known */
	    17 * times,                 /* before_attach */
	    19 * times,                 /* vm_own */
	    23,                         /* cost_ns_per_event */
	    29 * times,                 /* target_cpu_pct */
	    31 * times,                 /* died */
	    37 * times,                 /* unverified */
	    true,                       /* life_unknown */
	    {true, 43, NULL, false, 8}, /* limit */
	    39,                         /* off_s: the latest */
	    40,                         /* on_s: likewise */
	    41 * times,                 /* let_go */
	    10,                         /* one_in: the most */
	    5,                          /* one_in_now: likewise */
	};
}

static void fill(struct report *r, uint64_t times)
{
	const struct report_family family = family_of(times);
	const struct report_check check = {
	    true,       /* on */
	    41 * times, /* calls */
	    43,         /* cost_ns_per_event */
	    47 * times, /* target_cpu_pct */
	};
	struct report_stacks stacks = {
	    53 * times, /* complete */
	    59 * times, /* incomplete */
	    61 * times, /* complete_sites */
	    67 * times, /* incomplete_sites */
	    {0},        /* reasons: below */
	};

	for (EACH(i, stacks.reasons))
		stacks.reasons[i] = (71 + i) * times;
	*r = (struct report){
	    &jni_catalog, {0},  /* target: none of several */
	    73,                 /* time_unix_s */
	    79,                 /* elapsed_s */
	    true,               /* final */
	    END_DETACHED,       /* end_reason */
	    {0},                /* probed: below */
	    {0},                /* calls: below */
	    {{0}},              /* families: below */
	    check,        {0},  /* pile: of the process with most */
	    {0},                /* sites: of one target */
	    {0},                /* before: likewise */
	    {0},                /* findings: likewise */
	    {0},                /* verdicts: below */
	    {0},                /* libraries: of one target */
	    {0},                /* held: likewise */
	    stacks,       {0},  /* refusals: of one target */
	    "no frame",   NULL, /* no_java, language: of any */
	    {0},                /* drops: below */
	    79 * times,         /* sites_pending */
	    83 * times,         /* nr_probes */
	    89 * times,         /* events */
	    true,               /* count_only */
	    97 * times,         /* events_per_s */
	    101,                /* probe_cost_ns_per_event */
	    103 * times,        /* target_cpu_pct */
	    107,                /* self_cpu_pct: of this process */
	    109,                /* map_bytes: of the whole run */
	};
	for (EACH(i, r->probed)) {
		r->probed[i] = i % 2;
		r->calls[i] = (113 + i) * times;
	}
	for (EACH(i, r->families)) {
		r->families[i] = family;
		r->families[i].acquired += i * times;
	}
	for (EACH(i, r->verdicts))
		r->verdicts[i] = (127 + i) * times;
	for (EACH(i, r->drops))
		r->drops[i] = (131 + i) * (i == DROP_PROG_MISSED ? 1 : times);
}

static void assert_same(const struct report *got, const struct report *want)
{
	const uint8_t *x = (const void *)got, *y = (const void *)want;

	for (size_t i = 0; i < sizeof(*got); i++)
		if (x[i] != y[i])
			fail_msg("byte %zu of a report", i);
}

static void every_number_doubles(void **state)
{
	static struct report one, same, two, got;
	const struct report *const reports[] = {&one, &same};

	(void)state;
	fill(&one, 1);
	fill(&same, 1);
	fill(&two, 2);
	report_pool(reports, 2, &got);
	assert_same(&got, &two);
}

/* What is of one target is given up, what is counted stays. */
static void one_alone_stays(void **state)
{
	static struct report one, want, got;
	static struct report_site site;
	static struct report_finding finding;
	static struct report_library library;
	const struct report *const reports[] = {&one};

	(void)state;
	fill(&one, 1);
	one.target = (struct report_target){.pid = 7, .comm = "java"};
	want = one;
	one.sites.v = &site;
	one.findings.v = &finding;
	one.libraries.v = &library;
	one.sites.n = one.findings.n = one.libraries.n = 1;
	report_pool(reports, 1, &got);
	assert_same(&got, &want);
}

/* One unknown makes a sum unknown; what was not traced is not a number that could be. */
static void the_unknown(void **state)
{
	static struct report a, b, got;
	const struct report *const reports[] = {&a, &b};

	(void)state;
	fill(&a, 1);
	fill(&b, 1);
	a.families[FAMILY_GLOBAL].vm_total = -1;
	b.families[FAMILY_WEAK].vm_total = INT64_MAX;
	b.target_cpu_pct = a.check.target_cpu_pct = -1;
	a.probe_cost_ns_per_event = -1;
	b.self_cpu_pct = -1;
	a.families[FAMILY_LOCAL] = (struct report_family){.vm_total = -1};
	b.families[FAMILY_STRING] = (struct report_family){.vm_total = -1};
	b.families[FAMILY_ARRAY].before_known = false;
	b.final = false;
	b.end_reason = NOT_ENDED;
	b.elapsed_s = 80;
	report_pool(reports, 2, &got);
	assert_int_equal(got.families[FAMILY_GLOBAL].vm_total, -1);
	assert_int_equal(got.families[FAMILY_WEAK].vm_total, -1);
	assert_true(got.target_cpu_pct == -1);
	assert_true(got.check.target_cpu_pct == -1);
	assert_true(got.probe_cost_ns_per_event == 101);
	assert_true(got.self_cpu_pct == 107);
	assert_int_equal(got.families[FAMILY_LOCAL].released, b.families[FAMILY_LOCAL].released);
	assert_int_equal(got.families[FAMILY_STRING].released, a.families[FAMILY_STRING].released);
	assert_false(got.families[FAMILY_ARRAY].before_known);
	assert_false(got.final);
	assert_int_equal(got.end_reason, NOT_ENDED);
	assert_true(got.elapsed_s == 80);
	b.check = (struct report_check){0};
	report_pool(reports, 2, &got);
	assert_int_equal(got.check.calls, a.check.calls);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_number_doubles),
	    cmocka_unit_test(one_alone_stays),
	    cmocka_unit_test(the_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
