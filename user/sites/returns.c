/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "sites/returns.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#include "arch/insn.h"
#include "elf/elf_functions.h"
#include "elf/elf_versions.h"

#define MAX_INSN_BYTES 16
#define MAX_PIECES     4 /* of a function: its beginning, and what the compiler has moved elsewhere (".cold") */
#define MAX_BYTES      (1 << 20)

bool returns_may_throw(const struct elf_image *e)
{
	static const char *const names[] = {"__cxa_throw", "__cxa_begin_catch", "_Unwind_Resume",
					    "_Unwind_RaiseException", "rust_eh_personality"};

	return elf_has_symbol(e, names, sizeof(names) / sizeof(names[0]));
}

struct piece {
	uint64_t start, end;
};
struct search {
	const struct elf_image *e;
	const struct elf_functions *functions;
	struct piece piece[MAX_PIECES];
	size_t nr_pieces;
	uint64_t *at;
	size_t n, max;
	const char *why;
};

static bool is_inside(const struct search *s, uint64_t vaddr)
{
	for (size_t i = 0; i < s->nr_pieces; i++)
		if (vaddr - s->piece[i].start < s->piece[i].end - s->piece[i].start)
			return true;
	return false;
}

/* Goes on at another place: in the function, or in a piece of it that is elsewhere. */
static bool follow(struct search *s, uint64_t target)
{
	const struct elf_function *fn;

	if (is_inside(s, target))
		return true;
	fn = elf_functions_find(s->functions, target);
	if (!fn || !strstr(elf_function_name(s->functions, fn), ".cold") || s->nr_pieces == MAX_PIECES)
		return false;
	s->piece[s->nr_pieces++] = (struct piece){fn->start, fn->end};
	return true;
}

/* Of x86: where a direct jump goes to, 0: it is none; *indirect: it is another jump. */
static uint64_t x86_target(const uint8_t *code, const struct insn *insn, uint64_t next, bool *indirect)
{
	const uint8_t *op = code;
	int32_t far;

	while ((*op & 0xf0) == 0x40 || *op == 0x66 || *op == 0x3e || *op == 0xf2) /* REX; bnd, notrack */
		op++;
	*indirect = *op == 0xff && ((op[1] >> 3 & 7) == 4 || (op[1] >> 3 & 7) == 5);
	if (*op == 0xeb || (*op & 0xf0) == 0x70)
		return next + (uint64_t)(int64_t)(int8_t)code[insn->size_bytes - 1];
	if (*op == 0xe9 || (*op == 0x0f && (op[1] & 0xf0) == 0x80)) {
		memcpy(&far, code + insn->size_bytes - sizeof(far), sizeof(far));
		return next + (uint64_t)(int64_t)far;
	}
	return 0;
}

static bool take_piece(struct search *s, struct piece p)
{
	for (uint64_t at = p.start; at < p.end;) {
		uint8_t code[MAX_INSN_BYTES] = {0};
		struct insn insn;
		uint64_t target;
		bool indirect;

		insn_decode(EM_X86_64, code, elf_read(s->e, at, code, sizeof(code)), &insn);
		if (!insn.size_bytes) {
			s->why = "an exception may go through it, and where it returns cannot be told "
				 "(nothrow: none does)";
			return false;
		}
		target = x86_target(code, &insn, at + insn.size_bytes, &indirect);
		if (indirect || (target && !follow(s, target))) {
			s->why = "an exception may go through it, and another function returns for it "
				 "(nothrow: none does)";
			return false;
		}
		if (!strcmp(insn.name, "ret")) {
			if (s->n == s->max)
				return false;
			s->at[s->n++] = at;
		}
		at += insn.size_bytes;
	}
	return true;
}

int returns_find(const struct elf_image *e, uint64_t start, uint64_t *at, size_t max, const char **why)
{
	struct elf_functions functions = {0};
	struct search s = {.e = e, .functions = &functions, .at = at, .max = max};
	const struct elf_function *fn;
	int rc = elf_machine(e) == EM_X86_64 ? 0 : -EOPNOTSUPP;

	s.why = "an exception may go through it, and its returns cannot be probed one by one (nothrow: none "
		"does)";
	rc = rc ?: elf_functions_add(&functions, e, ELF_DYNSYM);
	rc = rc < 0 ? rc : elf_functions_add(&functions, e, ELF_SYMTAB);
	rc = rc < 0 ? rc : elf_functions_sort(&functions, elf_budget(e));
	fn = rc < 0 ? NULL : elf_functions_find(&functions, start);
	if (fn && fn->sized && fn->end - start < MAX_BYTES)
		s.piece[s.nr_pieces++] = (struct piece){start, fn->end};
	for (size_t i = 0; i < s.nr_pieces; i++)
		if (!take_piece(&s, s.piece[i])) {
			s.n = 0;
			break;
		}
	elf_functions_free(&functions);
	*why = s.n ? NULL : s.why;
	return s.n ? (int)s.n : rc < 0 ? rc : -EINVAL;
}
