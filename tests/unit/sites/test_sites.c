/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Where to probe: operands, locations, and the choice among sites of hand-made libraries. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dwarf.h>
#include <errno.h>
#include <unistd.h>

#include "model/report.h"
#include "sites/site_locs.h"
#include "sites/sites.h"
#include "tiny_elf.h"

/* --- operands of USDT notes --- */

struct operand_case {
	const char *args;
	unsigned index;
	bool ok;
	struct loc want;
};

static void check_operands(uint16_t machine, const struct operand_case *c, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct loc got = {0};
		bool ok = usdt_operand(machine, c[i].args, c[i].index, &got);

		if (ok != c[i].ok)
			fail_msg("operand %u of '%s': %s", c[i].index, c[i].args, ok ? "taken" : "refused");
		if (!ok)
			continue;
		assert_int_equal(got.kind, c[i].want.kind);
		assert_int_equal(got.reg, c[i].want.reg);
		assert_int_equal(got.offset_bytes, c[i].want.offset_bytes);
	}
}

static void x86_operands(void **state)
{
	static const struct operand_case c[] = {
	    {"8@%rax", 0, true, {.kind = LOC_REG, .reg = 0}},
	    {"8@%r13 8@%r12", 1, true, {.kind = LOC_REG, .reg = 12}},
	    {"-8@%rdi", 0, true, {.kind = LOC_REG, .reg = 5}},
	    {"8@%rsi", 0, true, {.kind = LOC_REG, .reg = 4}},
	    {"8@%rbx", 0, true, {.kind = LOC_REG, .reg = 3}},
	    {"8@%rdx 8@%rcx", 0, true, {.kind = LOC_REG, .reg = 1}},
	    {"8@%rdx 8@%rcx", 1, true, {.kind = LOC_REG, .reg = 2}},
	    {"8@-24(%rbp)", 0, true, {.kind = LOC_MEM, .reg = 6, .offset_bytes = -24}},
	    {"4@%eax  8@0x10(%rsp)", 1, true, {.kind = LOC_MEM, .reg = 7, .offset_bytes = 16}},
	    {"8@(%r15)", 0, true, {.kind = LOC_MEM, .reg = 15, .offset_bytes = 0}},
	    {"", 0, false, {0}},
	    {"8@%rax", 1, false, {0}},
	    {"4@%eax", 0, false, {0}},
	    {"4@%rax", 0, false, {0}},
	    {"8@%eax", 0, false, {0}},
	    {"8@%r1", 0, false, {0}},
	    {"8@%r16", 0, false, {0}},
	    {"8@%rip", 0, false, {0}},
	    {"8@$0", 0, false, {0}},
	    {"8@", 0, false, {0}},
	    {"8@%", 0, false, {0}},
	    {"-", 0, false, {0}},
	    {"8f@%xmm0", 0, false, {0}},
	    {"8@8(%rax,%rbx,8)", 0, false, {0}},
	    {"8@main_vm(%rip)", 0, false, {0}},
	    {"8@8(%rbp", 0, false, {0}},
	    {"8@8(%rbp]", 0, false, {0}},
	    {"8@8x(%rbp)", 0, false, {0}},
	    {"8@99999999999(%rbp)", 0, false, {0}},
	    {"8@-99999999999999999999(%rbp)", 0, false, {0}},
	    {"8@4294967304(%rbp)", 0, false, {0}},
	    {"8@x0", 0, false, {0}},
	};

	(void)state;
	check_operands(EM_X86_64, c, ARRAY_LEN(c));
}

