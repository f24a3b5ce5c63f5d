/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Critical sections: which threads are inside one, and who waits for them to end. */
#ifndef JNITRACE_CRITICAL_BPF_H
#define JNITRACE_CRITICAL_BPF_H

#include "books/findings.bpf.h"
#include "border/pins.h"
#include "maps.bpf.h"
#include "walk/task.bpf.h"

#define MAX_CRITICALS (1 << 14) /* threads inside one at one moment */
#define MAX_STALLED   (1 << 14)

MAP_HASH(criticals, MAX_CRITICALS, u64, struct critical); /* by thread */
MAP_HASH(stalls, MAX_STALLED, u64, struct stall);         /* by thread */
MAP_HASH(stalled, MAX_STALLED, struct stalled_key, struct stalled);

/* While 0 there is no need to look: they grow before an entry is there, and shrink after it is gone. */
u32 criticals_open, stalls_open;

/* The site of the critical section that the running thread is in; 0: in none. */
static __always_inline u32 critical_site(void)
{
	struct critical *c;
	u64 thread;

	if (!criticals_traced || !*(volatile u32 *)&criticals_open)
		return 0;
	thread = bpf_get_current_pid_tgid();
	c = bpf_map_lookup_elem(&criticals, &thread);
	return c ? c->site : 0;
}

/*
 * Inside a section a thread calls a Get or Release function: on its way into the VM it is stopped while a
 * safepoint lasts (JDK: runtime/interfaceSupport.inline.hpp, ThreadInVMfromNative), which is no fault of the
 * section's.
 */
static __always_inline void critical_call_begin(struct critical *c, u64 now)
{
	struct task_struct *task = bpf_get_current_task_btf();

	c->vm_since_ns = now;
	c->vm_cpu_wait_ns = cpu_wait_ns();
	c->vm_run_ns = task->se.sum_exec_runtime;
	c->vm_sleeps = task->nvcsw;
}

/*
 * The thread's next event. Where it has slept since, it was stopped for the time that it neither waited for a
 * CPU nor ran for sure: what it had run when it called is known by ticks.
 */
static __always_inline void critical_call_end(struct critical *c, u64 now)
{
	struct task_struct *task = bpf_get_current_task_btf();
	u64 since = c->vm_since_ns, run, awake;

	c->vm_since_ns = 0;
	if (!since || task->nvcsw == c->vm_sleeps)
		return;
	run = task->se.sum_exec_runtime - c->vm_run_ns;
	awake = cpu_wait_ns() - c->vm_cpu_wait_ns + (run > JT_LONGEST_TICK_NS ? run - JT_LONGEST_TICK_NS : 0);
	if (now - since > awake)
		c->vm_ns += now - since - awake;
}

/* At the entry of a Get function of critical sections. */
static __always_inline void critical_get(void)
{
	u64 thread = bpf_get_current_pid_tgid();
	struct critical *c;

	if (!*(volatile u32 *)&criticals_open)
		return;
	c = bpf_map_lookup_elem(&criticals, &thread);
	if (c)
		critical_call_begin(c, bpf_ktime_get_ns());
}

/* The site of the section that this one is a part of; 0: it is the thread's first. */
static __always_inline u32 critical_enter(u32 target_id, u32 site, u64 now)
{
	u64 thread = bpf_get_current_pid_tgid();
	struct task_struct *task = bpf_get_current_task_btf();
	struct critical first = {.start_ns = now, .site = site, .target_id = target_id, .depth = 1};
	struct critical *c = bpf_map_lookup_elem(&criticals, &thread);

	if (c) {
		critical_call_end(c, now);
		c->depth++;
		return c->site;
	}
	first.cpu_wait_ns = cpu_wait_ns();
	first.run_ns = task->se.sum_exec_runtime;
	first.tid = current_tid();
	__sync_fetch_and_add(&criticals_open, 1);
	if (!bpf_map_update_elem(&criticals, &thread, &first, BPF_NOEXIST))
		return 0;
	__sync_fetch_and_sub(&criticals_open, 1);
	drop(target_id, DROP_PINS_FULL);
	return 0;
}

/* A section that has ended. */
struct section {
	u64 start_ns, now;
	u64 cpu_wait_ns; /* of that time */
	u64 vm_ns;       /* of that time, too: stopped by the VM */
	u32 site, target_id;
};

