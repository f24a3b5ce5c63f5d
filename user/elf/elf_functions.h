/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which function of an ELF file an address lies in. */
#ifndef JNITRACE_ELF_FUNCTIONS_H
#define JNITRACE_ELF_FUNCTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/budget.h"
#include "elf/elf.h"

/* Start zeroed, add tables (of the file, of its separate debug file), then sort, then find. */
struct elf_functions {
	struct elf_function {
		uint64_t start, end; /* link-time addresses */
		uint32_t name_at;    /* in names */
		uint8_t preference;  /* among names of one address: lower is better */
		bool sized;          /* the table knows the size */
	} * v;
	size_t n, cap;
	char *names;
	size_t names_bytes, names_cap;
	bool nameless; /* set it before: names are not wanted */
	struct charge held;
};
/* Returns how many functions were added (0: no such table), -EDQUOT, -EINTR (see budget_check()) or -ENOMEM.
 */
int elf_functions_add(struct elf_functions *f, const struct elf_image *e, enum elf_symtab which);
/* 0, -EDQUOT, -EINTR or -ENOMEM. b: as of the images. */
int elf_functions_sort(struct elf_functions *f, struct budget *b);
/*
 * The function whose range holds vaddr; NULL when none does: an address between two functions belongs to
 * neither. A function without size (assembler) reaches to the next symbol of its section.
 */
const struct elf_function *elf_functions_find(const struct elf_functions *f, uint64_t vaddr);
/* As written in the file; the first kilobyte. */
const char *elf_function_name(const struct elf_functions *f, const struct elf_function *fn);
void elf_functions_free(struct elf_functions *f);

#endif
