/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The BPF walker's native step, run as user code over this process's own stack: it finds what the C
 * library's unwinder finds; over a corrupted copy it ends, in bounds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <elf.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

#include "base/util.h"
#include "bpf/bpf_host.h"
#include "modules/code.h"
#include "unwind/unwind_table.h"
#include "walk/unwind.bpf.h"

#define MAX_FRAMES  128
#define IMAGE_BYTES (256 << 10)
#define MAX_MODULES 64

/* The part of a stack that was copied, and whether only that can be read. */
static struct {
	uint64_t base, bytes;
	uint8_t copy[IMAGE_BYTES];
	bool use;
	unsigned int reads;
} image;

static int host_read_user(void *dst, uint32_t n, uint64_t addr)
{
	image.reads++;
	if (!image.use)
		return proc_read(getpid(), addr, dst, n);
	if (addr < image.base || addr - image.base > image.bytes || n > image.bytes - (addr - image.base))
		return -1;
	memcpy(dst, image.copy + (addr - image.base), n);
	return 0;
}

/* --- this process as a target --------------------------------------------------------------------- */

#define SLOT 3
static struct unwind_space spaces[JT_MAX_TARGETS];
static struct unwind_range ranges[JT_UNWIND_RANGES];
static struct unwind_cached cache[JT_UNWIND_CACHE];
static struct host_map tables[MAX_MODULES], *table_at[MAX_MODULES];
static uint32_t nr_ranges;

static void add_range(const struct code *code, const struct placement *p)
{
	struct unwind_table t;
	struct unwind_range *r = &ranges[nr_ranges];
	uint64_t *words;

	assert_true(nr_ranges + 1 < MAX_MODULES);
	*r = (struct unwind_range){
	    .start = p->start, .end = p->end, .table = UNWIND_TABLE_EMPTY, .code = placement_code(p)};
	nr_ranges++;
	assert_int_equal(code_use(code, p), 0);
	if (!unwind_table_build(p->module->image, &t)) {
		assert_true(
		    unwind_table_place(p->module->image, t.base, p->start, p->end, p->offset, &r->base));
		words = malloc(8 * unwind_table_words(&t));
		unwind_table_write(&t, words);
		tables[nr_ranges] = (struct host_map){.map = &tables[nr_ranges],
						      .values = words,
						      .n = (uint32_t)unwind_table_words(&t),
						      .value_bytes = 8};
		table_at[nr_ranges] = &tables[nr_ranges];
		r->table = nr_ranges;
		unwind_table_free(&t);
	}
	module_rest(p->module);
}

/* This process's code, and the vdso. */
static void add_ranges(void)
{
	struct proc_maps maps = {0};
	struct elf_cache *images;
	struct layout *layout;
	struct modules *book;
	struct proc_id id;
	struct code *code;

	assert_int_equal(proc_maps_read(getpid(), &maps), 0);
	assert_int_equal(proc_id_read(getpid(), &id), 0);
	assert_int_equal(elf_cache_new(NULL, &images), 0);
	assert_int_equal(modules_new(images, &book), 0);
	assert_int_equal(code_new(book, &id, NULL, &code), 0);
	assert_int_equal(code_read(code, &maps, false, &layout), 0);
	for (size_t i = 0; i < layout->n; i++)
		add_range(code, &layout->v[i]);
	layout_put(layout);
	code_free(code);
	modules_free(book);
	elf_cache_free(images);
	proc_maps_free(&maps);
}

static int set_up(void **state)
{
	(void)state;
	add_ranges();
	spaces[SLOT].layout = UNWIND_LAYOUT(0, nr_ranges, 1);
	host_map_add(&unwind_spaces, spaces, JT_MAX_TARGETS, sizeof(spaces[0]));
	host_map_add(&unwind_ranges, ranges, JT_UNWIND_RANGES, sizeof(ranges[0]));
	host_map_add(&unwind_cache, cache, JT_UNWIND_CACHE, sizeof(cache[0]));
	host_map_of_maps_add(&unwind_tables, table_at, MAX_MODULES);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (size_t i = 0; i < MAX_MODULES; i++)
		free(tables[i].values);
	return 0;
}