static void arm64_operands(void **state)
{
	static const struct operand_case c[] = {
	    {"8@x0", 0, true, {.kind = LOC_REG, .reg = 0}},
	    {"8@x20 -8@x30", 1, true, {.kind = LOC_REG, .reg = 30}},
	    {"8@[sp]", 0, true, {.kind = LOC_MEM, .reg = 31, .offset_bytes = 0}},
	    {"8@[sp, 24] 8@x1", 0, true, {.kind = LOC_MEM, .reg = 31, .offset_bytes = 24}},
	    {"8@[sp, 24] 8@x1", 1, true, {.kind = LOC_REG, .reg = 1}},
	    {"8@[x29, -16]", 0, true, {.kind = LOC_MEM, .reg = 29, .offset_bytes = -16}},
	    {"8@x9", 0, false, {0}}, /* the kernel side does not read it */
	    {"8@x31", 0, false, {0}},
	    {"8@x", 0, false, {0}},
	    {"8@x1x", 0, false, {0}},
	    {"8@w0", 0, false, {0}},
	    {"4@w0", 0, false, {0}},
	    {"8@[x0, x1]", 0, false, {0}},
	    {"8@[x0, 8", 0, false, {0}},
	    {"8@[", 0, false, {0}},
	    {"8@[]", 0, false, {0}},
	    {"8@[,]", 0, false, {0}},
	    {"8@0", 0, false, {0}},
	    {"8@%rax", 0, false, {0}},
	};

	(void)state;
	check_operands(EM_AARCH64, c, ARRAY_LEN(c));
}

static void int_operands(void **state)
{
	struct loc l;

	(void)state;
	assert_true(usdt_int_operand(EM_X86_64, "8@%r15 8@%r12 -4@%r13d", 2, &l));
	assert_true(l.kind == LOC_REG && l.reg == 13);
	assert_true(usdt_int_operand(EM_X86_64, "-4@%ecx", 0, &l) && l.kind == LOC_REG && l.reg == 2);
	assert_true(usdt_int_operand(EM_X86_64, "4@-20(%rbp)", 0, &l));
	assert_true(l.kind == LOC_MEM && l.reg == 6 && l.offset_bytes == -20);
	assert_true(usdt_int_operand(EM_AARCH64, "-4@w21", 0, &l) && l.kind == LOC_REG && l.reg == 21);
	assert_false(usdt_int_operand(EM_X86_64, "8@%rcx", 0, &l));
	assert_false(usdt_int_operand(EM_X86_64, "4@%rcx", 0, &l));
	assert_false(usdt_int_operand(EM_X86_64, "4@$0", 0, &l));
	assert_false(usdt_int_operand(EM_X86_64, "4@%d", 0, &l));
	assert_false(usdt_int_operand(EM_X86_64, "4@%eexxxxxxxxxxx", 0, &l));
	assert_false(usdt_int_operand(EM_AARCH64, "4@x21", 0, &l));
}

/* --- where handle and caller are --- */

#define assert_loc(l, kind_, reg_, offset_)                                                                  \
	do {                                                                                                 \
		assert_int_equal((l).kind, kind_);                                                           \
		assert_int_equal((l).reg, reg_);                                                             \
		assert_int_equal((l).offset_bytes, offset_);                                                 \
	} while (0)

static void locations_at_entry(void **state)
{
	static const uint8_t x86_args[] = {5, 4, 1, 2};
	struct probe_site s = {0};

	(void)state;
	for (int i = 0; i < 4; i++) {
		locs_at_entry(EM_X86_64, (enum handle_where)(HANDLE_ARG0 + i), &s);
		assert_loc(s.handle, LOC_REG, x86_args[i], 0);
		locs_at_entry(EM_AARCH64, (enum handle_where)(HANDLE_ARG0 + i), &s);
		assert_loc(s.handle, LOC_REG, i, 0);
	}
	assert_loc(s.caller_pc, LOC_REG, 30, 0);
	assert_loc(s.caller_fp, LOC_REG, 29, 0);
	assert_loc(s.caller_cfa, LOC_REG, 31, 0);
	locs_at_entry(EM_X86_64, HANDLE_NONE, &s);
	assert_int_equal(s.handle.kind, LOC_NONE);
	assert_loc(s.caller_pc, LOC_MEM, 7, 0);
	assert_loc(s.caller_fp, LOC_REG, 6, 0);
	assert_loc(s.caller_cfa, LOC_REG, 7, 8);
}

static void locations_at_uretprobe(void **state)
{
	struct probe_site s = {0};

	(void)state;
	locs_at_uretprobe(EM_X86_64, HANDLE_RETURN, &s);
	assert_loc(s.handle, LOC_REG, 0, 0);
	assert_loc(s.caller_pc, LOC_REG, 16, 0);
	assert_loc(s.caller_fp, LOC_REG, 6, 0);
	assert_loc(s.caller_cfa, LOC_REG, 7, 0);
	locs_at_uretprobe(EM_AARCH64, HANDLE_RETURN, &s);
	assert_loc(s.handle, LOC_REG, 0, 0);
	assert_loc(s.caller_pc, LOC_REG, 32, 0);
	assert_loc(s.caller_cfa, LOC_REG, 31, 0);
}

