/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How another command traces: with targets that come by rules of its own. */
#ifndef JNITRACE_TRACE_USE_H
#define JNITRACE_TRACE_USE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/util.h"
#include "proc/proc.h"

struct trace;
struct loop;
struct report;

/* Another command that traces, whose targets come by rules of its own. Its functions may be NULL. */
struct trace_use {
	void *of;            /* given to all of them */
	size_t most_targets; /* at one moment; 0: it is not known */
	bool brief;          /* its processes may be gone in a moment: they are looked at often */
	/* Everything is ready to attach. Handlers of what is added to the loop get the trace. 0 or -errno. */
	int (*begin)(void *of, struct trace *s, struct loop *l, struct error *err);
	/* This process maps a VM; is it one of the command's? */
	bool (*wants)(void *of, pid_t pid);
	/* This process has a VM, and ended, or was refused, before it could be traced. why: NULL: not known.
	 */
	void (*missed)(void *of, pid_t pid, const struct error *why);
	/* From here on each of its calls counts. */
	void (*began)(void *of, const struct proc_id *id);
	/* With --pair: this process has stopped (tracer_hold()); and is to go on. */
	void (*held)(void *of, pid_t pid);
	void (*go_on)(void *of, pid_t pid);
	/* A target was reported for the last time. */
	int (*last)(void *of, const struct report *r);
};
/*
 * A process is held at the start of its VM: attach to it now. Whether it could be is told by its report: what
 * fails is no error. 0 or -errno.
 */
int trace_held(struct trace *s, pid_t pid, struct error *err);
/* With --pair, from now on: go_on() is called for each process that has stopped as its libraries changed. */
void trace_hold(struct trace *s);
/* It will have a VM in a moment. */
void trace_expect(struct trace *s, pid_t pid);
/* It went on by itself, maybe before that was done. false: it is not traced, nor waited for. */
bool trace_not_held(struct trace *s, pid_t pid);
/*
 * Trace this process, too; nobody else adds it. Whether it can be is told by began() or missed(). 0, or
 * -errno with err, when it is gone.
 */
int trace_add(struct trace *s, const struct proc_id *id, struct error *err);
/*
 * It is wanted no more: it counts no longer, and trace_end_unwanted() detaches from it; or, if it was not
 * traced yet, it is forgotten at once.
 */
void trace_unwant(struct trace *s, const struct proc_id *id);
/* Report those for the last time, and forget them. 0, or -errno with err. */
int trace_end_unwanted(struct trace *s, struct error *err);
/* How many are traced now. */
size_t trace_targets(const struct trace *s);

#endif
