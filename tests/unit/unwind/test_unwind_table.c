/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Unwind tables say the same as libdw, for every function of real libraries; hostile sections do no harm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dwarf.h>
#include <elf.h>
#include <elfutils/libdw.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "elf/elf_cfi_ops.h"
#include "unwind/unwind_code.h"
#include "unwind/unwind_table.h"

#define RANDOM_PCS 20000

/* --- what libdw says, as a rule --------------------------------------------------------------------- */

static bool is_slot(const Dwarf_Op *ops, size_t n, int64_t *offset)
{
	if (n != 2 || ops[0].atom != DW_OP_call_frame_cfa || ops[1].atom != DW_OP_plus_uconst)
		return false;
	*offset = (int64_t)ops[1].number;
	return *offset < 0 && !(*offset % 8);
}

static bool expect_cfa(Dwarf_Frame *frame, struct unwind_rule *r)
{
	Dwarf_Op *ops;
	size_t n;

	if (dwarf_frame_cfa(frame, &ops, &n))
		return false;
	if (n == 1 && ops[0].atom == DW_OP_bregx && (ops[0].number == 6 || ops[0].number == 7)) {
		r->kind = ops[0].number == 6 ? UNWIND_FP : UNWIND_SP;
		r->cfa_offset = (int32_t)ops[0].number2;
		return true;
	}
	if (n == 2 && ops[0].atom == DW_OP_breg6 && ops[1].atom == DW_OP_deref) {
		r->kind = UNWIND_FP_DEREF;
		r->cfa_offset = (int32_t)ops[0].number;
		return true;
	}
	if (n == 9 && ops[0].atom == DW_OP_breg7 && ops[1].atom == DW_OP_breg16 && ops[5].atom == DW_OP_ge) {
		r->kind = UNWIND_PLT;
		r->cfa_offset = ops[4].atom - DW_OP_lit0;
		return true;
	}
	return false;
}

static bool expect_fp(Dwarf_Frame *frame, struct unwind_rule *r)
{
	Dwarf_Op mem[3], *ops;
	int64_t offset;
	size_t n;

	if (dwarf_frame_register(frame, 6, mem, &ops, &n))
		return false;
	if (!n)
		return !ops; /* same value; undefined would be mem */
	if (n == 1 && ops[0].atom == DW_OP_breg6 && !ops[0].number) {
		if (r->kind == UNWIND_FP)
			r->fp_words = r->cfa_offset / 8;
		return r->kind == UNWIND_FP || r->kind == UNWIND_FP_DEREF;
	}
	if (!is_slot(ops, n, &offset) || r->kind == UNWIND_FP_DEREF)
		return false;
	r->fp_words = (uint16_t)(-offset / 8);
	return true;
}

static struct unwind_rule expected(Dwarf_CFI *cfi, uint64_t pc)
{
	struct unwind_rule r = {0}, rich = {.kind = UNWIND_RICH};
	Dwarf_Op mem[3], *ops;
	Dwarf_Frame *frame;
	bool is_signal;
	int64_t offset;
	size_t n;

	if (dwarf_cfi_addrframe(cfi, pc, &frame))
		return r;
	if (dwarf_frame_info(frame, NULL, NULL, &is_signal) != 16 ||
	    dwarf_frame_register(frame, 16, mem, &ops, &n)) {
		r = rich;
	} else if (!n && ops == mem) {
		r.kind = UNWIND_BOTTOM;
	} else if (is_signal) {
		r.kind = UNWIND_SIGNAL;
	} else if (!is_slot(ops, n, &offset) || !expect_cfa(frame, &r) || !expect_fp(frame, &r)) {
		r = rich;
	} else {
		r.ra_words = (uint8_t)(-offset / 8);
	}
	free(frame);
	return r;
}

/* --- against real libraries ------------------------------------------------------------------------- */

struct subject {
	int fd;
	struct elf_image *image;
	Elf *elf;
	Dwarf_CFI *cfi;
	struct unwind_table table;
	size_t checked, rich;
};

