/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * USDT probes: the notes systemtap's sys/sdt.h leaves in .note.stapsdt. The format is documented at
 * https://sourceware.org/systemtap/wiki/UserSpaceProbeImplementation
 */
#include "elf/elf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "elf/elf_internal.h"

#define MAX_STAPSDT_BYTES (16ULL << 20) /* a JVM has 60 KiB */
#define NT_STAPSDT        3

static const char stapsdt_name[] = "stapsdt";

/* Copy one of the terminated strings of a note; false when it has no end or no room. */
static bool take_string(const uint8_t **p, size_t *n, char *dst, size_t cap)
{
	size_t len = strnlen((const char *)*p, *n);

	if (len == *n || len >= cap)
		return false;
	memcpy(dst, *p, len + 1);
	*p += len + 1;
	*n -= len + 1;
	return true;
}

/* base: where .stapsdt.base lies now; the note says where it was when linked, prelink moves it. */
static bool parse_note(const struct elf_note *note, uint64_t base, struct elf_usdt *out)
{
	uint64_t addr[3]; /* the probe, .stapsdt.base, the semaphore */
	const uint8_t *p = note->desc;
	size_t n = note->desc_bytes;
	uint64_t moved;

	if (note->type != NT_STAPSDT || note->name_bytes != sizeof(stapsdt_name) ||
	    memcmp(note->name, stapsdt_name, sizeof(stapsdt_name)) || n < sizeof(addr))
		return false;
	memcpy(addr, p, sizeof(addr));
	p += sizeof(addr);
	n -= sizeof(addr);
	if (!take_string(&p, &n, out->provider, sizeof(out->provider)) ||
	    !take_string(&p, &n, out->name, sizeof(out->name)) ||
	    !take_string(&p, &n, out->args, sizeof(out->args)))
		return false;
	moved = base ? base - addr[1] : 0;
	out->vaddr = addr[0] + moved;
	out->semaphore = addr[2] ? addr[2] + moved : 0;
	return true;
}

int elf_usdt_read(const struct elf_image *e, const char *provider, struct elf_usdts *out)
{
	const Elf64_Shdr *notes = elf_section_find(e, SHT_NOTE, ".note.stapsdt");
	const Elf64_Shdr *base = elf_section_find(e, SHT_PROGBITS, ".stapsdt.base");
	struct elf_note_iter it;
	struct elf_note note;
	struct elf_blob blob;
	int rc;

	*out = (struct elf_usdts){0};
	if (!notes)
		return 0;
	rc = elf_section_load(e, notes, MAX_STAPSDT_BYTES, &blob);
	if (rc)
		return rc == -ENOENT ? 0 : rc;
	it = (struct elf_note_iter){blob.p, blob.n};
	while (elf_note_next(&it, &note)) {
		struct elf_usdt usdt, *slot;

		if (!parse_note(&note, base ? base->sh_addr : 0, &usdt) || strcmp(usdt.provider, provider) ||
		    !elf_is_code(e, usdt.vaddr))
			continue;
		slot = VEC_ADD(out);
		if (!slot) {
			free(out->v);
			*out = (struct elf_usdts){0};
			rc = -ENOMEM;
			break;
		}
		*slot = usdt;
	}
	free(blob.p);
	return rc;
}
