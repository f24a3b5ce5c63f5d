/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What this kernel can do, asked by trying and not by version. */
#ifndef JNITRACE_KERNEL_FEATURES_H
#define JNITRACE_KERNEL_FEATURES_H

#include <stdbool.h>

#include "base/util.h"

struct features {
	bool uprobe_multi; /* links of many probes, with a process filter that covers all threads */
	int nr_cpus;       /* possible CPUs: how many values a per-CPU map element has */
	int cpu_ids;       /* their numbers are below it: some may be of none */
};
/* 0, or -errno with err: no permission for BPF (exit 3), no BTF, no uprobes. */
int features_detect(struct features *out, struct error *err);
/* Its parts, which say what is missing one by one. Each: 0, or -errno with err. */
int features_check_bpf(struct error *err);
int features_check_btf(struct error *err);
int features_check_uprobes(struct error *err);
/* The version of libbpf that this runs with, and whether it was built for links of many probes. */
const char *features_libbpf(void);
bool features_built_multi(void);

#endif
