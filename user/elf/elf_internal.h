/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Shared by the elf_*.c files only: an open image, its headers and bounded reads of its sections. */
#ifndef JNITRACE_ELF_INTERNAL_H
#define JNITRACE_ELF_INTERNAL_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "base/budget.h"

#define BUILD_ID_HEX_BYTES 129 /* 2 * BUILD_ID_MAX + 1 */

/* Symbols looked up so far, by the hash of table and name. */
struct symbol_found {
	uint64_t key;
	uint64_t vaddr, size_bytes; /* 0: there is none */
};
struct elf_symbols_found {
	struct symbol_found *v;
	size_t n, cap;
};

/*
 * Files are read with pread, never mapped: a mapped file that its owner truncates kills the reader
 * with SIGBUS. Headers are copied and checked once, in elf_open().
 */
struct elf_image {
	int fd;              /* -1: all references rest */
	unsigned references; /* of elf_open() and elf_cache_open() */
	unsigned readers;    /* of those, that do not rest */
	dev_t dev;
	ino_t ino;
	uint64_t file_bytes;
	struct timespec written; /* its contents, last */
	uint16_t machine;
	Elf64_Phdr *ph;
	size_t nr_ph;
	Elf64_Shdr *sh; /* none when the table is absent or does not lie in the file */
	size_t nr_sh;
	struct elf_blob {
		uint8_t *p;
		size_t n;
	} sh_names;
	char build_id[BUILD_ID_HEX_BYTES];
	struct elf_symbols_found *found; /* symbols looked up so far (elf.c) */
	struct budget *budget;           /* not owned; NULL: without limits */
	struct charge held;              /* of the headers */
	struct charge open;              /* of fd */
};

/* Read exactly n bytes; -EIO when the file ends before. */
int elf_pread(int fd, void *dst, size_t n, uint64_t offset);
/* The same of an image, which its budget allows or not: also -EDQUOT or -EINTR, see budget_read(). */
int elf_get(const struct elf_image *e, void *dst, size_t n, uint64_t offset);
/*
 * A copy of n bytes, to be freed with free(p). -ENOENT: n is 0; -E2BIG; -EPROTO: not all in the file; -EDQUOT
 * or -EINTR: see budget_check().
 */
int elf_load(const struct elf_image *e, uint64_t offset, uint64_t n, uint64_t max_bytes,
	     struct elf_blob *out);
/* The same for a section. -ENOENT also when its bytes are not in this file, -EPROTO when compressed. */
int elf_section_load(const struct elf_image *e, const Elf64_Shdr *sh, uint64_t max_bytes,
		     struct elf_blob *out);
/* Where a section's bytes are in the file: *offset, n of them. Errors as of elf_section_load(). */
int elf_section_place(const struct elf_image *e, const Elf64_Shdr *sh, uint64_t max_bytes, uint64_t *offset,
		      uint64_t *n);
/* The first section of that type (SHT_NULL: any) and, unless NULL, name; or NULL. */
const Elf64_Shdr *elf_section_find(const struct elf_image *e, uint32_t type, const char *name);

/* Bytes in the file from a link-time address to the end of its segment, and where they are; 0: none. */
uint64_t elf_segment_left(const struct elf_image *e, uint64_t vaddr, uint64_t *offset);

/* Walks note contents; n becomes 0 at the first note that does not fit. */
struct elf_note_iter {
	const uint8_t *p;
	size_t n;
};
struct elf_note {
	uint32_t type;
	const char *name; /* name_bytes of them, terminator counted */
	size_t name_bytes;
	const uint8_t *desc;
	size_t desc_bytes;
};
bool elf_note_next(struct elf_note_iter *it, struct elf_note *out);

#endif
