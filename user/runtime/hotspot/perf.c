/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The VM's performance counters, which it keeps in memory for jstat unless it runs with -XX:-UsePerfData
 * (JDK: runtime/perfMemory.hpp): a prologue, then entries of different length, each with its name and its
 * value.
 */
#include "runtime/hotspot/perf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PERF_MAGIC     0xc0c0feca /* 0xcafec0c0, always big-endian */
#define PERF_MAJOR     2
#define MAX_PERF_BYTES (16u << 20) /* 32 KB, unless -XX:PerfDataMemorySize says otherwise */
#define LITTLE_ENDIAN_ 1
#define TYPE_LONG      'J'

struct perf_prologue {
	uint32_t magic;
	uint8_t byte_order, major, minor, accessible;
	uint32_t used, overflow;
	uint64_t modified;
	uint32_t entry_offset, nr_entries;
};
struct perf_entry {
	uint32_t bytes, name, vector_length; /* name: offset of it; 0: a single value */
	uint8_t type, flags, units, variability;
	uint32_t data; /* offset of the value */
};
_Static_assert(sizeof(struct perf_prologue) == 32 && sizeof(struct perf_entry) == 20, "as in the VM");

/* The offset of the value of the counter of this name; 0: there is none that fits. */
static uint32_t find_counter(const uint8_t *v, size_t n, const char *name)
{
	const struct perf_prologue *p = (const void *)v;
	size_t at = p->entry_offset, name_bytes = strlen(name) + 1;
	struct perf_entry e;

	for (uint32_t i = 0; i < p->nr_entries && at <= n && n - at >= sizeof(e); i++, at += e.bytes) {
		memcpy(&e, v + at, sizeof(e));
		if (e.bytes < sizeof(e) || e.bytes > n - at)
			return 0;
		if (e.name > e.bytes || e.bytes - e.name < name_bytes ||
		    memcmp(v + at + e.name, name, name_bytes))
			continue;
		if (e.type != TYPE_LONG || e.vector_length || e.data > e.bytes - sizeof(uint64_t) ||
		    (at + e.data) % sizeof(uint64_t))
			return 0;
		return (uint32_t)(at + e.data);
	}
	return 0;
}

uint64_t hotspot_perf_counter(const struct hotspot *h, const char *name)
{
	struct perf_prologue p;
	uint64_t start;
	uint32_t at = 0;
	uint8_t *v;

	if (!hotspot_read_static(h, "PerfMemory", "_start", &start) || !start || start % sizeof(uint64_t) ||
	    proc_read(h->pid, start, &p, sizeof(p)) || p.magic != PERF_MAGIC ||
	    p.byte_order != LITTLE_ENDIAN_ || p.major != PERF_MAJOR || p.used < sizeof(p) ||
	    p.used > MAX_PERF_BYTES || p.entry_offset < sizeof(p))
		return 0;
	v = malloc(p.used);
	if (v && !proc_read(h->pid, start, v, p.used))
		at = find_counter(v, p.used, name);
	free(v);
	return at ? start + at : 0;
}

void hotspot_collectors(const struct hotspot *h, uint64_t at[HOTSPOT_COLLECTORS])
{
	size_t n = 0;
	char name[64];

	memset(at, 0, HOTSPOT_COLLECTORS * sizeof(*at));
	for (int i = 1; i < HOTSPOT_COLLECTORS; i++) {
		snprintf(name, sizeof(name), "sun.gc.collector.%d.invocations", i);
		at[n] = hotspot_perf_counter(h, name);
		n += at[n] != 0;
	}
	if (n == 0)
		at[0] = hotspot_perf_counter(h, "sun.gc.collector.0.invocations");
}
