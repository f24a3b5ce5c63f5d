/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a uprobe on an instruction costs. Follows the kernel's own decision, conservatively for all
 * versions from 5.15 on: what only some of them emulate counts as single-stepped, what only some of
 * them accept as unsafe.
 *   x86-64: arch/x86/kernel/uprobes.c (good_insns_64, is_prefix_bad, branch_setup_xol_ops,
 *           push_setup_xol_ops, can_optimize), arch/x86/lib/insn-eval.c (insn_is_nop, since 6.19)
 *   arm64:  arch/arm64/kernel/probes/decode-insn.c, arch/arm64/include/asm/insn.h
 */
#include "arch/insn.h"

#include <elf.h>
#include <string.h>

#include "base/util.h"

#define X86_MAX_BYTES 15

/* What follows the opcode, beside a ModRM byte with its SIB and displacement. */
enum x86_imm {
	IMM_NONE,
	IMM_1,
	IMM_2,
	IMM_4,
	IMM_FULL, /* 4; with 66, 2 */
	IMM_MOV,  /* as above; with REX.W, 8 */
	IMM_TEST, /* f6, f7: only /0 and /1 have one */
};
struct x86_row {
	uint8_t first, last; /* opcodes */
	enum insn_cost cost;
	const char *name; /* NULL: not decoded further, size unknown */
	bool has_modrm;
	enum x86_imm imm;
};

/*
 * Opcodes above 3f. INSN_UNSAFE: outside good_insns_64, or a prefix that is not decoded here (VEX c4 c5,
 * EVEX 62, REX2 d5). Opcodes without a row are accepted and single-stepped.
 */
static const struct x86_row x86_one_byte[] = {
    {0x50, 0x57, INSN_EMULATED, "push", false, IMM_NONE},
    {0x58, 0x5f, INSN_SINGLE_STEP, "pop", false, IMM_NONE},
    {0x60, 0x62, INSN_UNSAFE, NULL, false, IMM_NONE},
    {0x63, 0x63, INSN_SINGLE_STEP, "other", true, IMM_NONE},
    {0x64, 0x67, INSN_UNSAFE, NULL, false, IMM_NONE}, /* a prefix after REX; f2 and f3 below as well */
    {0x68, 0x68, INSN_SINGLE_STEP, "push", false, IMM_FULL},
    {0x69, 0x69, INSN_SINGLE_STEP, "other", true, IMM_FULL},
    {0x6a, 0x6a, INSN_SINGLE_STEP, "push", false, IMM_1},
    {0x6b, 0x6b, INSN_SINGLE_STEP, "other", true, IMM_1},
    {0x6c, 0x6f, INSN_UNSAFE, NULL, false, IMM_NONE},
    {0x70, 0x7f, INSN_EMULATED, "jcc", false, IMM_1},
    {0x80, 0x80, INSN_SINGLE_STEP, "other", true, IMM_1},
    {0x81, 0x81, INSN_SINGLE_STEP, "other", true, IMM_FULL},
    {0x82, 0x82, INSN_UNSAFE, NULL, false, IMM_NONE},
    {0x83, 0x83, INSN_SINGLE_STEP, "other", true, IMM_1},
    {0x84, 0x87, INSN_SINGLE_STEP, "other", true, IMM_NONE},
    {0x88, 0x8b, INSN_SINGLE_STEP, "mov", true, IMM_NONE},
    {0x8c, 0x8c, INSN_SINGLE_STEP, "other", true, IMM_NONE},
    {0x8d, 0x8d, INSN_SINGLE_STEP, "lea", true, IMM_NONE},
    {0x8e, 0x8f, INSN_SINGLE_STEP, "other", true, IMM_NONE},
    {0x90, 0x90, INSN_EMULATED, "nop", false, IMM_NONE},
    {0x91, 0x99, INSN_SINGLE_STEP, "other", false, IMM_NONE},
    {0x9a, 0x9a, INSN_UNSAFE, NULL, false, IMM_NONE},
    {0x9b, 0x9f, INSN_SINGLE_STEP, "other", false, IMM_NONE},
    {0xa8, 0xa8, INSN_SINGLE_STEP, "other", false, IMM_1},
    {0xa9, 0xa9, INSN_SINGLE_STEP, "other", false, IMM_FULL},
    {0xb0, 0xb7, INSN_SINGLE_STEP, "mov", false, IMM_1},
    {0xb8, 0xbf, INSN_SINGLE_STEP, "mov", false, IMM_MOV},
    {0xc0, 0xc1, INSN_SINGLE_STEP, "other", true, IMM_1},
    {0xc2, 0xc2, INSN_SINGLE_STEP, "ret", false, IMM_2},
    {0xc3, 0xc3, INSN_SINGLE_STEP, "ret", false, IMM_NONE},
    {0xc4, 0xc5, INSN_UNSAFE, NULL, false, IMM_NONE},
    {0xc6, 0xc6, INSN_SINGLE_STEP, "mov", true, IMM_1},
    {0xc7, 0xc7, INSN_SINGLE_STEP, "mov", true, IMM_FULL},
    {0xc9, 0xc9, INSN_SINGLE_STEP, "leave", false, IMM_NONE},
    {0xcc, 0xcf, INSN_UNSAFE, NULL, false, IMM_NONE},
    {0xd0, 0xd3, INSN_SINGLE_STEP, "other", true, IMM_NONE},
    {0xd4, 0xd6, INSN_UNSAFE, NULL, false, IMM_NONE},
    {0xe4, 0xe7, INSN_UNSAFE, NULL, false, IMM_NONE},
    /* emulated, but until 2026 without the shadow stack: a task that has one died at the return */
    {0xe8, 0xe8, INSN_UNSAFE, "call", false, IMM_4},
    {0xe9, 0xe9, INSN_EMULATED, "jmp", false, IMM_4},
    {0xea, 0xea, INSN_UNSAFE, NULL, false, IMM_NONE},
    {0xeb, 0xeb, INSN_EMULATED, "jmp", false, IMM_1},
    {0xec, 0xf4, INSN_UNSAFE, NULL, false, IMM_NONE}, /* f0: lock, is_prefix_bad */
    {0xf6, 0xf7, INSN_SINGLE_STEP, "other", true, IMM_TEST},
    {0xfa, 0xfb, INSN_UNSAFE, NULL, false, IMM_NONE},
    {0xfe, 0xff, INSN_SINGLE_STEP, "other", true, IMM_NONE},
};

