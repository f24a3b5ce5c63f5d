/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Code at which a probe may be placed. */
#include "fuzz.h"

#include <elf.h>
#include <string.h>

#include "arch/insn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	uint16_t machine = fuzz_number(&data, &n, 1) & 1 ? EM_AARCH64 : EM_X86_64;
	uint8_t *code = malloc(n ? n : 1); /* exactly as long as it is */
	struct insn insn;
	size_t at = 0;

	if (!code)
		abort();
	memcpy(code, data, n);
	do {
		insn_decode(machine, code + at, n - at, &insn);
		if (!insn.name || insn.size_bytes > n - at || (insn.skippable && !insn.size_bytes))
			abort(); /* a probe may move past it */
		at += insn.size_bytes;
	} while (insn.size_bytes && at < n);
	free(code);
	return 0;
}
