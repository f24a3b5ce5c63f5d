/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One finding put together: where it happened, what to say of it, and whether it is new to the reader. */
#ifndef JNITRACE_FINDING_H
#define JNITRACE_FINDING_H

#include "model/named_site.h"
#include "model/reconciled.h"
#include "model/report.h"
#include "model/snapshot.h"
#include "model/vm.h"

/* What findings are made from. */
struct findings_input {
	const struct named_sites *names; /* of the snapshot's sites */
	const struct snapshot *snapshot;
	const struct left_frames *left;  /* NULL: not known */
	uint64_t local_capacity;         /* local references a native frame may have without asking */
	bool checking;                   /* --check is on */
	bool exited;                     /* the process has ended: nothing will be released any more */
	double hold_s;                   /* a critical section held that long is a finding */
	const char *no_waits;            /* why it is not seen who waits for critical sections; NULL: it is */
	int collector_waits;             /* see struct report_held */
	const struct vm_insides *inside; /* critical sections from before attach; NULL: not looked at */
};
/* Is a file of this name the C library or the dynamic linker? */
bool finding_is_system(const char *module);
/*
 * Does the C library release what it keeps itself, and no other code has called it? A thread that ends frees
 * chunks of its cache that the program freed before, and the cache, which nobody was given (malloc.c of
 * glibc, tcache_thread_shutdown()).
 */
bool finding_is_system_own(const struct report_finding *f);
/* Add a sentence. */
void finding_add_text(struct report_finding *f, const char *s);
/* What is wrong and what to do, by f->kind. */
void finding_set_text(const struct findings_input *in, struct report_finding *f);
/* Why a finding of this kind may not be true; NULL: it is. */
const char *finding_doubt(const struct report *r, enum finding_kind kind);
/* The same in every version, whatever its texts are. ids: of the three sites, 0: not known. */
uint64_t finding_id(enum finding_kind kind, const uint64_t ids[3]);
/* The stack of a site by its number, its id (0: not known), and when func is not NULL its function. */
uint64_t finding_site(const struct findings_input *in, uint32_t number, struct report_stack *out,
		      enum func_id *func);
/* Take f over into the report, or add it to the one that is the same to the reader. 0 or -ENOMEM. */
int finding_add(struct report *r, const struct report_finding *f);
/*
 * Of this kind one finding for each library, of all its call sites: what a library does everywhere is one
 * fault, or one habit. All have been added.
 */
void findings_group(struct report *r, enum finding_kind kind);

#endif
