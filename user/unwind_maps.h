/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Keep the kernel side's unwind tables up to what the targets have mapped: lazily, shared by content. */
#ifndef JNITRACE_UNWIND_MAPS_H
#define JNITRACE_UNWIND_MAPS_H

#include <stdbool.h>
#include <stdint.h>

#include "proc.h"

struct unwinder; /* opaque */

/* fds of the maps of bpf/unwind.bpf.h, borrowed for the unwinder's life. 0 or -errno. */
int unwinder_new(int spaces_fd, int ranges_fd, int tables_fd, struct unwinder **out);
void unwinder_free(struct unwinder *u);

/*
 * The code a target has mapped now. Known modules cost nothing; new ones are compiled, the VM
 * and then small ones first, for at most about budget_ns; the rest when a frame lies in them. maps empty: the
 * target is gone, all of it is let go. 0, -ENOSPC (ranges or tables are used up: what has no place is walked
 * up to only), -ENOMEM.
 */
int unwinder_set_maps(struct unwinder *u, uint32_t slot, const struct proc_maps *maps, uint64_t budget_ns);
/*
 * Call every interval: compile what walks have asked for since, for all targets. Returns how many modules
 * that were, or -errno of the first that failed.
 */
int unwinder_tick(struct unwinder *u);

struct unwind_stats {
	uint32_t modules; /* with code, mapped by some target */
	uint32_t loaded;  /* of those, compiled or known to have no call frame information */
	uint32_t tables;  /* different ones */
	uint64_t rows;
	uint64_t bytes;    /* of kernel memory, all tables; the fixed maps not counted */
	uint64_t build_ns; /* spent on compiling, all in all */
};
void unwinder_stats(const struct unwinder *u, struct unwind_stats *out);

#endif
