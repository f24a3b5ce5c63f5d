/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where the caller is at one address: its function is found by the search table that linkers write beside
 * .eh_frame (LSB core, 10.6.2), and its call frame information run up to there.
 */
#include "elf/elf_cfi.h"

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "elf/elf_cfi_ops.h"
#include "elf/elf_frames.h"
#include "elf/elf_internal.h"

#define MAX_HDR_BYTES    (64ULL << 20)
#define MAX_WALKED_BYTES (4ULL << 20) /* of a section without a search table */
#define FDES_A_CHECK     64
#define MAX_OFFSET       (1 << 30)

/* The call frame information and, when there is a usable one, the search table of .eh_frame_hdr. */
struct elf_cfi_table {
	struct elf_frames frames; /* n is 0 when there are none */
	struct elf_blob hdr;
	uint64_t hdr_addr; /* link-time */
	size_t nr_entries;
	struct cfi_cie cie;
	struct budget *budget;
	struct charge held;
};
#define HDR_BYTES   12 /* version, three encodings, pointer, count */
#define ENTRY_BYTES 8  /* function and FDE, each relative to hdr_addr */

/* The table of .eh_frame_hdr in the one form that linkers write; else it is not used. */
static void use_header(const struct elf_image *e, struct elf_cfi_table *f)
{
	static const uint8_t form[] = {1, DW_EH_PE_pcrel | DW_EH_PE_sdata4, DW_EH_PE_udata4,
				       DW_EH_PE_datarel | DW_EH_PE_sdata4};
	const Elf64_Phdr *ph = NULL;
	uint32_t count;
	int32_t distance;

	for (size_t i = 0; i < e->nr_ph && !ph; i++)
		if (e->ph[i].p_type == PT_GNU_EH_FRAME)
			ph = &e->ph[i];
	if (!ph || elf_load(e, ph->p_offset, ph->p_filesz, MAX_HDR_BYTES, &f->hdr))
		return;
	if (f->hdr.n < HDR_BYTES || memcmp(f->hdr.p, form, sizeof(form)))
		return;
	memcpy(&distance, f->hdr.p + 4, sizeof(distance));
	memcpy(&count, f->hdr.p + 8, sizeof(count));
	f->hdr_addr = ph->p_vaddr;
	if (f->frames.debug_frame || f->frames.vaddr != f->hdr_addr + 4 + (uint64_t)(int64_t)distance)
		return;
	f->nr_entries = (f->hdr.n - HDR_BYTES) / ENTRY_BYTES;
	if (f->nr_entries > count)
		f->nr_entries = count;
}

static int load_frames(const struct elf_image *e, struct elf_cfi_table *f)
{
	int rc = elf_frames_load(e, &f->frames);

	f->cie.at = SIZE_MAX;
	if (rc)
		return rc == -ENOMEM || rc == -EDQUOT || rc == -EINTR ? rc : 0;
	use_header(e, f);
	/* .debug_frame tells debuggers; only .eh_frame is what the program itself unwinds by */
	if (f->frames.debug_frame || (!f->nr_entries && f->frames.n > MAX_WALKED_BYTES))
		elf_frames_free(&f->frames);
	return budget_take(f->budget, f->frames.n + f->hdr.n, &f->held);
}

static uint64_t entry_addr(const struct elf_cfi_table *f, size_t i, size_t field)
{
	int32_t v;

	memcpy(&v, f->hdr.p + HDR_BYTES + i * ENTRY_BYTES + field * sizeof(v), sizeof(v));
	return f->hdr_addr + (uint64_t)(int64_t)v;
}

static bool covers(const struct cfi_fde *fde, uint64_t vaddr)
{
	return vaddr >= fde->begin && vaddr < fde->end;
}

