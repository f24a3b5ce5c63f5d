/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* ZGC's forwarding tables. See zgc.h. */
#include "runtime/hotspot/zgc.h"

#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "proc/foreign.h"

#define MAX_HEAP_BYTES      65536 /* of the ZHeap object */
#define VIRTUAL_TO_PHYSICAL 16    /* ZVirtualToPhysicalRatio (JDK: gc/z/zGlobals.hpp) */
#define MAX_ENTRIES         (1u << 20)
#define PIECE_PROBES        8
#define PREFETCH            512 /* pieces read by one call */
#define MAX_PROBES          4096
#define HEADER_MAX_BYTES    256

/* The names begin with Z, or in JDK 21 to 23 with X for the ZGC without generations. */
static bool named_offset(const struct hotspot *h, char prefix, const char *type, const char *field,
			 uint64_t *out)
{
	char name[64], field_name[64];

	snprintf(name, sizeof(name), "%c%s", prefix, type);
	snprintf(field_name, sizeof(field_name), field, prefix);
	return hotspot_field_offset(h, name, field_name, out) && *out < MAX_HEAP_BYTES;
}

static bool find_heap(const struct hotspot *h, char prefix, uint64_t *heap)
{
	uint64_t collected, offset;

	if (!hotspot_read_static(h, "Universe", "_collectedHeap", &collected) || collected == 0 ||
	    !named_offset(h, prefix, "CollectedHeap", "_heap", &offset))
		return false;
	*heap = collected + offset;
	return true;
}

static bool forwarding_layout(const struct hotspot *h, char prefix, struct zgc *z)
{
	char type[64], constant[64];
	uint64_t virtual, start, entries, length, size;
	int64_t shift;

	snprintf(type, sizeof(type), "%cForwarding", prefix);
	snprintf(constant, sizeof(constant), "%cGranuleSizeShift", prefix);
	if (!named_offset(h, prefix, "Forwarding", "_virtual", &virtual) ||
	    !named_offset(h, prefix, "VirtualMemory", "_start", &start) ||
	    !named_offset(h, prefix, "Forwarding", "_object_alignment_shift", &z->alignment_shift) ||
	    !named_offset(h, prefix, "Forwarding", "_entries", &entries) ||
	    !named_offset(h, prefix, "AttachedArrayForForwarding", "_length", &length) ||
	    !hotspot_type_size(h, type, &size) || !hotspot_constant(h, constant, &shift))
		return false;
	z->start = virtual + start;
	z->length = entries + length;
	z->entries = (size + 7) & ~7ULL; /* the array is behind the object */
	z->granule_shift = (uint64_t)shift;
	return shift >= 16 && shift < 40 && z->start + 8 <= HEADER_MAX_BYTES &&
	       z->length + 8 <= HEADER_MAX_BYTES && z->alignment_shift + 8 <= HEADER_MAX_BYTES &&
	       size <= 4096;
}

/* Without generations the one table is named. */
static bool find_single(const struct hotspot *h, char prefix, uint64_t heap, struct zgc *z)
{
	uint64_t table, map, array;

	if (!named_offset(h, prefix, "Heap", "_forwarding_table", &table) ||
	    !named_offset(h, prefix, "ForwardingTable", "_map", &map) ||
	    !named_offset(h, prefix, "GranuleMapForForwarding", "_map", &array))
		return false;
	return proc_read(h->pid, heap + table + map + array, &z->map[0], 8) == 0 && z->map[0];
}

/* Sizes and places that may be those of a map by granule. */
#define MAX_CANDIDATES 16
struct candidates {
	uint64_t granules[MAX_CANDIDATES], map[MAX_CANDIDATES];
	size_t n;
};

/* The two of one size, if there is one such pair: other words of ZHeap may look like a size for a while. */
static bool take_pair(const struct candidates *c, struct zgc *z)
{
	size_t pairs = 0;

	for (size_t i = 0; i < c->n; i++) {
		size_t same = 0, other = i;

		for (size_t k = 0; k < c->n; k++)
			if (k != i && c->granules[k] == c->granules[i]) {
				other = k;
				same++;
			}
		if (same != 1 || other < i)
			continue;
		z->granules = c->granules[i];
		z->map[ZGC_OLD] = c->map[i]; /* in this order: see below */
		z->map[ZGC_YOUNG] = c->map[other];
		pairs++;
	}
	return pairs == 1 && z->granules > 0;
}

/* Is there memory for so many entries? */
static bool is_map(const struct hotspot *h, uint64_t granules, uint64_t map)
{
	uint64_t entry;

	return map >= 4096 && map % 8 == 0 && proc_read(h->pid, map, &entry, sizeof(entry)) == 0 &&
	       proc_read(h->pid, map + (granules - 1) * 8, &entry, sizeof(entry)) == 0;
}

/*
 * With generations they are not named. ZHeap holds _old and _young, in this order, behind its page table
 * (JDK: gc/z/zHeap.hpp); a map by granule has as many entries as the heap can have granules: 16 times its
 * memory (ZVirtualToPhysicalRatio), or else not less than half of the page table's, which is named and rounds
 * up to a power of two. Exactly two such maps of one size must be there.
 */
