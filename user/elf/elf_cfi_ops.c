/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A bounded interpreter of call frame information: every byte is read once, forwards. */
#include "elf/elf_cfi_ops.h"

#include <dwarf.h>
#include <elf.h>
#include <string.h>

#define MAX_CIE_BYTES                                                                                        \
	4096 /* of what a CIE begins with; compilers write 10. Each change of CIE takes that time */
#define MAX_FDE_BYTES     (1 << 20) /* of one function; the time that one answer takes */
#define MAX_SPILLED_BYTES 4096
#define MAX_REMEMBERED    16 /* nested DW_CFA_remember_state; compilers nest 1 or 2 */

/* libdw's dwarf.h does not name it */
#define DW_CFA_AARCH64_negate_ra_state_with_pc 0x2c

#define DW_EH_PE_FORMAT 0x0f
#define DW_EH_PE_APPLY  0x70

/* A reader that never leaves [p, end): beyond it all is zero and bad is set. */
struct cursor {
	const uint8_t *p, *end;
	bool bad;
};

static uint64_t read_fixed(struct cursor *c, size_t n)
{
	uint64_t v = 0;

	if ((size_t)(c->end - c->p) < n) {
		c->bad = true;
		c->p = c->end;
		return 0;
	}
	memcpy(&v, c->p, n); /* little-endian, as both machines are */
	c->p += n;
	return v;
}

static uint8_t read_u8(struct cursor *c)
{
	if (c->p == c->end) {
		c->bad = true;
		return 0;
	}
	return *c->p++;
}

static uint64_t read_uleb(struct cursor *c)
{
	uint64_t v = 0;

	for (unsigned int shift = 0;; shift += 7) {
		uint8_t byte = read_u8(c);

		if (shift < 64)
			v |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return v;
	}
}

static int64_t read_sleb(struct cursor *c)
{
	uint64_t v = 0;

	for (unsigned int shift = 0;; shift += 7) {
		uint8_t byte = read_u8(c);

		if (shift < 64)
			v |= (uint64_t)(byte & 0x7f) << shift;
		if (byte & 0x80)
			continue;
		if (byte & 0x40 && shift + 7 < 64)
			v |= ~0ULL << (shift + 7);
		return (int64_t)v;
	}
}

static void skip(struct cursor *c, uint64_t n)
{
	if (n > (uint64_t)(c->end - c->p)) {
		c->bad = true;
		c->p = c->end;
		return;
	}
	c->p += n;
}

/* A pointer in one of the formats of .eh_frame. Relative ones that need a loaded image are refused. */
static uint64_t read_pointer(const struct elf_frames *f, struct cursor *c, uint8_t encoding)
{
	uint64_t at = f->vaddr + (c->p - f->p), v;

	switch (encoding & DW_EH_PE_FORMAT) {
	case DW_EH_PE_absptr:
	case DW_EH_PE_udata8:
	case DW_EH_PE_sdata8:
		v = read_fixed(c, 8);
		break;
	case DW_EH_PE_udata4:
		v = read_fixed(c, 4);
		break;
	case DW_EH_PE_sdata4:
		v = (int64_t)(int32_t)read_fixed(c, 4);
		break;
	case DW_EH_PE_udata2:
		v = read_fixed(c, 2);
		break;
	case DW_EH_PE_sdata2:
		v = (int64_t)(int16_t)read_fixed(c, 2);
		break;
	case DW_EH_PE_uleb128:
		v = read_uleb(c);
		break;
	case DW_EH_PE_sleb128:
		v = read_sleb(c);
		break;
	default:
		c->bad = true;
		return 0;
	}
	if (encoding & DW_EH_PE_indirect)
		c->bad = true;
	switch (encoding & DW_EH_PE_APPLY) {
	case DW_EH_PE_absptr:
		return v;
	case DW_EH_PE_pcrel:
		return at + v;
	default:
		c->bad = true;
		return 0;
	}
}

static uint64_t ra_reg(const struct elf_frames *f)
{
	return f->machine == EM_X86_64 ? 16 : 30;
}

static uint64_t fp_reg(const struct elf_frames *f)
{
	return f->machine == EM_X86_64 ? 6 : 29;
}

/* What an instruction needs to know, and changes. */
struct machine {
	const struct elf_frames *f;
	const struct cfi_cie *cie;
	struct cfi_state now;
	struct cfi_state remembered[MAX_REMEMBERED];
	unsigned int nr_remembered;
	uint64_t pc, end;
	cfi_row_fn *row; /* NULL: the CIE's own instructions, which have no place */
	void *arg;
};

