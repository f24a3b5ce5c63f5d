/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The tracer as the files of this room see it. */
#ifndef JNITRACE_TRACER_PRIV_H
#define JNITRACE_TRACER_PRIV_H

#include <bpf/libbpf.h>

#include "kernel/overhead.h"
#include "kernel/tracer.h"
#include "kernel/unwind_maps.h"
#include "kernel/uprobe.h"

/* Generated; uses the types of shared.h. */
#include "jnitrace.skel.h"

struct links {
	struct bpf_link **v;
	size_t n;
};

/* Probes by the family of what they count, which can be switched off while the rest goes on. */
#define NR_LINK_GROUPS (FAMILY_NONE + 1)
struct family_links {
	struct links of[NR_LINK_GROUPS];
};

/* With --all: the probes of one file, for every process that maps it. */
struct file_links {
	uint64_t dev, ino;
	uint64_t sites_hash;
	struct family_links links;
	size_t users; /* targets; 0: not in use */
};

struct traced {
	bool used, attached;
	struct family_links links;                    /* its own */
	uint32_t families;                            /* attached: bit per enum family_id */
	struct file_links *file;                      /* NULL: it has its own */
	struct bpf_link *vm_links[4 * VM_PLACES + 1]; /* where code is freed, classes and libraries are
							 unloaded, threads wait */
	size_t nr_vm_links;
	uint32_t *rules; /* rule numbers of this target, one for each of its sites */
	size_t nr_sites;
	size_t sites_of[NR_LINK_GROUPS]; /* how many of them each family has */
	bool probed[NR_ALL_FUNCS];
	uint8_t points[NR_ALL_FUNCS]; /* where: bit per enum site_point */
	bool single_step[NR_ALL_FUNCS];
	bool trap_shared[NR_ALL_FUNCS]; /* a use: another probe of the function is at the same place */
	uint64_t sites_missing;
	uint64_t buried[NR_FUNCS]; /* its local references, see tracer_bury() */
	uint64_t let_go[NR_FUNCS]; /* when their families were switched off, see tracer_forget_families() */
	uint64_t findings_lost;    /* see snapshot_ends() */
	uint32_t monitors_since;   /* as its rules say: struct rule */
	double may_take;           /* of a CPU: see tracer_may_spend() */
	bool code_changed;         /* it said so */
	struct {
		struct code_opened *v; /* the oldest first */
		size_t n, cap;
	} opened; /* libraries, told and not yet taken */
	struct {
		struct finalizer_asked *v;
		size_t n, cap;
	} asked;     /* functions that are to be probed */
	bool counts; /* its gate was opened */
};

struct tracer {
	struct jnitrace_bpf *skel;
	struct features features;
	struct unwinder *unwinder; /* native unwind tables */
	struct ring_buffer *code_changes;
	struct bpf_link *hold_link; /* NULL: no process is held */
	struct {
		pid_t *v;
		size_t n, cap;
	} held; /* have stopped, and were not taken yet */
	struct overhead *overhead;
	bool use_multi, may_tell_threads, by_thread;
	bool share; /* probes, by file */
	struct file_links files[JT_MAX_TARGETS];
	bool single_step;              /* some site of some target is */
	uint32_t families;             /* that may be traced: bit per enum family_id */
	uint32_t families_seen;        /* that any target was traced for: what others keep is empty */
	const struct catalog *catalog; /* not owned */
	uint32_t nr_buckets, max_sites, max_targets, max_rules;
	struct bucket *buckets;          /* the pairing store, mapped */
	const struct site *sites;        /* by number, mapped */
	struct site_counts *site_counts; /* by CPU and number, mapped: see site_counts_of() */
	size_t buckets_bytes, sites_bytes, site_counts_bytes;
	struct traced traced[JT_MAX_TARGETS];
	bool rule_used[JT_MAX_RULES];
	uint64_t java_epochs; /* Java configurations made: no two targets share a generation */

	struct stack **stacks; /* by site number; read once */
	uint64_t *buried;      /* by site number: see tracer_bury() */
	uint64_t *given_back;  /* by site number: monitors that the VM released */
	uint64_t *let_go;      /* by site number: see tracer_forget_families() */
	struct {
		struct snapshot_finding *v;
		size_t n, cap;
	} ended;          /* findings of lives that have ended */
	bool cpu_waits;   /* the kernel counts how long threads wait for a CPU */
	uint64_t load_ns; /* what loading the programs took */
};

/* Add what is pinned to the snapshots and their sites. 0 or -errno. */
int snapshot_pins(struct tracer *t, struct snapshots *all);
int snapshot_threads(struct tracer *t, struct snapshots *all);
int snapshot_pairs(struct tracer *t, struct snapshots *all);
int snapshot_pushes(struct tracer *t, struct snapshots *all);
/*
 * Take note of what lives that have ended since left behind: monitors they held are findings, and those that
 * the VM released are no longer held. Before the sites are read. Then: add these findings to the snapshots;
 * forget a target's.
 */
int snapshot_ends(struct tracer *t);
int snapshot_ended(const struct tracer *t, struct snapshots *all);
void snapshot_forget_ends(struct tracer *t, int target_id);

/* Numbers of sites are below it. */
static inline uint32_t sites_in_use(const struct tracer *t)
{
	uint32_t n = *(volatile uint32_t *)&t->skel->data->next_site;

	return n < t->max_sites ? n : t->max_sites;
}

/* As the probes find it. */
static inline struct site_counts *site_counts_of(const struct tracer *t, uint32_t site, int cpu)
{
	return &t->site_counts[(size_t)cpu * t->max_sites + site];
}

/* Of the map use_counts. */
static inline uint32_t use_key(uint32_t target_id, uint32_t func)
{
	return target_id * NR_USE_FUNCS + func - NR_FUNCS;
}

/* Attach the probes of these families of a target. 0 or -errno, with some of them attached. */
struct attaching { /* what is attached where, and what its probes are to know */
	struct tracer *t;
	pid_t pid;                /* -1: every process that maps the file */
	const char *const *paths; /* by a site's file */
	size_t nr_paths;
	const struct probe_sites *sites;
	const uint32_t *rules; /* of a target, by site; NULL: */
	uint32_t file;         /* see COOKIE_FILE */
	bool more;             /* also of families that have probes already */
	/* filled in by links_attach(): */
	struct links *links;
	unsigned family;
};
int links_attach(const struct attaching *a, struct family_links *links, uint32_t families);
/* Destroy n links, many at a time: each takes the kernel a grace period. */
void links_destroy(struct bpf_link **v, size_t n);

/* Write one rule for each site of a target. Returns the number of the first, or -errno. */
int rules_make(struct tracer *t, int target_id, const struct probe_sites *sites);

#endif
