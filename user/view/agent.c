/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The agent's JSON. See agent.h. */
#include "view/agent.h"

#include "view/json.h"
#include "view/json_out.h"

static const struct view_opts all = {.stacks = STACKS_MIXED, .all = true};

const struct window *window_of(const struct agent_seen *seen, const struct report_target *t)
{
	for (size_t i = 0; i < seen->nr_windows; i++)
		if (seen->windows[i]->pid == t->pid &&
		    seen->windows[i]->start_time_ticks == t->start_time_ticks)
			return seen->windows[i];
	return NULL;
}

/* 0: null. */
static void put_time(struct json_out *j, const char *key, double unix_s)
{
	if (unix_s > 0)
		json_time(j, key, unix_s);
	else
		json_null(j, key);
}

void json_window(struct json_out *j, const struct window *w)
{
	if (!w) {
		json_null(j, "window");
		return;
	}
	json_open(j, "window", '{');
	json_text(j, "state", window_state_names[w->state]);
	json_text(j, "reason", window_reason_names[w->reason]);
	put_time(j, "begin", w->begin_unix_s);
	put_time(j, "end", w->end_unix_s);
	put_time(j, "report", w->report ? w->report_unix_s : 0);
	json_text(j, "end_reason", w->report ? end_reason_names[w->report->end_reason] : NULL);
	json_text(j, "failed", w->state == WINDOW_FAILED ? w->why : NULL);
	json_close(j, '}');
}

void view_agent_targets(struct buf *out, const struct agent_seen *seen)
{
	struct json_out j = {.out = out};

	for (size_t i = 0; i < seen->nr_jvms; i++) {
		const struct census *c = seen->jvms[i];
		bool grows = false;

		for (int t = 0; t < NR_VM_TABLES; t++)
			grows |= c->growth[t].known && c->growth[t].alarm;
		json_begin(&j);
		json_target(&j, &c->target);
		json_text(&j, "service", c->service[0] ? c->service : NULL);
		json_text(&j, "refused", c->refused[0] ? c->refused : NULL);
		json_bool(&j, "growing", grows);
		json_window(&j, window_of(seen, &c->target));
		json_close(&j, '}');
		json_end_line(&j);
	}
}

/* A line that says of which process, and when; and what follows. */
static void begin(struct json_out *j, const struct window *w)
{
	json_begin(j);
	json_target(j, &w->report->target);
	json_time(j, "time", w->report->time_unix_s);
	json_known(j, "elapsed_s", w->report->elapsed_s);
}

void view_agent_sites(struct buf *out, const struct agent_seen *seen)
{
	struct json_out j = {.out = out};

	for (size_t i = 0; i < seen->nr_windows; i++) {
		const struct report *r = seen->windows[i]->report;

		for (size_t k = 0; r && k < r->sites.n; k++) {
			begin(&j, seen->windows[i]);
			json_site(&j, "site", r, &r->sites.v[k], &all);
			json_close(&j, '}');
			json_end_line(&j);
		}
	}
}

void view_agent_findings(struct buf *out, const struct agent_seen *seen)
{
	struct json_out j = {.out = out};

	for (size_t i = 0; i < seen->nr_windows; i++) {
		const struct report *r = seen->windows[i]->report;

		for (size_t k = 0; r && k < r->findings.n; k++) {
			begin(&j, seen->windows[i]);
			json_finding(&j, "finding", r, &r->findings.v[k], &all);
			json_close(&j, '}');
			json_end_line(&j);
		}
	}
}
