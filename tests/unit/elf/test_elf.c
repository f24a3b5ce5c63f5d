/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* ELF reading against tiny hand-made files, each of them also truncated or lying. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/util.h"
#include "elf/elf.h"
#include "tiny_elf.h"

static const uint8_t code[64] = {0x55, 0x48, 0x89, 0xe5, 0x90, 0x5d, 0xc3};
static const uint8_t build_id[20] = {0xab, 0xcd, 1, 2, 3};
#define BUILD_ID_HEX "abcd010203000000000000000000000000000000"

/* A file with code, data and a build-id. */
static void start(struct tiny *t, uint16_t machine)
{
	struct bytes note = {.n = 0};
	Elf64_Shdr *sh;

	tiny_start(t, machine);
	put_note(&note, "GNU", NT_GNU_BUILD_ID, build_id, sizeof(build_id));
	sh = tiny_section(t, ".note.gnu.build-id", SHT_NOTE, note.p, note.n);
	t->ph[TINY_PH_NOTE] = (Elf64_Phdr){.p_type = PT_NOTE,
					   .p_offset = sh->sh_offset,
					   .p_vaddr = sh->sh_addr,
					   .p_filesz = note.n,
					   .p_memsz = note.n};
	tiny_section(t, ".text", SHT_PROGBITS, code, sizeof(code));
	sh = tiny_section(t, ".data", SHT_PROGBITS, "0123456789abcdef", 16);
	sh->sh_addr = TINY_DATA;
	t->ph[TINY_PH_DATA] = (Elf64_Phdr){.p_type = PT_LOAD,
					   .p_flags = PF_R | PF_W,
					   .p_offset = sh->sh_offset,
					   .p_vaddr = TINY_DATA,
					   .p_filesz = 16,
					   .p_memsz = 4096};
}

static const Elf64_Shdr *text_of(const struct tiny *t)
{
	return &t->sh[2];
}

static struct elf_image *open_tiny(struct tiny *t)
{
	struct elf_image *e;

	tiny_finish(t);
	assert_int_equal(elf_open(tiny_memfd(t->b, t->n), &e), 0);
	return e;
}

/* The result of opening n bytes; the descriptor is closed either way. */
static int open_rc(const void *p, size_t n)
{
	struct elf_image *e = (void *)1;
	int fd = tiny_memfd(p, n), rc;

	assert_true(fd >= 0);
	rc = elf_open(fd, &e);
	if (rc)
		assert_null(e);
	else
		elf_close(e);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	return rc;
}

static void test_open(void **state)
{
	struct tiny t;
	struct elf_image *e;

	(void)state;
	start(&t, EM_X86_64);
	e = open_tiny(&t);
	assert_int_equal(elf_machine(e), EM_X86_64);
	assert_string_equal(elf_build_id(e), BUILD_ID_HEX);
	elf_close(e);
	start(&t, EM_AARCH64);
	e = open_tiny(&t);
	assert_int_equal(elf_machine(e), EM_AARCH64);
	elf_close(e);
	elf_close(NULL);
}

