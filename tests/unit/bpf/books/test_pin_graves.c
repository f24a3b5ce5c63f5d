/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the probes remember of released pins, as user code: no reader takes one's for another's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bpf/bpf_host.h"

#pragma GCC diagnostic ignored "-Wunused-function"
#include "books/pin_graves.bpf.h"

#define TAG   0x0001555500001000ULL
#define SITE  17
#define FREED 23

static struct pin_grave places[JT_PIN_GRAVES];

static int host_read_user(void *dst, uint32_t n, uint64_t addr)
{
	(void)dst, (void)n, (void)addr;
	return -1;
}

static int setup(void **state)
{
	(void)state;
	memset(places, 0, sizeof(places));
	nr_host_maps = 0;
	host_map_add(&pin_graves, places, JT_PIN_GRAVES, sizeof(places[0]));
	return 0;
}

static bool known(u64 tag, u32 owner, u32 site, u32 freed)
{
	struct pin_grave g = {0};
	bool found = pin_grave(tag, owner, &g);

	assert_int_equal(g.site, found ? site : 0);
	assert_int_equal(g.released_at, found ? freed : 0);
	return found;
}

static void test_until_it_is_got_again(void **state)
{
	const struct pin_key key = {.tag = TAG}, owned = {.tag = TAG, .owner = 5};

	(void)state;
	assert_false(known(TAG, 0, 0, 0));
	pin_bury(&key, SITE, FREED);
	assert_true(known(TAG, 0, SITE, FREED));
	assert_false(known(TAG, 5, 0, 0)); /* of a thread, of another, of nobody: three */
	pin_bury(&owned, SITE + 1, 0);
	assert_true(known(TAG, 5, SITE + 1, 0));
	assert_false(known(TAG, 7, 0, 0));
	assert_true(known(TAG, 0, SITE, FREED));
	pin_unbury(&owned);
	assert_false(known(TAG, 5, 0, 0));
	assert_true(known(TAG, 0, SITE, FREED));
	pin_unbury(&key);
	assert_false(known(TAG, 0, 0, 0));
}

/* Another pointer with the same place. */
static u64 neighbour(void)
{
	for (u64 tag = TAG + 16;; tag += 16)
		if (pin_grave_of(tag) == pin_grave_of(TAG))
			return tag;
}

static void test_one_place_for_two(void **state)
{
	const struct pin_key key = {.tag = TAG}, other = {.tag = neighbour()};

	(void)state;
	pin_bury(&key, SITE, FREED);
	assert_false(known(other.tag, 0, 0, 0));
	pin_unbury(&other); /* is none of its */
	assert_true(known(TAG, 0, SITE, FREED));
	pin_bury(&other, SITE + 1, FREED + 1);
	assert_false(known(TAG, 0, 0, 0));
	assert_true(known(other.tag, 0, SITE + 1, FREED + 1));
}

/* Read while it is written: any mix of the words of two. */
static void test_half_written(void **state)
{
	const struct pin_key key = {.tag = TAG}, other = {.tag = neighbour()};
	struct pin_grave *place = pin_grave_of(TAG), first, second;

	(void)state;
	pin_bury(&key, SITE, FREED);
	first = *place;
	pin_bury(&other, SITE + 1, FREED + 1);
	second = *place;
	for (unsigned int words = 0; words < 1 << 4; words++) {
		place->key = words & 1 ? second.key : first.key;
		place->site = words & 2 ? second.site : first.site;
		place->released_at = words & 4 ? second.released_at : first.released_at;
		place->check = words & 8 ? second.check : first.check;
		assert_int_equal(known(TAG, 0, SITE, FREED), words == 0);
		assert_int_equal(known(other.tag, 0, SITE + 1, FREED + 1), words == 15);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_until_it_is_got_again, setup),
	    cmocka_unit_test_setup(test_one_place_for_two, setup),
	    cmocka_unit_test_setup(test_half_written, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
