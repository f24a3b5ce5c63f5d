/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is found with what came of the last time is what is found without, whatever sites and names come and
 * go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "view/alike.h"

#define SITES  23
#define DEPTH  5
#define ROUNDS 2003

static const char *const symbols[] = {"make", "take", "run"};
static const char *const files[] = {"a.c", "b.c", NULL};

static struct frame *random_frames(void)
{
	struct frame *v = calloc(DEPTH, sizeof(*v));

	assert_non_null(v);
	for (int i = 0; i < DEPTH; i++)
		v[i] = (struct frame){.type = FRAME_NATIVE,
				      .symbol = symbols[rand() % 3],
				      .module = "lib.so",
				      .offset = (uint64_t)(rand() % 2),
				      .file = files[rand() % 3],
				      .line = rand() % 2};
	return v;
}

static void expect_same(struct row *v, size_t n, struct alike *last)
{
	struct row alone[SITES];
	struct rows rows = {v, n, n}, of_alone = {alone, n, n};

	memcpy(alone, v, n * sizeof(*v));
	assert_int_equal(rows_tell_apart(&of_alone, n, NULL), 0);
	assert_int_equal(rows_tell_apart(&rows, n, last), 0);
	for (size_t i = 0; i < n; i++) {
		assert_memory_equal(v[i].differs, alone[i].differs, sizeof(alone[i].differs));
		assert_int_equal(v[i].by_offset, alone[i].by_offset);
	}
}

static void test_last_time(void **state)
{
	struct report_target targets[2] = {{.pid = 7}, {.pid = 11}};
	struct report_site sites[SITES] = {0};
	struct frame *old[ROUNDS] = {0};
	struct alike last = {0};

	(void)state;
	for (size_t i = 0; i < SITES; i++)
		sites[i] = (struct report_site){.id = i / 2 + 1, .frames = {random_frames(), DEPTH, DEPTH}};
	for (int round = 0; round < ROUNDS; round++) {
		struct row v[SITES];
		size_t n = 0, changed = (size_t)rand() % SITES;

		if (round % 3 == 0) { /* its lines became known; what was there stays as long as all */
			old[round] = sites[changed].frames.v;
			sites[changed].frames.v = random_frames();
		}
		for (size_t i = 0; i < SITES; i++)
			if (round % 5 || rand() % 7) /* most often all; in any order */
				v[n++] = (struct row){.site = &sites[i],
						      .target = &targets[i % 2],
						      .differs = {NO_FRAME, NO_FRAME}};
		for (size_t i = 1; i < n; i++) {
			size_t k = (size_t)rand() % (i + 1);
			struct row swap = v[i];

			v[i] = v[k];
			v[k] = swap;
		}
		for (size_t i = 0; i < n; i++)
			v[i].order = i;
		expect_same(v, n, &last);
	}
	alike_free(&last);
	for (size_t i = 0; i < SITES; i++)
		free(sites[i].frames.v);
	for (size_t i = 0; i < ROUNDS; i++)
		free(old[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_last_time)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
