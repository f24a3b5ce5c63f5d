/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the probes cost the target: the calls of each function by what one costs when they are made. */
#ifndef JNITRACE_PROBE_COSTS_H
#define JNITRACE_PROBE_COSTS_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/border/shared.h"
#include "model/catalog.h"
#include "model/report.h"
#include "model/snapshot.h"

/* What some events took of the target's time. */
struct cost {
	double ns;
	uint64_t events;
	bool unknown; /* there were others, whose cost is not known (yet) */
};

/* By family, of --check's probes, and of all. */
enum { COST_CHECK = FAMILY_CHECK, COST_ALL, NR_COSTS };

struct probe_costs {
	uint64_t costed[NR_ALL_FUNCS]; /* calls whose cost is in spent */
	struct cost spent[NR_COSTS];   /* since attach */
	double last_ns[NR_COSTS];      /* of one event, of the last interval that had some; -1: none had */
};

void probe_costs_begin(struct probe_costs *p);
/*
 * The costs of r. Counts are of all time; cost_ns is of one call of each function now, NULL or -1: unknown;
 * interval_s is what they are a share of: since the last report or, of a final one, since attach.
 */
void probe_costs_report(struct probe_costs *p, const struct catalog *catalog,
			const struct target_counts *counts, const double *cost_ns, double interval_s,
			struct report *r);

#endif
