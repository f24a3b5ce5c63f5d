/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "run/pair_symbols.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/insn.h"
#include "elf/elf_cfi.h"
#include "elf/elf_functions.h"
#include "elf/elf_stubs.h"
#include "elf/elf_versions.h"
#include "run/near.h"
#include "run/pair_text.h"
#include "sites/site_locs.h"
#include "symbols/demangle.h"

#define MAX_PASSED     16 /* instructions between a function's beginning and a place in it */
#define MAX_INSN_BYTES 16

static int refuse(char why[PAIR_WHY_BYTES], int rc, const char *fmt, ...) JT_PRINTF(3, 4);

static int refuse(char why[PAIR_WHY_BYTES], int rc, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, PAIR_WHY_BYTES, fmt, ap);
	va_end(ap);
	return rc;
}

static int load_functions(const struct vm_file *file, struct elf_functions *f)
{
	int rc = elf_functions_add(f, file->elf, ELF_DYNSYM);

	rc = rc < 0 ? rc : elf_functions_add(f, file->elf, ELF_SYMTAB);
	return rc < 0 ? rc : elf_functions_sort(f, elf_budget(file->elf));
}

/* The function's part of a text, without version and offset. */
struct parts {
	char name[PAIR_SYMBOL_BYTES], version[PAIR_SYMBOL_BYTES];
	uint64_t offset;
	bool has_offset;
};

static void take_apart(const char *text, struct parts *out)
{
	const char *plus = strstr(text, "+0x"), *at = strchr(text, '@');
	size_t n = strcspn(text, "@+");

	*out = (struct parts){.offset = plus ? strtoull(plus + 1, NULL, 16) : 0, .has_offset = plus};
	snprintf(out->name, sizeof(out->name), "%.*s", (int)n, text);
	if (at)
		at += strspn(at, "@");
	if (at)
		snprintf(out->version, sizeof(out->version), "%.*s", (int)strcspn(at, "+"), at);
}

/* As in the source, without parameters. Several are named by their mangled names. */
static int find_demangled(const struct vm_file *file, const char *name, uint64_t *vaddr,
			  char why[PAIR_WHY_BYTES])
{
	struct elf_functions f = {0};
	char readable[SYMBOL_NAME_BYTES], all[PAIR_WHY_BYTES / 2] = "";
	size_t n = 0, used = 0;
	int rc = load_functions(file, &f);

	for (size_t i = 0; rc >= 0 && i < f.n; i++) {
		const char *mangled = elf_function_name(&f, &f.v[i]);

		/* ".cold" and what else a compiler has split off are no calls of it */
		if (strchr(mangled, '.') || strcmp(demangle(readable, sizeof(readable), mangled), name))
			continue;
		if (n && f.v[i].start == *vaddr)
			continue;
		*vaddr = f.v[i].start;
		n++;
		if (used < sizeof(all))
			used += (size_t)snprintf(all + used, sizeof(all) - used, "%s%s", used ? ", " : "",
						 mangled);
	}
	elf_functions_free(&f);
	if (rc < 0)
		return rc;
	return n == 1 ? 0
	       : n    ? refuse(why, -EINVAL, "%zu functions have this name: give one of %s", n, all)
		      : -ENOENT;
}

static int find_plain(const struct vm_file *file, const char *name, uint64_t *vaddr)
{
	for (int table = 0; table < NR_ELF_SYMTABS; table++) {
		struct elf_wanted wanted = {.name = name};

		if (elf_find_symbols(file->elf, (enum elf_symtab)table, &wanted, 1) > 0) {
			*vaddr = wanted.vaddr;
			return 0;
		}
	}
	return -ENOENT;
}

/* Are the arguments and the return address at `to` where they are at the function's beginning? */
static bool is_as_at(const struct vm_file *file, uint64_t begin, uint64_t to)
{
	uint16_t machine = elf_machine(file->elf);

	for (int i = 0; i < MAX_PASSED && begin < to; i++) {
		uint8_t code[MAX_INSN_BYTES];
		struct insn insn;

		insn_decode(machine, code, elf_read(file->elf, begin, code, sizeof(code)), &insn);
		if (!insn.size_bytes || !insn.skippable || insn.writes & regs_of_args(machine))
			return false;
		begin += insn.size_bytes;
	}
	return begin == to;
}

