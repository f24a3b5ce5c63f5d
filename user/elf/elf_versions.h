/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Functions of a library by name and version, as the dynamic linker looks them up (GNU symbol versioning). */
#ifndef JNITRACE_ELF_VERSIONS_H
#define JNITRACE_ELF_VERSIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "elf/elf.h"

/*
 * The function of .dynsym with this name and version ("GLIBC_2.2.5"); version NULL: the default one, which
 * programs that are linked today call. vaddr: link-time. 0; -ENOENT: there is none, or the file has no
 * versions; -EPROTO: its tables make no sense; -EDQUOT, -EINTR, -ENOMEM as of elf_find_symbols().
 */
int elf_find_version(const struct elf_image *e, const char *name, const char *version, uint64_t *vaddr);

/* Has .dynsym one of these n names, be it undefined? false, too, when it cannot be read. */
bool elf_has_symbol(const struct elf_image *e, const char *const *names, size_t n);

#endif
