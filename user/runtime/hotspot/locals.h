/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which local references of a running HotSpot are alive: the slots in use of all its threads, including those
 * of outer native frames. There is no event for a native method that returns and ends its references; the
 * VM's tables show it.
 */
#ifndef JNITRACE_HOTSPOT_LOCALS_H
#define JNITRACE_HOTSPOT_LOCALS_H

#include "bpf/border/threads.h"
#include "runtime/hotspot/hotspot.h"

/* Where the VM keeps what belongs to a thread. -EPROTO, -EAGAIN: it could not be proven (yet). */
int hotspot_thread_config(struct hotspot *h, struct thread_config *out);
/*
 * All slots in use at some moment of the call; the caller frees with vm_locals_free(). What is alive from
 * before the call until it returns is in it. -EPROTO: the layout could not be proven; -EAGAIN: the list of
 * threads changed faster than it could be read.
 */
int hotspot_locals(struct hotspot *h, struct vm_locals *out);

#endif
