/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Findings as the probes counted them, as verdicts a reader understands: with text and named stacks. */
#ifndef JNITRACE_FINDINGS_H
#define JNITRACE_FINDINGS_H

#include "aggregate.h"
#include "report.h"
#include "tracer.h"

struct findings_input {
	const struct aggregate *aggregate; /* knows the snapshot's sites already */
	const struct snapshot *snapshot;
	int slot;
	bool checking; /* --check is on */
};
/*
 * Fill r->findings, whose memory is used again from call to call; the caller of the last one frees
 * r->findings.v. r->elapsed_s and r->drops are set. Those whose frames are the same are one. 0 or -ENOMEM.
 */
int findings_update(const struct findings_input *in, struct report *r);

#endif
