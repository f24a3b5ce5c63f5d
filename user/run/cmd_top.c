/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* jnitrace top. See cmd_top.h. */
#include "run/cmd_top.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "kernel/tracer.h"
#include "run/loop.h"
#include "run/outcome.h"
#include "run/privileges.h"
#include "run/record_file.h"
#include "run/targets.h"
#include "run/write_now.h"
#include "runtime/runtime.h"
#include "screen/browser.h"
#include "screen/output.h"
#include "view/columns.h"

#define SEARCH_INTERVAL_S 0.02 /* for the VM of a process that is starting */
#define NAME_INTERVAL_S   0.1  /* once all is attached: also for new stacks to name */
#define SCAN_INTERVAL_S   0.5  /* for new processes, with --all */
#define MAX_NAMING_S                                                                                         \
	0.5 /* for names, before a report and in one; no more than a quarter of the interval;                \
	     */
#define CLOSED_NAMING_S 0.25 /* of what is in a library that was closed; */
#define LAST_NAMING_S   1.0  /* of the last report; */
#define ASKED_CLOSED_S  0.1  /* of CPU time from a signal on, for what was closed; */
#define ASKED_NAMING_S  0.25 /* and for both, less where many files are read: see budget_heard(); */
#define ASKED_LEAST_S   0.1  /* whatever else took time since */
#define READING_S       1.0  /* between two readings for the verdicts, whatever the interval of reports is; */
#define READING_SHARE   0.05 /* or so long that they take no more of a CPU */

struct trace {
	const struct options *o;
	const struct trace_use *use; /* NULL: of jnitrace top itself */
	struct tracer *tracer;
	struct snapshots snapshots;
	struct target_list targets;
	struct output out;
	struct record_file record;
	struct write_now write;
	struct browser *browser;                     /* NULL: not on a terminal */
	const char *bottom[RUNTIMES_BOTTOM_MAX + 1]; /* what the runtimes say is at the bottom of stacks */

	struct loop *loop;
	int tick, search; /* timers: reports; until all is attached VMs, then new processes and stacks */

	bool catching_up; /* some VM is starting, and was attached to before */
	bool announced;   /* the `tracing` line is out */
	bool ends;        /* no target is to come, and none is traced any more; */
	bool asked;       /* that was asked for by a signal */
	long intervals;
	uint64_t last_usage_ns, last_scan_ns;
	uint64_t sites_named; /* tracer_sites_made() then */
	bool names_pending;   /* then there was no time for all */
	uint64_t reading_due_ns;
	double last_cpu_s;
	struct outcome outcome;
};

static int on_exit_of(void *trace, void *target, struct error *err);

static void trace_close(struct trace *s)
{
	while (s->targets.n)
		targets_remove(&s->targets, s->targets.n - 1);
	tracer_close(s->tracer);
	targets_free(&s->targets); /* its modules, which the tracer uses */
	snapshots_free(&s->snapshots);
	if (s->loop)
		loop_on_leave(s->loop, NULL, NULL);
	output_close(&s->out);
	browser_free(s->browser);
	record_file_close(&s->record);
	write_now_close(&s->write);
	loop_close(s->loop);
}

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

/* One of n targets that come may take its part of what is left. */
static void name_until(const struct trace *s, uint64_t end_ns, size_t n, bool last)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);

	budget_slice(s->targets.shared.budget, now + (end_ns > now ? (end_ns - now) / (n ? n : 1) : 0), last);
}

/* --- targets ------------------------------------------------------------------------------------- */

/* Notice when it ends. */
static int watch_target(struct trace *s, struct target *t, struct error *err)
{
	int rc = loop_add(s->loop, target_pidfd(t), on_exit_of, t);

	return rc ? error_set(err, rc, EXIT_FAILED, "watch a process", "raise ulimit -n", "%s", strerror(-rc))
		  : 0;
}

static void drop_target(struct trace *s, size_t i)
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

