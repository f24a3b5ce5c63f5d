/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a call of the families monitor and thread does to the books (threads.bpf.h) and to the counts. */
#ifndef JNITRACE_THREAD_CALLS_BPF_H
#define JNITRACE_THREAD_CALLS_BPF_H

#include "books/threads.bpf.h"

/* At the entry: the return does not know the argument any more. */
static __always_inline void thread_call_begin(struct pt_regs *ctx, const struct rule *r)
{
	u64 key = call_key(ctx, r), argument = 0;

	if (r->handle.kind == LOC_NONE || loc_read(ctx, &r->handle, &argument))
		return;
	if (bpf_map_update_elem(&thread_calls, &key, &argument, BPF_ANY))
		drop(r->target_id, DROP_CALLS_FULL);
}

/* Its argument; 0: none, or not known. */
static __always_inline u64 thread_call_end(struct pt_regs *ctx, const struct rule *r)
{
	u64 key = call_key(ctx, r), *begun = bpf_map_lookup_elem(&thread_calls, &key), argument;

	if (!begun)
		return 0; /* entered before the gate was opened */
	argument = *begun;
	bpf_map_delete_elem(&thread_calls, &key);
	return argument;
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

/* A thread ends or detaches itself. at: where, 0: nobody's call. Who detaches leaves the monitors to the VM.
 */
static __always_inline void end_monitors(u32 target_id, const struct thread_books *b, u32 at, bool released)
{
	u32 key = target_id * nr_funcs + FUNC_MonitorEnter;
	struct func_counts *fc = bpf_map_lookup_elem(&func_counts, &key);

	for (u32 i = 0; i < JT_MAX_HELD; i++) {
		struct site_counts *sc;

		if (i >= b->nr_held || !fc)
			break;
		finding(target_id, FINDING_MONITOR_AT_END, at, b->held[i].site, 0, b->held[i].handle);
		if (!released)
			continue;
		__sync_fetch_and_add(&fc->replaced, 1);
		sc = site_counts_of(b->held[i].site);
		if (sc)
			__sync_fetch_and_add(&sc->unpaired, 1);
	}
}

static __always_inline void thread_attached(struct pt_regs *ctx, const struct rule *r, u32 site,
					    struct func_counts *fc)
{
	struct thread_books *b = books_of(r->target_id, current_tid(), true);
	u64 pc = 0;

	count_acquired(site, fc, b && site);
	if (!b || !site)
		return;
	loc_read(ctx, &r->caller_pc, &pc);
	b->module = module_of(r->target_id, pc);
	b->by_vm = is_vm_code(r->target_id, pc);
	b->site = site;
	b->tick = now_tick();
	b->attached = 1;
}

static __always_inline void thread_detached(struct pt_regs *ctx, const struct rule *r, u32 site,
					    struct thread_books *b, struct func_counts *fc)
{
	struct books_key key = {.target_id = r->target_id, .tid = current_tid()};
	u64 pc = 0, module;

	loc_read(ctx, &r->caller_pc, &pc);
	module = module_of(r->target_id, pc);
	count_released(b->site, fc);
	if (b->site && b->module && module && b->module != module)
		finding(r->target_id, FINDING_FOREIGN_DETACH, site, b->site, 0, 0);
	end_monitors(r->target_id, b, site, true);
	bpf_map_delete_elem(&threads, &key);
}

/* Does this call change whether the thread is attached? env_at: JNIEnv**; b: its books, or NULL. */
static __always_inline bool thread_changes(const struct rule *r, u64 env_at, const struct thread_books *b)
{
	u64 env = 0;

	if (r->operation == OP_RELEASE)
		return b && b->attached;
	if (b && b->attached)
		return false;
	if (bpf_probe_read_user(&env, sizeof(env), (void *)env_at) || has_java_frames(r->target_id, env))
		return false;
	thread_env_keep(env); /* for the walk */
	return true;
}

#endif
