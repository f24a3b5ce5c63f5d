/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Compile call frame information into rows. */
#include "unwind/unwind_table.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/util.h"
#include "elf/elf_cfi_ops.h"
#include "unwind/unwind_code.h"

#define SP_X86   7
#define FP_X86   6
#define SP_ARM64 31
#define FP_ARM64 29

#define MAX_FDES     (1U << 20) /* the largest browsers have half a million */
#define WORD         8
#define FDES_A_CHECK 64

struct fde_list {
	struct cfi_fde *v;
	size_t n, cap;
};

struct builder {
	struct unwind_table *t;
	const struct elf_frames *f;
	struct hash index; /* rules by their bits: number + 1 */
	uint64_t end;      /* of the last row's knowledge, link-time */
};

static uint64_t rule_bits(const struct unwind_rule *r)
{
	uint64_t bits;

	memcpy(&bits, r, sizeof(bits));
	return bits;
}

/* A distance of whole words below the CFA, at most max. */
static bool words_below(int64_t offset, int64_t max, int64_t *words)
{
	if (offset >= 0 || offset < -max * WORD || offset % WORD)
		return false;
	*words = -offset / WORD;
	return true;
}

/* fp: 0 words means unchanged. false: has no place in a rule. */
static bool pack_fp(const struct cfi_state *s, bool cfa_by_fp, struct unwind_rule *out)
{
	int64_t words = 0, offset = s->fp.offset;

	switch (s->fp.where) {
	case CFI_UNSET:
	case CFI_SAME:
		return true;
	case CFI_SAVED_AT: /* fp is CFA - cfa_offset */
		if (!cfa_by_fp)
			return false;
		offset = -s->cfa_offset;
		/* fallthrough */
	case CFI_SAVED:
		if (!words_below(offset, UINT16_MAX, &words))
			return false;
		out->fp_words = (uint16_t)words;
		return true;
	default:
		return false;
	}
}

static bool pack_ra(const struct elf_frames *f, const struct cfi_state *s, struct unwind_rule *out)
{
	int64_t words;

	if (f->machine == EM_AARCH64 && (s->ra.where == CFI_UNSET || s->ra.where == CFI_SAME)) {
		out->ra_words = UNWIND_RA_IN_REGISTER;
		return true;
	}
	if (s->ra.where != CFI_SAVED)
		return false;
	if (words_below(s->ra.offset, UNWIND_RA_AFTER_FP - 1, &words)) {
		out->ra_words = (uint8_t)words;
		return true;
	}
	out->ra_words = UNWIND_RA_AFTER_FP;
	return s->fp.where == CFI_SAVED && s->ra.offset == s->fp.offset + WORD && s->ra.offset < 0;
}

/* The CFA's kind and offset. false: has no place in a rule. */
static bool pack_cfa(const struct elf_frames *f, const struct cfi_state *s, struct unwind_rule *out)
{
	bool x86 = f->machine == EM_X86_64;

	if (s->cfa_offset < INT32_MIN || s->cfa_offset > INT32_MAX)
		return false;
	out->cfa_offset = (int32_t)s->cfa_offset;
	switch (s->cfa) {
	case CFA_REG:
		out->kind = s->cfa_reg == (x86 ? SP_X86 : SP_ARM64) ? UNWIND_SP : UNWIND_FP;
		return out->kind == UNWIND_SP || s->cfa_reg == (x86 ? FP_X86 : FP_ARM64);
	case CFA_PLT:
		out->kind = UNWIND_PLT;
		return true;
	case CFA_SPILLED:
		out->kind = UNWIND_SPILLED;
		return true;
	case CFA_FP_DEREF: /* only in this company is it what unwind_caller() expects */
		out->kind = UNWIND_FP_DEREF;
		return s->fp.where == CFI_SAVED_AT;
	default:
		return false;
	}
}

/*
 * The kernel's signal frame. On x86-64 by glibc's expression; on arm64 the vdso's __kernel_rt_sigreturn
 * describes itself by the frame record the kernel adds (arch/arm64/kernel/vdso/sigreturn.S), which lacks
 * the interrupted registers.
 */
static bool is_signal_frame(const struct elf_frames *f, const struct cfi_cie *cie, const struct cfi_state *s)
{
	if (!cie->signal)
		return false;
	if (f->machine == EM_X86_64)
		return s->cfa == CFA_SIGNAL;
	return s->cfa == CFA_REG && s->cfa_reg == FP_ARM64 && !s->cfa_offset;
}