static void locations_by_cfi(void **state)
{
	struct elf_cfi cfi = {
	    .cfa_reg = 6, .fp_saved = true, .cfa_offset = 16, .ra_offset = -8, .fp_offset = -16};
	struct probe_site s = {0};

	(void)state;
	assert_true(locs_by_cfi(EM_X86_64, &cfi, &s));
	assert_loc(s.caller_pc, LOC_MEM, 6, 8);
	assert_loc(s.caller_fp, LOC_MEM, 6, 0);
	assert_loc(s.caller_cfa, LOC_REG, 6, 16);
	cfi.fp_saved = false;
	cfi.cfa_reg = 7;
	assert_true(locs_by_cfi(EM_X86_64, &cfi, &s));
	assert_loc(s.caller_fp, LOC_REG, 6, 0);
	cfi.cfa_offset = INT32_MIN;
	assert_false(locs_by_cfi(EM_X86_64, &cfi, &s));
	cfi.cfa_offset = 16;
	cfi.cfa_reg = 200;
	assert_false(locs_by_cfi(EM_X86_64, &cfi, &s));
}

/* --- choice --- */

/* Places in the code of the library below, each with its own kind of instruction. */
enum {
	AT_PUSH = 0,
	AT_ENDBR_PUSH = 16,
	AT_ENDBR_MOV = 32,
	AT_INT3 = 48,
	AT_MOV = 64,
	AT_NOP = 80, /* single bytes, up to AT_NO_CFI with CFI */
	AT_NOP3 = 104,
	AT_NOP2 = 108,
	AT_NO_CFI = 112,
	CODE_BYTES = 128,
};

static void make_code(uint8_t *p)
{
	static const uint8_t endbr64[] = {0xf3, 0x0f, 0x1e, 0xfa}, mov[] = {0x48, 0x89, 0xe5};

	memset(p, 0x90, CODE_BYTES);
	p[AT_PUSH] = 0x55;
	memcpy(p + AT_ENDBR_PUSH, endbr64, sizeof(endbr64));
	p[AT_ENDBR_PUSH + 4] = 0x55;
	memcpy(p + AT_ENDBR_MOV, endbr64, sizeof(endbr64));
	memcpy(p + AT_ENDBR_MOV + 4, mov, sizeof(mov));
	p[AT_INT3] = 0xcc;
	memcpy(p + AT_MOV, mov, sizeof(mov));
	memcpy(p + AT_NOP3, (const uint8_t[]){0x0f, 0x1f, 0x00}, 3);
	memcpy(p + AT_NOP2, (const uint8_t[]){0x66, 0x90}, 2);
}

/* What a test puts into the library. */
struct symbol {
	const char *name;
	uint32_t at; /* from the start of the code */
};
struct note {
	const char *name, *args;
	uint32_t at;
	bool has_semaphore;
};
struct library {
	struct symbol symbols[8];
	struct note notes[8];
};

static uint64_t next_addr(const struct tiny *t)
{
	return TINY_BASE + ((t->n + 7) & ~(size_t)7);
}

