/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "run/session.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "kernel/tracer.h"
#include "run/discover.h"
#include "run/interrupt.h"
#include "run/target.h"
#include "screen/live.h"
#include "screen/output.h"
#include "view/columns.h"
#include "view/probes.h"

#define LOOK_INTERVAL_S 0.02 /* for the VM of a process that is starting */
#define SCAN_INTERVAL_S 0.5  /* for new processes, with --all */
#define NAME_INTERVAL_S 0.1  /* for new stacks to name */
#define READING_S       1.0  /* between two readings for the verdicts, whatever the interval of reports is; */
#define READING_SHARE   0.05 /* or so long that they take no more of a CPU */

struct session {
	const struct options *o;
	struct tracer *tracer;
	struct discovery *discovery;
	struct snapshots snapshots;
	struct {
		struct target **v;
		size_t n, cap;
	} targets;
	struct output out;
	struct live live;
	struct elf_cache *libraries;
	struct modules *modules;
	const char *bottom[RUNTIMES_BOTTOM_MAX + 1]; /* what the runtimes say is at the bottom of stacks */

	struct interrupt *interrupt;
	int epoll, tick, look;

	bool announced; /* the `tracing` line is out */
	bool stop;
	long intervals;
	uint64_t started_ns, last_usage_ns, last_look_ns;
	uint64_t sites_named; /* tracer_sites_made() then */
	uint64_t reading_due_ns;
	double last_cpu_s;
	uint64_t losses;
	bool failed_on; /* there was a finding that --fail-on asks for; */
	double more_s;  /* or so much more time would tell whether there is one; 0: it is told */
};

static int watch(struct session *s, int fd, void *what)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = what};

	return epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &ev) ? -errno : 0;
}

static int set_timer(int fd, double interval_s)
{
	struct itimerspec t = {0};

	t.it_interval.tv_sec = interval_s;
	t.it_interval.tv_nsec = (interval_s - floor(interval_s)) * 1e9;
	t.it_value = t.it_interval;
	return timerfd_settime(fd, 0, &t, NULL) ? -errno : 0;
}

static int open_loop(struct session *s)
{
	int rc;

	signal(SIGPIPE, SIG_IGN); /* a reader that went away is an error of write() */
	rc = interrupt_open(&s->interrupt);
	if (rc)
		return rc;
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	s->tick = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	s->look = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (s->epoll < 0 || s->tick < 0 || s->look < 0)
		return -errno;
	rc = watch(s, interrupt_fd(s->interrupt), s->interrupt);
	rc = rc ?: watch(s, s->tick, &s->tick);
	rc = rc ?: watch(s, s->look, &s->look);
	return rc ?: set_timer(s->look, LOOK_INTERVAL_S);
}

static void session_close(struct session *s)
{
	for (size_t i = 0; i < s->targets.n; i++)
		target_free(s->targets.v[i]);
	free(s->targets.v);
	tracer_close(s->tracer);
	discovery_free(s->discovery);
	snapshots_free(&s->snapshots);
	modules_free(s->modules);
	elf_cache_free(s->libraries);
	if (s->interrupt)
		interrupt_tell(s->interrupt, NULL, NULL);
	output_close(&s->out);
	for (size_t i = 0; i < 3; i++) {
		int fd = (int[]){s->epoll, s->tick, s->look}[i];

		if (fd >= 0)
			close(fd);
	}
	interrupt_close(s->interrupt);
}

/* --- targets ------------------------------------------------------------------------------------- */

static int add_target(struct session *s, pid_t pid, bool asked_for, struct error *err)
{
	struct target **place = VEC_ADD(&s->targets), *t = NULL;
	int rc = place ? target_new(pid, &t, err) : -ENOMEM;

	if (rc) {
		s->targets.n -= place != NULL;
		return rc;
	}
	t->asked_for = asked_for;
	t->libraries = s->libraries;
	t->modules = s->modules;
	*place = t;
	rc = s->epoll >= 0 ? watch(s, t->pidfd, t) : 0;
	if (!rc)
		return 0;
	s->targets.n--;
	target_free(t);
	return error_set(err, rc, EXIT_FAILED, "watch a process", "raise ulimit -n", "%s", strerror(-rc));
}

