/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* JDK 8's tables of references: chains of JNIHandleBlocks. */
#ifndef JNITRACE_HOTSPOT_CHAINS_H
#define JNITRACE_HOTSPOT_CHAINS_H

#include "runtime/hotspot/hotspot.h"

/* Are the tables of references chains? */
bool hotspot_has_chains(const struct hotspot *h);
/*
 * The handles in use of the chain at first, added to out; each slot as it was at some moment of the reading.
 * -EAGAIN: a collection came between, or the layout is not proven yet and this reading contradicts it.
 */
int hotspot_chain_blocks(struct hotspot *h, uint64_t first, struct handle_blocks *out);

#endif
