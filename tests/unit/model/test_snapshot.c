/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The snapshots of two targets that were read together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "model/snapshot.h"

#define NR_INDEX 8

static void test_sites(void **state)
{
	static struct snapshots all;
	static const struct {
		uint16_t target_id;
		uint32_t index;
	} sites[] = {{0, 2}, {1, 3}, {0, 5}, {1, 7}, {1, 1}};

	(void)state;
	all.position = calloc(NR_INDEX, sizeof(*all.position));
	assert_non_null(all.position);
	for (int target_id = 0; target_id < 2; target_id++) {
		all.of[target_id].nr_index = NR_INDEX;
		all.of[target_id].position = all.position;
	}
	for (size_t i = 0; i < ARRAY_LEN(sites); i++) {
		struct snapshot *s = &all.of[sites[i].target_id];
		struct snapshot_site *v = VEC_ADD(&s->sites);

		assert_non_null(v);
		v->index = sites[i].index;
		all.position[sites[i].index] = s->sites.n;
	}
	for (uint32_t index = 0; index < NR_INDEX + 2; index++)
		for (uint16_t target_id = 0; target_id < 2; target_id++) {
			const struct snapshot_site *v = snapshot_site_of(&all.of[target_id], index);
			bool own = false;

			for (size_t i = 0; i < ARRAY_LEN(sites); i++)
				own |= sites[i].target_id == target_id && sites[i].index == index;
			assert_int_equal(v != NULL, own);
			if (v)
				assert_int_equal(v->index, index);
		}
	assert_null(snapshot_site_of(&all.of[2], 1)); /* not in use */
	snapshots_free(&all);
	assert_null(all.position);
	assert_null(all.of[1].sites.v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sites),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