static void test_open_refused(void **state)
{
	struct tiny good, t;
	struct elf_image *e;
	int fd[2];

	(void)state;
	start(&good, EM_X86_64);
	tiny_finish(&good);
	assert_int_equal(open_rc(good.b, good.n), 0);
	assert_int_equal(open_rc("", 0), -ENOEXEC);
	assert_int_equal(open_rc(good.b, sizeof(Elf64_Ehdr) - 1), -ENOEXEC);
	assert_int_equal(open_rc("#!/bin/sh\n", 10), -ENOEXEC);
#define REFUSED(change)                                                                                      \
	do {                                                                                                 \
		t = good;                                                                                    \
		change;                                                                                      \
		tiny_finish(&t);                                                                             \
		assert_int_equal(open_rc(t.b, t.n), -ENOEXEC);                                               \
	} while (0)
	REFUSED(t.eh.e_ident[0] = 0);
	REFUSED(t.eh.e_ident[EI_CLASS] = ELFCLASS32);
	REFUSED(t.eh.e_ident[EI_DATA] = ELFDATA2MSB);
	REFUSED(t.eh.e_ident[EI_VERSION] = 2);
	REFUSED(t.eh.e_machine = EM_386);
	REFUSED(t.eh.e_machine = EM_RISCV);
	REFUSED(t.eh.e_phnum = PN_XNUM);
	REFUSED(t.eh.e_phnum = 4000); /* more than the file has */
	REFUSED(t.eh.e_phentsize = 0);
	REFUSED(t.eh.e_phentsize = 32);
	REFUSED(t.eh.e_phoff = t.n - 8);
	REFUSED(t.eh.e_phoff = UINT64_MAX - 8);
#undef REFUSED
	/* the table that PN_XNUM would count fits into this one */
	t = good;
	t.eh.e_phnum = PN_XNUM;
	tiny_finish(&t);
	fd[0] = tiny_memfd(t.b, t.n);
	assert_int_equal(ftruncate(fd[0], 4 << 20), 0);
	assert_int_equal(elf_open(fd[0], &e), -ENOEXEC);
	assert_int_equal(pipe(fd), 0);
	assert_int_equal(elf_open(fd[0], &e), -ENOEXEC); /* not a file, and it would block */
	close(fd[1]);
	assert_int_equal(elf_open(-1, &e), -EBADF);
}

/* Section headers that lie are as if there were none; segments still serve. */
static void test_sections_lie(void **state)
{
	struct tiny good, t;
	struct bytes note = {.n = 0};
	struct elf_usdts usdts;
	struct elf_image *e;
	uint64_t offset;

	(void)state;
	start(&good, EM_X86_64);
	put_usdt(&note, text_of(&good)->sh_addr, 0, 0, "p", "n", "");
	tiny_section(&good, ".note.stapsdt", SHT_NOTE, note.p, note.n);
	e = open_tiny(&good);
	assert_int_equal(elf_usdt_read(e, "p", &usdts), 0);
	assert_int_equal(usdts.n, 1);
	free(usdts.v);
	elf_close(e);
#define OPENS(change)                                                                                        \
	do {                                                                                                 \
		t = good;                                                                                    \
		change;                                                                                      \
		tiny_finish(&t);                                                                             \
		assert_int_equal(elf_open(tiny_memfd(t.b, t.n), &e), 0);                                     \
		assert_string_equal(elf_build_id(e), BUILD_ID_HEX);                                          \
		assert_true(elf_vaddr_to_offset(e, TINY_DATA, &offset));                                     \
		assert_int_equal(elf_usdt_read(e, "p", &usdts), 0);                                          \
		assert_int_equal(usdts.n, 0);                                                                \
		elf_close(e);                                                                                \
	} while (0)
	OPENS(t.eh.e_shoff = t.n);
	OPENS(t.eh.e_shoff = UINT64_MAX - 63);
	OPENS(t.eh.e_shoff = t.n - 32);
	OPENS(t.eh.e_shnum = 0xffff);
	OPENS(t.eh.e_shnum = 0);
	OPENS(t.eh.e_shentsize = 0);
	OPENS(t.eh.e_shentsize = 65);
	OPENS(t.eh.e_shstrndx = 0xffff);
	OPENS(t.eh.e_shstrndx = 1);
	OPENS(t.sh[t.eh.e_shstrndx].sh_size = UINT64_MAX);
	OPENS(t.sh[t.eh.e_shstrndx].sh_type = SHT_NOBITS);
	OPENS(for (size_t i = 1; i < t.nr_sh; i++) t.sh[i].sh_name = UINT32_MAX);
	OPENS(for (size_t i = 1; i < t.nr_sh; i++) t.sh[i].sh_offset = t.n + i);
	OPENS(for (size_t i = 1; i < t.nr_sh; i++) t.sh[i].sh_size = UINT64_MAX - t.sh[i].sh_offset + 2);
	OPENS(for (size_t i = 1; i < t.nr_sh; i++) t.sh[i].sh_type = SHT_NOBITS);
	OPENS(t.no_sections = true);
#undef OPENS
}

