/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The BPF walker as user code, over a memory image of a thread of a VM: native, interpreted, compiled and
 * deoptimized frames, upcalls, a virtual thread's frames in the heap, a signal handler's stack. Then over the
 * same with words of it corrupted: it ends, after a bounded number of reads, in bounds (the sanitized build).
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
#define FIRST_SAVED_REG 3
#define LAST_SAVED_REG  15
#define IS_SAVED_REG(r) ((r) == 3 || (r) >= 12)
struct bpf_user_pt_regs_t {
	u64 unused;
};
struct pt_regs {
	u64 reg[17]; /* by DWARF number */
};
static u32 tid_inside;
#define TRAMPOLINE_ALIGN 4096
static u64 probed_at, probed_pc; /* a return that is probed: its CFA, the true address */

static u64 probed_return(u64 cfa)
{
	return cfa == probed_at ? probed_pc : 0;
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
	return tid_inside;
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

/* --- the target's memory -------------------------------------------------------------------------- */

#define REGION_BYTES 65536
enum region_id { THREAD, STACK, OTHER_STACK, CODE, SEGMAP, HEAP, NR_REGIONS };
#define BASE(id) (0x7f0000000000ULL + ((u64)(id) << 20))
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

static void poke32(u64 addr, u32 value)
{
	memcpy(memory[(addr - BASE(0)) >> 20] + (addr & ((1 << 20) - 1)), &value, 4);
}

/* --- the VM --------------------------------------------------------------------------------------- */

#define SLOT          5
#define ENV           (BASE(THREAD) + 0x100)
#define OS_THREAD     (BASE(THREAD) + 0x800)
#define TABLE         0x7fdeadbe000ULL
#define TOP           (BASE(STACK) + REGION_BYTES)
#define NATIVE_CODE   0x600000000000ULL
#define NATIVE_BYTES  64 /* of each native frame, by its unwind table */
#define SEGMENT_SHIFT 7
#define BLOCK_BYTES   16
#define INTERPRETER   (BASE(CODE) + 0x100)
#define CALL_STUB     (BASE(CODE) + 0x8000 + 0x300)
#define BARRIER       (BASE(CODE) + 0x9000 + 0x80)
#define BLOB(n)       (BASE(CODE) + 0x1000 + (u64)(n)*0x1000 + BLOCK_BYTES)
#define METHOD(n)     (0x7f1234560000ULL + (u64)(n)*64)

/* fields of CodeBlob */
enum { AT_SIZE = 8, AT_FRAME = 12, AT_COMPILE_ID = 16, AT_ORIG_PC = 20, AT_DEOPT = 24, AT_NAME = 32 };
/* of HeapBlock::Header */
enum { AT_USED = 8 };
#define UNLOADS (BASE(HEAP) + 0x8000) /* the VM's counter */
#define STUB    6                     /* the blob by which native code calls Java without JNI */
#define NAME    (BASE(HEAP) + 0x9000) /* its name */

static struct java_config config;
static struct scratch place;
static struct unwind_space spaces[JT_MAX_TARGETS];
static struct unwind_range ranges[4];
static struct unwind_cached cached[JT_UNWIND_CACHE];
static struct java_code codes[JAVA_CODES];
static struct host_map table, *tables[2];
static u64 table_words[3];

static void make_blob(int n, u32 frame_words)
{
	u64 blob = BLOB(n), first = (blob - BLOCK_BYTES - BASE(CODE)) >> SEGMENT_SHIFT;

	poke32(blob + AT_SIZE, 0x1000 - BLOCK_BYTES);
	poke32(blob + AT_FRAME, frame_words);
	poke32(blob + AT_COMPILE_ID, 100 + (u32)n);
	poke32(blob + AT_ORIG_PC, 16);
	poke(blob + AT_DEOPT, blob + 0xf00);
	poke32(blob - BLOCK_BYTES + AT_USED, 1);
	for (u32 i = 0; i < 0x1000 >> SEGMENT_SHIFT; i++)
		memory[SEGMAP][first + i] = (uint8_t)i;
}

static void make_vm(void)
{
	memset(memory, 0, sizeof(memory));
	memset(memory[SEGMAP], 0xff, REGION_BYTES);
	memset(codes, 0, sizeof(codes));
	memset(cached, 0, sizeof(cached));
	config = (struct java_config){
	    .generation = 7,
	    .env_table = {TABLE, TABLE + 8},
	    .on = 1,
	    .cache = 1,
	    .nr_heaps = 1,
	    .segment_shift = SEGMENT_SHIFT,
	    .oops = OOPS_WIDE,
	    .bcp_words = 8,
	    .thread_from = -64,
	    .thread_bytes = 128,
	    .env_word = 8,
	    .anchor_word = 9,
	    .stack_base_word = 0,
	    .stack_size_word = 1,
	    .env_in_thread = 0x100,
	    .cont_entry_from_env = 0x40,
	    .wrapper_words = -3,
	    .wrapper_anchor = 8,
	    .heap_block_bytes = BLOCK_BYTES,
	    .block_used = AT_USED,
	    .blob_size = AT_SIZE,
	    .blob_name = AT_NAME,
	    .frame_size = AT_FRAME,
	    .compile_id = AT_COMPILE_ID,
	    .deopt = AT_DEOPT,
	    .orig_pc = AT_ORIG_PC,
	    .chunk_sp = 8,
	    .chunk_pc = 16,
	    .chunk_bottom = 24,
	    .chunk_parent = 32,
	    .chunk_stack = 64,
	    .cont_tail = 8,
	    .entry_cont = 16,
	    .os_thread_from_env = 0x80,
	    .os_thread_id = 24,
	    .interpreter_start = INTERPRETER,
	    .interpreter_end = INTERPRETER + 0x800,
	    .call_stub_return = CALL_STUB,
	    .return_barrier = BARRIER,
	    .heap = {{BASE(CODE), BASE(CODE) + REGION_BYTES, BASE(SEGMAP)}},
	};
	poke(ENV - 64, TOP);
	poke(ENV - 56, REGION_BYTES);
	poke(ENV, TABLE);
	poke(ENV + 0x80, OS_THREAD);
	poke32(OS_THREAD + 24, 4711);
	tid_inside = 4711;
	for (int n = 0; n < STUB; n++)
		make_blob(n, 6 + 2 * (u32)n);
	make_blob(STUB, 0);
	poke(BLOB(STUB) + AT_NAME, NAME);
	memcpy(memory[HEAP] + 0x9000, "upcall_stub", 12);
	spaces[SLOT] = (struct unwind_space){.layout = UNWIND_LAYOUT(0, 1, 1)};
	ranges[0] = (struct unwind_range){
	    .start = NATIVE_CODE, .end = NATIVE_CODE + (1 << 20), .base = NATIVE_CODE, .table = 1};
}

static int set_up(void **state)
{
	struct unwind_rule rule = {.cfa_offset = NATIVE_BYTES, .ra_words = 1, .kind = UNWIND_SP};
	struct unwind_row row = {.pc = 0, .rule = 0};
	struct unwind_head head = {.nr_rules = 1, .nr_rows = 1};

	(void)state;
	memcpy(&table_words[0], &head, 8);
	memcpy(&table_words[1], &rule, 8);
	memcpy(&table_words[2], &row, 8);
	table = (struct host_map){.map = &table, .values = table_words, .n = 3, .value_bytes = 8};
	tables[1] = &table;
	host_map_add(&unwind_spaces, spaces, JT_MAX_TARGETS, sizeof(spaces[0]));
	host_map_add(&unwind_ranges, ranges, ARRAY_LEN(ranges), sizeof(ranges[0]));
	host_map_add(&unwind_cache, cached, JT_UNWIND_CACHE, sizeof(cached[0]));
	host_map_of_maps_add(&unwind_tables, tables, ARRAY_LEN(tables));
	host_map_add(&java_codes, codes, JAVA_CODES, sizeof(codes[0]));
	host_map_add(&thread_envs, NULL, 0, 8);
	return 0;
}

/* --- a stack, built from its outermost frame to the innermost ------------------------------------- */

struct builder {
	u64 sp;     /* of the frame made last */
	u64 pc, fp; /* where it is, as the next frame will find it */
	struct raw_frame want[JT_MAX_FRAMES];
	u32 n; /* outermost first */
	struct {
		u64 sp, pc, fp;
	} anchor;
};

static void expect(struct builder *b, enum frame_kind kind, u64 a, u64 second)
{
	b->want[b->n++] = (struct raw_frame){a | (u64)kind << RAW_KIND_SHIFT, second};
}

/* A frame of a native function: NATIVE_BYTES, the return address on top. */
static void native(struct builder *b, u64 pc)
{
	poke(b->sp - 8, b->pc);
	b->sp -= NATIVE_BYTES;
	b->pc = pc;
	expect(b, RAW_NATIVE, pc, 0);
}

static void compiled(struct builder *b, int blob, u32 offset, bool deoptimized)
{
	u64 bytes = 8 * (6 + 2 * (u64)blob), pc = BLOB(blob) + offset;

	poke(b->sp - 8, b->pc);
	poke(b->sp - 16, b->fp);
	b->sp -= bytes;
	if (deoptimized)
		poke(b->sp + 16, pc);
	b->pc = deoptimized ? BLOB(blob) + 0xf00 : pc;
	expect(b, deoptimized ? RAW_DEOPTIMIZED : RAW_COMPILED, BLOB(blob), (100ULL + blob) << 32 | offset);
}

static void interpreted(struct builder *b, int method, u64 bcp)
{
	u64 fp = b->sp - 16;

	poke(fp + 8, b->pc);
	poke(fp, b->fp);
	poke(fp - 8, b->sp); /* sender sp */
	poke(fp - 24, METHOD(method));
	poke(fp - 64, bcp);
	b->fp = fp;
	b->sp = fp - 96;
	b->pc = INTERPRETER + 0x40;
	expect(b, RAW_INTERPRETED, METHOD(method), bcp);
}

/* Java calls native code: the anchor names its last frame. */
static void leave_java(struct builder *b)
{
	b->anchor.sp = b->sp;
	b->anchor.pc = b->pc;
	b->anchor.fp = b->fp;
}

/* Native code calls Java by the call stub, whose wrapper keeps the anchor. */
static void enter_java(struct builder *b)
{
	u64 fp = b->sp - 16, wrapper = b->sp + 8; /* in the frame that called */

	poke(wrapper + 8, b->anchor.sp);
	poke(wrapper + 16, b->anchor.pc);
	poke(wrapper + 24, b->anchor.fp);
	poke(fp + 8, b->pc);
	poke(fp, b->fp);
	poke(fp - 24, wrapper);
	b->fp = fp;
	b->sp = fp - 48;
	b->pc = CALL_STUB;
}

/* The same by a stub, whose frame fp tells. */
static void enter_java_without_jni(struct builder *b)
{
	poke(b->sp - 8, b->pc);
	poke(b->sp - 16, b->fp);
	b->fp = b->sp - 16;
	b->sp -= 96;
	b->pc = BLOB(STUB) + 0x66;
}

static void set_anchor(const struct builder *b)
{
	poke(ENV + 8, b->anchor.sp);
	poke(ENV + 16, b->anchor.pc);
	poke(ENV + 24, b->anchor.fp);
}

static const struct rule at_entry = {
    .target_id = SLOT,
    .caller_pc = {.kind = LOC_MEM, .reg = 7, .offset_bytes = 0},
    .caller_fp = {.kind = LOC_REG, .reg = 6},
    .caller_cfa = {.kind = LOC_REG, .reg = 7, .offset_bytes = 8},
    .env = {.kind = LOC_REG, .reg = 5},
};

/* A JNI function is called from the frame made last. false: not even its caller could be read. */
static bool walk(struct builder *b, struct rule rule)
{
	struct pt_regs ctx = {0};

	poke(b->sp - 8, b->pc);
	ctx.reg[7] = b->sp - 8;
	ctx.reg[6] = b->fp;
	ctx.reg[5] = ENV;
	memset(&place, 0xaa, sizeof(place));
	place.target_id = SLOT;
	reads = 0;
	stack_begin(&place, &ctx, &rule);
	return !stack_start(&place, &ctx, &rule, &config) && stack_walk(&place, &config);
}

static void assert_walk(struct builder *b)
{
	assert_true(walk(b, at_entry));
	for (u32 i = 0; i < place.stack.n && i < b->n; i++) {
		assert_int_equal(place.stack.frame[i].a, b->want[b->n - 1 - i].a);
		assert_int_equal(place.stack.frame[i].b, b->want[b->n - 1 - i].b);
	}
	assert_int_equal(place.stack.n, b->n);
}

/* Thread start, Java, native code that calls Java again, native code at the end. */
static void build(struct builder *b)
{
	*b = (struct builder){.sp = TOP - 128};
	native(b, NATIVE_CODE + 0x10);
	native(b, NATIVE_CODE + 0x20);
	enter_java(b);
	interpreted(b, 1, 0x7f5500001000);
	interpreted(b, 2, 0x7f5500002000);
	compiled(b, 1, 0x222, false);
	native(b, NATIVE_CODE + 0x25);
	enter_java_without_jni(b);
	compiled(b, 1, 0x223, false);
	leave_java(b);
	native(b, NATIVE_CODE + 0x30);
	native(b, NATIVE_CODE + 0x40);
	enter_java(b);
	compiled(b, 3, 0x333, false);
	compiled(b, 4, 0x344, true);
	interpreted(b, 3, 0);
	compiled(b, 2, 0x155, false);
	leave_java(b);
	native(b, NATIVE_CODE + 0x50);
	native(b, NATIVE_CODE + 0x60);
	set_anchor(b);
}

static bool needs_anchor(void)
{
	return place.w.notes.uses & (1U << USES_ANCHOR | 1U << USES_ANCHOR_FP);
}

static void test_frames_of_every_kind(void **state)
{
	struct builder b;

	(void)state;
	make_vm();
	build(&b);
	assert_walk(&b);
	assert_int_equal(place.stack.end, END_BOTTOM);
	assert_false(needs_anchor());
	assert_walk(&b); /* by what is remembered of code */
	config.cache = 0;
	assert_walk(&b);
}

/* A Java method, compiled, that called native code. */
static void build_compiled(struct builder *b)
{
	make_vm();
	config.cache = 0;
	*b = (struct builder){.sp = TOP - 128};
	native(b, NATIVE_CODE + 0x10);
	enter_java(b);
	compiled(b, 2, 0x955, false);
	leave_java(b);
	native(b, NATIVE_CODE + 0x50);
	set_anchor(b);
	assert_walk(b);
	b->n = 1;
}

static void set_segments(u64 block, u64 bytes)
{
	for (u64 i = 0; i < bytes >> SEGMENT_SHIFT; i++)
		memory[SEGMAP][((block - BASE(CODE)) >> SEGMENT_SHIFT) + i] = i < 254 ? i : 254;
}

/* Where nothing tells when code is freed, what is remembered of an address is held against the code heap. */
static void test_code_freed_unseen(void **state)
{
	u64 block = BLOB(2) - BLOCK_BYTES, pc = BLOB(2) + 0x955, tail = block + 0x800,
	    head = BLOB(1) - BLOCK_BYTES;
	unsigned int first;
	struct builder b;

	(void)state;
	build_compiled(&b);
	first = reads;
	b.n = 3;
	assert_walk(&b);
	assert_true(reads < first); /* it is believed, and cheaper */

	build_compiled(&b); /* another nmethod in the same place */
	poke32(BLOB(2) + AT_COMPILE_ID, 555);
	expect(&b, RAW_COMPILED, BLOB(2), 555ULL << 32 | 0x955);
	expect(&b, RAW_NATIVE, NATIVE_CODE + 0x50, 0);
	assert_walk(&b);

	build_compiled(
	    &b); /* freed, and another cut off its end: all of the old one's words are still there */
	poke32(block + AT_USED, 0);
	set_segments(block, tail - block);
	set_segments(tail, BLOB(3) - BLOCK_BYTES - tail);
	poke32(tail + AT_USED, 1);
	poke32(tail + BLOCK_BYTES + AT_FRAME, 10);
	poke32(tail + BLOCK_BYTES + AT_COMPILE_ID, 556);
	expect(&b, RAW_COMPILED, tail + BLOCK_BYTES, 556ULL << 32 | (pc - tail - BLOCK_BYTES));
	expect(&b, RAW_NATIVE, NATIVE_CODE + 0x50, 0);
	assert_walk(&b);

	build_compiled(&b); /* joined with the one before, and a larger one in both */
	set_segments(head, 0x2000);
	poke32(BLOB(1) + AT_FRAME, 10);
	poke32(BLOB(1) + AT_COMPILE_ID, 557);
	expect(&b, RAW_COMPILED, BLOB(1), 557ULL << 32 | (pc - BLOB(1)));
	expect(&b, RAW_NATIVE, NATIVE_CODE + 0x50, 0);
	assert_walk(&b);
}

/* The frames as they are when so many classes have been unloaded. */
static void set_unloads(struct builder *b, u64 n)
{
	poke(UNLOADS, n);
	for (u32 i = 0; i < b->n; i++)
		if (b->want[i].a >> RAW_KIND_SHIFT == RAW_INTERPRETED)
			b->want[i].b = (b->want[i].b & RAW_BCP_MASK) | n << RAW_UNLOADS_SHIFT;
}

/* The VM counts for itself how many classes it has unloaded: the same frames are another site then. */
static void test_classes_unloaded_unseen(void **state)
{
	struct builder b;
	u64 hash;

	(void)state;
	make_vm();
	config.unloads_at = UNLOADS;
	build(&b);
	set_unloads(&b, 41);
	assert_walk(&b);
	hash = place.hash;
	assert_int_equal(place.unloads, 41);
	assert_walk(&b);
	assert_int_equal(place.hash, hash);
	set_unloads(&b, 0x10042); /* frames have the lowest bits */
	assert_walk(&b);
	assert_int_not_equal(place.hash, hash);
	assert_int_equal(place.unloads, 0x10042);
	config.unloads_at =
	    BASE(NR_REGIONS); /* not to be read: then no Java frame can be told from another */
	assert_true(walk(&b, at_entry));
	assert_int_equal(place.stack.end, END_UNREAD);
	for (u32 i = 0; i < place.stack.n; i++)
		assert_int_equal(place.stack.frame[i].a >> RAW_KIND_SHIFT, RAW_NATIVE);
}

/* The interpreter calls the VM from a subroutine, and aligns the stack: no frame of it is missing. */
static void test_call_from_the_interpreter(void **state)
{
	(void)state;
	for (u64 extra = 0; extra <= 128; extra += 64) {
		struct builder b = {.sp = TOP - 128};

		make_vm();
		native(&b, NATIVE_CODE + 0x10);
		enter_java(&b);
		interpreted(&b, 1, 0x7f5500001000);
		leave_java(&b);
		b.sp -= extra;
		b.pc = INTERPRETER + 0x400;
		if (extra > 64) { /* too far away: a frame that nobody knows, and says so */
			expect(&b, RAW_GAP, END_NOT_CODE, 0);
			expect(&b, RAW_NATIVE, b.pc, 0);
		}
		native(&b, NATIVE_CODE + 0x20);
		set_anchor(&b);
		assert_walk(&b);
		/* how far it was aligned nothing on the stack tells */
		assert_int_equal(needs_anchor(), extra > 0);
	}
}

/* The anchor follows from return addresses only as far as they lead to it. */
static void test_when_the_stack_tells_the_anchor(void **state)
{
	struct builder b = {.sp = TOP - 128};

	(void)state;
	make_vm();
	native(&b, NATIVE_CODE + 0x10);
	enter_java(&b);
	interpreted(&b, 1, 0x7f5500001000);
	leave_java(&b);
	native(&b, NATIVE_CODE + 0x20);
	set_anchor(&b);
	assert_walk(&b);
	assert_false(needs_anchor());
	poke(ENV + 24, b.anchor.fp + 8); /* another fp than the one that native code kept */
	assert_true(walk(&b, at_entry));
	assert_true(needs_anchor());
	set_anchor(&b);
	poke(ENV + 8, b.anchor.sp + 8); /* it does not end there */
	assert_true(walk(&b, at_entry));
	assert_true(needs_anchor());
	poke(ENV + 8, 0); /* no Java at all */
	assert_true(walk(&b, at_entry));
	assert_true(needs_anchor());
}

/* Native code that Java called without JNI, and that called Java likewise. */
static void test_calls_without_jni(void **state)
{
	struct builder b = {.sp = TOP - 128};
	u64 stub_fp;

	(void)state;
	make_vm();
	native(&b, NATIVE_CODE + 0x10);
	enter_java(&b);
	interpreted(&b, 1, 0x7f5500001000);
	native(&b, NATIVE_CODE + 0x20);
	enter_java_without_jni(&b);
	compiled(&b, 2, 0x222, false);
	native(&b, NATIVE_CODE + 0x30);
	enter_java_without_jni(&b);
	stub_fp = b.fp;
	interpreted(&b, 2, 0x7f5500002000);
	compiled(&b, 3, 0x333, false);
	leave_java(&b);
	native(&b, NATIVE_CODE + 0x40);
	set_anchor(&b);
	assert_walk(&b);
	assert_int_equal(place.stack.end, END_BOTTOM);
	assert_false(needs_anchor() || place.w.notes.lost);
	poke(ENV + 8, 0); /* the last call set no anchor, either */
	assert_walk(&b);
	assert_true(needs_anchor() && !place.w.notes.lost);
	set_anchor(&b);
	poke(stub_fp + 8, BASE(HEAP)); /* the stub was not called by code */
	assert_true(walk(&b, at_entry));
	assert_int_equal(place.stack.end, END_NOT_JAVA);
	assert_int_equal(place.stack.n, 3);
	poke(stub_fp + 8, NATIVE_CODE + 0x30);
	memcpy(memory[HEAP] + 0x9000, "upcall_stab", 12); /* another blob without a frame of its own */
	memset(codes, 0, sizeof(codes));
	assert_true(walk(&b, at_entry));
	assert_int_equal(place.stack.end, END_NOT_JAVA);
	assert_int_equal(place.stack.n, 3);
}

static void test_thread_that_is_not_known(void **state)
{
	struct rule r = at_entry;
	struct builder b;

	(void)state;
	make_vm();
	build(&b);
	poke(ENV, TABLE + 16); /* not a JNI function table */
	assert_true(walk(&b, r));
	assert_int_equal(place.stack.end, END_NO_ENV);
	assert_true(place.stack.n >= 2 && place.stack.n < b.n);
	poke(ENV, TABLE);
	b.anchor.sp = b.sp - 64; /* an anchor below the frame in hand */
	set_anchor(&b);
	assert_true(walk(&b, r));
	assert_true(place.no_java == END_ANCHOR && place.stack.n < b.n);
}

/* A handler's stack lies anywhere; its thread is known by its id. */
static void test_signal_stack(void **state)
{
	struct builder b, h;
	u64 interrupted;

	(void)state;
	make_vm();
	build(&b);
	interrupted = NATIVE_CODE + 0x60;
	h = b;
	/* the kernel's frame: gregs[REG_RBP], gregs[REG_RSP], gregs[REG_RIP] of the ucontext at sp */
	h.sp = BASE(OTHER_STACK) + 0x4000;
	poke(h.sp + 120, b.fp);
	poke(h.sp + 160, b.sp);
	poke(h.sp + 168, interrupted);
	for (int i = 0; i < 2; i++) {
		struct unwind_rule restore = {.kind = UNWIND_SIGNAL};
		u64 pc = NATIVE_CODE + 0x9000, word,
		    id = mix(pc - 1 + spaces[SLOT].layout * 0x9e3779b97f4a7c15ULL);
		struct unwind_cached *c = &cached[id & (JT_UNWIND_CACHE - 1)];

		memcpy(&word, &restore, 8);
		*c = (struct unwind_cached){.rule = word, .check = id ^ word * 0xff51afd7ed558ccdULL};
		h.n = b.n;
		h.want[h.n - 1].b = 1; /* the interrupted instruction itself */
		h.sp = BASE(OTHER_STACK) + 0x4000;
		h.pc = pc;
		expect(&h, RAW_NATIVE, pc, 0);
		native(&h, NATIVE_CODE + 0x70);
		tid_inside = i ? 4712 : 4711;
		if (i) {
			assert_true(walk(&h, at_entry));
			assert_int_equal(place.no_java, END_NO_ENV);
		} else {
			assert_walk(&h);
			assert_int_equal(place.stack.end, END_BOTTOM);
			assert_true(place.w.notes.lost); /* not for the memo */
		}
	}
}

/* Below the return barrier a virtual thread's frames are in the heap. */
static void test_virtual_thread(void **state)
{
	const u64 chunk = BASE(HEAP) + 0x100, cont = BASE(HEAP) + 0x4000, entry = TOP - 0x800;
	struct builder b = {.sp = TOP - 0x400, .pc = BARRIER}, in = {0};

	(void)state;
	make_vm();
	/* two compiled frames in the chunk; the outer one's caller is enterSpecial, which is not in it */
	in.sp = chunk + 64 + 8 * 64;
	in.pc = 0;
	compiled(&in, 1, 0x111, false);
	compiled(&in, 2, 0x222, false);
	poke32(chunk + 8, (u32)((in.sp - chunk - 64) / 8));
	poke32(chunk + 24, 64);
	poke(chunk + 16, in.pc);
	poke(in.sp - 8, in.pc);
	poke(cont + 8, chunk);
	poke(entry + 16, cont);
	poke(ENV + 0x40, entry);
	memcpy(b.want, in.want, sizeof(in.want));
	b.n = in.n;
	compiled(&b, 4, 0x44, false);
	leave_java(&b);
	native(&b, NATIVE_CODE + 0x10);
	set_anchor(&b);
	assert_walk(&b);
	assert_int_equal(place.stack.end, END_VIRTUAL);
	poke(chunk + 16, in.pc + 1); /* moved meanwhile */
	assert_true(walk(&b, at_entry));
	assert_int_equal(place.stack.end, END_CHUNK);
}

static void test_libraries_just_closed(void **state)
{
	struct builder b;

	(void)state;
	make_vm();
	build(&b);
	spaces[SLOT].layout = UNWIND_CLOSED(3);
	assert_true(walk(&b, at_entry));
	assert_int_equal(place.stack.frame[0].a, (u64)RAW_GAP << RAW_KIND_SHIFT | END_CLOSING);
	assert_int_equal(place.stack.frame[1].a >> RAW_KIND_SHIFT, RAW_COMPILED);
	for (u32 i = 0; i < place.stack.n; i++)
		assert_int_not_equal(place.stack.frame[i].a >> RAW_KIND_SHIFT, RAW_NATIVE);
	assert_int_equal(place.stack.end, END_CLOSING);
}

/* --- corrupted ------------------------------------------------------------------------------------ */

/* The largest number of reads a walk may take: some for each frame, more where code is looked up. */
#define MOST_READS (JT_MAX_FRAMES * 2 * (MAX_SEGMENT_HOPS + 16))

static u64 a_word(u64 random, const struct builder *b)
{
	switch (random >> 60 & 7) {
	case 0:
		return random;
	case 1:
		return b->sp + (random & 0xfff8);
	case 2:
		return BLOB(random & 7) + (random >> 8 & 0xfff);
	case 3:
		return CALL_STUB;
	case 4:
		return BARRIER;
	case 5:
		return INTERPRETER + (random & 0xff);
	case 6:
		return NATIVE_CODE + (random & 0xfffff);
	default:
		return BASE(random & 7) + (random >> 8 & 0xffff);
	}
}

static void test_corrupted(void **state)
{
	static uint8_t good[NR_REGIONS][REGION_BYTES];
	size_t ends[NR_ENDS] = {0}, complete = 0;
	struct java_config was;
	struct builder b;
	u64 seed = 11;

	(void)state;
	make_vm();
	build(&b);
	memcpy(good, memory, sizeof(good));
	was = config;
	for (int round = 0; round < 60000; round++) {
		struct rule r = at_entry;
		struct builder now = b;
		int words = 1 + round % 6;

		memcpy(memory[STACK] + REGION_BYTES - 4096, good[STACK] + REGION_BYTES - 4096, 4096);
		memcpy(memory[THREAD], good[THREAD], 4096);
		if (round % 64 == 0)
			memcpy(memory, good, sizeof(good));
		config = was;
		config.cache = round & 1;
		config.generation = 8 + (u64)round;
		for (int i = 0; i < words; i++) {
			u64 random = seed = mix64(seed + 1), value = a_word(mix64(random), &b);

			if (random % 16 < 12)
				poke(b.sp + (random >> 8) % (TOP - b.sp - 8), value);
			else if (random % 16 < 14)
				poke(ENV - 64 + 8 * (random >> 8 & 15), value);
			else if (random % 16 < 15)
				poke(BASE(CODE) + (random >> 8) % (REGION_BYTES - 8), value);
			else
				poke(BASE(SEGMAP) + (random >> 8) % (REGION_BYTES - 8), value);
		}
		if (round % 16 == 0)
			r.env = (struct loc){.kind = LOC_SEARCH};
		if (!walk(&now, r))
			continue;
		assert_in_range(place.stack.n, 0, JT_MAX_FRAMES);
		assert_true(place.stack.end < NR_ENDS && place.stack.end != END_NONE);
		assert_true(reads <= MOST_READS);
		for (u32 i = 0; i < place.stack.n; i++)
			assert_in_range(place.stack.frame[i].a >> RAW_KIND_SHIFT, RAW_NATIVE, RAW_GAP);
		ends[place.stack.end]++;
		complete += place.stack.n == b.n && place.stack.end == END_BOTTOM;
	}
	for (int i = 0; i < NR_ENDS; i++)
		if (ends[i])
			print_message("%zu end with reason %d\n", ends[i], i);
	assert_true(complete && ends[END_NOT_JAVA] && ends[END_ANCHOR] && ends[END_BOTTOM]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_frames_of_every_kind),
	    cmocka_unit_test(test_code_freed_unseen),
	    cmocka_unit_test(test_classes_unloaded_unseen),
	    cmocka_unit_test(test_call_from_the_interpreter),
	    cmocka_unit_test(test_when_the_stack_tells_the_anchor),
	    cmocka_unit_test(test_calls_without_jni),
	    cmocka_unit_test(test_thread_that_is_not_known),
	    cmocka_unit_test(test_signal_stack),
	    cmocka_unit_test(test_virtual_thread),
	    cmocka_unit_test(test_libraries_just_closed),
	    cmocka_unit_test(test_corrupted),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
