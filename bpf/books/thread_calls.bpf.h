/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a call of the families monitor and thread does to the books (threads.bpf.h) and to the counts. */
#ifndef JNITRACE_THREAD_CALLS_BPF_H
#define JNITRACE_THREAD_CALLS_BPF_H

#include "books/envs.bpf.h"
#include "books/threads.bpf.h"

/* At the entry: the return does not know the argument any more. */
static __always_inline void thread_call_begin(struct pt_regs *ctx, const struct rule *r)
{
	struct thread_call call = {0};
	u64 key = call_key(ctx, r);

	if (r->family == FAMILY_THREAD)
		call.start_ns = bpf_ktime_get_ns();
	else if (r->handle.kind == LOC_NONE)
		return;
	if (r->handle.kind != LOC_NONE && loc_read(ctx, &r->handle, &call.argument))
		return;
	if (r->family == FAMILY_MONITOR && r->operation == OP_RELEASE)
		call.identity = monitor_identity(r->target_id, call.argument);
	if (bpf_map_update_elem(&thread_calls, &key, &call, BPF_ANY) && r->handle.kind != LOC_NONE)
		drop(r->target_id, DROP_CALLS_FULL);
}

/* All zero: it is not known. */
static __always_inline void thread_call_end(struct pt_regs *ctx, const struct rule *r,
					    struct thread_call *out)
{
	u64 key = call_key(ctx, r);
	struct thread_call *begun = bpf_map_lookup_elem(&thread_calls, &key);

	if (!begun)
		return; /* entered before the gate was opened */
	*out = *begun;
	bpf_map_delete_elem(&thread_calls, &key);
	if (out->start_ns)
		out->took_ns = bpf_ktime_get_ns() - out->start_ns;
}

static __always_inline void count_acquired(u32 site, struct func_counts *fc, bool kept)
{
	struct site_counts *sc = site_counts_of(site);

	if (!kept)
		__sync_fetch_and_add(&fc->unpaired, 1);
	if (!sc)
		return;
	__sync_fetch_and_add(&sc->acquired, 1);
	if (!kept)
		__sync_fetch_and_add(&sc->unpaired, 1);
}

static __always_inline void count_released(u32 acquired_at, struct func_counts *fc)
{
	struct site_counts *sc = site_counts_of(acquired_at);

	if (!acquired_at)
		__sync_fetch_and_add(&fc->unpaired, 1);
	else if (sc)
		__sync_fetch_and_add(&sc->released, 1);
}

static __always_inline void thread_attached(struct pt_regs *ctx, const struct rule *r, u32 site,
					    const struct thread_call *call, struct func_counts *fc)
{
	struct thread_books *b = books_of(r, true);
	u64 pc = 0;

	count_acquired(site, fc, b && site);
	if (!b || !site)
		return;
	loc_read(ctx, &r->caller_pc, &pc);
	b->module = calling_module(r->target_id, r->func, pc);
	b->by_vm = is_vm_code(r->target_id, pc);
	b->site = site;
	b->tick = now_tick();
	b->attached = 1;
	b->call_ns = call->took_ns;
	if (b->lives)
		churn_again(r->target_id, b);
}

/* The VM exits the monitors. The books stay: it may attach again. */
static __always_inline void thread_detached(struct pt_regs *ctx, const struct rule *r, u32 site,
					    struct thread_books *b, const struct thread_call *call,
					    struct func_counts *fc)
{
	u32 entered = r->target_id * nr_funcs + FUNC_MonitorEnter;
	struct func_counts *enter = bpf_map_lookup_elem(&func_counts, &entered);
	u64 pc = 0, module;

	loc_read(ctx, &r->caller_pc, &pc);
	module = calling_module(r->target_id, r->func, pc);
	count_released(b->site, fc);
	if (b->site && b->module && module && b->module != module)
		finding(r->target_id, FINDING_FOREIGN_DETACH, site, b->site, 0, 0);
	churn_pair(b, call->took_ns);
	life_ends_with_monitors(r->target_id, b, site, true);
	if (enter)
		__sync_fetch_and_add(&enter->replaced, b->nr_held);
	b->attached = b->site = b->nr_held = 0;
	b->lives++;
	b->life = life_begin();
}

/* Does this call change whether the thread is attached? env_at: JNIEnv**; b: its books, or NULL. */
static __always_inline bool thread_changes(const struct rule *r, u64 env_at, const struct thread_books *b)
{
	u64 env = 0;

	if (r->operation == OP_RELEASE)
		return b && (b->attached || b->nr_held); /* the VM exits its monitors, whoever attached it */
	if (b && b->attached)
		return false;
	if (bpf_probe_read_user(&env, sizeof(env), (void *)env_at) || is_vm_thread(r->target_id, env))
		return false;
	thread_env_keep(env); /* for the walk */
	if (checking)         /* whose it is: others may use it before this thread does */
		env_own(r->target_id, env);
	return true;
}

#endif