/* One CIE and one FDE: CFA = rbp + 16, the return address below it, then the saved rbp. */
static void put_cfi(struct tiny *t, uint64_t pc, uint32_t range)
{
	static const uint8_t rules[] = {DW_CFA_def_cfa,    6, 16, DW_CFA_offset | 16, 1,
					DW_CFA_offset | 6, 2, 0};
	uint64_t addr = next_addr(t), hdr_addr, fde;
	struct bytes b = {.n = 0}, hdr = {.n = 0};
	Elf64_Shdr *sh;

	put32(&b, 4 + 9 + sizeof(rules) + 3);
	put32(&b, 0);
	put(&b, "\1zR\0\1\x78\x10\1\x1b", 9); /* version, augmentation, alignments, rip, pcrel sdata4 */
	put(&b, rules, sizeof(rules));
	put(&b, "\0\0\0", 3);
	fde = addr + b.n;
	put32(&b, 16);
	put32(&b, (uint32_t)b.n);
	put32(&b, (uint32_t)(pc - (addr + b.n)));
	put32(&b, range);
	put32(&b, 0);
	put32(&b, 0); /* the end */
	tiny_section(t, ".eh_frame", SHT_PROGBITS, b.p, b.n);
	hdr_addr = next_addr(t);
	put(&hdr, "\1\x1b\3\x3b", 4); /* pcrel sdata4, udata4, datarel sdata4 */
	put32(&hdr, (uint32_t)(addr - (hdr_addr + 4)));
	put32(&hdr, 1);
	put32(&hdr, (uint32_t)(pc - hdr_addr));
	put32(&hdr, (uint32_t)(fde - hdr_addr));
	sh = tiny_section(t, ".eh_frame_hdr", SHT_PROGBITS, hdr.p, hdr.n);
	t->ph[TINY_PH_EH] = (Elf64_Phdr){.p_type = PT_GNU_EH_FRAME,
					 .p_flags = PF_R,
					 .p_offset = sh->sh_offset,
					 .p_vaddr = sh->sh_addr,
					 .p_filesz = hdr.n,
					 .p_memsz = hdr.n};
}

/* Returns the link-time address of the code. */
static uint64_t make_library(const struct library *l, struct elf_image **out)
{
	struct bytes syms = {.n = 0}, names = {.n = 0}, notes = {.n = 0};
	uint8_t code[CODE_BYTES];
	struct tiny t;
	Elf64_Shdr *sh;
	uint64_t pc;

	make_code(code);
	tiny_start(&t, EM_X86_64);
	pc = tiny_section(&t, ".text", SHT_PROGBITS, code, sizeof(code))->sh_addr;
	put(&syms, &(Elf64_Sym){0}, sizeof(Elf64_Sym));
	put8(&names, 0);
	for (size_t i = 0; i < ARRAY_LEN(l->symbols) && l->symbols[i].name; i++) {
		Elf64_Sym sym = {.st_name = names.n,
				 .st_info = ELF64_ST_INFO(STB_LOCAL, STT_FUNC),
				 .st_shndx = 1,
				 .st_value = pc + l->symbols[i].at};

		put(&names, l->symbols[i].name, strlen(l->symbols[i].name) + 1);
		put(&syms, &sym, sizeof(sym));
	}
	sh = tiny_section(&t, ".symtab", SHT_SYMTAB, syms.p, syms.n);
	sh->sh_entsize = sizeof(Elf64_Sym);
	sh->sh_link = t.nr_sh;
	tiny_section(&t, ".strtab", SHT_STRTAB, names.p, names.n);
	for (size_t i = 0; i < ARRAY_LEN(l->notes) && l->notes[i].name; i++)
		put_usdt(&notes, pc + l->notes[i].at, 0, l->notes[i].has_semaphore ? pc : 0, "hotspot_jni",
			 l->notes[i].name, l->notes[i].args);
	tiny_section(&t, ".note.stapsdt", SHT_NOTE, notes.p, notes.n);
	put_cfi(&t, pc, AT_NO_CFI);
	tiny_finish(&t);
	assert_int_equal(elf_open(tiny_memfd(t.b, t.n), out), 0);
	return pc;
}

struct want {
	enum func_id func;
	enum site_point point;
	enum site_strategy strategy;
	uint32_t at;
	const char *cost;
};

static struct vm_file file_of(struct elf_image *e)
{
	return (struct vm_file){
	    .runtime = runtime_by_name("hotspot"), .elf = e, .mapping.path = "/nonexistent/libjvm.so"};
}

