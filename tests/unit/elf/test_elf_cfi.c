/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Call frame information of hand-made files, and a file with everything in it corrupted byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/util.h"
#include "elf/elf_cfi.h"
#include "tiny_elf.h"

#define MAX_FDES  16
#define FUZZ_RUNS 4000

static uint64_t next_addr(const struct tiny *t)
{
	return TINY_BASE + ((t->n + 7) & ~(size_t)7);
}

/* .eh_frame in the making: the address it will have, and the entries for .eh_frame_hdr. */
struct eh {
	struct bytes b;
	uint64_t addr;
	struct {
		uint64_t pc, fde;
	} fde[MAX_FDES];
	size_t nr_fdes;
};

static size_t eh_begin(struct eh *eh)
{
	size_t at = eh->b.n;

	put32(&eh->b, 0); /* length, set by eh_end() */
	return at;
}

static void eh_end(struct eh *eh, size_t at)
{
	while (eh->b.n % 8 != 4)
		put8(&eh->b, DW_CFA_nop);
	memcpy(eh->b.p + at, &(uint32_t){eh->b.n - at - 4}, 4);
}

/* augmentation: "zR" or "zRS"; code_align of one byte, data alignment -8. Returns where it lies. */
static size_t put_cie(struct eh *eh, const char *augmentation, uint8_t code_align, uint8_t ra,
		      const void *insns, size_t n)
{
	size_t at = eh_begin(eh);

	put32(&eh->b, 0); /* a CIE */
	put8(&eh->b, 1);
	put(&eh->b, augmentation, strlen(augmentation) + 1);
	put8(&eh->b, code_align);
	put8(&eh->b, 0x78);
	put8(&eh->b, ra);
	put8(&eh->b, 1);
	put8(&eh->b, DW_EH_PE_pcrel | DW_EH_PE_sdata4);
	put(&eh->b, insns, n);
	eh_end(eh, at);
	return at;
}

static void put_fde(struct eh *eh, size_t cie, uint64_t pc, uint32_t range, const void *insns, size_t n)
{
	size_t at = eh_begin(eh);

	put32(&eh->b, eh->b.n - cie);
	put32(&eh->b, (uint32_t)(pc - (eh->addr + eh->b.n)));
	put32(&eh->b, range);
	put8(&eh->b, 0);
	put(&eh->b, insns, n);
	eh_end(eh, at);
	eh->fde[eh->nr_fdes].pc = pc;
	eh->fde[eh->nr_fdes++].fde = eh->addr + at;
}

/* Write .eh_frame and its header with the binary search table (FDEs were put in order). */
static void eh_sections(struct tiny *t, struct eh *eh)
{
	struct bytes hdr = {.n = 0};
	uint64_t addr;
	Elf64_Shdr *sh;

	put32(&eh->b, 0); /* the end */
	tiny_section(t, ".eh_frame", SHT_PROGBITS, eh->b.p, eh->b.n);
	addr = next_addr(t);
	put8(&hdr, 1);
	put8(&hdr, DW_EH_PE_pcrel | DW_EH_PE_sdata4);
	put8(&hdr, DW_EH_PE_udata4);
	put8(&hdr, DW_EH_PE_datarel | DW_EH_PE_sdata4);
	put32(&hdr, (uint32_t)(eh->addr - (addr + 4)));
	put32(&hdr, eh->nr_fdes);
	for (size_t i = 0; i < eh->nr_fdes; i++) {
		put32(&hdr, (uint32_t)(eh->fde[i].pc - addr));
		put32(&hdr, (uint32_t)(eh->fde[i].fde - addr));
	}
	for (int i = 0; i < MAX_FDES; i++) /* behind the table: no entries, though they look like some */
		put64(&hdr, 0xfffff000fffff000);
	sh = tiny_section(t, ".eh_frame_hdr", SHT_PROGBITS, hdr.p, hdr.n);
	t->ph[TINY_PH_EH] = (Elf64_Phdr){.p_type = PT_GNU_EH_FRAME,
					 .p_flags = PF_R,
					 .p_offset = sh->sh_offset,
					 .p_vaddr = sh->sh_addr,
					 .p_filesz = hdr.n,
					 .p_memsz = hdr.n};
}