static void check_pc(struct subject *s, uint64_t pc)
{
	struct unwind_rule got = unwind_table_find(&s->table, pc), want = expected(s->cfi, pc);

	s->checked++;
	s->rich += got.kind == UNWIND_RICH;
	if (memcmp(&got, &want, sizeof(got)))
		fail_msg("at %#lx: kind %d cfa %d fp %d ra %d, libdw says kind %d cfa %d fp %d ra %d", pc,
			 got.kind, got.cfa_offset, got.fp_words, got.ra_words, want.kind, want.cfa_offset,
			 want.fp_words, want.ra_words);
}

/* Beginning and end of every function, read by the interpreter's own reader but checked by libdw. */
static void check_boundaries(struct subject *s)
{
	struct elf_frames f;
	struct cfi_cie cie = {.at = SIZE_MAX};
	struct cfi_fde fde;
	size_t at = 0, n = 0;

	assert_int_equal(elf_frames_load(s->image, &f), 0);
	while (cfi_next(&f, &at, &cie, &fde)) {
		check_pc(s, fde.begin);
		check_pc(s, fde.end - 1);
		check_pc(s, fde.end);
		n++;
	}
	assert_int_equal(at, f.n); /* nothing was left behind */
	assert_int_equal(n, s->table.nr_fdes);
	elf_frames_free(&f);
}

/* libdw counts as many functions as we do. */
static void check_count(struct subject *s)
{
	GElf_Ehdr ehdr;
	const unsigned char *ident = (const unsigned char *)elf_getident(s->elf, NULL);
	Elf_Scn *scn = NULL;
	size_t names, n = 0;

	assert_int_equal(elf_getshdrstrndx(s->elf, &names), 0);
	assert_non_null(gelf_getehdr(s->elf, &ehdr));
	while ((scn = elf_nextscn(s->elf, scn))) {
		GElf_Shdr sh;
		Dwarf_CFI_Entry entry;
		Dwarf_Off at = 0, next;

		assert_non_null(gelf_getshdr(scn, &sh));
		if (strcmp(elf_strptr(s->elf, names, sh.sh_name), ".eh_frame"))
			continue;
		while (!dwarf_next_cfi(ident, elf_getdata(scn, NULL), true, at, &next, &entry)) {
			n += !dwarf_cfi_cie_p(&entry);
			at = next;
		}
	}
	assert_int_equal(n, s->table.nr_fdes);
}

static void check_file(const char *path)
{
	struct subject s = {.fd = open(path, O_RDONLY)};
	uint64_t span;

	assert_true(s.fd >= 0);
	assert_int_equal(elf_open(dup(s.fd), &s.image), 0);
	elf_version(EV_CURRENT);
	s.elf = elf_begin(s.fd, ELF_C_READ_MMAP, NULL);
	s.cfi = dwarf_getcfi_elf(s.elf);
	assert_non_null(s.cfi);
	assert_int_equal(unwind_table_build(s.image, &s.table), 0);
	check_boundaries(&s);
	check_count(&s);
	for (size_t i = 0; i < s.table.rows.n; i++) {
		check_pc(&s, s.table.base + s.table.rows.v[i].pc);
		check_pc(&s, s.table.base + s.table.rows.v[i].pc - 1);
		if (i) {
			assert_true(s.table.rows.v[i].pc > s.table.rows.v[i - 1].pc);
			assert_int_not_equal(s.table.rows.v[i].rule, s.table.rows.v[i - 1].rule);
		}
	}
	span = s.table.rows.v[s.table.rows.n - 1].pc + 64;
	for (size_t i = 0; i < RANDOM_PCS; i++)
		check_pc(&s, s.table.base + mix64(i) % span);
	print_message(
	    "%s: %u functions, %zu rows, %zu rules, %zu bytes, %zu addresses compared, %zu unsupported\n",
	    path, s.table.nr_fdes, s.table.rows.n, s.table.rules.n, 8 * unwind_table_words(&s.table),
	    s.checked, s.rich);
	unwind_table_free(&s.table);
	dwarf_cfi_end(s.cfi);
	elf_end(s.elf);
	elf_close(s.image);
	close(s.fd);
}

