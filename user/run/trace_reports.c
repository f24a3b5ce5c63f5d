/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is said of the targets: names, readings, reports and where those go. See trace.h. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "run/trace.h"
#include "view/columns.h"

#define MAX_NAMING_S                                                                                         \
	0.5 /* for names, before a report and in one; no more than a quarter of the interval;                \
	     */
#define DRAWN_NAMING_S  0.02 /* in one that is drawn, as nobody answers keys meanwhile; */
#define CLOSED_NAMING_S 0.25 /* of what is in a library that was closed; */
#define LAST_NAMING_S   1.0  /* of the last report; */
#define ASKED_CLOSED_S  0.1  /* of CPU time from a signal on, for what was closed; */
#define ASKED_NAMING_S  0.25 /* and for both, less where many files are read: see budget_heard(); */
#define ASKED_LEAST_S   0.1  /* whatever else took time since */
#define READING_SHARE   0.05 /* or so long that they take no more of a CPU */

/* --- time for names ------------------------------------------------------------------------------ */

/* When what begins now must end: it may take most_s, or what is left of asked_s after a signal. */
static uint64_t end_after(const struct trace *s, double most_s, double asked_s)
{
	double late_s = (double)budget_late_ns(s->targets.shared.budget) / 1e9;

	if (s->asked)
		most_s = fmin(most_s, fmax(asked_s - late_s, ASKED_LEAST_S));
	return clock_ns(CLOCK_MONOTONIC) + (uint64_t)(1e9 * most_s);
}

/* Of names: so that no report is late by more than half an interval. */
static uint64_t naming_end(const struct trace *s, bool last)
{
	return end_after(s, last ? LAST_NAMING_S : fmin(s->o->interval_s / 4, MAX_NAMING_S), ASKED_NAMING_S);
}

/* One of n targets that come may take its part of what is left. Who has quit waits for no more. */
static void name_until(const struct trace *s, uint64_t end_ns, size_t n, bool last)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);

	if (s->wish == WISH_QUIT && !last)
		end_ns = now;

	budget_slice(s->targets.shared.budget, now + (end_ns > now ? (end_ns - now) / (n ? n : 1) : 0), last);
}

/* --- output -------------------------------------------------------------------------------------- */

static double cpu_of(const struct rusage *u)
{
	return u->ru_utime.tv_sec + u->ru_stime.tv_sec + (u->ru_utime.tv_usec + u->ru_stime.tv_usec) / 1e6;
}

static double self_cpu_pct(struct trace *s)
{
	struct rusage u, helpers;
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	double cpu_s, pct;

	getrusage(RUSAGE_SELF, &u);
	getrusage(RUSAGE_CHILDREN, &helpers); /* that have ended */
	cpu_s = cpu_of(&u) + cpu_of(&helpers);
	pct = now > s->last_usage_ns ? (cpu_s - s->last_cpu_s) * 1e11 / (now - s->last_usage_ns) : -1;
	if (!s->last_cpu_s)
		pct = -1; /* the first interval would show the start */
	s->last_cpu_s = cpu_s;
	s->last_usage_ns = now;
	return pct;
}

static int render(struct trace *s, const struct report *const *reports, size_t n, struct error *err)
{
	struct buf b = {0};
	struct view_opts v;
	bool last = n && reports[0]->final;

	if (n && !last && s->o->view.format->note)
		s->o->view.format->note(s->out.state, reports, n);
	if (!n || ((s->o->view.format->at_end || s->use) && !last))
		return 0;
	output_view_opts(&s->out, &s->o->view, last, &v);
	s->o->view.format->reports(s->out.state, &b, reports, n, &v);
	return output_write(&s->out, &b, last, err);
}

/* What the browser shows from now on: the reports that it had may be gone. 0 or -ENOMEM. */
static int give_to_browser(struct trace *s)
{
	const struct report **reports = calloc(s->targets.n + 1, sizeof(*reports));
	size_t n = 0;
	int rc;

	if (!reports)
		return -ENOMEM;
	for (size_t i = 0; i < s->targets.n; i++)
		if (target_state(s->targets.v[i]) == TARGET_TRACED && target_report_of(s->targets.v[i]))
			reports[n++] = target_report_of(s->targets.v[i]);
	browser_set_families(s->browser, targets_switchable(&s->targets), s->targets.shared.families);
	/* What is paused stays; its curves go on. */
	rc = s->frozen ? browser_pass(s->browser, reports, n) : browser_reports(s->browser, reports, n);
	s->remade = rc != 0;
	free(reports);
	return rc;
}