static void remove_target(struct session *s, size_t i)
{
	struct target *t = s->targets.v[i];

	if (t->slot >= 0) {
		tracer_detach(s->tracer, &t->slot, 1);
		tracer_forget(s->tracer, t->slot);
	}
	target_free(t);
	s->targets.v[i] = s->targets.v[--s->targets.n];
}

static int scan(struct session *s, struct error *err)
{
	struct pid_list pids = {0};
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	int rc;

	if (!s->discovery || (s->last_look_ns && now - s->last_look_ns < SCAN_INTERVAL_S * 1e9))
		return 0;
	s->last_look_ns = now;
	rc = discovery_scan(s->discovery, &pids);
	if (rc)
		error_set(err, rc, EXIT_FAILED, "look for JVMs", NULL, "%s", strerror(-rc));
	for (size_t i = 0; !rc && i < pids.n; i++)
		add_target(s, pids.v[i], false, NULL); /* may be gone again */
	free(pids.v);
	return rc;
}

/* Bring one target as far as it gets. */
static int advance(struct session *s, struct target *t, struct error *err)
{
	char what[64];
	int rc = target_find(t, s->o, err);

	if (!rc && t->state == TARGET_FOUND) {
		rc = target_attach(t, s->tracer, err);
		rc = rc ?: target_start(t, s->tracer, err);
	}
	if (!rc || proc_id_alive(&t->id))
		return rc;
	/* Whatever failed, this is why. */
	*err = (struct error){0};
	snprintf(what, sizeof(what), "trace PID %d", t->id.pid);
	return error_set(err, -ESRCH, EXIT_NO_TARGET, what, NULL, "it has exited");
}

/* Attach to whatever became ready. A process named by the user that cannot be traced ends the run. */
static int look(struct session *s, struct error *err)
{
	int rc = scan(s, err);

	for (size_t i = 0; !rc && i < s->targets.n;) {
		struct target *t = s->targets.v[i];
		struct error why = {0};

		if (t->state != TARGET_WAITING) {
			i++;
			continue;
		}
		rc = advance(s, t, &why);
		if (!rc) {
			i++;
			continue;
		}
		if (t->asked_for) {
			*err = why;
			return rc;
		}
		if (s->o->verbose)
			error_print(&why);
		remove_target(s, i);
		rc = 0;
	}
	return rc;
}

/* Is every process the user named traced? One that --all found and that does not get ready keeps nobody
 * waiting. */
static bool all_live(const struct session *s)
{
	for (size_t i = 0; i < s->targets.n; i++)
		if (s->targets.v[i]->asked_for && s->targets.v[i]->state == TARGET_WAITING)
			return false;
	return true;
}

/* The one line scripts wait for. */
static int announce(struct session *s)
{
	struct buf b = {0};
	size_t probes = 0;

	for (size_t i = 0; i < s->targets.n; i++) {
		if (s->targets.v[i]->state != TARGET_TRACED)
			continue;
		buf_printf(&b, "%s%d", b.n ? "," : "", s->targets.v[i]->id.pid);
		probes += s->targets.v[i]->report.nr_probes;
	}
	if (s->o->verbose > 1)
		tracer_print_unwind(s->tracer);
	fprintf(stderr, "jnitrace: tracing %s: %zu probes\n", b.n ? b.p : "none yet", probes);
	buf_free(&b);
	s->announced = true;
	s->started_ns = s->last_usage_ns = clock_ns(CLOCK_MONOTONIC);
	s->reading_due_ns = s->started_ns + (uint64_t)(READING_S * 1e9);
	set_timer(s->look, NAME_INTERVAL_S);
	return set_timer(s->tick, s->o->interval_s);
}

/* --- output -------------------------------------------------------------------------------------- */

static double self_cpu_pct(struct session *s)
{
	struct rusage u;
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	double cpu_s, pct;

	getrusage(RUSAGE_SELF, &u);
	cpu_s = u.ru_utime.tv_sec + u.ru_stime.tv_sec + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
	pct = now > s->last_usage_ns ? (cpu_s - s->last_cpu_s) * 1e11 / (now - s->last_usage_ns) : -1;
	if (!s->last_cpu_s)
		pct = -1; /* the first interval would show the start */
	s->last_cpu_s = cpu_s;
	s->last_usage_ns = now;
	return pct;
}

