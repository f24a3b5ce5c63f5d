/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * JavaVMExt has an IndirectReferenceTable of global references and one of weak ones. Up to Android 13 such a
 * table is { segment state (the number of entries), its memory, table, kind, room, holes }, from 14 on {
 * memory, table, kind, number of entries, room, holes }; an entry has 16 bytes up to 11 and 8 since (ART:
 * runtime/indirect_reference_table.h). None of that is taken from a version: 51,200, the room of both tables
 * in all of them (ART: runtime/jni/java_vm_ext.cc), stands at another place behind the kind; and what lies in
 * the table must be what the layout says: serial numbers that are possible, references that are aligned, an
 * entry that is in use at its end, and as many holes as the table has counted.
 */
#include "runtime/art/layout.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/art/jni.h"

#define JAVA_VM_BYTES  0x300
#define FIRST_OFFSET   0x10
#define PAGE_BYTES     4096
#define KIND_GLOBAL    2 /* ART: IndirectRefKind */
#define KIND_WEAK      3
#define KIND_BITS      3u
#define OLD_TOP        (-0x58) /* of the table's address */
#define OLD_MAX        0x10
#define OLD_HOLES      0x18
#define NEW_TOP        0x10
#define NEW_MAX        0x18
#define NEW_HOLES      0x20
#define IRT_WORDS      15 /* the old one's, which are more */
#define OBJECT_ALIGN   8
#define MAX_SERIAL     8 /* of an entry of 8 bytes */
#define MAX_OLD_SERIAL 3 /* of 16: it has room for so many references */
#define TRIES          4

static const unsigned kinds[NR_VM_TABLES] = {[VM_GLOBAL] = KIND_GLOBAL, [VM_WEAK] = KIND_WEAK};

/* --- what is in an entry --- */

static unsigned entry_refs(unsigned entry_bytes)
{
	return entry_bytes / 4 - 1;
}

/* false: it can be no entry. */
static bool decode(const uint32_t *entry, unsigned entry_bytes, uint32_t *ref)
{
	uint32_t serial = entry[0];

	if (serial >= (entry_bytes == 16 ? MAX_OLD_SERIAL : MAX_SERIAL))
		return false;
	*ref = entry[1 + (entry_refs(entry_bytes) > 1 ? serial : 0)];
	return *ref % OBJECT_ALIGN == 0;
}

/* --- a table's own words --- */

struct words {
	uint64_t table, top, holes;
};

/* All at once: they belong together, though the target may change them meanwhile. */
static int read_words(const struct art *a, const struct art_irt *t, struct words *out)
{
	uint64_t w[IRT_WORDS];
	uint16_t start = t->top < t->table ? t->top : t->table;
	int rc = proc_read(a->pid, a->java_vm + start, w, sizeof(w));

	if (rc)
		return rc == -EFAULT || rc == -EIO ? -EAGAIN : rc;
	out->table = w[(t->table - start) / 8];
	out->top =
	    (uint32_t)w[(t->top - start) / 8]; /* the old one's has 32 bits, which the new one's fits into */
	out->holes = w[(t->holes - start) / 8];
	return out->top > ART_TABLE_MAX || out->holes > out->top || out->table % PAGE_BYTES ? -EPROTO : 0;
}

/*
 * All entries. strict: if they are what the layout says, see above; else it has been proven before, and what
 * was read while it changed is good enough.
 */
static int read_as(const struct art *a, const struct art_irt *t, unsigned entry_bytes, bool strict,
		   struct art_entries *out)
{
	struct words before, after;
	uint32_t *raw;
	size_t holes = 0;
	int rc = read_words(a, t, &before);

	*out = (struct art_entries){0};
	if (rc)
		return rc;
	raw = malloc(before.top * entry_bytes + 1);
	out->ref = malloc(before.top * sizeof(*out->ref) + 1);
	rc = raw && out->ref ? proc_read(a->pid, before.table, raw, before.top * entry_bytes) : -ENOMEM;
	rc = rc ?: read_words(a, t, &after);
	if (rc == 0 && strict && memcmp(&before, &after, sizeof(before)))
		rc = -EAGAIN;
	for (size_t i = 0; i < before.top && rc == 0; i++) {
		if (!decode(raw + i * entry_bytes / 4, entry_bytes, &out->ref[i]))
			rc = -EPROTO;
		holes += !out->ref[i];
	}
	if (rc == 0 && strict && (holes != before.holes || (before.top && !out->ref[before.top - 1])))
		rc = -EPROTO;
	out->n = before.top;
	free(raw);
	if (rc) {
		free(out->ref);
		*out = (struct art_entries){0};
	}
	return rc == -EFAULT || rc == -EIO ? -EPROTO : rc;
}