/* NULL: there is none. */
static struct target *target_of_pid(const struct trace *s, pid_t pid)
{
	for (size_t i = 0; i < s->targets.n; i++)
		if (target_id(s->targets.v[i])->pid == pid && target_state(s->targets.v[i]) != TARGET_ENDED)
			return s->targets.v[i];
	return NULL;
}

/* May be gone again: then it is none. */
static void add_found(struct trace *s, pid_t pid)
{
	struct target *t;

	if (s->use && (target_of_pid(s, pid) || !s->use->wants(s->use->of, pid)))
		return;
	if (targets_add(&s->targets, pid, false, &t, NULL))
		return;
	if (watch_target(s, t, NULL))
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
	rc = discovery_scan(s->targets.discovery, &pids);
	if (rc)
		error_set(err, rc, EXIT_FAILED, "look for JVMs", NULL, "%s", strerror(-rc));
	for (size_t i = 0; !rc && i < pids.n; i++)
		add_found(s, pids.v[i]);
	free(pids.v);
	return rc;
}

/* Bring one target as far as it gets. */
static int advance(struct trace *s, struct target *t, struct error *err)
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

/* Attach to whatever became ready. A process named by the user that cannot be traced ends the run. */
static int attach_ready(struct trace *s, struct error *err)
{
	int rc = find_new_targets(s, err);

	for (size_t i = 0; !rc && i < s->targets.n;) {
		struct target *t = s->targets.v[i];
		struct error why = {0};

		if (target_state(t) != TARGET_WAITING) {
			i++;
			continue;
		}
		rc = advance(s, t, &why);
		if (!rc) {
			if (s->use && target_state(t) == TARGET_TRACED)
				warn("PID %d: the first %.0f ms of it were not seen: it was not held at its "
				     "start",
				     target_id(t)->pid, proc_age_s(target_id(t)) * 1000);
			i++;
			continue;
		}
		if (target_asked_for(t)) {
			*err = why;
			return rc;
		}
		if (s->o->verbose)
			error_print(&why);
		if (s->use)
			s->use->missed(s->use->of, target_id(t)->pid);
		drop_target(s, i);
		rc = 0;
	}
	return rc;
}

/* Is every process the user named traced? One that --all found and that does not get ready keeps nobody
 * waiting. */
static bool all_live(const struct trace *s)
{
	for (size_t i = 0; i < s->targets.n; i++)
		if (target_asked_for(s->targets.v[i]) && target_state(s->targets.v[i]) == TARGET_WAITING)
			return false;
	return true;
}

static int on_key(void *trace, void *what, struct error *err);

/* There is something on the screen before the first report, and keys are read. */
static int start_browser(struct trace *s)
{
	int rc = output_draw(&s->out, s->browser, NULL);

	return rc ?: terminal_has_keys(s->out.terminal) ? loop_add(s->loop, STDIN_FILENO, on_key, NULL) : 0;
}

/* From one look at new processes and stacks to the next. A command's JVM may be gone in a moment, with names.
 */
static double look_interval_s(const struct trace *s)
{
	return s->use ? SEARCH_INTERVAL_S : NAME_INTERVAL_S;
}

/* The one line scripts wait for. */
static int announce(struct trace *s)
{
	struct buf b = {0};
	size_t probes = 0;
	int rc;

	for (size_t i = 0; i < s->targets.n; i++) {
		if (target_state(s->targets.v[i]) != TARGET_TRACED)
			continue;
		buf_printf(&b, "%s%d", b.n ? "," : "", target_id(s->targets.v[i])->pid);
		probes += tracer_probes(s->tracer, target_number(s->targets.v[i]));
	}
	if (s->o->verbose > 1)
		tracer_print_unwind(s->tracer);
	if (!s->use)
		fprintf(stderr, "jnitrace: tracing %s: %zu probes\n", b.n ? b.p : "none yet", probes);
	buf_free(&b);
	s->announced = true;
	s->last_usage_ns = clock_ns(CLOCK_MONOTONIC);
	s->reading_due_ns = s->last_usage_ns + (uint64_t)(READING_S * 1e9);
	loop_end_in(s->loop, s->o->duration_s);
	loop_set_timer(s->search, look_interval_s(s));
	rc = loop_set_timer(s->tick, s->o->interval_s);
	return rc ?: s->browser ? start_browser(s) : 0;
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
	rc = browser_reports(s->browser, reports, n);
	free(reports);
	return rc;
}

