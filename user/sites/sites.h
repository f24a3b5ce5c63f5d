/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Where to probe: for each JNI function the cheapest safe site, by an ordered list of strategies. */
#ifndef JNITRACE_SITES_H
#define JNITRACE_SITES_H

#include "base/util.h"
#include "bpf/border/shared.h"
#include "elf/elf.h"
#include "model/probe_site.h"
#include "proc/proc.h"
#include "runtime/runtime.h"

struct site_request {
	pid_t pid;
	const struct catalog *catalog;
	const struct vm_file *file; /* the library */
	struct vm *vm;              /* may be NULL: then no function-table strategy */
	uint32_t families;          /* bit per enum family_id */
	bool no_releases;           /* leave out functions that release */
	int only_strategy;          /* -1: all in order; else just this one (tests, --strategy) */
};
/*
 * 0 with out filled (missing > 0 when partial), -ENOENT with err when not a single function has a site.
 * -EAGAIN, err untouched: some are missing, but may be found once the VM has started. On failure out is
 * empty. A function that this VM's Java version does not have is not missing.
 */
int sites_resolve(const struct site_request *req, struct probe_sites *out, struct error *err);
void sites_free(struct probe_sites *s);

#endif