static void test_build_id_notes(void **state)
{
	uint8_t out[BUILD_ID_MAX], long_id[BUILD_ID_MAX + 1];
	struct bytes b = {.n = 0};

	(void)state;
	memset(long_id, 7, sizeof(long_id));
	put_note(&b, "stapsdt", NT_GNU_BUILD_ID, "wrong name", 10);
	put_note(&b, "GNU", NT_GNU_PROPERTY_TYPE_0, "wrong type", 10);
	put_note(&b, "GNU", NT_GNU_BUILD_ID, "", 0);
	put_note(&b, "GNU", NT_GNU_BUILD_ID, long_id, sizeof(long_id));
	assert_int_equal(elf_note_build_id(b.p, b.n, out), 0);
	put_note(&b, "GNU", NT_GNU_BUILD_ID, long_id, BUILD_ID_MAX);
	assert_int_equal(elf_note_build_id(b.p, b.n, out), BUILD_ID_MAX);
	assert_memory_equal(out, long_id, BUILD_ID_MAX);

	b.n = 0;
	put_note(&b, "GNU", NT_GNU_BUILD_ID, "id", 2);
	assert_int_equal(elf_note_build_id(b.p, b.n, out), 2);
	assert_int_equal(elf_note_build_id(b.p, b.n - 2, out), 2); /* without the padding */
	for (size_t n = 0; n < b.n - 2; n++)
		assert_int_equal(elf_note_build_id(b.p, n, out), 0);
	assert_int_equal(elf_note_build_id(NULL, 0, out), 0);
	for (uint32_t huge = UINT32_MAX; huge > UINT32_MAX - 8; huge--) {
		memcpy(b.p, &huge, 4); /* name */
		assert_int_equal(elf_note_build_id(b.p, b.n, out), 0);
		memcpy(b.p, &(uint32_t){4}, 4);
		memcpy(b.p + 4, &huge, 4); /* description */
		assert_int_equal(elf_note_build_id(b.p, b.n, out), 0);
	}
}

static void test_addresses(void **state)
{
	struct tiny t;
	struct elf_image *e;
	uint64_t v = 0, end;
	char got[32];

	(void)state;
	start(&t, EM_X86_64);
	e = open_tiny(&t);
	end = t.ph[TINY_PH_CODE].p_filesz;
	assert_true(elf_vaddr_to_offset(e, TINY_BASE, &v));
	assert_int_equal(v, 0);
	assert_true(elf_vaddr_to_offset(e, TINY_BASE + end - 1, &v));
	assert_int_equal(v, end - 1);
	assert_false(elf_vaddr_to_offset(e, TINY_BASE + end, &v)); /* .bss: in memory only */
	assert_false(elf_vaddr_to_offset(e, TINY_BASE - 1, &v));
	assert_false(elf_vaddr_to_offset(e, 0, &v));
	assert_false(elf_vaddr_to_offset(e, UINT64_MAX, &v));
	assert_true(elf_vaddr_to_offset(e, TINY_DATA + 15, &v));
	assert_int_equal(v, t.ph[TINY_PH_DATA].p_offset + 15);
	assert_true(elf_offset_to_vaddr(e, text_of(&t)->sh_offset, &v));
	assert_int_equal(v, text_of(&t)->sh_addr);
	assert_false(elf_offset_to_vaddr(e, end, &v));
	assert_false(elf_offset_to_vaddr(e, UINT64_MAX, &v));

	assert_true(elf_is_code(e, TINY_BASE));
	assert_false(elf_is_code(e, TINY_BASE + end));
	assert_false(elf_is_code(e, TINY_DATA));

	assert_int_equal(elf_read(e, text_of(&t)->sh_addr, got, 7), 7);
	assert_memory_equal(got, code, 7);
	assert_int_equal(elf_read(e, TINY_DATA + 10, got, sizeof(got)), 6);
	assert_memory_equal(got, "abcdef", 6);
	assert_int_equal(elf_read(e, TINY_DATA + 16, got, 1), 0);
	assert_int_equal(elf_read(e, TINY_BASE, got, 0), 0);
	elf_close(e);
}

