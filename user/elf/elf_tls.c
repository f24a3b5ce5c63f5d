/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "elf/elf_tls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "elf/elf_internal.h"

#define MAX_TABLE_BYTES (64ULL << 20)

static uint32_t symbol_named(const struct elf_blob *symbols, const struct elf_blob *names, const char *name,
			     Elf64_Sym *out)
{
	size_t n = strlen(name) + 1;

	for (size_t i = 1; i < symbols->n / sizeof(*out); i++) {
		memcpy(out, symbols->p + i * sizeof(*out), sizeof(*out));
		if (ELF64_ST_TYPE(out->st_info) == STT_TLS && out->st_shndx != SHN_UNDEF &&
		    out->st_name < names->n && names->n - out->st_name >= n &&
		    !memcmp(names->p + out->st_name, name, n))
			return (uint32_t)i;
	}
	return 0;
}

/* The first word that gets the number of this module, by a relocation without a symbol or of this one. */
static uint64_t module_word(const struct elf_blob *relocations, uint32_t symbol)
{
	for (size_t i = 0; i < relocations->n / sizeof(Elf64_Rela); i++) {
		Elf64_Rela r;

		memcpy(&r, relocations->p + i * sizeof(r), sizeof(r));
		if (ELF64_R_TYPE(r.r_info) == R_X86_64_DTPMOD64 &&
		    (!ELF64_R_SYM(r.r_info) || ELF64_R_SYM(r.r_info) == symbol))
			return r.r_offset;
	}
	return 0;
}

static int load_section(const struct elf_image *e, const Elf64_Shdr *sh, struct elf_blob *out)
{
	int rc = sh ? elf_section_load(e, sh, MAX_TABLE_BYTES, out) : 0;

	return rc == -ENOENT ? 0 : rc;
}

int elf_tls_read(const struct elf_image *e, const char *symbol, struct elf_tls *out)
{
	const Elf64_Shdr *dynsym = elf_section_find(e, SHT_DYNSYM, NULL);
	struct elf_blob symbols = {0}, names = {0}, relocations = {0};
	uint32_t index;
	Elf64_Sym sym;
	int rc;

	*out = (struct elf_tls){.offset = -1};
	for (size_t i = 0; i < e->nr_ph; i++)
		if (e->ph[i].p_type == PT_TLS) {
			out->bytes = e->ph[i].p_memsz;
			out->align = e->ph[i].p_align;
		}
	if (!out->bytes || elf_machine(e) != EM_X86_64)
		return 0;
	rc = load_section(e, dynsym, &symbols);
	if (!rc && dynsym && dynsym->sh_link < e->nr_sh)
		rc = load_section(e, &e->sh[dynsym->sh_link], &names);
	rc = rc ?: load_section(e, elf_section_find(e, SHT_RELA, ".rela.dyn"), &relocations);
	if (!rc) {
		index = symbol_named(&symbols, &names, symbol, &sym);
		out->offset = index ? (int64_t)sym.st_value : -1;
		out->module_at = module_word(&relocations, index);
	}
	free(symbols.p);
	free(names.p);
	free(relocations.p);
	return rc;
}
