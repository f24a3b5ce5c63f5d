/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* jnitrace doctor: what this machine allows, which processes are seen, what to do. See doctor.h. */
#include "view/doctor.h"

#include <string.h>

#include "view/cells.h"
#include "view/json_out.h"

#define NAME_CELLS  14
#define STATE_CELLS 4
#define PID_CELLS   8
#define LEAD        (STATE_CELLS + 1 + NAME_CELLS)
#define INDENT      (LEAD + 1)

static const char *const state_colors[NR_CHECK_STATES] = {
    [CHECK_OK] = "\033[32m",
    [CHECK_NOTE] = "\033[33m",
    [CHECK_BAD] = "\033[1;31m",
};

/* "bad  permission     Operation not permitted", and what to do below it. */
static void put_line(struct buf *out, enum check_state state, const char *name, const char *found,
		     const char *advice, const struct view_opts *o)
{
	struct flow f = {.out = out, .width = o->width, .indent = INDENT, .col = LEAD};

	buf_printf(out, "%s", o->color ? state_colors[state] : "");
	cells_put(out, check_state_names[state], strlen(check_state_names[state]), STATE_CELLS, CELLS_LEFT,
		  true);
	buf_printf(out, "%s ", o->color ? "\033[0m" : "");
	cells_put(out, name, strlen(name), NAME_CELLS, CELLS_LEFT, true);
	flow_words(&f, found, strlen(found));
	flow_end(&f);
	if (!*advice)
		return;
	f = (struct flow){.out = out, .width = o->width, .indent = INDENT, .col = LEAD};
	buf_printf(out, "%*s", LEAD, "");
	flow_words(&f, "->", 2);
	flow_words(&f, advice, strlen(advice));
	flow_end(&f);
}

static void put_process(struct buf *out, const struct seen_process *p, const struct view_opts *o)
{
	const struct report_target *t = &p->target;
	struct buf pid = {0}, found = {0};

	buf_printf(&pid, "PID %d", t->pid);
	buf_printf(&found, "%s", target_name_of(t));
	if (t->user)
		buf_printf(&found, " of %s", t->user);
	if (t->container)
		buf_printf(&found, ", container %.12s", t->container);
	if (p->traceable)
		buf_printf(&found, ": %s %s, %zu probe%s by default", t->vm, t->vm_version, p->probes,
			   p->probes == 1 ? "" : "s");
	else
		buf_printf(&found, ": %s", p->why);
	buf_add(&pid, "", 1);
	buf_add(&found, "", 1);
	if (!pid.failed && !found.failed)
		put_line(out, p->traceable ? CHECK_OK : CHECK_BAD, pid.p, found.p, p->advice, o);
	out->failed |= pid.failed | found.failed;
	buf_free(&pid);
	buf_free(&found);
}

static void put_summary(struct buf *out, const struct diagnosis *d)
{
	size_t bad = 0, traceable = 0, first = 0;

	for (size_t i = 0; i < d->nr_checks; i++)
		bad += d->checks[i].state == CHECK_BAD;
	for (size_t i = d->nr_processes; i-- > 0;)
		if (d->processes[i].traceable) {
			traceable++;
			first = i;
		}
	if (bad)
		buf_printf(out, "\nNothing can be traced before what is marked bad above is mended.\n");
	else if (!d->nr_processes)
		buf_printf(
		    out,
		    "\nThis machine can trace. No process with a runtime that jnitrace knows is seen.\n");
	else if (!traceable)
		buf_printf(out, "\nThis machine can trace, but none of these processes can be.\n");
	else
		buf_printf(out, "\nThis machine can trace. Begin with: jnitrace -p %d\n",
			   d->processes[first].target.pid);
}

void view_doctor_table(struct buf *out, const struct diagnosis *d, const struct view_opts *o)
{
	for (size_t i = 0; i < d->nr_checks; i++)
		put_line(out, d->checks[i].state, d->checks[i].name, d->checks[i].found, d->checks[i].advice,
			 o);
	if (d->nr_processes)
		buf_add(out, "\n", 1);
	for (size_t i = 0; i < d->nr_processes; i++)
		put_process(out, &d->processes[i], o);
	put_summary(out, d);
}

static const char *or_null(const char *s)
{
	return *s ? s : NULL;
}

void view_doctor_json(struct buf *out, const struct diagnosis *d, const struct view_opts *o)
{
	struct json_out j = {.out = out};

	(void)o;
	json_begin(&j);
	json_open(&j, "checks", '[');
	for (size_t i = 0; i < d->nr_checks; i++) {
		json_open(&j, NULL, '{');
		json_text(&j, "name", d->checks[i].name);
		json_text(&j, "state", check_state_names[d->checks[i].state]);
		json_text(&j, "found", d->checks[i].found);
		json_text(&j, "advice", or_null(d->checks[i].advice));
		json_close(&j, '}');
	}
	json_close(&j, ']');
	json_open(&j, "processes", '[');
	for (size_t i = 0; i < d->nr_processes; i++) {
		const struct seen_process *p = &d->processes[i];

		json_open(&j, NULL, '{');
		json_target(&j, &p->target);
		json_bool(&j, "traceable", p->traceable);
		if (p->traceable)
			json_count(&j, "probes", p->probes);
		else
			json_null(&j, "probes");
		json_text(&j, "why", or_null(p->why));
		json_text(&j, "advice", or_null(p->advice));
		json_close(&j, '}');
	}
	json_close(&j, ']');
	json_close(&j, '}');
	json_end_line(&j);
}