static void test_segments_lie(void **state)
{
	struct tiny t;
	struct elf_image *e;
	uint64_t v = 0;
	char got[64];

	(void)state;
	start(&t, EM_X86_64);
	tiny_finish(&t);
	t.ph[TINY_PH_CODE].p_filesz = UINT64_MAX;     /* more than the file has */
	t.ph[TINY_PH_DATA].p_offset = UINT64_MAX - 4; /* wraps */
	e = open_tiny(&t);
	assert_true(elf_vaddr_to_offset(e, TINY_BASE + t.n - 1, &v));
	assert_false(elf_vaddr_to_offset(e, TINY_BASE + t.n, &v));
	assert_int_equal(elf_read(e, TINY_BASE + t.n - 3, got, sizeof(got)), 3);
	assert_false(elf_offset_to_vaddr(e, t.n, &v));
	elf_close(e);

	t.ph[TINY_PH_CODE].p_vaddr = UINT64_MAX - 10;
	e = open_tiny(&t);
	assert_false(elf_vaddr_to_offset(e, TINY_DATA + 6, &v));
	assert_int_equal(elf_read(e, TINY_DATA, got, 16), 0);
	assert_int_equal(elf_read(e, TINY_DATA + 6, got, 16), 0);
	assert_true(elf_offset_to_vaddr(e, 10, &v));
	assert_int_equal(v, UINT64_MAX);
	assert_false(elf_offset_to_vaddr(e, 11, &v)); /* beyond the address space */
	assert_true(elf_vaddr_to_offset(e, UINT64_MAX, &v));
	assert_int_equal(v, 10);
	elf_close(e);
}

/* Symbols */

#define LOCAL_FUNC  ELF64_ST_INFO(STB_LOCAL, STT_FUNC)
#define GLOBAL_FUNC ELF64_ST_INFO(STB_GLOBAL, STT_FUNC)

struct symtab {
	struct bytes syms, names;
};

static void symtab_start(struct symtab *s)
{
	s->syms.n = s->names.n = 0;
	put(&s->syms, &(Elf64_Sym){0}, sizeof(Elf64_Sym));
	put8(&s->names, 0);
}

static Elf64_Sym *symtab_add(struct symtab *s, const char *name, uint8_t info, uint64_t value)
{
	Elf64_Sym sym = {.st_name = s->names.n,
			 .st_info = info,
			 .st_shndx = 2,
			 .st_value = value,
			 .st_size = value & 0xff};

	put(&s->names, name, strlen(name) + 1);
	put(&s->syms, &sym, sizeof(sym));
	return (Elf64_Sym *)(s->syms.p + s->syms.n - sizeof(sym));
}

/* Returns the symbol table's header; the string table's is the next one. */
static Elf64_Shdr *symtab_section(struct tiny *t, const struct symtab *s, uint32_t type)
{
	Elf64_Shdr *sh =
	    tiny_section(t, type == SHT_SYMTAB ? ".symtab" : ".dynsym", type, s->syms.p, s->syms.n);

	sh->sh_entsize = sizeof(Elf64_Sym);
	sh->sh_link = t->nr_sh;
	tiny_section(t, type == SHT_SYMTAB ? ".strtab" : ".dynstr", SHT_STRTAB, s->names.p, s->names.n);
	return sh;
}

