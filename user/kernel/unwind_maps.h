/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Keep the kernel side's unwind tables up to what the targets have mapped: lazily, shared by content. */
#ifndef JNITRACE_UNWIND_MAPS_H
#define JNITRACE_UNWIND_MAPS_H

#include <stdbool.h>
#include <stdint.h>

#include "modules/code.h"

struct unwinder; /* opaque */

/* The maps of bpf/walk/unwind.bpf.h, and how many elements they have. */
struct unwind_fds {
	int spaces, ranges, tables;
	uint32_t nr_spaces, nr_ranges;
};
/*
 * fds are borrowed for the unwinder's life, as is bottom: base names of files at the bottom of most stacks,
 * NULL-terminated, whose tables come first. 0 or -errno.
 */
int unwinder_new(const struct unwind_fds *fds, const char *const *bottom, struct unwinder **out);
void unwinder_free(struct unwinder *u);

/*
 * What BPF knows of a target's code at a moment. The dynamic linker calls a BPF program before and after it
 * unmaps libraries; from then on no address is believed until the mappings were read anew.
 */
struct unwind_moment {
	uint64_t layout;
	uint32_t added;
};
struct unwind_moment unwinder_now(const struct unwinder *u, uint32_t target_id);
/* Were libraries closed since the last unwinder_set_maps()? */
bool unwind_moment_closed(const struct unwind_moment *m);
/*
 * function_info, generates: see script_function(), unwind_generated() (bpf/walk/unwind.bpf.h); 0 and false:
 * it runs no scripts.
 */
void unwinder_set_script(struct unwinder *u, uint32_t target_id, uint32_t function_info, bool generates);
/* Where the linker of that target says what it does (struct unwind_space, link_debug). */
void unwinder_set_link_debug(struct unwinder *u, uint32_t target_id, uint64_t addr);

/*
 * The code a target has mapped, by maps that were read after `when` was now; code lives until
 * unwinder_forget(). Known modules cost nothing; new ones are compiled, the VM and the C library in any case,
 * others for about budget_ns of CPU time; the rest in the next ticks, or when a frame lies in them. 0,
 * -ENOSPC (ranges or tables are used up: what has no place is walked up to only), -EAGAIN (libraries were
 * closed since `when`: read the maps again), -ENOMEM.
 */
int unwinder_set_code(struct unwinder *u, uint32_t target_id, const struct code *code, struct layout *layout,
		      const struct unwind_moment *when, uint64_t budget_ns);
/* Libraries that it opens again from here on have other numbers than before, which the loader is told. */
void unwinder_renumber_opened(struct unwinder *u, uint32_t target_id);
/* The target is gone: let go of all that is known of its code. */
void unwinder_forget(struct unwinder *u, uint32_t target_id);
/*
 * Call every interval: compile what walks have asked for since, and some of what was left, for all targets.
 * Returns how many modules that were, or -errno of the first that failed.
 */
int unwinder_tick(struct unwinder *u);

struct unwind_stats {
	uint32_t modules; /* with code, mapped by some target */
	uint32_t loaded;  /* of those, compiled or known to have no call frame information */
	uint32_t tables;  /* different ones */
	uint64_t rows;
	uint64_t bytes;    /* of kernel memory, all tables; the fixed maps not counted */
	uint64_t build_ns; /* CPU time spent on compiling, all in all */
};
void unwinder_stats(const struct unwinder *u, struct unwind_stats *out);

#endif
