/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* .gnu.version has a number for each symbol of .dynsym, .gnu.version_d the names of these (LSB Core, 10.7).
 */
#include "elf/elf_versions.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "elf/elf_internal.h"

#define MAX_TABLE_BYTES  (64 << 20)
#define MAX_DEFINITIONS  4096
#define VERSION_HIDDEN   0x8000 /* not the default one */
#define VERSION_RESERVED 2      /* numbers below it are no definitions: local, global */

struct tables {
	struct elf_blob symbols, names, versions, definitions;
};

/* Terminated within the table; NULL: it is not. */
static const char *string_at(const struct elf_blob *names, uint64_t at)
{
	return at < names->n && memchr(names->p + at, '\0', names->n - at) ? (const char *)names->p + at
									   : NULL;
}

/* Is the version of this number called so? */
static bool is_called(const struct tables *t, uint16_t number, const char *version)
{
	uint64_t at = 0;

	for (int i = 0; i < MAX_DEFINITIONS; i++) {
		Elf64_Verdef d;
		Elf64_Verdaux a;
		const char *name;

		if (t->definitions.n < sizeof(d) || at > t->definitions.n - sizeof(d))
			return false;
		memcpy(&d, t->definitions.p + at, sizeof(d));
		if (d.vd_ndx == number) {
			at += d.vd_aux;
			if (at > t->definitions.n - sizeof(a))
				return false;
			memcpy(&a, t->definitions.p + at, sizeof(a));
			name = string_at(&t->names, a.vda_name);
			return name && !strcmp(name, version);
		}
		if (!d.vd_next)
			return false;
		at += d.vd_next;
	}
	return false;
}

static int find(const struct tables *t, const char *name, const char *version, uint64_t *vaddr)
{
	size_t n = t->symbols.n / sizeof(Elf64_Sym);

	if (t->versions.n / sizeof(Elf64_Versym) < n)
		return -EPROTO;
	for (size_t i = 0; i < n; i++) {
		Elf64_Sym s;
		Elf64_Versym v;
		const char *is;

		memcpy(&s, t->symbols.p + i * sizeof(s), sizeof(s));
		if (ELF64_ST_TYPE(s.st_info) != STT_FUNC || !s.st_value || s.st_shndx == SHN_UNDEF)
			continue;
		is = string_at(&t->names, s.st_name);
		if (!is || strcmp(is, name))
			continue;
		memcpy(&v, t->versions.p + i * sizeof(v), sizeof(v));
		if (version ? !is_called(t, v & ~VERSION_HIDDEN, version)
			    : v & VERSION_HIDDEN || v < VERSION_RESERVED)
			continue;
		*vaddr = s.st_value;
		return 0;
	}
	return -ENOENT;
}

int elf_find_version(const struct elf_image *e, const char *name, const char *version, uint64_t *vaddr)
{
	const Elf64_Shdr *symbols = elf_section_find(e, SHT_DYNSYM, NULL),
			 *versions = elf_section_find(e, SHT_GNU_versym, NULL),
			 *definitions = elf_section_find(e, SHT_GNU_verdef, NULL);
	struct tables t = {0};
	int rc;

	if (!symbols || !versions || !definitions)
		return -ENOENT;
	if (symbols->sh_link >= e->nr_sh || symbols->sh_entsize != sizeof(Elf64_Sym))
		return -EPROTO;
	budget_begin_file(e->budget);
	rc = elf_section_load(e, symbols, MAX_TABLE_BYTES, &t.symbols);
	rc = rc ?: elf_section_load(e, &e->sh[symbols->sh_link], MAX_TABLE_BYTES, &t.names);
	rc = rc ?: elf_section_load(e, versions, MAX_TABLE_BYTES, &t.versions);
	rc = rc ?: elf_section_load(e, definitions, MAX_TABLE_BYTES, &t.definitions);
	budget_end_file(e->budget);
	rc = rc ?: find(&t, name, version, vaddr);
	free(t.symbols.p);
	free(t.names.p);
	free(t.versions.p);
	free(t.definitions.p);
	return rc;
}

bool elf_has_symbol(const struct elf_image *e, const char *const *names, size_t n)
{
	const Elf64_Shdr *sh = elf_section_find(e, SHT_DYNSYM, NULL);
	struct elf_blob symbols = {0}, strings = {0};
	bool has = false;

	if (!sh || sh->sh_link >= e->nr_sh)
		return false;
	budget_begin_file(e->budget);
	if (!elf_section_load(e, sh, MAX_TABLE_BYTES, &symbols))
		elf_section_load(e, &e->sh[sh->sh_link], MAX_TABLE_BYTES, &strings);
	budget_end_file(e->budget);
	for (size_t i = 0; i < symbols.n / sizeof(Elf64_Sym) && !has; i++) {
		Elf64_Sym s;
		const char *is;

		memcpy(&s, symbols.p + i * sizeof(s), sizeof(s));
		is = string_at(&strings, s.st_name);
		for (size_t k = 0; is && k < n; k++)
			has |= !strcmp(is, names[k]);
	}
	free(symbols.p);
	free(strings.p);
	return has;
}
