/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Many small reads of a process: each piece is read if it is there, whatever stands beside it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/hotspot/scatter.h"

#define PIECE  24
#define PIECES 3000 /* more than one call takes */

/* Pages, of which every third cannot be read. */
struct pages {
	uint8_t *at;
	size_t bytes, page;
};

static bool is_readable(const struct pages *p, size_t at)
{
	return at / p->page % 3 != 2 && (at + PIECE - 1) / p->page % 3 != 2;
}

static void make_pages(struct pages *p)
{
	p->page = (size_t)sysconf(_SC_PAGESIZE);
	p->bytes = 96 * p->page;
	p->at = mmap(NULL, p->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(p->at, MAP_FAILED);
	for (size_t i = 0; i < p->bytes; i++)
		p->at[i] = (uint8_t)(i * 7 + i / 251);
}

static void expect_pieces(size_t (*place)(const struct pages *p, size_t i))
{
	static uint8_t want[PIECES][PIECE], got[PIECES][PIECE];
	static uint64_t addr[PIECES];
	static bool ok[PIECES], readable[PIECES];
	struct pages p;

	make_pages(&p);
	for (size_t i = 0; i < PIECES; i++) {
		size_t at = place(&p, i) % (p.bytes - PIECE);

		addr[i] = (uint64_t)(uintptr_t)(p.at + at);
		readable[i] = is_readable(&p, at);
		ok[i] = !readable[i];
		memcpy(want[i], p.at + at, PIECE);
	}
	for (size_t at = 2 * p.page; at < p.bytes; at += 3 * p.page)
		assert_int_equal(mprotect(p.at + at, p.page, PROT_NONE), 0);
	assert_int_equal(scatter_read(getpid(), addr, PIECES, PIECE, got, ok), 0);
	for (size_t i = 0; i < PIECES; i++) {
		assert_int_equal(ok[i], readable[i]);
		if (readable[i])
			assert_memory_equal(got[i], want[i], PIECE);
	}
	munmap(p.at, p.bytes);
}

static size_t side_by_side(const struct pages *p, size_t i)
{
	(void)p;
	return i * PIECE;
}

static size_t near(const struct pages *p, size_t i)
{
	return i * (p->bytes / PIECES);
}

static size_t backwards(const struct pages *p, size_t i)
{
	return (PIECES - i) * (p->bytes / PIECES);
}

static size_t anywhere(const struct pages *p, size_t i)
{
	return i * 2654435761U % p->bytes;
}

static size_t again(const struct pages *p, size_t i)
{
	return i / 5 * (p->bytes / PIECES);
}

static void test_pieces(void **state)
{
	(void)state;
	expect_pieces(side_by_side);
	expect_pieces(near);
	expect_pieces(backwards);
	expect_pieces(anywhere);
	expect_pieces(again);
}

/* Nothing, and nobody. */
static void test_ends(void **state)
{
	uint64_t word = 0, addr = (uint64_t)(uintptr_t)&word;
	bool ok = false;

	(void)state;
	assert_int_equal(scatter_read(getpid(), &addr, 0, sizeof(word), &word, &ok), 0);
	assert_int_equal(scatter_read(0x3fffffff, &addr, 1, sizeof(word), &word, &ok), -ESRCH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_pieces),
	    cmocka_unit_test(test_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
