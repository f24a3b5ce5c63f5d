/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The unwind table of a module: its call frame information compiled into rows that BPF can search. */
#ifndef JNITRACE_UNWIND_TABLE_H
#define JNITRACE_UNWIND_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/budget.h"
#include "border/unwind.h"
#include "elf/elf.h"
#include "elf/elf_frames.h"

struct unwind_table {
	uint64_t base; /* link-time address that rows count from */
	struct {
		struct unwind_rule *v;
		size_t n, cap;
	} rules;
	struct {
		struct unwind_row *v; /* sorted by pc, no two neighbours with the same rule */
		size_t n, cap;
	} rows;
	uint32_t nr_fdes;
	uint32_t nr_rich; /* rows of UNWIND_RICH */
};

/*
 * Compile all of e. 0, -ENOENT (no call frame information), -E2BIG (more rows than a table may have),
 * -EPROTO, -EDQUOT (it takes too much), -EINTR (a signal, see budget_check()), -ENOMEM; then t is empty.
 */
int unwind_table_build(const struct elf_image *e, struct unwind_table *t);
/*
 * In [start, end), link-time, e keeps a frame pointer at its calls, whatever t says of it. 0 or -errno; t is
 * empty then.
 */
int unwind_table_add_fp(const struct elf_image *e, uint64_t start, uint64_t end, struct unwind_table *t);
/* Of code that has no file and does so everywhere. 0 or -ENOMEM. */
int unwind_table_all_fp(struct unwind_table *t);
/* The same from raw bytes. budget: NULL: without limits. */
int unwind_table_compile(const struct elf_frames *f, struct budget *budget, struct unwind_table *t);
/* What BPF's search finds for a link-time address. */
struct unwind_rule unwind_table_find(const struct unwind_table *t, uint64_t vaddr);
/*
 * Where in a process the link-time address base of e is, if [start, end) maps e from that offset on. false:
 * that is not of its code.
 */
bool unwind_table_place(const struct elf_image *e, uint64_t base, uint64_t start, uint64_t end,
			uint64_t offset, uint64_t *addr);
/* The table as BPF reads it: so many words. */
size_t unwind_table_words(const struct unwind_table *t);
void unwind_table_write(const struct unwind_table *t, uint64_t *words);
void unwind_table_free(struct unwind_table *t);

#endif
