/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef JNITRACE_STORE_H
#define JNITRACE_STORE_H

#include "kernel/tracer_priv.h"

/* The store, and the sites that its references are of. 0 or -errno. */
int store_map(struct tracer *t);
void store_unmap(struct tracer *t);
/* Add all references to the snapshots of their targets and their sites, which are listed. 0 or -errno. */
int store_read(struct tracer *t, struct snapshots *all);
/* Free the places of a target's references, but for those in the overflow map. Its probes are gone. */
void store_forget(struct tracer *t, int target_id);

/* Of some families: those that live and those that are dead. Probes of other families go on. */
struct whose;
void store_forget_families(struct tracer *t, const struct whose *w);

#endif
