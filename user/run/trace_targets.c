/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which processes are traced: found, attached to, held at their start, dropped. See trace.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "run/progress.h"
#include "run/trace.h"

#define SCAN_INTERVAL_S 0.5 /* for new processes, with --all */

int trace_watch(struct trace *s, struct target *t, struct error *err)
{
	int rc = loop_add(s->loop, target_pidfd(t), s->on_exit, t);

	return rc ? error_set(err, rc, EXIT_FAILED, "watch a process", "raise ulimit -n", "%s", strerror(-rc))
		  : 0;
}

void trace_drop(struct trace *s, size_t i)
{
	struct target *t = s->targets.v[i];
	int target_id = target_number(t);

	if (target_id >= 0) {
		tracer_detach(s->tracer, &target_id, 1);
		if (!s->ends) /* else nobody comes after it */
			tracer_forget(s->tracer, target_id);
	}
	loop_remove(s->loop, target_pidfd(t));
	targets_remove(&s->targets, i);
}

enum end_reason trace_end_reason(const struct trace *s, const struct target *t)
{
	if (tracer_execed(s->tracer, target_number(t)))
		return END_EXECED;
	return proc_id_alive(target_id(t)) ? END_DETACHED : END_EXITED;
}

void trace_leave(struct trace *s, struct target *t, enum end_reason reason)
{
	struct left *left = s->targets.discovery ? VEC_ADD(&s->left) : NULL; /* else nobody finds it again */
	int number = target_number(t);

	if (left)
		*left = (struct left){.id = *target_id(t), .program = proc_program(target_id(t)->pid)};
	target_stop(t, reason);
	tracer_detach(s->tracer, &number, 1);
}

static bool is_left(const struct left *l)
{
	return proc_id_alive(&l->id) && proc_program(l->id.pid) == l->program;
}

bool trace_has_left(const struct trace *s, pid_t pid)
{
	for (size_t i = 0; i < s->left.n; i++)
		if (s->left.v[i].id.pid == pid && is_left(&s->left.v[i]))
			return true;
	return false;
}

/* Those that have ended, or run another program since, which may be found again. */
static void forget_left(struct trace *s)
{
	for (size_t i = s->left.n; i-- > 0;) {
		if (is_left(&s->left.v[i]))
			continue;
		discovery_forget(s->targets.discovery, &s->left.v[i].id);
		s->left.v[i] = s->left.v[--s->left.n];
	}
}

struct target *trace_target_of(const struct trace *s, pid_t pid)
{
	for (size_t i = 0; i < s->targets.n; i++)
		if (target_id(s->targets.v[i])->pid == pid && target_state(s->targets.v[i]) != TARGET_ENDED)
			return s->targets.v[i];
	return NULL;
}

void trace_found(struct trace *s, pid_t pid)
{
	struct target *t;

	if (s->use && (trace_target_of(s, pid) || !s->use->wants(s->use->of, pid)))
		return;
	if (trace_has_left(s, pid))
		return;
	if (targets_add(&s->targets, pid, false, &t, NULL))
		return;
	if (trace_watch(s, t, NULL))
		targets_remove(&s->targets, s->targets.n - 1);
}

/* With -a. */
static int find_new_targets(struct trace *s, struct error *err)
{
	struct pid_list pids = {0};
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	int rc;

	if (!s->targets.discovery || (s->last_scan_ns && now - s->last_scan_ns < SCAN_INTERVAL_S * 1e9))
		return 0;
	s->last_scan_ns = now;
	forget_left(s);
	rc = discovery_scan(s->targets.discovery, &pids);
	if (rc)
		error_set(err, rc, EXIT_FAILED, "look for JVMs", NULL, "%s", strerror(-rc));
	for (size_t i = 0; !rc && i < pids.n; i++)
		trace_found(s, pids.v[i]);
	free(pids.v);
	return rc;
}

int trace_advance(struct trace *s, struct target *t, struct error *err)
{
	char what[64];
	int rc = target_find(t, err);

	if (!rc && target_state(t) == TARGET_FOUND) {
		rc = target_attach(t, s->tracer, err);
		if (!rc)
			loop_may_abandon(s->loop, false); /* from here on there is something to report */
		rc = rc ?: target_start(t, err);
	}
	if (rc && loop_is_stopped(s->loop)) { /* that is why, and its event comes */
		*err = (struct error){0};
		return 0;
	}
	if (!rc || proc_id_alive(target_id(t)))
		return rc;
	/* Whatever failed, this is why. */
	*err = (struct error){0};
	snprintf(what, sizeof(what), "trace PID %d", target_id(t)->pid);
	return error_set(err, -ESRCH, EXIT_NO_TARGET, what, NULL, "it has exited");
}

/* It was named by the user, and none of the libraries is there: told once. */
static void tell_waits(const struct trace *s, struct target *t)
{
	struct error why = {0};

	if (s->announced || !target_asked_for(t) || !target_lacks_libraries(t, &why))
		return;
	warn("PID %d: %s yet%s%s%s: its functions are traced from when it is loaded on", target_id(t)->pid,
	     why.why, why.advice[0] ? " (" : "", why.advice, why.advice[0] ? ")" : "");
}

/* The i-th, if it waits; i goes on to the next. */
static int attach_if_waiting(struct trace *s, size_t *i, struct error *err)
{
	struct target *t = s->targets.v[*i];
	struct error why = {0};
	bool lacked;
	int rc;

	if (target_state(t) != TARGET_WAITING || target_stops(t)) {
		++*i;
		return 0;
	}
	lacked = s->announced && target_asked_for(t) && target_lacks_libraries(t, &why);
	why = (struct error){0};
	rc = trace_advance(s, t, &why);
	if (!rc) {
		tell_waits(s, t);
		if (lacked && target_state(t) == TARGET_TRACED)
			target_tell_loaded(t);
		if (s->use && target_state(t) == TARGET_TRACED)
			s->use->began(s->use->of, target_id(t));
		++*i;
		return 0;
	}
	if (target_asked_for(t)) {
		*err = why;
		return rc;
	}
	if (s->o->verbose)
		error_print(&why);
	if (s->use)
		s->use->missed(s->use->of, target_id(t)->pid, &why);
	trace_drop(s, *i);
	return 0;
}

int trace_attach_ready(struct trace *s, struct error *err)
{
	struct progress progress = {0};
	char name[32];
	int rc = find_new_targets(s, err);

	if (!s->announced && s->targets.n > 1) {
		snprintf(name, sizeof(name), "%zu processes", s->targets.n);
		progress = progress_begin("attaching to", name);
	}
	for (size_t i = 0; !rc && i < s->targets.n;) {
		progress_tell(&progress, (double)i / (double)s->targets.n);
		rc = attach_if_waiting(s, &i, err);
	}
	progress_end(&progress);
	return rc;
}