static int render(struct session *s, const struct report *const *reports, size_t n, struct error *err)
{
	struct buf b = {0}, footer = {0};
	struct view_opts v;
	bool last = n && reports[0]->final, keys = s->out.screen && screen_has_keys(s->out.screen);
	int rc;

	if (!n || (s->o->view.format->at_end && !last))
		return 0;
	output_view_opts(&s->out, &s->o->view, last, &v);
	if (keys && !last)
		live_apply(&s->live, &s->o->view, &v);
	s->o->view.format->reports(s->out.state, &b, reports, n, &v);
	if (keys)
		live_footer(&s->live, &footer);
	rc = output_write(&s->out, &b, last, footer.p, err);
	buf_free(&footer);
	return rc;
}

/* Of a target that is attached. */
static struct snapshot *snapshot_of(struct session *s, const struct target *t)
{
	return &s->snapshots.of[t->slot];
}

/* Take in which libraries the targets loaded and closed. */
static int take_code(struct session *s, struct error *err)
{
	bool changed = false;
	int rc = 0;

	tracer_code_drain(s->tracer);
	for (size_t i = 0; i < s->targets.n; i++)
		changed |= target_code_changed(s->targets.v[i], s->tracer);
	if (changed)
		rc = tracer_sites(s->tracer, &s->snapshots, err);
	for (size_t i = 0; changed && !rc && i < s->targets.n; i++)
		if (s->targets.v[i]->code_changed)
			rc = target_code(s->targets.v[i], s->tracer, snapshot_of(s, s->targets.v[i]), err);
	return rc;
}

/* Report the targets in state: traced ones every interval, ended ones for the last time. */
static int report(struct session *s, enum target_state_kind state, struct error *err)
{
	const struct report **reports = calloc(s->targets.n + 1, sizeof(*reports));
	double cpu_pct = state == TARGET_TRACED ? self_cpu_pct(s) : -1;
	size_t n = 0;
	int rc = take_code(s, err);

	for (size_t i = 0; i < s->targets.n; i++)
		if (s->targets.v[i]->state == TARGET_TRACED && state == TARGET_TRACED)
			target_look(s->targets.v[i], s->tracer);
	rc = rc ?: reports ? tracer_snapshot(s->tracer, &s->snapshots, err) : -ENOMEM;

	for (size_t i = 0; !rc && i < s->targets.n; i++) {
		struct target *t = s->targets.v[i];

		if (t->state != state || t->slot < 0)
			continue;
		rc = target_report(t, s->tracer, snapshot_of(s, t), s->o, err);
		if (rc)
			break;
		t->report.self_cpu_pct = cpu_pct;
		report_sort(&t->report, s->o->view.sort);
		reports[n++] = &t->report;
	}
	/* When it was left, for what stays or by Ctrl-Z, it is drawn once again. */
	if (!s->live.paused || state == TARGET_ENDED || (s->out.screen && !screen_is_on(s->out.screen)))
		rc = rc ?: render(s, reports, n, err);
	free(reports);
	return rc;
}

/* --- the loop ------------------------------------------------------------------------------------ */

static void count_losses(struct session *s, const struct report *r)
{
	for (int i = 0; i < NR_DROPS; i++) {
		s->losses += r->drops[i];
		if (r->drops[i] && !s->o->view.format->losses)
			warn("PID %d: %s %llu: %s (%s)", r->target.pid, drop_rows[i].name,
			     (unsigned long long)r->drops[i], drop_rows[i].meaning, drop_rows[i].advice);
	}
}

static bool fails(const struct options *o, enum finding_kind kind)
{
	if (o->fail_on == FAIL_ON_LEAK)
		return kind == FINDING_LEAK || finding_rows[kind].severity == SEVERITY_ERROR;
	return (int)finding_rows[kind].severity <= o->fail_on;
}

/* By the last report of a target: what was said on the way and taken back does not count. */
static void judge(struct session *s, const struct report *r)
{
	for (size_t i = 0; i < r->findings.n; i++)
		s->failed_on |= fails(s->o, r->findings.v[i].kind);
	if (fails(s->o, FINDING_LEAK))
		s->more_s = fmax(s->more_s, report_too_short(r));
}