static void test_symbols(void **state)
{
	struct elf_wanted w[] = {
	    {.name = "global"}, {.name = "local"},     {.name = "absent", .vaddr = 77, .size_bytes = 7},
	    {.name = "object"}, {.name = "both"},      {.name = "twice"},
	    {.name = "same"},   {.name = "undefined"}, {.name = "zero"},
	    {.name = "notype"}, {.name = "absolute"},  {.name = "global"},
	    {.name = "globa"},  {.name = ""},
	};
	static const uint64_t want[] = {0x1010, 0x1020, 77, 0x1030, 0x1050, 0, 0x1070,
					0,      0,      0,  0,      0x1010, 0, 0};
	struct symtab s;
	struct tiny t;
	struct elf_image *e;

	(void)state;
	symtab_start(&s);
	symtab_add(&s, "local", LOCAL_FUNC, 0x1020);
	symtab_add(&s, "both", LOCAL_FUNC, 0x1040); /* static in one file, global in another */
	symtab_add(&s, "both", GLOBAL_FUNC, 0x1050);
	symtab_add(&s, "both", LOCAL_FUNC, 0x1060);
	symtab_add(&s, "twice", LOCAL_FUNC, 0x1061); /* static in two files: which one is it? */
	symtab_add(&s, "twice", LOCAL_FUNC, 0x1062);
	symtab_add(&s, "twice", LOCAL_FUNC, 0x1061);
	symtab_add(&s, "same", LOCAL_FUNC, 0x1070);
	symtab_add(&s, "same", LOCAL_FUNC, 0x1070);
	symtab_add(&s, "global", GLOBAL_FUNC, 0x1010);
	symtab_add(&s, "object", ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT), 0x1030);
	symtab_add(&s, "undefined", GLOBAL_FUNC, 0x1080)->st_shndx = SHN_UNDEF;
	symtab_add(&s, "zero", GLOBAL_FUNC, 0);
	symtab_add(&s, "notype", ELF64_ST_INFO(STB_GLOBAL, STT_NOTYPE), 0x1090);
	symtab_add(&s, "absolute", GLOBAL_FUNC, 0x10a0)->st_shndx = SHN_ABS;
	start(&t, EM_X86_64);
	symtab_section(&t, &s, SHT_SYMTAB);
	e = open_tiny(&t);
	assert_int_equal(elf_find_symbols(e, ELF_SYMTAB, w, ARRAY_LEN(w)), 6);
	for (size_t i = 0; i < ARRAY_LEN(w); i++)
		assert_int_equal(w[i].vaddr, want[i]);
	assert_int_equal(w[0].size_bytes, 0x10);
	assert_int_equal(w[2].size_bytes, 7); /* as it was */
	assert_int_equal(elf_find_symbols(e, ELF_DYNSYM, w, ARRAY_LEN(w)), 0);
	assert_int_equal(elf_find_symbols(e, ELF_SYMTAB, w, 0), 0);
	elf_close(e);
}

static void test_many_symbols(void **state)
{
	struct elf_wanted w[60];
	char names[60][32];
	struct symtab s;
	struct tiny t;
	struct elf_image *e;

	(void)state;
	symtab_start(&s);
	start(&t, EM_AARCH64);
	for (size_t i = 0; i < ARRAY_LEN(w); i++) {
		/* the same last eight bytes, so the same hash for equal lengths */
		snprintf(names[i], sizeof(names[i]), "jni_%zu_GlobalRef", i);
		w[i] = (struct elf_wanted){.name = names[i]};
		symtab_add(&s, names[i], GLOBAL_FUNC, 0x1000 + i);
	}
	symtab_section(&t, &s, SHT_DYNSYM);
	e = open_tiny(&t);
	assert_int_equal(elf_find_symbols(e, ELF_DYNSYM, w, ARRAY_LEN(w)), ARRAY_LEN(w));
	for (size_t i = 0; i < ARRAY_LEN(w); i++)
		assert_int_equal(w[i].vaddr, 0x1000 + i);
	elf_close(e);
}

