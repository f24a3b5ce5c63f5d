/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A recording is a counted snapshot and named sites, plain data: all that is told of it is made here from
 * such data written by hand, without a process, without maps and without root.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/util.h"
#include "judge/aggregate.h"
#include "judge/findings.h"
#include "judge/history_room.h"
#include "view/json.h"
#include "view/table.h"

#define TICKS_PER_S  10
#define LEAKED_PER_S 20
#define SECONDS      120

/* Numbers of call sites, and which named site each is. A method compiled anew has two numbers and one name.
 */
enum { NOWHERE, LEAK, LEAK_AGAIN, CHURN, LOCALS, DELETE, NEW, NR_NUMBERS };
enum { NAMED_LEAK, NAMED_CHURN, NAMED_LOCALS, NAMED_DELETE, NR_NAMED };

struct recording {
	struct snapshot snapshot;
	uint32_t position[NR_NUMBERS];
	struct site_thread threads[NR_NUMBERS];
	struct target_counts counts;
	struct named_site named[NR_NAMED];
	struct site_name by_number[NR_NUMBERS];
	struct named_sites names;
	struct local_site local_v[NR_NUMBERS];
	struct local_refs locals;
	struct history_room histories;
	struct aggregate *aggregate;
	struct report report;
	enum func_id leak;            /* what leaks */
	const struct weak_look *weak; /* what the VM tells then */
	uint8_t
	    again_level; /* at which LEAK_AGAIN acquires; level 1 is now, and 3 is the highest there was */
	uint64_t one_in; /* 0: all are followed */
	uint64_t churn_held; /* by the site that holds nothing when it is looked at, but now and then */
};

static struct frame frames[NR_NAMED][2] = {
    [NAMED_LEAK] = {{.type = FRAME_NATIVE, .symbol = "remember", .module = "libleaky.so", .line = 9},
		    {.type = FRAME_JAVA, .symbol = "Leaky.leak"}},
    [NAMED_CHURN] = {{.type = FRAME_NATIVE, .symbol = "churn", .module = "libclean.so"},
		     {.type = FRAME_JAVA, .symbol = "Leaky.churn"}},
    [NAMED_LOCALS] = {{.type = FRAME_NATIVE, .symbol = "look", .module = "libclean.so"},
		      {.type = FRAME_JAVA, .symbol = "Leaky.look"}},
    [NAMED_DELETE] = {{.type = FRAME_NATIVE, .symbol = "forget", .module = "libleaky.so"},
		      {.type = FRAME_JAVA, .symbol = "Leaky.forget"}},
};

static void name(struct recording *r, uint32_t number, uint32_t named, enum func_id func, uint32_t lacks)
{
	r->by_number[number] = (struct site_name){.named = named + 1, .lacks = lacks};
	r->named[named] =
	    (struct named_site){.id = 100 + named, .func = func, .frames = {frames[named], 2, 2}};
}

static int setup(void **state)
{
	struct recording *r = calloc(1, sizeof(*r));

	assert_non_null(r);
	r->leak = FUNC_NewGlobalRef;
	name(r, LEAK, NAMED_LEAK, FUNC_NewGlobalRef, 0);
	name(r, LEAK_AGAIN, NAMED_LEAK, FUNC_NewGlobalRef, 1U << END_DEPTH);
	name(r, CHURN, NAMED_CHURN, FUNC_NewGlobalRef, 0);
	name(r, LOCALS, NAMED_LOCALS, FUNC_NewLocalRef, 0);
	name(r, DELETE, NAMED_DELETE, FUNC_DeleteGlobalRef, 0);
	r->names = (struct named_sites){r->named, NR_NAMED, NR_NAMED, r->by_number, NR_NUMBERS};
	r->snapshot.nr_index = NR_NUMBERS;
	r->snapshot.position = r->position;
	r->snapshot.tick_s = 1.0 / TICKS_PER_S;
	r->report.catalog = &jni_catalog;
	for (size_t i = 0; i < ARRAY_LEN(r->report.families); i++)
		r->report.families[i].vm_total = -1;
	assert_int_equal(aggregate_new(&jni_catalog, &r->histories, &r->aggregate), 0);
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	struct recording *r = *state;

	snapshot_free(&r->snapshot);
	aggregate_free(r->aggregate);
	assert_int_equal(r->histories.whole, 0);
	findings_free(&r->report);
	free(r->report.sites.v);
	free(r->report.libraries.v);
	free(r);
	return 0;
}

