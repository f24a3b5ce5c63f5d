/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Handles that are no addresses but { number of an entry, serial number, kind } (Android:
 * runtime/indirect_reference_table.h). An entry's serial number is another one each time that it is used, and
 * its reference is null as long as it is not. So the table itself proves that a handle is dead, whoever has
 * deleted it: its entry is free, or has another serial number, or lies beyond the last one. (A serial number
 * comes again after 3 times, or 8: then nothing tells a dead handle from one that lives.)
 *
 * Since Android 14 handles of local references are addresses of entries of 4 bytes, in one of the tables of
 * their JNIEnv; one that is free has some of its lowest 3 bits set (runtime/jni/local_reference_table.h).
 */
#ifndef JNITRACE_INDIRECT_BPF_H
#define JNITRACE_INDIRECT_BPF_H

#include "books/handles.bpf.h"

#define INDIRECT_KIND_BITS 3
#define INDIRECT_LOCAL     1
#define INDIRECT_GLOBAL    2
#define WIDE_ENTRY_BYTES   16
#define LOCAL_ENTRY_BYTES  4
#define LOCAL_FREE_BITS    7
#define LOCAL_TABLES_MAX   20

enum slot { SLOT_UNKNOWN, SLOT_OBJECT, SLOT_NULL, SLOT_DELETED };

static __always_inline bool is_indirect(u32 target_id)
{
	const struct thread_config *c =
	    indirect_refs ? bpf_map_lookup_elem(&thread_configs, &target_id) : NULL;

	return c && c->entry_bytes;
}

/* LocalReferenceTable: entries and room; the list of free ones; the first table while it is alone; all
 * tables. */
struct local_tables {
	u32 top, room;
	u64 free, first, begin, end;
};

/* Is a handle that is the address of an entry of env's in use? A global function: verified once. */
__noinline int local_slot(u32 target_id, u64 env, u64 handle)
{
	const struct thread_config *c = bpf_map_lookup_elem(&thread_configs, &target_id);
	u64 addr = handle & ~(u64)INDIRECT_KIND_BITS, at, table;
	struct local_tables t;
	u32 ref = 0, n, room, before = 0;

	if (!c || !env || addr % LOCAL_ENTRY_BYTES ||
	    bpf_probe_read_user(&t, sizeof(t), (void *)(env + c->local_top)))
		return SLOT_UNKNOWN;
	n = (t.end - t.begin) / 8;
	if (n > LOCAL_TABLES_MAX)
		return SLOT_UNKNOWN;
	/* the first two are equal, each other is as large as all before it */
	room = t.room >> (n ? n - 1 : 0);
	for (u32 i = 0; i < LOCAL_TABLES_MAX; i++) {
		if (i > 0 && i >= n)
			return SLOT_UNKNOWN;
		table = t.first;
		if (n && bpf_probe_read_user(&table, sizeof(table), (void *)(t.begin + 8ULL * i)))
			return SLOT_UNKNOWN;
		at = (addr - table) / LOCAL_ENTRY_BYTES;
		if (i > 1)
			room *= 2;
		if (addr >= table && at < room)
			break;
		before += room;
	}
	if (before + at >= t.top)
		return SLOT_DELETED;
	if (bpf_probe_read_user(&ref, sizeof(ref), (void *)addr))
		return SLOT_UNKNOWN;
	return ref && !(ref & LOCAL_FREE_BITS) ? SLOT_OBJECT : SLOT_DELETED;
}

/* env: whose table is meant, of a local reference; 0: it is not known. A global function: verified once. */
__noinline int indirect_slot(u32 target_id, u64 env, u64 handle)
{
	const struct thread_config *c = bpf_map_lookup_elem(&thread_configs, &target_id);
	u32 kind = handle & INDIRECT_KIND_BITS, top = 0, now = 0, ref = 0, serial;
	u64 table = 0, top_at, number, at;

	if (!c || !kind)
		return SLOT_UNKNOWN;
	if (kind == INDIRECT_LOCAL && !c->local_entries)
		return local_slot(target_id, env, handle);
	serial = (u32)handle >> 2 & ((1U << (c->serial_bits & 7)) - 1);
	number = handle >> (2 + (c->serial_bits & 7));
	if (kind == INDIRECT_LOCAL) {
		top_at = env + c->local_top;
		if (!env || bpf_probe_read_user(&table, sizeof(table), (void *)(env + c->local_entries)))
			return SLOT_UNKNOWN;
	} else {
		table = kind == INDIRECT_GLOBAL ? c->entries[0] : c->entries[1];
		top_at = kind == INDIRECT_GLOBAL ? c->tops[0] : c->tops[1];
	}
	if (!table || bpf_probe_read_user(&top, sizeof(top), (void *)top_at))
		return SLOT_UNKNOWN;
	if (number >= top)
		return SLOT_DELETED;
	at = table + number * c->entry_bytes;
	if (bpf_probe_read_user(&now, sizeof(now), (void *)at))
		return SLOT_UNKNOWN;
	at += c->entry_bytes == WIDE_ENTRY_BYTES ? 4 + now % 3 * 4 : 4; /* it has room for three references */
	if (bpf_probe_read_user(&ref, sizeof(ref), (void *)at))
		return SLOT_UNKNOWN;
	return now == serial && ref ? SLOT_OBJECT : SLOT_DELETED;
}

#endif
