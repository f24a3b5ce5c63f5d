/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where the caller is, by .eh_frame (DWARF 5, 6.4; Linux Standard Base, "Exception Frames"). Only the
 * simple rules are kept, so this needs no memory beyond the section. libdw would do it too, but four
 * bytes that name register 2^26 make it allocate and fill a gigabyte.
 */
#include "elf_internal.h"

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_EH_FRAME_BYTES (64ULL << 20) /* libjvm has 1.5 MiB */
#define MAX_WALKED_BYTES   (4ULL << 20)  /* of a section without a search table */
#define MAX_ENTRY_BYTES    (1U << 20)    /* one FDE: the time one answer takes */
#define MAX_STATES         8             /* remembered at once; compilers use one or two */
#define MAX_OFFSET         (1 << 30)

#define DW_CFA_AARCH64_negate_ra_state_with_pc 0x2c
#define DW_CFA_AARCH64_negate_ra_state         0x2d

/* .eh_frame and, when there is a usable one, the search table of .eh_frame_hdr. */
struct elf_cfi_cache {
	bool tried;
	struct elf_blob frames, hdr;
	uint64_t frames_addr, hdr_addr; /* link-time */
	size_t nr_entries;
};
#define HDR_BYTES   12 /* version, three encodings, pointer, count */
#define ENTRY_BYTES 8  /* function and FDE, each relative to hdr_addr */

/* A position in foreign bytes; what does not fit reads as 0 and sets bad. */
struct cursor {
	const uint8_t *p, *end;
	uint64_t addr; /* of p */
	bool bad;
};

struct cie {
	uint64_t code_align, ra_reg;
	int64_t data_align;
	uint8_t encoding; /* of addresses in its FDEs */
	bool has_sizes, is_signal;
	struct cursor insns;
};

enum saved { SAVED_NOT, SAVED_AT_CFA, SAVED_OTHERWISE };
struct reg_rule {
	enum saved saved;
	int64_t offset;
};
/* One row of the table that the instructions describe, of three columns. */
struct row {
	bool cfa_simple;
	uint64_t cfa_reg;
	int64_t cfa_offset;
	struct reg_rule fp, ra;
};
struct machine {
	const struct cie *cie;
	uint16_t elf_machine;
	uint64_t fp_reg, loc, target;
	struct row row, initial, remembered[MAX_STATES];
	size_t nr_remembered;
};

static void take(struct cursor *c, void *dst, size_t n)
{
	memset(dst, 0, n);
	if (c->bad || (size_t)(c->end - c->p) < n) {
		c->bad = true;
		return;
	}
	memcpy(dst, c->p, n);
	c->p += n;
	c->addr += n;
}

static uint8_t take_u8(struct cursor *c)
{
	uint8_t v;

	take(c, &v, sizeof(v));
	return v;
}

static uint16_t take_u16(struct cursor *c)
{
	uint16_t v;

	take(c, &v, sizeof(v));
	return v;
}

static uint32_t take_u32(struct cursor *c)
{
	uint32_t v;

	take(c, &v, sizeof(v));
	return v;
}

/* LEB128; bits beyond 64 are bad. */
static uint64_t take_leb(struct cursor *c, bool is_signed)
{
	uint64_t v = 0;

	for (unsigned int shift = 0; shift < 64 && !c->bad; shift += 7) {
		uint8_t byte = take_u8(c);

		v |= (uint64_t)(byte & 0x7f) << shift;
		if (byte & 0x80)
			continue;
		if (is_signed && (byte & 0x40) && shift + 7 < 64)
			v |= ~0ULL << (shift + 7);
		return c->bad ? 0 : v;
	}
	c->bad = true;
	return 0;
}

static uint64_t take_uleb(struct cursor *c)
{
	return take_leb(c, false);
}

static int64_t take_sleb(struct cursor *c)
{
	return (int64_t)take_leb(c, true);
}

static void skip(struct cursor *c, uint64_t n)
{
	if (c->bad || n > (uint64_t)(c->end - c->p)) {
		c->bad = true;
		return;
	}
	c->p += n;
	c->addr += n;
}

