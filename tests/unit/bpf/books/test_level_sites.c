/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is acquired at another level has a site of its own, as user code: two CPUs come there first at once,
 * and the one that is late leaves nothing of it on the number that it gives back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bpf/bpf_host.h"

/* What the walker takes from the kernel: nobody walks here. */
#define JNITRACE_ARCH_BPF_H
#define JNITRACE_TASK_BPF_H
#define FIRST_SAVED_REG  3
#define LAST_SAVED_REG   15
#define IS_SAVED_REG(r)  ((r) == 3 || (r) >= 12)
#define TRAMPOLINE_ALIGN 4096
struct bpf_user_pt_regs_t {
	u64 unused;
};
struct pt_regs {
	u64 reg[17];
};
struct task_struct {
	u64 start_time;
};
static struct task_struct task;
static u64 probed_return(u64 cfa)
{
	return cfa * 0;
}
static u64 reg_read(const struct pt_regs *ctx, u32 reg)
{
	return ctx->reg[reg % 17];
}
static void memory_fence(void)
{
}
static u32 current_tid(void)
{
	return 1;
}
static u32 current_tid_inside(void)
{
	return 1;
}
static u64 thread_pointer(void)
{
	return 0;
}
static u64 bpf_get_current_pid_tgid(void)
{
	return 1;
}
static u32 bpf_get_smp_processor_id(void)
{
	return 0;
}
static u32 bpf_get_prandom_u32(void)
{
	return 7;
}
static long bpf_get_current_comm(void *name, u32 n)
{
	memset(name, 0, n);
	return 0;
}
static struct task_struct *bpf_get_current_task_btf(void)
{
	return &task;
}

#pragma GCC diagnostic ignored "-Wunused-function"
#include "books/sampling.bpf.h"

#define SITES  8
#define LEVELS 16
#define OF     1 /* the site of level 0 */
#define TARGET 3
#define STACK  0x1234

static struct site all_sites[SITES];
static struct site_thread threads[SITES];
static struct level_key keys[LEVELS];
static u32 of_keys[LEVELS], given_back[SITES];
static u64 lost[JT_MAX_TARGETS * NR_DROPS];
static u64 ids_keys[SITES], stack_keys[SITES];
static u32 ids[SITES];
static struct stack kept[SITES];

static int host_read_user(void *dst, uint32_t n, uint64_t addr)
{
	(void)dst, (void)n, (void)addr;
	return -1;
}

/* Numbers come from those that were given back: as many as a test needs, the lowest first. */
static int setup(void **state)
{
	struct host_map *m;

	(void)state;
	nr_host_maps = 0;
	host_meanwhile = NULL;
	sites_made = 0;
	memset(all_sites, 0, sizeof(all_sites));
	memset(lost, 0, sizeof(lost));
	all_sites[OF] = (struct site){
	    .target_id = TARGET, .func = 5, .family = 2, .has_stack = 1, .made_of = STACK, .stack_id = STACK};
	host_map_add(&sites, all_sites, SITES, sizeof(all_sites[0]));
	host_map_add(&site_threads, threads, SITES, sizeof(threads[0]));
	host_map_add(&drops, lost, JT_MAX_TARGETS * NR_DROPS, sizeof(lost[0]));
	host_hash_add(&level_sites, keys, sizeof(keys[0]), of_keys, LEVELS, sizeof(of_keys[0]));
	host_hash_add(&site_ids, ids_keys, sizeof(ids_keys[0]), ids, SITES, sizeof(ids[0]));
	host_hash_add(&stacks, stack_keys, sizeof(stack_keys[0]), kept, SITES, sizeof(kept[0]));
	host_map_add(&free_sites, given_back, SITES, sizeof(given_back[0]));
	m = host_map_of(&free_sites);
	for (u32 id = SITES - 1; id > OF; id--)
		assert_int_equal(bpf_map_push_elem(&free_sites, &id, 0), 0);
	assert_int_equal(m->used, SITES - 2);
	return 0;
}

static u32 left(void)
{
	return host_map_of(&free_sites)->used;
}

static void test_a_site_for_each_level(void **state)
{
	(void)state;
	assert_int_equal(level_site(TARGET, OF, 0), OF);
	assert_int_equal(level_site(TARGET, 0, 3), 0);
	assert_int_equal(level_site(TARGET, OF, 1), 2);
	assert_int_equal(level_site(TARGET, OF, 3), 3);
	assert_int_equal(level_site(TARGET, OF, 1), 2);
	for (u32 id = 2; id <= 3; id++) {
		const struct site *s = &all_sites[id];

		assert_int_equal(s->level, id == 2 ? 1 : 3);
		assert_int_equal(s->stack_id, STACK);
		assert_int_equal(s->target_id, TARGET);
		assert_int_equal(s->func, 5);
		assert_int_equal(s->family, 2);
	}
	assert_int_equal(sites_made, 2);
}

static u32 others;

static void another_cpu(void)
{
	others = level_site(TARGET, OF, 2);
}

static void test_two_come_first_at_once(void **state)
{
	u32 id, free_before = left();

	(void)state;
	host_meanwhile = another_cpu;
	id = level_site(TARGET, OF, 2);
	assert_int_equal(id, others);
	assert_int_equal(all_sites[id].level, 2);
	assert_int_equal(sites_made, 1);
	assert_int_equal(left(), free_before - 1);
	/* all numbers that can be given again are as new, and the loader sees no site there */
	for (u32 i = 0; i < left(); i++) {
		assert_int_equal(all_sites[given_back[i]].level, 0);
		assert_int_equal(all_sites[given_back[i]].stack_id, 0);
		assert_int_not_equal(given_back[i], id);
	}
	assert_int_equal(level_site(TARGET, OF, 2), id);
}

/* The number of one that was late is given to another stack while its level still stands there. */
static void test_a_number_is_taken_again_too_soon(void **state)
{
	const struct rule r = {.target_id = TARGET, .func = 6, .family = 2};
	static const struct stack stack = {.n = 1};
	u32 id;

	(void)state;
	all_sites[2].level = 4;
	id = site_new(&r, STACK + 1, 77, &stack);
	assert_int_equal(id, 2);
	assert_int_equal(all_sites[id].level, 0);
	assert_int_equal(all_sites[id].stack_id, STACK + 1);
}

static void test_no_room(void **state)
{
	u32 id;

	(void)state;
	while (left())
		assert_int_equal(bpf_map_pop_elem(&free_sites, &id), 0);
	next_site = 1; /* max_stacks is 0 here */
	assert_int_equal(level_site(TARGET, OF, 1), 0);
	assert_int_equal(lost[TARGET * NR_DROPS + DROP_STACKS_FULL], 1);
	assert_int_equal(sites_made, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_a_site_for_each_level, setup),
	    cmocka_unit_test_setup(test_two_come_first_at_once, setup),
	    cmocka_unit_test_setup(test_a_number_is_taken_again_too_soon, setup),
	    cmocka_unit_test_setup(test_no_room, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
