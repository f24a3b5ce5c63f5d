/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which of the local references that were seen being made are still alive, per call site.
 *
 * The pairing store is read first, the VM's blocks after that, and then the store again. A reference that is
 * in the store both times was not released in between; so if its slot was free, its frame has ended. One that
 * is in use is alive. What came and went meanwhile is neither: unverified.
 */
#ifndef JNITRACE_LOCAL_REFS_H
#define JNITRACE_LOCAL_REFS_H

#include "model/reconciled.h"
#include "model/snapshot.h"
#include "reconcile/corrections.h"
#include "runtime/runtime.h"

/* A look at the VM's local references. */
struct local_look {
	const struct vm *of; /* not owned */
	struct vm_locals vm;
	bool known;
	bool gone;     /* the process has, and its references with it: vm is empty */
	bool still;    /* the gate was closed before: nothing comes again */
	uint32_t tick; /* when it began */
	/* Is the reference, of the snapshot, in the pairing store now? */
	bool (*holds)(const void *store, const struct snapshot_ref *ref);
	const void *store;
};
/*
 * Hold the snapshot's local references against a later look. Those that are not alive are added to
 * found: the dead and the unknown. out is overwritten, its memory used again. 0 or -ENOMEM.
 */
int local_refs_read(const struct local_look *look, const struct snapshot *snapshot, struct local_refs *out,
		    struct corrections *found);
void local_refs_free(struct local_refs *l);

#endif