static void check_all(const char *pattern, size_t at_least)
{
	glob_t g = {0};

	glob(pattern, 0, NULL, &g);
	assert_true(g.gl_pathc >= at_least);
	for (size_t i = 0; i < g.gl_pathc; i++)
		check_file(g.gl_pathv[i]);
	globfree(&g);
}

static void test_libc(void **state)
{
	(void)state;
	check_all("/lib/x86_64-linux-gnu/libc.so.6", 1);
	check_all("/lib64/ld-linux-x86-64.so.2", 1);
}

static void test_libjvm(void **state)
{
	(void)state;
	check_all("/usr/lib/jvm/java-1[17]-openjdk-*/lib/server/libjvm.so", 1);
	check_all("/usr/lib/jvm/java-1[17]-openjdk-*/lib/lib[jn]*.so", 1);
}

static void test_others(void **state)
{
	(void)state;
	check_file("/proc/self/exe");
	check_all("/lib/x86_64-linux-gnu/libstdc++.so.6", 0);
	check_all("/lib/x86_64-linux-gnu/libm.so.6", 1);
	check_all("/lib/x86_64-linux-gnu/libgcc_s.so.1", 1);
}

/* --- hand-made sections ----------------------------------------------------------------------------- */

#define CODE_LO 0x1000
#define CODE_HI 0x9000

struct section {
	uint8_t bytes[1024];
	size_t n;
};

static void put(struct section *s, const void *p, size_t n)
{
	assert_true(s->n + n <= sizeof(s->bytes));
	memcpy(s->bytes + s->n, p, n);
	s->n += n;
}

static void put_u32(struct section *s, uint32_t v)
{
	put(s, &v, sizeof(v));
}

/* Start an entry; the length is filled in by entry_end(). */
static size_t entry_begin(struct section *s, uint32_t id)
{
	size_t at = s->n;

	put_u32(s, 0);
	put_u32(s, id);
	return at;
}

static void entry_end(struct section *s, size_t at)
{
	uint32_t bytes;

	while ((s->n - at) % 8)
		put(s, "", 1);
	bytes = (uint32_t)(s->n - at - 4);
	memcpy(s->bytes + at, &bytes, sizeof(bytes));
}

/* A CIE at offset 0 of 8-byte absolute addresses. */
static void put_cie(struct section *s, const char *augmentation, uint8_t code_align, uint8_t ra,
		    const void *ops, size_t ops_bytes)
{
	size_t at = entry_begin(s, 0);

	put(s, "\x01", 1);
	put(s, augmentation, strlen(augmentation) + 1);
	put(s, &code_align, 1);
	put(s, "\x78", 1); /* -8 */
	put(s, &ra, 1);
	if (*augmentation == 'z')
		put(s, "\x01", 2); /* one byte: 'R' absptr */
	put(s, ops, ops_bytes);
	entry_end(s, at);
}

static void put_fde(struct section *s, uint64_t begin, uint64_t bytes, const void *ops, size_t ops_bytes)
{
	size_t at = entry_begin(s, (uint32_t)s->n + 4);

	put(s, &begin, 8);
	put(s, &bytes, 8);
	put(s, ops, ops_bytes);
	entry_end(s, at);
}
#define PUT_CIE(s, aug, align, ra, ops) put_cie(s, aug, align, ra, ops, sizeof(ops) - 1)
#define PUT_FDE(s, begin, bytes, ops)   put_fde(s, begin, bytes, ops, sizeof(ops) - 1)