/* --- proving it --- */

/* Where a table of this kind may be; more than one place in a hostile process: the first is tried. */
static bool find_irt(const uint64_t *w, size_t n, unsigned kind, struct art_irt *out)
{
	for (size_t i = FIRST_OFFSET / 8; i + NEW_HOLES / 8 < n; i++) {
		uint16_t at = (uint16_t)(i * 8);

		if (!w[i] || w[i] % PAGE_BYTES || (uint32_t)w[i + 1] != kind)
			continue;
		if (w[i + OLD_MAX / 8] == ART_TABLE_MAX && at + OLD_TOP > 0)
			*out = (struct art_irt){true, at, at + OLD_TOP, at + OLD_HOLES};
		else if (w[i + NEW_MAX / 8] == ART_TABLE_MAX)
			*out = (struct art_irt){true, at, at + NEW_TOP, at + NEW_HOLES};
		else
			continue;
		return true;
	}
	return false;
}

/* Does the process's table bear out that its entries have so many bytes? -EAGAIN: it has none. */
static int prove_entries(const struct art *a, const struct art_irt *t, unsigned entry_bytes)
{
	int rc = -EPROTO;

	for (int i = 0; i < TRIES && (rc == -EPROTO || rc == -EAGAIN); i++) {
		struct art_entries e;

		rc = read_as(a, t, entry_bytes, true, &e);
		if (rc == 0)
			rc = e.n ? 0 : -ENODATA;
		free(e.ref);
	}
	return rc == -ENODATA ? -EAGAIN : rc;
}

/*
 * Nothing in libart names its version. What tells: tables of local references of their own since Android 14;
 * entries of one reference since 13; functions for ids of methods that are indices since 11.
 */
static const char *version_of(const struct art *a)
{
	size_t plain = 0;

	for (size_t i = 0; i < a->tables.n; i++)
		plain += a->tables.plain[i];
	if (a->layout.local_entry_bytes != a->layout.entry_bytes)
		return "14 or later";
	if (a->layout.entry_bytes == 8)
		return "13";
	return plain > 1 ? "11 or 12" : "10 or earlier";
}

int art_prove_layout(struct art *a)
{
	static const unsigned sizes[] = {16, 8};
	struct art_layout l = {0};
	uint64_t w[JAVA_VM_BYTES / 8];
	bool undecided = false;
	int rc = art_prove_env(a);

	if (rc || a->layout.entry_bytes)
		return rc;
	rc = proc_read(a->pid, a->java_vm, w, sizeof(w));
	if (rc)
		return rc == -ESRCH ? rc : -EAGAIN;
	for (int t = 0; t < NR_VM_TABLES; t++)
		if (!find_irt(w, ARRAY_LEN(w), kinds[t], &l.of[t]))
			return -EPROTO;
	for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
		int proofs = 0;

		for (int t = 0; t < NR_VM_TABLES; t++) {
			rc = prove_entries(a, &l.of[t], sizes[s]);
			if (rc && rc != -EPROTO && rc != -EAGAIN)
				return rc;
			undecided |= rc == -EAGAIN;
			proofs = rc == 0 ? proofs + 1 : rc == -EPROTO ? -NR_VM_TABLES : proofs;
		}
		if (proofs <= 0)
			continue;
		if (l.entry_bytes)
			return -EAGAIN; /* so few that both are possible */
		l.entry_bytes = sizes[s];
	}
	if (!l.entry_bytes)
		return undecided ? -EAGAIN : -EPROTO;
	/* the table of old is the same for all kinds; with the new one came another for local references */
	l.local_entry_bytes = l.of[VM_GLOBAL].top < l.of[VM_GLOBAL].table ? l.entry_bytes : 4;
	a->layout = l;
	snprintf(a->version, sizeof(a->version), "%s", version_of(a));
	return 0;
}

