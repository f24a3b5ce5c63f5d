/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Call frame information as raw bytes; the first two of the input choose what kind of section it is. */
#include "fuzz.h"

#include "unwind/unwind_table.h"

#include <elf.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	uint64_t kind = fuzz_number(&data, &n, 2);
	struct elf_frames f = {
	    .n = n,
	    .vaddr = 0x1000,
	    .code_lo = 0,
	    .code_hi = 1ULL << 31,
	    .machine = kind & 1 ? EM_AARCH64 : EM_X86_64,
	    .debug_frame = kind & 2,
	    .ends_at_zero = kind & 4,
	};
	struct unwind_table table;

	/* exactly as long as it is, so that a byte too far is seen */
	f.p = malloc(n ? n : 1);
	if (!f.p)
		abort();
	memcpy(f.p, data, n);
	if (unwind_table_compile(&f, NULL, &table) == 0) {
		for (size_t i = 0; i < table.rows.n; i++) {
			if (table.rows.v[i].rule >= table.rules.n ||
			    (i && table.rows.v[i].pc <= table.rows.v[i - 1].pc))
				abort(); /* what the search in the kernel rests on */
			unwind_table_find(&table, table.base + table.rows.v[i].pc);
		}
		unwind_table_free(&table);
	}
	free(f.p);
	return 0;
}