/* --- walking -------------------------------------------------------------------------------------- */

struct stack_found {
	uint64_t pc[MAX_FRAMES];
	size_t n;
	enum stack_end end;
};

static void walk_on(struct walk w, struct stack_found *out)
{
	out->n = 0;
	out->end = END_DEPTH;
	while (out->n < MAX_FRAMES) {
		uint64_t pc = w.pc, sp = w.sp;
		enum stack_end end = native_step(&w, SLOT);

		/* each frame lies above the one it called, unless a signal came between */
		assert_true(end != END_NONE || w.exact || w.sp > sp);

		if (end != END_NOT_CODE)
			out->pc[out->n++] = pc;
		if (end != END_NONE) {
			out->end = end;
			break;
		}
	}
}

/* Where its caller is when it returns: {pc, fp, sp} as in struct walk. */
void walk_here(struct walk *w);
#if defined(__x86_64__)
__asm__(".text\n.globl walk_here\n.type walk_here,@function\nwalk_here:\n.cfi_startproc\n"
	"mov (%rsp),%rax\nmov %rax,(%rdi)\nmov %rbp,8(%rdi)\nlea 8(%rsp),%rax\nmov %rax,16(%rdi)\nret\n"
	".cfi_endproc\n.size walk_here,.-walk_here\n");
#else
__asm__(".text\n.globl walk_here\n.type walk_here,@function\nwalk_here:\n.cfi_startproc\n"
	"stp x30,x29,[x0]\nmov x1,sp\nstr x1,[x0,#16]\nret\n.cfi_endproc\n.size walk_here,.-walk_here\n");
#endif

static size_t compared;

/* What libgcc's unwinder says. Not backtrace(), which the address sanitizer puts a frame into. */
struct truth {
	uint64_t pc[MAX_FRAMES];
	size_t n;
};

static _Unwind_Reason_Code add_truth(struct _Unwind_Context *context, void *arg)
{
	struct truth *t = arg;

	if (t->n < MAX_FRAMES && _Unwind_GetIP(context))
		t->pc[t->n++] = _Unwind_GetIP(context);
	return _URC_NO_REASON;
}

static size_t compared;

/* Both unwinders from here. The stack below main() is the C library's, and ends at the bottom. */
static __attribute__((noinline)) void compare_here(void)
{
	struct walk w = {0};
	struct stack_found found;
	struct truth t = {0};

	walk_here(&w);
	_Unwind_Backtrace(add_truth, &t);
	walk_on(w, &found);
	assert_int_equal(found.end, END_BOTTOM);
	assert_int_equal(found.n, t.n);
	for (size_t i = 1; i < t.n; i++) /* in this function they are two different calls */
		if (found.pc[i] != t.pc[i])
			fail_msg("frame %zu: %#lx, not %#lx", i, found.pc[i], t.pc[i]);
	compared += found.n;
}

#define VOLATILE_ROOM(bytes)                                                                                 \
	volatile char room[bytes];                                                                           \
	room[0] = (char)(a + b)

static __attribute__((noinline)) ulong deep(int left, ulong a, ulong b, ulong c, void (*then)(void));

static __attribute__((noinline)) ulong small_frame(int left, ulong a, ulong b, void (*then)(void))
{
	VOLATILE_ROOM(8);
	return deep(left - 1, a, b, a * b, then) * a + room[0];
}

static __attribute__((noinline)) ulong large_frame(int left, ulong a, ulong b, void (*then)(void))
{
	VOLATILE_ROOM(5000);
	return deep(left - 1, b, a, a - b, then) * b - a + room[0];
}

static __attribute__((noinline)) ulong alloca_frame(int left, ulong a, ulong b, void (*then)(void))
{
	volatile char *room = __builtin_alloca((size_t)(left & 7) * 16 + 16);

	room[0] = (char)a;
	return deep(left - 1, a, b + 1, a - b, then) * b + room[0];
}

