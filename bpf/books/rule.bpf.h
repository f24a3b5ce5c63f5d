/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From an event to its rule: what fired, of which target, and whether that is to be counted. */
#ifndef JNITRACE_RULE_BPF_H
#define JNITRACE_RULE_BPF_H

#include "maps.bpf.h"
#include "walk/arch.bpf.h"
#include "walk/task.bpf.h"

/* The number of the rule of an event at a probe that is every process's. JT_MAX_RULES: not a target. */
static __always_inline u32 shared_rule(u64 cookie, u32 tgid)
{
	u32 *target_id = bpf_map_lookup_elem(&target_ids, &tgid),
	    key = target_id ? *target_id : JT_MAX_TARGETS;
	struct target_state *t = bpf_map_lookup_elem(&targets, &key);

	return t && t->file == COOKIE_FILE_OF(cookie) ? t->first_rule + (u32)cookie : JT_MAX_RULES;
}

/* NULL: no target's. */
static __always_inline struct rule *rule_at(struct pt_regs *ctx)
{
	u64 cookie = bpf_get_attach_cookie(ctx);
	u32 number = cookie;
	struct rule *r;

	if (COOKIE_FILE_OF(cookie)) {
		number = shared_rule(cookie, current_tgid());
		if (number == JT_MAX_RULES)
			return NULL;
	}
	r = bpf_map_lookup_elem(&rules, &number);
	if (r && r->valid)
		return r;
	drop(0, DROP_RULE_BAD);
	return NULL;
}

/* Are this target's events to be counted, and is this one its? others: it may be another process's. */
static __always_inline bool target_is_open(u32 target_id, bool others)
{
	struct target_state *t = bpf_map_lookup_elem(&targets, &target_id);

	return t && *(volatile u32 *)&t->gate == GATE_OPEN && (!others || t->tgid == current_tgid());
}

/*
 * The same of an event of this family, which may have been switched off while the target is traced. A global
 * function: verified once, not with all that comes behind it.
 */
__noinline int family_is_open(u32 target_id, u32 family, u32 others)
{
	if (!target_is_open(target_id, others))
		return 0;
	return !(*(volatile u32 *)&families_off[target_id & (JT_MAX_TARGETS - 1)] >> (family & 31) & 1);
}

/* The rule of this event, or NULL when it is not to be counted (not yet, no more, or another process's). */
static __always_inline struct rule *rule_of(struct pt_regs *ctx)
{
	struct rule *r = rule_at(ctx);

	return r && family_is_open(r->target_id, r->family, r->others) ? r : NULL;
}

/* Does jt_use look at the same call? What can be told of either is told there. */
static __always_inline bool is_used(const struct rule *r)
{
	return checking && r->has_use;
}

static __always_inline struct func_counts *counts_of(const struct rule *r)
{
	u32 key = r->target_id * nr_funcs + r->func;

	return bpf_map_lookup_elem(&func_counts, &key);
}

/*
 * A call under way, of a function whose entry and return are probed: by the address that the stack pointer
 * has after the return, and the target. Calls may nest, in any number of threads.
 */
static __always_inline u64 call_key(const struct pt_regs *ctx, const struct rule *r)
{
	return ref_tag(r->target_id, reg_read(ctx, r->caller_cfa.reg) + (s64)r->caller_cfa.offset_bytes);
}

#endif
