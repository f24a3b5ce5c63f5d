/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* See pile.h. */
#include "run/pile.h"

#include <stdlib.h>

#include "base/util.h"
#include "proc/proc.h"

#define EVERY_S 0.9

/* By its id in the process's own pid namespace. */
static void name_thread(pid_t pid, struct report_pile *pile)
{
	struct proc_threads threads = {0};
	char text[PROC_THREAD_NAME_MAX];
	pid_t here = 0;

	if (!proc_threads(pid, &threads))
		here = proc_tid_here(&threads, pile->tid);
	if (here)
		text_clean(pile->name, sizeof(pile->name), text, proc_thread_name(pid, here, text));
	free(threads.v);
}

void pile_look(struct pile_watch *w, struct vm *vm, pid_t pid, double elapsed_s, uint64_t many,
	       struct report_pile *out)
{
	struct vm_pile look;

	if ((w->begun && elapsed_s - w->last_s < EVERY_S) || vm_pile(vm, &look))
		return;
	out->pid = pid;
	if (pile_take(w, &look, elapsed_s, many, out))
		name_thread(pid, out);
}
