/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a runtime has told about a target, handed to the programs. See model/plan.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kernel/tracer.h"

static void apply_walk(struct tracer *t, int slot, pid_t pid, const char *path, struct plan_walk *p)
{
	int rc = tracer_set_java(t, slot, pid, path, &p->java, &p->frees, &p->unloads);

	p->state = rc == -EAGAIN ? PLAN_READY : rc ? PLAN_NEVER : PLAN_DONE;
	if (rc)
		snprintf(p->why, sizeof(p->why), "%s", strerror(-rc));
}

static void apply_waits(struct tracer *t, int slot, pid_t pid, const char *path, struct plan_waits *p)
{
	int rc = tracer_set_stalls(t, slot, pid, path, &p->places);

	p->state = rc ? PLAN_NEVER : PLAN_DONE;
	if (rc)
		p->why = "the places where threads wait could not be probed";
}

int tracer_apply(struct tracer *t, int slot, pid_t pid, const char *path, struct target_plan *p)
{
	int rc = 0;

	if (p->walk.state == PLAN_READY)
		apply_walk(t, slot, pid, path, &p->walk);
	if (p->objects.state == PLAN_READY && !tracer_set_objects(t, slot, &p->objects.config))
		p->objects.state = PLAN_DONE;
	if (p->waits.state == PLAN_READY)
		apply_waits(t, slot, pid, path, &p->waits);
	if (p->threads.state == PLAN_READY) {
		rc = tracer_set_threads(t, slot, &p->threads.config);
		p->threads.state = rc ? PLAN_READY : PLAN_DONE;
	}
	return rc;
}