static int compile(struct section *s, uint16_t machine, struct unwind_table *t)
{
	/* exactly as long as it says, for the address sanitizer */
	struct elf_frames f = {.p = malloc(s->n + !s->n),
			       .n = s->n,
			       .vaddr = 0x20000,
			       .code_lo = CODE_LO,
			       .code_hi = CODE_HI,
			       .machine = machine};
	int rc;

	memcpy(f.p, s->bytes, s->n);
	rc = unwind_table_compile(&f, NULL, t);
	free(f.p);
	return rc;
}

static void check_rule(const struct unwind_table *t, uint64_t pc, int kind, int cfa, int fp, int ra)
{
	struct unwind_rule r = unwind_table_find(t, pc);

	if (r.kind != kind || r.cfa_offset != cfa || r.fp_words != fp || r.ra_words != ra)
		fail_msg("at %#lx: kind %d cfa %d fp %d ra %d, not %d %d %d %d", pc, r.kind, r.cfa_offset,
			 r.fp_words, r.ra_words, kind, cfa, fp, ra);
}

static void check_sorted(const struct unwind_table *t)
{
	for (size_t i = 1; i < t->rows.n; i++)
		assert_true(t->rows.v[i].pc > t->rows.v[i - 1].pc);
}

static bool is_fp(struct unwind_rule r)
{
	return r.kind == UNWIND_SCRIPT && r.cfa_offset == 16 && r.fp_words == 2 && r.ra_words == 1;
}

/* Code that is known to keep a frame pointer: all of a stretch does, what is around it stays as it was. */
static void test_stretch(void **state)
{
	struct unwind_table before, t;
	struct elf_image *e;
	uint64_t start, end, hi;

	(void)state;
	assert_int_equal(elf_open(open("/proc/self/exe", O_RDONLY | O_CLOEXEC), &e), 0);
	assert_int_equal(unwind_table_build(e, &before), 0);
	assert_true(before.rows.n > 64);
	start = before.base + before.rows.v[before.rows.n / 4].pc + 1; /* not where a row begins */
	end = before.base + before.rows.v[before.rows.n / 2].pc + 1;
	hi = before.base + before.rows.v[before.rows.n - 1].pc + 16;
	assert_int_equal(unwind_table_build(e, &t), 0);
	assert_int_equal(unwind_table_add_fp(e, start, end, &t), 0);
	for (uint64_t at = before.base; at < hi; at++) {
		struct unwind_rule now = unwind_table_find(&t, at), was = unwind_table_find(&before, at);

		assert_true(at >= start && at < end ? is_fp(now) : !memcmp(&now, &was, sizeof(now)));
	}
	assert_int_equal(unwind_table_add_fp(e, before.base, hi, &t), 0); /* all, where a row begins */
	assert_true(is_fp(unwind_table_find(&t, before.base)) && is_fp(unwind_table_find(&t, end)));
	assert_true(unwind_table_add_fp(e, end, start, &t) < 0);
	assert_int_equal(t.rows.n, 0);
	unwind_table_free(&before);
	elf_close(e);
}

