/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which local references of a running HotSpot are alive: the slots in use of all its threads, those of native
 * frames further out included. Nothing tells when a native method returns and its references die; the tables
 * do.
 */
#ifndef JNITRACE_HOTSPOT_LOCALS_H
#define JNITRACE_HOTSPOT_LOCALS_H

#include "bpf/border/threads.h"
#include "runtime/hotspot/hotspot.h"

enum local_state {
	LOCAL_DEAD,
	LOCAL_LIVE,
	LOCAL_UNKNOWN, /* its thread runs Java code just now: what frames further out hold is not known */
};
struct local_block {
	uint64_t addr;        /* of the first slot */
	uint32_t live, maybe; /* bit per slot */
};
struct vm_locals {
	struct local_block *v; /* sorted by address */
	size_t n, cap;
	bool complete; /* false: a thread went on faster than it could be read, what is not in here may be
			  alive */
	uint64_t live; /* all in use, made by JNI functions or by the VM itself; only if complete */
};
/* Where the VM keeps what belongs to a thread. -EPROTO, -EAGAIN: it could not be proven (yet). */
int hotspot_thread_config(const struct hotspot *h, struct thread_config *out);
/*
 * All slots in use at some moment of the call; the caller frees with vm_locals_free(). What is alive from
 * before the call until it returns is in it. -EPROTO: the layout could not be proven; -EAGAIN: the list of
 * threads changed faster than it could be read.
 */
int hotspot_locals(struct hotspot *h, struct vm_locals *out);
enum local_state vm_locals_state(const struct vm_locals *l, uint64_t handle);
void vm_locals_free(struct vm_locals *l);

#endif
