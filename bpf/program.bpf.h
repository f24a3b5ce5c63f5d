/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The ways to define a program that an event runs. None other: one that is defined by SEC() alone may bring
 * the kernel down. (What the loader runs, of type syscall, has no stack of its own.)
 *
 * Since Linux 6.13 a JIT may give a program of the kprobe, tracepoint or raw tracepoint type whose frames
 * take more than 64 bytes a stack of its own: one per CPU, not per task (bpf_enable_priv_stack() in
 * kernel/bpf/verifier.c, from commit a76ab5731e32; x86-64, later arm64). On uprobes nothing keeps a second
 * thread from entering the program while the first one is preempted inside it (uprobe_prog_run(),
 * bpf_prog_run_array_uprobe()), and both spill their registers to the same memory.
 * docs/kernel-private-stack.md shows it.
 *
 * check_max_stack_depth() gives no such stack to a program in which a tail call occurs, be it in code that
 * never runs. So here one does: behind a constant that is false, which the verifier takes out again before
 * anything is compiled. Tail calls go from a program to one of its own type: hence a map for each type.
 */
#ifndef JNITRACE_PROGRAM_BPF_H
#define JNITRACE_PROGRAM_BPF_H

#include <bpf/bpf_helpers.h>

const volatile bool never; /* is false: the loader does not set it */

#define NO_PROGRAMS(name)                                                                                    \
	struct {                                                                                             \
		__uint(type, BPF_MAP_TYPE_PROG_ARRAY);                                                       \
		__uint(max_entries, 1);                                                                      \
		__type(key, u32);                                                                            \
		__type(value, u32);                                                                          \
	} name SEC(".maps")
NO_PROGRAMS(no_uprobes);
NO_PROGRAMS(no_tracepoints);

#define PROGRAM(section, name, others, context)                                                              \
	static __always_inline int name##_body(context __attribute__((unused)));                             \
	SEC(section) int name(context)                                                                       \
	{                                                                                                    \
		if (never)                                                                                   \
			bpf_tail_call(ctx, &others, 0);                                                      \
		return name##_body(ctx);                                                                     \
	}                                                                                                    \
	static __always_inline int name##_body(context __attribute__((unused)))

/* The body follows; it knows ctx. */
#define UPROBE(name)            PROGRAM("uprobe", name, no_uprobes, struct pt_regs *ctx)
#define TRACEPOINT(event, name) PROGRAM("raw_tp/" event, name, no_tracepoints, void *ctx)

#endif