/* A path decided by the bits of a, so that every mix of frames comes. */
static __attribute__((noinline)) ulong deep(int left, ulong a, ulong b, ulong c, void (*then)(void))
{
	if (!left) {
		then();
		return a + b + c;
	}
	switch (a >> (left % 16) & 3) {
	case 0:
		return small_frame(left, a, b, then) + c;
	case 1:
		return large_frame(left, a, b, then) + c * 2;
	case 2:
		return alloca_frame(left, a, b, then) ^ c;
	default:
		return deep(left - 1, a, c, b, then) + a;
	}
}

static void test_own_stack(void **state)
{
	(void)state;
	image.use = false;
	for (int round = 0; round < 500; round++)
		deep(round % 20, mix64(round), round, 3, compare_here);
	print_message("%zu frames compared\n", compared);
}

static int by_callback(const void *a, const void *b)
{
	static int calls;

	if (calls++ % 3 == 0)
		deep(3, 0x1234, 5, 6, compare_here);
	return *(const int *)a - *(const int *)b;
}

static void test_through_libc(void **state)
{
	int v[] = {5, 4, 3, 2, 1};

	(void)state;
	qsort(v, 5, sizeof(v[0]), by_callback);
}

static void *in_thread(void *arg)
{
	deep(4, 0x1b1b, 5, 6, compare_here);
	return arg;
}

static void test_thread(void **state)
{
	pthread_t t;

	(void)state;
	assert_int_equal(pthread_create(&t, NULL, in_thread, NULL), 0);
	pthread_join(t, NULL);
}

#if defined(__x86_64__)
/*
 * A call that is the last instruction of its function, whose return address lies in the next one, where the
 * stack is said to be another; and an instruction that traps as the first of its function.
 */
void call_at_end(void (*then)(void));
void trap_at_start(void);
__asm__(".text\n.type call_at_end,@function\n.globl call_at_end\ncall_at_end:\n.cfi_startproc\n"
	"sub $24,%rsp\n.cfi_adjust_cfa_offset 24\ncall *%rdi\n.cfi_endproc\n.size call_at_end,.-call_at_end\n"
	".type behind,@function\nbehind:\n.cfi_startproc\nadd $24,%rsp\nret\n.cfi_endproc\n.size "
	"behind,.-behind\n"
	".type before,@function\nbefore:\n.cfi_startproc\n.cfi_adjust_cfa_offset 40\nnop\n.cfi_endproc\n"
	".size before,.-before\n.type trap_at_start,@function\n.globl trap_at_start\ntrap_at_start:\n"
	".cfi_startproc\nud2\nret\n.cfi_endproc\n.size trap_at_start,.-trap_at_start\n");

static void on_trap(int number, siginfo_t *info, void *context)
{
	(void)number, (void)info;
	deep(4, 0xaaaa, 5, 6, compare_here);
	((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] += 2; /* behind ud2 */
}

static void test_edges_of_functions(void **state)
{
	struct sigaction sa = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};

	(void)state;
	call_at_end(compare_here);
	sigaction(SIGILL, &sa, NULL);
	/* above the interrupted function are frames that need its frame pointer */
	deep(6, 0xaaaa, 5, 6, trap_at_start);
	signal(SIGILL, SIG_DFL);
}
#else
static void test_edges_of_functions(void **state)
{
	(void)state;
}
#endif

static void on_signal(int number)
{
	(void)number;
	deep(2, 0x1234, 5, 6, compare_here);
}

static void test_signal(void **state)
{
	struct sigaction sa = {.sa_handler = on_signal};
	stack_t other = {.ss_size = 1 << 18}, none = {.ss_flags = SS_DISABLE};

	(void)state;
	sigaction(SIGUSR1, &sa, NULL);
	raise(SIGUSR1);
	other.ss_sp = malloc(other.ss_size);
	sigaltstack(&other, NULL);
	sa.sa_flags = SA_ONSTACK;
	sigaction(SIGUSR1, &sa, NULL);
	raise(SIGUSR1);
	sigaltstack(&none, NULL);
	free(other.ss_sp);
}

