/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Where the caller is at one address of an ELF file, by its .eh_frame. */
#ifndef JNITRACE_ELF_CFI_H
#define JNITRACE_ELF_CFI_H

#include <stdbool.h>
#include <stdint.h>

#include "elf/elf.h"

struct elf_cfi_table; /* a copy of the file's call frame information */

/*
 * e is only used during the call. A file without such information gives an empty table, and so
 * does NULL. 0, -EDQUOT or -EINTR (see
 * budget_check()) or -ENOMEM.
 */
int elf_cfi_open(const struct elf_image *e, struct elf_cfi_table **out);
void elf_cfi_close(struct elf_cfi_table *t);

/*
 * The rule at a link-time address: CFA = cfa_reg + cfa_offset; the return address at CFA + ra_offset; the
 * caller's frame pointer still in its register (fp_saved false) or saved at CFA + fp_offset.
 */
struct elf_cfi {
	uint8_t cfa_reg; /* DWARF number */
	bool fp_saved;
	int32_t cfa_offset, ra_offset, fp_offset; /* bytes */
};
/* -ENOENT: no CFI there, or a rule too rich for this form. */
int elf_cfi_at(struct elf_cfi_table *t, uint64_t vaddr, struct elf_cfi *out);
/* Does the CFI of a function begin at this link-time address? Known of stripped files, too. */
bool elf_cfi_begins(struct elf_cfi_table *t, uint64_t vaddr);
/* Likewise, where the function that holds this address begins and ends. false: none does. */
bool elf_cfi_function(struct elf_cfi_table *t, uint64_t vaddr, uint64_t *begin, uint64_t *end);

#endif
