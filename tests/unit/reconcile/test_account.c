/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the VM's tables hold, held against the pairing store, over made-up looks and snapshots. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "reconcile/account.h"

#define SITE  7
#define FIRST 0x7f0000001000ULL
#define LAST  0x7f0000009040ULL /* blocks are aligned to 64 bytes only */

/* A runtime that tells the kind of a handle in its low bits. */
static uint64_t slot_of(const struct vm *vm, uint64_t handle)
{
	(void)vm;
	return handle & ~7ULL;
}
static const struct runtime runtime = {.name = "made up", .slot_of = slot_of};
static struct vm vm = {&runtime};

struct fixture {
	struct account *a;
	struct snapshot s;
	uint32_t position[16];
	struct target_counts counts;
	struct report r;
	uint32_t tick;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct snapshot_site *site;

	assert_non_null(f);
	assert_int_equal(account_new(&vm, false, &f->a), 0);
	f->s.nr_index = ARRAY_LEN(f->position);
	f->s.position = f->position;
	site = VEC_ADD(&f->s.sites);
	assert_non_null(site);
	*site = (struct snapshot_site){.index = SITE, .func = FUNC_NewGlobalRef};
	f->position[SITE] = 1;
	f->r.families[FAMILY_GLOBAL].traced = f->r.families[FAMILY_WEAK].traced = true;
	f->tick = 1000;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	account_free(f->a);
	snapshot_free(&f->s);
	free(f);
	return 0;
}

/* A look at the global table: bits of its two blocks; a block of 0 is not there. Not in order. */
static void look(struct fixture *f, uint64_t first, uint64_t last)
{
	struct handle_blocks b = {.stable = true};
	struct handle_block *v;

	if (last) {
		v = VEC_ADD(&b);
		*v = (struct handle_block){LAST, last};
	}
	if (first) {
		v = VEC_ADD(&b);
		*v = (struct handle_block){FIRST, first};
	}
	f->tick += 10;
	assert_int_equal(account_take(f->a, VM_GLOBAL, f->tick, &b), 0);
}

/* A reference in the store. What kind a handle is, is in its low bits. */
static void track(struct fixture *f, uint64_t block, int bit, uint32_t site, uint32_t tick)
{
	struct snapshot_ref *ref = VEC_ADD(&f->s.refs);

	assert_non_null(ref);
	*ref = (struct snapshot_ref){.handle = (block + 8 * (uint64_t)bit) | 2, .site = site, .tick = tick};
	f->s.sites.v[0].acquired++;
	f->s.sites.v[0].live++;
}

static void begin(struct fixture *f)
{
	f->s.refs.n = 0;
	f->s.sites.v[0] =
	    (struct snapshot_site){.index = SITE, .func = FUNC_NewGlobalRef, .oldest_tick = 500};
	memset(&f->counts, 0, sizeof(f->counts));
}

static int correct(struct fixture *f)
{
	struct corrections found = {0};
	int rc = account_compare(f->a, &f->s, &found);

	corrections_apply(&found, &f->s, &f->counts);
	corrections_free(&found);
	return rc;
}

static void expect(struct fixture *f, uint64_t before, uint64_t vm_own, uint64_t missed)
{
	const struct report_family *g = &f->r.families[FAMILY_GLOBAL];

	assert_int_equal(correct(f), 0);
	assert_int_equal(account_report(f->a, 0, &f->r), 0);
	assert_true(g->before_known);
	assert_int_equal(g->before_attach, before);
	assert_int_equal(g->vm_own, vm_own);
	assert_int_equal(f->counts.drops[DROP_RELEASE_MISSED], missed);
	assert_int_equal(f->counts.funcs[FUNC_NewGlobalRef].replaced, missed);
	assert_int_equal(f->s.sites.v[0].unpaired, missed);
	assert_int_equal(f->r.before.n, before > 0); /* one row: no class is known here */
	begin(f);
}

static void test_the_past_shrinks(void **state)
{
	struct fixture *f = *state;

	begin(f);
	look(f, 0xff, 0x8000000000000001);
	expect(f, 10, 0, 0);
	look(f, 0x0f, 0x8000000000000001); /* four were deleted */
	expect(f, 6, 0, 0);
	look(f, 0xff, 0x8000000000000001); /* their slots are in use again, by two that were seen */
	track(f, FIRST, 4, SITE, f->tick - 1);
	track(f, FIRST, 7, SITE, f->tick - 1);
	expect(f, 6, 2, 0);
	look(f, 0xff, 0); /* a block is given back */
	track(f, FIRST, 4, SITE, f->tick - 5);
	track(f, FIRST, 7, SITE, f->tick - 5);
	expect(f, 4, 2, 0);
	look(f, 0xff, 0x8000000000000001); /* and comes again */
	expect(f, 4, 6, 0);
}

