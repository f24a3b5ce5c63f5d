/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where the handles of a running HotSpot lie: the blocks of its global and weak tables, and the local
 * references of its threads. Read while the VM goes on: a snapshot is near the truth, never exact
 * unless the VM is at rest.
 */
#ifndef JNITRACE_HOTSPOT_BLOCKS_H
#define JNITRACE_HOTSPOT_BLOCKS_H

#include "model/census.h"
#include "runtime/hotspot/hotspot.h"

#define HANDLES_PER_BLOCK_MAX 64
struct handle_block {
	uint64_t addr;   /* of the first slot; slots are 8 bytes each */
	uint64_t in_use; /* bit per slot */
};
struct handle_blocks {
	struct handle_block *v;
	size_t n, cap;
	uint64_t slots;  /* room of all blocks */
	uint64_t in_use; /* bits set in all blocks */
	bool stable;     /* no block was moved or taken away while they were read: none is missing */
};
/*
 * The blocks of one table; the caller frees out->v. -EAGAIN: not proven yet where they are (call
 * hotspot_counts first), or they changed faster than they could be read.
 */
int hotspot_handle_blocks(struct hotspot *h, enum vm_table table, struct handle_blocks *out);

struct vm_thread {
	uint64_t addr; /* of the JavaThread */
	pid_t tid;     /* 0: unreadable */
	/*
	 * Local references of the thread's innermost native frames, up to the last call from native code
	 * into Java; -1: unreadable. Of frames further out they are not found.
	 */
	int64_t local_refs;
	int native_attached; /* attached by native code: 0, 1; -1: unknown */
};
struct vm_threads {
	struct vm_thread *v;
	size_t n, cap;
};
/* All threads known to the VM; the caller frees out->v. -EPROTO: the layout could not be proven. */
int hotspot_threads(struct hotspot *h, struct vm_threads *out);

/*
 * Scattered reads: n pieces of `bytes` each, into dst one behind the other. ok[i] tells of each whether
 * it could be read. 0, or -ESRCH when the process is gone.
 */
int hotspot_scatter(const struct hotspot *h, const uint64_t *addr, size_t n, size_t bytes, void *dst,
		    bool *ok);
/* The same for single words; neighbours, as the slots of a block are, are read in one piece. */
int hotspot_read_words(const struct hotspot *h, const uint64_t *addr, size_t n, uint64_t *dst, bool *ok);

#endif
