/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the probes take of a target, held against --budget where it is taken: a storm of calls is let go when
 * it has had what it may, whether or not the loader gets a turn. The loader says what a call costs
 * (user/kernel/spending.c), looks at all of it closer (user/judge/regulator.h), and removes the probes.
 */
#ifndef JNITRACE_SPENDING_BPF_H
#define JNITRACE_SPENDING_BPF_H

#include "maps.bpf.h"

#define SPEND_TRIES 8 /* others spend at the same time */

static __always_inline u32 charge_key(u32 target_id, u32 func)
{
	u32 uses = checking ? NR_USE_FUNCS : 0, row = func < NR_FUNCS ? func : func - NR_FUNCS + nr_funcs;

	return target_id * (nr_funcs + uses) + row;
}

/* CHARGED_CALLS calls of the function. A global function: verified once. */
__noinline int spend(u32 target_id, u32 func)
{
	u32 key = charge_key(target_id, func), *charge = bpf_map_lookup_elem(&charges, &key);
	struct target_state *t = bpf_map_lookup_elem(&targets, &target_id);
	struct spending *s = &spending[target_id & (JT_MAX_TARGETS - 1)];
	u64 now = bpf_ktime_get_ns(), until = 0;

	if (!charge || !t)
		return 0;
	for (int i = 0; i < SPEND_TRIES; i++) {
		u64 before = *(volatile u64 *)&s->until_ns;

		until = (before > now ? before : now) + *charge * 1000ULL;
		if (__sync_val_compare_and_swap(&s->until_ns, before, until) != before)
			continue;
		if (before <= now)
			s->since_ns = now;
		break;
	}
	if (until <= now + s->window_ns ||
	    __sync_val_compare_and_swap(&t->gate, GATE_OPEN, GATE_OVER) != GATE_OPEN)
		return 0;
	s->over_ns = now;
	key = JT_OVER_SPENT;
	bpf_ringbuf_output(&code_changes, &key, sizeof(key), 0); /* the loader wakes */
	return 0;
}

/* A call more; calls: of the function, on this CPU. */
static __always_inline void count_call(const struct rule *r, u64 *calls)
{
	u64 before = __sync_fetch_and_add(calls, 1);

	if (budgeted && before % CHARGED_CALLS == CHARGED_CALLS - 1)
		spend(r->target_id, r->func);
}

#endif