int trace_freeze(struct trace *s)
{
	const struct report *const *reports;
	struct frozen *frozen = s->frozen;
	size_t n;
	int rc;

	if (browser_paused(s->browser) == (frozen != NULL))
		return 0;
	if (frozen) {
		s->frozen = NULL;
		rc = give_to_browser(s);
		frozen_free(frozen);
		return rc;
	}
	reports = browser_shown(s->browser, &n);
	if (!n) /* there is nothing to keep yet */
		return 0;
	rc = frozen_make(s->o->catalog, reports, n, &s->frozen);
	if (rc)
		return rc;
	n = frozen_reports(s->frozen, &reports);
	return browser_reports(s->browser, reports, n);
}

/* Is nobody to see what has changed since? What is to be recorded goes on. */
bool trace_is_paused(const struct trace *s)
{
	return s->browser && browser_paused(s->browser) && !s->o->record && !write_now_records(&s->write);
}

/* Anew, unless it is paused. When it was left by Ctrl-Z it is drawn once again. */
static int draw_reports(struct trace *s, struct error *err)
{
	int rc = give_to_browser(s);

	if (rc || (browser_paused(s->browser) && terminal_is_on(s->out.terminal)))
		return rc;
	return output_draw(&s->out, s->browser, err);
}

/* Of a target that is attached. */
static struct snapshot *snapshot_of(struct trace *s, const struct target *t)
{
	return &s->snapshots.of[target_number(t)];
}

/*
 * Take in which libraries the targets loaded and closed. Stacks in code that was closed are named now or
 * never, so this has its own time.
 */
int trace_take_code(struct trace *s, struct error *err)
{
	uint64_t end_ns = end_after(s, CLOSED_NAMING_S, ASKED_CLOSED_S);
	bool changed = false;
	int rc = 0;

	tracer_code_drain(s->tracer);
	for (size_t i = 0; i < s->targets.n; i++)
		changed |= target_code_changed(s->targets.v[i]);
	if (changed)
		rc = tracer_sites(s->tracer, &s->snapshots, err);
	for (size_t i = 0; changed && !rc && i < s->targets.n; i++) {
		if (target_number(s->targets.v[i]) < 0)
			continue;
		name_until(s, end_ns, s->targets.n - i, true);
		rc = target_code(s->targets.v[i], snapshot_of(s, s->targets.v[i]), err);
	}
	return rc;
}

/* For a screen names are looked up while keys are answered, and not amid the reports. */
static int look_up(struct trace *s, struct error *err)
{
	int rc = trace_name_sites(s, err);
	uint64_t end_ns = naming_end(s, false);

	for (size_t i = 0; !rc && i < s->targets.n; i++) {
		name_until(s, end_ns, s->targets.n - i, false);
		if (target_state(s->targets.v[i]) == TARGET_TRACED)
			target_look_up_owners(s->targets.v[i]);
	}
	return rc;
}

/* Report the targets in state: traced ones every interval, ended ones for the last time. */
int trace_report(struct trace *s, enum target_state_kind state, struct error *err)
{
	struct report **reports = calloc(s->targets.n + 1, sizeof(*reports));
	double cpu_pct = state == TARGET_TRACED ? self_cpu_pct(s) : -1;
	bool last = state == TARGET_ENDED;
	uint64_t end_ns;
	size_t n = 0, left = 0;
	int rc = trace_take_code(s, err);

	if (s->browser && !last)
		rc = rc ?: look_up(s, err);
	for (size_t i = 0; i < s->targets.n; i++)
		if (target_state(s->targets.v[i]) == TARGET_TRACED && state == TARGET_TRACED)
			target_look(s->targets.v[i]);
	rc = rc ?: reports ? tracer_snapshot(s->tracer, &s->snapshots, err) : -ENOMEM;

	for (size_t i = 0; i < s->targets.n; i++)
		left += target_state(s->targets.v[i]) == state;
	end_ns = s->browser && !last ? end_after(s, DRAWN_NAMING_S, ASKED_NAMING_S) : naming_end(s, last);
	for (size_t i = 0; !rc && i < s->targets.n; i++) {
		struct target *t = s->targets.v[i];
		struct report *r;

		if (target_state(t) != state || target_number(t) < 0)
			continue;
		name_until(s, end_ns, left--, last);
		if (s->browser && !last)
			budget_fill_slice(s->targets.shared.budget);
		s->remade = true;
		rc = target_report(t, snapshot_of(s, t), err);
		if (rc)
			break;
		r = target_report_of(t);
		r->self_cpu_pct = cpu_pct;
		reports[n++] = r;
	}
	rc = rc ?: record_file_write(&s->record, (const struct report *const *)reports, n, err);
	if (!rc)
		write_now_record(&s->write, s->browser, (const struct report *const *)reports, n);
	for (size_t i = 0; i < n; i++)
		report_sort(reports[i], s->o->view.sort);
	if (!rc && s->browser)
		write_now_note(&s->write, (const struct report *const *)reports, n);
	if (s->browser && state == TARGET_TRACED)
		rc = rc ?: draw_reports(s, err);
	else
		rc = rc ?: render(s, (const struct report *const *)reports, n, err);
	free(reports);
	return rc;
}

