/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where ZGC has moved an object to. After it has moved objects, references to them keep the old address
 * until the next cycle; the forwarding tables tell the new one.
 */
#ifndef JNITRACE_HOTSPOT_ZGC_H
#define JNITRACE_HOTSPOT_ZGC_H

#include "runtime/hotspot/hotspot.h"

enum zgc_generation { ZGC_OLD, ZGC_YOUNG, ZGC_GENERATIONS };

struct zgc {
	bool known; /* false: the tables could not be found */
	bool generational;
	uint64_t map[ZGC_GENERATIONS]; /* a table per generation; of ZGC without generations the first */
	uint64_t granules;             /* entries of a map; 0: not said */
	uint64_t granule_shift;
	/* struct ZForwarding, offsets in bytes */
	uint64_t start, alignment_shift, length, entries;
};

/* A piece of a forwarding's table of entries. */
#define ZGC_PIECE_ENTRIES 8
#define ZGC_PIECES        2048
struct zgc_piece {
	uint64_t addr; /* in the target; 0: free */
	uint64_t entry[ZGC_PIECE_ENTRIES];
};
/* Pieces read beforehand, all at once. */
struct zgc_pieces {
	struct zgc_piece v[ZGC_PIECES]; /* by hash of the address */
};

/* What the maps said about a granule, for a short while. */
#define ZGC_CACHE       64
#define ZGC_CACHE_MOVED 256
struct zgc_cache {
	struct zgc_pieces *pieces; /* NULL: none; not owned */
	struct {
		uint64_t offset; /* + 1; 0: free */
		uint64_t now;
		unsigned stale;
		bool sure;
	} moved[ZGC_CACHE_MOVED];
	struct {
		uint64_t granule; /* + 1; 0: free */
		struct zgc_forwarding {
			uint64_t addr; /* 0: there is none */
			bool sane;
			uint64_t start, shift, length; /* of its table */
		} forwarding;
	} v[ZGC_GENERATIONS][ZGC_CACHE];
};

/* An object that was moved, or is to be: its offset in the heap, and by which generations (bits). */
struct zgc_query {
	uint64_t offset;
	unsigned stale;
};
/* Read what zgc_remap() will ask for n objects in few calls, into pieces, which then serve the cache. */
void zgc_prefetch(const struct hotspot *h, const struct zgc *z, struct zgc_cache *cache,
		  struct zgc_pieces *pieces, const struct zgc_query *q, size_t n);

void zgc_init(const struct hotspot *h, bool generational, struct zgc *z);
/*
 * Offset in the heap of the object that was at this offset before the generations in `stale` (bits) moved
 * objects. *sure: false when that could not be found out; then the offset is as it was.
 */
uint64_t zgc_remap(const struct hotspot *h, const struct zgc *z, struct zgc_cache *cache, uint64_t offset,
		   unsigned stale, bool *sure);

#endif