/* One in the middle of its call when the first look is made is tracked later: it was never old. */
static void test_in_flight_at_attach(void **state)
{
	struct fixture *f = *state;

	begin(f);
	look(f, 0x3, 0);
	expect(f, 2, 0, 0);
	look(f, 0x3, 0);
	track(f, FIRST, 1, SITE, f->tick + 1); /* also when it is younger than the look */
	expect(f, 1, 0, 0);
	look(f, 0x3, 0);
	track(f, FIRST, 0, 9, f->tick + 1); /* or its site was not listed yet */
	expect(f, 0, 1, 0);
}

static void test_missed(void **state)
{
	struct fixture *f = *state;
	uint32_t acquired = f->tick - 100;

	begin(f);
	look(f, 0x7, 0x1);
	track(f, FIRST, 0, SITE, acquired);
	expect(f, 3, 0, 0);
	look(f, 0x6, 0x1);
	track(f, FIRST, 0, SITE, acquired); /* free, and was there before the look */
	track(f, FIRST, 3, SITE, f->tick);  /* free, but it may have been acquired since */
	track(f, LAST, 5, SITE, acquired);  /* likewise in another block */
	track(f, FIRST, 2, SITE, acquired + 1);
	assert_int_equal(correct(f), 0);
	assert_int_equal(f->s.sites.v[0].unpaired, 2);
	assert_int_equal(f->s.sites.v[0].live, 2);
	assert_int_equal(f->s.sites.v[0].oldest_tick, acquired + 1);
	assert_int_equal(f->s.refs.v[0].site, 0);
	/* The VM uses the slot for itself: what was missed stays missed. */
	begin(f);
	look(f, 0xf, 0x1);
	track(f, FIRST, 0, SITE, acquired);
	expect(f, 2, 3, 1);
	/* The handle came again: a reference like any other. */
	look(f, 0xf, 0x1);
	track(f, FIRST, 0, SITE, acquired + 50);
	expect(f, 2, 2, 0);
}

/* Nothing is judged by an old look. */
static void test_no_new_look(void **state)
{
	struct fixture *f = *state;

	begin(f);
	look(f, 0x3, 0);
	track(f, FIRST, 1, SITE, f->tick - 5);
	expect(f, 1, 0, 0);
	track(f, FIRST, 9, SITE, f->tick - 5);
	expect(f, 1, 0, 0);
}

/* Other families' in the same store. */
static void test_of_others(void **state)
{
	struct fixture *f = *state;

	begin(f);
	look(f, 0x1, 0);
	track(f, FIRST, 20, SITE, f->tick - 5);
	f->s.sites.v[0].func = FUNC_NewLocalRef;
	assert_int_equal(correct(f), 0);
	assert_int_equal(account_report(f->a, 0, &f->r), 0);
	assert_int_equal(f->r.families[FAMILY_GLOBAL].before_attach, 1);
	assert_int_equal(f->counts.drops[DROP_RELEASE_MISSED], 0);
	assert_false(f->r.families[FAMILY_WEAK].before_known);
}

/* 101 tracked + 147 from before = 248 is no more than the VM had, where its count went from 247 to 249. */
static void test_the_total_moves(void **state)
{
	struct report_family f = {
	    .before_known = true, .outstanding = 101, .before_attach = 140, .vm_own = 7};

	(void)state;
	assert_int_equal(account_total(&f, 247, 249), 248);
	assert_int_equal(account_total(&f, 249, 247), 248);
	assert_int_equal(account_total(&f, 248, 248), 248);
	/* what it had at no moment stays a difference */
	assert_int_equal(account_total(&f, 247, 247), 247);
	assert_int_equal(account_total(&f, 240, 247), 247);
	assert_int_equal(account_total(&f, 256, 250), 250);
	f.before_known = false;
	assert_int_equal(account_total(&f, 247, 249), 249);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_the_past_shrinks, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_in_flight_at_attach, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_missed, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_no_new_look, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_of_others, setup, teardown),
	    cmocka_unit_test(test_the_total_moves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
