/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One file with code (or the vdso, which has no file) as an unwind table and a way to place it. */
#ifndef JNITRACE_UNWIND_MODULE_H
#define JNITRACE_UNWIND_MODULE_H

#include <stdbool.h>
#include <stdint.h>

#include "elf/elf.h"
#include "proc/proc.h"
#include "unwind/unwind_table.h"

struct unwind_module {
	struct elf_image *image; /* NULL: not read yet */
	uint64_t base;           /* of its table, link-time */
};

/*
 * Open the mapped file, or copy the vdso (map->ino is 0), and compile its table. 0, or -errno of
 * proc_open_mapping(), elf_open() or unwind_table_build(); then *t is empty.
 */
int unwind_module_read(struct unwind_module *m, pid_t pid, const struct mapping *map, struct unwind_table *t);
/* Where the base of its table lies in that mapping's process. false: the mapping is not of its code. */
bool unwind_module_base(const struct unwind_module *m, const struct mapping *map, uint64_t *addr);
void unwind_module_close(struct unwind_module *m);

#endif
