/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * --sample N: of the families that can be sampled, each handle is followed with a chance of one in N
 * (bpf/books/sampling.bpf.h). What is counted of those that are, times N, is an estimate of what is true of
 * all.
 */
#ifndef JNITRACE_SAMPLE_H
#define JNITRACE_SAMPLE_H

#include "base/util.h"
#include "model/catalog.h"

/* No more is of use: what few handles leak would be seen nowhere. */
#define SAMPLE_MOST 1000000

/*
 * Which of these families can be sampled. The others stay exact: of references and pins a runtime keeps
 * books, too, and each is held against it; monitors, threads and frames nest; a handle that may be given or
 * referred to several times, or that a function at an address releases, is more than one decision.
 */
uint32_t sample_families(const struct catalog *c, uint32_t families);

#define SAMPLE_CONFIDENCE 0.95
/*
 * How far an estimate may be off: the true number is within +- of that in 95 of 100 cases, or more. one_in:
 * as in struct report_family; 0 or 1: 0. An estimate of 0 has an error, too.
 */
uint64_t sample_error(uint64_t estimate, uint64_t one_in);
/* Append " +-45" to an estimate; nothing where it is none. */
void sample_put_error(struct buf *out, uint64_t estimate, uint64_t one_in);

#endif