/* An element that is deleted meanwhile may be another thread's at once: a copy is one's own. */
static __always_inline bool stall_copy(const u64 *thread, const struct stall *s, struct stall *copy)
{
	u64 key = *thread;
	struct stall *now;

	*copy = *s;
	barrier();
	now = bpf_map_lookup_elem(&stalls, &key);
	return now && now->since_ns == copy->since_ns && now->tid == copy->tid;
}

/* One thread waited while a section was held: since one of them began. */
static long add_stall(void *map __attribute__((unused)), const u64 *thread, struct stall *at,
		      struct section *w)
{
	struct stalled *known, first = {.target_id = w->target_id};
	struct stall s;
	struct stalled_key key = {.site = w->site};
	u64 since, ns;

	if (!stall_copy(thread, at, &s))
		return 0;
	since = s.since_ns > w->start_ns ? s.since_ns : w->start_ns;
	ns = w->now - since;
	if (s.target_id != w->target_id || since >= w->now)
		return 0;
	key.tid = s.tid;
	known = bpf_map_lookup_elem(&stalled, &key);
	if (!known) {
		__builtin_memcpy(first.comm, s.comm, sizeof(first.comm));
		bpf_map_update_elem(&stalled, &key, &first, BPF_NOEXIST);
		known = bpf_map_lookup_elem(&stalled, &key);
	}
	if (!known) {
		drop(w->target_id, DROP_PINS_FULL);
		return 0;
	}
	__sync_fetch_and_add(&known->times, 1);
	__sync_fetch_and_add(&known->ns, ns);
	__sync_fetch_and_add(&known->own_ns, ns - (ns < w->cpu_wait_ns ? ns : w->cpu_wait_ns));
	raise_to(&known->max_ns, ns);
	return 0;
}

static __always_inline void critical_forget(u64 thread)
{
	if (!bpf_map_delete_elem(&criticals, &thread))
		__sync_fetch_and_sub(&criticals_open, 1);
}

/* Does the thread's section end? Then: which was it, and whom has it kept waiting? */
static __always_inline bool critical_leave(u32 target_id, u64 now, struct section *out)
{
	u64 thread = bpf_get_current_pid_tgid();
	struct critical *c = bpf_map_lookup_elem(&criticals, &thread);

	if (!c)
		return false;
	critical_call_end(c, now);
	if (--c->depth) {
		critical_call_begin(c, now);
		return false;
	}
	out->now = now;
	out->target_id = target_id;
	out->start_ns = c->start_ns;
	out->cpu_wait_ns = cpu_wait_ns() - c->cpu_wait_ns;
	out->vm_ns = c->vm_ns;
	out->site = c->site;
	critical_forget(thread);
	if (*(volatile u32 *)&stalls_open)
		bpf_for_each_map_elem(&stalls, add_stall, out, 0);
	return true;
}

static __always_inline void stall_forget(u64 thread)
{
	if (!bpf_map_delete_elem(&stalls, &thread))
		__sync_fetch_and_sub(&stalls_open, 1);
}

/* The running thread ends: its id may be another's soon. */
static __always_inline void critical_thread_end(u32 target_id)
{
	u64 thread = bpf_get_current_pid_tgid();
	struct critical *c = bpf_map_lookup_elem(&criticals, &thread);

	if (c)
		finding(target_id, FINDING_CRITICAL_AT_END, 0, c->site, 0, 0);
	critical_forget(thread);
	stall_forget(thread);
}

static __always_inline void stall_begin(u32 target_id, u32 tid)
{
	u64 thread = bpf_get_current_pid_tgid();
	struct stall first = {.target_id = target_id, .tid = tid, .depth = 1}, *s;

	s = bpf_map_lookup_elem(&stalls, &thread);
	if (s) {
		s->depth++;
		return;
	}
	bpf_get_current_comm(first.comm, sizeof(first.comm));
	first.since_ns = bpf_ktime_get_ns();
	__sync_fetch_and_add(&stalls_open, 1);
	if (!bpf_map_update_elem(&stalls, &thread, &first, BPF_NOEXIST))
		return;
	__sync_fetch_and_sub(&stalls_open, 1);
	drop(target_id, DROP_PINS_FULL);
}

static __always_inline void stall_end(void)
{
	u64 thread = bpf_get_current_pid_tgid();
	struct stall *s = bpf_map_lookup_elem(&stalls, &thread);

	if (!s || --s->depth)
		return;
	stall_forget(thread);
}

#endif
