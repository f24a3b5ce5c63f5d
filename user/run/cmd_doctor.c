/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* jnitrace doctor. See cmd_doctor.h. */
#include "run/cmd_doctor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "run/doctor_checks.h"
#include "run/privileges.h"
#include "run/targets.h"
#include "run/who.h"
#include "screen/output.h"
#include "view/doctor.h"

/* Those of its processes that could not be opened are told by these. */
struct stranger {
	struct proc_id id;
	struct who who;
};

struct doctor {
	struct target_list targets; /* those that can be traced: what is shown of them lives there */
	struct {
		struct stranger **v;
		size_t n, cap;
	} strangers;
	struct {
		struct seen_process *v;
		size_t n, cap;
	} seen;
	enum exit_code code; /* of the first that -p names and that cannot be traced */
};

static void refuse(struct seen_process *p, const struct error *why)
{
	snprintf(p->why, sizeof(p->why), "%s", why->why);
	snprintf(p->advice, sizeof(p->advice), "%s", why->advice);
}

/* 0, -ESRCH it is gone, or -ENOMEM. */
static int see_stranger(struct doctor *d, pid_t pid, const struct error *why)
{
	struct stranger *s = calloc(1, sizeof(*s)), **place = s ? VEC_ADD(&d->strangers) : NULL;
	struct seen_process *p;

	if (!place) {
		free(s);
		return -ENOMEM;
	}
	*place = s;
	if (proc_id_read(pid, &s->id))
		return -ESRCH;
	p = VEC_ADD(&d->seen);
	if (!p)
		return -ENOMEM;
	who_read(pid, NULL, &s->who);
	*p = (struct seen_process){
	    .target = {.pid = pid, .start_time_ticks = s->id.start_time_ticks, .comm = s->id.comm}};
	who_tell(&s->who, &p->target);
	refuse(p, why);
	return 0;
}

/* 0 or -ENOMEM. One that is gone again is none. */
static int see(struct doctor *d, struct target *t)
{
	struct error why = {0};
	struct seen_process *p;
	int rc = target_find(t, &why);

	if (!rc && target_state(t) != TARGET_FOUND)
		rc = error_set(&why, -EAGAIN, EXIT_NO_TARGET, "doctor", "try again in a moment",
			       "it has not loaded its VM yet");
	if (rc) {
		if (target_asked_for(t) && !d->code)
			d->code = why.exit_code;
		rc = see_stranger(d, target_id(t)->pid, &why);
		return rc == -ENOMEM ? rc : 0;
	}
	p = VEC_ADD(&d->seen);
	if (!p)
		return -ENOMEM;
	*p = (struct seen_process){
	    .target = *target_probes(t).target, .traceable = true, .probes = target_probes(t).sites->n};
	return 0;
}

static int see_all(struct doctor *d, const struct options *o, struct error *err)
{
	struct pid_list found = {0};
	int rc = targets_open(&d->targets, o, -1, err);

	if (!rc && d->targets.discovery)
		rc = discovery_scan(d->targets.discovery, &found);
	for (size_t i = 0; !rc && i < found.n; i++)
		targets_add(&d->targets, found.v[i], false, NULL, NULL); /* may be gone again */
	for (size_t i = 0; !rc && i < d->targets.n; i++)
		rc = see(d, d->targets.v[i]);
	free(found.v);
	return rc;
}

static void doctor_free(struct doctor *d)
{
	for (size_t i = 0; i < d->strangers.n; i++)
		free(d->strangers.v[i]);
	free(d->strangers.v);
	free(d->seen.v);
	targets_free(&d->targets);
}

enum exit_code cmd_doctor(const struct options *o, struct error *err)
{
	struct check checks[DOCTOR_MAX_CHECKS];
	enum exit_code code = EXIT_OK;
	struct doctor d = {0};
	struct output out = {0};
	struct view_opts v;
	struct buf b = {0};
	size_t n;
	int rc = privileges_keep(PRIVILEGES_TRACE, o->view.output, err);

	rc = rc ?: output_open(&out, &o->view, false, false, -1, err);
	n = rc ? 0 : doctor_checks(checks, &code);
	rc = rc ?: see_all(&d, o, err);
	if (!rc) {
		output_view_opts(&out, &o->view, true, &v);
		o->view.format->doctor(&b, &(struct diagnosis){checks, n, d.seen.v, d.seen.n}, &v);
		rc = output_write(&out, &b, true, err);
	}
	rc = rc ?: output_end(&out, err);
	doctor_free(&d);
	output_close(&out);
	if (rc && !err->what[0])
		error_set(err, rc, EXIT_FAILED, "doctor", NULL, "%s", strerror(-rc));
	return rc ? err->exit_code : code ?: d.code;
}