#define REMEMBER_8                                                                                           \
	DW_CFA_remember_state, DW_CFA_remember_state, DW_CFA_remember_state, DW_CFA_remember_state,          \
	    DW_CFA_remember_state, DW_CFA_remember_state, DW_CFA_remember_state, DW_CFA_remember_state
#define INSNS(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

/* 64 bytes of code at the address returned, with one function for each kind of rule. */
static uint64_t make_x86(struct tiny *t)
{
	static const uint8_t text[128];
	struct eh eh = {.nr_fdes = 0};
	uint64_t pc;
	size_t cie, signal_cie;

	tiny_start(t, EM_X86_64);
	pc = tiny_section(t, ".text", SHT_PROGBITS, text, sizeof(text))->sh_addr;
	eh.addr = next_addr(t);
	cie = put_cie(&eh, "zR", 1, 16, INSNS(DW_CFA_def_cfa, 7, 8, DW_CFA_offset | 16, 1));
	/* push %rbp; mov %rsp,%rbp; ... pop %rbp; ret */
	put_fde(&eh, cie, pc, 7,
		INSNS(DW_CFA_advance_loc | 1, DW_CFA_def_cfa_offset, 16, DW_CFA_offset | 6, 2,
		      DW_CFA_advance_loc | 3, DW_CFA_def_cfa_register, 6, DW_CFA_advance_loc | 2,
		      DW_CFA_def_cfa, 7, 8, DW_CFA_restore | 6));
	put_fde(&eh, cie, pc + 16, 8, INSNS(DW_CFA_def_cfa_expression, 3, DW_OP_breg7, 8, DW_OP_deref));
	put_fde(&eh, cie, pc + 24, 8, INSNS(DW_CFA_register, 6, 3));
	put_fde(&eh, cie, pc + 32, 8, INSNS(DW_CFA_undefined, 6));
	put_fde(&eh, cie, pc + 40, 8, INSNS(DW_CFA_val_offset, 6, 2));
	put_fde(&eh, cie, pc + 48, 8, INSNS(DW_CFA_undefined, 16));
	signal_cie = put_cie(&eh, "zRS", 1, 16, INSNS(DW_CFA_def_cfa, 7, 8, DW_CFA_offset | 16, 1));
	put_fde(&eh, signal_cie, pc + 56, 8, INSNS(DW_CFA_nop));
	put_fde(&eh, cie, pc + 64, 8,
		INSNS(DW_CFA_val_offset_sf, 12, 0x7e, DW_CFA_val_expression, 12, 1, DW_OP_nop,
		      DW_CFA_register, 12, 13, DW_CFA_GNU_args_size, 0x80, 1, DW_CFA_offset_extended_sf, 12,
		      0x7e, DW_CFA_same_value, 12, DW_CFA_remember_state, DW_CFA_def_cfa_sf, 7, 0x7e,
		      DW_CFA_offset | 6, 5, DW_CFA_advance_loc1, 2, DW_CFA_def_cfa_offset_sf, 0x7d,
		      DW_CFA_offset_extended, 6, 6, DW_CFA_advance_loc2, 2, 0,
		      DW_CFA_GNU_negative_offset_extended, 6, 7, DW_CFA_restore_extended, 6,
		      DW_CFA_advance_loc4, 2, 0, 0, 0, DW_CFA_restore_state));
	put_fde(&eh, cie, pc + 72, 8,
		INSNS(REMEMBER_8, REMEMBER_8, DW_CFA_remember_state, DW_CFA_restore_state));
	put_fde(&eh, cie, pc + 80, 8, INSNS(DW_CFA_restore_state));
	put_fde(&eh, cie, pc + 88, 8, INSNS(DW_CFA_expression, 12, 0xff, 0x7f));
	put_fde(&eh, cie, pc + 96, 8, INSNS(DW_CFA_same_value, 0xff, 0xff, 0xff, 0x3f));
	put_fde(&eh, cie, pc + 104, 8, INSNS(0x3f));
	put_fde(&eh, cie, pc + 112, 8, INSNS(0x2d));
	put_fde(&eh, cie, pc + 120, 8,
		INSNS(DW_CFA_GNU_negative_offset_extended, 6, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
		      0x80, 1));
	eh_sections(t, &eh);
	return pc;
}

