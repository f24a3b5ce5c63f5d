/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which function of an ELF file an address lies in: symbol tables, sorted once. */
#include "elf/elf_functions.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "elf/elf_internal.h"

#define MAX_TABLE_BYTES (256ULL << 20) /* one .symtab or .strtab; a debug build of a JVM has 10 MiB */
#define MAX_OVERLAPS    64             /* functions looked at that start below an address and may hold it */

/*
 * Among several names of one address: what is exported, then what is for the public, then the shorter;
 * the choice must not depend on the order in the table, which strip changes.
 */
static uint8_t preference(const Elf64_Sym *sym, const char *name)
{
	size_t underscores = strspn(name, "_");
	uint8_t p = ELF64_ST_BIND(sym->st_info) == STB_GLOBAL ? 0
		    : ELF64_ST_BIND(sym->st_info) == STB_WEAK ? 1
							      : 2;

	return p << 2 | (underscores > 3 ? 3 : underscores);
}

/* Is it a function with a name, in a section with code? Its range goes to out. */
static bool function_range(const struct elf_image *e, const Elf64_Sym *sym, struct elf_function *out)
{
	unsigned int type = ELF64_ST_TYPE(sym->st_info);
	const Elf64_Shdr *sh;
	uint64_t section_end;

	/* Assembler functions often have no type; local names without one are labels. */
	if (type != STT_FUNC && type != STT_GNU_IFUNC &&
	    (type != STT_NOTYPE || ELF64_ST_BIND(sym->st_info) == STB_LOCAL))
		return false;
	if (sym->st_shndx == SHN_UNDEF || sym->st_shndx >= e->nr_sh)
		return false;
	sh = &e->sh[sym->st_shndx];
	if (!(sh->sh_flags & SHF_EXECINSTR) ||
	    __builtin_add_overflow(sh->sh_addr, sh->sh_size, &section_end) || sym->st_value < sh->sh_addr ||
	    sym->st_value >= section_end)
		return false;
	out->start = sym->st_value;
	out->end = section_end;
	out->sized = sym->st_size;
	if (sym->st_size && sym->st_size < section_end - sym->st_value)
		out->end = sym->st_value + sym->st_size;
	return true;
}

/* Append a string table; it ends with a terminator whatever the file says. Returns where it starts. */
static int names_add(struct elf_functions *f, const struct elf_blob *strings, size_t *at)
{
	size_t bytes = f->names_bytes + strings->n + 1;
	char *p;

	if (bytes > UINT32_MAX)
		return -E2BIG;
	p = realloc(f->names, bytes);
	if (!p)
		return -ENOMEM;
	memcpy(p + f->names_bytes, strings->p, strings->n);
	p[bytes - 1] = '\0';
	*at = f->names_bytes;
	f->names = p;
	f->names_bytes = bytes;
	return 0;
}

static int add_all(struct elf_functions *f, const struct elf_image *e, const struct elf_blob *symbols,
		   const struct elf_blob *strings)
{
	size_t names_at, n = 0;
	int rc = names_add(f, strings, &names_at);

	if (rc)
		return rc;
	for (size_t i = 0; i < symbols->n / sizeof(Elf64_Sym); i++) {
		struct elf_function range = {0}, *fn;
		const char *name;
		Elf64_Sym sym;

		memcpy(&sym, symbols->p + i * sizeof(sym), sizeof(sym));
		if (sym.st_name >= strings->n || !function_range(e, &sym, &range))
			continue;
		range.name_at = names_at + sym.st_name;
		name = f->names + range.name_at;
		if (!name[0] || name[0] == '$') /* "$x": arm64's marks of code and data */
			continue;
		range.preference = preference(&sym, name);
		fn = VEC_ADD(f);
		if (!fn)
			return -ENOMEM;
		*fn = range;
		n++;
	}
	return (int)n;
}

int elf_functions_add(struct elf_functions *f, const struct elf_image *e, enum elf_symtab which)
{
	const Elf64_Shdr *sh = elf_section_find(e, which == ELF_SYMTAB ? SHT_SYMTAB : SHT_DYNSYM, NULL);
	struct elf_blob symbols, strings;
	int rc;

	if (!sh || sh->sh_link >= e->nr_sh || sh->sh_entsize != sizeof(Elf64_Sym))
		return 0;
	if (elf_section_load(e, sh, MAX_TABLE_BYTES, &symbols))
		return 0;
	rc = elf_section_load(e, &e->sh[sh->sh_link], MAX_TABLE_BYTES, &strings);
	rc = rc ? 0 : add_all(f, e, &symbols, &strings);
	free(symbols.p);
	free(strings.p);
	return rc;
}

/* By start; of one start the best name is last, where the search begins. */
static int compare(const void *a, const void *b, void *names)
{
	const struct elf_function *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	if (x->sized != y->sized)
		return x->sized ? 1 : -1;
	if (x->preference != y->preference)
		return x->preference < y->preference ? 1 : -1;
	return strcmp((char *)names + y->name_at, (char *)names + x->name_at);
}

void elf_functions_sort(struct elf_functions *f)
{
	uint64_t next = UINT64_MAX;

	if (!f->n)
		return;
	qsort_r(f->v, f->n, sizeof(*f->v), compare, f->names);
	for (size_t i = f->n; i-- > 0;) {
		struct elf_function *fn = &f->v[i];

		if (i + 1 < f->n && f->v[i + 1].start != fn->start)
			next = f->v[i + 1].start;
		if (!fn->sized && next < fn->end)
			fn->end = next;
	}
}

const struct elf_function *elf_functions_find(const struct elf_functions *f, uint64_t vaddr)
{
	const struct elf_function *unsized = NULL;
	size_t lo = 0, hi = f->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (f->v[mid].start <= vaddr)
			lo = mid + 1;
		else
			hi = mid;
	}
	/* The nearest start below wins; a label inside a function does not hide the function. */
	for (size_t i = lo; i-- > 0 && lo - i <= MAX_OVERLAPS;) {
		const struct elf_function *fn = &f->v[i];

		if (vaddr >= fn->end)
			continue;
		if (fn->sized)
			return fn;
		if (!unsized)
			unsized = fn;
	}
	return unsized;
}

const char *elf_function_name(const struct elf_functions *f, const struct elf_function *fn)
{
	return f->names + fn->name_at;
}

void elf_functions_free(struct elf_functions *f)
{
	free(f->v);
	free(f->names);
	*f = (struct elf_functions){0};
}