static void test_x86_forms(void **state)
{
	struct section s = {0};
	struct unwind_table t;

	(void)state;
	/* def_cfa r7 8; offset r16 at CFA-8 */
	PUT_CIE(&s, "", 1, 16, "\x0c\x07\x08\x90\x01");
	/* push %rbp; mov %rsp,%rbp; ...; leave; ret, with remember and restore around */
	PUT_FDE(&s, 0x2000, 0x20, "\x41\x0e\x10\x86\x02\x43\x0d\x06\x0a\x4a\x0c\x07\x08\xc6\x41\x0b");
	/* undefined return address */
	PUT_FDE(&s, 0x2020, 0x10, "\x07\x10");
	/* a realigned stack: def_cfa r10 0, then expression(rbp: breg6 0), def_cfa_expression breg6 -8 deref
	 */
	PUT_FDE(&s, 0x3000, 0x20, "\x44\x0c\x0a\x00\x44\x10\x06\x02\x76\x00\x44\x0f\x03\x76\x78\x06");
	/* an expression nobody knows, fp in another register, a large frame, an unaligned slot */
	PUT_FDE(&s, 0x4000, 0x10, "\x0f\x02\x77\x08");
	PUT_FDE(&s, 0x4010, 0x10, "\x09\x06\x03");
	PUT_FDE(&s, 0x4020, 0x10, "\x0e\x80\x80\x80\x01");
	PUT_FDE(&s, 0x4030, 0x10, "\x14\x06\x02");
	/* *(r15 - 8) + 88, rbp saved; of r14; with more behind it */
	PUT_FDE(&s, 0x5000, 0x10, "\x86\x0c\x0f\x06\x92\x0f\x78\x06\x23\x58");
	PUT_FDE(&s, 0x5010, 0x10, "\x0f\x06\x92\x0e\x78\x06\x23\x58");
	PUT_FDE(&s, 0x5020, 0x10, "\x0f\x07\x92\x0f\x78\x06\x23\x58\x06");
	assert_int_equal(compile(&s, EM_X86_64, &t), 0);
	check_rule(&t, 0x1fff, UNWIND_NO_CFI, 0, 0, 0);
	check_rule(&t, 0x2000, UNWIND_SP, 8, 0, 1);
	check_rule(&t, 0x2001, UNWIND_SP, 16, 2, 1);
	check_rule(&t, 0x2003, UNWIND_SP, 16, 2, 1);
	check_rule(&t, 0x2004, UNWIND_FP, 16, 2, 1);
	check_rule(&t, 0x200e, UNWIND_SP, 8, 0, 1);
	check_rule(&t, 0x200f, UNWIND_FP, 16, 2, 1);
	check_rule(&t, 0x2020, UNWIND_BOTTOM, 0, 0, 0);
	check_rule(&t, 0x2030, UNWIND_NO_CFI, 0, 0, 0);
	check_rule(&t, 0x3003, UNWIND_SP, 8, 0, 1);
	check_rule(&t, 0x3004, UNWIND_RICH, 0, 0, 0);
	check_rule(&t, 0x300c, UNWIND_FP_DEREF, -8, 0, 1);
	check_rule(&t, 0x4000, UNWIND_RICH, 0, 0, 0);
	check_rule(&t, 0x4010, UNWIND_RICH, 0, 0, 0);
	check_rule(&t, 0x4020, UNWIND_SP, 2097152, 0, 1);
	check_rule(&t, 0x4030, UNWIND_RICH, 0, 0, 0);
	check_rule(&t, 0x4040, UNWIND_NO_CFI, 0, 0, 0);
	check_rule(&t, 0x5000, UNWIND_SPILLED, 88, 12, 1);
	check_rule(&t, 0x5010, UNWIND_RICH, 0, 0, 0);
	check_rule(&t, 0x5020, UNWIND_RICH, 0, 0, 0);
	assert_int_equal(t.nr_fdes, 10);
	unwind_table_free(&t);
}

static void test_arm64_forms(void **state)
{
	struct section s = {0};
	struct unwind_table t;

	(void)state;
	/* def_cfa sp 0; code_align 4 */
	PUT_CIE(&s, "", 4, 30, "\x0c\x1f\x00");
	/* stp x29, x30, [sp, -48]!: def_cfa_offset 48, x29 at -48, x30 at -40; mov x29, sp; signed */
	PUT_FDE(&s, 0x2000, 0x20, "\x41\x2d\x41\x0e\x30\x9d\x06\x9e\x05\x41\x0d\x1d");
	/* str x30, [sp, -16]!: no frame pointer */
	PUT_FDE(&s, 0x2020, 0x10, "\x41\x0e\x10\x9e\x02");
	/* a record far below the CFA: 4096 */
	PUT_FDE(&s, 0x2030, 0x10, "\x41\x0e\x80\x20\x9d\x80\x04\x9e\xff\x03");
	/* so far away, but not a record */
	PUT_FDE(&s, 0x2040, 0x10, "\x41\x0e\x80\x20\x9d\x80\x04\x9e\xfe\x03");
	assert_int_equal(compile(&s, EM_AARCH64, &t), 0);
	check_rule(&t, 0x2000, UNWIND_SP, 0, 0, UNWIND_RA_IN_REGISTER);
	check_rule(&t, 0x2008, UNWIND_SP, 48, 6, 5);
	check_rule(&t, 0x200c, UNWIND_FP, 48, 6, 5);
	check_rule(&t, 0x2020, UNWIND_SP, 0, 0, UNWIND_RA_IN_REGISTER);
	check_rule(&t, 0x2024, UNWIND_SP, 16, 0, 2);
	check_rule(&t, 0x2034, UNWIND_SP, 4096, 512, UNWIND_RA_AFTER_FP);
	check_rule(&t, 0x2044, UNWIND_RICH, 0, 0, 0);
	unwind_table_free(&t);
}

