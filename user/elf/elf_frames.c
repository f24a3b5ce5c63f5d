/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Find and read .eh_frame. */
#include "elf/elf_frames.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "elf/elf_internal.h"

#define MAX_FRAMES_BYTES                                                                                     \
	(64ULL << 20) /* a JVM's library has 1.5 to 3 MiB, the largest browsers' libraries 30 */

bool elf_code_extent(const struct elf_image *e, uint64_t *lo, uint64_t *hi)
{
	*lo = UINT64_MAX;
	*hi = 0;
	for (size_t i = 0; i < e->nr_ph; i++) {
		const Elf64_Phdr *ph = &e->ph[i];

		if (ph->p_type != PT_LOAD || !(ph->p_flags & PF_X) || !ph->p_memsz)
			continue;
		if (ph->p_vaddr > UINT64_MAX - ph->p_memsz)
			return false;
		if (ph->p_vaddr < *lo)
			*lo = ph->p_vaddr;
		if (ph->p_vaddr + ph->p_memsz > *hi)
			*hi = ph->p_vaddr + ph->p_memsz;
	}
	return *lo < *hi;
}

static int load_section(const struct elf_image *e, uint32_t type, const char *name, struct elf_frames *out)
{
	const Elf64_Shdr *sh = elf_section_find(e, type, name);
	struct elf_blob blob;
	int rc = sh ? elf_section_load(e, sh, MAX_FRAMES_BYTES, &blob) : -ENOENT;

	if (rc)
		return rc;
	out->p = blob.p;
	out->n = blob.n;
	out->vaddr = sh->sh_addr;
	return 0;
}

/*
 * Without sections: .eh_frame_hdr (LSB core, 10.6.2) is a segment and points to .eh_frame, which reaches
 * at most to the end of the segment it lies in.
 */
static int load_by_header(const struct elf_image *e, struct elf_frames *out)
{
	const Elf64_Phdr *hdr = NULL;
	uint8_t head[8];
	int32_t distance;
	uint64_t max = 0;

	for (size_t i = 0; i < e->nr_ph; i++)
		if (e->ph[i].p_type == PT_GNU_EH_FRAME)
			hdr = &e->ph[i];
	/* version 1, eh_frame_ptr as pcrel sdata4: what all linkers write */
	if (!hdr || elf_read(e, hdr->p_vaddr, head, sizeof(head)) != sizeof(head) || head[0] != 1 ||
	    head[1] != 0x1b)
		return -ENOENT;
	memcpy(&distance, head + 4, sizeof(distance));
	out->vaddr = hdr->p_vaddr + 4 + (int64_t)distance;
	for (size_t i = 0; i < e->nr_ph; i++) {
		const Elf64_Phdr *ph = &e->ph[i];

		if (ph->p_type == PT_LOAD && out->vaddr >= ph->p_vaddr &&
		    out->vaddr - ph->p_vaddr < ph->p_filesz)
			max = ph->p_filesz - (out->vaddr - ph->p_vaddr);
	}
	if (!max)
		return -ENOENT;
	if (max > e->file_bytes)
		max = e->file_bytes;
	if (max > MAX_FRAMES_BYTES)
		return -E2BIG;
	if (max > budget_room(e->budget))
		return -EDQUOT;
	out->p = malloc(max);
	if (!out->p)
		return -ENOMEM;
	out->n = elf_read(e, out->vaddr, out->p, max);
	out->ends_at_zero = true;
	return 0;
}

int elf_frames_load(const struct elf_image *e, struct elf_frames *out)
{
	int rc;

	*out = (struct elf_frames){.machine = e->machine};
	if (!elf_code_extent(e, &out->code_lo, &out->code_hi))
		return -ENOENT;
	rc = load_section(e, SHT_PROGBITS, ".eh_frame", out);
	if (rc == -ENOENT) /* SHT_X86_64_UNWIND, what other linkers than GNU's call it */
		rc = load_section(e, 0x70000001, ".eh_frame", out);
	if (rc == -ENOENT)
		rc = load_by_header(e, out);
	if (rc == -ENOENT) {
		rc = load_section(e, SHT_PROGBITS, ".debug_frame", out);
		out->debug_frame = !rc;
	}
	if (rc)
		elf_frames_free(out);
	return rc;
}

uint64_t elf_frames_code_bytes(const struct elf_image *e)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < e->nr_ph; i++)
		if (e->ph[i].p_type == PT_LOAD && e->ph[i].p_flags & PF_X &&
		    e->ph[i].p_filesz <= e->file_bytes)
			sum += e->ph[i].p_filesz;
	return sum;
}

bool elf_code_placement(const struct elf_image *e, uint64_t offset, uint64_t bytes, uint64_t *distance)
{
	uint64_t most = 0;

	if (bytes > UINT64_MAX - offset)
		return false;
	for (size_t i = 0; i < e->nr_ph; i++) {
		const Elf64_Phdr *ph = &e->ph[i];
		uint64_t lo = ph->p_offset, hi = offset + bytes;

		if (ph->p_type != PT_LOAD || !(ph->p_flags & PF_X) || ph->p_filesz > UINT64_MAX - lo)
			continue;
		if (hi > lo + ph->p_filesz)
			hi = lo + ph->p_filesz;
		if (lo < offset)
			lo = offset;
		if (hi > lo && hi - lo > most) {
			most = hi - lo;
			*distance = ph->p_vaddr - ph->p_offset;
		}
	}
	return most != 0;
}

void elf_frames_free(struct elf_frames *f)
{
	free(f->p);
	f->p = NULL;
	f->n = 0;
}
