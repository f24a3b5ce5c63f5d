/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Threads that were inside a critical section before the tracer came, by the VM's own count: no probe has
 * seen these begin.
 */
#ifndef JNITRACE_INSIDE_H
#define JNITRACE_INSIDE_H

#include "model/snapshot.h"
#include "proc/proc.h"
#include "runtime/runtime.h"

/* Before the gate is opened. out starts with zeros; the caller frees out->v. What fails is not known. */
void inside_begin(struct vm *vm, const struct proc_id *id, struct vm_insides *out);
/*
 * Which of them are still inside, elapsed_s after the gate was opened? One that the probes have seen begin a
 * section has left the one from before. s: taken now.
 */
void inside_look(struct vm *vm, const struct snapshot *s, double elapsed_s, struct vm_insides *in);

#endif
