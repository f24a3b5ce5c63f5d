/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which pushes are judged to be left behind, by looks made by hand; and local references that pile up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "base/util.h"
#include "reconcile/left_frames.h"
#include "reconcile/local_pile.h"

#define SITE  7
#define OUTER 0x1000
#define SP    0x7000

/* What is pushed, in the store. */
struct store {
	bool held[64];
	int buried;
};

static int number_of(const struct snapshot_push *p)
{
	return (int)((p->outer - OUTER) / 0x100);
}

static bool holds(void *store, const struct snapshot_push *p)
{
	return ((struct store *)store)->held[number_of(p)];
}

static void bury(void *store, const struct snapshot_push *p)
{
	struct store *s = store;

	s->held[number_of(p)] = false;
	s->buried++;
}

static struct snapshot_push push_of(int i, uint64_t java_sp)
{
	return (struct snapshot_push){
	    .outer = OUTER + 0x100 * (uint64_t)i,
	    .push = {.env = 0x10,
		     .java_sp = java_sp,
		     .java_pc = 0x99,
		     .sp = SP,
		     .site = SITE,
		     .tick = (uint32_t)i},
	};
}

/* A frame with another one upon it. */
static struct local_frame frame_of(int i, uint64_t anchor_sp)
{
	uint64_t block = OUTER + 0x100 * (uint64_t)i;

	return (struct local_frame){.block = block,
				    .outer = i ? block - 0x100 : 0,
				    .anchor_sp = anchor_sp,
				    .anchor_pc = 0x99,
				    .live = 2};
}

/* Judge n pushes by a look that has so many frames. */
static struct left_frame judged(struct left_books *b, struct snapshot_push *pushes, size_t n,
				struct local_frame *frames, size_t nr_frames, bool complete,
				struct store *store)
{
	struct snapshot s = {.pushes = {pushes, n, n}, .now_tick = 1000};
	struct local_look look = {.known = true, .tick = 900};
	const struct push_store calls = {holds, bury, store};
	const struct left_frames *left;

	look.vm.complete = complete;
	look.vm.frames.v = frames;
	look.vm.frames.n = nr_frames;
	assert_int_equal(left_books_update(b, &look, &s, &calls), 0);
	left = left_frames(b);
	return left->n ? left->v[0] : (struct left_frame){0};
}

static void run(struct snapshot_push p, struct local_frame f, bool there, bool complete, uint64_t want)
{
	struct local_frame frames[] = {f, frame_of(1, f.anchor_sp)};
	struct store store = {.held = {true}};
	struct left_books *b;

	assert_int_equal(left_books_new(&b), 0);
	assert_int_equal(judged(b, &p, 1, frames, there ? 2 : 0, complete, &store).count, want);
	assert_int_equal(store.buried, want);
	left_books_free(b);
}

static void test_native_method_has_returned(void **state)
{
	struct snapshot_push p = push_of(0, 0x5000), early = p;
	struct local_frame same = frame_of(0, 0x5000), other = frame_of(0, 0x5100), java = frame_of(0, 0),
			   maybe = other, called = same;

	(void)state;
	java.in_java = true;
	maybe.maybe = true;
	called.anchor_pc = 0x98;
	early.push.tick = 950;
	run(p, same, true, true, 0);
	run(p, other, true, true, 1);
	run(p, called, true, true, 1); /* another call of the same Java frame */
	run(p, java, true, true, 1);
	run(p, maybe, true, true, 0);
	run(p, same, false, true, 1); /* the VM has taken it away */
	run(p, same, false, false, 0);
	run(early, other, true, true, 0); /* younger than the look */
	called.anchor_pc = 0;
	run(p, called, true, true, 0); /* the VM fills it in later */
	p.push.returned = 1;
	run(p, same, true, true, 1);
}

static void test_popped_meanwhile(void **state)
{
	struct snapshot_push p = push_of(0, 0x5000);
	struct local_frame f = frame_of(0, 0x5100);
	struct store store = {0};
	struct left_books *b;

	(void)state;
	assert_int_equal(left_books_new(&b), 0);
	assert_int_equal(judged(b, &p, 1, &f, 1, true, &store).count, 0);
	left_books_free(b);
}

static void test_piles(void **state)
{
	struct snapshot_push pushes[LEFT_PILE + 9];
	struct local_frame frames[ARRAY_LEN(pushes) + 1];
	struct store store = {0};
	struct left_frame left;
	struct left_books *b;

	(void)state;
	for (int i = 0; i < (int)ARRAY_LEN(frames); i++) {
		frames[i] = frame_of(i, 0);
		if (i < (int)ARRAY_LEN(pushes))
			pushes[i] = push_of(i, 0);
		store.held[i] = true;
	}
	assert_int_equal(left_books_new(&b), 0);
	left = judged(b, pushes, LEFT_PILE, frames, LEFT_PILE + 1, true, &store);
	assert_int_equal(left.count, 0); /* nesting may take as many */
	left = judged(b, pushes, LEFT_PILE + 1, frames, LEFT_PILE + 2, true, &store);
	assert_int_equal(left.count, LEFT_PILE); /* all but the youngest, which may be popped yet */
	assert_int_equal(left.locals, 2 * LEFT_PILE);
	left = judged(b, pushes, ARRAY_LEN(pushes), frames, ARRAY_LEN(frames), true, &store);
	assert_int_equal(left.count, ARRAY_LEN(pushes) - 1);
	left = judged(b, NULL, 0, NULL, 0, true, &store); /* the thread has ended */
	assert_int_equal(left.count, ARRAY_LEN(pushes) - 1);
	assert_int_equal(left.locals, 0);
	left_books_free(b);
}

static void test_pile_of_references(void **state)
{
	struct vm_pile look = {.thread = 0x10, .tid = 42, .refs = 511, .frames = 1};
	struct pile_watch w = {0};
	struct report_pile p = {0};

	(void)state;
	assert_false(pile_take(&w, &look, 1, 512, &p));
	assert_false(p.found);
	for (int s = 2; s < 6; s++) {
		look.refs += 100;
		assert_int_equal(pile_take(&w, &look, s, 512, &p), s == 2); /* once a name is asked for */
		assert_true(p.found && p.now && p.refs == look.refs);
		assert_true(s < 4 ? isnan(p.per_s) : fabs(p.per_s - 100) < 1e-9);
	}
	look.refs = 3;
	assert_false(pile_take(&w, &look, 6, 512, &p));
	assert_true(p.found && !p.now && p.refs == 911 && isnan(p.per_s));
	look = (struct vm_pile){.thread = 0x20, .tid = 43, .refs = 5, .frames = PILE_FRAMES};
	assert_true(pile_take(&w, &look, 7, 512, &p));
	assert_true(p.now && p.tid == 43 && p.frames == PILE_FRAMES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_native_method_has_returned),
	    cmocka_unit_test(test_popped_meanwhile),
	    cmocka_unit_test(test_piles),
	    cmocka_unit_test(test_pile_of_references),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
