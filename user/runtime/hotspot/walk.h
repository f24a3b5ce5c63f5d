/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the BPF walker of Java frames has to know of one HotSpot VM (struct java_config, bpf/border/shared.h).
 */
#ifndef JNITRACE_HOTSPOT_WALK_H
#define JNITRACE_HOTSPOT_WALK_H

#include "bpf/border/shared.h"
#include "model/plan.h"
#include "runtime/hotspot/hotspot.h"

/*
 * Fill in out from the VM's tables; what they do not export is derived and checked. generation and cache are
 * left 0: who attaches knows. 0; -EAGAIN, err untouched, while the VM is still starting; -ENOENT or -EPROTO
 * with the reason when something cannot be proven: then out->on is 0 and stacks have native frames only.
 */
int hotspot_walk(const struct hotspot *h, struct java_config *out, struct error *err);

/* The anchors (JavaThread::_anchor) of all threads that have one now, at most cap. */
size_t hotspot_anchors(const struct hotspot *h, const struct java_config *c, struct frame_anchor *out,
		       size_t cap);
/* How references in fields are compressed (UseCompressedOops): base + (field << shift). */
bool hotspot_compressed_oops(const struct hotspot *h, uint64_t *base, uint8_t *shift);

#endif
