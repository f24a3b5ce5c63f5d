/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Who runs: process and thread ids as different pid namespaces number them. */
#ifndef JNITRACE_TASK_BPF_H
#define JNITRACE_TASK_BPF_H

#include <bpf/bpf_core_read.h>

#include "maps.bpf.h"

/* A process or thread id as the pid namespace of that level numbers it. */
static __always_inline u32 pid_nr(struct pid *pid, u32 level)
{
	u32 nr = 0;
	u64 at;

	if (BPF_CORE_READ(pid, level) < level)
		return 0; /* lives outside */
	/* pid->numbers[level].nr, with the kernel's size of an element, not that of our few fields. */
	at = (u64)pid + bpf_core_field_offset(struct pid, numbers) + level * bpf_core_type_size(struct upid) +
	     bpf_core_field_offset(struct upid, nr);
	bpf_probe_read_kernel(&nr, sizeof(nr), (void *)at);
	return nr;
}

/* The running thread's process, as the tracer's namespace numbers it. */
static __always_inline u32 current_tgid(void)
{
	struct task_struct *task;

	if (!pid_ns_level)
		return bpf_get_current_pid_tgid() >> 32;
	task = (void *)bpf_get_current_task();
	return pid_nr(BPF_CORE_READ(task, group_leader, thread_pid), pid_ns_level);
}

static __always_inline u32 current_tid(void)
{
	struct task_struct *task;

	if (!pid_ns_level)
		return bpf_get_current_pid_tgid();
	task = (void *)bpf_get_current_task();
	return pid_nr(BPF_CORE_READ(task, thread_pid), pid_ns_level);
}

/* What gettid() says to the running thread. */
static __always_inline u32 current_tid_inside(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct pid *pid = BPF_CORE_READ(task, thread_pid);

	return pid_nr(pid, BPF_CORE_READ(pid, level));
}

#endif
