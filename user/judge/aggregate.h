/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From counters and stacks to what a view shows: sites merged by what their frames are, rates, totals. */
#ifndef JNITRACE_AGGREGATE_H
#define JNITRACE_AGGREGATE_H

#include "model/report.h"
#include "model/snapshot.h"
#include "reconcile/local_refs.h"
#include "reconcile/ref_classes.h"
#include "symbols/symbols.h"

/* One per target: which sites are known, and their counts one interval ago. */
struct aggregate;

/* catalog: of all that will be added up; not owned. 0 or -ENOMEM. */
int aggregate_new(const struct catalog *catalog, struct aggregate **out);
void aggregate_free(struct aggregate *a);

struct aggregate_input {
	const struct snapshot *snapshot;
	const struct target_counts *counts;
	struct symbols *symbols;
	uint32_t families; /* traced: bit per enum jni_family */
	bool final;
	double elapsed_s;
	const struct ref_classes *classes; /* NULL: not looked at */
	const struct local_refs *locals;   /* NULL: which are alive is not known */
	const double *cost_ns; /* of one call of each function, see tracer_costs(); NULL: unknown */
	double late_s;         /* how long after the gate was closed the snapshot was taken */
};
/* Has the snapshot sites that have no names yet? */
bool aggregate_lacks(const struct aggregate *a, const struct snapshot *snapshot);

/*
 * Name the frames of sites not seen before: code of a VM's compiler is gone within seconds, and the
 * process with it when it ends. Nothing is counted. 0 or -ENOMEM.
 */
int aggregate_name(struct aggregate *a, const struct snapshot *snapshot, struct symbols *symbols);
/*
 * Fill calls, families, sites, drops, events and rates of r. Frames belong to the aggregate and live
 * until aggregate_free(); r->sites is reused from call to call. A site is symbolized when it is first
 * seen. Rates are over the time since the last call, in a final report over the whole run.
 */
int aggregate_update(struct aggregate *a, const struct aggregate_input *in, struct report *r);

/*
 * Between two reports: take over how much is outstanding at the sites that have names, and how old it is, for the
 * verdicts. Nothing else changes. 0 or -ENOMEM.
 */
int aggregate_reading(struct aggregate *a, const struct snapshot *snapshot, double elapsed_s);

/* What is known of a site by its number; false: nothing (yet). Frames live as long as a. */
struct aggregate_site {
	uint64_t id;
	enum jni_func_id func;
	struct report_stack stack;
};
bool aggregate_site(const struct aggregate *a, uint32_t number, struct aggregate_site *out);

#endif
