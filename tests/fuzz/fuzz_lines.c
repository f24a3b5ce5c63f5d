/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The DWARF of a file: what stands at addresses all over its code. */
#include "fuzz.h"

#include <string.h>

#include "elf/elf_frames.h"
#include "elf/elf_lines.h"

#define ADDRESSES 64
#define INLINED   16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct elf_line line[INLINED];
	struct elf_lines *lines;
	struct elf_image *e;
	uint64_t lo = 0, hi = 0;

	if (elf_open(fuzz_file(data, n), &e) != 0)
		return 0;
	if (elf_lines_present(e) && elf_code_extent(e, &lo, &hi) &&
	    elf_lines_open(e, getpid(), &lines) == 0) {
		for (uint64_t i = 0; i < ADDRESSES; i++) {
			size_t got = elf_lines_at(lines, lo + (hi - lo) / ADDRESSES * i, line, INLINED);

			if (got > INLINED)
				abort();
			for (size_t k = 0; k < got; k++) /* texts are strings */
				if ((line[k].function && strlen(line[k].function) > n) ||
				    strlen(line[k].scope) >= sizeof(line[k].scope) ||
				    (line[k].file && strlen(line[k].file) > n))
					abort();
		}
		elf_lines_close(lines);
	}
	elf_close(e);
	return 0;
}
