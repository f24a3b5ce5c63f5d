// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The floor of the benchmark: a probe that does nothing. */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("uprobe")
int empty(void *ctx __attribute__((unused)))
{
	return 0;
}