static uint64_t make_arm64(struct tiny *t)
{
	static const uint8_t text[128];
	struct eh eh = {.nr_fdes = 0};
	uint64_t pc;
	size_t cie;

	tiny_start(t, EM_AARCH64);
	pc = tiny_section(t, ".text", SHT_PROGBITS, text, sizeof(text))->sh_addr;
	eh.addr = next_addr(t);
	cie = put_cie(&eh, "zR", 4, 30, INSNS(DW_CFA_def_cfa, 31, 0));
	/* stp x29, x30, [sp, #-32]!; mov x29, sp; ... */
	put_fde(&eh, cie, pc, 16,
		INSNS(DW_CFA_advance_loc | 1, DW_CFA_def_cfa_offset, 32, DW_CFA_offset | 29, 4,
		      DW_CFA_offset | 30, 3, DW_CFA_advance_loc | 1, DW_CFA_def_cfa_register, 29));
	/* paciasp; stp x29, x30, [sp, #-16]! */
	put_fde(&eh, cie, pc + 16, 16,
		INSNS(DW_CFA_advance_loc | 1, 0x2d, DW_CFA_advance_loc | 1, DW_CFA_def_cfa_offset, 16,
		      DW_CFA_offset | 29, 2, DW_CFA_offset | 30, 1));
	eh_sections(t, &eh);
	return pc;
}

struct rule {
	uint32_t at;
	int rc;
	struct elf_cfi cfi;
};
static const struct rule x86_rules[] = {
    {0, 0, {.cfa_reg = 7, .cfa_offset = 8, .ra_offset = -8}},
    {1, 0, {.cfa_reg = 7, .cfa_offset = 16, .ra_offset = -8, .fp_saved = true, .fp_offset = -16}},
    {3, 0, {.cfa_reg = 7, .cfa_offset = 16, .ra_offset = -8, .fp_saved = true, .fp_offset = -16}},
    {4, 0, {.cfa_reg = 6, .cfa_offset = 16, .ra_offset = -8, .fp_saved = true, .fp_offset = -16}},
    {5, 0, {.cfa_reg = 6, .cfa_offset = 16, .ra_offset = -8, .fp_saved = true, .fp_offset = -16}},
    {6, 0, {.cfa_reg = 7, .cfa_offset = 8, .ra_offset = -8}},
    {7, -ENOENT, {0}}, /* behind the function */
    {15, -ENOENT, {0}},
    {16, -ENOENT, {0}}, /* CFA by an expression */
    {24, -ENOENT, {0}}, /* frame pointer in another register */
    {32, 0, {.cfa_reg = 7, .cfa_offset = 8, .ra_offset = -8}},
    {40, -ENOENT, {0}}, /* frame pointer is an address */
    {48, -ENOENT, {0}}, /* no caller */
    {56, -ENOENT, {0}}, /* a signal frame */
    /* of other registers all rules are read, and of no interest */
    {64, 0, {.cfa_reg = 7, .cfa_offset = 16, .ra_offset = -8, .fp_saved = true, .fp_offset = -40}},
    {66, 0, {.cfa_reg = 7, .cfa_offset = 24, .ra_offset = -8, .fp_saved = true, .fp_offset = -48}},
    {68, 0, {.cfa_reg = 7, .cfa_offset = 24, .ra_offset = -8}},
    {70, 0, {.cfa_reg = 7, .cfa_offset = 8, .ra_offset = -8}},
    {72, -ENOENT, {0}},                                        /* more states than are kept */
    {80, -ENOENT, {0}},                                        /* none to restore */
    {88, -ENOENT, {0}},                                        /* longer than the rest */
    {96, 0, {.cfa_reg = 7, .cfa_offset = 8, .ra_offset = -8}}, /* a rule of register 2^27 */
    {104, -ENOENT, {0}},                                       /* no such instruction */
    {112, -ENOENT, {0}},                                       /* arm64 only */
    {120, -ENOENT, {0}},                                       /* a number of more than 63 bits */
    {128, -ENOENT, {0}},
    {0x10000000, -ENOENT, {0}},
};
static const struct rule arm64_rules[] = {
    {0, -ENOENT, {0}}, /* the return address is in x30 */
    {4, 0, {.cfa_reg = 31, .cfa_offset = 32, .ra_offset = -24, .fp_saved = true, .fp_offset = -32}},
    {8, 0, {.cfa_reg = 29, .cfa_offset = 32, .ra_offset = -24, .fp_saved = true, .fp_offset = -32}},
    {16, -ENOENT, {0}},
    {20, -ENOENT, {0}}, /* signed, still in x30; not SPARC's window_save */
    {24, 0, {.cfa_reg = 31, .cfa_offset = 16, .ra_offset = -8, .fp_saved = true, .fp_offset = -16}},
    {32, -ENOENT, {0}},
};