/* Resolve in the library and compare with n sites; returns the functions that are missing. */
static uint64_t check_sites(const struct library *l, uint32_t families, int only, const struct want *want,
			    size_t n, const char *in_notes)
{
	struct probe_sites sites;
	struct elf_image *e;
	uint64_t pc = make_library(l, &e), missing;
	struct vm_file file = file_of(e);
	struct site_request req = {.catalog = &jni_catalog,
				   .pid = getpid(),
				   .file = &file,
				   .families = families,
				   .only_strategy = only};
	struct error err = {0};
	int rc = sites_resolve(&req, &sites, &err);

	if (n == 0) {
		assert_int_equal(rc, -ENOENT);
		assert_non_null(strstr(err.why, in_notes));
	} else {
		assert_int_equal(rc, 0);
		if (in_notes)
			assert_non_null(strstr(sites.notes.n ? sites.notes.p : "", in_notes));
		else
			assert_int_equal(sites.notes.n, 0);
	}
	assert_int_equal(sites.n, n);
	for (size_t i = 0; i < n; i++) {
		const struct probe_site *s = &sites.v[i];
		uint64_t offset;

		assert_int_equal(s->func, want[i].func);
		assert_int_equal(s->point, want[i].point);
		assert_int_equal(s->strategy, want[i].strategy);
		assert_int_equal(s->vaddr, pc + want[i].at);
		assert_true(elf_vaddr_to_offset(e, s->vaddr, &offset));
		assert_int_equal(s->offset, offset);
		assert_string_equal(probe_site_cost(s), want[i].cost);
		assert_string_equal(probe_site_operation(s), s->point == POINT_ENTRY ? "entry" : "return");
	}
	missing = sites.missing;
	sites_free(&sites);
	elf_close(e);
	return missing;
}

#define GLOBALS (1u << FAMILY_GLOBAL)
#define WANT(...)                                                                                            \
	(const struct want[]){__VA_ARGS__}, sizeof((struct want[]){__VA_ARGS__}) / sizeof(struct want)
#define NOTHING NULL, 0

static void entries_by_symbols(void **state)
{
	struct library l = {
	    .symbols = {{"jni_NewGlobalRef", AT_ENDBR_PUSH}, {"jni_DeleteGlobalRef", AT_PUSH}}};

	(void)state;
	assert_int_equal(
	    check_sites(
		&l, GLOBALS, -1,
		WANT({FUNC_NewGlobalRef, POINT_URETPROBE, STRATEGY_SYMTAB, AT_ENDBR_PUSH + 4, "uretprobe"},
		     {FUNC_DeleteGlobalRef, POINT_ENTRY, STRATEGY_SYMTAB, AT_PUSH, "emulated"}),
		NULL),
	    0);
	/* nothing emulated on the way: the first instruction, and its price is told */
	l.symbols[0].at = AT_ENDBR_MOV;
	l.symbols[1].at = AT_MOV;
	assert_int_equal(
	    check_sites(
		&l, GLOBALS, -1,
		WANT({FUNC_NewGlobalRef, POINT_URETPROBE, STRATEGY_SYMTAB, AT_ENDBR_MOV, "single-step"},
		     {FUNC_DeleteGlobalRef, POINT_ENTRY, STRATEGY_SYMTAB, AT_MOV, "single-step"}),
		NULL),
	    0);
	/* what cannot be probed safely is missing, and so is what is outside the code */
	l.symbols[0].at = AT_INT3;
	assert_int_equal(
	    check_sites(&l, GLOBALS, -1,
			WANT({FUNC_DeleteGlobalRef, POINT_ENTRY, STRATEGY_SYMTAB, AT_MOV, "single-step"}),
			"NewGlobalRef: no instruction at its entry can be probed safely"),
	    1);
	l.symbols[0].at = 1u << 30;
	assert_int_equal(
	    check_sites(&l, GLOBALS, -1,
			WANT({FUNC_DeleteGlobalRef, POINT_ENTRY, STRATEGY_SYMTAB, AT_MOV, "single-step"}),
			"NewGlobalRef"),
	    1);
}