/* Show ended targets for the last time and let them go. */
static int bury(struct session *s, struct error *err)
{
	int slots[JT_MAX_TARGETS], rc = 0;
	size_t n = 0;

	for (size_t i = 0; i < s->targets.n; i++)
		if (s->targets.v[i]->state == TARGET_ENDED && s->targets.v[i]->slot >= 0)
			slots[n++] = s->targets.v[i]->slot;
	if (n) {
		tracer_settle();
		rc = report(s, TARGET_ENDED, err);
		tracer_detach(s->tracer, slots,
			      n); /* which may take half a minute: nobody is to wait for it */
	}
	for (size_t i = 0; i < s->targets.n;) {
		if (s->targets.v[i]->state != TARGET_ENDED) {
			i++;
			continue;
		}
		count_losses(s, &s->targets.v[i]->report);
		judge(s, &s->targets.v[i]->report);
		if (s->discovery && s->targets.v[i]->end_reason == END_EXECED)
			discovery_forget(s->discovery, &s->targets.v[i]->id);
		remove_target(s, i);
	}
	return rc;
}

static int on_tick(struct session *s, struct error *err)
{
	uint64_t expirations;
	int rc;

	if (read(s->tick, &expirations, sizeof(expirations)) < 0)
		return 0;
	for (size_t i = 0; i < s->targets.n; i++)
		if (s->targets.v[i]->state == TARGET_TRACED &&
		    tracer_execed(s->tracer, s->targets.v[i]->slot))
			target_stop(s->targets.v[i], s->tracer, END_EXECED);
	rc = bury(s, err);
	rc = rc ?: report(s, TARGET_TRACED, err);
	s->intervals++;
	if (s->o->count > 0 && s->intervals >= s->o->count)
		s->stop = true;
	return rc;
}

/* Name new stacks at once: at the next report the code or the process may be gone. */
static int name_sites(struct session *s, struct error *err)
{
	uint64_t made = s->announced ? tracer_sites_made(s->tracer) : s->sites_named;
	int rc;

	if (made == s->sites_named)
		return 0;
	s->sites_named = made;
	rc = take_code(s, err);
	rc = rc ?: tracer_sites(s->tracer, &s->snapshots, err);
	for (size_t i = 0; !rc && i < s->targets.n; i++)
		if (s->targets.v[i]->state == TARGET_TRACED &&
		    !tracer_execed(s->tracer, s->targets.v[i]->slot))
			rc = target_name(s->targets.v[i], s->tracer, snapshot_of(s, s->targets.v[i]), err);
	return rc;
}

/* Reports that are made often enough are readings, too. */
static int take_reading(struct session *s, struct error *err)
{
	uint64_t start_ns = clock_ns(CLOCK_MONOTONIC), took_ns;
	int rc;

	if (!s->announced || s->o->count_only || s->o->interval_s < 1.5 * READING_S ||
	    start_ns < s->reading_due_ns)
		return 0;
	for (size_t i = 0; i < s->targets.n; i++)
		if (s->targets.v[i]->state == TARGET_TRACED)
			target_look(s->targets.v[i], s->tracer);
	rc = tracer_snapshot(s->tracer, &s->snapshots, err);
	for (size_t i = 0; !rc && i < s->targets.n; i++) {
		struct target *t = s->targets.v[i];

		if (t->state == TARGET_TRACED && !tracer_execed(s->tracer, t->slot))
			rc = target_reading(t, s->tracer, snapshot_of(s, t), err);
	}
	took_ns = clock_ns(CLOCK_MONOTONIC) - start_ns;
	s->reading_due_ns = start_ns + (uint64_t)fmax(READING_S * 1e9, (double)took_ns / READING_SHARE);
	return rc;
}

