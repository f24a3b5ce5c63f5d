/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The VM's performance counters. */
#ifndef JNITRACE_HOTSPOT_PERF_H
#define JNITRACE_HOTSPOT_PERF_H

#include "runtime/hotspot/hotspot.h"

/* Address of the value, a 64-bit integer, of the VM's performance counter of this name; 0: there is none. */
uint64_t hotspot_perf_counter(const struct hotspot *h, const char *name);

/*
 * Addresses of the counters of collections of the whole heap, then zeros: of all collectors but the first,
 * which is for the young objects; of that if it is the only one. Some count each pause of one collection.
 */
#define HOTSPOT_COLLECTORS 4
void hotspot_collectors(const struct hotspot *h, uint64_t at[HOTSPOT_COLLECTORS]);

#endif