static uint32_t code_found; /* by the last find() */

static uint64_t find(uint64_t pc)
{
	struct walk w = {.pc = pc, .exact = 1, .code = 7};
	uint64_t rule = unwind_find(&w, SLOT);

	code_found = w.code;
	return rule;
}

/* A remembered rule is not believed once the ranges are others. Only a file's code has a number. */
static void test_cache_generation(void **state)
{
	uint64_t pc = (uint64_t)(uintptr_t)__builtin_return_address(0) - 1, first;
	uint32_t n = nr_ranges, code;

	(void)state;
	first = find(pc);
	assert_true(rule_kind(first) > UNWIND_NO_CFI && rule_kind(first) < UNWIND_NO_TABLE);
	assert_true(unwind_is_code(SLOT, pc));
	assert_false(unwind_is_code(SLOT, (uint64_t)(uintptr_t)&pc));
	assert_false(unwind_is_code(SLOT + 1, pc));
	assert_false(unwind_is_code(JT_MAX_TARGETS, pc));
	assert_true(code_found);
	code = code_found;
	assert_true(find(pc) == first);
	assert_int_equal(code_found, code);
	for (uint32_t i = 0; i + 1 < n; i++)
		if (ranges[i].end != ranges[i + 1].start)
			assert_int_equal(rule_kind(find(ranges[i].end)), UNWIND_NOT_CODE);
	spaces[SLOT].layout = UNWIND_LAYOUT(0, 0, 2);
	assert_int_equal(rule_kind(find(pc)), UNWIND_NOT_CODE);
	assert_int_equal(code_found, 0);
	spaces[SLOT].added++; /* it may be code that the loader has not seen yet */
	assert_int_equal(rule_kind(find(pc)), UNWIND_NO_TABLE);
	spaces[SLOT].added_seen++;
	spaces[SLOT].layout = UNWIND_CLOSED(7);
	assert_int_equal(rule_kind(find(pc)), UNWIND_CLOSING);
	assert_false(unwind_is_code(SLOT, pc));
	spaces[SLOT].layout = UNWIND_LAYOUT(0, n, 3);
	for (uint32_t i = 0; i < n; i++) { /* the table goes: it is asked for */
		uint32_t table = ranges[i].table;

		if (pc < ranges[i].start || pc >= ranges[i].end)
			continue;
		ranges[i].table = UNWIND_TABLE_NONE;
		assert_int_equal(rule_kind(find(pc)), UNWIND_NO_TABLE);
		assert_int_equal(code_found, code);
		assert_int_equal(ranges[i].wanted, 1);
		ranges[i].table = table;
	}
	assert_true(find(pc) == first);
	spaces[SLOT].layout = UNWIND_LAYOUT(0, n, 4); /* another file lies there, with the same table */
	for (uint32_t i = 0; i < n; i++)
		ranges[i].code++;
	assert_true(find(pc) == first);
	assert_int_equal(code_found, code + 1);
	assert_true(find(pc) == first);
	assert_int_equal(code_found, code + 1);
}

/* --- corrupted stacks ----------------------------------------------------------------------------- */

static struct walk start;

static __attribute__((noinline)) void copy_here(void)
{
	uint64_t n = sizeof(image.copy);

	start = (struct walk){0};
	walk_here(&start);
	image.base = start.sp;
	while (proc_read(getpid(), image.base, image.copy, n))
		n -= 64;
	image.bytes = n;
}

/* A frame pointer that leads to the frame in hand again. */
static void check_no_progress(struct walk w)
{
	size_t tried = 0;

	for (int i = 0; i < MAX_FRAMES; i++) {
		uint64_t rule = find(w.pc - 1);

		if (rule_kind(rule) == UNWIND_FP) {
			struct walk same = w;

			same.fp = same.sp - rule_cfa_offset(rule);
			assert_int_equal(native_step(&same, SLOT), END_BAD_FRAME);
			tried++;
		}
		if (native_step(&w, SLOT) != END_NONE)
			break;
	}
	assert_true(tried);
}

