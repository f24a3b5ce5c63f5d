/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A place in a library that is probed, and all of one target's, as plain data (made by sites/sites.c). */
#ifndef JNITRACE_PROBE_SITE_H
#define JNITRACE_PROBE_SITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/util.h"
#include "bpf/border/shared.h"
#include "model/catalog.h"
#include "model/plan.h"

enum site_strategy {
	STRATEGY_USDT,
	STRATEGY_SYMTAB,
	STRATEGY_DEBUGFILE,
	STRATEGY_FUNCTION_TABLE,
	NR_STRATEGIES
};
/* "usdt", "symtab", "debugfile", "function-table" */
extern const char *const site_strategy_names[NR_STRATEGIES];

enum site_point {
	POINT_ENTRY,  /* uprobe before the function has done its work; handle says where the argument is then
		       */
	POINT_RETURN, /* uprobe inside the function after the handle is known (USDT) */
	POINT_URETPROBE, /* return probe of the kernel */
	NR_POINTS
};

struct probe_site {
	enum func_id func;
	enum site_point point;
	enum site_strategy strategy;
	const char *path; /* of that file, as the target sees it; NULL: its runtime's. Not owned */
	uint8_t file;     /* number of the file, of those of the target */
	uint64_t offset;  /* in the file, bytes */
	uint64_t vaddr;   /* link-time address */
	const char *insn; /* name of the instruction there, lives for ever; NULL: unknown */
	bool is_shared;   /* other functions jump here: their calls are counted as this one's */
	bool single_step; /* the kernel cannot emulate it: a trap there costs about ten times as much */
	bool refused;     /* no probe could be put there */
	int price_ns; /* what the trap adds to a call, about; a return probe's includes the function's entry
		       */
	struct loc handle, object, extra, finalizer, caller_pc, caller_fp, caller_cfa,
	    env; /* see struct rule */
};
/* What the user pays: "emulated", "single-step" or "uretprobe". */
const char *probe_site_cost(const struct probe_site *s);
/* "entry" or "return" */
const char *probe_site_operation(const struct probe_site *s);

/* A function whose references --check does not see. */
struct probe_unseen {
	enum func_id func;
	const char *why;
};
/* Made by sites_resolve(), freed by sites_free(). */
struct probe_sites {
	const struct catalog *catalog; /* of their functions; not owned */
	struct probe_site *v;
	size_t n, cap;
	struct handle_kinds handle_kinds;
	bool whole;       /* they are attached before any of their functions is called */
	uint64_t missing; /* functions of this VM for which no site was found */
	struct {
		struct probe_unseen *v;
		size_t n, cap;
	} unseen;
	/* Lines for --verbose: what is missing and why, strategies that disagree; "" mostly. */
	struct buf notes;
};

#endif