/* After 0f. INSN_UNSAFE: outside good_2byte_insns. */
static const struct x86_row x86_two_byte[] = {
    {0x00, 0x01, INSN_UNSAFE, NULL, false, IMM_NONE},
    {0x05, 0x09, INSN_UNSAFE, NULL, false, IMM_NONE},
    {0x0b, 0x0b, INSN_UNSAFE, NULL, false, IMM_NONE},
    {0x10, 0x17, INSN_SINGLE_STEP, "other", true, IMM_NONE},
    {0x1e, 0x1e, INSN_SINGLE_STEP, "other", true, IMM_NONE},
    {0x1f, 0x1f, INSN_SINGLE_STEP, "nop", true, IMM_NONE},
    {0x28, 0x2f, INSN_SINGLE_STEP, "other", true, IMM_NONE},
    {0x30, 0x30, INSN_UNSAFE, NULL, false, IMM_NONE},
    {0x34, 0x35, INSN_UNSAFE, NULL, false, IMM_NONE},
    {0x37, 0x37, INSN_UNSAFE, NULL, false, IMM_NONE},
    {0x40, 0x4f, INSN_SINGLE_STEP, "other", true, IMM_NONE},
    {0x78, 0x79, INSN_UNSAFE, NULL, false, IMM_NONE},
    {0x80, 0x8f, INSN_EMULATED, "jcc", false, IMM_4},
    {0x90, 0x9f, INSN_SINGLE_STEP, "other", true, IMM_NONE},
    {0xae, 0xae, INSN_UNSAFE, NULL, false, IMM_NONE},
    {0xaf, 0xaf, INSN_SINGLE_STEP, "other", true, IMM_NONE},
    {0xb6, 0xb7, INSN_SINGLE_STEP, "other", true, IMM_NONE},
    {0xbe, 0xbf, INSN_SINGLE_STEP, "other", true, IMM_NONE},
};