/* The call frame information of a file; the image is not needed any more. */
static struct elf_cfi_table *cfi_of(const struct tiny *t)
{
	struct elf_cfi_table *c;
	struct elf_image *e;

	assert_int_equal(elf_open(tiny_memfd(t->b, t->n), &e), 0);
	assert_int_equal(elf_cfi_open(e, &c), 0);
	elf_close(e);
	return c;
}

static void check_rules(struct tiny *t, uint64_t pc, const struct rule *r, size_t n)
{
	struct elf_cfi_table *c;

	tiny_finish(t);
	c = cfi_of(t);
	for (size_t i = 0; i < n; i++) {
		struct elf_cfi got = {.cfa_reg = 99};
		int rc = elf_cfi_at(c, pc + r[i].at, &got);

		if (rc != r[i].rc || got.cfa_reg != r[i].cfi.cfa_reg ||
		    got.cfa_offset != r[i].cfi.cfa_offset || got.ra_offset != r[i].cfi.ra_offset ||
		    got.fp_saved != r[i].cfi.fp_saved || got.fp_offset != r[i].cfi.fp_offset)
			fail_msg("at %u: %d, CFA r%u%+d, ra %+d, fp %d %+d", r[i].at, rc, got.cfa_reg,
				 got.cfa_offset, got.ra_offset, got.fp_saved, got.fp_offset);
	}
	elf_cfi_close(c);
}

static void test_cfi(void **state)
{
	struct tiny t;
	uint64_t pc;

	(void)state;
	pc = make_x86(&t);
	check_rules(&t, pc, x86_rules, ARRAY_LEN(x86_rules));
	t.no_sections = true; /* found through PT_GNU_EH_FRAME */
	check_rules(&t, pc, x86_rules, ARRAY_LEN(x86_rules));

	pc = make_arm64(&t);
	check_rules(&t, pc, arm64_rules, ARRAY_LEN(arm64_rules));
	t.no_sections = true;
	check_rules(&t, pc, arm64_rules, ARRAY_LEN(arm64_rules));
}

/* Without the search table the FDEs are walked. */
static void test_cfi_without_header(void **state)
{
	struct tiny t;
	uint64_t pc = make_x86(&t);

	(void)state;
	t.nr_sh--;
	t.ph[TINY_PH_EH].p_type = PT_NULL;
	check_rules(&t, pc, x86_rules, ARRAY_LEN(x86_rules));
}

/* With the search table, by the segment alone, and without either. */
static void test_beginnings(void **state)
{
	struct elf_cfi_table *c;
	struct tiny t;
	uint64_t pc = make_x86(&t);

	(void)state;
	for (int way = 0; way < 3; way++) {
		t.no_sections = way == 1;
		if (way == 2) {
			t.nr_sh--;
			t.ph[TINY_PH_EH].p_type = PT_NULL;
		}
		tiny_finish(&t);
		c = cfi_of(&t);
		for (uint64_t at = 0; at < 160; at++)
			assert_int_equal(elf_cfi_begins(c, pc + at), at % 8 == 0 && at != 8 && at < 128);
		elf_cfi_close(c);
	}
}

