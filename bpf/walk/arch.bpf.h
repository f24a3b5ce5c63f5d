/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Registers by their DWARF number: the only kernel-side file that knows the architecture. */
#ifndef JNITRACE_ARCH_BPF_H
#define JNITRACE_ARCH_BPF_H

#include "border/shared.h"

/* The context, as the parameter of a global function: before Linux 6.3 the verifier knows it by this name
 * only. */
struct bpf_user_pt_regs_t {
};

/*
 * One register at a constant offset of the context. In assembly, because the
 * verifier allows nothing else, and the compiler would merge the branches below
 * into one load at a computed offset.
 */
#define REG(dwarf_reg, field)                                                                                \
	case dwarf_reg:                                                                                      \
		asm volatile("%0 = *(u64 *)(%1 + %2)"                                                        \
			     : "=r"(v)                                                                       \
			     : "r"(ctx), "i"(__builtin_offsetof(struct pt_regs, field)));                    \
		break

static __always_inline u64 reg_read(const struct pt_regs *ctx, u32 dwarf_reg)
{
	u64 v = 0;

	switch (dwarf_reg) {
#if defined(__TARGET_ARCH_x86)
		REG(0, ax);
		REG(1, dx);
		REG(2, cx);
		REG(3, bx);
		REG(4, si);
		REG(5, di);
		REG(6, bp);
		REG(7, sp);
		REG(8, r8);
		REG(9, r9);
		REG(10, r10);
		REG(11, r11);
		REG(12, r12);
		REG(13, r13);
		REG(14, r14);
		REG(15, r15);
		REG(16, ip);
#elif defined(__TARGET_ARCH_arm64)
		REG(0, user_regs.regs[0]);
		REG(1, user_regs.regs[1]);
		REG(2, user_regs.regs[2]);
		REG(3, user_regs.regs[3]);
		REG(4, user_regs.regs[4]);
		REG(5, user_regs.regs[5]);
		REG(6, user_regs.regs[6]);
		REG(7, user_regs.regs[7]);
		REG(8, user_regs.regs[8]);
		REG(19, user_regs.regs[19]);
		REG(20, user_regs.regs[20]);
		REG(21, user_regs.regs[21]);
		REG(22, user_regs.regs[22]);
		REG(23, user_regs.regs[23]);
		REG(24, user_regs.regs[24]);
		REG(25, user_regs.regs[25]);
		REG(26, user_regs.regs[26]);
		REG(27, user_regs.regs[27]);
		REG(28, user_regs.regs[28]);
		REG(29, user_regs.regs[29]);
		REG(30, user_regs.regs[30]);
		REG(31, user_regs.sp);
		REG(32, user_regs.pc);
#endif
	}
	return v;
}
#undef REG

/* Callee-saved registers by their DWARF number, for who must search one. */
#if defined(__TARGET_ARCH_arm64)
#define FIRST_SAVED_REG 19
#define LAST_SAVED_REG  28
#define IS_SAVED_REG(r) true
#else
#define FIRST_SAVED_REG 3
#define LAST_SAVED_REG  15
#define IS_SAVED_REG(r) ((r) == 3 || (r) >= 12)
#endif

/* What was read or written before is so before what follows, as other CPUs see it. */
static __always_inline void memory_fence(void)
{
#if defined(__TARGET_ARCH_arm64)
	u64 x = 0;

	x = __sync_fetch_and_add(&x, 1); /* an atomic operation that returns a value orders everything */
	asm volatile("" : : "r"(x));
#else
	barrier(); /* loads are not reordered with loads, nor stores with stores */
#endif
}

/* 0, or -1 when the memory is not there without a page fault. */
static __always_inline int loc_read(const struct pt_regs *ctx, const struct loc *l, u64 *out)
{
	u64 v = reg_read(ctx, l->reg) + (s64)l->offset_bytes;

	if (l->kind == LOC_REG) {
		*out = v;
		return 0;
	}
	return bpf_probe_read_user(out, sizeof(*out), (void *)v);
}

#endif