static void test_symbols_lie(void **state)
{
	struct elf_wanted w[] = {{.name = "good"}, {.name = "last"}, {.name = ""}};
	struct tiny good, t;
	struct symtab s;
	struct elf_image *e;
	Elf64_Shdr *sh;
	size_t at, names_bytes;

	(void)state;
	symtab_start(&s);
	symtab_add(&s, "outside", GLOBAL_FUNC, 0x1001)->st_name = 4000;
	symtab_add(&s, "far outside", GLOBAL_FUNC, 0x1002)->st_name = UINT32_MAX;
	symtab_add(&s, "good", GLOBAL_FUNC, 0x1003);
	symtab_add(&s, "last", GLOBAL_FUNC, 0x1004);
	start(&good, EM_X86_64);
	sh = symtab_section(&good, &s, SHT_SYMTAB);
	names_bytes = s.names.n;
	at = sh - good.sh;
	tiny_finish(&good);
#define FINDS(expected, change)                                                                              \
	do {                                                                                                 \
		t = good;                                                                                    \
		sh = &t.sh[at];                                                                              \
		change;                                                                                      \
		e = open_tiny(&t);                                                                           \
		w[0].vaddr = w[1].vaddr = 0;                                                                 \
		assert_int_equal(elf_find_symbols(e, ELF_SYMTAB, w, 3), expected);                           \
		elf_close(e);                                                                                \
	} while (0)
	FINDS(2, );
	assert_int_equal(w[0].vaddr, 0x1003);
	assert_int_equal(w[1].vaddr, 0x1004);
	FINDS(1, sh[1].sh_size = names_bytes - 1); /* "last" is not terminated */
	assert_int_equal(w[0].vaddr, 0x1003);
	assert_int_equal(w[1].vaddr, 0);
	FINDS(1, sh->sh_size -= 1); /* half a symbol at the end is ignored */
	FINDS(0, sh->sh_size = sizeof(Elf64_Sym) - 1);
	FINDS(0, sh->sh_size = 0);
	FINDS(0, sh[1].sh_size = 0);
	FINDS(0, sh[1].sh_size = 1);
	FINDS(-EPROTO, sh->sh_entsize = 0);
	FINDS(-EPROTO, sh->sh_entsize = 16);
	FINDS(-EPROTO, sh->sh_entsize = UINT64_MAX);
	FINDS(-EPROTO, sh->sh_link = t.nr_sh);
	FINDS(-EPROTO, sh->sh_link = UINT32_MAX);
	FINDS(-EPROTO, sh->sh_link = at);
	FINDS(-EPROTO, sh->sh_offset = t.n - 8);
	FINDS(-EPROTO, sh->sh_offset = UINT64_MAX - 8);
	FINDS(-EPROTO, sh->sh_size = t.n);
	FINDS(-E2BIG, sh->sh_size = UINT64_MAX);
	FINDS(-E2BIG, sh->sh_size = 1ULL << 40);
	FINDS(-EPROTO, sh[1].sh_size = t.n);
	FINDS(-EPROTO, sh->sh_flags |= SHF_COMPRESSED);
	FINDS(0, sh->sh_type = SHT_NOBITS);
	FINDS(0, sh[1].sh_type = SHT_STRTAB; sh->sh_type = SHT_NULL);
#undef FINDS
}

/* USDT */

static struct elf_image *open_usdt(struct tiny *t, const struct bytes *notes, bool with_base)
{
	tiny_section(t, ".note.stapsdt", SHT_NOTE, notes->p, notes->n);
	if (with_base)
		tiny_section(t, ".stapsdt.base", SHT_PROGBITS, "", 1)->sh_addr = 0x5000;
	return open_tiny(t);
}

static void test_usdt(void **state)
{
	struct bytes b = {.n = 0};
	struct elf_usdts u;
	struct elf_image *e;
	uint64_t pc;
	struct tiny t;
	size_t at;

	(void)state;
	start(&t, EM_X86_64);
	pc = text_of(&t)->sh_addr;
	put_usdt(&b, pc, 0x5000, 0, "hotspot_jni", "NewGlobalRef__entry", "8@%rsi 8@-24(%rbp)");
	put_usdt(&b, pc + 1, 0x5000, 0, "hotspot", "thread__start", "");
	put_usdt(&b, pc + 2 + 0x1000, 0x6000, 0x7000, "hotspot_jni", "moved", "4@$0"); /* linked elsewhere */
	at = b.n;
	put_usdt(&b, pc, 0x5000, 0, "hotspot_jni", "other type", "");
	memcpy(b.p + at + 8, &(uint32_t){4}, 4);
	put_note(&b, "stapsd", 3, "other name", 10);
	put_usdt(&b, TINY_DATA, 0x5000, 0, "hotspot_jni", "not_code", "");
	put_usdt(&b, pc + 3, 0x5000, 0, "hotspot_jn", "prefix", "");
	put_usdt(&b, pc + 4 + 0x1000, 0x6000, 0, "hotspot_jni", "moved too", "");
	e = open_usdt(&t, &b, true);
	assert_int_equal(elf_usdt_read(e, "hotspot_jni", &u), 0);
	assert_int_equal(u.n, 3);
	assert_int_equal(u.v[2].vaddr, pc + 4);
	assert_int_equal(u.v[2].semaphore, 0);
	assert_string_equal(u.v[0].provider, "hotspot_jni");
	assert_string_equal(u.v[0].name, "NewGlobalRef__entry");
	assert_string_equal(u.v[0].args, "8@%rsi 8@-24(%rbp)");
	assert_int_equal(u.v[0].vaddr, pc);
	assert_int_equal(u.v[0].semaphore, 0);
	assert_string_equal(u.v[1].name, "moved");
	assert_int_equal(u.v[1].vaddr, pc + 2);
	assert_int_equal(u.v[1].semaphore, 0x6000);
	free(u.v);
	assert_int_equal(elf_usdt_read(e, "hotspot", &u), 0);
	assert_int_equal(u.n, 1);
	free(u.v);
	assert_int_equal(elf_usdt_read(e, "none", &u), 0);
	assert_int_equal(u.n, 0);
	assert_null(u.v);
	elf_close(e);

	start(&t, EM_X86_64); /* no .stapsdt.base: as written, where that is code */
	e = open_usdt(&t, &b, false);
	assert_int_equal(elf_usdt_read(e, "hotspot_jni", &u), 0);
	assert_int_equal(u.n, 1);
	assert_int_equal(u.v[0].vaddr, pc);
	free(u.v);
	elf_close(e);
}

