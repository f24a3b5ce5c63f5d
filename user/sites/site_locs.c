/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where the handle and the caller are when a probe fires. Registers by DWARF number: psABI x86-64
 * table 3.36, AADWARF64 section 4.1. Operands: systemtap, includes/sys/sdt.h.
 */
#include "sites/site_locs.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#define MAX_OFFSET_BYTES (1 << 30)
#define NO_REG           0xff

static const char *const x86_regs[] = {"rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp",
				       "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};

/* What differs between the machines. */
struct convention {
	uint8_t arg[8], nr_args, result, sp, fp, pc; /* arg: the first nr_args arguments; others: stack */
	uint8_t link;         /* register of the return address at entry; NO_REG: it is on the stack */
	uint8_t pushed_bytes; /* by the call instruction */
};
static const struct convention x86_64 = {.arg = {5, 4, 1, 2, 8, 9},
					 .nr_args = 6,
					 .result = 0,
					 .sp = 7,
					 .fp = 6,
					 .pc = 16,
					 .link = NO_REG,
					 .pushed_bytes = 8};
static const struct convention aarch64 = {.arg = {0, 1, 2, 3, 4, 5, 6, 7},
					  .nr_args = 8,
					  .result = 0,
					  .sp = 31,
					  .fp = 29,
					  .pc = 32,
					  .link = 30,
					  .pushed_bytes = 0};

static const struct convention *convention(uint16_t machine)
{
	return machine == EM_AARCH64 ? &aarch64 : &x86_64;
}

static struct loc in_reg(uint8_t reg, int32_t offset_bytes)
{
	return (struct loc){.kind = LOC_REG, .reg = reg, .offset_bytes = offset_bytes};
}

static struct loc in_memory(uint8_t reg, int32_t offset_bytes)
{
	return (struct loc){.kind = LOC_MEM, .reg = reg, .offset_bytes = offset_bytes};
}

/* Registers the kernel side can read (bpf/walk/arch.bpf.h). */
static bool is_readable(uint16_t machine, unsigned reg)
{
	if (machine == EM_AARCH64)
		return reg <= 8 || (reg >= 19 && reg <= 31);
	return reg < ARRAY_LEN(x86_regs);
}

/* "ecx" -> "rcx", "r8d" -> "r8", "w3" -> "x3": the name of the whole register. */
static bool widen(uint16_t machine, const char *name, size_t n, char *out, size_t cap)
{
	if (n < 2 || n >= cap)
		return false;
	memcpy(out, name, n);
	out[n] = '\0';
	if (machine == EM_AARCH64) {
		out[0] = 'x';
		return name[0] == 'w';
	}
	if (name[0] == 'e')
		out[0] = 'r';
	else if (name[0] == 'r' && name[n - 1] == 'd')
		out[n - 1] = '\0';
	else
		return false;
	return true;
}

/* A general register of so many bytes by its whole name of n. */
static bool find_reg(uint16_t machine, const char *name, size_t n, unsigned bytes, uint8_t *reg)
{
	unsigned found = NO_REG;
	char wide[8];

	if (bytes == 4) {
		if (!widen(machine, name, n, wide, sizeof(wide)))
			return false;
		name = wide;
		n = strlen(wide);
	}
	if (machine != EM_AARCH64) {
		for (unsigned i = 0; i < ARRAY_LEN(x86_regs); i++)
			if (strlen(x86_regs[i]) == n && memcmp(x86_regs[i], name, n) == 0)
				found = i;
	} else if (n == 2 && memcmp(name, "sp", 2) == 0) {
		found = aarch64.sp;
	} else if ((n == 2 || n == 3) && name[0] == 'x') {
		found = 0;
		for (size_t i = 1; i < n; i++) {
			if (name[i] < '0' || name[i] > '9')
				return false;
			found = found * 10 + (unsigned)(name[i] - '0');
		}
		if (found > 30) /* 31 is sp, by that name only */
			return false;
	}
	*reg = (uint8_t)found;
	return is_readable(machine, found);
}

/* A number that is all of [s, end), of any base C knows. */
static bool parse_offset(const char *s, const char *end, int32_t *out)
{
	char *stop;
	long v;

	if (s == end || !(*s == '-' || *s == '+' || (*s >= '0' && *s <= '9')))
		return false;
	v = strtol(s, &stop, 0);
	*out = (int32_t)v;
	return stop == end && v > -MAX_OFFSET_BYTES && v < MAX_OFFSET_BYTES;
}

/* "%rax", "-24(%rbp)" */
static bool parse_x86(const char *s, const char *end, unsigned bytes, struct loc *out)
{
	const char *open = memchr(s, '(', (size_t)(end - s));
	int32_t offset = 0;
	uint8_t reg;

	if (!open) {
		if (*s != '%' || !find_reg(EM_X86_64, s + 1, (size_t)(end - s - 1), bytes, &reg))
			return false;
		*out = in_reg(reg, 0);
		return true;
	}
	if (end - open < 3 || open[1] != '%' || end[-1] != ')' ||
	    !find_reg(EM_X86_64, open + 2, (size_t)(end - open - 3), 8, &reg) ||
	    (open != s && !parse_offset(s, open, &offset)))
		return false;
	*out = in_memory(reg, offset);
	return true;
}

/* "x0", "[sp]", "[x29, -16]" */
static bool parse_arm64(const char *s, const char *end, unsigned bytes, struct loc *out)
{
	const char *comma;
	int32_t offset = 0;
	uint8_t reg;

	if (*s != '[') {
		if (!find_reg(EM_AARCH64, s, (size_t)(end - s), bytes, &reg))
			return false;
		*out = in_reg(reg, 0);
		return true;
	}
	if (end - s < 3 || end[-1] != ']')
		return false;
	s++;
	end--;
	comma = memchr(s, ',', (size_t)(end - s));
	if (!find_reg(EM_AARCH64, s, (size_t)((comma ? comma : end) - s), 8, &reg))
		return false;
	if (comma) {
		comma++;
		comma += strspn(comma, " ");
		if (comma > end || !parse_offset(comma, end, &offset))
			return false;
	}
	*out = in_memory(reg, offset);
	return true;
}

/* An operand ends at a space that is not between brackets: "8@[sp, 8] 8@x0". */
static const char *operand_end(const char *s)
{
	int depth = 0;

	for (; *s && (*s != ' ' || depth > 0); s++) {
		depth += *s == '[';
		depth -= *s == ']';
	}
	return s;
}

static bool operand(uint16_t machine, const char *args, unsigned index, unsigned bytes, struct loc *out)
{
	const char *s = args + strspn(args, " "), *end = operand_end(s);

	for (; index > 0 && *s; index--) {
		s = end + strspn(end, " ");
		end = operand_end(s);
	}
	if (*s == '-') /* signed: all the same for a whole word */
		s++;
	if (end - s < 3 || (unsigned)(s[0] - '0') != bytes || s[1] != '@')
		return false;
	s += 2;
	return machine == EM_AARCH64 ? parse_arm64(s, end, bytes, out) : parse_x86(s, end, bytes, out);
}

bool usdt_operand(uint16_t machine, const char *args, unsigned index, struct loc *out)
{
	return operand(machine, args, index, 8, out);
}

bool usdt_int_operand(uint16_t machine, const char *args, unsigned index, struct loc *out)
{
	return operand(machine, args, index, 4, out);
}

struct loc loc_of_arg(uint16_t machine, enum handle_where arg)
{
	const struct convention *c = convention(machine);
	int n = arg - HANDLE_ARG0;

	if (n < c->nr_args)
		return in_reg(c->arg[n], 0);
	return in_memory(c->sp, c->pushed_bytes + 8 * (n - c->nr_args));
}

uint32_t regs_of_args(uint16_t machine)
{
	const struct convention *c = convention(machine);
	uint32_t regs = 0;

	for (int i = 0; i < c->nr_args; i++)
		regs |= 1U << c->arg[i];
	return regs;
}

void locs_at_entry(uint16_t machine, enum handle_where handle, struct probe_site *s)
{
	const struct convention *c = convention(machine);

	s->handle = (struct loc){.kind = LOC_NONE};
	if (handle >= HANDLE_ARG0 && handle <= HANDLE_ARG11)
		s->handle = loc_of_arg(machine, handle);
	s->caller_pc = c->link == NO_REG ? in_memory(c->sp, 0) : in_reg(c->link, 0);
	s->caller_fp = in_reg(c->fp, 0);
	s->caller_cfa = in_reg(c->sp, c->pushed_bytes);
	s->env = in_reg(c->arg[0], 0);
}

void locs_at_uretprobe(uint16_t machine, enum handle_where handle, struct probe_site *s)
{
	const struct convention *c = convention(machine);

	s->handle = handle == HANDLE_RETURN ? in_reg(c->result, 0) : (struct loc){.kind = LOC_NONE};
	s->caller_pc = in_reg(c->pc, 0);
	s->caller_fp = in_reg(c->fp, 0);
	s->caller_cfa = in_reg(c->sp, 0);
	s->env = (struct loc){.kind = LOC_NONE};
}

bool locs_by_cfi(uint16_t machine, const struct elf_cfi *cfi, struct probe_site *s)
{
	int64_t cfa = cfi->cfa_offset, ra = cfa + cfi->ra_offset, fp = cfa + cfi->fp_offset;
	int64_t const all[] = {cfa, ra, fp};

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (all[i] < -MAX_OFFSET_BYTES || all[i] > MAX_OFFSET_BYTES)
			return false;
	if (!is_readable(machine, cfi->cfa_reg))
		return false;
	s->caller_pc = in_memory(cfi->cfa_reg, (int32_t)ra);
	s->caller_fp =
	    cfi->fp_saved ? in_memory(cfi->cfa_reg, (int32_t)fp) : in_reg(convention(machine)->fp, 0);
	s->caller_cfa = in_reg(cfi->cfa_reg, (int32_t)cfa);
	s->env = (struct loc){.kind = LOC_SEARCH}; /* the compiler keeps it in some register */
	return true;
}
