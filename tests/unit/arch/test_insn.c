/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Instructions as found at function entries and USDT sites, and those that must never be probed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <elf.h>
#include <stdio.h>
#include <string.h>

#include "arch/insn.h"
#include "base/util.h"

struct row {
	const char *code; /* hex */
	const char *name;
	size_t size_bytes;
	enum insn_cost cost;
	bool skippable; /* and changes no register */
};

static size_t unhex(const char *hex, uint8_t *out)
{
	size_t n = 0;
	unsigned int byte;

	for (; sscanf(hex, "%2x", &byte) == 1; hex += 2)
		out[n++] = (uint8_t)byte;
	return n;
}

static void check_row(uint16_t machine, const struct row *r)
{
	uint8_t code[64];
	size_t n = unhex(r->code, code);
	struct insn in;

	insn_decode(machine, code, n, &in);
	if (strcmp(in.name, r->name) || in.size_bytes != r->size_bytes || in.cost != r->cost ||
	    (in.skippable && !in.writes) != r->skippable)
		fail_msg("%s: %s %zu %s %d, not %s %zu %s %d", r->code, in.name, in.size_bytes,
			 insn_cost_name(in.cost), in.skippable, r->name, r->size_bytes,
			 insn_cost_name(r->cost), r->skippable);
	/* what follows an instruction does not change it */
	memset(code + n, 0x90, sizeof(code) - n);
	if (machine == EM_X86_64 && r->size_bytes) {
		struct insn longer;

		insn_decode(machine, code, sizeof(code), &longer);
		assert_string_equal(longer.name, in.name);
		assert_int_equal(longer.size_bytes, in.size_bytes);
		assert_int_equal(longer.cost, in.cost);
	}
	/* one byte less is never taken for the whole */
	if (r->size_bytes) {
		insn_decode(machine, code, r->size_bytes - 1, &in);
		assert_true(in.size_bytes < r->size_bytes);
		if (in.size_bytes == 0)
			assert_int_equal(in.cost, INSN_UNSAFE);
	}
}

#define E INSN_EMULATED
#define S INSN_SINGLE_STEP
#define U INSN_UNSAFE

