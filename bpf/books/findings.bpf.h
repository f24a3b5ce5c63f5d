/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Findings: what was used wrongly, how often, and from which three call sites. */
#ifndef JNITRACE_FINDINGS_BPF_H
#define JNITRACE_FINDINGS_BPF_H

#include "maps.bpf.h"

#define MAX_FINDINGS 4096 /* different ones, of all targets */

MAP_HASH(findings, MAX_FINDINGS, struct finding_key, struct finding);

/* A global function, verified once: its keys are not on its callers' stacks. what: kind << 16 | target. */
__noinline int finding_add(u32 what, u32 site, u32 acquire_site, u32 release_site, u64 handle)
{
	struct finding_key key = {
	    .site = site,
	    .acquire_site = acquire_site,
	    .release_site = release_site,
	    .target_id = (u16)what,
	    .kind = what >> 16,
	};
	struct finding *known = bpf_map_lookup_elem(&findings, &key);
	u32 tick = bpf_jiffies64() >> JT_TICK_SHIFT;

	if (!known) {
		struct finding first = {.handle = handle, .first_tick = tick};

		bpf_map_update_elem(&findings, &key, &first, BPF_NOEXIST); /* or another CPU did */
		known = bpf_map_lookup_elem(&findings, &key);
	}
	if (!known) {
		drop((u16)what, DROP_FINDINGS_FULL);
		return 0;
	}
	known->last_tick = tick;
	__sync_fetch_and_add(&known->count, 1);
	return 0;
}

/*
 * Count a finding. site: where it was seen; acquire_site, release_site: where the reference was acquired and
 * (first) released; all by site_of(), 0: not known. handle: an example.
 */
static __always_inline void finding(u16 target_id, enum finding_kind kind, u32 site, u32 acquire_site,
				    u32 release_site, u64 handle)
{
	finding_add((u32)kind << 16 | target_id, site, acquire_site, release_site, handle);
}

/* The same finding's most, if that is more than was known. */
static __always_inline void finding_most(u16 target_id, enum finding_kind kind, u32 site, u64 most)
{
	struct finding_key key = {.site = site, .target_id = target_id, .kind = kind};
	struct finding *known = bpf_map_lookup_elem(&findings, &key);

	if (known)
		raise_to(&known->most, most);
}

#endif
