/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Local references, alive or not. See local_refs.h. */
#include "reconcile/local_refs.h"

#include <errno.h>
#include <stdlib.h>

#include "model/report.h"

static bool is_dead(const struct local_look *look, const struct tracer *t, const struct snapshot_ref *ref)
{
	if (look->gone)
		return true;
	if (vm_locals_state(&look->vm, ref->handle) != LOCAL_DEAD)
		return false;
	/* else it may be one that was made since the look, in the same slot and by the same site */
	if (!look->still && (int32_t)(ref->tick - look->tick) >= 0)
		return false;
	return tracer_holds(t, ref);
}

static void judge(const struct local_look *look, struct tracer *t, struct snapshot_ref *ref,
		  enum jni_func_id func, struct local_site *site)
{
	if (!look->gone && vm_locals_state(&look->vm, ref->handle) == LOCAL_LIVE) {
		if (!site->live++ || (int32_t)(ref->tick - site->oldest_tick) < 0)
			site->oldest_tick = ref->tick;
		return;
	}
	if (is_dead(look, t, ref)) {
		site->dead++;
		if (!look->gone && !look->still)
			tracer_bury(t, ref, func); /* from the next snapshot on counted as died */
	}
	ref->site = 0;
}

int local_refs_read(const struct local_look *look, struct tracer *t, struct snapshot *snapshot,
		    struct local_refs *out)
{
	struct local_site *v = calloc(snapshot->sites.n + 1, sizeof(*v));

	free(out->v);
	out->v = v;
	if (!v)
		return -ENOMEM;
	out->n = snapshot->sites.n;
	out->sum = (struct local_site){0};
	for (size_t i = 0; i < snapshot->refs.n; i++) {
		struct snapshot_ref *ref = &snapshot->refs.v[i];
		const struct snapshot_site *of = snapshot_site_of(snapshot, ref->site);

		if (of && jni_catalog.funcs[of->func].family == FAMILY_LOCAL)
			judge(look, t, ref, of->func, &v[of - snapshot->sites.v]);
	}
	for (size_t i = 0; i < out->n; i++) {
		out->sum.live += v[i].live;
		out->sum.dead += v[i].dead;
	}
	return 0;
}

void local_refs_free(struct local_refs *l)
{
	free(l->v);
	*l = (struct local_refs){0};
}
