/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the programs hold against --budget themselves. See bpf/books/spending.bpf.h. */
#include <bpf/bpf.h>
#include <time.h>

#include "base/util.h"
#include "kernel/tracer_priv.h"

static uint32_t charge_key(const struct tracer *t, int target_id, enum func_id f)
{
	uint32_t uses = t->skel->rodata->checking ? NR_USE_FUNCS : 0, nr_funcs = t->catalog->nr_funcs;

	return (uint32_t)target_id * (nr_funcs + uses) + (f < NR_FUNCS ? f : f - NR_FUNCS + nr_funcs);
}

void tracer_may_spend(struct tracer *t, int target_id, double share, double at_once_ns)
{
	t->traced[target_id].may_take = share;
	t->skel->bss->spending[target_id] = (struct spending){.window_ns = (uint64_t)(at_once_ns / share)};
}

void tracer_charge(struct tracer *t, int target_id, enum func_id f, double ns)
{
	double us = CHARGED_CALLS * ns / t->traced[target_id].may_take / 1e3;
	uint32_t key = charge_key(t, target_id, f), charge = us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;

	bpf_map_update_elem(bpf_map__fd(t->skel->maps.charges), &key, &charge, BPF_ANY);
}

bool tracer_has_overspent(const struct tracer *t, int target_id)
{
	return __atomic_load_n(&t->skel->bss->spending[target_id].over_ns, __ATOMIC_ACQUIRE);
}

uint64_t tracer_spends_since(const struct tracer *t, int target_id, uint64_t *until_ns)
{
	const struct spending *s = &t->skel->bss->spending[target_id];

	*until_ns = __atomic_load_n(&s->over_ns, __ATOMIC_ACQUIRE) ?: clock_ns(CLOCK_MONOTONIC);
	return s->since_ns;
}
