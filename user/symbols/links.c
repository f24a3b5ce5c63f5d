/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "symbols/links.h"

#include <elf.h>
#include <stddef.h>

/* DWARF register numbers, by the psABIs */
#define DWARF_RBP      6
#define DWARF_X29      29
#define DWARF_ARM64_SP 31
#define PROLOGUE_INSNS 256 /* arm64 instructions looked at for the one that sets the frame pointer */

const char *const link_reasons[NR_LINKS] = {
    [LINK_NO_FP] = "no frame pointer in",
    [LINK_NO_TABLE] = "no unwind table in",
    [LINK_NO_FILE] = "cannot read",
};

/*
 * gcc for arm64 (12 at least) keeps the CFA relative to sp, so its rules tell where the frame record is and
 * not that x29 points there. Then the code must say so: before the call, `add x29, sp, #offset_bytes`,
 * which is `mov x29, sp` for 0 (Arm ARM C6.2, ADD immediate).
 */
static bool arm64_points_fp(const struct elf_image *e, const struct elf_function *fn, uint64_t call,
			    int64_t offset_bytes)
{
	uint32_t code[PROLOGUE_INSNS];
	uint64_t bytes;
	size_t n;

	if (!fn || offset_bytes < 0 || offset_bytes > 0xfff)
		return false;
	bytes = call - fn->start;
	n = elf_read(e, fn->start, code, bytes < sizeof(code) ? bytes : sizeof(code));
	for (size_t i = 0; i < n / sizeof(code[0]); i++)
		if (code[i] == (0x910003fd | (uint32_t)offset_bytes << 10))
			return true;
	return false;
}

/*
 * Is the caller's frame record {frame pointer, return address} where the frame pointer points, at this
 * call? The frame pointer saved at fp + 0, the return address at fp + 8: on both machines the same (x86-64
 * psABI 3.2.2, AAPCS64 6.4.6), the CFA being fp + 16 on the one and anything on the other.
 */
enum link link_at(const struct elf_image *e, struct elf_cfi_table *table, const struct elf_function *fn,
		  uint64_t call)
{
	bool x86 = elf_machine(e) == EM_X86_64;
	struct elf_cfi cfi;

	if (elf_cfi_at(table, call, &cfi))
		return LINK_NO_TABLE;
	if (!cfi.fp_saved || cfi.ra_offset != cfi.fp_offset + 8)
		return LINK_NO_FP;
	if (cfi.cfa_reg == (x86 ? DWARF_RBP : DWARF_X29))
		return cfi.fp_offset == -cfi.cfa_offset ? LINK_PROVEN : LINK_NO_FP;
	if (!x86 && cfi.cfa_reg == DWARF_ARM64_SP &&
	    arm64_points_fp(e, fn, call, (int64_t)cfi.cfa_offset + cfi.fp_offset))
		return LINK_PROVEN;
	return LINK_NO_FP;
}