static struct snapshot_site *add_site(struct recording *r, uint32_t number, enum func_id func,
				      uint64_t acquired, uint64_t released)
{
	struct snapshot_site *s = VEC_ADD(&r->snapshot.sites);

	assert_non_null(s);
	*s = (struct snapshot_site){.index = number,
				    .func = func,
				    .has_stack = true,
				    .acquired = acquired,
				    .released = released,
				    .live = acquired - released};
	if (r->snapshot.threads) {
		r->threads[number].tid = 70 + number;
		s->thread = &r->threads[number];
	}
	r->position[number] = (uint32_t)r->snapshot.sites.n;
	r->counts.funcs[func].calls += acquired;
	return s;
}

/* The recording, t seconds after its start. */
static void record(struct recording *r, int t)
{
	struct snapshot *s = &r->snapshot;
	uint64_t leaked = (uint64_t)t * LEAKED_PER_S;
	struct snapshot_finding *f;

	s->sites.n = s->refs.n = s->findings.n = 0;
	s->now_tick = 1000 + (uint32_t)t * TICKS_PER_S;
	s->monotonic_ns = (uint64_t)t * 1000000000;
	r->counts = (struct target_counts){0};
	r->counts.probed[FUNC_NewGlobalRef] = r->counts.probed[FUNC_DeleteGlobalRef] = true;
	add_site(r, LEAK, r->leak, leaked - leaked / 4, 0);
	add_site(r, LEAK_AGAIN, r->leak, leaked / 4, 0)->level = r->again_level;
	add_site(r, CHURN, FUNC_NewGlobalRef, (uint64_t)t * 1000, (uint64_t)t * 1000 - r->churn_held);
	add_site(r, LOCALS, FUNC_NewLocalRef, (uint64_t)t * 5, 0)->died = (uint64_t)t * 4;
	add_site(r, NEW, FUNC_NewGlobalRef, 1, 0); /* it has no name yet */
	r->counts.funcs[FUNC_DeleteGlobalRef].calls = (uint64_t)t * 1000 + 3;
	r->counts.funcs[FUNC_DeleteGlobalRef].unpaired = 3;
	r->counts.funcs[FUNC_NewLocalRef].replaced = (uint64_t)t * 4;
	for (uint64_t i = 0; i < leaked; i++) {
		struct snapshot_ref *ref = VEC_ADD(&s->refs);

		assert_non_null(ref);
		ref->site = i % 4 ? LEAK : LEAK_AGAIN;
		ref->tick = 1000 + (uint32_t)(i * TICKS_PER_S / LEAKED_PER_S);
	}
	for (size_t i = 0; i < s->sites.n; i++)
		s->sites.v[i].oldest_tick = 1000;
	memset(r->local_v, 0, sizeof(r->local_v));
	r->local_v[LOCALS - 1] = (struct local_site){.live = 2, .dead = 1, .oldest_tick = s->now_tick - 5};
	r->locals = (struct local_refs){.v = r->local_v, .n = s->sites.n, .sum = r->local_v[LOCALS - 1]};
	f = VEC_ADD(&s->findings);
	assert_non_null(f);
	*f = (struct snapshot_finding){
	    .key = {.kind = FINDING_DOUBLE_DELETE, .site = DELETE, .acquire_site = CHURN},
	    .f = {.count = 3, .handle = 0x7f00, .first_tick = 1010, .last_tick = s->now_tick}};
}

static void report(struct recording *r, int t, bool final)
{
	const struct aggregate_input in = {
	    .snapshot = &r->snapshot,
	    .counts = &r->counts,
	    .names = &r->names,
	    .families = 1U << FAMILY_GLOBAL | 1U << FAMILY_WEAK | 1U << FAMILY_LOCAL,
	    .one_in = r->one_in,
	    .sampled = r->one_in ? 1U << FAMILY_GLOBAL : 0,
	    .level = r->again_level ? 1 : 0,
	    .most_level = r->again_level ? 3 : 0,
	    .final = final,
	    .elapsed_s = t,
	    .locals = &r->locals,
	    .weak = r->weak,
	};
	const struct findings_input findings = {
	    .names = &r->names, .snapshot = &r->snapshot, .checking = true, .exited = final, .hold_s = 1};

	record(r, t);
	assert_int_equal(aggregate_update(r->aggregate, &in, &r->report), 0);
	assert_int_equal(findings_update(&findings, &r->report), 0);
}

