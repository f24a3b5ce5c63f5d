/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How large the handles of pairs are (bpf/books/pair_calls.bpf.h). */
#include "kernel/map_walk.h"
#include "kernel/tracer_priv.h"

static int take_more(const void *key, const void *value, void *of)
{
	const struct pair_more_key *k = key;
	uint32_t target_id = ref_target_id(k->tag);
	struct snapshots *all = of;
	struct snapshot_site *site =
	    target_id < JT_MAX_TARGETS ? snapshot_site_of(&all->of[target_id], k->site) : NULL;

	if (site)
		site->pinned_bytes += ((const struct pair_more *)value)->bytes;
	return 0;
}

int snapshot_pairs(struct tracer *t, struct snapshots *all)
{
	for (uint32_t f = NR_JNI_FUNCS; f < t->catalog->nr_funcs; f++)
		if (t->catalog->funcs[f].size != HANDLE_NONE &&
		    t->families_seen >> func_family(t->catalog, f) & 1)
			return map_walk(t->skel->maps.pair_mores, take_more, all);
	return 0;
}