static struct cfi_reg *followed(struct machine *m, uint64_t reg)
{
	if (reg == fp_reg(m->f))
		return &m->now.fp;
	return reg == ra_reg(m->f) ? &m->now.ra : NULL;
}

static void set_reg(struct machine *m, uint64_t reg, enum cfi_where where, int64_t offset)
{
	struct cfi_reg *r = followed(m, reg);

	if (r)
		*r = (struct cfi_reg){where, offset};
}

static void restore_reg(struct machine *m, uint64_t reg)
{
	if (reg == fp_reg(m->f))
		m->now.fp = m->cie->initial.fp;
	else if (reg == ra_reg(m->f))
		m->now.ra = m->cie->initial.ra;
}

static void set_cfa(struct machine *m, uint64_t reg, int64_t offset)
{
	m->now.cfa = CFA_REG;
	m->now.cfa_reg = reg;
	m->now.cfa_offset = offset;
}

/* "*(breg6 + offset)": where a function that realigns its stack keeps the CFA. */
static bool is_fp_deref(const struct elf_frames *f, struct cursor c, int64_t *offset)
{
	if (read_u8(&c) != DW_OP_breg0 + fp_reg(f))
		return false;
	*offset = read_sleb(&c);
	return read_u8(&c) == DW_OP_deref && !c.bad && c.p == c.end;
}

/*
 * *(r15 - 8) + offset, of Android's interpreter in assembler (runtime/interpreter/mterp/x86_64ng/main.S,
 * CFI_DEF_CFA_BREG_PLUS_UCONST).
 */
static bool is_spilled(struct cursor c, int64_t *offset)
{
	static const uint8_t begin[] = {DW_OP_bregx, 15, 0x78 /* -8 */, DW_OP_deref, DW_OP_plus_uconst};
	uint64_t n;

	if ((size_t)(c.end - c.p) <= sizeof(begin) || memcmp(c.p, begin, sizeof(begin)))
		return false;
	skip(&c, sizeof(begin));
	n = read_uleb(&c);
	*offset = (int64_t)n;
	return !c.bad && c.p == c.end && n <= MAX_SPILLED_BYTES && n % 8 == 0;
}

/*
 * The expressions that say how to find the CFA: that of is_spilled(), those of GNU ld's .plt
 * (elf_x86_64_eh_frame_plt in binutils' elf64-x86-64.c), of glibc's __restore_rt
 * (sysdeps/unix/sysv/linux/x86_64/libc_sigaction.c) and of functions that realign their stack.
 */
static void set_cfa_expression(struct machine *m, struct cursor c)
{
	static const uint8_t plt[] = {DW_OP_breg7, 8, DW_OP_breg16, 0, DW_OP_lit15, DW_OP_and};
	static const uint8_t plt_end[] = {DW_OP_ge, DW_OP_lit3, DW_OP_shl, DW_OP_plus};
	static const uint8_t signal[] = {DW_OP_breg7, 0xa0, 0x01, DW_OP_deref};
	size_t n = c.end - c.p;
	bool x86 = m->f->machine == EM_X86_64;

	m->now.cfa = CFA_OTHER;
	m->now.cfa_offset = 0;
	if (x86 && n == sizeof(plt) + 1 + sizeof(plt_end) && !memcmp(c.p, plt, sizeof(plt)) &&
	    !memcmp(c.p + sizeof(plt) + 1, plt_end, sizeof(plt_end)) && c.p[sizeof(plt)] >= DW_OP_lit0 &&
	    c.p[sizeof(plt)] <= DW_OP_lit15) {
		m->now.cfa = CFA_PLT;
		m->now.cfa_offset = c.p[sizeof(plt)] - DW_OP_lit0;
	} else if (x86 && m->cie->signal && n == sizeof(signal) && !memcmp(c.p, signal, n)) {
		m->now.cfa = CFA_SIGNAL;
	} else if (x86 && is_spilled(c, &m->now.cfa_offset)) {
		m->now.cfa = CFA_SPILLED;
	} else if (is_fp_deref(m->f, c, &m->now.cfa_offset)) {
		m->now.cfa = CFA_FP_DEREF;
	}
}

