/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Every process of the host that may be a JVM, once each: for --all. */
#ifndef JNITRACE_DISCOVER_H
#define JNITRACE_DISCOVER_H

#include "proc/proc.h"
#include "run/pairs.h"
#include "runtime/runtime.h"

struct discovery; /* what was seen before */

/* only: NULL, or the runtime that was asked for. 0 or -ENOMEM. */
int discovery_new(const struct runtime *only, struct discovery **out);
/* With --pair: processes that map one of these libraries instead, but none that descends from this one. */
void discovery_set_pairs(struct discovery *d, const struct pairs *pairs);
void discovery_free(struct discovery *d);
/*
 * Append to out the processes that map a VM's library and were not returned before. A process is
 * looked at when it is new and while it is young; cheap for those already settled.
 */
int discovery_scan(struct discovery *d, struct pid_list *out);
/* Return this process again: it runs another program now. */
void discovery_forget(struct discovery *d, const struct proc_id *id);

#endif
