/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the BPF walker of Java frames has to know of one HotSpot VM (struct java_config, bpf/shared.h). */
#ifndef JNITRACE_HOTSPOT_WALK_H
#define JNITRACE_HOTSPOT_WALK_H

#include "../bpf/shared.h"
#include "elf.h"
#include "hotspot.h"
#include "util.h"

/* Places in libjvm that are passed before the VM frees code. */
#define MAX_CODE_FREES 4
struct code_frees {
	uint64_t vaddr[MAX_CODE_FREES]; /* link-time addresses of instructions that can be probed */
	size_t n; /* 0: none is known, so what code an address is must be looked up anew */
};
void hotspot_code_frees(const struct hotspot *h, struct code_frees *out);

/*
 * Fill in out from the VM's tables; what they do not export is derived and checked. generation and cache are
 * left 0: who attaches knows. 0; -EAGAIN, err untouched, while the VM is still starting; -ENOENT or -EPROTO
 * with the reason when something cannot be proven: then out->on is 0 and stacks have native frames only.
 */
int hotspot_walk(const struct hotspot *h, struct java_config *out, struct error *err);

#endif