/* One x86-64 instruction, taken apart as far as is needed here. */
struct x86 {
	bool opsize, rep, other_prefix; /* 66; f3; 67, 64, 65, f2 */
	uint8_t rex;
	bool two_byte;
	uint8_t op;
	uint8_t mod, reg, rm; /* reg and rm (or the SIB base) with their REX bits */
	int disp8;            /* displacement of one byte, else -1 */
	size_t size_bytes;    /* 0: not known */
};

static struct x86_row x86_row_of(const struct x86 *x)
{
	const struct x86_row *rows = x->two_byte ? x86_two_byte : x86_one_byte;
	size_t n = x->two_byte ? ARRAY_LEN(x86_two_byte) : ARRAY_LEN(x86_one_byte);

	if (!x->two_byte &&
	    x->op < 0x40) { /* add, or, adc, sbb, and, sub, xor, cmp; between them refused ones */
		uint8_t low = x->op & 7;

		return (struct x86_row){
		    .cost = low < 6 ? INSN_SINGLE_STEP : INSN_UNSAFE,
		    .name = low >= 6                 ? NULL
			    : (x->op & 0x38) == 0x28 ? "sub"
						     : "other",
		    .has_modrm = low < 4,
		    .imm = low < 4    ? IMM_NONE
			   : low == 4 ? IMM_1
				      : IMM_FULL,
		};
	}
	if (!x->two_byte && x->op < 0x50) /* a second REX */
		return (struct x86_row){.cost = INSN_UNSAFE};
	for (size_t i = 0; i < n; i++)
		if (x->op >= rows[i].first && x->op <= rows[i].last)
			return rows[i];
	return (struct x86_row){.cost = INSN_SINGLE_STEP};
}

static size_t x86_imm_bytes(const struct x86 *x, enum x86_imm imm)
{
	bool wide = x->rex & 8;
	size_t full = x->opsize && !wide ? 2 : 4;

	switch (imm) {
	case IMM_NONE:
		break;
	case IMM_1:
		return 1;
	case IMM_2:
		return 2;
	case IMM_4:
		return 4;
	case IMM_FULL:
		return full;
	case IMM_MOV:
		return wide ? 8 : full;
	case IMM_TEST:
		return (x->reg & 7) > 1 ? 0 : x->op == 0xf6 ? 1 : full;
	}
	return 0;
}

/* Take in prefixes and opcode; returns the offset after them, 0 when the bytes end. */
static size_t x86_opcode(struct x86 *x, const uint8_t *code, size_t n)
{
	size_t at = 0;

	for (; at < n; at++) {
		if (code[at] == 0x66)
			x->opsize = true;
		else if (code[at] == 0xf3)
			x->rep = true;
		else if (code[at] == 0x67 || code[at] == 0x64 || code[at] == 0x65 || code[at] == 0xf2)
			x->other_prefix = true;
		else
			break;
	}
	if (at < n && (code[at] & 0xf0) == 0x40)
		x->rex = code[at++];
	x->two_byte = at < n && code[at] == 0x0f;
	if (x->two_byte)
		at++;
	if (at >= n)
		return 0;
	x->op = code[at];
	return at + 1;
}

/* Take in the ModRM byte at code[at] with what follows it; returns the offset after it, 0 when the bytes end.
 */
static size_t x86_modrm(struct x86 *x, const uint8_t *code, size_t n, size_t at)
{
	uint8_t modrm;
	size_t disp;

	if (at >= n)
		return 0;
	modrm = code[at++];
	x->mod = modrm >> 6;
	x->reg = (modrm >> 3 & 7) | (x->rex & 4) << 1;
	x->rm = (modrm & 7) | (x->rex & 1) << 3;
	disp = x->mod == 1 ? 1 : x->mod == 2 || (x->mod == 0 && (modrm & 7) == 5) ? 4 : 0;
	if (x->mod != 3 && (modrm & 7) == 4) {
		if (at >= n)
			return 0;
		x->rm = (code[at] & 7) | (x->rex & 1) << 3;
		if (x->mod == 0 && (code[at] & 7) == 5)
			disp = 4;
		at++;
	}
	if (disp > n - at)
		return 0;
	if (disp == 1)
		x->disp8 = code[at];
	return at + disp;
}

