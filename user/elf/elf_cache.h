/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One open image for all who read the same file: a hundred JVMs of one library look its symbols up once.
 * Only what is in the file is shared, never what a process's memory said.
 */
#ifndef JNITRACE_ELF_CACHE_H
#define JNITRACE_ELF_CACHE_H

#include "elf/elf.h"

struct elf_cache; /* opaque */

/* budget: who pays for what is read of them; not owned, NULL: no limits. 0 or -ENOMEM. */
int elf_cache_new(struct budget *b, struct elf_cache **out);
struct budget *elf_cache_budget(const struct elf_cache *c);
/* All images must have been closed. */
void elf_cache_free(struct elf_cache *c);
/*
 * As elf_open(), or another reference to the image of the same file, unchanged since (device, inode, size,
 * times of change). End with elf_close(). c NULL: not shared.
 */
int elf_cache_open(struct elf_cache *c, int fd, struct elf_image **out);

#endif