/* A pointer as the encoding says: 4 or 8 bytes, absolute or relative to itself. */
static uint64_t take_pointer(struct cursor *c, uint8_t encoding)
{
	uint64_t at = c->addr, v = 0;

	switch (encoding & 0x0f) {
	case DW_EH_PE_absptr:
	case DW_EH_PE_udata8:
	case DW_EH_PE_sdata8:
		take(c, &v, sizeof(v));
		break;
	case DW_EH_PE_udata4:
		v = take_u32(c);
		break;
	case DW_EH_PE_sdata4:
		v = (uint64_t)(int32_t)take_u32(c);
		break;
	default:
		c->bad = true;
	}
	if ((encoding & 0xf0) == DW_EH_PE_pcrel)
		v += at;
	else if (encoding & 0xf0)
		c->bad = true;
	return v;
}

static struct cursor frames_at(const struct elf_cfi_cache *f, uint64_t offset)
{
	if (offset >= f->frames.n)
		return (struct cursor){.bad = true};
	return (struct cursor){f->frames.p + offset, f->frames.p + f->frames.n, f->frames_addr + offset,
			       false};
}

/* Enter one CIE or FDE: c becomes its contents. Length 0 ends a section; 64-bit lengths are too long. */
static void enter(struct cursor *c)
{
	uint32_t length = take_u32(c);

	if (!length || length > MAX_ENTRY_BYTES || length > (uint64_t)(c->end - c->p))
		c->bad = true;
	if (!c->bad)
		c->end = c->p + length;
}

/* The letters of an augmentation with sizes, "zPLR" and the like. */
static void take_augmentation(struct cursor *c, const char *letters, struct cie *cie)
{
	const uint8_t *end;
	uint64_t n = take_uleb(c);

	if (c->bad || n > (uint64_t)(c->end - c->p)) {
		c->bad = true;
		return;
	}
	end = c->p + n;
	for (; *letters && !c->bad; letters++) {
		switch (*letters) {
		case 'R':
			cie->encoding = take_u8(c);
			break;
		case 'L':
			take_u8(c);
			break;
		case 'P':
			take_pointer(c, take_u8(c) & 0x0f); /* skipped, whatever it is relative to */
			break;
		case 'S':
			cie->is_signal = true;
			break;
		case 'B': /* arm64: return addresses signed with key B */
		case 'G': /* arm64: tagged stack */
			break;
		default:
			c->bad = true;
		}
	}
	if (c->bad || c->p > end)
		c->bad = true;
	else
		skip(c, end - c->p);
}

static bool parse_cie(struct cursor c, struct cie *out)
{
	char augmentation[8] = "";
	uint8_t version;
	size_t n = 0;

	*out = (struct cie){.encoding = DW_EH_PE_absptr};
	enter(&c);
	if (take_u32(&c) != 0)
		return false; /* an FDE */
	version = take_u8(&c);
	if (version != 1 && version != 3)
		return false;
	while (n < sizeof(augmentation) - 1 && (augmentation[n] = (char)take_u8(&c)))
		n++;
	if (n == sizeof(augmentation) - 1)
		return false;
	out->code_align = take_uleb(&c);
	out->data_align = take_sleb(&c);
	out->ra_reg = version == 1 ? take_u8(&c) : take_uleb(&c);
	out->has_sizes = augmentation[0] == 'z';
	if (out->has_sizes)
		take_augmentation(&c, augmentation + 1, out);
	else if (augmentation[0])
		return false;
	out->insns = c;
	return !c.bad;
}

/* Parse the FDE there and its CIE; true when its function has vaddr in it. */
static bool parse_fde(const struct elf_cfi_cache *f, uint64_t offset, uint64_t vaddr, struct cie *cie,
		      uint64_t *pc, struct cursor *insns)
{
	struct cursor c = frames_at(f, offset);
	uint64_t id_at, size;
	uint32_t id;

	enter(&c);
	if (c.bad)
		return false;
	id_at = c.p - f->frames.p;
	id = take_u32(&c); /* the distance back to the CIE */
	if (c.bad || !id || id > id_at || !parse_cie(frames_at(f, id_at - id), cie))
		return false;
	*pc = take_pointer(&c, cie->encoding);
	size = take_pointer(&c, cie->encoding & 0x0f);
	if (c.bad || vaddr < *pc || vaddr - *pc >= size)
		return false;
	if (cie->has_sizes)
		skip(&c, take_uleb(&c));
	*insns = c;
	return !c.bad;
}

