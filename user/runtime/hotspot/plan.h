/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the probes must know of a HotSpot VM, part by part: struct target_plan. */
#ifndef JNITRACE_HOTSPOT_PLAN_H
#define JNITRACE_HOTSPOT_PLAN_H

#include "model/plan.h"
#include "runtime/hotspot/oops.h"
#include "runtime/runtime.h"

/* Each moves its part on from PLAN_NOT_YET, as far as can be proven now. */
void hotspot_plan_walk(const struct hotspot *h, const struct vm_file *file, struct plan_walk *out);
void hotspot_plan_objects(const struct oop_reader *r, struct plan_objects *out);
void hotspot_plan_waits(const struct hotspot *h, const struct vm_file *file, struct plan_waits *out);
void hotspot_plan_threads(struct hotspot *h, struct plan_threads *out);

#endif
