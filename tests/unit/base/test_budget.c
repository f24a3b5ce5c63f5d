/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What reading foreign files may take: memory by target, helpers, time, and what is said of what is refused.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/budget.h"
#include "base/util.h"

#define MB (1ULL << 20)
#define MS 1000000ULL

struct fixture {
	struct budget *b;
	struct share *one, *two;
	int stop[2];
};

static struct fixture fixture_of(uint64_t limit)
{
	struct fixture fx;

	assert_int_equal(pipe(fx.stop), 0);
	assert_int_equal(budget_new(limit, fx.stop[0], &fx.b), 0);
	assert_int_equal(share_new(fx.b, &fx.one), 0);
	assert_int_equal(share_new(fx.b, &fx.two), 0);
	return fx;
}

static void fixture_end(struct fixture *fx)
{
	share_put(fx->one);
	share_put(fx->two);
	budget_free(fx->b);
	close(fx->stop[0]);
	close(fx->stop[1]);
}

/* A target may hold half, all targets the whole; what is given back is free again. */
static void test_memory(void **state)
{
	struct fixture fx = fixture_of(64 * MB);
	struct charge a = {0}, b = {0}, c = {0};

	(void)state;
	budget_pay(fx.b, fx.one);
	assert_int_equal(budget_room(fx.b), 32 * MB);
	assert_int_equal(budget_take(fx.b, 30 * MB, &a), 0);
	assert_int_equal(budget_take(fx.b, 3 * MB, &a), -EDQUOT);
	assert_int_equal(a.bytes, 30 * MB);
	budget_pay(fx.b, fx.two);
	assert_int_equal(budget_take(fx.b, 32 * MB, &b), 0);
	assert_int_equal(budget_take(fx.b, 1, &b), -EDQUOT);
	budget_pay(fx.b, NULL);
	assert_int_equal(budget_room(fx.b), 2 * MB);
	assert_int_equal(budget_take(fx.b, 3 * MB, &c), -EDQUOT);
	budget_give(&a);
	assert_int_equal(budget_take(fx.b, 3 * MB, &c), 0);
	budget_give(&b);
	budget_give(&c);
	budget_give(&c); /* nothing */
	fixture_end(&fx);
}

/* What a module keeps may outlive the target that read it. */
static void test_share_outlived(void **state)
{
	struct fixture fx = fixture_of(64 * MB);
	struct charge kept = {0};

	(void)state;
	budget_pay(fx.b, fx.one);
	assert_int_equal(budget_take(fx.b, MB, &kept), 0);
	share_put(fx.one);
	budget_pay(fx.b, fx.two);
	budget_give(&kept);
	fx.one = NULL;
	fixture_end(&fx);
}

struct thing {
	struct budget *b;
	struct charge held;
	struct reclaimable r;
	bool gone;
};

static void let_go(void *what)
{
	struct thing *t = what;

	t->gone = true;
	budget_give(&t->held);
	budget_remove_reclaimable(t->b, &t->r);
}

/* The least recently used goes first, for memory and where there are too many. */
static void test_reclaimables(void **state)
{
	struct fixture fx = fixture_of(64 * MB);
	struct thing t[BUDGET_MAX_RECLAIMABLES + 2] = {0};
	struct charge more = {0};

	(void)state;
	budget_pay(fx.b, fx.one);
	for (size_t i = 0; i < 2; i++) {
		t[i] = (struct thing){.b = fx.b, .r = {.let_go = let_go, .what = &t[i]}};
		assert_int_equal(budget_take(fx.b, 10 * MB, &t[i].held), 0);
		budget_add_reclaimable(fx.b, &t[i].r);
		t[i].r.used_ns = i ? 1 : 2;
	}
	assert_int_equal(budget_take(fx.b, 20 * MB, &more), 0);
	assert_true(t[1].gone && !t[0].gone);
	assert_int_equal(budget_take(fx.b, 40 * MB, &more), -EDQUOT); /* never: so nothing goes for it */
	assert_false(t[0].gone);
	budget_give(&more);
	let_go(&t[0]);
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		t[i] = (struct thing){.b = fx.b, .r = {.let_go = let_go, .what = &t[i]}};
		budget_add_reclaimable(fx.b, &t[i].r);
		t[i].r.used_ns = i + 1;
	}
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		assert_int_equal(t[i].gone, i < 2);
	for (size_t i = 2; i < ARRAY_LEN(t); i++)
		let_go(&t[i]);
	fixture_end(&fx);
}