static struct reg_rule *column(struct machine *m, struct row *row, uint64_t reg)
{
	return reg == m->fp_reg ? &row->fp : reg == m->cie->ra_reg ? &row->ra : NULL;
}

static void set_rule(struct machine *m, uint64_t reg, enum saved saved, int64_t offset)
{
	struct reg_rule *r = column(m, &m->row, reg);

	if (r)
		*r = (struct reg_rule){saved, offset};
}

static int64_t factored(struct cursor *c, const struct machine *m, int64_t n)
{
	int64_t v = 0;

	if (__builtin_mul_overflow(n, m->cie->data_align, &v))
		c->bad = true;
	return v;
}

/* Unsigned numbers that serve as signed ones. */
static int64_t take_offset(struct cursor *c)
{
	uint64_t v = take_uleb(c);

	if (v <= INT64_MAX)
		return (int64_t)v;
	c->bad = true;
	return 0;
}

static void advance(struct cursor *c, struct machine *m, uint64_t n)
{
	uint64_t bytes;

	if (__builtin_mul_overflow(n, m->cie->code_align, &bytes) ||
	    __builtin_add_overflow(m->loc, bytes, &m->loc))
		c->bad = true;
}

static void restore(struct machine *m, uint64_t reg)
{
	struct reg_rule *r = column(m, &m->row, reg);

	if (r)
		*r = *column(m, &m->initial, reg);
}

static void define_cfa(struct machine *m, uint64_t reg, int64_t offset)
{
	m->row.cfa_simple = true;
	m->row.cfa_reg = reg;
	m->row.cfa_offset = offset;
}

/* The rules of registers, but for the short forms. false: another instruction. */
static bool step_register(struct cursor *c, struct machine *m, uint8_t op)
{
	uint64_t reg;

	switch (op) {
	case DW_CFA_offset_extended:
		reg = take_uleb(c);
		set_rule(m, reg, SAVED_AT_CFA, factored(c, m, take_offset(c)));
		return true;
	case DW_CFA_offset_extended_sf:
		reg = take_uleb(c);
		set_rule(m, reg, SAVED_AT_CFA, factored(c, m, take_sleb(c)));
		return true;
	case DW_CFA_GNU_negative_offset_extended:
		reg = take_uleb(c);
		set_rule(m, reg, SAVED_AT_CFA, factored(c, m, -take_offset(c)));
		return true;
	case DW_CFA_restore_extended:
		restore(m, take_uleb(c));
		return true;
	case DW_CFA_undefined:
	case DW_CFA_same_value:
		set_rule(m, take_uleb(c), SAVED_NOT, 0);
		return true;
	case DW_CFA_register:
	case DW_CFA_val_offset:
	case DW_CFA_val_offset_sf: /* signed or not, its bytes are as many */
		set_rule(m, take_uleb(c), SAVED_OTHERWISE, 0);
		take_uleb(c);
		return true;
	case DW_CFA_expression:
	case DW_CFA_val_expression:
		set_rule(m, take_uleb(c), SAVED_OTHERWISE, 0);
		skip(c, take_uleb(c));
		return true;
	default:
		return false;
	}
}

static bool step_cfa(struct cursor *c, struct machine *m, uint8_t op)
{
	uint64_t reg;

	switch (op) {
	case DW_CFA_def_cfa:
		reg = take_uleb(c);
		define_cfa(m, reg, take_offset(c));
		return true;
	case DW_CFA_def_cfa_sf:
		reg = take_uleb(c);
		define_cfa(m, reg, factored(c, m, take_sleb(c)));
		return true;
	case DW_CFA_def_cfa_register:
		m->row.cfa_reg = take_uleb(c);
		return true;
	case DW_CFA_def_cfa_offset:
		m->row.cfa_offset = take_offset(c);
		return true;
	case DW_CFA_def_cfa_offset_sf:
		m->row.cfa_offset = factored(c, m, take_sleb(c));
		return true;
	case DW_CFA_def_cfa_expression:
		m->row.cfa_simple = false;
		skip(c, take_uleb(c));
		return true;
	default:
		return false;
	}
}

