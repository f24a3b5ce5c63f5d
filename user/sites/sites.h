/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Where to probe: for each JNI function the cheapest safe site, by an ordered list of strategies. */
#ifndef JNITRACE_SITES_H
#define JNITRACE_SITES_H

#include "arch/insn.h"
#include "base/util.h"
#include "bpf/border/shared.h"
#include "elf/elf.h"
#include "proc/proc.h"
#include "runtime/runtime.h"

enum site_strategy {
	STRATEGY_USDT,
	STRATEGY_SYMTAB,
	STRATEGY_DEBUGFILE,
	STRATEGY_FUNCTION_TABLE,
	NR_STRATEGIES
};
extern const char
    *const site_strategy_names[NR_STRATEGIES]; /* "usdt", "symtab", "debugfile", "function-table" */

enum site_point {
	POINT_ENTRY,  /* uprobe before the function has done its work; handle says where the argument is then
		       */
	POINT_RETURN, /* uprobe inside the function after the handle is known (USDT) */
	POINT_URETPROBE, /* return probe of the kernel */
	NR_POINTS
};

struct probe_site {
	enum jni_func_id func;
	enum site_point point;
	enum site_strategy strategy;
	uint64_t offset; /* in the library's file, bytes */
	uint64_t vaddr;  /* link-time address */
	struct insn insn;
	struct loc handle, object, extra, caller_pc, caller_fp, caller_cfa, env; /* see struct rule */
};
/* A function whose references --check does not see. */
struct probe_unseen {
	enum jni_func_id func;
	const char *why;
};
struct probe_sites {
	struct probe_site *v;
	size_t n, cap;
	struct handle_kinds handle_kinds;
	uint64_t missing; /* functions of this VM for which no site was found */
	struct {
		struct probe_unseen *v;
		size_t n, cap;
	} unseen;
	struct buf
	    notes; /* lines for --verbose: what is missing and why, strategies that disagree; "" mostly */
};
/* What the user pays: "emulated", "single-step" or "uretprobe". */
const char *probe_site_cost(const struct probe_site *s);
/* What its trap adds to a call, about; a return probe's includes the function's entry. */
int probe_site_price_ns(const struct probe_site *s);
/* "entry" or "return" */
const char *probe_site_operation(const struct probe_site *s);

struct site_request {
	pid_t pid;
	const struct vm_file *file; /* the library */
	struct vm *vm;              /* may be NULL: then no function-table strategy */
	uint32_t families;          /* bit per enum jni_family */
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
