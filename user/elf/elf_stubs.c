/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "elf/elf_stubs.h"

#include <stdlib.h>
#include <string.h>

#include "elf/elf_internal.h"

#define MAX_TABLE_BYTES (64ULL << 20)

bool elf_is_stub(const struct elf_image *e, uint64_t vaddr)
{
	const Elf64_Shdr *dynsym = elf_section_find(e, SHT_DYNSYM, NULL);
	struct elf_blob symbols = {0};
	bool is = false;

	if (dynsym && vaddr && !elf_section_load(e, dynsym, MAX_TABLE_BYTES, &symbols))
		for (size_t i = 0; i < symbols.n / sizeof(Elf64_Sym) && !is; i++) {
			Elf64_Sym s;

			memcpy(&s, symbols.p + i * sizeof(s), sizeof(s));
			is = s.st_value == vaddr && s.st_shndx == SHN_UNDEF &&
			     ELF64_ST_TYPE(s.st_info) == STT_FUNC;
		}
	free(symbols.p);
	return is;
}
