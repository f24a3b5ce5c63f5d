/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "runtime/hotspot/oop_words.h"

#include <errno.h>
#include <string.h>

#define MARK_BITS 3 /* markWord: lock bits; 3: marked or forwarded */

int oop_masks_read(const struct oop_reader *r, struct oop_masks *m)
{
	memset(m, 0, sizeof(*m));
	m->offset = UINT64_MAX;
	if (r->colors == COLORS_NONE)
		return 0;
	if (proc_read(r->h->pid, r->good_mask_addr, &m->good, sizeof(m->good)) < 0 ||
	    proc_read(r->h->pid, r->bad_mask_addr, &m->bad, sizeof(m->bad)) < 0 ||
	    proc_read(r->h->pid, r->offset_mask_addr, &m->offset, sizeof(m->offset)) < 0)
		return -EFAULT;
	return 0;
}

/*
 * Generational ZGC on x86: the address is shifted by 13 to 16, as its remap bits say; on AArch64
 * always by 16 (JDK: gc/z/zAddress_x86.inline.hpp, zAddress_aarch64.inline.hpp).
 */
static uint64_t decode_generational(uint64_t word)
{
#if defined(__x86_64__)
	switch (word >> 12 & 0xf) {
	case 1:
		return word >> 13;
	case 2:
		return word >> 14;
	case 4:
		return word >> 15;
	case 8:
		return word >> 16;
	default:
		return 0;
	}
#else
	return word >> 16;
#endif
}

/*
 * Which generations moved objects since the word was written. Of the four remap bits one is set: its number
 * is a phase of the young generation (bit 0) and one of the old (bit 1) (JDK: gc/z/zAddress.hpp).
 */
unsigned oop_stale_generations(const struct oop_reader *r, const struct oop_masks *m, uint64_t word)
{
	uint64_t is = word >> 12 & 0xf, should = m->good >> 12 & 0xf;
	unsigned differs;

	if (r->colors == COLORS_SINGLE)
		return 1u << ZGC_OLD; /* the only table */
	if (!is || !should)
		return 1u << ZGC_OLD | 1u << ZGC_YOUNG;
	differs = (unsigned)(__builtin_ctzll(is) ^ __builtin_ctzll(should));
	return (differs & 1 ? 1u << ZGC_YOUNG : 0) | (differs & 2 ? 1u << ZGC_OLD : 0);
}

uint64_t oop_address_bits(const struct oop_reader *r, uint64_t word)
{
	return r->colors == COLORS_GENERATIONAL ? decode_generational(word) : word;
}

uint64_t oop_decode(const struct oop_reader *r, struct oop_masks *m, uint64_t word, bool *sure)
{
	uint64_t addr, offset;

	*sure = true;
	if (word == 0 || r->colors == COLORS_NONE)
		return word % 8 ? 0 : word;
	if (oop_is_null(r, word))
		return 0;
	addr = oop_address_bits(r, word);
	if (addr == 0)
		return 0; /* of no colour */
	offset = addr & m->offset;
	if (word & m->bad)
		offset = zgc_remap(r->h, &r->zgc, &m->cache, offset, oop_stale_generations(r, m, word), sure);
	/* every colour maps the same memory; the good one is there for sure */
	addr = r->colors == COLORS_SINGLE ? offset | m->good : offset | (addr & ~m->offset);
	return addr % 8 ? 0 : addr;
}

/*
 * The first object of the heap has an offset of 0 and is not null: ZGC's null is 0, with generations in any
 * colour (JDK: gc/z/zAddress.inline.hpp).
 */
bool oop_is_null(const struct oop_reader *r, uint64_t word)
{
	return word == 0 || (r->colors == COLORS_GENERATIONAL && word >> 16 == 0);
}

uint64_t oop_klass(const struct oop_reader *r, const uint64_t header[OBJECT_HEADER_WORDS])
{
	uint64_t mark = header[0], narrow;

	/* marked: the collector has put another thing into the header */
	if ((mark & MARK_BITS) == MARK_BITS && r->colors == COLORS_NONE)
		return 0;
	if (r->mode == KLASS_FULL)
		return header[1];
	narrow = r->mode == KLASS_NARROW ? header[1] & 0xffffffff : mark >> r->mark_shift;
	return narrow ? r->narrow_base + (narrow << r->narrow_shift) : 0;
}
