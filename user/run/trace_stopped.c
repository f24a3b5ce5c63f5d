/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Processes that stop when their libraries change, until their functions are probed. See trace_use.h. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "proc/linker.h"
#include "run/trace.h"

/* 0, or -errno with err: only of what ends the run. */
static int look_at_stopped(struct trace *s, pid_t pid, struct error *err)
{
	struct target *t = trace_target_of(s, pid);
	struct error why = {0};
	int rc = 0;

	if (t && target_state(t) == TARGET_TRACED && tracer_execed(s->tracer, target_number(t))) {
		target_stop(t, END_EXECED);
		rc = trace_let_go(s, err);
		t = NULL;
	}
	if (!rc && !t) {
		if (trace_has_left(s, pid) ||
		    targets_add(&s->targets, pid, false, &t, NULL)) /* or it is gone */
			return 0;
		target_set_stops(t);
		rc = trace_watch(s, t, err);
	}
	if (rc || target_state(t) != TARGET_WAITING) {
		target_pairs_more(t);
		return rc;
	}
	rc = trace_advance(s, t, &why);
	if (rc && (s->o->verbose || (rc != -ESRCH && !s->told_why))) {
		error_print(&why);
		s->told_why = true; /* a rule that no process can be traced by is wrong in each */
	}
	return 0;
}

void trace_hold(struct trace *s)
{
	struct linker linker = {0};
	struct proc_maps maps = {0};
	const struct mapping *m = NULL;
	int rc = linker_find(getpid(), &linker) ?: proc_maps_read(getpid(), &maps);

	if (!rc)
		m = proc_maps_find(&maps, linker.call_at);
	rc = rc
		 ?: m && m->path ? tracer_hold(s->tracer, m->path, linker.call_at - m->start + m->offset,
					       (int64_t)(linker.debug_at - linker.call_at))
				 : -ENOENT;
	if (rc)
		warn("processes are not held while they load libraries (%s): what they call at first is not "
		     "seen",
		     strerror(-rc));
	proc_maps_free(&maps);
}

int trace_take_stopped(struct trace *s, struct error *err)
{
	pid_t pid;
	int rc = 0;

	while ((pid = tracer_held(s->tracer))) {
		s->use->held(s->use->of, pid);
		rc = rc ?: look_at_stopped(s, pid, err);
		s->use->go_on(s->use->of, pid);
	}
	return rc;
}

void trace_end_hold(struct trace *s)
{
	pid_t pid;

	if (!s->tracer || !s->use)
		return;
	tracer_end_hold(s->tracer);
	while ((pid = tracer_held(s->tracer)))
		s->use->go_on(s->use->of, pid);
}