static struct cursor read_block(struct cursor *c)
{
	uint64_t n = read_uleb(c);
	struct cursor block = {.p = c->p};

	skip(c, n);
	block.end = c->bad ? block.p : c->p;
	return block;
}

/* "Saved at the address that is breg6 + 0" is followed, everything else is not. */
static void set_reg_expression(struct machine *m, uint64_t reg, struct cursor c)
{
	bool at_fp = c.end - c.p == 2 && c.p[0] == DW_OP_breg0 + fp_reg(m->f) && c.p[1] == 0;

	set_reg(m, reg, at_fp ? CFI_SAVED_AT : CFI_OTHER, 0);
}

static int64_t scaled(const struct machine *m, uint64_t factored)
{
	return (int64_t)(factored * (uint64_t)m->cie->data_align);
}

/* The state so far holds up to pc. 0, or what row() said. */
static int advance_to(struct machine *m, uint64_t pc)
{
	int rc = 0;

	if (pc > m->end)
		pc = m->end;
	if (m->row && pc > m->pc)
		rc = m->row(m->arg, m->pc, pc, &m->now);
	if (pc > m->pc)
		m->pc = pc;
	return rc;
}

static int advance_by(struct machine *m, uint64_t delta)
{
	uint64_t left = m->end - m->pc;

	if (m->cie->code_align && delta > left / m->cie->code_align)
		return advance_to(m, m->end);
	return advance_to(m, m->pc + delta * m->cie->code_align);
}

/* Instructions that only say where a register is, or nothing of interest. false: not one of them. */
static bool run_register_op(struct machine *m, struct cursor *c, uint8_t op)
{
	uint64_t reg;

	switch (op) {
	case DW_CFA_offset_extended:
	case DW_CFA_val_offset:
		reg = read_uleb(c);
		set_reg(m, reg, op == DW_CFA_val_offset ? CFI_OTHER : CFI_SAVED, scaled(m, read_uleb(c)));
		return true;
	case DW_CFA_offset_extended_sf:
	case DW_CFA_val_offset_sf:
		reg = read_uleb(c);
		set_reg(m, reg, op == DW_CFA_val_offset_sf ? CFI_OTHER : CFI_SAVED, scaled(m, read_sleb(c)));
		return true;
	case DW_CFA_GNU_negative_offset_extended:
		reg = read_uleb(c);
		set_reg(m, reg, CFI_SAVED, (int64_t)(0 - (uint64_t)scaled(m, read_uleb(c))));
		return true;
	case DW_CFA_restore_extended:
		restore_reg(m, read_uleb(c));
		return true;
	case DW_CFA_undefined:
		set_reg(m, read_uleb(c), CFI_UNDEFINED, 0);
		return true;
	case DW_CFA_same_value:
		set_reg(m, read_uleb(c), CFI_SAME, 0);
		return true;
	case DW_CFA_register:
		reg = read_uleb(c);
		set_reg(m, reg, read_uleb(c) == reg ? CFI_SAME : CFI_OTHER, 0);
		return true;
	case DW_CFA_expression:
		reg = read_uleb(c);
		set_reg_expression(m, reg, read_block(c));
		return true;
	case DW_CFA_val_expression:
		reg = read_uleb(c);
		read_block(c);
		set_reg(m, reg, CFI_OTHER, 0);
		return true;
	case DW_CFA_nop:
		return true;
	case DW_CFA_GNU_args_size:
		read_uleb(c);
		return true;
	case DW_CFA_AARCH64_negate_ra_state_with_pc:
	case DW_CFA_GNU_window_save: /* on arm64: the return address is signed, or no longer; BPF strips that
				      */
		return m->f->machine == EM_AARCH64;
	default:
		return false;
	}
}