static struct unwind_rule pack(const struct elf_frames *f, const struct cfi_cie *cie,
			       const struct cfi_state *s)
{
	struct unwind_rule r = {0};

	if (s->ra.where == CFI_UNDEFINED)
		return (struct unwind_rule){.kind = UNWIND_BOTTOM};
	if (is_signal_frame(f, cie, s))
		return (struct unwind_rule){.kind = UNWIND_SIGNAL};
	if (cie->signal || !pack_cfa(f, s, &r) || !pack_ra(f, s, &r))
		return (struct unwind_rule){.kind = UNWIND_RICH};
	if (r.kind == UNWIND_FP_DEREF)
		return r;
	if (!pack_fp(s, r.kind == UNWIND_FP, &r))
		return (struct unwind_rule){.kind = UNWIND_RICH};
	return r;
}

static int rule_number(struct builder *b, const struct unwind_rule *r, uint32_t *out)
{
	uint64_t bits = rule_bits(r);
	uint32_t known = hash_find(&b->index, bits, 0);
	struct unwind_rule *added;

	if (!known) {
		added = VEC_ADD(&b->t->rules);
		if (!added)
			return -ENOMEM;
		*added = *r;
		known = (uint32_t)b->t->rules.n;
		if (hash_set(&b->index, bits, 0, known))
			return -ENOMEM;
	}
	*out = known - 1;
	return 0;
}

/* From vaddr on, r holds. */
static int add_row(struct builder *b, uint64_t vaddr, const struct unwind_rule *r)
{
	struct unwind_table *t = b->t;
	struct unwind_row *row;
	uint32_t number;
	int rc = rule_number(b, r, &number);

	if (rc)
		return rc;
	if (t->rows.n && t->rows.v[t->rows.n - 1].rule == number)
		return 0;
	if (t->rows.n + t->rules.n + 2 > JT_UNWIND_WORDS_MAX)
		return -E2BIG;
	row = VEC_ADD(&t->rows);
	if (!row)
		return -ENOMEM;
	*row = (struct unwind_row){.pc = (uint32_t)(vaddr - t->base), .rule = number};
	t->nr_rich += r->kind == UNWIND_RICH;
	return 0;
}

struct row_context {
	struct builder *b;
	const struct cfi_cie *cie;
	uint64_t limit; /* where the next FDE begins */
};

static int on_row(void *arg, uint64_t begin, uint64_t end, const struct cfi_state *state)
{
	struct row_context *c = arg;
	struct unwind_rule r;

	(void)end;
	if (begin >= c->limit)
		return 0;
	r = pack(c->b->f, c->cie, state);
	return add_row(c->b, begin, &r);
}

/* Nothing is known between FDEs. */
static int add_gap(struct builder *b, uint64_t until)
{
	const struct unwind_rule nothing = {.kind = UNWIND_NO_CFI};

	return b->t->rows.n && b->end < until ? add_row(b, b->end, &nothing) : 0;
}

static int add_fde(struct builder *b, const struct cfi_fde *fde, uint64_t limit, struct cfi_cie *cie)
{
	struct row_context c = {.b = b, .cie = cie, .limit = limit};
	int rc = add_gap(b, fde->begin);

	rc = rc ?: cfi_run(b->f, fde, cie, on_row, &c);
	b->end = fde->end < limit ? fde->end : limit;
	return rc;
}

static int compare_fdes(const void *x, const void *y)
{
	const struct cfi_fde *a = x, *b = y;

	if (a->begin != b->begin)
		return a->begin < b->begin ? -1 : 1;
	return a->ops_at < b->ops_at ? -1 : a->ops_at > b->ops_at;
}

static int read_fdes(const struct elf_frames *f, struct budget *budget, struct fde_list *out)
{
	struct cfi_cie cie = {.at = SIZE_MAX};
	struct cfi_fde fde, *slot;
	bool sorted = true;
	size_t at = 0;

	while (cfi_next(f, &at, &cie, &fde)) {
		int rc = out->n % FDES_A_CHECK ? 0 : budget_check(budget);

		if (rc)
			return rc;
		if (out->n == MAX_FDES || 2 * out->n * sizeof(fde) > budget_room(budget))
			return -EDQUOT;
		sorted &= !out->n || out->v[out->n - 1].begin <= fde.begin;
		slot = VEC_ADD(out);
		if (!slot)
			return -ENOMEM;
		*slot = fde;
	}
	if (!sorted)
		qsort(out->v, out->n, sizeof(*out->v), compare_fdes);
	return 0;
}

