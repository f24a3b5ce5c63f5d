/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Counts of one target by function, and what was lost. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/tracer_priv.h"

/* Programs skipped by the kernel because one was running on the same CPU already. */
static uint64_t recursion_misses(const struct tracer *t)
{
	struct bpf_program *p;
	uint64_t sum = 0;

	bpf_object__for_each_program (p, t->skel->obj) {
		struct bpf_prog_info info = {0};
		__u32 n = sizeof(info);

		if (!bpf_obj_get_info_by_fd(bpf_program__fd(p), &info, &n))
			sum += info.recursion_misses;
	}
	return sum;
}

static int read_use(struct tracer *t, uint32_t target_id, uint32_t func, uint64_t *calls)
{
	uint64_t *by_cpu = calloc(t->features.nr_cpus, sizeof(*by_cpu));
	uint32_t key = use_key(target_id, func);
	int rc = by_cpu ? bpf_map_lookup_elem(bpf_map__fd(t->skel->maps.use_counts), &key, by_cpu) : -ENOMEM;

	for (int cpu = 0; !rc && cpu < t->features.nr_cpus; cpu++)
		*calls += by_cpu[cpu];
	free(by_cpu);
	return rc;
}

int tracer_counts(struct tracer *t, int target_id, struct target_counts *out, struct error *err)
{
	size_t per_cpu = t->features.nr_cpus;
	struct func_counts *fc = calloc(per_cpu, sizeof(*fc));
	uint64_t *drops = calloc(per_cpu, sizeof(*drops));
	int rc = fc && drops ? 0 : -ENOMEM;

	memset(out, 0, sizeof(*out));
	memcpy(out->probed, t->traced[target_id].probed, sizeof(out->probed));
	for (uint32_t f = 1; !rc && f < t->catalog->nr_funcs; f++) {
		uint32_t key = target_id * t->catalog->nr_funcs + f;

		if (!out->probed[f])
			continue;
		rc = bpf_map_lookup_elem(bpf_map__fd(t->skel->maps.func_counts), &key, fc);
		for (size_t cpu = 0; !rc && cpu < per_cpu; cpu++) {
			out->funcs[f].calls += fc[cpu].calls;
			out->funcs[f].nulls += fc[cpu].nulls;
			out->funcs[f].unpaired += fc[cpu].unpaired;
			out->funcs[f].replaced += fc[cpu].replaced;
			out->funcs[f].kept += fc[cpu].kept;
		}
		out->funcs[f].unpaired += t->traced[target_id].let_go[f];
		out->funcs[f].replaced += t->traced[target_id].buried[f];
	}
	for (uint32_t f = NR_FUNCS; !rc && f < NR_ALL_FUNCS; f++)
		if (out->probed[f])
			rc = read_use(t, (uint32_t)target_id, f, &out->funcs[f].calls);
	for (uint32_t d = 0; !rc && d < NR_DROPS; d++) {
		uint32_t key = target_id * NR_DROPS + d;

		rc = bpf_map_lookup_elem(bpf_map__fd(t->skel->maps.drops), &key, drops);
		for (size_t cpu = 0; !rc && cpu < per_cpu; cpu++)
			out->drops[d] += drops[cpu];
	}
	free(fc);
	free(drops);
	if (rc)
		return error_set(err, rc, EXIT_FAILED, "read the counters", NULL, "%s", strerror(-rc));
	out->drops[DROP_PROG_MISSED] += recursion_misses(t);
	out->drops[DROP_FINDINGS_FULL] += t->traced[target_id].findings_lost;
	out->drops[DROP_SITES_MISSING] += t->traced[target_id].sites_missing;
	return 0;
}