static bool find_generations(const struct hotspot *h, uint64_t heap, struct zgc *z)
{
	uint64_t table, map, array, allocator, capacity, bytes, most = 0, *word;
	struct candidates c = {0};
	size_t first;

	if (!named_offset(h, 'Z', "Heap", "_page_table", &table) ||
	    !named_offset(h, 'Z', "PageTable", "_map", &map) ||
	    !named_offset(h, 'Z', "GranuleMapForPageTable", "_map", &array) || array != 8 ||
	    !hotspot_type_size(h, "ZHeap", &bytes) || bytes > MAX_HEAP_BYTES || bytes % 8)
		return false;
	first = (table + map) / 8;
	word = malloc(bytes);
	if (!word || proc_read(h->pid, heap, word, bytes) < 0 || first + 2 > bytes / 8) {
		free(word);
		return false;
	}
	if (named_offset(h, 'Z', "Heap", "_page_allocator", &allocator) &&
	    named_offset(h, 'Z', "PageAllocator", "_max_capacity", &capacity) &&
	    allocator + capacity + 8 <= bytes && (allocator + capacity) % 8 == 0)
		most = word[(allocator + capacity) / 8] * VIRTUAL_TO_PHYSICAL >> z->granule_shift;
	for (size_t i = first + 2; i + 1 < bytes / 8 && c.n < MAX_CANDIDATES; i++) {
		if (!word[i] || word[i] > word[first] || (word[i] <= word[first] / 2 && word[i] != most) ||
		    !is_map(h, word[i], word[i + 1]))
			continue;
		c.granules[c.n] = word[i];
		c.map[c.n++] = word[i + 1];
	}
	free(word);
	return take_pair(&c, z);
}

void zgc_init(const struct hotspot *h, bool generational, struct zgc *z)
{
	static const char prefixes[] = {'X', 'Z'};
	uint64_t heap;

	memset(z, 0, sizeof(*z));
	z->generational = generational;
	for (size_t i = generational ? 1 : 0; i < ARRAY_LEN(prefixes) && !z->known; i++)
		z->known =
		    find_heap(h, prefixes[i], &heap) && forwarding_layout(h, prefixes[i], z) &&
		    (generational ? find_generations(h, heap, z) : find_single(h, prefixes[i], heap, z));
}

/* The forwarding of a granule. false: unreadable. */
static bool find_forwarding(const struct hotspot *h, const struct zgc *z, struct zgc_cache *cache,
			    int generation, uint64_t granule, const struct zgc_forwarding **out)
{
	__typeof__(&cache->v[0][0]) known = &cache->v[generation][granule % ZGC_CACHE];
	struct zgc_forwarding *f = &known->forwarding;
	uint64_t header[HEADER_MAX_BYTES / 8];

	*out = f;
	if (known->granule == granule + 1)
		return true;
	if (z->granules && granule >= z->granules)
		return false;
	memset(f, 0, sizeof(*f));
	if (proc_read(h->pid, z->map[generation] + granule * 8, &f->addr, sizeof(f->addr)) < 0)
		return false;
	known->granule = granule + 1;
	if (f->addr == 0 || f->addr % 8 || proc_read(h->pid, f->addr, header, sizeof(header)) < 0)
		return true;
	f->start = header[z->start / 8];
	f->shift = header[z->alignment_shift / 8];
	f->length = header[z->length / 8];
	f->sane = f->shift >= 3 && f->shift <= 30 && f->length > 0 && f->length <= MAX_ENTRIES &&
		  (f->length & (f->length - 1)) == 0;
	return true;
}

/* ZHash::uint32_to_uint32 (JDK: gc/z/zHash.inline.hpp) */
static uint32_t hash(uint32_t key)
{
	key = ~key + (key << 15);
	key = key ^ (key >> 12);
	key = key + (key << 2);
	key = key ^ (key >> 4);
	key = key * 2057;
	return key ^ (key >> 16);
}

/* Where the search for the object begins in the table. */
static uint64_t first_entry(const struct zgc_forwarding *f, uint64_t offset)
{
	return hash((uint32_t)((offset - f->start) >> f->shift)) & (f->length - 1);
}

/* Entries from number at on, as many as a piece has or the table still has. */
static uint64_t piece_length(const struct zgc_forwarding *f, uint64_t at)
{
	return f->length - at < ZGC_PIECE_ENTRIES ? f->length - at : ZGC_PIECE_ENTRIES;
}

/* The piece at this address, or a free place for it, or NULL. */
static struct zgc_piece *piece_of(struct zgc_pieces *pieces, uint64_t addr)
{
	uint64_t at = mix64(addr);

	for (int i = 0; i < PIECE_PROBES; i++) {
		struct zgc_piece *p = &pieces->v[(at + i) % ZGC_PIECES];

		if (p->addr == addr || p->addr == 0)
			return p;
	}
	return NULL;
}

