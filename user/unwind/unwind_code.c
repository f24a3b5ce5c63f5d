/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "unwind/unwind_code.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "elf/elf_functions.h"

#define PROLOGUE_BYTES 16

static size_t skip_bytes(const uint8_t *code, size_t n, size_t at, const void *what, size_t what_bytes)
{
	return n - at >= what_bytes && !memcmp(code + at, what, what_bytes) ? at + what_bytes : at;
}

/* [endbr64] push %rbp; mov %rsp,%rbp (either encoding) */
static bool x86_rule(const uint8_t *code, size_t n, struct unwind_rule *out, uint32_t *body)
{
	size_t at = skip_bytes(code, n, 0, "\xf3\x0f\x1e\xfa", 4), next = skip_bytes(code, n, at, "\x55", 1),
	       end;

	end = skip_bytes(code, n, next, "\x48\x89\xe5", 3);
	if (end == next)
		end = skip_bytes(code, n, next, "\x48\x8b\xec", 3);
	if (next == at || end == next)
		return false;
	*out = (struct unwind_rule){.cfa_offset = 16, .fp_words = 2, .ra_words = 1, .kind = UNWIND_FP_CODE};
	*body = (uint32_t)end;
	return true;
}

/* [bti c] [paciasp] stp x29, x30, [sp, #-size]!; mov x29, sp */
static bool arm64_rule(const uint8_t *code, size_t n, struct unwind_rule *out, uint32_t *body)
{
	size_t at = skip_bytes(code, n, 0, "\x5f\x24\x03\xd5", 4);
	uint32_t stp;
	int32_t words;

	at = skip_bytes(code, n, at, "\x3f\x23\x03\xd5", 4);
	if (n - at < 8)
		return false;
	memcpy(&stp, code + at, sizeof(stp));
	if ((stp & 0xffc07fff) != 0xa9807bfd || skip_bytes(code, n, at + 4, "\xfd\x03\x00\x91", 4) != at + 8)
		return false;
	words = 0x80 - (int32_t)(stp >> 15 & 0x7f); /* 7 bits, negative */
	if (words < 2 || words > 0x40)
		return false;
	*out = (struct unwind_rule){.cfa_offset = 8 * words,
				    .fp_words = (uint16_t)words,
				    .ra_words = (uint8_t)(words - 1),
				    .kind = UNWIND_FP_CODE};
	*body = (uint32_t)at + 8;
	return true;
}

/* The CFA of x86-64 is above the record; that of arm64 may be anywhere: what is above it will do. */
struct unwind_rule unwind_code_fp(uint16_t machine)
{
	bool x86 = machine == EM_X86_64;

	return (struct unwind_rule){
	    .cfa_offset = 16, .fp_words = 2, .ra_words = x86 ? 1 : UNWIND_RA_AFTER_FP, .kind = UNWIND_SCRIPT};
}

bool unwind_code_rule(uint16_t machine, const uint8_t *code, size_t n, struct unwind_rule *out,
		      uint32_t *body)
{
	return (machine == EM_X86_64 ? x86_rule : arm64_rule)(code, n, out, body);
}

static int compare_bodies(const void *x, const void *y)
{
	const struct unwind_body *a = x, *b = y;

	return a->start < b->start ? -1 : a->start > b->start;
}

static int read_bodies(const struct elf_image *e, const struct elf_functions *f, struct unwind_bodies *out)
{
	uint8_t code[PROLOGUE_BYTES];

	for (size_t i = 0; i < f->n; i++) {
		uint64_t start = f->v[i].start, bytes = f->v[i].end - start;
		struct unwind_rule rule;
		struct unwind_body *b;
		uint32_t body;
		size_t n;

		if (!(i % 256)) {
			int rc = budget_check(elf_budget(e));

			if (rc)
				return rc;
		}
		if (!f->v[i].sized || f->v[i].end <= start || !elf_is_code(e, start))
			continue;
		n = elf_read(e, start, code, bytes < sizeof(code) ? bytes : sizeof(code));
		if (!unwind_code_rule(elf_machine(e), code, n, &rule, &body) || body >= bytes)
			continue;
		b = VEC_ADD(out);
		if (!b)
			return -ENOMEM;
		*b = (struct unwind_body){.start = start + body, .end = f->v[i].end, .rule = rule};
	}
	return 0;
}

int unwind_code_bodies(const struct elf_image *e, struct unwind_bodies *out)
{
	struct elf_functions f = {.nameless = true};
	int rc = elf_functions_add(&f, e, ELF_SYMTAB);
	size_t kept = 0;

	if (rc >= 0)
		rc = elf_functions_add(&f, e, ELF_DYNSYM);
	rc = rc < 0 ? rc : read_bodies(e, &f, out);
	elf_functions_free(&f);
	if (out->n)
		qsort(out->v, out->n, sizeof(*out->v), compare_bodies);
	/* several names of one function; functions that lie in each other are nobody's */
	for (size_t i = 0; i < out->n; i++)
		if (!kept || out->v[i].start >= out->v[kept - 1].end)
			out->v[kept++] = out->v[i];
	out->n = kept;
	return rc;
}
