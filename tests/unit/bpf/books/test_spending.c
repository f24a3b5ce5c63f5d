/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What calls may take until the programs count no more of them, as user code with a clock of the test's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bpf/bpf_host.h"

const volatile bool budgeted = true; /* the loader sets it */
const volatile u32 nr_funcs = 16;

static unsigned woken;

static long bpf_ringbuf_output(const void *map, const void *data, u64 n, u64 flags)
{
	u32 message;

	(void)map, (void)flags;
	assert_int_equal(n, sizeof(message));
	memcpy(&message, data, sizeof(message));
	woken += message == JT_OVER_SPENT;
	return 0;
}

#pragma GCC diagnostic ignored "-Wunused-function"
#include "books/spending.bpf.h"

#define TARGET    3
#define FUNC      5
#define NR_CHARGE 4096
#define MS        1000000ULL
#define CALL_NS   1000ULL /* of CPU time, at a share of 1 %: CHARGE_US until CHARGED_CALLS are earned */
#define CHARGE_US (CHARGED_CALLS * CALL_NS * 100 / 1000)
#define WINDOW_NS (50 * MS * 100)

static u32 charge_us[NR_CHARGE];
static struct target_state states[JT_MAX_TARGETS];
static const struct rule rule = {.target_id = TARGET, .func = FUNC};

static int host_read_user(void *dst, uint32_t n, uint64_t addr)
{
	(void)dst, (void)n, (void)addr;
	return -1;
}

static int setup(void **state)
{
	(void)state;
	nr_host_maps = woken = 0;
	host_now_ns = 1000 * MS;
	memset(spending, 0, sizeof(spending));
	spending[TARGET].window_ns = WINDOW_NS;
	states[TARGET] = (struct target_state){.gate = GATE_OPEN};
	charge_us[charge_key(TARGET, FUNC)] = CHARGE_US;
	host_map_add(&charges, charge_us, NR_CHARGE, sizeof(charge_us[0]));
	host_map_add(&targets, states, JT_MAX_TARGETS, sizeof(states[0]));
	return 0;
}

/* So many calls, one each so often, while they count. How many did. */
static u64 calls(u64 n, u64 each_ns)
{
	static u64 made;
	u64 i = 0;

	for (made = 0; i < n && states[TARGET].gate == GATE_OPEN; i++) {
		host_now_ns += each_ns;
		count_call(&rule, &made);
	}
	assert_int_equal(made, i);
	return i;
}

/* As fast as a traced thread can: 50 ms at once, and a hundredth of the time until then. */
static void test_a_storm_ends_by_itself(void **state)
{
	const u64 most = 50 * MS / CALL_NS * 100 / 99 + CHARGED_CALLS;
	u64 n = calls(10 * most, CALL_NS), took_ns;

	(void)state;
	assert_true(n <= most && n >= most - 2 * CHARGED_CALLS);
	assert_int_equal(states[TARGET].gate, GATE_OVER);
	assert_int_equal(woken, 1);
	took_ns = spending[TARGET].over_ns - spending[TARGET].since_ns;
	assert_true(took_ns < 52 * MS);
	assert_int_equal(spending[TARGET].over_ns, host_now_ns);
}

/* What is no more than the share never ends, and bursts are forgotten when they are earned. */
static void test_what_is_within_goes_on(void **state)
{
	(void)state;
	assert_int_equal(calls(1000000, CALL_NS * 100), 1000000);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(calls(40000, CALL_NS), 40000);
		host_now_ns += 4000 * MS;
	}
	assert_int_equal(states[TARGET].gate, GATE_OPEN);
	assert_int_equal(woken, 0);
}

/* Of a target that is closed, or that has become another program, nothing changes. */
static void test_only_an_open_gate_is_closed(void **state)
{
	(void)state;
	states[TARGET].gate = GATE_EXECED;
	for (int i = 0; i < 100000; i++)
		spend(TARGET, FUNC);
	assert_int_equal(states[TARGET].gate, GATE_EXECED);
	assert_int_equal(spending[TARGET].over_ns, 0);
	assert_int_equal(woken, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_a_storm_ends_by_itself, setup),
	    cmocka_unit_test_setup(test_what_is_within_goes_on, setup),
	    cmocka_unit_test_setup(test_only_an_open_gate_is_closed, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