static void usdt_beats_the_rest(void **state)
{
	struct library l = {
	    .symbols = {{"jni_NewGlobalRef", AT_PUSH}, {"jni_DeleteGlobalRef", AT_ENDBR_PUSH}},
	    .notes = {{"NewGlobalRef__return", "8@%rax", AT_NOP, false},
		      {"NewGlobalRef__return", "8@-24(%rbp)", AT_NOP + 1, false},
		      {"NewGlobalRef__returned", "8@%rax", AT_NOP + 2, false},
		      {"DeleteGlobalRef__entry", "8@%r13 8@%r12", AT_NOP + 3, false}},
	};
	const struct want release = {FUNC_DeleteGlobalRef, POINT_ENTRY, STRATEGY_USDT, AT_NOP + 3,
				     "emulated"};
	const struct want fallback = {FUNC_NewGlobalRef, POINT_URETPROBE, STRATEGY_SYMTAB, AT_PUSH,
				      "uretprobe"};

	(void)state;
	/* every note of the name is a site; a nop costs less than the push at an entry */
	check_sites(&l, GLOBALS, -1,
		    WANT({FUNC_NewGlobalRef, POINT_RETURN, STRATEGY_USDT, AT_NOP, "emulated"},
			 {FUNC_NewGlobalRef, POINT_RETURN, STRATEGY_USDT, AT_NOP + 1, "emulated"}, release),
		    NULL);
	/* one bad note spoils all of that name */
	l.notes[1].args = "8@$0";
	check_sites(&l, GLOBALS, -1, WANT(fallback, release), NULL);
	l.notes[1].args = "8@%rax";
	l.notes[1].has_semaphore = true;
	check_sites(&l, GLOBALS, -1, WANT(fallback, release), NULL);
	l.notes[1].has_semaphore = false;
	l.notes[1].at = AT_NOP3;
	check_sites(&l, GLOBALS, -1, WANT(fallback, release), NULL);
	l.notes[1].at = AT_NOP2;
	check_sites(&l, GLOBALS, -1, WANT(fallback, release), NULL);
	l.notes[1].at = AT_PUSH;
	check_sites(&l, GLOBALS, -1, WANT(fallback, release), NULL);
	l.notes[1].at = AT_NO_CFI;
	check_sites(&l, GLOBALS, -1, WANT(fallback, release), NULL);
}

static void usdt_entry_of_a_release(void **state)
{
	struct library l = {
	    .notes = {{"NewGlobalRef__return", "8@%rax", AT_NOP, false},
		      {"DeleteGlobalRef__entry", "8@%r13 8@%r12", AT_NOP + 3, false}},
	};
	const struct want acquire = {FUNC_NewGlobalRef, POINT_RETURN, STRATEGY_USDT, AT_NOP, "emulated"};
	const struct want release = {FUNC_DeleteGlobalRef, POINT_ENTRY, STRATEGY_USDT, AT_NOP + 3,
				     "emulated"};
	struct elf_image *e;
	struct probe_sites sites;
	struct vm_file file;
	struct site_request req = {
	    .catalog = &jni_catalog, .file = &file, .families = GLOBALS, .only_strategy = -1};

	(void)state;
	check_sites(&l, GLOBALS, -1, WANT(acquire, release), NULL);
	/* also where the entry is known but would be single-stepped */
	l.symbols[0] = (struct symbol){"jni_DeleteGlobalRef", AT_MOV};
	check_sites(&l, GLOBALS, -1, WANT(acquire, release), NULL);
	/* its handle is argument 1 and the JNIEnv argument 0, the caller is where CFI says */
	make_library(&l, &e);
	file = file_of(e);
	assert_int_equal(sites_resolve(&req, &sites, NULL), 0);
	assert_loc(sites.v[1].handle, LOC_REG, 12, 0);
	assert_loc(sites.v[1].caller_pc, LOC_MEM, 6, 8);
	assert_loc(sites.v[1].caller_fp, LOC_MEM, 6, 0);
	assert_loc(sites.v[1].caller_cfa, LOC_REG, 6, 16);
	assert_loc(sites.v[1].env, LOC_REG, 13, 0);
	sites_free(&sites);
	elf_close(e);
}

static void one_strategy_alone(void **state)
{
	struct library l = {
	    .symbols = {{"jni_NewGlobalRef", AT_PUSH}, {"jni_DeleteGlobalRef", AT_ENDBR_PUSH}},
	    .notes = {{"NewGlobalRef__return", "8@%rax", AT_NOP, false}},
	};

	(void)state;
	assert_int_equal(
	    check_sites(&l, GLOBALS, STRATEGY_USDT,
			WANT({FUNC_NewGlobalRef, POINT_RETURN, STRATEGY_USDT, AT_NOP, "emulated"}),
			"DeleteGlobalRef: not found"),
	    1);
	assert_int_equal(
	    check_sites(
		&l, GLOBALS, STRATEGY_SYMTAB,
		WANT({FUNC_NewGlobalRef, POINT_URETPROBE, STRATEGY_SYMTAB, AT_PUSH, "uretprobe"},
		     {FUNC_DeleteGlobalRef, POINT_ENTRY, STRATEGY_SYMTAB, AT_ENDBR_PUSH + 4, "emulated"}),
		NULL),
	    0);
	check_sites(&l, GLOBALS, STRATEGY_DEBUGFILE, NOTHING, "NewGlobalRef: not found");
	check_sites(&l, GLOBALS, STRATEGY_FUNCTION_TABLE, NOTHING, "NewGlobalRef: not found");
}