static const struct report_site *site(const struct recording *r, uint32_t named)
{
	for (size_t i = 0; i < r->report.sites.n; i++)
		if (r->report.sites.v[i].id == 100 + named)
			return &r->report.sites.v[i];
	fail_msg("no site %u", named);
	return NULL;
}

static const struct report_finding *finding(const struct recording *r, enum finding_kind kind)
{
	for (size_t i = 0; i < r->report.findings.n; i++)
		if (r->report.findings.v[i].kind == kind)
			return &r->report.findings.v[i];
	fail_msg("no finding %s", finding_rows[kind].name);
	return NULL;
}

/* Sites by their names, totals by the functions' counts. */
static void sites_and_totals(void **state)
{
	struct recording *r = *state;
	const struct report_family *global = &r->report.families[FAMILY_GLOBAL];
	const struct report_family *local = &r->report.families[FAMILY_LOCAL];
	const struct report_site *s;

	report(r, 100, false);
	assert_int_equal(r->report.sites.n, 3); /* what only a finding names is none, nor what has no name */
	s = site(r, NAMED_LEAK);
	assert_int_equal(s->acquired, 100 * LEAKED_PER_S);
	assert_int_equal(s->outstanding, 100 * LEAKED_PER_S);
	assert_true(s->oldest_s == 100);
	assert_ptr_equal(s->frames.v, frames[NAMED_LEAK]);
	assert_int_equal(site(r, NAMED_CHURN)->outstanding, 0);
	assert_true(site(r, NAMED_CHURN)->oldest_s == -1);
	s = site(r, NAMED_LOCALS);
	assert_int_equal(s->died, 401);
	assert_int_equal(s->outstanding, 2);
	assert_int_equal(s->unverified, 500 - 401 - 2);
	assert_int_equal(global->acquired, 100 * LEAKED_PER_S + 100000 + 1);
	assert_int_equal(global->released, 100000);
	assert_int_equal(global->outstanding, 100 * LEAKED_PER_S + 1);
	assert_int_equal(global->released_untracked, 3);
	assert_int_equal(local->died, 401);
	assert_int_equal(local->outstanding, 2);
	assert_int_equal(r->report.stacks.complete, 75 * LEAKED_PER_S + 100000 + 500);
	assert_int_equal(r->report.stacks.incomplete, 25 * LEAKED_PER_S);
	assert_int_equal(r->report.stacks.reasons[END_DEPTH], 25 * LEAKED_PER_S);
}

/* Nothing of the last snapshot is left in the next, but for the rates. */
static void all_is_counted_anew(void **state)
{
	struct recording *r = *state;
	struct report_site first;

	r->snapshot.threads = r->threads;
	report(r, 50, false);
	first = *site(r, NAMED_LEAK);
	assert_int_equal(first.threads.n, 2);
	for (int i = 0; i < 3; i++)
		report(r, 50, false);
	assert_int_equal(site(r, NAMED_LEAK)->acquired, first.acquired);
	assert_int_equal(site(r, NAMED_LEAK)->outstanding, first.outstanding);
	assert_int_equal(site(r, NAMED_LEAK)->threads.n, 2);
	assert_int_equal(site(r, NAMED_LEAK)->threads.v[0].acquired, 50 * LEAKED_PER_S * 3 / 4);
	assert_int_equal(site(r, NAMED_LEAK)->threads.v[1].acquired, 50 * LEAKED_PER_S / 4);
	assert_int_equal(site(r, NAMED_LOCALS)->died, 201);
	assert_int_equal(r->report.findings.n, 1);
	assert_int_equal(r->report.events, 50 * LEAKED_PER_S + 50000 + 250 + 1 + 50003);
	report(r, 60, false);
	assert_true(site(r, NAMED_LEAK)->rate_per_s == LEAKED_PER_S);
	assert_true(site(r, NAMED_CHURN)->rate_per_s == 0);
	assert_true(site(r, NAMED_CHURN)->acquired_per_s == 1000);
	report(r, 80, true); /* the whole run */
	assert_true(site(r, NAMED_CHURN)->acquired_per_s == 1000);
	assert_true(r->report.events_per_s == (double)r->report.events / 80);
}