/*
 * Five bytes that kernels from 6.18 on may replace by a call, whose push overwrites the red zone (since
 * 7.2 they do so only with ten bytes, and step over the red zone). From 6.19 on these are, beside the
 * real nops, mov of a register to itself, lea 0(reg),reg and jmp +0.
 */
static bool x86_is_nop5(const struct x86 *x, const uint8_t *code)
{
	static const uint8_t zero[4];

	if (x->size_bytes != 5)
		return false;
	if (x->two_byte)
		return x->op == 0x1f;
	switch (x->op) {
	case 0x90:
		return true;
	case 0x89:
		return x->mod == 3 && x->reg == x->rm;
	case 0x8d:
		return x->disp8 == 0 && x->reg == x->rm;
	case 0xe9:
		return !memcmp(code + 1, zero, sizeof(zero));
	default:
		return false;
	}
}

/* What 90 is with its prefixes. */
static void x86_refine_nop(const struct x86 *x, struct insn *out)
{
	if (x->rex & 1) { /* xchg with r8, which kernels before 6.19 take for a nop */
		out->name = "xchg";
		out->cost = INSN_UNSAFE;
	} else if (x->rep) { /* emulated before 6.19 only */
		out->name = "pause";
		out->cost = x->opsize ? INSN_UNSAFE : INSN_SINGLE_STEP;
	} else if (out->size_bytes > 1) { /* with 66: refused before 6.2 */
		out->name = "nopN";
		out->cost = x->opsize ? INSN_UNSAFE : INSN_SINGLE_STEP;
	}
	out->skippable = !strncmp(out->name, "nop", 3);
}

/* Where prefixes and ModRM change what the opcode's row says. */
static void x86_refine(const struct x86 *x, const uint8_t *code, struct insn *out)
{
	bool prefixed = x->opsize || x->rep || x->other_prefix || (x->rex && x->rex != 0x41);

	if (x->two_byte && x->op == 0x1e && x->rep && x->mod == 3 && x->reg == 7 &&
	    (x->rm == 2 || x->rm == 3)) {
		out->name = x->rm == 2 ? "endbr64" : "endbr32";
		out->skippable = true;
	} else if (x->two_byte && x->op == 0x1f) {
		out->name = "nopN";
		out->skippable = true;
	} else if (x->two_byte && x->op >= 0x80 && x->op <= 0x8f && x->opsize) {
		out->cost = INSN_UNSAFE; /* branches with 66 are refused */
	} else if (x->two_byte) {
		return;
	} else if (x->op == 0x90) {
		x86_refine_nop(x, out);
	} else if ((x->op & 0xf8) == 0x50 && prefixed) {
		out->cost = INSN_SINGLE_STEP;
	} else if (out->cost == INSN_EMULATED && x->opsize) {
		out->cost = INSN_UNSAFE;
	} else if ((x->op == 0x80 || x->op == 0x81 || x->op == 0x83) && (x->reg & 7) == 5) {
		out->name = "sub";
	} else if (x->op == 0x8e && (x->reg & 7) == 2) {
		out->cost = INSN_UNSAFE; /* mov to ss, insn_masking_exception */
	}
	if (x86_is_nop5(x, code)) {
		out->cost = INSN_UNSAFE;
		if (out->skippable)
			out->name = "nop5";
	}
}

#define X86_RSP 4
#define X86_RBP 5

/* A register that is written, by its number in the instruction. */
static void x86_writes(const struct x86 *x, uint8_t reg, bool is_byte, struct insn *out)
{
	static const uint8_t dwarf[] = {0, 2, 1, 3, 7, 6, 4, 5};

	if (is_byte && !x->rex && reg >= 4)
		reg -= 4; /* ah, ch, dh, bh */
	if (reg == X86_RSP || reg == X86_RBP)
		return;
	out->skippable = true;
	out->writes = 1U << (reg < 8 ? dwarf[reg] : reg);
}

/* The operand that ModRM's lower part names: memory is not to be passed over when it is written. */
static void x86_writes_rm(const struct x86 *x, bool is_byte, struct insn *out)
{
	if (x->mod == 3)
		x86_writes(x, x->rm, is_byte, out);
}

