/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Survivors of any age, counted: as each reference by itself would be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/util.h"
#include "judge/survivors.h"

#define NR_SITES 3

static struct snapshot_ref *refs;
static size_t nr_refs;

/* One in so many ticks, from young to old, and some that were acquired after the snapshot. */
static void make_refs(uint32_t now_tick, uint32_t every, uint32_t oldest)
{
	refs = calloc(oldest / every + 4, sizeof(*refs));
	assert_non_null(refs);
	nr_refs = 0;
	for (uint32_t age = 0; age <= oldest; age += every, nr_refs++)
		refs[nr_refs] =
		    (struct snapshot_ref){.site = 1 + (uint32_t)nr_refs % NR_SITES, .tick = now_tick - age};
	for (uint32_t i = 1; i <= 3; i++)
		refs[nr_refs++] = (struct snapshot_ref){.site = i, .tick = now_tick + i * i};
}

static uint32_t older(uint32_t site, uint32_t tick)
{
	uint32_t n = 0;

	for (size_t i = 0; i < nr_refs; i++)
		n += refs[i].site == site && (int32_t)(tick - refs[i].tick) > 0;
	return n;
}

static void hold(uint32_t now_tick, double tick_s, uint32_t born[NR_AGES])
{
	struct named_site sites[NR_SITES] = {{.id = 1}, {.id = 2}, {.id = 3}};
	struct site_name by_number[] = {{0}, {.named = 3}, {.named = 1}, {.named = 2}};
	struct named_sites names = {
	    .v = sites, .n = NR_SITES, .by_number = by_number, .nr_numbers = ARRAY_LEN(by_number)};
	struct snapshot s = {.now_tick = now_tick, .tick_s = tick_s, .refs = {.v = refs, .n = nr_refs}};
	uint32_t before[NR_AGES];
	struct survivors *found;

	for (int k = 0; k < NR_AGES; k++)
		before[k] = born[k];
	assert_int_equal(survivors_count(&names, &s, 0, born, &found), 0);
	for (uint32_t site = 1; site <= NR_SITES; site++)
		for (int k = 0; k < NR_AGES; k++) {
			assert_int_equal(born[k], now_tick - (uint32_t)(survivor_ages_s[k] / tick_s));
			assert_int_equal(found[by_number[site].named - 1].now[k], older(site, born[k]));
			assert_int_equal(found[by_number[site].named - 1].kept[k], older(site, before[k]));
		}
	free(found);
}

/* Snapshots that lie so many ticks apart, of references up to this age. */
static void run(uint32_t first_tick, double tick_s, uint32_t apart, uint32_t every, uint32_t oldest)
{
	uint32_t born[NR_AGES] = {0};

	for (uint32_t i = 0, now = first_tick; i < 3; i++, now += apart) {
		make_refs(now, every, oldest);
		hold(now, tick_s, born);
		free(refs);
	}
}

static void test_each_age(void **state)
{
	(void)state;
	run(1000000, 0.016, 62, 1, 40000);
	run(1000000, 0.004, 250, 7, 200000); /* the oldest age is more ticks than are looked up */
	run(1000000, 0.04, 25, 1, 20000);
}

/* A tool that was stopped for a day: what was a survivor then is one of long ago now. */
static void test_a_long_pause(void **state)
{
	(void)state;
	run(10000000, 0.016, 5400000, 997, 9000000);
}

/* The clock begins below zero, and comes round. */
static void test_about_zero(void **state)
{
	(void)state;
	run(3, 0.016, 61, 1, 20000);
	run((uint32_t)-130, 0.016, 61, 1, 20000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_each_age),
	    cmocka_unit_test(test_a_long_pause),
	    cmocka_unit_test(test_about_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