/* What does not make sense is unknown, and what stands beside it is still read. */
static void test_lies(void **state)
{
	struct section s = {0};
	struct unwind_table t;

	(void)state;
	PUT_CIE(&s, "", 1, 16, "\x0c\x07\x08\x90\x01");
	PUT_FDE(&s, 0x2000, 0x10, "\x41\x0e\x10\x47\x0e\x28");     /* good, but see below */
	PUT_FDE(&s, 0x2010, 0x10, "\x41\x0e\x10\x41\x3e");         /* an unknown instruction */
	PUT_FDE(&s, 0x2020, 0x10, "\x0b");                         /* restores what was not remembered */
	PUT_FDE(&s, 0x2030, 0x10, "\x0f\x7f\x77");                 /* a block longer than the entry */
	PUT_FDE(&s, 0x2040, 0x10, "\x04\xff\xff\xff\xff\x0e\x10"); /* advances beyond its end */
	PUT_FDE(&s, 0x2050, UINT64_MAX, "\x41");                   /* longer than all code */
	PUT_FDE(&s, 0x2060, 0, "\x41");                            /* empty */
	PUT_FDE(&s, 0x10, 0x10, "\x41");                           /* outside the code */
	PUT_FDE(&s, 0x2004, 0x40, "\x0e\x20");     /* inside others: they end where it begins */
	PUT_FDE(&s, 0x2004, 0x40, "\x0e\x30");     /* again */
	PUT_FDE(&s, 0x8000, 0x10, "\x41\x0e\x10"); /* good */
	assert_int_equal(compile(&s, EM_X86_64, &t), 0);
	check_rule(&t, 0x2001, UNWIND_SP, 16, 0, 1);
	check_sorted(&t);
	check_rule(&t, 0x2004, UNWIND_SP, 32, 0, 1);
	check_rule(&t, 0x2008, UNWIND_SP, 32, 0, 1);
	check_rule(&t, 0x2011, UNWIND_SP, 16, 0, 1);
	check_rule(&t, 0x2012, UNWIND_RICH, 0, 0, 0);
	check_rule(&t, 0x2020, UNWIND_RICH, 0, 0, 0);
	check_rule(&t, 0x2030, UNWIND_RICH, 0, 0, 0);
	check_rule(&t, 0x2040, UNWIND_SP, 8, 0, 1);
	check_rule(&t, 0x204f, UNWIND_SP, 8, 0, 1);
	check_rule(&t, 0x2050, UNWIND_NO_CFI, 0, 0, 0);
	check_rule(&t, 0x8001, UNWIND_SP, 16, 0, 1);
	unwind_table_free(&t);
	/* a CIE that is not understood makes its FDEs unknown */
	s.n = 0;
	PUT_CIE(&s, "q", 1, 16, "\x0c\x07\x08\x90\x01");
	PUT_FDE(&s, 0x2000, 0x10, "\x41\x0e\x10");
	assert_int_equal(compile(&s, EM_X86_64, &t), -ENOENT);
	s.n = 0;
	PUT_CIE(&s, "", 1, 3, "\x0c\x07\x08"); /* returns elsewhere */
	PUT_FDE(&s, 0x2000, 0x10, "\x41\x0e\x10");
	assert_int_equal(compile(&s, EM_X86_64, &t), -ENOENT);
	s.n = 0;
	assert_int_equal(compile(&s, EM_X86_64, &t), -ENOENT);
}