/* add, or, adc, sbb, and, sub, xor: by the lower bits of the opcode, where the result goes. */
static void x86_effect_arithmetic(const struct x86 *x, struct insn *out)
{
	uint8_t low = x->op & 7;

	if (low < 2)
		x86_writes_rm(x, low == 0, out);
	else
		x86_writes(x, low < 4 ? x->reg : 0, low == 2 || low == 4, out);
}

/* Which instructions change registers at most, and which ones. */
static void x86_effect(const struct x86 *x, struct insn *out)
{
	uint8_t op = x->op, digit = x->reg & 7;

	if (out->cost == INSN_EMULATED || x->rep || x->other_prefix || out->skippable)
		return;
	if (x->two_byte) {
		if ((op & 0xf0) == 0x40 || op == 0xb6 || op == 0xb7 || op == 0xbe || op == 0xbf)
			x86_writes(x, x->reg, false, out);
		return;
	}
	if ((op >= 0x38 && op < 0x3e) || op == 0x84 || op == 0x85 || op == 0xa8 || op == 0xa9 ||
	    ((op == 0x80 || op == 0x81 || op == 0x83) && digit == 7) || ((op & 0xfe) == 0xf6 && digit < 2))
		out->skippable = true; /* cmp, test */
	else if (op < 0x38)
		x86_effect_arithmetic(x, out);
	else if (op == 0x80 || op == 0x81 || op == 0x83)
		x86_writes_rm(x, op == 0x80, out);
	else if (op == 0x88 || op == 0x89 || ((op & 0xfe) == 0xc6 && !digit))
		x86_writes_rm(x, op == 0x88 || op == 0xc6, out);
	else if (op == 0x63 || op == 0x8a || op == 0x8b || op == 0x8d)
		x86_writes(x, x->reg, op == 0x8a, out);
	else if ((op & 0xf0) == 0xb0)
		x86_writes(x, (op & 7) | (x->rex & 1) << 3, op < 0xb8, out);
}

static void decode_x86(const uint8_t *code, size_t n, struct insn *out)
{
	struct x86 x = {.disp8 = -1};
	struct x86_row row;
	size_t at, imm;

	if (n > X86_MAX_BYTES)
		n = X86_MAX_BYTES;
	at = x86_opcode(&x, code, n);
	if (!at)
		return;
	row = x86_row_of(&x);
	if (row.name) {
		if (row.has_modrm)
			at = x86_modrm(&x, code, n, at);
		imm = x86_imm_bytes(&x, row.imm);
		if (!at || imm > n - at)
			return; /* cut short */
		x.size_bytes = at + imm;
		out->name = row.name;
		out->size_bytes = x.size_bytes;
	}
	out->cost = row.cost;
	if (x.size_bytes) {
		x86_refine(&x, code, out);
		x86_effect(&x, out);
	}
}

/* What it does beside going on: more, or nothing, or change the register in its lowest bits. */
enum arm64_effect { DOES_MORE, KEEPS_ALL, WRITES_RD };
struct arm64_row {
	uint32_t mask, value;
	const char *name;
	enum insn_cost cost;
	enum arm64_effect effect;
};