static void burn(uint64_t ns)
{
	uint64_t end = clock_ns(CLOCK_THREAD_CPUTIME_ID) + ns;

	while (clock_ns(CLOCK_THREAD_CPUTIME_ID) < end)
		;
}

/* A file has its CPU time, no more; one within another has none of its own. */
static void test_time_of_a_file(void **state)
{
	struct fixture fx = fixture_of(64 * MB);

	(void)state;
	budget_pay(fx.b, fx.one);
	budget_begin_file(fx.b);
	assert_int_equal(budget_check(fx.b), 0);
	burn(1200000000);
	assert_int_equal(budget_check(fx.b), 0);
	budget_begin_file(fx.b);
	burn(900000000);
	assert_int_equal(budget_check(fx.b), -EDQUOT);
	budget_end_file(fx.b);
	budget_end_file(fx.b);
	assert_int_equal(budget_check(fx.b), 0);
	fixture_end(&fx);
}

/* A slice ends with its time; there is always time for one file; and a target has no more than its share. */
static void test_slices(void **state)
{
	struct fixture fx = fixture_of(64 * MB);

	(void)state;
	budget_pay(fx.b, fx.one);
	assert_false(budget_slice_over(fx.b)); /* none was set */
	budget_slice(fx.b, clock_ns(CLOCK_MONOTONIC) + 100000000, false);
	assert_false(budget_slice_over(fx.b));
	assert_false(budget_slice_full(fx.b));
	budget_begin_file(fx.b);
	budget_end_file(fx.b);
	assert_false(budget_slice_full(fx.b)); /* files are quick */
	burn(100000000);
	assert_true(budget_slice_over(fx.b) && budget_slice_full(fx.b));
	budget_begin_file(fx.b);
	burn(130000000);
	budget_end_file(fx.b);
	budget_slice(fx.b, clock_ns(CLOCK_MONOTONIC) + 100000000, false);
	assert_false(budget_slice_full(fx.b)); /* one there always is time for */
	budget_begin_file(fx.b);
	budget_end_file(fx.b);
	assert_true(budget_slice_full(fx.b)); /* another one could take longer than what is left */
	assert_false(budget_slice_over(fx.b));
	budget_slice(fx.b, clock_ns(CLOCK_MONOTONIC) + 100000000, true);
	budget_begin_file(fx.b);
	budget_end_file(fx.b);
	assert_false(budget_slice_full(fx.b)); /* or never */
	budget_slice(fx.b, 0, false);
	assert_false(budget_slice_over(fx.b));
	budget_spend_ns(fx.b, 3600000000000ULL);
	assert_true(budget_slice_over(fx.b));
	budget_pay(fx.b, fx.two); /* it has its own */
	assert_false(budget_slice_over(fx.b));
	budget_pay(fx.b, fx.one);
	budget_slice(fx.b, 0, true); /* what is not done now is never done */
	assert_false(budget_slice_over(fx.b));
	fixture_end(&fx);
}

/* A signal ends all work at once, until it is heard. */
static void test_signal(void **state)
{
	struct fixture fx = fixture_of(64 * MB);

	(void)state;
	budget_slice(fx.b, 0, false);
	assert_int_equal(write(fx.stop[1], "", 1), 1);
	assert_int_equal(budget_check(fx.b), -EINTR);
	assert_true(budget_slice_over(fx.b) && budget_slice_full(fx.b));
	budget_heard(fx.b);
	assert_int_equal(budget_check(fx.b), 0);
	assert_false(budget_slice_over(fx.b));
	fixture_end(&fx);
}