static void test_limits(void **state)
{
	struct section s = {0};
	struct unwind_table t;

	(void)state;
	/* too many states remembered; set_loc beyond the end */
	PUT_CIE(&s, "", 1, 16, "\x0c\x07\x08\x90\x01");
	PUT_FDE(&s, 0x2000, 0x10,
		"\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x41\x0a\x41");
	PUT_FDE(&s, 0x2010, 0x10, "\x01\x00\x30\x00\x00\x00\x00\x00\x00\x0e\x10\x41\x0e\x18");
	assert_int_equal(compile(&s, EM_X86_64, &t), 0);
	check_rule(&t, 0x2000, UNWIND_SP, 8, 0, 1);
	check_rule(&t, 0x2001, UNWIND_RICH, 0, 0, 0);
	check_rule(&t, 0x201f, UNWIND_SP, 8, 0, 1);
	check_rule(&t, 0x2020, UNWIND_NO_CFI, 0, 0, 0);
	check_rule(&t, 0x3000, UNWIND_NO_CFI, 0, 0, 0);
	assert_int_equal(t.rows.n, 4);
	unwind_table_free(&t);
	/* slots that are not aligned */
	s.n = 0;
	PUT_CIE(&s, "", 1, 16, "\x0c\x07\x08\x90\x02");
	s.bytes[11] = 0x7c; /* data_align -4 */
	PUT_FDE(&s, 0x2000, 0x10, "\x44\x86\x04\x44\x86\x03");
	assert_int_equal(compile(&s, EM_X86_64, &t), 0);
	check_rule(&t, 0x2004, UNWIND_SP, 8, 2, 1);
	check_rule(&t, 0x2008, UNWIND_RICH, 0, 0, 0);
	unwind_table_free(&t);
	/* a signal frame is the kernel's or unknown */
	s.n = 0;
	PUT_CIE(&s, "zRS", 1, 16, "\x0c\x07\x08\x90\x01");
	PUT_FDE(&s, 0x2000, 0x10, "\x00\x41\x0f\x04\x77\xa0\x01\x06\x41\x0f\x04\x77\xa8\x01\x06");
	assert_int_equal(compile(&s, EM_X86_64, &t), 0);
	check_rule(&t, 0x2000, UNWIND_RICH, 0, 0, 0);
	check_rule(&t, 0x2001, UNWIND_SIGNAL, 0, 0, 0);
	check_rule(&t, 0x2002, UNWIND_RICH, 0, 0, 0);
	unwind_table_free(&t);
}

/* Every truncation and every changed byte of a good section, then random ones: no crash, sorted rows. */
static void check_sane(struct section *s, uint16_t machine)
{
	struct unwind_table t;

	if (compile(s, machine, &t))
		return;
	assert_true(t.rows.n > 0 && t.rows.n < 2 * s->n + 2);
	for (size_t i = 0; i < t.rows.n; i++) {
		assert_true(t.rows.v[i].rule < t.rules.n);
		assert_true(!i || t.rows.v[i].pc > t.rows.v[i - 1].pc);
		assert_true(t.rows.v[i].pc <= CODE_HI - CODE_LO);
		assert_true(t.rules.v[t.rows.v[i].rule].kind < UNWIND_NO_TABLE);
	}
	unwind_table_free(&t);
}

