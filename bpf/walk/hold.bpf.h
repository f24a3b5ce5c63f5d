/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which processes stop when libraries come (jt_hold): those of the command that jnitrace run has started. */
#ifndef JNITRACE_HOLD_BPF_H
#define JNITRACE_HOLD_BPF_H

#include "walk/libraries.bpf.h"

#define SIGSTOP       19 /* asm-generic/signal.h; of x86 and arm64 alike */
#define MAX_ANCESTORS 64

const volatile bool holds; /* some process may be held */
u64 hold_debug = 1;        /* (loader) from where the linker calls to its struct r_debug, in bytes */
/* The command's parent, and the tracer, which is another child of it: as the kernel numbers them (jt_setup).
 */
u32 hold_root, hold_not;

/* Does the running process descend from the command's parent, and not from the tracer? */
static __always_inline bool is_held(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	for (int i = 0; i < MAX_ANCESTORS; i++) {
		u32 tgid = BPF_CORE_READ(task, tgid);

		if (tgid <= 1 || tgid == hold_not)
			return false;
		if (tgid == hold_root)
			return i > 0;
		task = BPF_CORE_READ(task, real_parent);
	}
	return false;
}

/* This process stops, until the loader lets it go on: where it cannot be told it does not. */
static __always_inline void hold_here(void)
{
	struct code_held *m = bpf_ringbuf_reserve(&code_changes, sizeof(*m), 0);

	if (!m)
		return;
	m->target_id = JT_MAX_TARGETS;
	m->pid = current_tgid();
	if (bpf_send_signal(SIGSTOP))
		bpf_ringbuf_discard(m, 0);
	else
		bpf_ringbuf_submit(m, 0);
}

#endif
