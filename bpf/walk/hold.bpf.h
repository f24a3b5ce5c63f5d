/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which processes stop when libraries come (jt_hold): those of the command that jnitrace run has started. */
#ifndef JNITRACE_HOLD_BPF_H
#define JNITRACE_HOLD_BPF_H

#include "walk/libraries.bpf.h"

#define SIGSTOP       19 /* asm-generic/signal.h; of x86 and arm64 alike */
#define MAX_ANCESTORS 64

u64 hold_debug = 1; /* (loader) from where the linker calls to its struct r_debug, in bytes */
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

#endif