/* Is nobody to see what has changed since? What is to be recorded goes on. */
static bool is_paused(const struct trace *s)
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
static int take_code(struct trace *s, struct error *err)
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

/* Report the targets in state: traced ones every interval, ended ones for the last time. */
static int report_targets(struct trace *s, enum target_state_kind state, struct error *err)
{
	struct report **reports = calloc(s->targets.n + 1, sizeof(*reports));
	double cpu_pct = state == TARGET_TRACED ? self_cpu_pct(s) : -1;
	bool last = state == TARGET_ENDED;
	uint64_t end_ns;
	size_t n = 0, left = 0;
	int rc = take_code(s, err);

	for (size_t i = 0; i < s->targets.n; i++)
		if (target_state(s->targets.v[i]) == TARGET_TRACED && state == TARGET_TRACED)
			target_look(s->targets.v[i]);
	rc = rc ?: reports ? tracer_snapshot(s->tracer, &s->snapshots, err) : -ENOMEM;

	for (size_t i = 0; i < s->targets.n; i++)
		left += target_state(s->targets.v[i]) == state;
	end_ns = naming_end(s, last);
	for (size_t i = 0; !rc && i < s->targets.n; i++) {
		struct target *t = s->targets.v[i];
		struct report *r;

		if (target_state(t) != state || target_number(t) < 0)
			continue;
		name_until(s, end_ns, left--, last);
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
	if (s->browser && state == TARGET_TRACED)
		rc = rc ?: draw_reports(s, err);
	else
		rc = rc ?: render(s, (const struct report *const *)reports, n, err);
	free(reports);
	return rc;
}

/* --- the loop ------------------------------------------------------------------------------------ */

/* Show ended targets for the last time and let them go. */
static int let_go_of_ended(struct trace *s, struct error *err)
{
	int target_ids[JT_MAX_TARGETS], rc = 0;
	size_t n = 0;

	for (size_t i = 0; i < s->targets.n; i++)
		if (target_state(s->targets.v[i]) == TARGET_ENDED && target_number(s->targets.v[i]) >= 0)
			target_ids[n++] = target_number(s->targets.v[i]);
	if (n) {
		tracer_settle();
		rc = report_targets(s, TARGET_ENDED, err);
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
			if (s->use)
				rc = rc ?: s->use->last(s->use->of, last);
		}
		if (s->targets.discovery && target_end_reason(s->targets.v[i]) == END_EXECED)
			discovery_forget(s->targets.discovery, target_id(s->targets.v[i]));
		drop_target(s, i);
		if (s->browser)
			rc = rc ?: give_to_browser(s);
	}
	return rc;
}

static int read_targets(struct trace *s, struct error *err);

static int on_tick(void *trace, void *what, struct error *err)
{
	struct trace *s = trace;
	int rc;

	(void)what;
	for (size_t i = 0; i < s->targets.n; i++)
		if (target_state(s->targets.v[i]) == TARGET_TRACED &&
		    tracer_execed(s->tracer, target_number(s->targets.v[i])))
			target_stop(s->targets.v[i], END_EXECED);
	rc = let_go_of_ended(s, err);
	s->intervals++;
	if (s->o->count > 0 && s->intervals >= s->o->count)
		loop_end(s->loop);
	/* For people the last report stands for the last interval's, which would say the same. */
	if (s->o->count != s->intervals || !s->o->view.format->screen)
		rc = rc ?: is_paused(s) ? read_targets(s, err) : report_targets(s, TARGET_TRACED, err);
	return rc;
}