static void test_no_cfi(void **state)
{
	static const uint64_t sizes[] = {0, 3, 1ULL << 40, UINT64_MAX};
	struct elf_cfi got;
	struct elf_cfi_table *c;
	struct tiny t;
	uint64_t pc;

	(void)state;
	pc = make_x86(&t);
	t.sh[2].sh_type = SHT_NOBITS;
	t.sh[3].sh_type = SHT_NOBITS;
	t.ph[TINY_PH_EH].p_type = PT_NULL;
	tiny_finish(&t);
	c = cfi_of(&t);
	for (int i = 0; i < 3; i++)
		assert_int_equal(elf_cfi_at(c, pc, &got), -ENOENT);
	elf_cfi_close(c);

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		pc = make_x86(&t);
		t.sh[2].sh_size = sizes[i];
		t.ph[TINY_PH_EH].p_type = PT_NULL;
		tiny_finish(&t);
		c = cfi_of(&t);
		assert_int_equal(elf_cfi_at(c, pc, &got), -ENOENT);
		elf_cfi_close(c);
	}
}

/* Lengths that lie: in a section of its own, so that nothing readable follows it. */
static void test_cfi_lengths(void **state)
{
	static const uint32_t lengths[] = {0, 3, 4, 8, 0x7fffffff, UINT32_MAX - 1, UINT32_MAX};
	struct elf_cfi_table *c;
	struct elf_cfi got;
	struct tiny t;
	uint64_t pc;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		for (size_t which = 0; which < 2; which++) {
			uint8_t *p;

			pc = make_x86(&t);
			t.ph[TINY_PH_EH].p_type = PT_NULL;
			p = t.b + t.sh[2].sh_offset; /* the CIE, then the first FDE */
			if (which)
				p += 4 + *(uint32_t *)p;
			memcpy(p, &lengths[i], 4);
			tiny_finish(&t);
			c = cfi_of(&t);
			assert_int_equal(elf_cfi_at(c, pc, &got), -ENOENT);
			elf_cfi_close(c);
		}
	}
}

/* Every question there is, to a file that may be anything. */
static void ask_everything(const uint8_t *p, size_t n, uint64_t pc)
{
	struct elf_wanted w[] = {{.name = "alpha"}, {.name = "beta"}};
	struct elf_usdts usdts;
	struct elf_image *e, *debug;
	struct elf_cfi_table *c;
	struct elf_cfi cfi;
	uint64_t v;
	char got[64];

	if (elf_open(tiny_memfd(p, n), &e))
		return;
	assert_true(strlen(elf_build_id(e)) <= 2 * BUILD_ID_MAX);
	elf_find_symbols(e, ELF_SYMTAB, w, ARRAY_LEN(w));
	elf_find_symbols(e, ELF_DYNSYM, w, ARRAY_LEN(w));
	if (!elf_usdt_read(e, "prov", &usdts))
		free(usdts.v);
	assert_int_equal(elf_cfi_open(e, &c), 0);
	for (int i = -8; i < 132; i += 4) {
		elf_cfi_at(c, pc + i, &cfi);
		elf_cfi_begins(c, pc + i);
		elf_is_code(e, pc + i);
		if (elf_vaddr_to_offset(e, pc + i, &v))
			assert_true(v < n);
		elf_offset_to_vaddr(e, pc + i - TINY_BASE, &v);
		assert_true(elf_read(e, pc + i, got, sizeof(got)) <= sizeof(got));
	}
	if (!elf_open_debug(e, getpid(), "/nonexistent/lib.so", &debug))
		elf_close(debug);
	elf_cfi_close(c);
	elf_close(e);
}