static const struct row x86_rows[] = {
    /* pushes */
    {"55", "push", 1, E, false},
    {"50", "push", 1, E, false},
    {"57", "push", 1, E, false},
    {"4154", "push", 2, E, false},
    {"4157", "push", 2, E, false},
    {"4855", "push", 2, S, false},
    {"6655", "push", 2, S, false},
    {"664155", "push", 3, S, false},
    {"68aabbccdd", "push", 5, S, false},
    {"6a01", "push", 2, S, false},
    {"5d", "pop", 1, S, false},
    /* nops */
    {"90", "nop", 1, E, true},
    {"6690", "nopN", 2, U, true}, /* refused before 6.2 */
    {"4890", "nopN", 2, S, true},
    {"f390", "pause", 2, S, false},
    {"4190", "xchg", 2, U, false}, /* xchg %r8,%rax, taken for a nop before 6.19 */
    {"0f1f00", "nopN", 3, S, true},
    {"0f1f4000", "nopN", 4, S, true},
    {"0f1f440000", "nop5", 5, U, true},
    {"660f1f4000", "nop5", 5, U, true},
    {"67660f1f00", "nop5", 5, U, true},
    {"6666666690", "nop5", 5, U, true},
    {"660f1f440000", "nopN", 6, S, true},
    {"0f1f8000000000", "nopN", 7, S, true},
    {"0f1f840000000000", "nopN", 8, S, true},
    {"660f1f840000000000", "nopN", 9, S, true},
    {"662e0f1f840000000000", "other", 0, U, false}, /* cs prefix */
    /* five bytes that are no-ops in disguise, and their neighbours that are not */
    {"488d742600", "lea", 5, U, false},
    {"488d7c2408", "lea", 5, S, false},
    {"488d6c2400", "lea", 5, S, false},
    {"66664889c0", "mov", 5, U, false},
    {"66664889c8", "mov", 5, S, false},
    {"e900000000", "jmp", 5, U, false},
    {"e900000001", "jmp", 5, E, false},
    {"eb00", "jmp", 2, E, false},
    /* branches */
    {"f30f1efa", "endbr64", 4, S, true},
    {"f30f1efb", "endbr32", 4, S, true},
    {"0f1efa", "other", 3, S, false},
    {"f3480f1ec8", "other", 5, S, false}, /* rdsspq */
    {"e8deadbeef", "call", 5, U, false},
    {"74fe", "jcc", 2, E, false},
    {"0f8401020304", "jcc", 6, E, false},
    {"6674fe", "jcc", 3, U, false},
    {"660f8401020304", "jcc", 7, U, false},
    {"66e901020304", "jmp", 6, U, false},
    {"c3", "ret", 1, S, false},
    {"f3c3", "ret", 2, S, false},
    {"c20800", "ret", 3, S, false},
    {"c9", "leave", 1, S, false},
    {"ffe0", "other", 2, S, false},
    {"ff1511223344", "other", 6, S, false},
    /* moves and arithmetic */
    {"4889e5", "mov", 3, S, false},
    {"488b7c2410", "mov", 5, S, false},
    {"488b0511223344", "mov", 7, S, false},
    {"b801000000", "mov", 5, S, false},
    {"66b80100", "mov", 4, S, false},
    {"48b80102030405060708", "mov", 10, S, false},
    {"c6450001", "mov", 4, S, false},
    {"66c745000100", "mov", 6, S, false},
    {"48c7450001000000", "mov", 8, S, false},
    {"4883ec18", "sub", 4, S, false},
    {"4881ec00010000", "sub", 7, S, false},
    {"4829c4", "sub", 3, S, false},
    {"2d01000000", "sub", 5, S, false},
    {"4883c418", "other", 4, S, false},
    {"488d0d00000000", "lea", 7, S, false},
    {"488d04cd00000000", "lea", 8, S, false},
    {"f6c701", "other", 3, S, true},
    {"f7c701000000", "other", 6, S, true},
    {"f7d8", "other", 2, S, false},
    {"4885ff", "other", 3, S, true},
    {"64488b042528000000", "mov", 9, S, false},
    {"0faf45f8", "other", 4, S, false},
    /* length not needed, accepted */
    {"0f38f0c1", "other", 0, S, false},
    /* refused */
    {"f0480fc101", "other", 0, U, false},
    {"2ec3", "other", 0, U, false},
    {"3effe0", "other", 0, U, false},
    {"26c3", "other", 0, U, false},
    {"36c3", "other", 0, U, false},
    {"cc", "other", 0, U, false},
    {"cd80", "other", 0, U, false},
    {"ce", "other", 0, U, false},
    {"f1", "other", 0, U, false},
    {"f4", "other", 0, U, false},
    {"fa", "other", 0, U, false},
    {"e410", "other", 0, U, false},
    {"ec", "other", 0, U, false},
    {"6c", "other", 0, U, false},
    {"ea", "other", 0, U, false},
    {"9a", "other", 0, U, false},
    {"60", "other", 0, U, false},
    {"06", "other", 0, U, false},
    {"62f1", "other", 0, U, false},
    {"c5f877", "other", 0, U, false}, /* vzeroupper, not decoded */
    {"d510", "other", 0, U, false},
    {"8ed0", "other", 2, U, false}, /* mov %eax,%ss */
    {"8ed8", "other", 2, S, false},
    {"0f05", "other", 0, U, false},
    {"0f0b", "other", 0, U, false},
    {"0f01d0", "other", 0, U, false},
    {"484855", "other", 0, U, false}, /* two REX */
    {"4866c3", "other", 0, U, false}, /* a prefix after REX */
};

static void test_x86(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(x86_rows); i++)
		check_row(EM_X86_64, &x86_rows[i]);
}

