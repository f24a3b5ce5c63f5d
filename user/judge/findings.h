/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Findings as the probes counted them, as verdicts a reader understands: with text and named stacks. */
#ifndef JNITRACE_FINDINGS_H
#define JNITRACE_FINDINGS_H

#include "judge/finding.h"

/*
 * Fill r->findings, whose memory is used again from call to call. r->sites, r->elapsed_s and r->drops
 * are set. Those whose frames are the same are one. 0 or -ENOMEM.
 */
int findings_update(const struct findings_input *in, struct report *r);
void findings_free(struct report *r);

#endif