/* Name new stacks at once: at the next report the code or the process may be gone. */
static int name_sites(struct trace *s, struct error *err)
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
	rc = take_code(s, err);
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
static int read_targets(struct trace *s, struct error *err)
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
static int take_reading(struct trace *s, struct error *err)
{
	uint64_t start_ns = clock_ns(CLOCK_MONOTONIC), took_ns;
	int rc;

	if (!s->announced || s->o->count_only || s->o->interval_s < 1.5 * READING_S ||
	    start_ns < s->reading_due_ns)
		return 0;
	rc = read_targets(s, err);
	took_ns = clock_ns(CLOCK_MONOTONIC) - start_ns;
	s->reading_due_ns = start_ns + (uint64_t)fmax(READING_S * 1e9, (double)took_ns / READING_SHARE);
	return rc;
}

static int on_exit_of(void *trace, void *target, struct error *err)
{
	struct trace *s = trace;
	struct target *t = target;
	char what[64];

	loop_remove(s->loop, target_pidfd(t));
	if (target_state(t) == TARGET_TRACED) {
		target_stop(t, END_EXITED);
		return let_go_of_ended(s, err);
	}
	for (size_t i = 0; i < s->targets.n; i++) {
		if (s->targets.v[i] != t)
			continue;
		if (target_asked_for(t)) {
			snprintf(what, sizeof(what), "trace PID %d", target_id(t)->pid);
			return error_set(err, -ESRCH, EXIT_NO_TARGET, what, NULL,
					 "it has exited before its VM was loaded");
		}
		if (s->use)
			s->use->missed(s->use->of, target_id(t)->pid);
		drop_target(s, i);
		break;
	}
	return 0;
}

static int on_redraw(void *trace, void *what, struct error *err)
{
	struct trace *s = trace;

	(void)what;
	terminal_renew(s->out.terminal);
	return s->announced ? output_draw(&s->out, s->browser, err) : 0;
}

static int switch_families(struct trace *s, struct error *err)
{
	int rc = targets_switch(&s->targets, browser_families(s->browser), err);

	browser_set_families(s->browser, s->targets.shared.switchable, s->targets.shared.families);
	return rc ?: report_targets(s, TARGET_TRACED, err);
}

/* Draw what was reported last as the keys want it now. */
static int on_key(void *trace, void *what, struct error *err)
{
	struct trace *s = trace;
	bool changed = false;
	struct key key;
	int rc;

	(void)what;
	while ((rc = terminal_key(s->out.terminal, &key)) > 0) {
		enum wish wish = browser_key(s->browser, &key);

		if (wish == WISH_QUIT) {
			loop_end(s->loop);
			return 0;
		}
		if (wish == WISH_WRITE)
			write_now(&s->write, s->browser);
		rc = wish == WISH_SWITCH ? switch_families(s, err) : 0;
		if (rc)
			return rc;
		changed |= wish != WISH_NOTHING;
	}
	if (rc < 0)
		loop_remove(s->loop, STDIN_FILENO);
	return changed ? output_draw(&s->out, s->browser, err) : 0;
}

static int on_code(void *trace, void *what, struct error *err)
{
	(void)what;
	return take_code(trace, err);
}

/* VMs that were attached to while they started. */
static int catch_up(struct trace *s)
{
	bool was = s->catching_up;

	s->catching_up = false;
	for (size_t i = 0; i < s->targets.n; i++)
		s->catching_up |= target_catch_up(s->targets.v[i]);
	return was && !s->catching_up ? loop_set_timer(s->search, look_interval_s(s)) : 0;
}

/* Once the terminal is ours again, of which nobody tells, draw what is known. */
static int draw_again(struct trace *s, struct error *err)
{
	if (!s->browser || !s->announced || s->asked || terminal_is_on(s->out.terminal) ||
	    terminal_is_lent(s->out.terminal))
		return 0;
	return output_draw(&s->out, s->browser, err);
}