/* May a function be called at this address, as far as the file tells? */
static bool is_beginning(const struct vm_file *file, uint64_t vaddr)
{
	struct elf_cfi_table *cfi = NULL;
	struct elf_functions f = {0};
	const struct elf_function *fn;
	bool is = !elf_cfi_open(file->elf, &cfi) && elf_cfi_begins(cfi, vaddr);

	elf_cfi_close(cfi);
	if (!is && load_functions(file, &f) >= 0) {
		fn = elf_functions_find(&f, vaddr);
		is = fn && is_as_at(file, fn->start, vaddr);
	}
	elf_functions_free(&f);
	return is || elf_is_stub(file->elf, vaddr);
}

static int check_place(const struct vm_file *file, uint64_t vaddr, char why[PAIR_WHY_BYTES])
{
	if (!elf_is_code(file->elf, vaddr))
		return refuse(why, -EINVAL, "0x%" PRIx64 " is not in the code of the file", vaddr);
	if (is_beginning(file, vaddr))
		return 0;
	return refuse(why, -EINVAL,
		      "no function begins at 0x%" PRIx64
		      ", so it is not known what is in the argument registers there",
		      vaddr);
}

/* Is there a symbol of this name that is no function's? */
static bool is_indirect(const struct vm_file *file, const char *name)
{
	struct elf_functions f = {0};
	bool is = false;

	if (load_functions(file, &f) >= 0)
		for (size_t i = 0; i < f.n && !is; i++)
			is = !strcmp(elf_function_name(&f, &f.v[i]), name);
	elf_functions_free(&f);
	return is;
}

int pair_symbol_find(const struct vm_file *file, const char *text, uint64_t *vaddr, char why[PAIR_WHY_BYTES])
{
	struct parts p;
	int rc;

	*why = '\0';
	if (!strncmp(text, "0x", 2)) {
		*vaddr = strtoull(text, NULL, 16);
		return check_place(file, *vaddr, why);
	}
	take_apart(text, &p);
	if (strstr(p.name, "::"))
		rc = find_demangled(file, p.name, vaddr, why);
	else
		rc = elf_find_version(file->elf, p.name, p.version[0] ? p.version : NULL, vaddr);
	if (rc == -ENOENT && p.has_offset && !p.version[0])
		rc = find_plain(file, p.name, vaddr);
	if (rc == -ENOENT && !*why && !p.version[0] && is_indirect(file, p.name))
		return refuse(
		    why, -EINVAL,
		    "it only chooses at run time which function is called (IFUNC), or its symbol has "
		    "no type: give that function, or its address, as 0x1234");
	if (rc || !p.has_offset)
		return rc;
	if (p.offset && is_as_at(file, *vaddr, *vaddr + p.offset)) {
		*vaddr += p.offset;
		return 0;
	}
	*vaddr += p.offset;
	return p.offset ? check_place(file, *vaddr, why) : 0;
}

/* What is behind the last "::" of a readable name. */
static const char *last_part(const char *name)
{
	const char *at = name;

	for (const char *next; (next = strstr(at, "::")); at = next + 2)
		;
	return at;
}

void pair_symbols_near(const struct vm_file *file, const char *text, char *out, size_t cap)
{
	struct elf_functions f = {0};
	struct near near = {0};
	struct parts p;

	take_apart(text, &p);
	if (elf_functions_add(&f, file->elf, ELF_DYNSYM) >= 0)
		elf_functions_add(&f, file->elf, ELF_SYMTAB);
	for (size_t i = 0; i < f.n; i++) {
		const char *name = elf_function_name(&f, &f.v[i]);
		char readable[SYMBOL_NAME_BYTES], shown[NEAR_SHOWN];

		near_add(&near, p.name, name, name);
		if (strncmp(name, "_Z", 2) && strncmp(name, "_R", 2))
			continue;
		demangle(readable, sizeof(readable), name);
		snprintf(shown, sizeof(shown), "%.120s (%.70s)", name, readable);
		near_add(&near, p.name, strstr(p.name, "::") ? readable : last_part(readable), shown);
	}
	near_put(&near, out, cap);
	elf_functions_free(&f);
}
