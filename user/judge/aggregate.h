/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From counters and stacks to what a view shows: sites merged by what their frames are, rates, totals. */
#ifndef JNITRACE_AGGREGATE_H
#define JNITRACE_AGGREGATE_H

#include "model/named_site.h"
#include "model/reconciled.h"
#include "model/report.h"
#include "model/snapshot.h"

/* One per target: the counts of its sites one interval ago, and their history. */
struct aggregate;

/* Not owned are catalog, of all that will be added up, and room, of the histories of all targets. 0 or
 * -ENOMEM. */
struct history_room;
int aggregate_new(const struct catalog *catalog, struct history_room *room, struct aggregate **out);
void aggregate_free(struct aggregate *a);

struct aggregate_input {
	const struct snapshot *snapshot;
	const struct target_counts *counts;
	const struct named_sites *names; /* of the snapshot's sites; always the same of one aggregate */
	uint32_t families;               /* traced: bit per enum family_id */
	uint32_t off;                    /* switched off while the target is traced: nothing is judged */
	uint64_t one_in;           /* of these families one handle of so many is followed, at level 0: */
	uint32_t sampled;          /* bit per enum family_id */
	uint8_t level, most_level; /* now, and the highest that ever was: each is 1 << level as many */
	bool final;
	bool drawn; /* for a screen: figures that take time may come a little later */
	double elapsed_s;
	const struct ref_classes *classes; /* NULL: not looked at */
	const struct local_refs *locals;   /* NULL: which are alive is not known */
	const struct weak_look *weak;      /* NULL: they are judged like all others */
	const double *cost_ns; /* of one call of each function, see tracer_costs(); NULL: unknown */
	double late_s;         /* how long after the gate was closed the snapshot was taken */
};
/* One handle that is counted, of this function, stands for so many. */
static inline uint64_t stands_for(const struct aggregate_input *in, const struct catalog *c,
				  enum func_id func)
{
	return in->sampled >> func_family(c, func) & 1 && in->one_in ? in->one_in : 1;
}
/*
 * Fill calls, families, sites, drops, events and rates of r. Frames are those of in->names; r->sites is used
 * again from call to call. What has no name yet is counted in the totals only. Rates are over the time since
 * the last call, in a final report over the whole run. 0 or -ENOMEM.
 */
int aggregate_update(struct aggregate *a, const struct aggregate_input *in, struct report *r);

/* These families were switched off: what their sites held is let go, and their histories begin anew some
 * time. */
void aggregate_let_go(struct aggregate *a, const struct named_sites *names, uint32_t families);

/* Is there a site of weak references that grows, if they do not wait for the collector? names: as in the
 * input. */
bool aggregate_weak_grow(const struct aggregate *a, const struct named_sites *names);

/*
 * Between two reports: take over how much is outstanding at the sites that have names, and how old it is, for
 * the verdicts. Of in: snapshot, names, elapsed_s, late_s. 0 or -ENOMEM.
 */
int aggregate_reading(struct aggregate *a, const struct aggregate_input *in);

#endif