/* The first row that matches decides. */
static const struct arm64_row arm64_rows[] = {
    /*
     * Hints: aarch64_insn_is_steppable_hint(). nop is simulated only since 6.13. pac leaves a signed
     * address in x30 and so is not passed over; aut is refused since 5.16.
     */
    {0xffffffff, 0xd503201f, "nop", INSN_SINGLE_STEP, KEEPS_ALL},
    {0xffffff3f, 0xd503241f, "bti", INSN_SINGLE_STEP, KEEPS_ALL},
    {0xffffff9f, 0xd503231f, "pac", INSN_SINGLE_STEP, DOES_MORE}, /* paciaz, paciasp, pacibz, pacibsp */
    /* Simulated: branches, and adr, adrp. */
    {0xfc000000, 0x14000000, "b", INSN_EMULATED, DOES_MORE},
    {0xfc000000, 0x94000000, "bl", INSN_EMULATED, DOES_MORE},
    {0xff000010, 0x54000000, "b.cond", INSN_EMULATED, DOES_MORE},
    {0x7e000000, 0x34000000, "cbz", INSN_EMULATED, DOES_MORE},
    {0x7e000000, 0x36000000, "tbz", INSN_EMULATED, DOES_MORE},
    {0xfffffc1f, 0xd61f0000, "br", INSN_EMULATED, DOES_MORE},
    {0xfffffc1f, 0xd63f0000, "blr", INSN_EMULATED, DOES_MORE},
    {0xfffffc1f, 0xd65f0000, "ret", INSN_EMULATED, DOES_MORE},
    {0x1f000000, 0x10000000, "adr", INSN_EMULATED, DOES_MORE},
    /* Other branches, system instructions and hints: nearly all refused. */
    {0x1c000000, 0x14000000, "other", INSN_UNSAFE, DOES_MORE},
    /* Relative to the pc (refused since 6.12), exclusive, mops, and encodings without a meaning. */
    {0x3b000000, 0x18000000, "ldr", INSN_UNSAFE, DOES_MORE},
    {0x3f000000, 0x08000000, "other", INSN_UNSAFE, DOES_MORE},
    {0x3b000000, 0x19000000, "other", INSN_UNSAFE, DOES_MORE},
    {0x18000000, 0x00000000, "other", INSN_UNSAFE, DOES_MORE},
    /* Single-stepped. */
    {0x7fc00000, 0x29000000, "stp", INSN_SINGLE_STEP, DOES_MORE},
    {0x7fc00000, 0x29800000, "stp", INSN_SINGLE_STEP, DOES_MORE},
    {0x7fc00000, 0x28800000, "stp", INSN_SINGLE_STEP, DOES_MORE},
    {0x7f800000, 0x51000000, "sub", INSN_SINGLE_STEP, DOES_MORE},
    {0x7fe00000, 0x4b000000, "sub", INSN_SINGLE_STEP, DOES_MORE},
    {0x7f800000, 0x11000000, "add", INSN_SINGLE_STEP, DOES_MORE},
    {0x7fe0ffe0, 0x2a0003e0, "mov", INSN_SINGLE_STEP, WRITES_RD},
    {0x7f800000, 0x52800000, "mov", INSN_SINGLE_STEP, WRITES_RD},
    {0x7f80001f, 0x7100001f, "cmp", INSN_SINGLE_STEP, KEEPS_ALL},
    {0x7f20001f, 0x6b00001f, "cmp", INSN_SINGLE_STEP, KEEPS_ALL},
    {0x00000000, 0x00000000, "other", INSN_SINGLE_STEP, DOES_MORE},
};

#define ARM64_FP   29
#define ARM64_ZERO 31

static void decode_arm64(const uint8_t *code, size_t n, struct insn *out)
{
	uint32_t word;

	if (n < sizeof(word))
		return;
	word = code[0] | (uint32_t)code[1] << 8 | (uint32_t)code[2] << 16 | (uint32_t)code[3] << 24;
	for (size_t i = 0; i < ARRAY_LEN(arm64_rows); i++) {
		const struct arm64_row *r = &arm64_rows[i];

		if ((word & r->mask) != r->value)
			continue;
		*out = (struct insn){r->name, sizeof(word), r->cost, r->effect != DOES_MORE, 0};
		if (r->effect != WRITES_RD)
			return;
		if ((word & 31) < ARM64_FP)
			out->writes = 1U << (word & 31);
		else
			out->skippable = (word & 31) == ARM64_ZERO; /* fp, lr */
		return;
	}
}

void insn_decode(uint16_t machine, const uint8_t *code, size_t n, struct insn *out)
{
	*out = (struct insn){.name = "other", .cost = INSN_UNSAFE};
	if (machine == EM_X86_64)
		decode_x86(code, n, out);
	else if (machine == EM_AARCH64)
		decode_arm64(code, n, out);
}

const char *insn_cost_name(enum insn_cost c)
{
	switch (c) {
	case INSN_EMULATED:
		return "emulated";
	case INSN_SINGLE_STEP:
		return "single-step";
	case INSN_UNSAFE:
		break;
	}
	return "unsafe";
}
