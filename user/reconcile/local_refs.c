/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Local references, alive or not. See local_refs.h. */
#include "reconcile/local_refs.h"

#include <errno.h>
#include <stdlib.h>

#include "model/report.h"

static enum local_state state_of(const struct local_look *look, const struct snapshot_ref *ref)
{
	return vm_locals_state(&look->vm, vm_slot_of(look->of, ref->handle));
}

static bool is_dead(const struct local_look *look, const struct snapshot_ref *ref)
{
	if (look->gone)
		return true;
	if (state_of(look, ref) != LOCAL_DEAD)
		return false;
	/* else it may be one that was made since the look, in the same slot and by the same site */
	if (!look->still && (int32_t)(ref->tick - look->tick) >= 0)
		return false;
	return look->holds(look->store, ref);
}

static int judge(const struct local_look *look, const struct snapshot *s, size_t i, struct local_site *site,
		 struct corrections *found)
{
	const struct snapshot_ref *ref = &s->refs.v[i];

	if (!look->gone && state_of(look, ref) == LOCAL_LIVE) {
		if (!site->live++ || (int32_t)(ref->tick - site->oldest_tick) < 0)
			site->oldest_tick = ref->tick;
		return 0;
	}
	if (!is_dead(look, ref))
		return corrections_add(found, i, REF_UNKNOWN);
	site->dead++;
	return corrections_add(found, i, REF_DEAD);
}

int local_refs_read(const struct local_look *look, const struct snapshot *snapshot, struct local_refs *out,
		    struct corrections *found)
{
	struct local_site *v = calloc(snapshot->sites.n + 1, sizeof(*v));
	int rc = 0;

	free(out->v);
	*out = (struct local_refs){.v = v, .n = v ? snapshot->sites.n : 0};
	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < snapshot->refs.n && !rc; i++) {
		const struct snapshot_ref *ref = &snapshot->refs.v[i];
		const struct snapshot_site *of = snapshot_site_of(snapshot, ref->site);

		if (of && jni_catalog.funcs[of->func].family == FAMILY_LOCAL)
			rc = judge(look, snapshot, i, &v[of - snapshot->sites.v], found);
	}
	for (size_t i = 0; i < out->n; i++) {
		out->sum.live += v[i].live;
		out->sum.dead += v[i].dead;
	}
	return rc;
}

void local_refs_free(struct local_refs *l)
{
	free(l->v);
	*l = (struct local_refs){0};
}
