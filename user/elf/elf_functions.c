/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which function of an ELF file an address lies in: symbol tables, sorted once. */
#include "elf/elf_functions.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "elf/elf_internal.h"

#define MAX_TABLE_BYTES   (256ULL << 20) /* one .symtab or .strtab; a debug build of a JVM has 10 MiB */
#define MAX_OVERLAPS      64             /* functions looked at that start below an address and may hold it */
#define MAX_NAME_BYTES    1024           /* kept of a name: as much as is shown (SYMBOL_NAME_BYTES) */
#define SYMBOLS_AT_ONCE   2048
#define WINDOW_BYTES      65536
#define FIRST_CAP         8 /* of VEC_ADD() */
#define FIRST_NAMES_BYTES 4096
#define SORTED_AT_ONCE    4096 /* functions, between two looks at the time */

/*
 * Among several names of one address: what is exported, then what is for the public, then the shorter;
 * the choice must not depend on the order in the table, which strip changes.
 */
static uint8_t binding(const Elf64_Sym *sym)
{
	return (ELF64_ST_BIND(sym->st_info) == STB_GLOBAL ? 0
		: ELF64_ST_BIND(sym->st_info) == STB_WEAK ? 1
							  : 2)
	       << 2;
}

static uint8_t underscores(const char *name)
{
	size_t n = strspn(name, "_");

	return n > 3 ? 3 : n;
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

/* Room for one function more is paid for. */
static int pay_growth(struct elf_functions *f, const struct elf_image *e)
{
	return f->n < f->cap ? 0
			     : budget_take(elf_budget(e), (f->cap ?: FIRST_CAP) * sizeof(*f->v), &f->held);
}

/* All functions of the section, some at a time. preference is that of the symbol, name_at that in the file.
 */
static int add_symbols(struct elf_functions *f, const struct elf_image *e, const Elf64_Shdr *sh,
		       uint64_t names_n)
{
	Elf64_Sym *syms = malloc(SYMBOLS_AT_ONCE * sizeof(*syms));
	uint64_t offset, bytes, n;
	int rc = syms ? elf_section_place(e, sh, MAX_TABLE_BYTES, &offset, &bytes) : -ENOMEM;

	for (n = rc ? 0 : bytes / sizeof(*syms); !rc && n; offset += SYMBOLS_AT_ONCE * sizeof(*syms)) {
		size_t some = n < SYMBOLS_AT_ONCE ? n : SYMBOLS_AT_ONCE;

		rc = elf_get(e, syms, some * sizeof(*syms), offset);
		for (size_t i = 0; !rc && i < some; i++) {
			struct elf_function range = {0}, *fn;

			if (syms[i].st_name >= names_n || !function_range(e, &syms[i], &range))
				continue;
			range.name_at = syms[i].st_name;
			range.preference = binding(&syms[i]);
			rc = pay_growth(f, e);
			fn = rc ? NULL : VEC_ADD(f);
			if (fn)
				*fn = range;
			else
				rc = rc ?: -ENOMEM;
		}
		n -= some;
	}
	free(syms);
	return rc;
}

/* Where in the file's string table names are read, as they are asked for in order. */
struct window {
	const struct elf_image *e;
	uint64_t offset, n; /* of the table */
	uint64_t at;        /* of text, in the table */
	size_t text_n;
	char text[WINDOW_BYTES];
};

/* The text at `at`, at most MAX_NAME_BYTES of it; -EPROTO: it has no end. Its length. */
static int window_text(struct window *w, uint64_t at, const char **text)
{
	uint64_t want = w->n - at < MAX_NAME_BYTES ? w->n - at : MAX_NAME_BYTES;
	size_t len;

	if (at < w->at || at + want > w->at + w->text_n) {
		int rc;

		w->at = at;
		w->text_n = w->n - at < sizeof(w->text) ? w->n - at : sizeof(w->text);
		rc = elf_get(w->e, w->text, w->text_n, w->offset + at);
		if (rc) {
			w->text_n = 0;
			return rc;
		}
	}
	*text = w->text + (at - w->at);
	len = strnlen(*text, want);
	return len == want && want < MAX_NAME_BYTES ? -EPROTO : (int)len;
}

static int keep_name(struct elf_functions *f, const struct elf_image *e, const char *text, size_t len)
{
	while (f->names_cap - f->names_bytes <= len) {
		size_t more = f->names_cap ?: FIRST_NAMES_BYTES;
		char *p;
		int rc = budget_take(elf_budget(e), more, &f->held);

		if (rc)
			return rc;
		p = realloc(f->names, f->names_cap + more);
		if (!p)
			return -ENOMEM;
		f->names = p;
		f->names_cap += more;
	}
	memcpy(f->names + f->names_bytes, text, len);
	f->names[f->names_bytes + len] = '\0';
	f->names_bytes += len + 1;
	return 0;
}

/* Sorting that ends when there is no time left. */
struct sorting {
	int (*compare)(const struct elf_function *x, const struct elf_function *y, const char *names);
	const char *names;
	struct budget *budget;
};

static int compare_in(const void *a, const void *b, void *arg)
{
	const struct sorting *s = arg;

	return s->compare(a, b, s->names);
}

/* Two sorted runs, that end at mid and end, into one. As budget_check(). */
static int merge(const struct sorting *s, const struct elf_function *from, size_t mid, size_t end,
		 struct elf_function *to)
{
	size_t i = 0, k = mid;
	int rc = 0;

	for (size_t n = 0; !rc && i < mid && k < end; n++) {
		to[n] = s->compare(&from[i], &from[k], s->names) <= 0 ? from[i++] : from[k++];
		if (n % SORTED_AT_ONCE == 0)
			rc = budget_check(s->budget);
	}
	if (!rc) {
		memcpy(to + i + k - mid, from + i, (mid - i) * sizeof(*from));
		memcpy(to + k, from + k, (end - k) * sizeof(*from));
	}
	return rc;
}

/* Stable. 0, -ENOMEM, or as budget_check(): then v has any order. qsort() could not be left. */
static int sort(const struct sorting *s, struct elf_function *v, size_t n)
{
	struct elf_function *spare = malloc(n * sizeof(*v) ?: 1), *from = v, *to = spare;
	int rc = spare ? 0 : -ENOMEM;

	for (size_t at = 0; !rc && at < n; at += SORTED_AT_ONCE) {
		qsort_r(v + at, n - at < SORTED_AT_ONCE ? n - at : SORTED_AT_ONCE, sizeof(*v), compare_in,
			(void *)s);
		rc = budget_check(s->budget);
	}
	for (size_t run = SORTED_AT_ONCE; !rc && run < n; run *= 2) {
		for (size_t at = 0; !rc && at < n; at += 2 * run) {
			size_t end = n - at < 2 * run ? n - at : 2 * run;

			rc = merge(s, from + at, run < end ? run : end, end, to + at);
		}
		from = to;
		to = from == v ? spare : v;
	}
	if (!rc && from != v)
		memcpy(v, from, n * sizeof(*v));
	free(spare);
	return rc;
}

static int compare_places(const struct elf_function *x, const struct elf_function *y, const char *names)
{
	(void)names;
	return x->name_at < y->name_at ? -1 : x->name_at > y->name_at;
}

/* Is it the name of a function? "$x": arm64's marks of code and data. */
static bool is_name(const char *text, size_t len)
{
	return len && text[0] != '$';
}

/*
 * Give the functions from first on their names, in the order of the file's table, of which only what is used
 * is read and kept: the table itself may be large and empty.
 */
static int read_names(struct elf_functions *f, size_t first, struct window *w)
{
	uint64_t last_at = UINT64_MAX;
	const struct sorting s = {.compare = compare_places, .budget = elf_budget(w->e)};
	size_t kept = first, name_at = 0;
	bool named = false;
	int sorted = f->n > first ? sort(&s, f->v + first, f->n - first) : 0;

	if (sorted)
		return sorted;
	for (size_t i = first; i < f->n; i++) {
		const char *text = NULL;

		if (f->v[i].name_at != last_at) {
			int len, rc = 0;

			last_at = f->v[i].name_at;
			len = window_text(w, last_at, &text);
			named = len >= 0 && is_name(text, len);
			name_at = f->names_bytes;
			if (named)
				rc = keep_name(f, w->e, text, len);
			else if (len < 0 && len != -EPROTO)
				rc = len;
			if (rc || f->names_bytes > UINT32_MAX)
				return rc ?: -E2BIG;
		}
		if (!named)
			continue;
		f->v[kept] = f->v[i];
		f->v[kept].name_at = (uint32_t)name_at;
		f->v[kept++].preference |= underscores(f->names + name_at);
	}
	f->n = kept;
	return 0;
}

int elf_functions_add(struct elf_functions *f, const struct elf_image *e, enum elf_symtab which)
{
	const Elf64_Shdr *sh = elf_section_find(e, which == ELF_SYMTAB ? SHT_SYMTAB : SHT_DYNSYM, NULL);
	size_t first = f->n;
	struct window *w;
	int rc;

	if (!sh || sh->sh_link >= e->nr_sh || sh->sh_entsize != sizeof(Elf64_Sym))
		return 0;
	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->e = e;
	rc = elf_section_place(e, &e->sh[sh->sh_link], MAX_TABLE_BYTES, &w->offset, &w->n);
	rc = rc ?: add_symbols(f, e, sh, w->n);
	rc = rc ?: f->nameless ? rc : read_names(f, first, w);
	free(w);
	/* a table that lies is none; what takes too much, or was interrupted, is not read at all */
	if (rc && rc != -ENOMEM && rc != -EDQUOT && rc != -EINTR) {
		f->n = first;
		rc = rc == -E2BIG ? -EDQUOT : 0;
	}
	return rc ?: (int)(f->n - first);
}

/* By start; of one start the best name is last, where the search begins. */
static int compare_starts(const struct elf_function *x, const struct elf_function *y, const char *names)
{
	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	if (x->sized != y->sized)
		return x->sized ? 1 : -1;
	if (x->preference != y->preference)
		return x->preference < y->preference ? 1 : -1;
	return names ? strcmp(names + y->name_at, names + x->name_at) : 0;
}

int elf_functions_sort(struct elf_functions *f, struct budget *b)
{
	const struct sorting s = {.compare = compare_starts, .names = f->names, .budget = b};
	uint64_t next = UINT64_MAX;
	int rc = sort(&s, f->v, f->n);

	if (rc)
		return rc;
	for (size_t i = f->n; i-- > 0;) {
		struct elf_function *fn = &f->v[i];

		if (i + 1 < f->n && f->v[i + 1].start != fn->start)
			next = f->v[i + 1].start;
		if (!fn->sized && next < fn->end)
			fn->end = next;
	}
	return 0;
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
	budget_give(&f->held);
	*f = (struct elf_functions){0};
}