static void test_usdt_lies(void **state)
{
	char long_text[200];
	struct bytes b = {.n = 0}, first;
	struct elf_usdts u;
	struct elf_image *e;
	struct tiny t;
	uint64_t pc;

	(void)state;
	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	start(&t, EM_X86_64);
	pc = text_of(&t)->sh_addr;
	put_usdt(&b, pc, 0, 0, "p", "first", "args");
	first = b;
	put_usdt(&b, pc, 0, 0, long_text, "n", "");
	put_usdt(&b, pc, 0, 0, "p", long_text, "");
	put_usdt(&b, pc, 0, 0, "p", "n", long_text);
	put_note(&b, "stapsdt", 3, "short", 5);
	put_note(&b, "stapsdt", 3, code, 24);      /* no strings */
	put_note(&b, "stapsdt", 3, long_text, 64); /* a string without an end */
	put_usdt(&b, pc, 0, 0, "p", "last", "");
	e = open_usdt(&t, &b, false);
	assert_int_equal(elf_usdt_read(e, "p", &u), 0);
	assert_int_equal(u.n, 2);
	assert_string_equal(u.v[1].name, "last");
	free(u.v);
	elf_close(e);

	/* a note that ends with the section: too short, or its last string without an end */
	for (size_t n = 20; n < 32; n++) {
		b.n = 0;
		put_note(&b, "stapsdt", 3, "12345678123456781234567\0p\0n\0aaaa", n);
		b.n = 20 + n;
		start(&t, EM_X86_64);
		e = open_usdt(&t, &b, false);
		assert_int_equal(elf_usdt_read(e, "p", &u), 0);
		assert_int_equal(u.n, 0);
		elf_close(e);
	}

	/* cut anywhere in the second of two equal notes, or lying about its sizes */
	put_usdt(&first, pc, 0, 0, "p", "second", "");
	for (size_t cut = 1; cut < first.n / 2; cut += 7) {
		struct bytes cut_short = first;

		cut_short.n -= cut;
		start(&t, EM_X86_64);
		e = open_usdt(&t, &cut_short, false);
		assert_int_equal(elf_usdt_read(e, "p", &u), 0);
		assert_true(u.n == 1 || (u.n == 2 && cut < 4));
		free(u.v);
		elf_close(e);
	}
	for (int field = 0; field < 2; field++) {
		struct bytes lies = first;

		memset(lies.p + 60 + 4 * field, 0xff, 4);
		start(&t, EM_X86_64);
		e = open_usdt(&t, &lies, false);
		assert_int_equal(elf_usdt_read(e, "p", &u), 0);
		assert_int_equal(u.n, 1);
		free(u.v);
		elf_close(e);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_open),         cmocka_unit_test(test_open_refused),
	    cmocka_unit_test(test_sections_lie), cmocka_unit_test(test_build_id_notes),
	    cmocka_unit_test(test_addresses),    cmocka_unit_test(test_segments_lie),
	    cmocka_unit_test(test_symbols),      cmocka_unit_test(test_many_symbols),
	    cmocka_unit_test(test_symbols_lie),  cmocka_unit_test(test_usdt),
	    cmocka_unit_test(test_usdt_lies),
	};

	return cmocka_run_group_tests_name("elf", tests, NULL, NULL);
}
