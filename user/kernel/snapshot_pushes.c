/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The frames that PushLocalFrame was called for (bpf/books/frames.bpf.h). */
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "bpf/border/threads.h"
#include "kernel/map_walk.h"
#include "kernel/tracer_priv.h"

static int take_push(const void *key, const void *value, void *of)
{
	uint64_t tag = *(const uint64_t *)key;
	uint32_t target_id = ref_target_id(tag);
	struct snapshots *all = of;
	struct snapshot_push *v = target_id < JT_MAX_TARGETS ? VEC_ADD(&all->of[target_id].pushes) : NULL;

	if (target_id >= JT_MAX_TARGETS)
		return 0;
	if (!v)
		return -ENOMEM;
	v->outer = ref_handle(tag);
	memcpy(&v->push, value, sizeof(v->push));
	return 0;
}

int snapshot_pushes(struct tracer *t, struct snapshots *all)
{
	if (!(t->families_seen & catalog_families(t->catalog, KIND_BIT(KIND_LOCAL))))
		return 0;
	return map_walk(t->skel->maps.pushes, take_push, all);
}

bool tracer_holds_push(const struct tracer *t, int target_id, const struct snapshot_push *p)
{
	uint64_t tag = ref_tag((uint32_t)target_id, p->outer);
	struct push now;

	return !bpf_map_lookup_elem(bpf_map__fd(t->skel->maps.pushes), &tag, &now) &&
	       now.env == p->push.env && now.sp == p->push.sp && now.site == p->push.site &&
	       now.tick == p->push.tick;
}

void tracer_bury_push(struct tracer *t, int target_id, const struct snapshot_push *p)
{
	uint64_t tag = ref_tag((uint32_t)target_id, p->outer);

	if (tracer_holds_push(t, target_id, p))
		bpf_map_delete_elem(bpf_map__fd(t->skel->maps.pushes), &tag);
}