static void families_and_shared_code(void **state)
{
	struct library l = {
	    .symbols = {{"jni_NewGlobalRef", AT_PUSH},
			{"jni_MonitorEnter", AT_ENDBR_PUSH},
			{"jni_MonitorExit", AT_ENDBR_PUSH}},
	};

	(void)state;
	/* two functions at one address cannot be told apart */
	assert_int_equal(
	    check_sites(
		&l, 1u << FAMILY_MONITOR, -1,
		WANT({FUNC_MonitorEnter, POINT_ENTRY, STRATEGY_SYMTAB, AT_ENDBR_PUSH + 4, "emulated"},
		     {FUNC_MonitorEnter, POINT_URETPROBE, STRATEGY_SYMTAB, AT_ENDBR_PUSH + 4, "uretprobe"}),
		"MonitorExit: it shares its code with another function"),
	    2); /* and DetachCurrentThread, which exits monitors */
	check_sites(&l, 1u << FAMILY_WEAK, -1, NOTHING, "NewWeakGlobalRef: not found in the library");
}

/* What needs both its arguments and its result has sites at both ends, or none. */
static void both_ends(void **state)
{
	struct library l = {
	    .symbols = {{"jni_GetStringChars", AT_PUSH}, {"jni_ReleaseStringChars", AT_ENDBR_PUSH}},
	    .notes = {{"GetStringChars__return", "8@%r14", AT_NOP, false},
		      {"GetStringUTFChars__return", "8@%r14", AT_NOP + 1, false},
		      /* how long a pin is held ends at the entry, not after a wait for the collector */
		      {"ReleaseStringChars__entry", "8@%r13 8@%r12 8@%rbx", AT_NOP + 2, false}},
	};
	const struct want release = {FUNC_ReleaseStringChars, POINT_ENTRY, STRATEGY_SYMTAB, AT_ENDBR_PUSH + 4,
				     "emulated"};
	struct elf_image *e;
	struct probe_sites sites;
	struct vm_file file;
	struct site_request req = {
	    .catalog = &jni_catalog, .file = &file, .families = 1u << FAMILY_STRING, .only_strategy = -1};

	(void)state;
	assert_int_equal(
	    check_sites(&l, 1u << FAMILY_STRING, -1,
			WANT({FUNC_GetStringChars, POINT_ENTRY, STRATEGY_SYMTAB, AT_PUSH, "emulated"},
			     {FUNC_GetStringChars, POINT_RETURN, STRATEGY_USDT, AT_NOP, "emulated"}, release),
			"GetStringUTFChars: its entry was not found"),
	    2);
	make_library(&l, &e);
	file = file_of(e);
	assert_int_equal(sites_resolve(&req, &sites, NULL), 0);
	assert_loc(sites.v[0].handle, LOC_REG, 4, 0);
	assert_loc(sites.v[1].handle, LOC_REG, 14, 0);
	sites_free(&sites);
	elf_close(e);
	l.notes[0].name = "none";
	check_sites(&l, 1u << FAMILY_STRING, -1,
		    WANT({FUNC_GetStringChars, POINT_ENTRY, STRATEGY_SYMTAB, AT_PUSH, "emulated"},
			 {FUNC_GetStringChars, POINT_URETPROBE, STRATEGY_SYMTAB, AT_PUSH, "uretprobe"},
			 release),
		    "GetStringUTFChars: ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(x86_operands),
	    cmocka_unit_test(int_operands),
	    cmocka_unit_test(arm64_operands),
	    cmocka_unit_test(locations_at_entry),
	    cmocka_unit_test(locations_at_uretprobe),
	    cmocka_unit_test(locations_by_cfi),
	    cmocka_unit_test(entries_by_symbols),
	    cmocka_unit_test(usdt_beats_the_rest),
	    cmocka_unit_test(usdt_entry_of_a_release),
	    cmocka_unit_test(one_strategy_alone),
	    cmocka_unit_test(families_and_shared_code),
	    cmocka_unit_test(both_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
