/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The VM's threads and their local references. */
#ifndef JNITRACE_HOTSPOT_THREADS_H
#define JNITRACE_HOTSPOT_THREADS_H

#include "bpf/border/shared.h"
#include "runtime/hotspot/hotspot.h"

/* Where a thread has what belongs to its local references; offsets in bytes. */
struct thread_layout {
	uint64_t thread_bytes, osthread, handles; /* in JavaThread */
	uint64_t tid;                             /* in OSThread */
	uint64_t block_bytes, slots, top, next;   /* of JNIHandleBlock */
	uint64_t deleted;                         /* JDK 8: what a deleted handle holds */
};
bool hotspot_thread_layout(const struct hotspot *h, struct thread_layout *l);
/* Offset of a field of JavaThread or of its base class. */
bool hotspot_thread_field(const struct hotspot *h, const char *field, uint64_t *offset);
/* Where the VM keeps its JavaThreads, in one of two ways. false: not known. */
bool hotspot_list_at(const struct hotspot *h, struct java_thread_list *out);
/* The addresses of all JavaThreads, nothing else of them; the caller frees out->v. */
int hotspot_thread_list(const struct hotspot *h, struct vm_threads *out);
/* Offset of JavaThread::_jni_attach_state; 0: it could not be proven (yet). */
uint32_t hotspot_attach_state(struct hotspot *h, const struct thread_layout *l);
/* All threads known to the VM; the caller frees out->v. -EPROTO: the layout could not be proven. */
int hotspot_threads(struct hotspot *h, struct vm_threads *out);
/*
 * The thread with most of them: two reads for all threads, and one for each block of those whose first block
 * is full or that pushed frames, PILE_BLOCKS in all. -EPROTO likewise.
 */
#define PILE_BLOCKS (1u << 13) /* 262,144 references: some milliseconds */
int hotspot_pile(struct hotspot *h, struct vm_pile *out);

#endif
