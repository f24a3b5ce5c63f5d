/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The VM's own counts of references in use. */
#ifndef JNITRACE_HOTSPOT_COUNTS_H
#define JNITRACE_HOTSPOT_COUNTS_H

#include "runtime/hotspot/hotspot.h"

/* 0, -ESRCH or -ENOMEM; known is false in out where the layout could not be proven (yet). */
int hotspot_counts(struct hotspot *h, struct vm_counts *out);

#endif
