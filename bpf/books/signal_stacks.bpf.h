/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Stacks of sigaltstack(), where handlers of signals run.
 *
 * When a function begins whose return is probed, the kernel takes each such call of the thread that lies
 * further down for left (arch_uretprobe_is_alive(), arch/x86/kernel/uprobes.c and
 * arch/arm64/kernel/probes/uprobes.c), and forgets where it returns to: what it has put in the place of the
 * return address ends the process. So does a handler, on a stack above the thread's, that calls such a
 * function while the thread is inside one. No program can prevent that then. So the loader is told as soon as
 * a thread calls such a function that may be interrupted so, and removes the probes; a process of jnitrace
 * run stops until then.
 */
#ifndef JNITRACE_SIGNAL_STACKS_BPF_H
#define JNITRACE_SIGNAL_STACKS_BPF_H

#include "maps.bpf.h"
#include "walk/hold.bpf.h"

#define NR_SIGNALS 64
#define SA_ONSTACK 0x08000000 /* asm-generic/signal-defs.h; of x86 and arm64 alike */
#define SIG_IGN    1          /* and SIG_DFL is 0 */
/* SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGSYS: a thread's own fault, whose handlers seldom
 * return. */
#define FAULTS (1ULL << 4 | 1ULL << 5 | 1ULL << 6 | 1ULL << 7 | 1ULL << 8 | 1ULL << 11 | 1ULL << 31)
/* SIGCANCEL and SIGSETXID: the C library's, whose handlers call nobody else's functions, or do not return. */
#define OF_LIBC (1ULL << 32 | 1ULL << 33)

/* What runs there has interrupted what is on the thread's own stack. */
static __always_inline bool is_on_alt(u64 sp)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return sp - task->sas_ss_sp - 1 < task->sas_ss_size;
}

static __always_inline bool is_below_alt(u64 sp)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return task->sas_ss_size && sp <= task->sas_ss_sp;
}

/* Has the process a handler that runs there, of a signal that comes from elsewhere? A global function:
 * verified once. */
__noinline int handles_on_alt(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct sighand_struct *sighand = BPF_CORE_READ(task, sighand);
	void *at = (void *)sighand + bpf_core_field_offset(struct sighand_struct, action);

	for (u32 i = 1; i <= NR_SIGNALS; i++) {
		struct k_sigaction *action = at;

		at += bpf_core_type_size(struct k_sigaction);
		if (!((FAULTS | OF_LIBC) >> (i & 63) & 1) &&
		    (u64)BPF_CORE_READ(action, sa.sa_handler) > SIG_IGN &&
		    BPF_CORE_READ(action, sa.sa_flags) & SA_ONSTACK)
			return 1;
	}
	return 0;
}

/*
 * A function begins whose return the kernel probes; sp: as its caller has it. The handlers are looked at once
 * in a tick: there are many. A global function: its stack is not that of what walks.
 */
__noinline int signal_stack_look(u32 target_id, u64 sp)
{
	u32 tick;

	target_id &= JT_MAX_TARGETS - 1;
	if (signal_stack[target_id] || !is_below_alt(sp))
		return 0;
	tick = bpf_jiffies64() >> JT_TICK_SHIFT;
	if (signals_tick[target_id] == tick)
		return 0;
	signals_tick[target_id] = tick;
	if (!handles_on_alt())
		return 0;
	signal_stack[target_id] = 1;
	drop(target_id, DROP_SIGNAL_STACK);
	bpf_ringbuf_output(&code_changes, &target_id, sizeof(target_id), 0); /* the loader wakes */
	if (holds && is_held())
		hold_here(); /* until they are removed */
	return 0;
}

#endif