static int on_search(void *trace, void *what, struct error *err)
{
	struct trace *s = trace;
	int rc;

	(void)what;
	tracer_poll(s->tracer);
	rc = catch_up(s);
	rc = rc ?: attach_ready(s, err);
	rc = rc ?: name_sites(s, err);
	rc = rc ?: draw_again(s, err);
	return rc ?: take_reading(s, err);
}

/* Before each wait. */
static int before_wait(void *trace, void *what, struct error *err)
{
	struct trace *s = trace;
	int rc = 0;

	(void)what;
	(void)err;
	if (!s->announced && all_live(s))
		rc = announce(s);
	if (s->announced && !s->targets.n && !s->targets.discovery)
		loop_end(s->loop);
	return rc;
}

/* A link takes one to four file descriptors of a target: as many as the system allows. */
static void raise_file_limit(void)
{
	struct rlimit limit;

	if (!getrlimit(RLIMIT_NOFILE, &limit)) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* What is kept of references and of stacks, with their names, is in proportion to the room for them. */
#define BYTES_OF_A_REF   256
#define BYTES_OF_A_STACK (32 << 10)
#define BYTES_OF_REST    (1ULL << 30)
static void limit_memory(const struct options *o)
{
	budget_limit_process(o->limit_bytes + BYTES_OF_A_REF * o->max_refs +
			     BYTES_OF_A_STACK * o->max_stacks + BYTES_OF_REST);
}

static int open_output(struct trace *s, struct error *err)
{
	int rc = output_open(&s->out, &s->o->view, !s->use, true, loop_stop_fd(s->loop), err);

	rc = rc ?: record_file_open(&s->record, s->o, loop_stop_fd(s->loop), err);
	if (rc || !s->out.terminal)
		return rc;
	s->write = (struct write_now){.request = &s->o->view, .o = s->o, .stop_fd = loop_stop_fd(s->loop)};
	rc = browser_new(&s->o->view, NULL, &s->browser);
	if (rc)
		return rc;
	if (!s->o->count_only && terminal_has_keys(s->out.terminal))
		targets_may_switch(&s->targets);
	browser_set_families(s->browser, s->targets.shared.switchable, s->targets.shared.families);
	loop_on_leave(s->loop, terminal_leave, s->out.terminal);
	return loop_on_redraw(s->loop, on_redraw);
}

static int open_tracer(struct trace *s, const struct features *features, struct error *err)
{
	const struct options *o = s->o;
	const struct tracer_opts opts = {
	    .catalog = o->catalog,
	    .bottom = s->bottom,
	    .attach = o->attach,
	    .families = o->families | s->targets.shared.switchable,
	    .max_refs = o->max_refs,
	    .max_stacks = o->max_stacks,
	    .local_capacity = (uint32_t)o->local_capacity,
	    .depth = o->depth,
	    .memo = o->memo,
	    .share = o->all,
	    .by_thread = o->view.group_by == GROUP_THREAD,
	    .count_only = o->count_only,
	    .check = o->check,
	    .verbose = o->verbose > 0,
	};

	runtimes_bottom(s->bottom);
	return tracer_open(&opts, features, &s->tracer, err);
}

static int open_loop(struct trace *s)
{
	int rc = loop_open(&s->loop, s);

	if (!rc)
		loop_may_abandon(s->loop, true);
	if (!rc)
		s->tick = rc = loop_timer(s->loop, 0, on_tick);
	if (rc >= 0)
		s->search = rc = loop_timer(s->loop, SEARCH_INTERVAL_S, on_search);
	return rc < 0 ? rc : 0;
}

static int open_targets(struct trace *s, struct error *err)
{
	int rc = targets_open(&s->targets, s->o, loop_stop_fd(s->loop), err);

	for (size_t i = 0; !rc && i < s->targets.n; i++)
		rc = watch_target(s, s->targets.v[i], err);
	return rc;
}

/* At a terminal files may be asked for. */
static bool may_write(const struct options *o)
{
	return o->view.output || o->record || (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO));
}

