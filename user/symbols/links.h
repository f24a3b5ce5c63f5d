/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Is a frame found by a frame pointer really the caller's? What the unwind tables of the function prove. */
#ifndef JNITRACE_LINKS_H
#define JNITRACE_LINKS_H

#include <stdint.h>

#include "elf/elf.h"
#include "elf/elf_cfi.h"
#include "elf/elf_functions.h"

/* Can the caller of a function be found through the frame pointer? */
enum link { LINK_PROVEN, LINK_NO_FP, LINK_NO_TABLE, LINK_NO_FILE, NR_LINKS };
/* What is wrong, to be followed by the module's name; NULL: nothing. */
extern const char *const link_reasons[NR_LINKS];

/*
 * At a call, a link-time address in fn (NULL: not known). e is the file, which need be readable for arm64
 * only. Never LINK_NO_FILE.
 */
enum link link_at(const struct elf_image *e, struct elf_cfi_table *table, const struct elf_function *fn,
		  uint64_t call);

#endif
