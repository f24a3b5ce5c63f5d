/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the probes of one target must know of its runtime: filled in by the runtime (runtime/runtime.h),
 * handed to the kernel by the tracer. Neither of the two calls the other, so this is plain data.
 *
 * The parts become known at different times: a runtime that is just starting cannot tell all. Each part has
 * a state. The runtime takes a part from PLAN_NOT_YET to PLAN_READY or PLAN_NEVER; the tracer takes
 * it from PLAN_READY to PLAN_DONE.
 */
#ifndef JNITRACE_PLAN_H
#define JNITRACE_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/border/pins.h"
#include "bpf/border/scripts.h"
#include "bpf/border/shared.h"
#include "bpf/border/threads.h"

enum plan_state {
	PLAN_NOT_YET, /* not asked for, or not known yet: ask again */
	PLAN_READY,   /* filled in, the kernel does not have it */
	PLAN_DONE,    /* the kernel has it */
	PLAN_NEVER,   /* cannot be done for this target; why says the reason */
};

/* Places in the runtime's file, as offsets in it, that are passed when something happens. */
#define VM_PLACES 4
struct vm_places {
	uint64_t at[VM_PLACES];
	size_t n;
	bool at_entry; /* of one function, whose first argument is what goes */
};

/* What the lowest bits of a handle tell of its kind. */
struct handle_kind {
	uint8_t mask, bits; /* a handle of this family has these bits; mask 0: nothing is known */
	bool by_place;      /* other families have the same bits: where it lies tells */
	bool by_books;      /* local references have the same bits: only the records of calls can tell */
};
struct handle_kinds {
	struct handle_kind of[NR_FAMILIES];
	bool weak_bit; /* weak references, and no others, have bit 0 set */
	/* The address of a slot, but for the bits above: a local reference has none of these; 0: nothing is
	 * known. */
	uint8_t never_bits;
};

#define PLAN_WHY_MAX 256
/* Stacks with managed frames. */
struct plan_walk {
	enum plan_state state;
	char why[PLAN_WHY_MAX];
	struct java_config java;         /* generation and cache are the tracer's to fill in */
	struct vm_places frees, unloads; /* passed before code is freed (may be none), a class is unloaded */
};
/* Stacks with the frames of an interpreter. */
struct plan_scripts {
	enum plan_state state;
	char why[PLAN_WHY_MAX];
	struct script_config config;
};
/* Class and length of arrays and strings that are pinned. */
struct plan_objects {
	enum plan_state state;
	struct object_config config;
};
/* Who waits for critical sections to end. */
struct plan_waits {
	enum plan_state state;
	const char *why; /* PLAN_NEVER: it cannot be seen; NULL: there is no such waiting */
	int collector;   /* does it wait for them? 1, 0: never; -1: this collector is not known */
	struct vm_places places;
};
/* Where threads and references are: for the families local, monitor and thread, and for --check. */
struct plan_threads {
	enum plan_state state; /* PLAN_READY again when more of it has been proven */
	bool whole;            /* all there is to know is known */
	struct thread_config config;
};

struct target_plan {
	uint32_t families; /* traced: bit per enum family_id; parts that none of them needs are left out */
	struct plan_walk walk;
	struct plan_scripts scripts;
	struct plan_objects objects;
	struct plan_waits waits;
	struct plan_threads threads;
};

/* The last managed frame of a thread that is in native code. */
struct frame_anchor {
	uint64_t sp, pc;
};

#endif
