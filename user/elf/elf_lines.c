/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * File, line and inlined functions of an address. libdw decodes; finding the unit and the function is
 * done here, because libdw before 0.191 finds no unit that .debug_aranges leaves out (clang writes none),
 * and looks for no function inside a namespace (Rust, clang).
 *
 * libdw opens further files by names a file gives, in our root and not the target's: split DWARF
 * (.dwo), which is not read at all, and shared DWARF (dwz), which is opened here instead.
 */
#include "elf/elf_lines.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwelf.h>
#include <errno.h>
#include <gelf.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "elf/elf_internal.h"
#include "proc/proc.h"

#define MAX_PLAIN_BYTES    (512ULL << 20) /* read at once, 0.3 s */
#define MAX_UNPACKED_BYTES (128ULL << 20) /* of compressed sections, 0.8 s; a JVM's are 340 MiB */
#define MAX_ARANGES_BYTES  (64ULL << 20)  /* libdw takes four times that */
#define MAX_UNIT_LINES     (8ULL << 20)   /* bytes of one unit's line program; libdw takes 100 times that */
#define MAX_STEPS          (1UL << 24)    /* DIEs and ranges looked at for one address: 1 s */
#define MAX_DIE_DEPTH      32
#define MAX_INLINED        32
#define MAX_ORIGINS        16 /* as libdw */
#define MAX_OVERLAPS       64 /* ranges looked at that start below an address and may hold it */

/* An address range and the DIE it belongs to. */
struct die_range {
	uint64_t start, end;
	Dwarf_Off die;
};
struct die_ranges {
	struct die_range *v;
	size_t n, cap;
};

/* A unit that was looked into: its functions. */
struct unit {
	Dwarf_Off die;
	struct die_ranges functions;
};

struct elf_lines {
	struct elf_lines *alt; /* shared DWARF */
	Elf *elf;
	Dwarf *dwarf;
	Elf_Data *line_section;
	size_t steps_left; /* of MAX_STEPS */
	bool units_read;
	struct die_ranges units; /* only read when .debug_aranges does not serve */
	struct {
		struct unit *v;
		size_t n, cap;
	} seen;
};

