/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Opening a process: which runtime it has, that runtime's file, and the instance. The one way in for all
 * commands, and the one place that says how long a process is given to get ready.
 */
#ifndef JNITRACE_OPENING_H
#define JNITRACE_OPENING_H

#include "proc/proc.h"
#include "runtime/runtime.h"

/* How far a process may have come, by its age alone. */
enum process_age {
	AGE_YOUNG,    /* it may still be on its way to exec what it is to be, or to load a runtime */
	AGE_STARTING, /* a runtime that it has mapped may not be running yet */
	AGE_SETTLED,  /* a runtime that makes no sense by now is not starting: it lies */
};
enum process_age process_age(const struct proc_id *id);

struct opening {
	struct proc_maps maps; /* of the last look */
	struct vm_file file;   /* file.runtime NULL: none found */
	struct vm *vm;         /* NULL: its memory could not be understood, for this reason: */
	struct error vm_why;
	bool starting; /* that may be because it has not begun to run */
};

/*
 * Look at a process. only: NULL, or the runtime that was asked for; images: opened so far, may be NULL;
 * early: as of vm_open(). 0: its runtime's file is open, and vm if possible. -EAGAIN, err untouched: it has
 * none, but may get one: look again, after opening_close(). Else err says why it cannot be traced: gone,
 * 32-bit, no runtime, a file that makes no sense.
 */
int opening_look(struct opening *o, const struct proc_id *id, const struct runtime *only,
		 struct elf_cache *images, bool early, const char *what, struct error *err);
/* The same, but a process without a runtime is as good: file.runtime is NULL then. */
int opening_look_at_any(struct opening *o, const struct proc_id *id, struct elf_cache *images, bool early,
			const char *what, struct error *err);
/* What can be traced in a process by the runtimes that it has, a bit mask; all families while it has none. */
uint32_t opening_families(pid_t pid, const struct catalog *c);
/* The runtime that it has mapped, as --runtime has it; NULL: none. Lives as long as the program. */
const char *opening_runtime(pid_t pid);
/* May the stacks of this process be MANAGED_BY_FRAGMENTS? Also while it has no runtime. */
bool opening_by_fragments(pid_t pid);
/* Closes all of it. */
void opening_close(struct opening *o);

#endif