static int on_exit_of(struct session *s, struct target *t, struct error *err)
{
	char what[64];

	epoll_ctl(s->epoll, EPOLL_CTL_DEL, t->pidfd, NULL);
	if (t->state == TARGET_TRACED) {
		target_stop(t, s->tracer, END_EXITED);
		return bury(s, err);
	}
	for (size_t i = 0; i < s->targets.n; i++) {
		if (s->targets.v[i] != t)
			continue;
		if (t->asked_for) {
			snprintf(what, sizeof(what), "trace PID %d", t->id.pid);
			return error_set(err, -ESRCH, EXIT_NO_TARGET, what, NULL,
					 "it has exited before its VM was loaded");
		}
		remove_target(s, i);
		break;
	}
	return 0;
}

/* Milliseconds until --duration is over; -1: never. */
static int time_left_ms(const struct session *s)
{
	double left_s;

	if (!s->announced || s->o->duration_s < 0)
		return -1;
	left_s = s->o->duration_s - (clock_ns(CLOCK_MONOTONIC) - s->started_ns) / 1e9;
	return left_s <= 0 ? 0 : left_s > 86400 ? 86400000 : (int)ceil(left_s * 1000);
}

/* Draw what was reported last as the keys want it now. */
static int on_key(struct session *s, struct error *err)
{
	const struct report **reports;
	int key = screen_key(s->out.screen), rc;
	size_t n = 0;

	if (key == SCREEN_CLOSED)
		return epoll_ctl(s->epoll, EPOLL_CTL_DEL, STDIN_FILENO, NULL) ? -errno : 0;
	switch (live_key(&s->live, key)) {
	case LIVE_NOTHING:
		return 0;
	case LIVE_QUIT:
		s->stop = true;
		return 0;
	case LIVE_DRAW:
		break;
	}
	reports = calloc(s->targets.n + 1, sizeof(*reports));
	if (!reports)
		return -ENOMEM;
	for (size_t i = 0; i < s->targets.n; i++)
		if (s->targets.v[i]->state == TARGET_TRACED && s->targets.v[i]->seen)
			reports[n++] = &s->targets.v[i]->report;
	rc = render(s, reports, n, err);
	free(reports);
	return rc;
}

static int on_event(struct session *s, void *what, struct error *err)
{
	uint64_t expirations;
	int rc;

	if (what == s->interrupt) {
		s->stop = true;
		return 0;
	}
	if (what == s->tracer)
		return take_code(s, err);
	if (what == s->out.screen)
		return on_key(s, err);
	if (what == &s->tick)
		return on_tick(s, err);
	if (what == &s->look) {
		if (read(s->look, &expirations, sizeof(expirations)) < 0)
			return 0;
		tracer_poll(s->tracer);
		rc = look(s, err);
		rc = rc ?: name_sites(s, err);
		return rc ?: take_reading(s, err);
	}
	return on_exit_of(s, what, err);
}

static int loop(struct session *s, struct error *err)
{
	int rc = look(s, err);

	while (!rc && !s->stop) {
		struct epoll_event ev;
		int n;

		if (!s->announced && all_live(s))
			rc = announce(s);
		if (rc || (s->announced && !s->targets.n && !s->discovery))
			break;
		/* One event at a time: handling one may free the target another is about. */
		n = epoll_wait(s->epoll, &ev, 1, time_left_ms(s));
		if (n < 0 && errno != EINTR)
			return error_set(err, -errno, EXIT_FAILED, "wait for events", NULL, "%s",
					 strerror(errno));
		if (n > 0)
			rc = on_event(s, ev.data.ptr, err);
		if (!time_left_ms(s)) /* also when there always is an event */
			s->stop = true;
	}
	return rc;
}

