/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Who runs: process and thread ids as different pid namespaces number them. */
#ifndef JNITRACE_TASK_BPF_H
#define JNITRACE_TASK_BPF_H

#include <bpf/bpf_core_read.h>

#include "maps.bpf.h"

/* pid->numbers[level], with the kernel's size of an element, not that of our few fields. */
static __always_inline u64 upid_at(struct pid *pid, u32 level)
{
	return (u64)pid + bpf_core_field_offset(struct pid, numbers) +
	       level * bpf_core_type_size(struct upid);
}

/* A process or thread id as the pid namespace of that level numbers it. */
static __always_inline u32 pid_nr(struct pid *pid, u32 level)
{
	u32 nr = 0;

	bpf_probe_read_kernel(&nr, sizeof(nr),
			      (void *)(upid_at(pid, level) + bpf_core_field_offset(struct upid, nr)));
	return nr;
}

static __always_inline u64 pid_ns_of(struct pid *pid, u32 level)
{
	u64 ns = 0;

	bpf_probe_read_kernel(&ns, sizeof(ns),
			      (void *)(upid_at(pid, level) + bpf_core_field_offset(struct upid, ns)));
	return ns;
}

/* As the tracer's namespace numbers it; 0: it lives outside, perhaps in another one of the same depth. */
static __always_inline u32 pid_nr_seen(struct pid *pid)
{
	if (BPF_CORE_READ(pid, level) < pid_ns_level || pid_ns_of(pid, pid_ns_level) != pid_ns)
		return 0;
	return pid_nr(pid, pid_ns_level);
}

/* The running thread's process, as the tracer's namespace numbers it. */
static __always_inline u32 current_tgid(void)
{
	struct task_struct *task;

	if (!pid_ns_level)
		return bpf_get_current_pid_tgid() >> 32;
	task = (void *)bpf_get_current_task();
	return pid_nr_seen(BPF_CORE_READ(task, group_leader, thread_pid));
}

static __always_inline u32 current_tid(void)
{
	struct task_struct *task;

	if (!pid_ns_level)
		return bpf_get_current_pid_tgid();
	task = (void *)bpf_get_current_task();
	return pid_nr_seen(BPF_CORE_READ(task, thread_pid));
}

/* A number of the running thread's that no later thread of its id has; never 0. */
static __always_inline u32 thread_number(void)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return (u32)mix(bpf_get_current_pid_tgid() ^ mix(task->start_time)) | 1;
}

static __always_inline bool cpu_waits_known(void)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return bpf_core_field_exists(task->sched_info.run_delay); /* CONFIG_SCHED_INFO */
}

/*
 * How long the running thread has been ready to run but without a CPU, in its life; 0: not known. The
 * scheduler adds to it whenever the thread gets a CPU (kernel/sched/stats.h, sched_info_arrive()).
 */
static __always_inline u64 cpu_wait_ns(void)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return cpu_waits_known() ? task->sched_info.run_delay : 0;
}

/* What gettid() says to the running thread. */
static __always_inline u32 current_tid_inside(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct pid *pid = BPF_CORE_READ(task, thread_pid);

	return pid_nr(pid, BPF_CORE_READ(pid, level));
}

/* Where the running thread's own variables are: pthread_self(). */
static __always_inline u64 thread_pointer(void)
{
#if defined(__TARGET_ARCH_x86)
	struct task_struct *task = (void *)bpf_get_current_task();

	return BPF_CORE_READ(task, thread.fsbase);
#else
	return 0; /* no runtime's plan is ready there */
#endif
}

/* Is it ended by itself, and not with its process (exit_group, a signal, exec)? */
#define SIGNAL_GROUP_EXIT 4 /* include/linux/sched/signal.h */
static __always_inline bool ends_alone(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	return !(BPF_CORE_READ(task, exit_code) & 0x7f) &&
	       !(BPF_CORE_READ(task, signal, flags) & SIGNAL_GROUP_EXIT);
}

/*
 * Where the return of a function is probed, by whichever tracer, the kernel puts the address of a page of its
 * own in the place of the return address (kernel/events/uprobes.c, prepare_uretprobe()), and keeps that of
 * the running thread's calls. The one that was there; cfa: the stack pointer after the return; 0: it is not
 * known. A global function: verified once.
 */
#define TRAMPOLINE_ALIGN 4096 /* at least: pages are larger on some machines */
#define MAX_URETPROBES   64   /* of one thread at one time: MAX_URETPROBE_DEPTH */
#if defined(__TARGET_ARCH_x86)
#define ENTRY_SP_TO_CFA 8 /* the call has pushed the return address */
#else
#define ENTRY_SP_TO_CFA 0
#endif
__noinline u64 probed_return(u64 cfa)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct return_instance *at = BPF_CORE_READ(task, utask, return_instances);

	for (int i = 0; i < MAX_URETPROBES && at; i++) {
		if (BPF_CORE_READ(at, stack) + ENTRY_SP_TO_CFA == cfa)
			return BPF_CORE_READ(at, orig_ret_vaddr);
		at = BPF_CORE_READ(at, next);
	}
	return 0;
}

/* A load, where bpf_ktime_get_ns() costs 37 ns; the loader converts (struct clocks). */
static __always_inline u32 now_tick(void)
{
	return bpf_jiffies64() >> JT_TICK_SHIFT;
}

#endif
