/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Events inside the VM that the tracer has to see (classes unloaded, code freed, threads waiting): where to
 * probe them. */
#ifndef JNITRACE_HOTSPOT_EVENTS_H
#define JNITRACE_HOTSPOT_EVENTS_H

#include "runtime/hotspot/hotspot.h"

/* Something that happens in the VM, and where in libjvm it passes before it does. */
enum vm_event { VM_CODE_FREED, VM_CLASS_UNLOADED };

/*
 * Up to cap link-time addresses of instructions that can be probed: all there are, or 0. *at_entry: it is the
 * entry of a function, whose first argument is what goes.
 */
size_t hotspot_event_places(const struct hotspot *h, enum vm_event event, uint64_t *vaddr, size_t cap,
			    bool *at_entry);

/*
 * Where the VM counts the classes it has unloaded, before their memory is given to others: an address in the
 * target, for a VM in which that cannot be probed. 0: it does not (-XX:-UsePerfData).
 */
uint64_t hotspot_unloads_counter(const struct hotspot *h);

/* Does the collector wait for critical sections to end? 1, 0: never; -1: this collector is not known. */
int hotspot_gc_waits(const struct hotspot *h);
/*
 * Likewise the functions that threads, the collector's own ones too, wait in for that. 0 of them: *why tells
 * why they cannot be seen. library_path: as the target sees it.
 */
size_t hotspot_gc_wait_places(const struct hotspot *h, const char *library_path, uint64_t *vaddr, size_t cap,
			      const char **why);

#endif