static void step_other(struct cursor *c, struct machine *m, uint8_t op)
{
	switch (op) {
	case DW_CFA_nop:
		break;
	case DW_CFA_set_loc:
		m->loc = take_pointer(c, m->cie->encoding);
		break;
	case DW_CFA_advance_loc1:
		advance(c, m, take_u8(c));
		break;
	case DW_CFA_advance_loc2:
		advance(c, m, take_u16(c));
		break;
	case DW_CFA_advance_loc4:
		advance(c, m, take_u32(c));
		break;
	case DW_CFA_remember_state:
		if (m->nr_remembered < MAX_STATES)
			m->remembered[m->nr_remembered++] = m->row;
		else
			c->bad = true;
		break;
	case DW_CFA_restore_state:
		if (m->nr_remembered)
			m->row = m->remembered[--m->nr_remembered];
		else
			c->bad = true;
		break;
	case DW_CFA_GNU_args_size:
		take_uleb(c);
		break;
	case DW_CFA_AARCH64_negate_ra_state_with_pc:
	case DW_CFA_AARCH64_negate_ra_state:
		/* from here on the return address is signed, or no longer; where it is does not change */
		if (m->elf_machine != EM_AARCH64)
			c->bad = true;
		break;
	default:
		c->bad = true;
	}
}

/* Run instructions until they end or describe what lies behind the target; false when they are bad. */
static bool run(struct machine *m, struct cursor c)
{
	while (c.p < c.end && !c.bad && m->loc <= m->target) {
		uint8_t op = take_u8(&c);

		if ((op & 0xc0) == DW_CFA_advance_loc)
			advance(&c, m, op & 0x3f);
		else if ((op & 0xc0) == DW_CFA_offset)
			set_rule(m, op & 0x3f, SAVED_AT_CFA, factored(&c, m, take_offset(&c)));
		else if ((op & 0xc0) == DW_CFA_restore)
			restore(m, op & 0x3f);
		else if (!step_register(&c, m, op) && !step_cfa(&c, m, op))
			step_other(&c, m, op);
	}
	return !c.bad;
}

/* The table of .eh_frame_hdr in the one form that linkers write; else it is not used. */
static void use_header(const struct elf_image *e, struct elf_cfi_cache *f)
{
	static const uint8_t form[] = {1, DW_EH_PE_pcrel | DW_EH_PE_sdata4, DW_EH_PE_udata4,
				       DW_EH_PE_datarel | DW_EH_PE_sdata4};
	const Elf64_Phdr *ph = NULL;
	uint32_t count;
	int32_t distance;

	for (size_t i = 0; i < e->nr_ph && !ph; i++)
		if (e->ph[i].p_type == PT_GNU_EH_FRAME)
			ph = &e->ph[i];
	if (!ph || elf_load(e, ph->p_offset, ph->p_filesz, MAX_EH_FRAME_BYTES, &f->hdr))
		return;
	if (f->hdr.n < HDR_BYTES || memcmp(f->hdr.p, form, sizeof(form)))
		return;
	memcpy(&distance, f->hdr.p + 4, sizeof(distance));
	memcpy(&count, f->hdr.p + 8, sizeof(count));
	f->hdr_addr = ph->p_vaddr;
	f->frames_addr = f->hdr_addr + 4 + (uint64_t)(int64_t)distance;
	f->nr_entries = (f->hdr.n - HDR_BYTES) / ENTRY_BYTES;
	if (f->nr_entries > count)
		f->nr_entries = count;
}