static int open_targets(struct session *s, struct error *err)
{
	int rc = elf_cache_new(&s->libraries) ?: modules_new(s->libraries, &s->modules);

	for (size_t i = 0; !rc && i < s->o->nr_pids; i++)
		rc = add_target(s, s->o->pids[i], true, err);
	if (!rc && s->o->all)
		rc = discovery_new(&s->discovery);
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

static int open_output(struct session *s, struct error *err)
{
	int rc = output_open(&s->out, &s->o->view, true, true, err);

	live_init(&s->live, &s->o->view);
	if (rc || !s->out.screen)
		return rc;
	interrupt_tell(s->interrupt, screen_leave, s->out.screen);
	if (screen_has_keys(s->out.screen) && watch(s, STDIN_FILENO, s->out.screen))
		return error_set(err, -errno, EXIT_FAILED, "start", NULL, "%s", strerror(errno));
	return 0;
}

static int open_tracer(struct session *s, const struct features *features, struct error *err)
{
	const struct options *o = s->o;
	const struct tracer_opts opts = {
	    .catalog = o->catalog,
	    .bottom = s->bottom,
	    .attach = o->attach,
	    .families = o->families,
	    .max_refs = o->max_refs,
	    .max_stacks = o->max_stacks,
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

static int start(struct session *s, struct error *err)
{
	struct features features;
	int rc = open_loop(s);

	if (rc)
		return error_set(err, rc, EXIT_FAILED, "start", NULL, "%s", strerror(-rc));
	raise_file_limit();
	rc = open_targets(s, err);
	rc = rc ?: features_detect(&features, err);
	rc = rc ?: open_output(s, err);
	rc = rc ?: open_tracer(s, &features, err);
	if (!rc && s->o->verbose > 1)
		tracer_print_programs(s->tracer);
	if (!rc && watch(s, tracer_code_fd(s->tracer), s->tracer))
		rc = error_set(err, -errno, EXIT_FAILED, "start", NULL, "%s", strerror(errno));
	return rc;
}

enum exit_code session_trace(const struct options *o, struct error *err)
{
	struct session s = {.o = o, .epoll = -1, .tick = -1, .look = -1};
	int rc = start(&s, err);

	rc = rc ?: loop(&s, err);
	if (!rc) {
		for (size_t i = 0; i < s.targets.n; i++)
			if (s.targets.v[i]->state == TARGET_TRACED)
				target_stop(s.targets.v[i], s.tracer,
					    tracer_execed(s.tracer, s.targets.v[i]->slot) ? END_EXECED
											  : END_DETACHED);
		rc = bury(&s, err);
	}
	rc = rc ?: output_end(&s.out, err);
	if (!rc && o->verbose > 1)
		tracer_print_walks(s.tracer);
	session_close(&s);
	if (rc)
		return err->what[0] ? err->exit_code : EXIT_FAILED;
	if (s.failed_on)
		return EXIT_ASSERT;
	if (s.more_s > 0) {
		warn("too short to tell leaks: %.0f s more would do", ceil(s.more_s));
		return EXIT_TOO_SHORT;
	}
	return s.losses && !o->allow_loss ? EXIT_LOSSES : EXIT_OK;
}

/* --- probes -------------------------------------------------------------------------------------- */

static int show_probes(struct session *s, struct target *t, struct error *err)
{
	struct buf b = {0};
	struct view_opts v;
	struct probes_info info = {.target = &t->report.target, .sites = &t->sites};

	if (t->state != TARGET_FOUND && !t->asked_for)
		return 0;
	if (t->state != TARGET_FOUND)
		return error_set(err, -EAGAIN, EXIT_NO_TARGET, "list probes", "try again in a moment",
				 "PID %d has not loaded its VM yet", t->id.pid);
	info.library_file = t->at.file.mapping.path;
	output_view_opts(&s->out, &s->o->view, true, &v);
	s->o->view.format->probes(&b, &info, &v);
	return output_write(&s->out, &b, true, NULL, err);
}

enum exit_code session_probes(const struct options *o, struct error *err)
{
	struct session s = {.o = o, .epoll = -1, .tick = -1, .look = -1};
	struct pid_list pids = {0};
	int rc = output_open(&s.out, &o->view, false, false, err);

	rc = rc ?: open_targets(&s, err);
	if (!rc && o->all)
		rc = discovery_scan(s.discovery, &pids);
	for (size_t i = 0; !rc && i < pids.n; i++)
		add_target(&s, pids.v[i], false, NULL);
	for (size_t i = 0; !rc && i < s.targets.n; i++) {
		struct error why = {0};

		rc = target_find(s.targets.v[i], o, &why);
		if (!rc)
			rc = show_probes(&s, s.targets.v[i], err);
		else if (s.targets.v[i]->asked_for)
			*err = why;
		else
			rc = 0; /* what --all found and cannot be traced */
	}
	free(pids.v);
	session_close(&s);
	if (rc)
		return err->what[0] ? err->exit_code : EXIT_FAILED;
	return EXIT_OK;
}
