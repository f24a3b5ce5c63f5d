/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The call frame information of an ELF file, as raw bytes. */
#ifndef JNITRACE_ELF_FRAMES_H
#define JNITRACE_ELF_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "elf/elf.h"

struct elf_frames {
	uint8_t *p; /* owned */
	size_t n;
	uint64_t vaddr; /* link-time address of p[0] */
	uint64_t code_lo,
	    code_hi;       /* link-time: from the lowest executable segment to the end of the highest */
	uint16_t machine;  /* EM_X86_64, EM_AARCH64 */
	bool debug_frame;  /* .debug_frame, which writes its pointers another way */
	bool ends_at_zero; /* found without sections: a zero length ends it, what follows is not known */
};
/*
 * .eh_frame by its section, or, in a file without sections, by PT_GNU_EH_FRAME; else .debug_frame.
 * -ENOENT when there is none, -E2BIG, -EPROTO, -EDQUOT or -EINTR (see budget_check()), -ENOMEM.
 */
int elf_frames_load(const struct elf_image *e, struct elf_frames *out);
/* Link-time: from the lowest executable segment to the end of the highest. false: there is none. */
bool elf_code_extent(const struct elf_image *e, uint64_t *lo, uint64_t *hi);
/* Bytes of code in the file. */
uint64_t elf_frames_code_bytes(const struct elf_image *e);
/*
 * Of a mapping of these bytes of the file: which executable segment it shows most of. *distance: its
 * link-time addresses minus their offsets in the file. false: none.
 */
bool elf_code_placement(const struct elf_image *e, uint64_t offset, uint64_t bytes, uint64_t *distance);
void elf_frames_free(struct elf_frames *f);

#endif
