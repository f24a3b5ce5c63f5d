/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* USDT notes of a library, and the operands that stand in them. */
#include "fuzz.h"

#include "elf/elf.h"
#include "sites/site_locs.h"
#include "tests/unit/tiny_elf.h"

#define NOTES_MAX 8192
#define OPERANDS  6

static void ask_operands(uint16_t machine, const char *args)
{
	struct loc loc;

	for (unsigned i = 0; i < OPERANDS; i++) {
		usdt_operand(machine, args, i, &loc);
		usdt_int_operand(machine, args, i, &loc);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	uint16_t machine = fuzz_number(&data, &n, 1) & 1 ? EM_AARCH64 : EM_X86_64;
	static struct tiny tiny;
	struct elf_usdts notes;
	struct elf_image *e;

	if (n > NOTES_MAX)
		return 0;
	tiny_start(&tiny, machine);
	tiny_section(&tiny, ".note.stapsdt", SHT_NOTE, data, n);
	tiny_section(&tiny, ".stapsdt.base", SHT_PROGBITS, "", 1);
	tiny_finish(&tiny);
	if (elf_open(tiny_memfd(tiny.b, tiny.n), &e) != 0)
		abort();
	if (elf_usdt_read(e, "hotspot", &notes) == 0) {
		for (size_t i = 0; i < notes.n; i++) {
			if (!elf_is_code(e, notes.v[i].vaddr))
				abort(); /* it is to be probed */
			ask_operands(machine, notes.v[i].args);
		}
		free(notes.v);
	}
	elf_close(e);
	return 0;
}
