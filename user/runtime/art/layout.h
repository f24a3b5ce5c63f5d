/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* ART's tables of global and weak references: where they are, and what is in them. */
#ifndef JNITRACE_ART_LAYOUT_H
#define JNITRACE_ART_LAYOUT_H

#include "runtime/art/art.h"

/*
 * Find the tables of a->java_vm and prove their layout. -EAGAIN: a table was just being changed, or is still
 * empty, so that nothing proves anything; -EPROTO: this is no layout that is known.
 */
int art_prove_layout(struct art *a);

/* What was in a table at one moment: a reference per entry, 0 where there is none. */
struct art_entries {
	uint32_t *ref;
	size_t n; /* entries up to the last one in use */
};
/* The caller frees out->ref. 0, -EAGAIN or -errno. */
int art_read_entries(const struct art *a, enum vm_table table, struct art_entries *out);
struct art_count {
	uint64_t live;
	uint64_t entries; /* holes too: what ART itself calls the number, in "globals=N" of its dumps */
};
int art_count(const struct art *a, enum vm_table table, struct art_count *out);
/* Entries are read some at a time: who asks for slots in order finds most of them read. */
#define ART_WINDOW 64
struct art_window {     /* start zeroed */
	uint64_t first; /* slot of the first entry; 0: nothing was read */
	size_t n;
	uint32_t ref[ART_WINDOW];
};
/* One entry, by its slot. *ref: 0 when it is not in use. */
int art_read_slot(const struct art *a, uint64_t slot, struct art_window *w, uint32_t *ref);

/* What the probes must know of the tables, once their layout is proven. */
void art_plan_entries(const struct art *a, struct thread_config *out);

/* The slot of a handle: its table in the bits above ART_SLOT_TABLE, its index times VM_SLOT_BYTES. */
#define ART_SLOT_TABLE 40
#define ART_TABLE_MAX  51200 /* entries that a table has room for */
uint64_t art_slot_of(const struct art *a, uint64_t handle);
uint64_t art_slot(enum vm_table table, size_t index);

#endif