static void test_fuzz(void **state)
{
	struct section good = {0}, s;
	uint64_t seed = 1;

	(void)state;
	PUT_CIE(&good, "zR", 1, 16, "\x0c\x07\x08\x90\x01");
	PUT_FDE(&good, 0x2000, 0x20, "\x00\x41\x0e\x10\x86\x02\x43\x0d\x06\x0a\x4a\x0c\x07\x08\xc6\x41\x0b");
	PUT_FDE(&good, 0x3000, 0x20, "\x00\x44\x0c\x0a\x00\x44\x10\x06\x02\x76\x00\x44\x0f\x03\x76\x78\x06");
	for (size_t n = 0; n < good.n; n++) {
		s = good;
		s.n = n;
		check_sane(&s, EM_X86_64);
	}
	for (size_t i = 0; i < good.n; i++)
		for (int v = 0; v < 256; v++) {
			s = good;
			s.bytes[i] = (uint8_t)v;
			check_sane(&s, EM_X86_64);
		}
	for (int round = 0; round < 100000; round++) {
		s = good;
		for (int k = 0; k < 4; k++) {
			seed = mix64(seed + 1);
			s.bytes[seed % good.n] = (uint8_t)(seed >> 32);
		}
		check_sane(&s, round & 1 ? EM_X86_64 : EM_AARCH64);
	}
}

/* --- functions without CFI, by their first instructions ------------------------------------------- */

static void check_code(uint16_t machine, const char *code, size_t n, int cfa, int fp, int ra, uint32_t body)
{
	struct unwind_rule r = {0};
	uint32_t got = 0;

	/* one byte less is no such function */
	for (size_t k = 0; k < body; k++)
		assert_false(unwind_code_rule(machine, (const uint8_t *)code, k, &r, &got));
	assert_int_equal(unwind_code_rule(machine, (const uint8_t *)code, n, &r, &got), cfa != 0);
	if (!cfa)
		return;
	assert_int_equal(r.kind, UNWIND_FP_CODE);
	assert_int_equal(r.cfa_offset, cfa);
	assert_int_equal(r.fp_words, fp);
	assert_int_equal(r.ra_words, ra);
	assert_int_equal(got, body);
}
#define CHECK_CODE(machine, code, ...) check_code(machine, code, sizeof(code) - 1, __VA_ARGS__)

static void test_code_rule(void **state)
{
	(void)state;
	CHECK_CODE(EM_X86_64, "\x55\x48\x89\xe5\x41\x57", 16, 2, 1, 4);
	CHECK_CODE(EM_X86_64, "\xf3\x0f\x1e\xfa\x55\x48\x8b\xec\x90", 16, 2, 1, 8);
	CHECK_CODE(EM_X86_64, "\x55\x53\x48\x89\xe5", 0, 0, 0, 0); /* something between */
	CHECK_CODE(EM_X86_64, "\x48\x89\xe5\x90\x90", 0, 0, 0, 0); /* not pushed */
	CHECK_CODE(EM_X86_64, "\x55\x48\x89\xec\x90", 0, 0, 0, 0); /* mov %rbp,%rsp */
	/* stp x29, x30, [sp, #-48]!; mov x29, sp */
	CHECK_CODE(EM_AARCH64, "\xfd\x7b\xbd\xa9\xfd\x03\x00\x91", 48, 6, 5, 8);
	/* the same behind paciasp */
	CHECK_CODE(EM_AARCH64, "\x3f\x23\x03\xd5\xfd\x7b\xbd\xa9\xfd\x03\x00\x91", 48, 6, 5, 12);
	/* stp x29, x30, [sp, #48]! */
	CHECK_CODE(EM_AARCH64, "\xfd\x7b\x83\xa9\xfd\x03\x00\x91", 0, 0, 0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_libc),        cmocka_unit_test(test_libjvm),
	    cmocka_unit_test(test_others),      cmocka_unit_test(test_x86_forms),
	    cmocka_unit_test(test_arm64_forms), cmocka_unit_test(test_lies),
	    cmocka_unit_test(test_limits),      cmocka_unit_test(test_fuzz),
	    cmocka_unit_test(test_code_rule),   cmocka_unit_test(test_stretch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