/* Instructions about the CFA and the state as a whole. false: unknown. */
static bool run_cfa_op(struct machine *m, struct cursor *c, uint8_t op)
{
	uint64_t reg;

	switch (op) {
	case DW_CFA_def_cfa:
		reg = read_uleb(c);
		set_cfa(m, reg, (int64_t)read_uleb(c));
		return true;
	case DW_CFA_def_cfa_sf:
		reg = read_uleb(c);
		set_cfa(m, reg, scaled(m, read_sleb(c)));
		return true;
	case DW_CFA_def_cfa_register:
		reg = read_uleb(c);
		if (m->now.cfa != CFA_REG)
			return false;
		set_cfa(m, reg, m->now.cfa_offset);
		return true;
	case DW_CFA_def_cfa_offset:
	case DW_CFA_def_cfa_offset_sf:
		if (m->now.cfa != CFA_REG)
			return false;
		set_cfa(m, m->now.cfa_reg,
			op == DW_CFA_def_cfa_offset ? (int64_t)read_uleb(c) : scaled(m, read_sleb(c)));
		return true;
	case DW_CFA_def_cfa_expression:
		set_cfa_expression(m, read_block(c));
		return true;
	case DW_CFA_remember_state:
		if (m->nr_remembered == MAX_REMEMBERED)
			return false;
		m->remembered[m->nr_remembered++] = m->now;
		return true;
	case DW_CFA_restore_state:
		if (!m->nr_remembered)
			return false;
		m->now = m->remembered[--m->nr_remembered];
		return true;
	default:
		return false;
	}
}

/* One instruction. 0, -1 when it is not understood, or what row() said. */
static int run_op(struct machine *m, struct cursor *c)
{
	uint8_t op = read_u8(c), low = op & 0x3f;

	switch (op & 0xc0) {
	case DW_CFA_advance_loc:
		return advance_by(m, low);
	case DW_CFA_offset:
		set_reg(m, low, CFI_SAVED, scaled(m, read_uleb(c)));
		return 0;
	case DW_CFA_restore:
		restore_reg(m, low);
		return 0;
	}
	switch (op) {
	case DW_CFA_set_loc:
		return advance_to(m, read_pointer(m->f, c, m->cie->pointer_encoding));
	case DW_CFA_advance_loc1:
		return advance_by(m, read_fixed(c, 1));
	case DW_CFA_advance_loc2:
		return advance_by(m, read_fixed(c, 2));
	case DW_CFA_advance_loc4:
		return advance_by(m, read_fixed(c, 4));
	}
	return run_register_op(m, c, op) || run_cfa_op(m, c, op) ? 0 : -1;
}

/* Run all of c. From what is not understood on, to the end, nothing is known. */
static int run(struct machine *m, struct cursor c)
{
	int rc = 0;

	while (c.p < c.end && !rc && !c.bad)
		rc = run_op(m, &c);
	if (rc > 0 || !m->row)
		return rc < 0 || c.bad ? -1 : rc;
	if (rc < 0 || c.bad)
		m->now = (struct cfi_state){.cfa = CFA_OTHER};
	rc = advance_to(m, m->end);
	return rc;
}

/* The entry at `at`: its contents after the id, and the id. false: does not fit, or the end. */
static bool read_entry(const struct elf_frames *f, size_t at, struct cursor *body, uint64_t *id,
		       size_t *id_at)
{
	struct cursor c = {f->p + at, f->p + f->n, false};
	uint64_t bytes = read_fixed(&c, 4);
	bool wide = bytes == 0xffffffff;

	if (wide)
		bytes = read_fixed(&c, 8);
	if (c.bad || bytes > (uint64_t)(c.end - c.p))
		return false;
	c.end = c.p + bytes;
	*id_at = c.p - f->p;
	*id = bytes ? read_fixed(&c, wide && f->debug_frame ? 8 : 4) : 0;
	if (f->debug_frame && !wide && *id == 0xffffffff)
		*id = UINT64_MAX;
	*body = c;
	return true;
}

/* The augmentation string and data (LSB core, 10.6.1.1). false: not understood. */
static bool read_augmentation(const struct elf_frames *f, struct cursor *c, const char *letters,
			      struct cfi_cie *out)
{
	struct cursor data;

	if (!*letters)
		return true;
	if (*letters != 'z')
		return false;
	out->has_sizes = true;
	data = read_block(c);
	for (letters++; *letters; letters++) {
		uint8_t encoding;

		switch (*letters) {
		case 'R':
			out->pointer_encoding = read_u8(&data);
			break;
		case 'P':
			encoding = read_u8(&data);
			read_pointer(f, &data, encoding & DW_EH_PE_FORMAT);
			break;
		case 'L':
			read_u8(&data);
			break;
		case 'S':
			out->signal = true;
			break;
		case 'B': /* arm64: signed with the other key */
		case 'G':
			break;
		default:
			return false;
		}
	}
	return !data.bad;
}