/* Where in the stack is a return address, or a word near it? */
static size_t slot_at(const uint8_t *stack, const struct stack_found *good, uint64_t random)
{
	uint64_t pc = good->pc[1 + random % (good->n - 1)], word;
	size_t at = 0;

	do {
		memcpy(&word, stack + at, 8);
		at += 8;
	} while (word != pc && at + 8 < image.bytes);
	at -= 8 * (random >> 32 & 3);
	return at < image.bytes ? at : 0;
}

static void test_copied_stack(void **state)
{
	struct stack_found good, found;
	uint8_t *saved = malloc(IMAGE_BYTES);
	size_t ends[NR_ENDS] = {0};
	uint64_t seed = 7, whole;

	(void)state;
	deep(16, 0x1b2d, 5, 6, copy_here);
	image.use = true;
	walk_on(start, &good);
	assert_int_equal(good.end, END_BOTTOM);
	assert_true(good.n > 17);
	check_no_progress(start);
	whole = image.bytes;
	memcpy(saved, image.copy, whole);
	for (int round = 0; round < 20000; round++) {
		memcpy(image.copy, saved, image.bytes);
		for (int k = 0; k < 1 + round % 4; k++) {
			seed = mix64(seed + 1);
			/* a wild word, or one of the stack in another's place */
			memcpy(image.copy + slot_at(saved, &good, seed),
			       seed & (1ULL << 60) ? (void *)&seed
						   : saved + slot_at(saved, &good, mix64(seed)),
			       8);
		}
		image.bytes = round % 5 ? whole : seed % whole;
		image.reads = 0;
		walk_on(start, &found);
		image.bytes = whole;
		assert_true(found.n <= MAX_FRAMES && found.end < NR_ENDS && found.end != END_NONE);
		assert_true(image.reads <= 8 * MAX_FRAMES);
		ends[found.end]++;
	}
	for (int i = 0; i < NR_ENDS; i++)
		if (ends[i])
			print_message("%zu end with reason %d\n", ends[i], i);
	assert_true(ends[END_BOTTOM] && ends[END_NOT_CODE] && ends[END_BAD_FRAME] && ends[END_UNREAD]);
	image.use = false;
	free(saved);
}

/* At the very end of what can be read the window is short, and no word beyond it is believed. */
static void test_window_at_the_end(void **state)
{
	struct window win = {0};
	u64 word = 0;

	(void)state;
	image.use = true;
	image.base = 0x1000;
	image.bytes = 64;
	for (u64 i = 0; i < 8; i++)
		memcpy(image.copy + 8 * i, &i, 8);
	assert_int_equal(window_word(&win, 0x1000, &word), 0);
	assert_int_equal(win.bytes, 16);
	for (u64 i = 0; i < 7; i++) {
		assert_int_equal(window_word(&win, 0x1000 + 8 * i, &word), 0);
		assert_int_equal(word, i);
	}
	assert_int_equal(window_word(&win, 0x1000, &word), 0);
	assert_int_equal(word, 0);
	assert_int_equal(window_word(&win, 0x1040, &word), -1);
	assert_int_equal(window_word(&win, 0xff8, &word), -1);
	/* a window that was read at an odd address serves no even ones; nor does half a word */
	assert_int_equal(window_word(&win, 0x1004, &word), 0);
	assert_true(word == 1ULL << 32);
	assert_int_equal(window_word(&win, 0x1008, &word), 0);
	assert_int_equal(word, 1);
	win.bytes = 12;
	assert_int_equal(window_word(&win, 0x1010, &word), 0);
	assert_int_equal(word, 2);
	assert_int_equal(win.bytes, 16);
	image.use = false;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_own_stack),
	    cmocka_unit_test(test_through_libc),
	    cmocka_unit_test(test_thread),
	    cmocka_unit_test(test_signal),
	    cmocka_unit_test(test_edges_of_functions),
	    cmocka_unit_test(test_cache_generation),
	    cmocka_unit_test(test_copied_stack),
	    cmocka_unit_test(test_window_at_the_end),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