static const struct row arm64_rows[] = {
    {"1f2003d5", "nop", 4, S, true},     {"5f2403d5", "bti", 4, S, true}, /* bti c */
    {"df2403d5", "bti", 4, S, true},                                      /* bti jc */
    {"3f2303d5", "pac", 4, S, false},                                     /* paciasp */
    {"7f2303d5", "pac", 4, S, false},                                     /* pacibsp */
    {"bf2303d5", "other", 4, U, false},                                   /* autiasp */
    {"3f2003d5", "other", 4, U, false},                                   /* yield */
    {"5f2003d5", "other", 4, U, false},                                   /* wfe */
    {"01000014", "b", 4, E, false},      {"ffffff97", "bl", 4, E, false},
    {"40000054", "b.cond", 4, E, false}, {"400000b4", "cbz", 4, E, false},
    {"40000035", "cbz", 4, E, false},    {"40000036", "tbz", 4, E, false},
    {"400000b7", "tbz", 4, E, false},    {"00021fd6", "br", 4, E, false},
    {"00023fd6", "blr", 4, E, false},    {"c0035fd6", "ret", 4, E, false},
    {"ff0b5fd6", "other", 4, U, false}, /* retaa */
    {"00000010", "adr", 4, E, false},    {"000000b0", "adr", 4, E, false},
    {"40000058", "ldr", 4, U, false},                                      /* ldr x0, literal */
    {"40000098", "ldr", 4, U, false},                                      /* ldrsw x0, literal */
    {"4000001c", "ldr", 4, U, false},                                      /* ldr s0, literal */
    {"fd7bbea9", "stp", 4, S, false},                                      /* stp x29, x30, [sp, #-32]! */
    {"fd7b01a9", "stp", 4, S, false},    {"ff8300d1", "sub", 4, S, false}, /* sub sp, sp, #32 */
    {"fd030091", "add", 4, S, false},                                      /* mov x29, sp */
    {"e00301aa", "mov", 4, S, false},                                      /* mov x0, x1 */
    {"200080d2", "mov", 4, S, false},                                      /* mov x0, #1 */
    {"000040f9", "other", 4, S, false},                                    /* ldr x0, [x0] */
    {"007c5fc8", "other", 4, U, false},                                    /* ldxr x0, [x0] */
    {"010000d4", "other", 4, U, false},                                    /* svc #0 */
    {"000020d4", "other", 4, U, false},                                    /* brk #0 */
    {"00000000", "other", 4, U, false},                                    /* udf */
};

static void test_arm64(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(arm64_rows); i++)
		check_row(EM_AARCH64, &arm64_rows[i]);
}

/* What a probe may move past, and what is lost by that. */
static void test_effects(void **state)
{
	enum { RAX = 1 << 0, RDX = 1 << 1, RCX = 1 << 2, RBX = 1 << 3, RSI = 1 << 4, RDI = 1 << 5 };
	static const struct {
		uint16_t machine;
		const char *code;
		bool skippable;
		uint32_t writes;
	} cases[] = {
	    {EM_X86_64, "4885ff", true, 0},              /* test %rdi,%rdi */
	    {EM_X86_64, "84c0", true, 0},                /* test %al,%al */
	    {EM_X86_64, "a801", true, 0},                /* test $1,%al */
	    {EM_X86_64, "f6470801", true, 0},            /* testb $1,8(%rdi) */
	    {EM_X86_64, "4839f7", true, 0},              /* cmp %rsi,%rdi */
	    {EM_X86_64, "803d1122334400", true, 0},      /* cmpb $0,(%rip) */
	    {EM_X86_64, "83ff01", true, 0},              /* cmp $1,%edi */
	    {EM_X86_64, "ba01000000", true, RDX},        /* mov $1,%edx */
	    {EM_X86_64, "b801000000", true, RAX},        /* mov $1,%eax */
	    {EM_X86_64, "41b901000000", true, 1 << 9},   /* mov $1,%r9d */
	    {EM_X86_64, "b401", true, RAX},              /* mov $1,%ah */
	    {EM_X86_64, "40b601", true, RSI},            /* mov $1,%sil */
	    {EM_X86_64, "48c7c201000000", true, RDX},    /* mov $1,%rdx */
	    {EM_X86_64, "4889fb", true, RBX},            /* mov %rdi,%rbx */
	    {EM_X86_64, "488b0511223344", true, RAX},    /* mov (%rip),%rax */
	    {EM_X86_64, "31c9", true, RCX},              /* xor %ecx,%ecx */
	    {EM_X86_64, "4533c0", true, 1 << 8},         /* xor %r8d,%r8d */
	    {EM_X86_64, "4883c708", true, RDI},          /* add $8,%rdi */
	    {EM_X86_64, "0fb6c0", true, RAX},            /* movzbl %al,%eax */
	    {EM_X86_64, "4863f6", true, RSI},            /* movslq %esi,%rsi */
	    {EM_X86_64, "488d7c2408", true, RDI},        /* lea 8(%rsp),%rdi */
	    {EM_X86_64, "48893e", false, 0},             /* mov %rdi,(%rsi) */
	    {EM_X86_64, "830701", false, 0},             /* addl $1,(%rdi) */
	    {EM_X86_64, "4883ec18", false, 0},           /* sub $24,%rsp */
	    {EM_X86_64, "4889e5", false, 0},             /* mov %rsp,%rbp */
	    {EM_X86_64, "488b6c2408", false, 0},         /* mov 8(%rsp),%rbp */
	    {EM_X86_64, "f7d8", false, 0},               /* neg %eax */
	    {EM_X86_64, "64488b042528000000", false, 0}, /* mov %fs:40,%rax */
	    {EM_X86_64, "55", false, 0},                 /* push %rbp */
	    {EM_X86_64, "7400", false, 0},               /* je */
	    {EM_X86_64, "ffe0", false, 0},               /* jmp *%rax */
	    {EM_X86_64, "0f05", false, 0},               /* syscall */
	    {EM_AARCH64, "1f0000f1", true, 0},           /* cmp x0,#0 */
	    {EM_AARCH64, "1f0001eb", true, 0},           /* cmp x0,x1 */
	    {EM_AARCH64, "e2030032", false, 0},          /* mov w2,#1, as orr: not decoded */
	    {EM_AARCH64, "22008052", true, 1 << 2},      /* mov w2,#1 */
	    {EM_AARCH64, "e00301aa", true, 1 << 0},      /* mov x0,x1 */
	    {EM_AARCH64, "3e0080d2", false, 0},          /* mov x30,#1 */
	    {EM_AARCH64, "fd0300aa", false, 0},          /* mov x29,x0 */
	    {EM_AARCH64, "fd030091", false, 0},          /* mov x29,sp */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t code[16];
		struct insn in;

		insn_decode(cases[i].machine, code, unhex(cases[i].code, code), &in);
		if (in.skippable != cases[i].skippable || in.writes != cases[i].writes)
			fail_msg("%s (%s): skippable %d, writes %x", cases[i].code, in.name, in.skippable,
				 in.writes);
	}
}

