/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where the handles of a running HotSpot lie: the blocks of its global and weak tables. Read while the VM
 * goes on: a snapshot is near the truth, never exact unless the VM is at rest.
 */
#ifndef JNITRACE_HOTSPOT_BLOCKS_H
#define JNITRACE_HOTSPOT_BLOCKS_H

#include "model/census.h"
#include "runtime/hotspot/hotspot.h"

/*
 * The blocks of one table; the caller frees out->v. -EAGAIN: not proven yet where they are (call
 * hotspot_counts first), or they changed faster than they could be read.
 */
int hotspot_handle_blocks(struct hotspot *h, enum vm_table table, struct handle_blocks *out);

#endif
