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

#include "kernel/tracer.h"
#include "runtime/hotspot/locals.h"

/* A look at the VM's local references. */
struct local_look {
	struct vm_locals vm;
	bool known;
	bool gone;     /* the process has, and its references with it: vm is empty */
	bool still;    /* the gate was closed before: nothing comes again */
	uint32_t tick; /* when it began */
};
struct local_site {
	uint64_t live, dead;
	uint32_t oldest_tick; /* of the live ones; valid when live > 0 */
};
struct local_refs {
	struct local_site *v; /* by index in snapshot.sites */
	size_t n;
	struct local_site sum;
};
/*
 * Hold the snapshot's local references against a later look. Those that are not alive are taken out
 * of snapshot->refs, and the dead out of the store while the process runs. out is overwritten, its memory
 * used again. 0 or -ENOMEM.
 */
int local_refs_read(const struct local_look *look, struct tracer *t, struct snapshot *snapshot,
		    struct local_refs *out);
void local_refs_free(struct local_refs *l);

#endif
