/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Everything the probes keep, and how much memory it takes. Sizes marked (loader) are set before loading. */
#ifndef JNITRACE_MAPS_BPF_H
#define JNITRACE_MAPS_BPF_H

#include "border/shared.h"

/* Set before loading. */
const volatile u32 bucket_mask; /* buckets - 1, a power of two less one */
const volatile u32 part_shift;  /* buckets of a part of the store: 1 << part_shift */
const volatile u32 nr_funcs;    /* function numbers in use: of none, JNI's, and those that were added */
const volatile u32 max_stacks;  /* sites with a stack */
const volatile u32 max_sites;   /* those, and one without a stack for each function of each target */
const volatile u32 max_depth = JT_MAX_FRAMES;
const volatile u32 cpu_ids;           /* numbers of CPUs are below it */
const volatile u32 scratch_shared;    /* stack walks that may be preempted by others on their CPU, not 0 */
const volatile u32 memo_entry_mask;   /* stacks that the memo keeps, a power of two, less one; */
const volatile u32 memo_place_mask;   /* and likewise places where stacks begin */
const volatile bool may_tell_threads; /* sites may be told apart by thread, too: by_thread */
const volatile bool by_frame;         /* local references are counted by native frame */
const volatile bool count_only;       /* releases are not probed: nothing is paired */
const volatile u32 local_capacity;    /* local references that a native frame may have without asking */
const volatile bool checking;         /* --check: look closely, whatever it costs */
const volatile bool criticals_traced; /* else the verifier leaves out what looks for them */
const volatile u32 pairs_traced;      /* families of pairs that are: bit per enum family_id */
const volatile u32 sampled_families;  /* likewise, that may be sampled: */
const volatile u32 sample_n;          /* one handle of so many is followed, at level 0 */
const volatile u32 memo_mode;         /* enum memo_mode */
const volatile bool indirect_refs;    /* handles may be numbers of entries in tables: likewise */
const volatile bool by_fragments;     /* stacks may be MANAGED_BY_FRAGMENTS: likewise */
const volatile bool budgeted;         /* what the probes take is held against --budget */

bool by_thread;                    /* they are, from when it is set on */
u32 families_off[JT_MAX_TARGETS];  /* of a target: bit per enum family_id, whose events do not count */
u8 sample_level[JT_MAX_TARGETS];   /* of a target: sample_n is doubled so often */
u8 sample_begun[JT_MAX_TARGETS];   /* it was ever: there may be handles that are not followed */
u8 signal_stack[JT_MAX_TARGETS];   /* of a target: see signal_stacks.bpf.h */
u32 signals_tick[JT_MAX_TARGETS];  /* likewise: when its handlers were looked at, jiffies >> JT_TICK_SHIFT */
u32 pid_ns_level;                  /* depth of the tracer's pid namespace, 0 is the first; set by jt_setup */
u64 pid_ns;                        /* which one of that depth: its address */
u64 sites_made;                    /* grows with each new site: there is a stack to name */
u32 next_site = 1;                 /* sites in use; site 0 means none */
u32 suspects;                      /* sites that are suspect, of all targets */
u64 stacks_walked, stacks_checked; /* the latter with MEMO_CHECK only: found in the memo, and walked */
/* References outside their first bucket: while 0 there is no need to look there. */
u64 second_refs, overflow_refs;
/* Parts of the store that a reference was ever put into: the loader reads no others. */
u8 parts_used[JT_STORE_PARTS];

#define MAP_ARRAY(name, map_type, entries, value_type)                                                       \
	struct {                                                                                             \
		__uint(type, map_type);                                                                      \
		__uint(max_entries, entries);                                                                \
		__type(key, u32);                                                                            \
		__type(value, value_type);                                                                   \
	} name SEC(".maps")
#define MAP_HASH(name, entries, key_type, value_type)                                                        \
	struct {                                                                                             \
		__uint(type, BPF_MAP_TYPE_HASH);                                                             \
		__uint(map_flags, BPF_F_NO_PREALLOC); /* memory as it is used */                             \
		__uint(max_entries, entries);                                                                \
		__type(key, key_type);                                                                       \
		__type(value, value_type);                                                                   \
	} name SEC(".maps")

MAP_ARRAY(rules, BPF_MAP_TYPE_ARRAY, JT_MAX_RULES, struct rule);
MAP_ARRAY(targets, BPF_MAP_TYPE_ARRAY, JT_MAX_TARGETS, struct target_state);
MAP_ARRAY(func_counts, BPF_MAP_TYPE_PERCPU_ARRAY, 1,
	  struct func_counts);                            /* (loader) by target and function */
MAP_ARRAY(use_counts, BPF_MAP_TYPE_PERCPU_ARRAY, 1, u64); /* (loader) calls, by target and use */
struct spending spending[JT_MAX_TARGETS];
/* (loader) By target and function, uses behind those that are counted: microseconds in which CHARGED_CALLS
 * calls are earned again. */
MAP_ARRAY(charges, BPF_MAP_TYPE_ARRAY, 1, u32);
MAP_ARRAY(drops, BPF_MAP_TYPE_PERCPU_ARRAY, JT_MAX_TARGETS *NR_DROPS, u64);
MAP_HASH(target_ids, JT_MAX_TARGETS, u32, u32); /* tgid -> target, for exec */

MAP_HASH(stacks, 1, u64, struct stack); /* (loader) stack id -> frames */
MAP_HASH(site_ids, 1, u64, u32);        /* (loader) hash of target, function, stack -> site */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE); /* likewise read every interval */
	__uint(max_entries, 1);            /* (loader) */
	__type(key, u32);
	__type(value, struct site);
} sites SEC(".maps");
/* By CPU and site: a per-CPU array that is read without a call for each element. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* (loader) */
	__type(key, u32);
	__type(value, struct site_counts);
} site_counts SEC(".maps");
MAP_ARRAY(site_places, BPF_MAP_TYPE_ARRAY, 1, u64); /* (loader) by site, see native_place(); by_frame only */

MAP_HASH(thread_sites, 1, struct thread_key, u32);                  /* (loader) */
MAP_HASH(level_sites, 1, struct level_key, u32);                    /* (loader) */
MAP_ARRAY(site_threads, BPF_MAP_TYPE_ARRAY, 1, struct site_thread); /* (loader) by site */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE); /* the loader reads all of it every interval */
	__uint(max_entries, 1);            /* (loader) */
	__type(key, u32);
	__type(value, struct bucket);
} buckets SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_STACK);
	__uint(max_entries, 1); /* (loader) */
	__type(value, u32);
} free_sites SEC(".maps");                       /* of targets that are gone */
MAP_HASH(overflow, 1, u64, struct overflow_ref); /* (loader) tag -> what found no room in its two buckets */

/* Numbers of targets whose code has changed, and libraries that were opened: the loader waits for it. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024); /* a hundred libraries, of 2 KiB each */
} code_changes SEC(".maps");

static __always_inline void drop(u32 target_id, enum drop_id id)
{
	u32 key = target_id * NR_DROPS + id;
	u64 *n = bpf_map_lookup_elem(&drops, &key);

	if (n)
		__sync_fetch_and_add(n, 1); /* per CPU, but a program may be preempted here */
}

#define RAISE_TRIES 8

/* Others may raise it at the same time, those of this CPU too: what is higher stays. */
static __always_inline void raise_to(u64 *most, u64 n)
{
	u64 known = *(volatile u64 *)most;

	for (int i = 0; i < RAISE_TRIES && n > known; i++)
		known = __sync_val_compare_and_swap(most, known, n);
}

#endif