/* Show ended targets for the last time and let them go. */
int trace_let_go(struct trace *s, struct error *err)
{
	int target_ids[JT_MAX_TARGETS], rc = 0;
	size_t n = 0;

	for (size_t i = 0; i < s->targets.n; i++)
		if (target_state(s->targets.v[i]) == TARGET_ENDED && target_number(s->targets.v[i]) >= 0)
			target_ids[n++] = target_number(s->targets.v[i]);
	if (n) {
		tracer_settle();
		rc = trace_report(s, TARGET_ENDED, err);
		tracer_detach(s->tracer, target_ids,
			      n); /* which may take half a minute: nobody is to wait for it */
	}
	for (size_t i = 0; i < s->targets.n;) {
		const struct report *last;

		if (target_state(s->targets.v[i]) != TARGET_ENDED) {
			i++;
			continue;
		}
		last = target_report_of(s->targets.v[i]);
		if (last) {
			outcome_add(&s->outcome, s->o, last);
			if (s->browser)
				browser_ended(s->browser, last);
			if (s->use)
				rc = rc ?: s->use->last(s->use->of, last);
		}
		if (s->targets.discovery && target_end_reason(s->targets.v[i]) == END_EXECED)
			discovery_forget(s->targets.discovery, target_id(s->targets.v[i]));
		trace_drop(s, i);
		if (s->browser)
			rc = rc ?: give_to_browser(s);
	}
	return rc;
}

/* --- between two reports --- */

/* Name new stacks at once: at the next report the code or the process may be gone. */
int trace_name_sites(struct trace *s, struct error *err)
{
	uint64_t made = s->announced ? tracer_sites_made(s->tracer) : s->sites_named,
		 end_ns = naming_end(s, false);
	int rc;

	if (made == s->sites_named && !s->names_pending)
		return 0;
	if (made == s->sites_named) /* what takes long goes on in its own time */
		end_ns = clock_ns(CLOCK_MONOTONIC) + (uint64_t)(1e9 * NAME_INTERVAL_S / 2);
	s->sites_named = made;
	s->names_pending = false;
	rc = trace_take_code(s, err);
	rc = rc ?: tracer_sites(s->tracer, &s->snapshots, err);
	for (size_t i = 0; !rc && i < s->targets.n; i++) {
		struct target *t = s->targets.v[i];

		if (target_state(t) != TARGET_TRACED || tracer_execed(s->tracer, target_number(t)))
			continue;
		name_until(s, end_ns, s->targets.n - i, false);
		rc = target_name(t, snapshot_of(s, t), err);
		s->names_pending |= target_names_pending(t);
	}
	return rc;
}

/* A reading of each target, for the verdicts. */
int trace_read(struct trace *s, struct error *err)
{
	int rc;

	for (size_t i = 0; i < s->targets.n; i++)
		if (target_state(s->targets.v[i]) == TARGET_TRACED)
			target_look(s->targets.v[i]);
	rc = tracer_snapshot(s->tracer, &s->snapshots, err);
	for (size_t i = 0; !rc && i < s->targets.n; i++) {
		struct target *t = s->targets.v[i];

		if (target_state(t) == TARGET_TRACED && !tracer_execed(s->tracer, target_number(t)))
			rc = target_reading(t, snapshot_of(s, t), err);
	}
	return rc;
}

/* Reports that are made often enough are readings, too. */
int trace_take_reading(struct trace *s, struct error *err)
{
	uint64_t start_ns = clock_ns(CLOCK_MONOTONIC), took_ns;
	int rc;

	if (!s->announced || s->o->count_only || s->o->interval_s < 1.5 * READING_S ||
	    start_ns < s->reading_due_ns)
		return 0;
	rc = trace_read(s, err);
	took_ns = clock_ns(CLOCK_MONOTONIC) - start_ns;
	s->reading_due_ns = start_ns + (uint64_t)fmax(READING_S * 1e9, (double)took_ns / READING_SHARE);
	return rc;
}