static void test_not_decoded(void **state)
{
	struct insn in;
	uint8_t prefixes[32];

	(void)state;
	insn_decode(EM_X86_64, NULL, 0, &in);
	assert_int_equal(in.cost, INSN_UNSAFE);
	assert_int_equal(in.size_bytes, 0);
	insn_decode(EM_386, (const uint8_t *)"\x55", 1, &in);
	assert_int_equal(in.cost, INSN_UNSAFE);
	/* 15 bytes are the longest instruction; prefixes without end are none */
	memset(prefixes, 0x66, sizeof(prefixes));
	insn_decode(EM_X86_64, prefixes, sizeof(prefixes), &in);
	assert_int_equal(in.cost, INSN_UNSAFE);
	prefixes[15] = 0x90;
	insn_decode(EM_X86_64, prefixes, sizeof(prefixes), &in);
	assert_int_equal(in.cost, INSN_UNSAFE);
	assert_int_equal(in.size_bytes, 0);
}

/* Any bytes at all: an answer, a name, and no size beyond the bytes given. */
static void test_any_bytes(void **state)
{
	uint64_t seed = 1;

	(void)state;
	for (int i = 0; i < 200000; i++) {
		uint8_t code[16];
		struct insn in;
		size_t n;

		for (size_t k = 0; k < sizeof(code); k += 8) {
			seed += 0x9e3779b97f4a7c15ULL;
			memcpy(code + k, &(uint64_t){mix64(seed)}, 8);
		}
		n = seed % (sizeof(code) + 1);
		insn_decode(i & 1 ? EM_X86_64 : EM_AARCH64, code, n, &in);
		assert_non_null(in.name);
		assert_true(in.size_bytes <= n);
		assert_true(in.cost == INSN_UNSAFE || in.cost == INSN_SINGLE_STEP ||
			    in.cost == INSN_EMULATED);
	}
}

static void test_cost_names(void **state)
{
	(void)state;
	assert_string_equal(insn_cost_name(INSN_EMULATED), "emulated");
	assert_string_equal(insn_cost_name(INSN_SINGLE_STEP), "single-step");
	assert_string_equal(insn_cost_name(INSN_UNSAFE), "unsafe");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_x86),       cmocka_unit_test(test_arm64),
	    cmocka_unit_test(test_effects),   cmocka_unit_test(test_not_decoded),
	    cmocka_unit_test(test_any_bytes), cmocka_unit_test(test_cost_names),
	};

	return cmocka_run_group_tests_name("insn", tests, NULL, NULL);
}