static void make_everything(struct tiny *t, uint16_t machine, uint64_t *pc)
{
	struct bytes notes = {.n = 0}, syms = {.n = 0};
	static const char names[] = "\0alpha\0beta";
	Elf64_Shdr *sh;

	*pc = machine == EM_X86_64 ? make_x86(t) : make_arm64(t);
	put_note(&notes, "GNU", NT_GNU_BUILD_ID, "0123456789", 10);
	sh = tiny_section(t, ".note.gnu.build-id", SHT_NOTE, notes.p, notes.n);
	t->ph[TINY_PH_NOTE] = (Elf64_Phdr){.p_type = PT_NOTE, .p_offset = sh->sh_offset, .p_filesz = notes.n};
	notes.n = 0;
	put_usdt(&notes, *pc, 0x5000, 0, "prov", "one", "8@%rax");
	put_usdt(&notes, *pc + 4, 0x5000, 0x6000, "prov", "two", "-4@%ebx");
	tiny_section(t, ".note.stapsdt", SHT_NOTE, notes.p, notes.n);
	tiny_section(t, ".stapsdt.base", SHT_PROGBITS, "", 1)->sh_addr = 0x5000;
	for (uint32_t i = 0; i < 3; i++)
		put(&syms,
		    &(Elf64_Sym){.st_name = i ? i * 6 - 5 : 0,
				 .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
				 .st_shndx = 1,
				 .st_value = *pc + i},
		    sizeof(Elf64_Sym));
	sh = tiny_section(t, ".symtab", SHT_SYMTAB, syms.p, syms.n);
	sh->sh_entsize = sizeof(Elf64_Sym);
	sh->sh_link = t->nr_sh;
	tiny_section(t, ".strtab", SHT_STRTAB, names, sizeof(names));
	tiny_section(t, ".gnu_debuglink", SHT_PROGBITS, "lib.debug\0\0\0abcd", 16);
	tiny_section(t, ".gnu_debugdata", SHT_PROGBITS,
		     "\xfd"
		     "7zXZ\0\0\4",
		     8);
	tiny_finish(t);
}

/* One byte of a good file at a time becomes another; no crash, no hang. */
static void fuzz(uint16_t machine, bool with_table)
{
	uint64_t seed = machine, pc, before = clock_ns(CLOCK_MONOTONIC);
	struct elf_wanted w[] = {{.name = "alpha"}, {.name = "beta"}};
	struct elf_image *e;
	struct tiny t;

	make_everything(&t, machine, &pc);
	if (!with_table) {
		t.ph[TINY_PH_EH].p_type = PT_NULL;
		tiny_finish(&t);
	}
	assert_int_equal(elf_open(tiny_memfd(t.b, t.n), &e), 0);
	assert_int_equal(elf_find_symbols(e, ELF_SYMTAB, w, 2), 2); /* it is good */
	elf_close(e);
	for (int i = 0; i < FUZZ_RUNS; i++) {
		uint64_t r = mix64(seed += 0x9e3779b97f4a7c15ULL);
		size_t at = r % t.n;
		uint8_t saved = t.b[at];

		/* mostly values that mean something: all bits, one bit, the next */
		t.b[at] = r >> 62 == 0   ? 0xff
			  : r >> 62 == 1 ? saved ^ 1 << (r >> 32 & 7)
					 : (uint8_t)(r >> 40);
		ask_everything(t.b, t.n, pc);
		t.b[at] = saved;
	}
	assert_true(clock_ns(CLOCK_MONOTONIC) - before < 60000000000ULL);
}

static void test_fuzz_x86(void **state)
{
	(void)state;
	fuzz(EM_X86_64, true);
	fuzz(EM_X86_64, false);
}

static void test_fuzz_arm64(void **state)
{
	(void)state;
	fuzz(EM_AARCH64, true);
}

static void test_truncated_anywhere(void **state)
{
	struct tiny t;
	uint64_t pc;

	(void)state;
	make_everything(&t, EM_X86_64, &pc);
	for (size_t n = 0; n < t.n; n++)
		ask_everything(t.b, n, pc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_cfi),         cmocka_unit_test(test_cfi_without_header),
	    cmocka_unit_test(test_beginnings),  cmocka_unit_test(test_no_cfi),
	    cmocka_unit_test(test_cfi_lengths), cmocka_unit_test(test_fuzz_x86),
	    cmocka_unit_test(test_fuzz_arm64),  cmocka_unit_test(test_truncated_anywhere),
	};

	return cmocka_run_group_tests_name("elf_cfi", tests, NULL, NULL);
}