static bool read_piece(const struct hotspot *h, const struct zgc_cache *cache, uint64_t addr, uint64_t n,
		       uint64_t *entry)
{
	const struct zgc_piece *p = cache->pieces ? piece_of(cache->pieces, addr) : NULL;

	if (p && p->addr == addr) {
		memcpy(entry, p->entry, n * 8);
		return true;
	}
	return proc_read(h->pid, addr, entry, n * 8) == 0;
}

/*
 * ZForwardingEntry (JDK: gc/z/zForwardingEntry.hpp): bit 0 populated, 1 to 45 the new offset, 46 to 63 the
 * index in the old page. Open addressing, linear probing.
 */
static bool find_entry(const struct hotspot *h, const struct zgc *z, const struct zgc_cache *cache,
		       const struct zgc_forwarding *f, uint64_t offset, uint64_t *to_offset)
{
	uint64_t at = first_entry(f, offset), from_index = (offset - f->start) >> f->shift;
	uint64_t entry[ZGC_PIECE_ENTRIES];

	for (int probes = 0; probes < MAX_PROBES; probes += ZGC_PIECE_ENTRIES) {
		uint64_t n = piece_length(f, at);

		if (!read_piece(h, cache, f->addr + z->entries + at * 8, n, entry))
			return false;
		for (uint64_t i = 0; i < n; i++) {
			if (!(entry[i] & 1))
				return false;
			if (entry[i] >> 46 == from_index) {
				*to_offset = entry[i] >> 1 & ((1ULL << 45) - 1);
				return true;
			}
		}
		at = (at + n) & (f->length - 1);
	}
	return false;
}

/* All of them, or those that could not be read are forgotten. */
static void read_pieces(const struct hotspot *h, struct zgc_pieces *pieces, const struct iovec *from,
			const struct iovec *to, size_t n)
{
	size_t bytes = 0;

	for (size_t i = 0; i < n; i++)
		bytes += from[i].iov_len;
	if (foreign_memory(h->pid, to, n, from, n) != (ssize_t)bytes)
		memset(pieces, 0, sizeof(*pieces));
}

void zgc_prefetch(const struct hotspot *h, const struct zgc *z, struct zgc_cache *cache,
		  struct zgc_pieces *pieces, const struct zgc_query *q, size_t n)
{
	struct iovec from[PREFETCH], to[PREFETCH];
	size_t pending = 0;

	memset(pieces, 0, sizeof(*pieces));
	cache->pieces = pieces;
	for (size_t i = 0; i < n * ZGC_GENERATIONS && z->known; i++) {
		uint64_t offset = q[i / ZGC_GENERATIONS].offset, at, addr;
		const struct zgc_forwarding *f;
		struct zgc_piece *p;

		if (!(q[i / ZGC_GENERATIONS].stale & 1u << i % ZGC_GENERATIONS) ||
		    !find_forwarding(h, z, cache, i % ZGC_GENERATIONS, offset >> z->granule_shift, &f) ||
		    !f->sane || offset < f->start)
			continue;
		at = first_entry(f, offset);
		addr = f->addr + z->entries + at * 8;
		p = piece_of(pieces, addr);
		if (!p || p->addr)
			continue;
		p->addr = addr;
		from[pending] = (struct iovec){(void *)(uintptr_t)addr, piece_length(f, at) * 8};
		to[pending++] = (struct iovec){p->entry, piece_length(f, at) * 8};
		if (pending < PREFETCH)
			continue;
		read_pieces(h, pieces, from, to, pending);
		pending = 0;
	}
	if (pending)
		read_pieces(h, pieces, from, to, pending);
}

/* true: moved, to *to. *sure: false when it was to be moved and nothing says whether it was. */
static bool remap_in(const struct hotspot *h, const struct zgc *z, struct zgc_cache *cache, int generation,
		     uint64_t offset, uint64_t *to, bool *sure)
{
	const struct zgc_forwarding *f;

	if (!find_forwarding(h, z, cache, generation, offset >> z->granule_shift, &f)) {
		*sure = false;
		return false;
	}
	if (f->addr == 0)
		return false;
	*sure = f->sane && offset >= f->start && find_entry(h, z, cache, f, offset, to);
	return *sure;
}

uint64_t zgc_remap(const struct hotspot *h, const struct zgc *z, struct zgc_cache *cache, uint64_t offset,
		   unsigned stale, bool *sure)
{
	__typeof__(&cache->moved[0]) known = &cache->moved[mix64(offset) % ZGC_CACHE_MOVED];
	int last = z->generational ? ZGC_GENERATIONS : 1;

	if (known->offset != offset + 1 || known->stale != stale) {
		known->offset = offset + 1;
		known->stale = stale;
		known->now = offset;
		known->sure = z->known;
		for (int g = 0; g < last && z->known; g++)
			if ((stale & 1u << g) && remap_in(h, z, cache, g, offset, &known->now, &known->sure))
				break;
	}
	*sure = known->sure;
	return known->now;
}