/* --- reading it --- */

int art_read_entries(const struct art *a, enum vm_table table, struct art_entries *out)
{
	int rc = a->layout.entry_bytes ? -EPROTO : -EAGAIN;

	for (int i = 0; i < TRIES && rc == -EPROTO; i++)
		rc = read_as(a, &a->layout.of[table], a->layout.entry_bytes, false, out);
	return rc == -EPROTO ? -EAGAIN : rc;
}

int art_count(const struct art *a, enum vm_table table, struct art_count *out)
{
	struct words w;
	int rc = a->layout.entry_bytes ? read_words(a, &a->layout.of[table], &w) : -EAGAIN;

	if (rc)
		return rc == -EPROTO ? -EAGAIN : rc;
	*out = (struct art_count){w.top - w.holes, w.top};
	return 0;
}

uint64_t art_slot(enum vm_table table, size_t index)
{
	return (uint64_t)kinds[table] << ART_SLOT_TABLE | index * VM_SLOT_BYTES;
}

/* A handle is { index, serial number, kind }: 2 bits of the serial number or 3, as an entry has room for. */
static unsigned serial_bits(const struct art *a)
{
	return a->layout.entry_bytes == 16 ? 2 : 3;
}

/*
 * A JNIEnv's table of local references: behind functions, self_, vm_ and a cookie (ART:
 * runtime/jni/jni_env_ext.h). The one of old is as those of global ones; of the new one:
 * books/indirect.bpf.h.
 */
#define ENV_LOCALS 0x20

void art_plan_entries(const struct art *a, struct thread_config *out)
{
	struct words w;

	for (int t = 0; t < NR_VM_TABLES; t++) {
		if (read_words(a, &a->layout.of[t], &w))
			continue;
		out->entries[t] = w.table;
		out->tops[t] = a->java_vm + a->layout.of[t].top;
	}
	out->entry_bytes = (u8)a->layout.entry_bytes;
	out->serial_bits = (u8)serial_bits(a);
	out->local_top = ENV_LOCALS;
	if (a->layout.local_entry_bytes == a->layout.entry_bytes)
		out->local_entries = ENV_LOCALS - OLD_TOP;
}

uint64_t art_slot_of(const struct art *a, uint64_t handle)
{
	return (handle & KIND_BITS) << ART_SLOT_TABLE | (handle >> (2 + serial_bits(a))) * VM_SLOT_BYTES;
}

static int read_window(const struct art *a, enum vm_table t, size_t first, struct art_window *out)
{
	uint32_t raw[ART_WINDOW * 4];
	unsigned bytes = a->layout.entry_bytes;
	struct words w;
	int rc = bytes ? read_words(a, &a->layout.of[t], &w) : -EAGAIN;

	*out = (struct art_window){.first = art_slot(t, first)};
	if (rc || first >= w.top)
		return rc;
	out->n = w.top - first < ART_WINDOW ? w.top - first : ART_WINDOW;
	rc = proc_read(a->pid, w.table + first * bytes, raw, out->n * bytes);
	for (size_t i = 0; i < out->n && rc == 0; i++)
		rc = decode(raw + i * bytes / 4, bytes, &out->ref[i]) ? 0 : -EPROTO;
	if (rc)
		out->first = 0;
	return rc;
}

int art_read_slot(const struct art *a, uint64_t slot, struct art_window *w, uint32_t *ref)
{
	uint64_t index = (slot & ((1ull << ART_SLOT_TABLE) - 1)) / VM_SLOT_BYTES;
	unsigned kind = (unsigned)(slot >> ART_SLOT_TABLE);
	enum vm_table t = kind == KIND_WEAK ? VM_WEAK : VM_GLOBAL;
	size_t first = index - index % ART_WINDOW;
	int rc = 0;

	*ref = 0;
	if (kind != kinds[t])
		return -EPROTO;
	if (w->first != art_slot(t, first))
		rc = read_window(a, t, first, w);
	if (rc == 0 && index - first < w->n)
		*ref = w->ref[index - first];
	return rc;
}
