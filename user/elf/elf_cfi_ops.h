/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * DWARF call frame information (DWARF 5, 6.4; LSB core, 10.6.1), read and run from raw bytes that may
 * lie. Only three things are followed: the CFA, the return address and the frame pointer.
 */
#ifndef JNITRACE_ELF_CFI_OPS_H
#define JNITRACE_ELF_CFI_OPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "elf/elf_frames.h"

/* How a register of the caller is found. */
enum cfi_where {
	CFI_UNSET,     /* nothing said */
	CFI_SAME,      /* still in its register */
	CFI_SAVED,     /* at CFA + offset */
	CFI_SAVED_AT,  /* at the address in the frame pointer */
	CFI_UNDEFINED, /* nowhere: of a return address, there is no caller */
	CFI_OTHER,     /* a rule not followed here */
};
enum cfi_cfa {
	CFA_UNSET,
	CFA_REG,
	CFA_FP_DEREF,
	CFA_SPILLED, /* cfa_offset above the word below where a callee-saved register points; see unwind.h */
	CFA_PLT,
	CFA_SIGNAL,
	CFA_OTHER
};

struct cfi_state {
	enum cfi_cfa cfa;
	uint64_t cfa_reg;   /* DWARF number, CFA_REG only */
	int64_t cfa_offset; /* bytes */
	struct cfi_reg {
		enum cfi_where where;
		int64_t offset; /* bytes, from the CFA */
	} fp, ra;
};

struct cfi_cie {
	size_t at; /* offset in the section; SIZE_MAX: none */
	uint64_t code_align;
	int64_t data_align;
	uint8_t pointer_encoding; /* of the FDEs' addresses: DW_EH_PE_* */
	bool has_sizes;           /* augmentation 'z' */
	bool signal;
	bool usable; /* understood; else its FDEs are not */
	struct cfi_state initial;
};

/* One function, or piece of one. */
struct cfi_fde {
	uint64_t begin, end; /* link-time addresses */
	size_t cie_at, ops_at;
	uint32_t ops_bytes;
};

/* The FDE at that offset. false: there is none, or it is of no use. cie as for cfi_next(). */
bool cfi_fde_at(const struct elf_frames *f, size_t at, struct cfi_cie *cie, struct cfi_fde *out);
/*
 * The next FDE from *at on, which moves past it; false at the end of the section or where it does not make
 * sense any more. Those of no use (empty, outside the code, in a language not understood) are skipped.
 * cie: memory from call to call, cie->at = SIZE_MAX at first.
 */
bool cfi_next(const struct elf_frames *f, size_t *at, struct cfi_cie *cie, struct cfi_fde *out);

/* Called for each row: state holds in [begin, end). Nonzero ends the run and is returned. */
typedef int cfi_row_fn(void *arg, uint64_t begin, uint64_t end, const struct cfi_state *state);
/* Run an FDE that cfi_next() gave. Rows come in order, and cover all of it. 0 or what row() returned. */
int cfi_run(const struct elf_frames *f, const struct cfi_fde *fde, struct cfi_cie *cie, cfi_row_fn *row,
	    void *arg);

#endif
