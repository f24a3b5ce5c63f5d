/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The BPF walker as user code, over a memory image of a thread whose managed frames are known by fragments:
 * of both interpreters, and native methods. Then over the same with words of it corrupted: it ends, after a
 * bounded number of reads, in bounds (the sanitized build).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "bpf/bpf_host.h"

/* What the walker takes from the kernel, and from the machine's own files. */
#define JNITRACE_ARCH_BPF_H
#define JNITRACE_TASK_BPF_H
#define FIRST_SAVED_REG  3
#define LAST_SAVED_REG   3
#define IS_SAVED_REG(r)  ((r) == 3)
#define TRAMPOLINE_ALIGN 4096
struct bpf_user_pt_regs_t {
	u64 unused;
};
struct pt_regs {
	u64 reg[17]; /* by DWARF number */
};

static u64 probed_return(u64 cfa)
{
	(void)cfa;
	return 0;
}
static u64 reg_read(const struct pt_regs *ctx, u32 reg)
{
	return reg < 17 ? ctx->reg[reg] : 0;
}
static void memory_fence(void)
{
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

#pragma GCC diagnostic ignored "-Wunused-function"
#include "base/util.h"
#include "walk/stack.bpf.h"

const volatile bool by_fragments = true;

/* --- the target ----------------------------------------------------------------------------------- */

#define SLOT         5
#define REGION_BYTES 16384
enum region_id { THREAD, STACK, NR_REGIONS };
#define BASE(id)     (0x7f0000000000ULL + ((u64)(id) << 20))
#define TOP          (BASE(STACK) + REGION_BYTES)
#define ENV          (BASE(THREAD) + 0x800)
#define ENV_AT       0x20 /* in the thread; its first fragment is at its beginning */
#define CODE         0x600000000000ULL
#define NATIVE_BYTES 64 /* of each native frame, by its unwind table */
#define NTERP        (CODE + 0x1000)
#define NTERP_SAVES  88
#define TRAMPOLINE   (CODE + 0x2010)
#define JNI_BYTES    208 /* of its frame */
#define METHOD(n)    (0x7f1234560000ULL + (u64)(n)*64)
#define INSNS        0x7f2222220010ULL
static uint8_t memory[NR_REGIONS][REGION_BYTES];
static unsigned int reads;

static int host_read_user(void *dst, uint32_t n, uint64_t addr)
{
	uint64_t id = (addr - BASE(0)) >> 20, at = addr & ((1 << 20) - 1);

	reads++;
	if (addr < BASE(0) || id >= NR_REGIONS || at > REGION_BYTES || n > REGION_BYTES - at)
		return -1;
	memcpy(dst, memory[id] + at, n);
	return 0;
}

static void poke(u64 addr, u64 value)
{
	uint64_t id = (addr - BASE(0)) >> 20, at = addr & ((1 << 20) - 1);

	assert_true(id < NR_REGIONS && at + 8 <= REGION_BYTES);
	memcpy(memory[id] + at, &value, 8);
}

static struct java_config config = {.on = MANAGED_BY_FRAGMENTS, .env_at_in_thread = ENV_AT};
static struct scratch place;
static struct unwind_space spaces[JT_MAX_TARGETS];
static struct unwind_range ranges[1];
static struct unwind_cached cached[JT_UNWIND_CACHE];
static struct host_map table, *tables[2];
static u64 table_words[7];

static int set_up(void **state)
{
	static const struct unwind_rule rules[] = {{NATIVE_BYTES, 0, 1, UNWIND_SP},
						   {NTERP_SAVES, 0, 1, UNWIND_SPILLED},
						   {JNI_BYTES, 0, 1, UNWIND_SP}};
	static const struct unwind_row rows[] = {{0, 0}, {0x1000, 1}, {0x2000, 2}};
	struct unwind_head head = {ARRAY_LEN(rules), ARRAY_LEN(rows)};

	(void)state;
	memcpy(&table_words[0], &head, sizeof(head));
	memcpy(&table_words[1], rules, sizeof(rules));
	memcpy(&table_words[4], rows, sizeof(rows));
	table = (struct host_map){
	    .map = &table, .values = table_words, .n = ARRAY_LEN(table_words), .value_bytes = 8};
	tables[1] = &table;
	spaces[SLOT] = (struct unwind_space){.layout = UNWIND_LAYOUT(0, 1, 1)};
	ranges[0] = (struct unwind_range){.start = CODE, .end = CODE + (1 << 20), .base = CODE, .table = 1};
	host_map_add(&unwind_spaces, spaces, JT_MAX_TARGETS, sizeof(spaces[0]));
	host_map_add(&unwind_ranges, ranges, ARRAY_LEN(ranges), sizeof(ranges[0]));
	host_map_add(&unwind_cache, cached, JT_UNWIND_CACHE, sizeof(cached[0]));
	host_map_of_maps_add(&unwind_tables, tables, ARRAY_LEN(tables));
	host_map_add(&thread_envs, NULL, 0, 8);
	return 0;
}

/* --- a stack, built from its outermost frame to the innermost ------------------------------------- */

struct builder {
	u64 sp, pc, saved; /* saved: the register that frames of the interpreter in assembler need */
	struct fragment now;
	struct raw_frame want[32];
	u32 n; /* outermost first */
};

static void expect(struct builder *b, enum frame_kind kind, u64 a, u64 second)
{
	b->want[b->n++] = (struct raw_frame){a | (u64)kind << RAW_KIND_SHIFT, second};
}

static void frame(struct builder *b, u64 bytes, u64 pc)
{
	poke(b->sp - 8, b->pc);
	poke(b->sp - 16, b->saved);
	b->sp -= bytes;
	b->pc = pc;
}

static void native(struct builder *b, u64 pc)
{
	frame(b, NATIVE_BYTES, pc);
	expect(b, RAW_NATIVE, pc, 0);
}

/* The runtime calls managed code: a native frame that keeps the fragment. */
static void enter(struct builder *b)
{
	native(b, CODE + 0x100);
	poke(b->sp, b->now.quick);
	poke(b->sp + 8, b->now.link);
	poke(b->sp + 16, b->now.shadow);
	b->now = (struct fragment){.link = b->sp};
}

static void assembler(struct builder *b, int method, u32 registers, u32 outs, u32 insn)
{
	u64 bytes = (NTERP_SAVES + 24 + 8 * registers + 4 * outs + 15) / 16 * 16, at = INSNS + 2 * insn;

	frame(b, bytes, NTERP + 0x40);
	b->saved = b->sp + 24 + (4 * outs + 7) / 8 * 8;
	poke(b->saved - 8, b->sp + bytes - NTERP_SAVES);
	poke(b->saved - 16, at);
	poke(b->sp, METHOD(method));
	expect(b, RAW_METHOD, METHOD(method), at | bytes / 8 << RAW_METHOD_SHIFT);
}

/* by_address: it keeps the address of its instruction, not its number. */
static void interpreted(struct builder *b, int method, u32 insn, bool by_address)
{
	expect(b, RAW_METHOD, METHOD(method), insn | METHOD_BY_INDEX << RAW_METHOD_SHIFT);
	native(b, CODE + 0x200);
	poke(b->sp, b->now.shadow);
	poke(b->sp + 8, METHOD(method));
	poke(b->sp + 24, by_address ? INSNS + 2ULL * insn : 0);
	poke(b->sp + 32, INSNS);
	poke(b->sp + 48, (u64)(by_address ? 7 : insn) << 32 | 4);
	b->now.shadow = b->sp;
}

static void native_method(struct builder *b, int method)
{
	expect(b, RAW_METHOD, METHOD(method), 0);
	frame(b, JNI_BYTES, TRAMPOLINE);
	expect(b, RAW_NATIVE, TRAMPOLINE, 0);
	poke(b->sp, METHOD(method));
	b->now.quick = b->sp | 1;
}

static void build(struct builder *b)
{
	memset(memory, 0, sizeof(memory));
	*b = (struct builder){.sp = TOP - 128};
	native(b, CODE + 0x10);
	enter(b);
	assembler(b, 1, 4, 2, 3);
	assembler(b, 2, 7, 0, 0);
	native_method(b, 3);
	native(b, CODE + 0x20);
	enter(b);
	interpreted(b, 4, 9, false);
	interpreted(b, 5, 11, true);
	enter(b);
	native_method(b, 6);
	native(b, CODE + 0x30);
}

static bool walk(struct builder *b)
{
	struct pt_regs regs = {.reg = {[7] = b->sp - 8, [5] = ENV}};
	struct rule r = {
	    .target_id = SLOT,
	    .caller_pc = {.kind = LOC_MEM, .reg = 7, .offset_bytes = 0},
	    .caller_fp = {.kind = LOC_REG, .reg = 6},
	    .caller_cfa = {.kind = LOC_REG, .reg = 7, .offset_bytes = 8},
	    .env = {.kind = LOC_REG, .reg = 5},
	};

	poke(ENV, 0);
	poke(ENV + 8, BASE(THREAD));
	poke(BASE(THREAD) + ENV_AT, ENV);
	poke(b->sp - 8, b->pc);
	place.target_id = SLOT;
	reads = 0;
	stack_begin(&place, &regs, &r);
	if (stack_start(&place, &regs, &r, &config))
		return false;
	stack_walk(&place, &config);
	return true;
}

static void set_thread(const struct builder *b)
{
	poke(BASE(THREAD), b->now.quick);
	poke(BASE(THREAD) + 8, b->now.link);
	poke(BASE(THREAD) + 16, b->now.shadow);
}

static void test_frames_of_every_kind(void **state)
{
	struct builder b;

	(void)state;
	build(&b);
	set_thread(&b);
	assert_true(walk(&b));
	assert_int_equal(place.stack.end, END_BOTTOM);
	assert_int_equal(place.stack.n, b.n);
	for (u32 i = 0; i < b.n; i++) {
		assert_int_equal(place.stack.frame[i].a, b.want[b.n - 1 - i].a);
		assert_int_equal(place.stack.frame[i].b, b.want[b.n - 1 - i].b);
	}
	assert_false(place.w.notes.lost);
}

/* What does not fit ends the stack, with the reason. */
static void test_what_cannot_be_true(void **state)
{
	struct builder b;

	(void)state;
	build(&b);
	set_thread(&b);
	poke(b.now.link + 8, b.now.link); /* a fragment that leads to itself */
	assert_true(walk(&b));
	assert_int_equal(place.stack.end, END_METHOD);
	build(&b);
	set_thread(&b);
	poke(BASE(THREAD), (b.now.quick & ~7ULL) + 4); /* not where a word can be */
	assert_true(walk(&b));
	assert_int_equal(place.stack.end, END_METHOD);
}

/* A thread that is not the one that calls: its methods are not found, and nothing else is lost. */
static void test_thread_that_is_not_known(void **state)
{
	struct pt_regs regs = {.reg = {0}};
	struct rule r = {.env = {.kind = LOC_REG, .reg = 5}};

	(void)state;
	memset(memory, 0, sizeof(memory));
	poke(ENV + 8, BASE(THREAD));
	poke(BASE(THREAD) + ENV_AT, ENV + 8);
	regs.reg[5] = ENV;
	assert_int_equal(java_start(&regs, &r, &place, &config), END_NO_ENV);
	poke(BASE(THREAD) + ENV_AT, ENV);
	assert_int_equal(java_start(&regs, &r, &place, &config), END_NONE);
}

static u64 a_word(u64 random, const struct builder *b)
{
	switch (random >> 61) {
	case 0:
		return random;
	case 1:
		return NTERP + (random & 0xff);
	case 2:
		return METHOD(random & 7);
	case 3:
		return CODE + (random & 0x2fff);
	default:
		return b->sp + (random & 0x3ff8);
	}
}

/* For each frame its words, those of a few fragments or methods, and the window moved for each. */
#define MOST_READS (JT_MAX_FRAMES * 2 * (FRAGMENT_STEPS * 8 + 16))

static void test_corrupted(void **state)
{
	size_t ends[NR_ENDS] = {0};
	struct builder b;
	u64 seed = 17;

	(void)state;
	for (int round = 0; round < 30000; round++) {
		build(&b);
		set_thread(&b);
		for (int i = 0; i <= round % 4; i++) {
			u64 random = seed = mix64(seed + 1), value = a_word(mix64(random), &b);

			if (random % 4)
				poke(b.sp + (random >> 8) % (TOP - b.sp - 8), value);
			else
				poke(BASE(THREAD) + 8 * (random >> 8) % 24, value);
		}
		if (!walk(&b))
			continue;
		assert_true(reads < MOST_READS);
		assert_true(place.stack.n <= JT_MAX_FRAMES && place.stack.end < NR_ENDS);
		ends[place.stack.end]++;
	}
	assert_true(ends[END_METHOD] && ends[END_BOTTOM] && ends[END_NOT_CODE]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_frames_of_every_kind),
	    cmocka_unit_test(test_what_cannot_be_true),
	    cmocka_unit_test(test_thread_that_is_not_known),
	    cmocka_unit_test(test_corrupted),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
