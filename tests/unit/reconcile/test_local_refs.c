/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Local references that the VM's blocks no longer hold leave the pairing store, a store made by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "kernel/tracer_priv.h"
#include "reconcile/local_refs.h"
#include "runtime/hotspot/locals.h"

#define SLOT  3
#define SITE  7
#define FUNC  FUNC_NewLocalRef
#define BASE  0x7f0000001000ULL
#define LOOK  100 /* the tick of the look */
#define SITES 16

struct store {
	struct tracer t;
	struct jnitrace_bpf skel;
	struct jnitrace_bpf__bss bss;
	struct snapshot s;
	uint32_t position[SITES];
	struct local_look look;
	struct local_refs out;
	struct bucket *bucket;
};

static bool is_held(const void *store, const struct snapshot_ref *ref)
{
	return tracer_holds(store, ref);
}

static int setup(void **state)
{
	struct store *st = calloc(1, sizeof(*st));
	struct snapshot_site *site;

	assert_non_null(st);
	st->t.skel = &st->skel;
	st->skel.bss = &st->bss;
	st->t.nr_buckets = 64;
	st->t.max_sites = SITES;
	st->t.buckets = st->bucket = aligned_alloc(64, st->t.nr_buckets * sizeof(*st->bucket));
	st->t.buried = calloc(SITES, sizeof(*st->t.buried));
	assert_true(st->bucket && st->t.buried);
	memset(st->bucket, 0, st->t.nr_buckets * sizeof(*st->bucket));
	st->s.nr_index = SITES;
	st->s.position = st->position;
	site = VEC_ADD(&st->s.sites);
	*site = (struct snapshot_site){.index = SITE, .func = FUNC};
	st->position[SITE] = 1;
	st->look = (struct local_look){
	    .vm = {.complete = true}, .known = true, .tick = LOOK, .holds = is_held, .store = &st->t};
	*state = st;
	return 0;
}

static int teardown(void **state)
{
	struct store *st = *state;

	free(st->bucket);
	free(st->t.buried);
	snapshot_free(&st->s);
	local_refs_free(&st->out);
	vm_locals_free(&st->look.vm);
	free(st);
	return 0;
}

static uint64_t tag(uint64_t handle)
{
	return ref_tag(SLOT, handle);
}

/* Where a handle's place is. */
static struct bucket *bucket_of(struct store *st, uint64_t handle, bool second)
{
	uint32_t mask = st->t.nr_buckets - 1;

	return &st->bucket[second ? second_bucket(tag(handle), mask) : first_bucket(tag(handle), mask)];
}

static struct bucket *keep(struct store *st, uint64_t handle, uint32_t tick, bool second)
{
	struct snapshot_ref *ref = VEC_ADD(&st->s.refs);
	struct bucket *b = bucket_of(st, handle, second);

	assert_non_null(ref);
	*ref = (struct snapshot_ref){.handle = handle, .target_id = SLOT, .site = SITE, .tick = tick};
	b->tag[2] = tag(handle);
	b->site[2] = SITE;
	b->tick[2] = tick;
	st->bss.second_refs += second;
	return b;
}

static void check(struct store *st, uint64_t live, uint64_t dead, uint64_t buried)
{
	struct target_counts counts = {0};
	struct corrections found = {0};

	assert_int_equal(local_refs_read(&st->look, &st->s, &st->out, &found), 0);
	for (size_t i = 0; i < found.n; i++)
		if (found.v[i].kind == REF_DEAD && !st->look.still && !st->look.gone)
			tracer_bury(&st->t, &st->s.refs.v[found.v[i].ref], FUNC);
	corrections_apply(&found, &st->s, &counts);
	corrections_free(&found);
	assert_int_equal(counts.drops[DROP_RELEASE_MISSED], 0);
	assert_int_equal(st->out.sum.live, live);
	assert_int_equal(st->out.sum.dead, dead);
	assert_int_equal(st->t.buried[SITE], buried);
	assert_int_equal(st->t.traced[SLOT].buried[FUNC], buried);
}

static void the_dead_leave_the_store(void **state)
{
	struct store *st = *state;
	struct bucket *dead = keep(st, BASE, LOOK - 1, false);
	struct bucket *second = keep(st, BASE + 0x20, LOOK - 1, true);
	struct bucket *young = keep(st, BASE + 0x40, LOOK, false);

	check(st, 0, 2, 2);
	assert_int_equal(dead->tag[2], tag(BASE) | TAG_DEAD);
	assert_int_equal(second->tag[2], tag(BASE + 0x20) | TAG_DEAD);
	assert_int_equal(st->bss.second_refs, 0);
	assert_int_equal(young->tag[2], tag(BASE + 0x40)); /* it may be younger than the look */
	for (size_t i = 0; i < st->s.refs.n; i++)
		assert_int_equal(st->s.refs.v[i].site, 0);
}

static void the_living_and_the_unknown_stay(void **state)
{
	struct store *st = *state;
	struct local_block *b = VEC_ADD(&st->look.vm);
	struct bucket *live = keep(st, BASE, LOOK - 9, false), *maybe = keep(st, BASE + 8, LOOK - 8, true);

	*b = (struct local_block){.addr = BASE, .live = 1, .maybe = 3};
	check(st, 1, 0, 0);
	assert_int_equal(st->out.v[0].oldest_tick, LOOK - 9);
	assert_int_equal(live->tag[2], tag(BASE));
	assert_int_equal(maybe->tag[2], tag(BASE + 8));
	/* what was not found may be in what could not be read */
	st->s.refs.n = 0;
	st->look.vm.complete = false;
	keep(st, BASE + 0x20, LOOK - 1, false);
	check(st, 0, 0, 0);
}

static void what_was_released_meanwhile_did_not_die(void **state)
{
	struct store *st = *state;
	struct bucket *b = keep(st, BASE, LOOK - 1, false);

	b->tag[2] |= TAG_DEAD; /* released */
	check(st, 0, 0, 0);
	/* or its handle came again: at another site, or later */
	st->s.refs.n = 0;
	keep(st, BASE, LOOK - 1, false);
	b->site[2] = SITE + 1;
	check(st, 0, 0, 0);
	st->s.refs.n = 0;
	keep(st, BASE, LOOK - 1, false);
	b->tick[2] = LOOK;
	check(st, 0, 0, 0);
	assert_int_equal(b->tag[2], tag(BASE));
}

/* Nothing is freed that nobody will ask for any more; all is dead with the process. */
static void at_the_end_the_store_stays(void **state)
{
	struct store *st = *state;
	struct bucket *b = keep(st, BASE, LOOK + 5, false);

	st->look.still = true;
	check(st, 0, 1, 0);
	st->s.refs.n = 0;
	keep(st, BASE, LOOK + 5, false);
	st->look.still = false;
	st->look.gone = true;
	check(st, 0, 1, 0);
	assert_int_equal(b->tag[2], tag(BASE));
}

#define STORE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    STORE_TEST(the_dead_leave_the_store),
	    STORE_TEST(the_living_and_the_unknown_stay),
	    STORE_TEST(what_was_released_meanwhile_did_not_die),
	    STORE_TEST(at_the_end_the_store_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