/* What was read stays charged until time passes; who has had his part does not take that of others. */
static void test_reading(void **state)
{
	struct fixture fx = fixture_of(64 * MB);

	(void)state;
	budget_pay(fx.b, fx.one);
	assert_int_equal(budget_read(fx.b, 200 * MB), 0);
	assert_int_equal(budget_read(fx.b, 60 * MB), -EDQUOT); /* 16 MB come back a second */
	budget_pay(fx.b, fx.two);
	assert_int_equal(budget_read(fx.b, 256 * MB), 0);
	assert_int_equal(budget_read(fx.b, 40 * MB), -EDQUOT);
	budget_pay(fx.b, NULL);
	assert_int_equal(budget_read(fx.b, 568 * MB), 0);
	assert_int_equal(budget_read(fx.b, 457 * MB), -EDQUOT); /* all of them 1,024 MB */
	assert_int_equal(write(fx.stop[1], "", 1), 1);
	assert_int_equal(budget_read(fx.b, 0), -EINTR);
	fixture_end(&fx);
}

/* So many at a time, of a target and of all; closed ones make room. */
static void test_open_files(void **state)
{
	struct rlimit before, few;
	struct charge c[200] = {0}, other[200] = {0};
	struct fixture fx;
	int n = 0, m = 0;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = before;
	few.rlim_cur = 200;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	fx = fixture_of(64 * MB);
	budget_pay(fx.b, fx.one);
	while (!budget_take_file(fx.b, &c[n]))
		n++;
	budget_pay(fx.b, fx.two);
	while (!budget_take_file(fx.b, &other[m]))
		m++;
	assert_int_equal(n, 64);
	assert_int_equal(n + m, 100);
	budget_give(&c[0]);
	assert_int_equal(budget_take_file(fx.b, &c[0]), 0);
	for (int i = 0; i < 200; i++) {
		budget_give(&c[i]);
		budget_give(&other[i]);
	}
	fixture_end(&fx);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

/* The last line: what asks no budget gets no more either. In a process of its own, as it is for good. */
static void test_process(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	if (!pid) {
		void *fits, *too_much;

		if (budget_limit_process(64 * MB))
			_exit(1);
		fits = mmap(NULL, 32 * MB, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		too_much = mmap(NULL, 64 * MB, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		_exit(fits == MAP_FAILED ? 2 : too_much != MAP_FAILED ? 3 : errno == ENOMEM ? 0 : 4);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* Once a signal is heard, what is read is over with its slice. */
static void test_heard(void **state)
{
	struct fixture fx = fixture_of(64 * MB);

	(void)state;
	budget_heard(fx.b);
	budget_slice(fx.b, clock_ns(CLOCK_MONOTONIC) + 50000000, true);
	assert_int_equal(budget_check(fx.b), 0);
	while (!budget_slice_over(fx.b))
		;
	assert_int_equal(budget_check(fx.b), -EINTR);
	fixture_end(&fx);
}

/* From then on CPU time counts, and that of helpers: all that there is may be spent, however busy the
 * machine. */
static void test_late(void **state)
{
	struct fixture fx = fixture_of(64 * MB);
	uint64_t late_ns, end_ns;

	(void)state;
	budget_spend_ns(fx.b, 1000000000);
	assert_int_equal(budget_late_ns(fx.b), 0);
	budget_heard(fx.b);
	budget_spend_ns(fx.b, 30000000);
	budget_pay(fx.b, fx.one);
	budget_begin_file(fx.b);
	burn(20000000);
	budget_end_file(fx.b);
	late_ns = budget_late_ns(fx.b);
	assert_true(late_ns >= 50000000 && late_ns < 60000000); /* a file's is not counted twice */
	end_ns = clock_ns(CLOCK_MONOTONIC) + 200000000;
	budget_slice(fx.b, end_ns, true);
	burn(150000000);
	while (clock_ns(CLOCK_MONOTONIC) < end_ns)
		usleep(1000);
	assert_false(budget_slice_over(fx.b)); /* its time is over, and it has worked for less */
	burn(50000000);
	assert_true(budget_slice_over(fx.b));
	fixture_end(&fx);
}

/* Few files are read as long as the slice is, of many not even that. */
static void test_many_late(void **state)
{
	struct fixture fx = fixture_of(64 * MB);

	(void)state;
	budget_heard(fx.b);
	budget_slice(fx.b, clock_ns(CLOCK_MONOTONIC) + 3600000000000ULL, true);
	budget_spend_ns(fx.b, 200000000);
	for (int i = 0; i < 9; i++) {
		assert_int_equal(budget_check(fx.b), 0);
		assert_false(budget_slice_over(fx.b));
		budget_begin_file(fx.b);
		budget_end_file(fx.b);
	}
	assert_true(budget_slice_over(fx.b));
	assert_int_equal(budget_check(fx.b), -EINTR);
	fixture_end(&fx);
}

/* Each file once, by a name that is safe to print; the count goes on where texts are not kept. */
static void test_refusals(void **state)
{
	struct fixture fx = fixture_of(64 * MB);
	char name[64];

	(void)state;
	budget_refuse(fx.b, "/nobody", "pays");
	budget_pay(fx.b, fx.one);
	budget_refuse(fx.b, "/lib/a\033[31m.so", "too much");
	budget_refuse(fx.b, "/lib/a\033[31m.so", "too much");
	assert_int_equal(share_refused(fx.one), 1);
	assert_string_equal(share_refusal(fx.one, 0), "/lib/a?[31m.so: too much");
	assert_null(share_refusal(fx.one, 1));
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "/lib/%d.so", i);
		budget_refuse(fx.b, name, "too much");
	}
	assert_int_equal(share_refused(fx.one), 1001);
	assert_int_equal(share_refused(fx.two), 0);
	fixture_end(&fx);
}

static void count_looks(void *what)
{
	++*(int *)what;
}

/* Whoever waits for an answer is asked for about every 10 ms while there is work, also where it only waits.
 */
static void test_looks(void **state)
{
	struct fixture fx = fixture_of(64 * MB);
	uint64_t end_ns = clock_ns(CLOCK_MONOTONIC) + 100 * MS;
	int looks = 0;

	(void)state;
	budget_on_look(fx.b, count_looks, &looks);
	while (clock_ns(CLOCK_MONOTONIC) < end_ns)
		assert_int_equal(budget_check(fx.b), 0);
	assert_in_range(looks, 2, 11);
	looks = 0;
	usleep(11000);
	budget_slice(fx.b, 0, false);
	assert_false(budget_slice_over(fx.b));
	assert_int_equal(looks, 1);
	budget_on_look(fx.b, NULL, NULL);
	usleep(11000);
	assert_int_equal(budget_check(fx.b), 0);
	assert_int_equal(looks, 1);
	fixture_end(&fx);
}

/* A slice for what needs no file: none is begun, and nobody is waited for. */
static void test_full_slice(void **state)
{
	struct fixture fx = fixture_of(64 * MB);

	(void)state;
	budget_slice(fx.b, clock_ns(CLOCK_MONOTONIC) + 1000 * MS, false);
	assert_true(!budget_slice_full(fx.b) && budget_may_wait(fx.b));
	budget_fill_slice(fx.b);
	assert_true(budget_slice_full(fx.b) && !budget_may_wait(fx.b) && !budget_slice_over(fx.b));
	budget_slice(fx.b, clock_ns(CLOCK_MONOTONIC) + 1000 * MS, false);
	assert_true(!budget_slice_full(fx.b) && budget_may_wait(fx.b));
	budget_fill_slice(NULL);
	budget_look(NULL);
	fixture_end(&fx);
}

/* Without a budget there are no limits. */
static void test_none(void **state)
{
	struct charge c = {0};

	(void)state;
	assert_int_equal(budget_take(NULL, UINT64_MAX, &c), 0);
	budget_give(&c);
	budget_begin_file(NULL);
	assert_int_equal(budget_check(NULL), 0);
	budget_end_file(NULL);
	budget_slice(NULL, 1, false);
	assert_false(budget_slice_over(NULL) || budget_slice_full(NULL) || budget_slice_last(NULL));
	budget_refuse(NULL, "/a", "b");
	budget_pay(NULL, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_memory),       cmocka_unit_test(test_share_outlived),
	    cmocka_unit_test(test_reclaimables), cmocka_unit_test(test_time_of_a_file),
	    cmocka_unit_test(test_slices),       cmocka_unit_test(test_signal),
	    cmocka_unit_test(test_refusals),     cmocka_unit_test(test_none),
	    cmocka_unit_test(test_reading),      cmocka_unit_test(test_open_files),
	    cmocka_unit_test(test_heard),        cmocka_unit_test(test_late),
	    cmocka_unit_test(test_many_late),    cmocka_unit_test(test_process),
	    cmocka_unit_test(test_looks),        cmocka_unit_test(test_full_slice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