static int start(struct trace *s, struct error *err)
{
	struct features features;
	int rc = privileges_keep(PRIVILEGES_TRACE, may_write(s->o), err);

	raise_file_limit();
	rc = rc ?: features_detect(&features, err);
	rc = rc ?: open_loop(s);
	rc = rc ?: open_targets(s, err);
	rc = rc ?: open_output(s, err);
	rc = rc ?: open_tracer(s, &features, err);
	if (!rc)
		limit_memory(s->o); /* behind the maps, which are mapped */
	if (!rc && s->o->verbose > 1)
		tracer_print_programs(s->tracer);
	rc = rc ?: loop_add(s->loop, tracer_code_fd(s->tracer), on_code, NULL);
	if (!rc && s->use)
		rc = s->use->begin(s->use->of, s, s->loop, err);
	return rc ? error_set(err, rc, EXIT_FAILED, "start", NULL, "%s", strerror(-rc)) : 0;
}

/* A process that is gone is so, though the signal was heard before its end was. */
static enum end_reason reason_at_end(const struct trace *s, const struct target *t)
{
	if (tracer_execed(s->tracer, target_number(t)))
		return END_EXECED;
	return proc_id_alive(target_id(t)) ? END_DETACHED : END_EXITED;
}

int trace_held(struct trace *s, pid_t pid, struct error *err)
{
	struct target *t = target_of_pid(s, pid);
	struct error why = {0};
	int rc;

	if (t && target_state(t) != TARGET_WAITING) /* it opens that file once more */
		return 0;
	if (!t) {
		if (targets_add(&s->targets, pid, false, &t, NULL)) { /* it is gone */
			s->use->missed(s->use->of, pid);
			return 0;
		}
		rc = watch_target(s, t, err);
		if (rc)
			return rc;
	}
	target_set_held(t, true);
	rc = advance(s, t, &why);
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
	add_found(s, pid);
}

bool trace_not_held(struct trace *s, pid_t pid)
{
	struct target *t = target_of_pid(s, pid);

	if (t)
		target_set_held(t, false);
	return t;
}

size_t trace_targets(const struct trace *s)
{
	return s->targets.n;
}

/* A signal asked to end. One that comes later ends what takes long. */
static void hear(struct trace *s)
{
	s->asked = true;
	budget_heard(s->targets.shared.budget);
	if (!s->out.terminal)
		return;
	loop_on_leave(s->loop, NULL, NULL); /* so that what takes long can be told */
	terminal_leave(s->out.terminal);
}

enum exit_code cmd_top(const struct options *o, struct error *err)
{
	return trace_run(o, NULL, err);
}

enum exit_code trace_run(const struct options *o, const struct trace_use *use, struct error *err)
{
	struct trace s = {.o = o, .use = use};
	int rc = start(&s, err);

	rc = rc ?: attach_ready(&s, err);
	rc = rc ?: loop_run(s.loop, before_wait, err);
	if (s.loop && loop_is_stopped(s.loop))
		hear(&s);
	if (!rc) {
		for (size_t i = 0; i < s.targets.n; i++)
			if (target_state(s.targets.v[i]) == TARGET_TRACED)
				target_stop(s.targets.v[i], reason_at_end(&s, s.targets.v[i]));
		s.ends = true;
		rc = let_go_of_ended(&s, err);
	}
	rc = rc ?: output_end(&s.out, err);
	rc = rc ?: record_file_end(&s.record, err);
	rc = rc ?: write_now_end(&s.write, err);
	if (!rc && o->verbose > 1)
		tracer_print_walks(s.tracer);
	trace_close(&s);
	if (rc)
		return err->what[0] ? err->exit_code : EXIT_FAILED;
	return outcome_code(&s.outcome, o);
}
