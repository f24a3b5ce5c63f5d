/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which memory answers by itself, of this very process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/util.h"
#include "proc/areas.h"

#define PAGE  4096
#define ROOM  4096
#define SOME  1000
#define LATER 61000000000ULL

static struct area room[ROOM];

static enum area_kind kind(const struct areas *a, uint64_t at, uint64_t bytes)
{
	const struct iovec piece = {(void *)(uintptr_t)at, bytes};

	return areas_kind(a, &piece, 1);
}

static struct areas look(struct areas_book *b, size_t cap)
{
	struct areas *a = areas_of(b, getpid(), 1);
	ssize_t n = areas_look(getpid(), room, cap);

	assert_non_null(a);
	assert_true(n > 0);
	assert_int_equal(areas_set(a, room, (size_t)n), 0);
	return *a;
}

static void free_book(struct areas_book *b)
{
	for (size_t i = 0; i < b->n; i++)
		free(b->v[i].v);
	free(b->v);
}

static void test_what_is_mapped(void **state)
{
	struct areas_book b = {0};
	int memory = memfd_create("areas", MFD_CLOEXEC), device = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	uint64_t none = (uintptr_t)mmap(NULL, 3 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct areas a;
	void *shared, *zero;

	(void)state;
	assert_int_equal(ftruncate(memory, PAGE), 0);
	shared = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, memory, 0);
	zero = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, device, 0);
	assert_int_equal(munmap((void *)(uintptr_t)(none + PAGE), PAGE), 0);
	a = look(&b, ROOM);
	assert_int_equal(kind(&a, none, PAGE), AREA_ANSWERS);
	assert_int_equal(kind(&a, none + PAGE - 1, 2), AREA_HOLE);
	assert_int_equal(kind(&a, none + PAGE, PAGE), AREA_HOLE);
	assert_int_equal(kind(&a, none, 3 * PAGE), AREA_HOLE);
	assert_int_equal(kind(&a, (uintptr_t)&a, sizeof(a)), AREA_ANSWERS);
	assert_int_equal(kind(&a, (uintptr_t)shared, PAGE), AREA_ANSWERS);
	assert_int_equal(kind(&a, (uintptr_t)zero, PAGE), AREA_WAITS);
	assert_int_equal(kind(&a, (uintptr_t)zero + PAGE - 1, 1), AREA_WAITS);
	assert_int_equal(kind(&a, 0, UINT64_MAX), AREA_WAITS);
	assert_int_equal(kind(&a, (uint64_t)-8, SOME), AREA_HOLE);
	munmap((void *)(uintptr_t)none, PAGE);
	munmap((void *)(uintptr_t)(none + 2 * PAGE), PAGE);
	munmap(shared, PAGE);
	munmap(zero, PAGE);
	close(memory);
	close(device);
	free_book(&b);
}

/* What there is no room for does not answer. */
static void test_more_than_fit(void **state)
{
	struct areas_book b = {0};
	struct areas a = look(&b, 2);

	(void)state;
	assert_int_equal(a.n, 2);
	assert_int_equal(kind(&a, (uintptr_t)&a, sizeof(a)), AREA_WAITS);
	free_book(&b);
}

static void test_they_are_forgotten(void **state)
{
	struct areas_book b = {0};

	(void)state;
	for (pid_t pid = 1; pid <= SOME; pid++) {
		struct areas *a = areas_of(&b, pid, 1);

		assert_non_null(a);
		assert_int_equal(a->looked_ns, 0);
		a->looked_ns = 1;
		assert_int_equal(areas_set(a, &(struct area){1, 2, true}, 1), 0);
	}
	assert_int_equal(areas_of(&b, SOME / 2, LATER)->pid, SOME / 2);
	assert_int_equal(b.n, SOME);
	areas_forget(&b, SOME / 2);
	areas_forget(&b, SOME / 2);
	assert_int_equal(b.n, SOME - 1);
	assert_int_equal(areas_of(&b, SOME + 1, LATER)->pid, SOME + 1);
	assert_int_equal(b.n, 1);
	free_book(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_is_mapped),
	    cmocka_unit_test(test_more_than_fit),
	    cmocka_unit_test(test_they_are_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
