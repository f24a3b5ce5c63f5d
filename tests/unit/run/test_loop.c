/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The event loop: timers, descriptors, signals, the time it may take. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "run/loop.h"

struct command {
	struct loop *loop;
	int timer, ends[2];
	int fired, read, before;
	int stop_after; /* fires */
	int busy_ms;    /* in each */
	bool skip;
};

static int on_timer(void *command, void *what, struct error *err)
{
	struct command *c = command;

	(void)err;
	assert_null(what);
	if (c->busy_ms)
		assert_false(loop_pause(c->loop, c->busy_ms));
	if (c->skip)
		loop_skip(c->timer);
	if (++c->fired == c->stop_after)
		loop_end(c->loop);
	return 0;
}

static int on_readable(void *command, void *what, struct error *err)
{
	struct command *c = command;

	(void)err;
	assert_ptr_equal(what, c->ends);
	c->read++;
	loop_remove(c->loop, c->ends[0]); /* it stays readable: but for this it would come for ever */
	return 0;
}

static int on_failure(void *command, void *what, struct error *err)
{
	(void)command;
	(void)what;
	return error_set(err, -EIO, EXIT_FAILED, "test", NULL, "it failed");
}

static int before(void *command, void *what, struct error *err)
{
	struct command *c = command;

	(void)what;
	(void)err;
	c->before++;
	return 0;
}

static double now_s(void)
{
	return (double)clock_ns(CLOCK_MONOTONIC) / 1e9;
}

static void test_timer_and_end(void **state)
{
	struct command c = {.stop_after = 3};
	struct error err = {0};

	(void)state;
	assert_int_equal(loop_open(&c.loop, &c), 0);
	c.timer = loop_timer(c.loop, 0.005, on_timer);
	assert_true(c.timer >= 0);
	assert_int_equal(loop_run(c.loop, before, &err), 0);
	assert_int_equal(c.fired, 3);
	assert_int_equal(c.before, 3);
	loop_close(c.loop);
}

/* With interval 0 it stands still; a new interval counts from when it is set. */
static void test_timer_that_waits(void **state)
{
	struct command c = {.stop_after = 1};
	struct error err = {0};

	(void)state;
	assert_int_equal(loop_open(&c.loop, &c), 0);
	c.timer = loop_timer(c.loop, 0, on_timer);
	loop_end_in(c.loop, 0.02);
	assert_int_equal(loop_run(c.loop, NULL, &err), 0);
	assert_int_equal(c.fired, 0);
	loop_close(c.loop);
	assert_int_equal(loop_open(&c.loop, &c), 0);
	c.timer = loop_timer(c.loop, 0, on_timer);
	assert_int_equal(loop_set_timer(c.timer, 0.005), 0);
	assert_int_equal(loop_run(c.loop, NULL, &err), 0);
	assert_int_equal(c.fired, 1);
	loop_close(c.loop);
}

/* What becomes due while a handler runs counts once; skipped, not at all. */
static void test_busy(void **state)
{
	struct error err = {0};
	double start_s;

	(void)state;
	for (int skip = 0; skip <= 1; skip++) {
		struct command c = {.stop_after = 3, .busy_ms = 45, .skip = skip};

		start_s = now_s();
		assert_int_equal(loop_open(&c.loop, &c), 0);
		c.timer = loop_timer(c.loop, 0.02, on_timer);
		assert_int_equal(loop_run(c.loop, NULL, &err), 0);
		assert_int_equal(c.fired, 3);
		/* Skipped: at 20 ms, 80, 140, each for 45; else at 20 ms, 65, 110. */
		assert_true(now_s() - start_s >= (skip ? 0.180 : 0.150));
		loop_close(c.loop);
	}
}

static void test_readable(void **state)
{
	struct command c = {0};
	struct error err = {0};

	(void)state;
	assert_int_equal(pipe(c.ends), 0);
	assert_int_equal(write(c.ends[1], "x", 1), 1);
	assert_int_equal(loop_open(&c.loop, &c), 0);
	assert_int_equal(loop_add(c.loop, c.ends[0], on_readable, c.ends), 0);
	loop_remove(c.loop, c.ends[1]); /* was not added */
	loop_end_in(c.loop, 0.02);
	assert_int_equal(loop_run(c.loop, NULL, &err), 0);
	assert_int_equal(c.read, 1);
	loop_close(c.loop);
	assert_int_equal(write(c.ends[1], "x", 1), 1); /* still ours */
	close(c.ends[0]);
	close(c.ends[1]);
}

static void test_failure_ends(void **state)
{
	struct command c = {0};
	struct error err = {0};

	(void)state;
	assert_int_equal(loop_open(&c.loop, &c), 0);
	assert_true(loop_timer(c.loop, 0.001, on_failure) >= 0);
	assert_int_equal(loop_run(c.loop, NULL, &err), -EIO);
	assert_string_equal(err.why, "it failed");
	loop_close(c.loop);
}

static void test_signal_ends(void **state)
{
	struct command c = {0};
	struct error err = {0};

	(void)state;
	assert_int_equal(loop_open(&c.loop, &c), 0);
	assert_false(loop_pause(c.loop, 1));
	kill(getpid(), SIGTERM);
	assert_true(loop_pause(c.loop, 10000));
	assert_int_equal(loop_run(c.loop, NULL, &err), 0);
	loop_close(c.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_timer_and_end), cmocka_unit_test(test_timer_that_waits),
	    cmocka_unit_test(test_busy),          cmocka_unit_test(test_readable),
	    cmocka_unit_test(test_failure_ends),  cmocka_unit_test(test_signal_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
