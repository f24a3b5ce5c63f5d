/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* ZGC's forwarding tables. See hotspot_zgc.h. */
#include "hotspot_zgc.h"

#include <stdlib.h>
#include <string.h>

#include "hotspot_priv.h"

#define MAX_HEAP_BYTES      65536 /* of the ZHeap object */
#define VIRTUAL_TO_PHYSICAL 16    /* ZVirtualToPhysicalRatio (JDK: gc/z/zGlobals.hpp) */
#define MAX_ENTRIES         (1u << 20)
#define PROBE_ENTRIES       8 /* read at a time */
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

/* The forwarding of a granule; 0: there is none. false: unreadable. */
static bool find_forwarding(const struct hotspot *h, const struct zgc *z, struct zgc_cache *cache,
			    int generation, uint64_t granule, uint64_t *forwarding)
{
	size_t i = granule % ZGC_CACHE;

	if (z->granules && granule >= z->granules)
		return false;
	if (cache->v[generation][i].granule != granule + 1) {
		if (proc_read(h->pid, z->map[generation] + granule * 8, forwarding, 8) < 0)
			return false;
		cache->v[generation][i].granule = granule + 1;
		cache->v[generation][i].forwarding = *forwarding;
	}
	*forwarding = cache->v[generation][i].forwarding;
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

/*
 * ZForwardingEntry (JDK: gc/z/zForwardingEntry.hpp): bit 0 populated, 1 to 45 the new offset, 46 to 63 the
 * index in the old page. Open addressing, linear probing.
 */
static bool find_entry(const struct hotspot *h, uint64_t entries, uint64_t length, uint64_t from_index,
		       uint64_t *to_offset)
{
	uint64_t at = hash((uint32_t)from_index) & (length - 1), entry[PROBE_ENTRIES];

	for (int probes = 0; probes < MAX_PROBES; probes += PROBE_ENTRIES) {
		uint64_t n = length - at < PROBE_ENTRIES ? length - at : PROBE_ENTRIES;

		if (proc_read(h->pid, entries + at * 8, entry, n * 8) < 0)
			return false;
		for (uint64_t i = 0; i < n; i++) {
			if (!(entry[i] & 1))
				return false;
			if (entry[i] >> 46 == from_index) {
				*to_offset = entry[i] >> 1 & ((1ULL << 45) - 1);
				return true;
			}
		}
		at = (at + n) & (length - 1);
	}
	return false;
}

/* true: moved, to *to. *sure: false when it was to be moved and nothing says whether it was. */
static bool remap_in(const struct hotspot *h, const struct zgc *z, struct zgc_cache *cache, int generation,
		     uint64_t offset, uint64_t *to, bool *sure)
{
	uint64_t forwarding, header[HEADER_MAX_BYTES / 8], start, shift, length;

	if (!find_forwarding(h, z, cache, generation, offset >> z->granule_shift, &forwarding)) {
		*sure = false;
		return false;
	}
	if (forwarding == 0)
		return false;
	*sure = false;
	if (forwarding % 8 || proc_read(h->pid, forwarding, header, sizeof(header)) < 0)
		return false;
	start = header[z->start / 8];
	shift = header[z->alignment_shift / 8];
	length = header[z->length / 8];
	if (offset < start || shift < 3 || shift > 30 || length == 0 || length > MAX_ENTRIES ||
	    (length & (length - 1)))
		return false;
	if (!find_entry(h, forwarding + z->entries, length, (offset - start) >> shift, to))
		return false;
	*sure = true;
	return true;
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
