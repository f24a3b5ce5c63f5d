/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a command that traces by rules of its own wants. See trace_use.h. */
#include "run/trace_use.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "run/trace.h"

int trace_held(struct trace *s, pid_t pid, struct error *err)
{
	struct target *t = trace_target_of(s, pid);
	struct error why = {0};
	int rc;

	if (t ? target_state(t) != TARGET_WAITING /* it opens that file once more */ : trace_has_left(s, pid))
		return 0;
	if (!t) {
		if (targets_add(&s->targets, pid, false, &t, NULL)) { /* it is gone */
			s->use->missed(s->use->of, pid, &why);
			return 0;
		}
		rc = trace_watch(s, t, err);
		if (rc)
			return rc;
	}
	target_set_held(t, true);
	rc = trace_advance(s, t, &why);
	if (target_state(t) == TARGET_TRACED) {
		s->catching_up = true;
		return loop_set_timer(s->search, SEARCH_INTERVAL_S);
	}
	/* It is found again when it has begun to run, and by then it has called. */
	if (rc && s->o->verbose)
		error_print(&why);
	target_set_held(t, false);
	return 0;
}

void trace_expect(struct trace *s, pid_t pid)
{
	trace_found(s, pid);
}

bool trace_not_held(struct trace *s, pid_t pid)
{
	struct target *t = trace_target_of(s, pid);

	if (t)
		target_set_held(t, false);
	return t;
}

int trace_add(struct trace *s, const struct proc_id *id, struct error *err)
{
	struct target *t = trace_target_of(s, id->pid);
	char what[64];
	int rc = t ? -ESRCH /* who had that pid before has ended just now */
		   : targets_add(&s->targets, id->pid, false, &t, err);

	if (!rc && target_id(t)->start_time_ticks != id->start_time_ticks) {
		targets_remove(&s->targets, s->targets.n - 1);
		rc = -ESRCH;
	}
	snprintf(what, sizeof(what), "trace PID %d", (int)id->pid);
	if (rc)
		return err->what[0] ? rc
				    : error_set(err, rc, EXIT_NO_TARGET, what, NULL, "%s",
						rc == -ESRCH ? "it has exited" : strerror(-rc));
	rc = trace_watch(s, t, err);
	if (rc)
		targets_remove(&s->targets, s->targets.n - 1);
	return rc;
}

void trace_unwant(struct trace *s, const struct proc_id *id)
{
	struct target *t = trace_target_of(s, id->pid);

	if (!t || target_id(t)->start_time_ticks != id->start_time_ticks)
		return;
	if (target_state(t) == TARGET_TRACED) {
		target_stop(t, trace_end_reason(s, t));
		return;
	}
	for (size_t i = 0; i < s->targets.n; i++)
		if (s->targets.v[i] == t) {
			trace_drop(s, i);
			return;
		}
}

int trace_end_unwanted(struct trace *s, struct error *err)
{
	return trace_let_go(s, err);
}

size_t trace_targets(const struct trace *s)
{
	return s->targets.n;
}