static bool parse_cie(const struct elf_frames *f, struct cursor *c, struct cfi_cie *out)
{
	uint8_t version = read_u8(c);
	const char *letters = (const char *)c->p;
	uint64_t ra;

	skip(c, strnlen(letters, c->end - c->p) + 1);
	if (c->bad || (version != 1 && version != 3 && version != 4))
		return false;
	if (version == 4 && (read_u8(c) != 8 || read_u8(c) != 0)) /* size of addresses, of segment numbers */
		return false;
	out->code_align = read_uleb(c);
	out->data_align = read_sleb(c);
	ra = version == 1 ? read_u8(c) : read_uleb(c);
	if (!read_augmentation(f, c, letters, out) || c->bad)
		return false;
	return ra == ra_reg(f) && out->code_align && out->code_align <= 16 && out->data_align >= -16 &&
	       out->data_align <= 16;
}

/* The CIE at `at` into cie, unless it is that already. */
static void load_cie(const struct elf_frames *f, size_t at, struct cfi_cie *cie)
{
	struct machine m = {.f = f, .cie = cie};
	struct cursor c;
	uint64_t id;
	size_t id_at;

	if (cie->at == at)
		return;
	*cie = (struct cfi_cie){.at = at, .pointer_encoding = DW_EH_PE_absptr};
	if (at >= f->n || !read_entry(f, at, &c, &id, &id_at) || id != (f->debug_frame ? UINT64_MAX : 0))
		return;
	if (!parse_cie(f, &c, cie))
		return;
	if (c.end - c.p > MAX_CIE_BYTES)
		return;
	cie->usable = !run(&m, c);
	cie->initial = m.now;
}

/* An FDE's own header. false: of no use. */
static bool parse_fde(const struct elf_frames *f, struct cursor c, const struct cfi_cie *cie,
		      struct cfi_fde *out)
{
	uint64_t bytes;

	if (!cie->usable)
		return false;
	out->begin = read_pointer(f, &c, cie->pointer_encoding);
	bytes = read_pointer(f, &c, cie->pointer_encoding & DW_EH_PE_FORMAT);
	if (cie->has_sizes)
		skip(&c, read_uleb(&c));
	if (c.bad || c.end - c.p > MAX_FDE_BYTES || out->begin < f->code_lo || out->begin >= f->code_hi ||
	    !bytes || bytes > f->code_hi - out->begin)
		return false;
	out->end = out->begin + bytes;
	out->cie_at = cie->at;
	out->ops_at = c.p - f->p;
	out->ops_bytes = (uint32_t)(c.end - c.p); /* sections are read up to 64 MiB */
	return true;
}

/* What read_entry() gave, as an FDE. */
static bool enter_fde(const struct elf_frames *f, struct cursor c, uint64_t id, size_t id_at,
		      struct cfi_cie *cie, struct cfi_fde *out)
{
	bool empty = c.end == f->p + id_at;

	if (empty || c.bad || id == (f->debug_frame ? UINT64_MAX : 0))
		return false;
	if (f->debug_frame ? id >= f->n : id > id_at)
		return false;
	load_cie(f, f->debug_frame ? id : id_at - id, cie);
	return parse_fde(f, c, cie, out);
}

bool cfi_fde_at(const struct elf_frames *f, size_t at, struct cfi_cie *cie, struct cfi_fde *out)
{
	struct cursor c;
	uint64_t id;
	size_t id_at;

	return at < f->n && read_entry(f, at, &c, &id, &id_at) && enter_fde(f, c, id, id_at, cie, out);
}

bool cfi_next(const struct elf_frames *f, size_t *at, struct cfi_cie *cie, struct cfi_fde *out)
{
	struct cursor c;
	uint64_t id;
	size_t id_at;

	while (*at < f->n && read_entry(f, *at, &c, &id, &id_at)) {
		*at = c.end - f->p;
		if (c.end == f->p + id_at && f->ends_at_zero)
			return false;
		if (enter_fde(f, c, id, id_at, cie, out))
			return true;
	}
	return false;
}

int cfi_run(const struct elf_frames *f, const struct cfi_fde *fde, struct cfi_cie *cie, cfi_row_fn *row,
	    void *arg)
{
	struct machine m = {.f = f, .cie = cie, .pc = fde->begin, .end = fde->end, .row = row, .arg = arg};

	load_cie(f, fde->cie_at, cie);
	m.now = cie->initial;
	return run(&m, (struct cursor){f->p + fde->ops_at, f->p + fde->ops_at + fde->ops_bytes, false});
}