static bool find_fde(struct elf_cfi_table *f, uint64_t vaddr, struct cfi_fde *out)
{
	size_t lo = 0, hi = f->nr_entries, at = 0;

	if (f->nr_entries) {
		while (hi - lo > 1) {
			size_t mid = lo + (hi - lo) / 2;

			if (entry_addr(f, mid, 0) <= vaddr)
				lo = mid;
			else
				hi = mid;
		}
		return cfi_fde_at(&f->frames, entry_addr(f, lo, 1) - f->frames.vaddr, &f->cie, out) &&
		       covers(out, vaddr);
	}
	/* no table: one after the other */
	for (unsigned int n = 1; cfi_next(&f->frames, &at, &f->cie, out); n++) {
		if (covers(out, vaddr))
			return true;
		if (!(n % FDES_A_CHECK) && budget_check(f->budget))
			return false;
	}
	return false;
}

struct wanted {
	uint64_t vaddr;
	struct cfi_state state;
};

static int take_row(void *arg, uint64_t begin, uint64_t end, const struct cfi_state *state)
{
	struct wanted *w = arg;

	if (w->vaddr < begin || w->vaddr >= end)
		return 0;
	w->state = *state;
	return 1;
}

/* Below the CFA, and near: no compiler saves a register elsewhere. */
static bool is_slot(const struct cfi_reg *r)
{
	return r->where == CFI_SAVED && r->offset < 0 && r->offset >= -MAX_OFFSET;
}

static bool is_kept(const struct cfi_reg *r)
{
	return r->where == CFI_UNSET || r->where == CFI_SAME || r->where == CFI_UNDEFINED;
}

int elf_cfi_open(const struct elf_image *e, struct elf_cfi_table **out)
{
	struct elf_cfi_table *f = calloc(1, sizeof(*f));
	int rc = -ENOMEM;

	if (f) {
		f->cie.at = SIZE_MAX;
		f->budget = e ? elf_budget(e) : NULL;
		rc = e ? load_frames(e, f) : 0;
	}
	if (rc) {
		elf_cfi_close(f);
		f = NULL;
	}
	*out = f;
	return rc;
}

void elf_cfi_close(struct elf_cfi_table *f)
{
	if (!f)
		return;
	elf_frames_free(&f->frames);
	free(f->hdr.p);
	budget_give(&f->held);
	free(f);
}

bool elf_cfi_function(struct elf_cfi_table *f, uint64_t vaddr, uint64_t *begin, uint64_t *end)
{
	struct cfi_fde fde;

	if (!find_fde(f, vaddr, &fde))
		return false;
	*begin = fde.begin;
	*end = fde.end;
	return true;
}

bool elf_cfi_begins(struct elf_cfi_table *f, uint64_t vaddr)
{
	struct cfi_fde fde;

	return find_fde(f, vaddr, &fde) && fde.begin == vaddr;
}

int elf_cfi_at(struct elf_cfi_table *f, uint64_t vaddr, struct elf_cfi *out)
{
	struct wanted w = {.vaddr = vaddr};
	const struct cfi_state *s = &w.state;
	struct cfi_fde fde;

	*out = (struct elf_cfi){0};
	if (!find_fde(f, vaddr, &fde) || f->cie.signal ||
	    cfi_run(&f->frames, &fde, &f->cie, take_row, &w) != 1)
		return -ENOENT;
	if (s->cfa != CFA_REG || s->cfa_reg > UINT8_MAX || s->cfa_offset < -MAX_OFFSET ||
	    s->cfa_offset > MAX_OFFSET || !is_slot(&s->ra) || (!is_kept(&s->fp) && !is_slot(&s->fp)))
		return -ENOENT;
	*out = (struct elf_cfi){
	    .cfa_reg = (uint8_t)s->cfa_reg,
	    .cfa_offset = (int32_t)s->cfa_offset,
	    .ra_offset = (int32_t)s->ra.offset,
	    .fp_saved = s->fp.where == CFI_SAVED,
	    .fp_offset = (int32_t)s->fp.offset,
	};
	return 0;
}