static int compare_ranges(const void *a, const void *b)
{
	const struct die_range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

static const struct die_range *ranges_find(const struct die_ranges *r, uint64_t vaddr)
{
	size_t lo = 0, hi = r->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (r->v[mid].start <= vaddr)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (size_t i = lo; i-- > 0 && lo - i <= MAX_OVERLAPS;)
		if (vaddr < r->v[i].end)
			return &r->v[i];
	return NULL;
}

static bool may_step(struct elf_lines *l)
{
	return l->steps_left && l->steps_left--;
}

/* Where linkers drop a function they leave its ranges, starting at 0 or 1 or ending beyond all. */
static void ranges_add(struct elf_lines *l, struct die_ranges *r, Dwarf_Die *die)
{
	Dwarf_Addr base, start, end;
	ptrdiff_t at = 0;

	while (may_step(l) && (at = dwarf_ranges(die, at, &base, &start, &end)) > 0) {
		struct die_range *range;

		if (start <= 1 || end <= start)
			continue;
		range = VEC_ADD(r);
		if (!range)
			return;
		*range = (struct die_range){start, end, dwarf_dieoffset(die)};
	}
}

static bool die_holds(struct elf_lines *l, Dwarf_Die *die, uint64_t vaddr)
{
	Dwarf_Addr base, start, end;
	ptrdiff_t at = 0;

	while (may_step(l) && (at = dwarf_ranges(die, at, &base, &start, &end)) > 0)
		if (vaddr >= start && vaddr < end)
			return true;
	return false;
}

static void ranges_sort(struct die_ranges *r)
{
	if (r->n)
		qsort(r->v, r->n, sizeof(*r->v), compare_ranges);
}

/* A whole unit of code: not a type, a partial one, nor one whose DIEs are in another file. */
static bool is_plain_unit(Dwarf_Die *unit_die)
{
	uint8_t type;

	return !dwarf_cu_info(unit_die->cu, NULL, &type, NULL, NULL, NULL, NULL, NULL) &&
	       type == DW_UT_compile;
}

static void read_units(struct elf_lines *l)
{
	Dwarf_CU *unit = NULL;
	Dwarf_Die die;
	uint8_t type;

	l->units_read = true;
	while (may_step(l) && !dwarf_get_units(l->dwarf, unit, &unit, NULL, &type, &die, NULL))
		if (type == DW_UT_compile)
			ranges_add(l, &l->units, &die);
	ranges_sort(&l->units);
}

/*
 * Two ways to a unit. .debug_aranges is quick, but may leave units out, and where the linker dropped a large
 * function it says that one lies at 0 and over all that really lies there.
 */
enum unit_way { BY_ARANGES, BY_RANGES, NR_UNIT_WAYS };

static bool find_unit(struct elf_lines *l, enum unit_way way, uint64_t vaddr, Dwarf_Die *out)
{
	const struct die_range *range;
	Dwarf_Aranges *aranges;
	Dwarf_Off off;

	if (way == BY_ARANGES)
		return !dwarf_getaranges(l->dwarf, &aranges, NULL) && aranges &&
		       !dwarf_getarangeinfo(dwarf_getarange_addr(aranges, vaddr), NULL, NULL, &off) &&
		       dwarf_offdie(l->dwarf, off, out) && is_plain_unit(out);
	if (!l->units_read)
		read_units(l);
	range = ranges_find(&l->units, vaddr);
	return range && dwarf_offdie(l->dwarf, range->die, out) && is_plain_unit(out);
}

/* DIEs in which a function may be defined. */
static bool holds_functions(Dwarf_Die *die)
{
	switch (dwarf_tag(die)) {
	case DW_TAG_namespace:
	case DW_TAG_module:
	case DW_TAG_class_type:
	case DW_TAG_structure_type:
	case DW_TAG_union_type:
	case DW_TAG_subprogram:
	case DW_TAG_lexical_block:
		return true;
	default:
		return false;
	}
}

static void read_functions(struct elf_lines *l, struct unit *u, Dwarf_Die *unit_die)
{
	Dwarf_Die at[MAX_DIE_DEPTH];
	size_t depth = 0;

	if (dwarf_child(unit_die, &at[0]))
		return;
	while (may_step(l)) {
		if (dwarf_tag(&at[depth]) == DW_TAG_subprogram)
			ranges_add(l, &u->functions, &at[depth]);
		if (depth + 1 < MAX_DIE_DEPTH && holds_functions(&at[depth]) &&
		    !dwarf_child(&at[depth], &at[depth + 1])) {
			depth++;
			continue;
		}
		while (dwarf_siblingof(&at[depth], &at[depth])) {
			if (!depth--)
				return;
		}
	}
}

static const struct unit *unit_of(struct elf_lines *l, Dwarf_Die *unit_die)
{
	Dwarf_Off off = dwarf_dieoffset(unit_die);
	struct unit *u;

	for (size_t i = 0; i < l->seen.n; i++)
		if (l->seen.v[i].die == off)
			return &l->seen.v[i];
	u = VEC_ADD(&l->seen);
	if (!u)
		return NULL;
	u->die = off;
	read_functions(l, u, unit_die);
	ranges_sort(&u->functions);
	return u;
}

/* The child of die that holds vaddr and may be, or hold, an inlined call. */
static bool child_at(struct elf_lines *l, Dwarf_Die *die, uint64_t vaddr, Dwarf_Die *child)
{
	int rc = dwarf_child(die, child);

	for (; !rc && may_step(l); rc = dwarf_siblingof(child, child)) {
		int tag = dwarf_tag(child);

		if ((tag == DW_TAG_inlined_subroutine || tag == DW_TAG_lexical_block ||
		     tag == DW_TAG_try_block || tag == DW_TAG_catch_block) &&
		    die_holds(l, child, vaddr))
			return true;
	}
	return false;
}

/* From the function inwards: chain[0] is the function, each other one is inlined in the one before. */
static size_t inline_chain(struct elf_lines *l, Dwarf_Die *function, uint64_t vaddr, Dwarf_Die *chain,
			   size_t max)
{
	Dwarf_Die die = *function, child;
	size_t n = 0;

	chain[n++] = *function;
	while (n < max && child_at(l, &die, vaddr, &child)) {
		if (dwarf_tag(&child) == DW_TAG_inlined_subroutine)
			chain[n++] = child;
		die = child;
	}
	return n;
}

/* The child of die, or of what is below it, that lies at off or holds what lies there. */
static bool child_towards(struct elf_lines *l, Dwarf_Die *die, Dwarf_Off off, Dwarf_Die *child)
{
	Dwarf_Die next;

	if (dwarf_child(die, child) || dwarf_dieoffset(child) > off)
		return false;
	while (may_step(l) && !dwarf_siblingof(child, &next) && dwarf_dieoffset(&next) <= off)
		*child = next;
	return true;
}

/* What stands before "::" for a DIE that others lie in; NULL: nothing does. */
static const char *scope_name(Dwarf_Die *die)
{
	const char *name = dwarf_diename(die);

	switch (dwarf_tag(die)) {
	case DW_TAG_namespace:
		return name ? name : "(anonymous namespace)";
	case DW_TAG_class_type:
	case DW_TAG_structure_type:
	case DW_TAG_union_type:
		return name ? name : "(unnamed)";
	case DW_TAG_subprogram:
		return name;
	default:
		return NULL;
	}
}

/* C has no scopes, and no linkage names: not worth a search. */
static bool is_c(Dwarf_Die *unit_die)
{
	switch (dwarf_srclang(unit_die)) {
	case DW_LANG_C:
	case DW_LANG_C89:
	case DW_LANG_C99:
	case DW_LANG_C11:
		return true;
	default:
		return false;
	}
}

/* The namespaces and classes around the declaration of a function. DIEs know no parents: descend to it. */
static void find_scope(struct elf_lines *l, Dwarf_Die *function, char *scope)
{
	static const unsigned int origins[] = {DW_AT_abstract_origin, DW_AT_specification};
	Dwarf_Die decl = *function, die, child;
	size_t n = 0;

	for (int i = 0; i < MAX_ORIGINS; i++) {
		Dwarf_Attribute attr;
		Dwarf_Die origin;

		if (!dwarf_formref_die(dwarf_attr(&decl, origins[0], &attr), &origin) &&
		    !dwarf_formref_die(dwarf_attr(&decl, origins[1], &attr), &origin))
			break;
		decl = origin;
	}
	if (!dwarf_diecu(&decl, &die, NULL, NULL) || is_c(&die))
		return;
	for (int depth = 0; depth < MAX_DIE_DEPTH; depth++) {
		const char *name;
		int len;

		if (!child_towards(l, &die, dwarf_dieoffset(&decl), &child) ||
		    dwarf_dieoffset(&child) == dwarf_dieoffset(&decl))
			return;
		name = scope_name(&child);
		len = name ? snprintf(scope + n, ELF_LINE_SCOPE_BYTES - n, "%s::", name) : 0;
		if (len < 0 || (size_t)len >= ELF_LINE_SCOPE_BYTES - n) {
			scope[n] = '\0'; /* too long: what fits, in whole names */
			return;
		}
		n += len;
		die = child;
	}
}

/*
 * A linkage name says all. gcc writes none for what has no symbol: functions that are always inlined, in
 * an anonymous namespace or a function.
 */
static void name_function(struct elf_lines *l, Dwarf_Die *die, struct elf_line *out)
{
	static const unsigned int linkage[] = {DW_AT_linkage_name, DW_AT_MIPS_linkage_name};
	Dwarf_Attribute attr;

	for (size_t i = 0; i < ARRAY_LEN(linkage) && !out->function; i++)
		out->function = dwarf_formstring(dwarf_attr_integrate(die, linkage[i], &attr));
	if (out->function)
		return;
	out->function = dwarf_diename(die);
	if (out->function)
		find_scope(l, die, out->scope);
}

/* Is the unit's line program of a size libdw may decode? One byte can make a row of 64. */
static bool lines_are_sane(const struct elf_lines *l, Dwarf_Die *unit_die)
{
	const Elf_Data *d = l->line_section;
	Dwarf_Attribute attr;
	uint64_t bytes = 0;
	Dwarf_Word at;

	if (!d || !d->d_buf || dwarf_formudata(dwarf_attr(unit_die, DW_AT_stmt_list, &attr), &at) ||
	    d->d_size < 12 || at > d->d_size - 12)
		return false;
	memcpy(&bytes, (char *)d->d_buf + at, 4);
	if (bytes == UINT32_MAX) /* 64-bit DWARF */
		memcpy(&bytes, (char *)d->d_buf + at + 4, 8);
	return bytes <= MAX_UNIT_LINES;
}

/* Where the call was that became this inlined function. */
static void call_site(const struct elf_lines *l, Dwarf_Die *unit_die, Dwarf_Die *inlined,
		      struct elf_line *out)
{
	Dwarf_Attribute attr;
	Dwarf_Files *files;
	Dwarf_Word file, line;
	size_t n;

	if (!dwarf_formudata(dwarf_attr(inlined, DW_AT_call_line, &attr), &line) && line <= INT_MAX)
		out->line = (int)line;
	if (!dwarf_formudata(dwarf_attr(inlined, DW_AT_call_file, &attr), &file) &&
	    lines_are_sane(l, unit_die) && !dwarf_getsrcfiles(unit_die, &files, &n) && file < n)
		out->file = dwarf_filesrc(files, file, NULL, NULL);
}

static void source_line(const struct elf_lines *l, Dwarf_Die *unit_die, uint64_t vaddr, struct elf_line *out)
{
	Dwarf_Line *line = lines_are_sane(l, unit_die) ? dwarf_getsrc_die(unit_die, vaddr) : NULL;

	if (!line)
		return;
	out->file = dwarf_linesrc(line, NULL, NULL);
	if (dwarf_lineno(line, &out->line) || out->line < 0)
		out->line = 0;
}

static bool find_function(struct elf_lines *l, Dwarf_Die *unit_die, uint64_t vaddr, Dwarf_Die *out)
{
	const struct unit *u = unit_of(l, unit_die);
	const struct die_range *range = u ? ranges_find(&u->functions, vaddr) : NULL;

	return range && dwarf_offdie(l->dwarf, range->die, out);
}

static size_t function_lines(struct elf_lines *l, Dwarf_Die *unit_die, Dwarf_Die *function, uint64_t vaddr,
			     struct elf_line *out, size_t max)
{
	Dwarf_Die chain[MAX_INLINED + 1];
	size_t n = inline_chain(l, function, vaddr, chain, max < ARRAY_LEN(chain) ? max : ARRAY_LEN(chain));

	memset(out, 0, n * sizeof(*out));
	source_line(l, unit_die, vaddr, &out[0]);
	for (size_t i = 0; i < n; i++) {
		name_function(l, &chain[n - 1 - i], &out[i]);
		if (i + 1 < n)
			call_site(l, unit_die, &chain[n - 1 - i], &out[i + 1]);
	}
	return n;
}

size_t elf_lines_at(struct elf_lines *l, uint64_t vaddr, struct elf_line *out, size_t max)
{
	Dwarf_Die unit_die, function;

	l->steps_left = MAX_STEPS;
	if (!max)
		return 0;
	for (int way = 0; way < NR_UNIT_WAYS; way++)
		if (find_unit(l, way, vaddr, &unit_die) && find_function(l, &unit_die, vaddr, &function))
			return function_lines(l, &unit_die, &function, vaddr, out, max);
	/* Assembler has lines and no functions. Here .debug_aranges cannot be trusted. */
	memset(out, 0, sizeof(*out));
	if (find_unit(l, BY_RANGES, vaddr, &unit_die))
		source_line(l, &unit_die, vaddr, out);
	return out->file ? 1 : 0;
}

static bool name_starts(const struct elf_image *e, const Elf64_Shdr *sh, const char *prefix)
{
	size_t len = strlen(prefix);

	return sh->sh_name <= e->sh_names.n && len <= e->sh_names.n - sh->sh_name &&
	       !memcmp(e->sh_names.p + sh->sh_name, prefix, len);
}

/* What libdw would read of e, or refuse. Compressed sections tell their size in a header of their own. */
int elf_lines_bytes(const struct elf_image *e, uint64_t *bytes)
{
	static const char *const read_by_libdw[] = {".debug_", ".gnu", ".eh_frame"};
	uint64_t plain = 0, unpacked = 0;

	for (size_t i = 0; i < e->nr_sh; i++) {
		const Elf64_Shdr *sh = &e->sh[i];
		bool is_read = false, compressed = sh->sh_flags & SHF_COMPRESSED;
		Elf64_Chdr ch;
		uint64_t n;

		if (sh->sh_type == SHT_NOBITS)
			continue;
		if (name_starts(e, sh, ".zdebug_")) /* how gcc compressed before ELF had a flag for it */
			return -EPROTO;
		for (size_t p = 0; p < ARRAY_LEN(read_by_libdw); p++)
			is_read |= name_starts(e, sh, read_by_libdw[p]);
		if (!is_read)
			continue;
		if (compressed && elf_pread(e->fd, &ch, sizeof(ch), sh->sh_offset))
			return -EPROTO;
		n = compressed ? ch.ch_size : sh->sh_size;
		if (n > MAX_PLAIN_BYTES || sh->sh_size > MAX_PLAIN_BYTES ||
		    (name_starts(e, sh, ".debug_aranges") && n > MAX_ARANGES_BYTES))
			return -E2BIG;
		*(compressed ? &unpacked : &plain) += n;
	}
	*bytes = plain + unpacked;
	return plain > MAX_PLAIN_BYTES || unpacked > MAX_UNPACKED_BYTES ? -E2BIG : 0;
}

/* The contents of .debug_line, which dwarf_begin_elf() has read already. */
static Elf_Data *line_section(Elf *elf)
{
	Elf_Scn *scn = NULL;
	size_t names;

	if (elf_getshdrstrndx(elf, &names))
		return NULL;
	while ((scn = elf_nextscn(elf, scn))) {
		GElf_Shdr sh;
		const char *name = gelf_getshdr(scn, &sh) ? elf_strptr(elf, names, sh.sh_name) : NULL;

		if (name && !strcmp(name, ".debug_line"))
			return elf_getdata(scn, NULL);
	}
	return NULL;
}

/*
 * Do the string tables end with a NUL? libdw measures a string by strlen() wherever it begins in its table
 * (elfutils: libdw/dwarf_getsrclines.c, DW_FORM_line_strp), so without one it reads on behind the table.
 */
static bool strings_end(Elf *elf)
{
	Elf_Scn *scn = NULL;
	size_t names;

	if (elf_getshdrstrndx(elf, &names))
		return false;
	while ((scn = elf_nextscn(elf, scn))) {
		GElf_Shdr sh;
		const char *name = gelf_getshdr(scn, &sh) ? elf_strptr(elf, names, sh.sh_name) : NULL;
		Elf_Data *data;

		/* .debug_str, .debug_line_str, .zdebug_str, .debug_str.dwo: unpacked by dwarf_begin_elf() */
		if (!name || !strstr(name, "debug_") || !strstr(name, "_str") || strstr(name, "offsets"))
			continue;
		data = elf_getdata(scn, NULL);
		if (data && data->d_buf && data->d_size && ((const char *)data->d_buf)[data->d_size - 1])
			return false;
	}
	return true;
}

__attribute__((noreturn)) static void no_memory(void)
{
	out_of_memory("read DWARF");
}

static int open_one(const struct elf_image *e, struct elf_lines **out)
{
	struct elf_lines *l;
	uint64_t bytes;
	int rc = elf_lines_bytes(e, &bytes);

	*out = NULL;
	if (rc)
		return rc;
	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	elf_version(EV_CURRENT);
	/* a file that is truncated meanwhile ends this process, which is there for that */
	l->elf = elf_begin(e->fd, ELF_C_READ_MMAP, NULL);
	l->dwarf = l->elf ? dwarf_begin_elf(l->elf, DWARF_C_READ, NULL) : NULL;
	if (!l->dwarf || !strings_end(l->elf)) {
		elf_lines_close(l);
		return -EPROTO;
	}
	dwarf_new_oom_handler(l->dwarf, no_memory); /* its own aborts */
	l->line_section = line_section(l->elf);
	/* All that is needed was read; e may be closed while this is open. */
	elf_cntl(l->elf, ELF_C_FDDONE);
	*out = l;
	return 0;
}

/* Shared DWARF: by build-id, then by its name, which may be relative to the debug file. */
static int open_alt(const struct elf_image *e, pid_t pid, const char *name, const char *id,
		    struct elf_lines **out)
{
	const char *own_id = elf_build_id(e);
	char path[2][PATH_MAX];
	pid_t roots[] = {pid, getpid()};

	snprintf(path[0], sizeof(path[0]), "/usr/lib/debug/.build-id/%.2s/%s.debug", id, id + 2);
	if (snprintf(path[1], sizeof(path[1]), "%s%.2s%s%s",
		     name[0] == '/' ? "" : "/usr/lib/debug/.build-id/", name[0] == '/' ? "" : own_id,
		     name[0] == '/' ? "" : "/", name) >= PATH_MAX)
		path[1][0] = '\0';
	for (size_t i = 0; i < 4; i++) {
		int fd = proc_open_in_root(roots[i / 2], path[i % 2]);
		struct elf_image *alt;
		int rc = -ENOENT;

		if (fd < 0 || elf_open(fd, &alt))
			continue;
		if (!strcmp(elf_build_id(alt), id))
			rc = open_one(alt, out);
		elf_close(alt);
		if (!rc)
			return 0;
	}
	return -ENOENT;
}

/* Without it libdw would look for it itself, so then there is no DWARF at all. */
static int attach_alt(struct elf_lines *l, const struct elf_image *e, pid_t pid)
{
	char hex[2 * BUILD_ID_MAX + 1];
	const char *name;
	const void *id;
	ssize_t n = dwelf_dwarf_gnu_debugaltlink(l->dwarf, &name, &id);
	int rc;

	if (!n)
		return 0;
	if (n < 3 || n > BUILD_ID_MAX)
		return -EPROTO;
	hex_encode(hex, id, n);
	rc = open_alt(e, pid, name, hex, &l->alt);
	if (rc)
		return rc;
	if (dwelf_dwarf_gnu_debugaltlink(l->alt->dwarf, &name, &id))
		return -EPROTO; /* shared DWARF that shares again */
	dwarf_setalt(l->dwarf, l->alt->dwarf);
	return 0;
}

bool elf_lines_present(const struct elf_image *e)
{
	return elf_section_find(e, SHT_PROGBITS, ".debug_info");
}

int elf_lines_open(const struct elf_image *e, pid_t pid, struct elf_lines **out)
{
	int rc = open_one(e, out);

	if (rc)
		return rc;
	rc = attach_alt(*out, e, pid);
	if (rc) {
		elf_lines_close(*out);
		*out = NULL;
	}
	return rc;
}

void elf_lines_close(struct elf_lines *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < l->seen.n; i++)
		free(l->seen.v[i].functions.v);
	free(l->seen.v);
	free(l->units.v);
	dwarf_end(l->dwarf);
	elf_end(l->elf);
	elf_lines_close(l->alt);
	free(l);
}
