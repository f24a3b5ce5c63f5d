/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Findings as the probes counted them, as verdicts a reader understands: with text and named stacks. */
#ifndef JNITRACE_FINDINGS_H
#define JNITRACE_FINDINGS_H

#include "judge/aggregate.h"
#include "model/report.h"
#include "model/snapshot.h"

struct findings_input {
	const struct aggregate *aggregate; /* knows the snapshot's sites already */
	const struct snapshot *snapshot;
	bool checking;        /* --check is on */
	bool exited;          /* the process has ended: nothing will be released any more */
	double hold_s;        /* a critical section held that long is a finding */
	const char *no_waits; /* why it is not seen who waits for critical sections; NULL: it is */
	int collector_waits;  /* see struct report_held */
};
/*
 * Fill r->findings, whose memory is used again from call to call. r->sites, r->elapsed_s and r->drops
 * are set. Those whose frames are the same are one. 0 or -ENOMEM.
 */
int findings_update(const struct findings_input *in, struct report *r);
void findings_free(struct report *r);

#endif
