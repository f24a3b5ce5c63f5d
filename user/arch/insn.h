/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a uprobe on an instruction costs: emulated by the kernel, or single-stepped out of line. */
#ifndef JNITRACE_INSN_H
#define JNITRACE_INSN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum insn_cost {
	INSN_EMULATED,    /* about 0.5 us */
	INSN_SINGLE_STEP, /* about 10 us */
	INSN_UNSAFE, /* never probed: refused by the kernel, or known to be rewritten unsafely (5-byte nop) */
};
struct insn {
	const char *name;  /* "push", "nop", "endbr64", "nop5", ... or "other" */
	size_t size_bytes; /* 0: not decoded */
	enum insn_cost cost;
	/*
	 * Control goes on behind it, and memory, stack and frame pointer are as before: a probe may move past
	 * it where nobody needs the registers it changes (endbr64, bti, a test of an argument).
	 */
	bool skippable;
	uint32_t writes; /* those registers, bit per DWARF number; 0 unless skippable */
};
/* machine: EM_X86_64 or EM_AARCH64. */
void insn_decode(uint16_t machine, const uint8_t *code, size_t n, struct insn *out);
const char *insn_cost_name(enum insn_cost c); /* "emulated", "single-step", "unsafe" */

#endif