/* Where the first FDE behind the i-th begins: several may begin at one place. */
static uint64_t next_begin(const struct fde_list *fdes, size_t i)
{
	for (size_t next = i + 1; next < fdes->n; next++)
		if (fdes->v[next].begin > fdes->v[i].begin)
			return fdes->v[next].begin;
	return UINT64_MAX;
}

static int compile(struct builder *b, struct budget *budget, struct fde_list *fdes)
{
	struct cfi_cie cie = {.at = SIZE_MAX};
	int rc = read_fdes(b->f, budget, fdes);

	for (size_t i = 0; !rc && i < fdes->n; i++) {
		const struct cfi_fde *fde = &fdes->v[i];

		if (i && fde->begin == fde[-1].begin) /* the first stands */
			continue;
		rc = i % FDES_A_CHECK ? 0 : budget_check(budget);
		if (rc)
			break;
		rc = add_fde(b, fde, next_begin(fdes, i), &cie);
	}
	b->t->nr_fdes = (uint32_t)fdes->n;
	return rc ?: add_gap(b, UINT64_MAX);
}

int unwind_table_compile(const struct elf_frames *f, struct budget *budget, struct unwind_table *t)
{
	struct builder b = {.t = t, .f = f};
	struct fde_list fdes = {0};
	int rc;

	*t = (struct unwind_table){.base = f->code_lo};
	if (f->code_hi - f->code_lo > UINT32_MAX)
		return -E2BIG;
	rc = compile(&b, budget, &fdes);
	if (!rc && !t->rows.n)
		rc = -ENOENT;
	free(fdes.v);
	hash_free(&b.index);
	if (rc)
		unwind_table_free(t);
	return rc;
}

struct unwind_rule unwind_table_find(const struct unwind_table *t, uint64_t vaddr)
{
	size_t lo = 0, hi = t->rows.n;

	if (vaddr < t->base || vaddr - t->base > UINT32_MAX)
		return (struct unwind_rule){0};
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (t->rows.v[mid].pc <= vaddr - t->base)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo ? t->rules.v[t->rows.v[lo - 1].rule] : (struct unwind_rule){0};
}

/* --- functions without call frame information ----------------------------------------------------- */

/* Is at least half of the code described? Else it is worth while to read the symbols. */
static bool covers_most(const struct unwind_table *t, uint64_t code_bytes)
{
	uint64_t covered = 0;

	for (size_t i = 0; i + 1 < t->rows.n; i++)
		if (t->rules.v[t->rows.v[i].rule].kind != UNWIND_NO_CFI)
			covered += t->rows.v[i + 1].pc - t->rows.v[i].pc;
	return covered >= code_bytes / 2;
}

/* Add body's rows behind those of b->t, whose next row from old on is the first beyond body's start. */
static int add_body(struct builder *b, const struct unwind_body *body, const struct unwind_table *old,
		    size_t *next)
{
	const struct unwind_rule nothing = {.kind = UNWIND_NO_CFI};
	int rc = 0;

	while (!rc && *next < old->rows.n && old->base + old->rows.v[*next].pc <= body->start) {
		rc = add_row(b, old->base + old->rows.v[*next].pc, &old->rules.v[old->rows.v[*next].rule]);
		++*next;
	}
	if (rc || unwind_table_find(old, body->start).kind != UNWIND_NO_CFI)
		return rc;
	if (b->t->rows.n && b->t->rows.v[b->t->rows.n - 1].pc >= body->start - old->base)
		return 0;
	if (*next < old->rows.n && old->base + old->rows.v[*next].pc < body->end)
		return 0; /* partly described: leave it */
	rc = add_row(b, body->start, &body->rule);
	if (rc || (*next < old->rows.n && old->base + old->rows.v[*next].pc == body->end))
		return rc;
	return add_row(b, body->end, &nothing);
}