/* .eh_frame itself: where the header says, to the end of that segment; else the section. */
static void load_frames(const struct elf_image *e, struct elf_cfi_cache *f)
{
	const Elf64_Shdr *sh;
	uint64_t offset, n;

	f->tried = true;
	use_header(e, f);
	if (f->nr_entries) {
		n = elf_segment_left(e, f->frames_addr, &offset);
		if (!elf_load(e, offset, n < MAX_EH_FRAME_BYTES ? n : MAX_EH_FRAME_BYTES, MAX_EH_FRAME_BYTES,
			      &f->frames))
			return;
	}
	f->nr_entries = 0;
	sh = elf_section_find(e, SHT_NULL, ".eh_frame");
	if (sh && !elf_section_load(e, sh, MAX_WALKED_BYTES, &f->frames))
		f->frames_addr = sh->sh_addr;
}

static uint64_t entry_addr(const struct elf_cfi_cache *f, size_t i, size_t field)
{
	int32_t v;

	memcpy(&v, f->hdr.p + HDR_BYTES + i * ENTRY_BYTES + field * sizeof(v), sizeof(v));
	return f->hdr_addr + (uint64_t)(int64_t)v;
}

static bool find_fde(const struct elf_cfi_cache *f, uint64_t vaddr, struct cie *cie, uint64_t *pc,
		     struct cursor *insns)
{
	size_t lo = 0, hi = f->nr_entries;
	uint64_t offset = 0;

	if (f->nr_entries) {
		while (hi - lo > 1) {
			size_t mid = lo + (hi - lo) / 2;

			if (entry_addr(f, mid, 0) <= vaddr)
				lo = mid;
			else
				hi = mid;
		}
		return parse_fde(f, entry_addr(f, lo, 1) - f->frames_addr, vaddr, cie, pc, insns);
	}
	for (;;) { /* no table: one entry after the other */
		struct cursor c = frames_at(f, offset);

		enter(&c);
		if (c.bad)
			return false;
		if (parse_fde(f, offset, vaddr, cie, pc, insns))
			return true;
		offset = c.end - f->frames.p;
	}
}

/* Below the CFA, and near: no compiler saves a register elsewhere. */
static bool is_slot(const struct reg_rule *r)
{
	return r->saved == SAVED_AT_CFA && r->offset < 0 && r->offset >= -MAX_OFFSET;
}

struct elf_cfi_cache *elf_cfi_alloc(void)
{
	return calloc(1, sizeof(struct elf_cfi_cache));
}

void elf_cfi_release(struct elf_cfi_cache *f)
{
	if (!f)
		return;
	free(f->frames.p);
	free(f->hdr.p);
	free(f);
}

int elf_cfi_at(const struct elf_image *e, uint64_t vaddr, struct elf_cfi *out)
{
	/* DWARF numbers by the psABIs: rip 16, rbp 6; x30 (lr), x29 (fp) */
	bool is_x86 = e->machine == EM_X86_64;
	struct machine m = {.elf_machine = e->machine, .fp_reg = is_x86 ? 6 : 29, .target = vaddr};
	struct cursor insns;
	const struct row *r = &m.row;
	struct cie cie;

	*out = (struct elf_cfi){0};
	if (!e->cfi->tried)
		load_frames(e, e->cfi);
	if (!find_fde(e->cfi, vaddr, &cie, &m.loc, &insns) || cie.is_signal ||
	    cie.ra_reg != (is_x86 ? 16 : 30))
		return -ENOENT;
	m.cie = &cie;
	if (!run(&m, cie.insns))
		return -ENOENT;
	m.initial = m.row;
	if (!run(&m, insns) || !r->cfa_simple || r->cfa_reg > UINT8_MAX || r->cfa_offset < -MAX_OFFSET ||
	    r->cfa_offset > MAX_OFFSET || !is_slot(&r->ra) || (r->fp.saved != SAVED_NOT && !is_slot(&r->fp)))
		return -ENOENT;
	*out = (struct elf_cfi){
	    .cfa_reg = (uint8_t)r->cfa_reg,
	    .cfa_offset = (int32_t)r->cfa_offset,
	    .ra_offset = (int32_t)r->ra.offset,
	    .fp_saved = r->fp.saved == SAVED_AT_CFA,
	    .fp_offset = (int32_t)r->fp.offset,
	};
	return 0;
}