/*
 * Sampled, at another level now: what was acquired at level 2 stands for four, wherever it is counted; a
 * verdict is by as many as are followed at the highest level.
 */
static void levels(void **state)
{
	struct recording *r = *state;
	const struct report_family *global = &r->report.families[FAMILY_GLOBAL];
	uint64_t level_0 = 75 * LEAKED_PER_S, level_2 = 4 * 25 * LEAKED_PER_S;
	const struct report_site *s;

	r->snapshot.threads = r->threads;
	r->again_level = 2;
	r->one_in = 3;
	for (int t = 1; t <= 100; t++)
		report(r, t, false);
	s = site(r, NAMED_LEAK);
	assert_int_equal(s->acquired, 3 * (level_0 + level_2));
	assert_int_equal(s->outstanding, 3 * (level_0 + level_2));
	assert_int_equal(s->threads.v[0].outstanding, 3 * level_0);
	assert_int_equal(s->threads.v[1].outstanding, 3 * level_2);
	assert_true(s->rate_per_s == 3 * (15 + 4 * 5));
	assert_int_equal(s->verdict.kind, VERDICT_GROWING);
	assert_true(fabs(s->verdict.per_min - 3 * 60 * (15 + 4 * 5)) < 60);
	assert_int_equal(global->acquired, 3 * (level_0 + level_2 + 100000 + 1));
	assert_int_equal(global->released, 3 * 100000);
	assert_int_equal(global->outstanding, 3 * (level_0 + level_2 + 1));
	assert_int_equal(global->released_untracked, 0);
	assert_int_equal(global->one_in, 3 * 8); /* the highest it ever had was 3 */
	assert_int_equal(global->one_in_now, 3 * 2);
	assert_int_equal(r->report.stacks.complete, 3 * (level_0 + 100000) + 500);
	assert_int_equal(r->report.stacks.incomplete, 3 * level_2);
	assert_int_equal(r->report.stacks.reasons[END_DEPTH], 3 * level_2);
}

/* When the level rises, histories begin anew: they are of another unit then. */
static void levels_rise(void **state)
{
	struct recording *r = *state;

	r->one_in = 1;
	for (int t = 1; t <= 100; t++) {
		r->again_level = t > 50 ? 3 : 0;
		report(r, t, false);
		if (t == 50 || t == 51 || t == 100)
			assert_int_equal(site(r, NAMED_LEAK)->verdict.kind == VERDICT_GROWING, t != 51);
	}
}

static void play(struct recording *r)
{
	for (int t = 1; t < SECONDS; t++)
		report(r, t, false);
	report(r, SECONDS, true);
}

static void verdicts_and_findings(void **state)
{
	struct recording *r = *state;
	const struct report_finding *f;

	play(r);
	assert_int_equal(site(r, NAMED_LEAK)->verdict.kind, VERDICT_GROWING);
	assert_int_equal(site(r, NAMED_CHURN)->verdict.kind, VERDICT_CLEAN);
	assert_int_equal(r->report.libraries.n, 2);
	f = finding(r, FINDING_LEAK);
	assert_int_equal(f->count, SECONDS * LEAKED_PER_S);
	assert_ptr_equal(f->stack.frames.v, frames[NAMED_LEAK]);
	assert_non_null(strstr(f->text, " 1,200 per minute (+-"));
	f = finding(r, FINDING_DOUBLE_DELETE);
	assert_int_equal(f->count, 3);
	assert_int_equal(f->func, FUNC_DeleteGlobalRef);
	assert_true(f->first_s == 1);
	assert_ptr_equal(f->stack.frames.v, frames[NAMED_DELETE]);
	assert_ptr_equal(f->acquire.frames.v, frames[NAMED_CHURN]);
	assert_false(f->release.known);
	assert_null(f->doubt);
}

/* That it holds something for once, when it is looked at, takes nothing from what was seen of it before. */
static void caught_late(void **state)
{
	struct recording *r = *state;

	for (int t = 1; t < SECONDS; t++) {
		r->churn_held = t == SECONDS - 5;
		report(r, t, false);
	}
	assert_int_equal(site(r, NAMED_CHURN)->verdict.kind, VERDICT_CLEAN);
	assert_true(site(r, NAMED_CHURN)->verdict.span_s == SECONDS - 2);
	assert_string_equal(r->report.libraries.v[1].module, "libclean.so");
	assert_int_equal(r->report.libraries.v[1].verdicts[VERDICT_CLEAN], 1);
}

