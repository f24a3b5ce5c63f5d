/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* File, line and inlined functions of an address, by DWARF. */
#ifndef JNITRACE_ELF_LINES_H
#define JNITRACE_ELF_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "elf/elf.h"

struct elf_lines; /* opaque */

/* Has the file DWARF, for elf_lines_open() to read? */
bool elf_lines_present(const struct elf_image *e);
/* Bytes of memory that its sections take. 0, -E2BIG or -EPROTO as of elf_lines_open(). */
int elf_lines_bytes(const struct elf_image *e, uint64_t *bytes);
/*
 * e: a file with DWARF, only used during the call. DWARF it shares with other files (dwz) is looked for
 * in the root of pid, then in our own. -ENOENT when that is missing, -E2BIG when there is more than
 * can be read in about a second, -EPROTO.
 *
 * libdw cannot be interrupted, nor told how much memory it may take, and the file is mapped: all of this is
 * only for a process of its own, lines_helper.h.
 */
int elf_lines_open(const struct elf_image *e, pid_t pid, struct elf_lines **out);
void elf_lines_close(struct elf_lines *l);

#define ELF_LINE_SCOPE_BYTES 256
struct elf_line {
	const char *function;             /* as written, mangled where it has a linkage name; NULL: unknown */
	char scope[ELF_LINE_SCOPE_BYTES]; /* "ns::Class::" of a name that is not mangled; foreign text too */
	const char *file;                 /* path as written; NULL: unknown */
	int line;                         /* 0: unknown */
};
/*
 * What stands at a link-time address: the innermost inlined function first, the function itself last;
 * the line of an outer one is that of the call that was inlined. Texts are foreign and live as long as l.
 * Returns how many there are, 0 when nothing is known, at most max.
 */
size_t elf_lines_at(struct elf_lines *l, uint64_t vaddr, struct elf_line *out, size_t max);

#endif
