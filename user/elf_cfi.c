/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Where the caller is, by .eh_frame: libdw finds and runs the rules, only the simple results are kept. */
#include "elf_internal.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <errno.h>
#include <libelf.h>
#include <stdlib.h>

#define MAX_EH_FRAME_BYTES (64ULL << 20)  /* libjvm has 1.5 MiB */
#define MAX_HEADERLESS     (256ULL << 20) /* without sections libdw reads from .eh_frame to the file's end */
#define MAX_CFA_OFFSET     (1 << 30)

struct elf_cfi_cache {
	Elf *elf;
	Dwarf_CFI *cfi;
};

struct elf_cfi_cache *elf_cfi_alloc(void)
{
	return calloc(1, sizeof(struct elf_cfi_cache));
}

void elf_cfi_release(struct elf_cfi_cache *c)
{
	if (!c)
		return;
	if (c->cfi)
		dwarf_cfi_end(c->cfi);
	if (c->elf)
		elf_end(c->elf);
	free(c);
}

/* libelf copies whole sections into memory: not one a sparse file says is a terabyte long. */
static bool size_is_sane(const struct elf_image *e)
{
	static const char *const names[] = {".eh_frame", ".eh_frame_hdr"};

	if (!e->nr_sh)
		return e->file_bytes <= MAX_HEADERLESS;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const Elf64_Shdr *sh = elf_section_find(e, SHT_PROGBITS, names[i]);

		if (sh && sh->sh_size > MAX_EH_FRAME_BYTES)
			return false;
	}
	return true;
}

/* At the first question; a file without CFI stays without. */
static Dwarf_CFI *cfi_of(const struct elf_image *e)
{
	struct elf_cfi_cache *c = e->cfi;

	if (c->elf || !size_is_sane(e))
		return c->cfi;
	elf_version(EV_CURRENT);
	c->elf = elf_begin(e->fd, ELF_C_READ, NULL);
	if (c->elf)
		c->cfi = dwarf_getcfi_elf(c->elf);
	return c->cfi;
}

/* A stack slot's distance from the CFA: below it, and near. */
static bool slot_offset(Dwarf_Word number, int32_t *out)
{
	int64_t v = (int64_t)number;

	if (v >= 0 || v < -MAX_CFA_OFFSET)
		return false;
	*out = (int32_t)v;
	return true;
}

/* "CFA = register + offset", which libdw says as one DW_OP_bregx. */
static bool cfa_rule(Dwarf_Frame *frame, struct elf_cfi *out)
{
	Dwarf_Op *ops;
	size_t n;

	if (dwarf_frame_cfa(frame, &ops, &n) || n != 1 || ops[0].atom != DW_OP_bregx ||
	    ops[0].number > UINT8_MAX)
		return false;
	if ((int64_t)ops[0].number2 < -MAX_CFA_OFFSET || (int64_t)ops[0].number2 > MAX_CFA_OFFSET)
		return false;
	out->cfa_reg = (uint8_t)ops[0].number;
	out->cfa_offset = (int32_t)ops[0].number2;
	return true;
}

enum saved { SAVED_NOT, SAVED_AT_CFA, SAVED_OTHERWISE };

/*
 * "Saved at CFA + offset", which libdw says as DW_OP_call_frame_cfa, DW_OP_plus_uconst. Offsets at or
 * above the CFA are refused: no compiler saves there, and libdw before 0.191 says so where it takes
 * arm64's negate_ra_state for SPARC's window_save.
 */
static enum saved register_rule(Dwarf_Frame *frame, int regno, int32_t *offset)
{
	Dwarf_Op mem[3], *ops;
	size_t n;

	if (dwarf_frame_register(frame, regno, mem, &ops, &n))
		return SAVED_OTHERWISE;
	if (!n)
		return SAVED_NOT; /* same value, or undefined */
	if (n == 2 && ops[0].atom == DW_OP_call_frame_cfa && ops[1].atom == DW_OP_plus_uconst &&
	    slot_offset(ops[1].number, offset))
		return SAVED_AT_CFA;
	return SAVED_OTHERWISE;
}

int elf_cfi_at(const struct elf_image *e, uint64_t vaddr, struct elf_cfi *out)
{
	/* DWARF numbers by the psABIs: rip 16, rbp 6; x30 (lr), x29 (fp) */
	int ra_reg = e->machine == EM_X86_64 ? 16 : 30;
	int fp_reg = e->machine == EM_X86_64 ? 6 : 29;
	Dwarf_CFI *cfi = cfi_of(e);
	Dwarf_Frame *frame = NULL;
	bool is_signal = true;
	enum saved fp;
	int rc = -ENOENT;

	*out = (struct elf_cfi){0};
	if (!cfi || dwarf_cfi_addrframe(cfi, vaddr, &frame))
		return -ENOENT;
	if (dwarf_frame_info(frame, NULL, NULL, &is_signal) != ra_reg || is_signal)
		goto out;
	fp = register_rule(frame, fp_reg, &out->fp_offset);
	if (fp == SAVED_OTHERWISE || !cfa_rule(frame, out) ||
	    register_rule(frame, ra_reg, &out->ra_offset) != SAVED_AT_CFA)
		goto out;
	out->fp_saved = fp == SAVED_AT_CFA;
	rc = 0;
out:
	free(frame);
	if (rc)
		*out = (struct elf_cfi){0};
	return rc;
}