/* Of weak references: what is said of them for a minute and a half, with what the VM tells of their objects.
 */
static enum site_verdict weak_verdict(struct recording *r, uint64_t cleared, uint64_t objects)
{
	struct weak_site sites[2] = {{LEAK, 75, cleared * 3 / 4, objects * 3 / 4},
				     {LEAK_AGAIN, 25, cleared / 4, objects / 4}};
	struct weak_look look = {.sites = {sites, 2, 2}, .looked = true};

	r->leak = r->named[NAMED_LEAK].func = FUNC_NewWeakGlobalRef;
	r->weak = &look;
	for (int t = 1; t < 90; t++)
		report(r, t, false);
	assert_true(aggregate_weak_grow(r->aggregate, &r->names) ==
		    (site(r, NAMED_LEAK)->verdict.kind != VERDICT_GROWING));
	r->weak = NULL;
	return site(r, NAMED_LEAK)->verdict.kind;
}

static void weak_that_wait(void **state)
{
	struct recording *r = *state;
	struct buf why = {0};

	assert_int_equal(weak_verdict(r, 0, 100), VERDICT_UNKNOWN);
	assert_true(site(r, NAMED_LEAK)->verdict.waits);
	verdict_not_known(&why, &site(r, NAMED_LEAK)->verdict);
	assert_non_null(strstr(why.p, "no collection"));
	buf_free(&why);
	assert_int_equal(r->report.findings.n, 1); /* no leak */
}

/* A few for each object is how a library does it. */
static void weak_in_pairs(void **state)
{
	assert_int_equal(weak_verdict(*state, 0, 40), VERDICT_UNKNOWN);
}

static void weak_to_few_objects(void **state)
{
	assert_int_equal(weak_verdict(*state, 0, 8), VERDICT_GROWING);
}

static void weak_of_the_dead(void **state)
{
	assert_int_equal(weak_verdict(*state, 60, 40), VERDICT_GROWING);
}

/* Twice the collector looked at all, and they went on: from then on, whatever comes. */
static void weak_that_outlast(void **state)
{
	struct recording *r = *state;
	struct weak_look look = {.collections = 7};

	r->leak = r->named[NAMED_LEAK].func = FUNC_NewWeakGlobalRef;
	r->weak = &look;
	for (int t = 1; t < 120; t++) {
		look.collections += t == 50 || t == 70;
		look.collections = t == 100 ? -1 : look.collections;
		report(r, t, false);
		if (t >= 60)
			assert_true((site(r, NAMED_LEAK)->verdict.kind == VERDICT_GROWING) == (t >= 70));
	}
	r->weak = NULL;
}

/* Nothing is ever known of them: as of all others. */
static void weak_unknown(void **state)
{
	struct recording *r = *state;
	struct weak_look look = {.never = true, .collections = -1};

	r->leak = r->named[NAMED_LEAK].func = FUNC_NewWeakGlobalRef;
	r->weak = &look;
	play(r);
	r->weak = NULL;
	assert_int_equal(site(r, NAMED_LEAK)->verdict.kind, VERDICT_GROWING);
}

static void the_views(void **state)
{
	static const char *const told[] = {"remember", "double-delete", "forget", "growing"};
	struct recording *r = *state;
	const struct report *const reports[] = {&r->report};
	const struct view_opts o = {.width = 100, .rows = 20, .stack_frames = 5};
	struct buf table = {0}, json = {0};

	play(r);
	view_table(&table, reports, 1, &o);
	view_json(&json, reports, 1, &o);
	for (size_t i = 0; i < ARRAY_LEN(told); i++) {
		assert_non_null(strstr(table.p, told[i]));
		assert_non_null(strstr(json.p, told[i]));
	}
	buf_free(&table);
	buf_free(&json);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(sites_and_totals),    TEST(all_is_counted_anew), TEST(verdicts_and_findings),
	    TEST(caught_late),         TEST(weak_that_wait),      TEST(weak_in_pairs),
	    TEST(weak_to_few_objects), TEST(weak_of_the_dead),    TEST(weak_that_outlast),
	    TEST(weak_unknown),        TEST(the_views),           TEST(levels),
	    TEST(levels_rise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
