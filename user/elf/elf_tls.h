/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Where an ELF file's thread-local variables are. */
#ifndef JNITRACE_ELF_TLS_H
#define JNITRACE_ELF_TLS_H

#include <stdint.h>

#include "elf/elf.h"

struct elf_tls {
	uint64_t bytes, align; /* of the block of a thread; bytes 0: the file has none */
	/* Link-time address of a word in which the dynamic linker keeps the module's number, by which the
	 * thread's table of blocks is read; 0: no code of the file asks for it. */
	uint64_t module_at;
	/* Where in the block the variable of a thread-local symbol begins; -1: no such symbol in .dynsym. */
	int64_t offset;
};
/* x86-64. 0, -EPROTO, -EDQUOT or -EINTR (see budget_check()), -ENOMEM. */
int elf_tls_read(const struct elf_image *e, const char *symbol, struct elf_tls *out);

#endif
