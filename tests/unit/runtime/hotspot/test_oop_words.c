/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a word of the VM's names: nothing, an object, or the first object of a heap of ZGC's, whose offset is
 * 0. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/hotspot/oop_words.h"

#define HEAP_BASE 0x40000000000ULL /* ZAddressHeapBase of a small heap */
#define OFFSETS   (HEAP_BASE - 1)
#define MARKED    0x930 /* lower bits of a colour: of no matter here */

/* A coloured pointer of the generational ZGC on x86. */
static uint64_t coloured(uint64_t addr, int remap)
{
	return addr << (13 + remap) | 1ULL << (12 + remap) | MARKED;
}

static struct oop_reader reader(enum oop_colors colors)
{
	return (struct oop_reader){.colors = colors};
}

static void first_object_with_generations(void **state)
{
	struct oop_reader r = reader(COLORS_GENERATIONAL);
	struct oop_masks m = {.offset = OFFSETS};
	bool sure;

	(void)state;
#if defined(__x86_64__)
	for (int remap = 0; remap < 4; remap++) {
		uint64_t first = coloured(HEAP_BASE, remap), null = coloured(0, remap);

		m.good = 0x1000ULL << remap;
		m.bad = 0xf000 & ~m.good;
		assert_false(oop_is_null(&r, first));
		assert_int_equal(oop_decode(&r, &m, first, &sure), HEAP_BASE);
		assert_true(sure);
		assert_int_equal(oop_decode(&r, &m, coloured(HEAP_BASE + 4096, remap), &sure),
				 HEAP_BASE + 4096);
		assert_true(oop_is_null(&r, null));
		assert_int_equal(oop_decode(&r, &m, null, &sure), 0);
	}
	assert_int_equal(oop_decode(&r, &m, HEAP_BASE << 16 | MARKED, &sure), 0); /* no colour */
#endif
	assert_true(oop_is_null(&r, 0));
	assert_int_equal(oop_decode(&r, &m, 0, &sure), 0);
}

static void first_object_without_generations(void **state)
{
	struct oop_reader r = reader(COLORS_SINGLE);
	struct oop_masks m = {.offset = OFFSETS, .good = HEAP_BASE, .bad = HEAP_BASE << 1};
	bool sure;

	(void)state;
	assert_false(oop_is_null(&r, HEAP_BASE));
	assert_int_equal(oop_decode(&r, &m, HEAP_BASE, &sure), HEAP_BASE);
	assert_int_equal(oop_decode(&r, &m, HEAP_BASE | 64, &sure), HEAP_BASE | 64);
	assert_true(oop_is_null(&r, 0));
	assert_int_equal(oop_decode(&r, &m, 0, &sure), 0);
}

static void without_colours(void **state)
{
	struct oop_reader r = reader(COLORS_NONE);
	struct oop_masks m = {.offset = UINT64_MAX};
	bool sure;

	(void)state;
	assert_int_equal(oop_decode(&r, &m, 0x1000, &sure), 0x1000);
	assert_int_equal(oop_decode(&r, &m, 0x1004, &sure), 0);
	assert_true(oop_is_null(&r, 0));
	assert_false(oop_is_null(&r, 8));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(first_object_with_generations),
	    cmocka_unit_test(first_object_without_generations),
	    cmocka_unit_test(without_colours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