/* Put code that keeps a frame pointer where t knows nothing. */
static int add_known(const struct elf_image *e, const struct unwind_bodies *bodies, struct unwind_table *t)
{
	struct unwind_table merged = {.nr_fdes = t->nr_fdes};
	struct builder b = {.t = &merged};
	size_t next = 0;
	uint64_t hi;
	int rc = elf_code_extent(e, &t->base, &hi) ? 0 : -ENOENT;

	merged.base = t->base;
	for (size_t i = 0; !rc && i < bodies->n; i++)
		if (bodies->v[i].start >= t->base && bodies->v[i].end <= hi && hi - t->base <= UINT32_MAX)
			rc = add_body(&b, &bodies->v[i], t, &next);
	for (; !rc && next < t->rows.n; next++)
		rc = add_row(&b, t->base + t->rows.v[next].pc, &t->rules.v[t->rows.v[next].rule]);
	hash_free(&b.index);
	if (rc) {
		unwind_table_free(&merged);
		return rc;
	}
	unwind_table_free(t);
	*t = merged;
	return 0;
}

/* Functions, as their first instructions prove. */
static int add_bodies(const struct elf_image *e, struct unwind_table *t)
{
	struct unwind_bodies bodies = {0};
	int rc = unwind_code_bodies(e, &bodies);

	rc = rc ?: add_known(e, &bodies, t);
	free(bodies.v);
	return rc;
}

int unwind_table_add_fp(const struct elf_image *e, uint64_t start, uint64_t end, struct unwind_table *t)
{
	const struct unwind_rule rule = unwind_code_fp(elf_machine(e)), behind = unwind_table_find(t, end);
	struct unwind_table merged = {.nr_fdes = t->nr_fdes, .base = t->base};
	struct builder b = {.t = &merged};
	size_t next = 0;
	int rc = start >= t->base && start < end && end - t->base <= UINT32_MAX ? 0 : -EPROTO;

	for (; !rc && next < t->rows.n && t->base + t->rows.v[next].pc < start; next++)
		rc = add_row(&b, t->base + t->rows.v[next].pc, &t->rules.v[t->rows.v[next].rule]);
	rc = rc ?: add_row(&b, start, &rule);
	while (next < t->rows.n && t->base + t->rows.v[next].pc <= end)
		next++;
	rc = rc ?: add_row(&b, end, &behind);
	for (; !rc && next < t->rows.n; next++)
		rc = add_row(&b, t->base + t->rows.v[next].pc, &t->rules.v[t->rows.v[next].rule]);
	hash_free(&b.index);
	unwind_table_free(rc ? &merged : t);
	if (rc)
		unwind_table_free(t);
	else
		*t = merged;
	return rc;
}

int unwind_table_all_fp(struct unwind_table *t)
{
	struct builder b = {.t = t};
	const struct unwind_rule rule = unwind_code_fp(UNWIND_HERE);
	int rc;

	*t = (struct unwind_table){0};
	rc = add_row(&b, 0, &rule);
	hash_free(&b.index);
	return rc;
}

static int build(const struct elf_image *e, struct unwind_table *t)
{
	struct elf_frames f;
	int rc = elf_frames_load(e, &f);

	*t = (struct unwind_table){0};
	if (!rc) {
		rc = unwind_table_compile(&f, elf_budget(e), t);
		elf_frames_free(&f);
	}
	if (rc && rc != -ENOENT)
		return rc;
	if (!rc && covers_most(t, elf_frames_code_bytes(e)))
		return 0;
	rc = add_bodies(e, t);
	if (!rc && !t->rows.n)
		rc = -ENOENT;
	if (rc)
		unwind_table_free(t);
	return rc;
}

int unwind_table_build(const struct elf_image *e, struct unwind_table *t)
{
	int rc;

	budget_begin_file(elf_budget(e));
	rc = build(e, t);
	budget_end_file(elf_budget(e));
	return rc;
}

bool unwind_table_place(const struct elf_image *e, uint64_t base, uint64_t start, uint64_t end,
			uint64_t offset, uint64_t *addr)
{
	uint64_t distance;

	if (!elf_code_placement(e, offset, end - start, &distance))
		return false;
	*addr = start - offset + base - distance;
	return true;
}

size_t unwind_table_words(const struct unwind_table *t)
{
	return 1 + t->rules.n + t->rows.n;
}

void unwind_table_write(const struct unwind_table *t, uint64_t *words)
{
	struct unwind_head head = {.nr_rules = (uint32_t)t->rules.n, .nr_rows = (uint32_t)t->rows.n};

	memcpy(words, &head, sizeof(head));
	memcpy(words + 1, t->rules.v, t->rules.n * sizeof(*t->rules.v));
	memcpy(words + 1 + t->rules.n, t->rows.v, t->rows.n * sizeof(*t->rows.v));
}

void unwind_table_free(struct unwind_table *t)
{
	free(t->rules.v);
	free(t->rows.v);
	*t = (struct unwind_table){0};
}
