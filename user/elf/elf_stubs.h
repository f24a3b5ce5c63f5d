/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Stubs in an executable that stand for functions of libraries. */
#ifndef JNITRACE_ELF_STUBS_H
#define JNITRACE_ELF_STUBS_H

#include <stdbool.h>

#include "elf/elf.h"

/*
 * Is this the entry of the executable's procedure linkage table which everybody has as the address of a
 * library's function? Where code has addresses built in, such a symbol has a value and no section (psABI
 * x86-64, "Function Addresses"). false, too, where it cannot be told.
 */
bool elf_is_stub(const struct elf_image *e, uint64_t vaddr);

#endif
