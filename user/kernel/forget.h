/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Deleting what is kept of a target. For this room only. */
#ifndef JNITRACE_FORGET_H
#define JNITRACE_FORGET_H

#include "kernel/tracer_priv.h"
#include "kernel/whose.h"

/* All that is not in the buckets. 0, or -EIO: something may be left. */
int forget_families(struct tracer *t, const struct whose *w);

#endif
