/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the probes counted, read at one moment, as plain data: no fd, no map, no live process needed. */
#ifndef JNITRACE_SNAPSHOT_H
#define JNITRACE_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/util.h"
#include "bpf/border/pins.h"
#include "bpf/border/shared.h"
#include "bpf/border/threads.h"

/* One site as counted, summed over CPUs. */
struct snapshot_site {
	uint32_t index; /* of the site, below snapshot.nr_index */
	enum func_id func;
	uint8_t level; /* each handle stands for 1 << level, as struct level_key */
	bool has_stack;
	const struct stack
	    *stack; /* NULL: none, or just being written; owned by the tracer until tracer_forget() */
	uint64_t acquired, released, unpaired, died, peak;
	uint64_t live; /* references in the pairing store (of local ones: alive or not), or pins held */
	uint32_t oldest_tick;             /* of those; valid when live > 0 */
	bool recount;                     /* account.c */
	const struct site_thread *thread; /* whose part of the site this is; NULL: nobody's */
	const struct pin_stats *pins;     /* of the snapshot; NULL: of no family of pins, or none was held */
	uint64_t pinned_bytes;            /* of those held whose size is known; of handles of pairs, too */
	uint64_t pins_unsized;            /* held, and their size is not known */
};
/* A reference that is outstanding. */
struct snapshot_ref {
	uint64_t handle : HANDLE_BITS, target_id : 64 - HANDLE_BITS;
	uint32_t site; /* index of the site; 0: taken out */
	uint32_t tick; /* when acquired */
};
/* What was used wrongly. */
struct snapshot_finding {
	struct finding_key key; /* site numbers as in snapshot_site.index */
	struct finding f;
	struct finding_detail detail; /* all 0: there is none */
};
/* A frame that PushLocalFrame was called for, and no PopLocalFrame yet. */
struct snapshot_push {
	uint64_t outer; /* the frame that it was pushed upon: its first block */
	struct push push;
};
/* A string or array that is held. */
struct snapshot_pin {
	struct pin_key key;
	struct pin pin;
};
/* A thread that is inside a critical section. */
struct snapshot_critical {
	struct critical critical;
	int64_t own_ns; /* it was inside for that long at least without waiting for CPU or VM; -1: unknown */
};
/* A thread that waited while critical sections of a site were held. */
struct snapshot_stalled {
	struct stalled_key key;
	struct stalled stalled;
};
/* A monitor that is held, or a thread that is attached. */
struct snapshot_held {
	uint32_t site;
	uint32_t tick; /* since when */
};
/* A site that attaches threads again and again. */
struct snapshot_churn {
	uint32_t site;
	struct churn churn;
};
/* All of one target. Its vectors are its own, the rest belongs to struct snapshots. */
struct snapshot {
	struct {
		struct snapshot_site *v;
		size_t n, cap;
	} sites;
	uint32_t nr_index;
	const uint32_t *position; /* of a site in its target's sites, + 1, by its index; 0: not there */
	const struct site_thread *threads; /* by index of the site; NULL unless --group-by thread */
	uint64_t monotonic_ns;
	uint32_t now_tick;
	double tick_s; /* seconds of one tick */
	struct {
		struct snapshot_ref *v;
		size_t n, cap;
	} refs;
	struct {
		struct snapshot_finding *v;
		size_t n, cap;
	} findings; /* complete: none is ever taken back */
	struct {
		struct snapshot_push *v;
		size_t n, cap;
	} pushes;
	struct {
		struct snapshot_pin *v;
		size_t n, cap;
	} pins;
	struct {
		struct pin_stats *v;
		size_t n, cap;
	} pin_stats;
	struct {
		struct snapshot_critical *v;
		size_t n, cap;
	} criticals;
	struct {
		struct snapshot_held *v;
		size_t n, cap;
	} held;
	struct {
		struct snapshot_churn *v;
		size_t n, cap;
	} churns;
	bool cpu_waits; /* how long threads wait for a CPU is known */
	struct {
		struct snapshot_stalled *v;
		size_t n, cap;
	} stalled;
	struct {
		struct stall *v;
		size_t n, cap;
	} stalls; /* threads that wait now */
};
/* The site of this index; NULL: it is not there, or another target's. */
static inline struct snapshot_site *snapshot_site_of(const struct snapshot *s, uint32_t index)
{
	uint32_t at = index < s->nr_index ? s->position[index] : 0;

	return at && at <= s->sites.n && s->sites.v[at - 1].index == index ? &s->sites.v[at - 1] : NULL;
}

/* Of all targets, by their numbers, read together. */
struct snapshots {
	struct snapshot of[JT_MAX_TARGETS];
	uint32_t *position;
	struct site_thread *threads;
};
/* s is zeros afterwards, as at the start. */
void snapshots_free(struct snapshots *s);
/* Its vectors only. */
void snapshot_free(struct snapshot *s);

/* Counts of one target. */
struct target_counts {
	struct func_counts funcs[NR_ALL_FUNCS]; /* of uses the calls only */
	bool probed[NR_ALL_FUNCS];
	uint64_t drops[NR_DROPS];
};

#endif
