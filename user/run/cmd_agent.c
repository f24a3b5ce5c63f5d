/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* jnitrace agent. See cmd_agent.h. */
#include "run/cmd_agent.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/http.h"
#include "export/formats.h"
#include "export/host_page.h"
#include "export/metrics.h"
#include "export/pprof.h"
#include "judge/pace.h"
#include "run/agent_options.h"
#include "run/census_list.h"
#include "run/config.h"
#include "run/log_line.h"
#include "run/loop.h"
#include "run/privileges.h"
#include "run/profiles.h"
#include "run/supervisor.h"
#include "run/version.h"
#include "run/windows.h"
#include "view/agent.h"
#include "view/census.h"

static const struct http_document start_page = {"/", "text/plain; charset=utf-8", NULL};
static const struct http_order order_window = {"/api/v1/windows", {"pid", "seconds", NULL}};
#define SAY_INTERVAL_S 60
#define ENDED_LOOK_S   1.0    /* from one look after JVMs that have ended to the next, at least; */
#define ENDED_SHARE    0.01   /* and so long that telling it takes no more of a CPU */
#define MAX_ORDERED_S  3600.0 /* of a window that somebody asks for */

#define NDJSON  "application/x-ndjson"
#define PPROF   "application/octet-stream"
#define HTML    "text/html; charset=utf-8"
#define NO_PAGE "this jnitrace was built without its pages\n"

struct agent {
	const struct options *start; /* what it began with */
	struct options *o;           /* what holds now */
	struct service_rules *services;
	struct pace pace;
	struct {
		double interval_s, at_s;
	} said; /* of its pace, the last time */
	struct census_list *list;
	struct windows *windows;
	struct http *http;
	struct profiles *push; /* NULL: there is no store */
	struct loop *loop;
	int tick;
	struct agent_self self;
	struct agent_seen seen; /* of the last round; windows: as of now */
	bool windows_changed;   /* since they were published */
	uint64_t ended_look_ns; /* CLOCK_MONOTONIC: not before */
};

/* --- of itself --- */

static uint64_t resident_bytes(void)
{
	unsigned long long pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	if (f && fscanf(f, "%*u %llu", &pages) != 1)
		pages = 0;
	if (f)
		fclose(f);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t open_files(void)
{
	DIR *d = opendir("/proc/self/fd");
	uint64_t n = 0;

	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n > 3 ? n - 3 : 0; /* ".", "..", and the one that reads them */
}

static void look_at_self(struct agent *a, double began_s)
{
	const struct http_counts c = http_counts(a->http);
	double now_s = (double)clock_ns(CLOCK_MONOTONIC) / 1e9;

	a->self.rounds++;
	a->self.round_s = now_s - began_s;
	a->self.round_unix_s = (double)clock_ns(CLOCK_REALTIME) / 1e9;
	a->self.resident_bytes = resident_bytes();
	a->self.open_files = open_files();
	a->self.requests_answered = c.answered;
	a->self.requests_refused = c.refused;
	a->self.targets_known = census_list_n(a->list);
	a->self.budget_share = a->o->budget_share;
}

/* Of the loop alone: what others ask over HTTP makes it read no more seldom. */
static double loop_cpu_s(void)
{
	return (double)clock_ns(CLOCK_THREAD_CPUTIME_ID) / 1e9;
}

static double own_cpu_s(void)
{
	return (double)clock_ns(CLOCK_PROCESS_CPUTIME_ID) / 1e9;
}

static void look_at_push(struct agent *a)
{
	const struct pusher_counts p = profiles_counts(a->push);

	a->self.pushes = a->push;
	a->self.push_sent = p.sent;
	a->self.push_failed = p.failed;
	a->self.push_denied = p.denied;
	a->self.push_refused = p.refused;
	a->self.push_dropped = p.dropped;
	a->self.push_waiting = p.waiting;
	a->self.push_waiting_bytes = p.waiting_bytes;
}

/* --- documents --- */

static void write_metrics(struct buf *out, const struct agent *a)
{
	metrics_write(out, false, &a->self, &a->seen, (size_t)a->o->top_sites);
}

static void write_openmetrics(struct buf *out, const struct agent *a)
{
	metrics_write(out, true, &a->self, &a->seen, (size_t)a->o->top_sites);
}

static void write_census(struct buf *out, const struct agent *a)
{
	const struct view_opts opts = {0};

	view_census_json(out, a->seen.jvms, a->seen.nr_jvms, &opts);
}

static void write_targets(struct buf *out, const struct agent *a)
{
	view_agent_targets(out, &a->seen);
}

static void write_sites(struct buf *out, const struct agent *a)
{
	view_agent_sites(out, &a->seen);
}

static void write_findings(struct buf *out, const struct agent *a)
{
	view_agent_findings(out, &a->seen);
}

/* All that windows have said last, in one profile. */
static void write_profile(struct buf *out, const struct agent *a, enum pprof_value value)
{
	const struct view_opts opts = {.stacks = STACKS_MIXED};
	void *state = NULL;

	pprof_begin(&state, out);
	for (size_t i = 0; i < a->seen.nr_windows; i++)
		if (a->seen.windows[i]->report)
			pprof_reports(state, out, &a->seen.windows[i]->report, 1, &opts);
	pprof_end_as(state, out, value);
}

/* For people: flame graph, tables, findings. */
static void write_page(struct buf *out, const struct agent *a)
{
	const struct view_opts opts = {.stacks = STACKS_MIXED, .all = true};
	const struct format *html = format_find("html");
	void *state = NULL;

	if (!html) {
		buf_printf(out, NO_PAGE);
		return;
	}
	html->begin(&state, out);
	for (size_t i = 0; i < a->seen.nr_windows; i++)
		if (a->seen.windows[i]->report)
			html->reports(state, out, &a->seen.windows[i]->report, 1, &opts);
	html->end(state, out);
}

/* All JVMs, for people. */
static void write_host(struct buf *out, const struct agent *a)
{
	const struct host_page page = {
	    .self = &a->self,
	    .seen = &a->seen,
	    .every_s = a->o->interval_s,
	    .curve = census_list_curve,
	};

	if (!host_page_write(out, &page))
		buf_printf(out, NO_PAGE);
}

static void write_outstanding(struct buf *out, const struct agent *a)
{
	write_profile(out, a, PPROF_OUTSTANDING);
}

static void write_acquired(struct buf *out, const struct agent *a)
{
	write_profile(out, a, PPROF_ACQUIRED);
}

static const struct {
	struct http_document is;
	bool of_windows; /* nothing else changes it */
	void (*write)(struct buf *out, const struct agent *a);
	const char *help;
} documents[] = {
    {{"/metrics", METRICS_TYPE, NULL}, false, write_metrics, "for Prometheus, OpenMetrics too"},
    {{"/metrics", OPENMETRICS_TYPE, OPENMETRICS_ACCEPT}, false, write_openmetrics, NULL},
    {{"/", HTML, "text/html"}, false, write_host, "a page of all JVMs, for a browser"},
    {{"/api/v1/targets", NDJSON, NULL}, false, write_targets, "who they are, and whether they are traced"},
    {{"/api/v1/census", NDJSON, NULL}, false, write_census, "of each JVM, as of jnitrace census --json"},
    {{"/api/v1/sites", NDJSON, NULL}, true, write_sites, "call sites, as of the last window of each"},
    {{"/api/v1/findings", NDJSON, NULL}, true, write_findings, "what was found in it"},
    {{"/report", HTML, NULL}, true, write_page, "the same for a browser, with a flame graph"},
    {{"/debug/pprof/jni_outstanding", PPROF, NULL}, true, write_outstanding, "the same as a profile"},
    {{"/debug/pprof/jni_acquired", PPROF, NULL}, true, write_acquired, NULL},
};

/* A window that is done, as targets and metrics have it, is in the sites at the same time. */
static int publish(struct agent *a)
{
	struct http_page pages[ARRAY_LEN(documents)] = {0};
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(documents); i++) {
		if (documents[i].of_windows && !a->windows_changed)
			continue;
		pages[n].is = &documents[i].is;
		documents[i].write(&pages[n++].body, a);
	}
	a->windows_changed = false;
	return http_publish(a->http, pages, n);
}

/* --- rounds --- */

/* Take over what is known, and show it. */
static int tell(struct agent *a)
{
	const struct windows_counts c = windows_counts(a->windows);
	int rc = census_list_fresh(a->list, &a->seen.jvms, &a->seen.nr_jvms);

	look_at_push(a);
	memcpy(a->self.windows_done, c.ended, sizeof(c.ended));
	a->self.windows_failed = c.failed;
	a->self.windows_open = c.open;
	a->self.windows_waiting = c.waiting;
	a->self.own_cpu_s = own_cpu_s();
	a->self.cpu_s = c.cpu_s + a->self.own_cpu_s;
	rc = rc ?: windows_list(a->windows, &a->seen.windows, &a->seen.nr_windows);
	return rc ?: publish(a);
}

/* What the census says may open windows. */
static int look(struct agent *a, struct error *err)
{
	int rc = census_list_fresh(a->list, &a->seen.jvms, &a->seen.nr_jvms);

	return rc ?: windows_look(a->windows, a->seen.jvms, a->seen.nr_jvms, err);
}

/* That it reads more seldom than it was told to, or no more so; not at every change, and once a minute. */
static void say_interval(struct agent *a)
{
	double now_s = (double)clock_ns(CLOCK_MONOTONIC) / 1e9;
	bool late = a->self.interval_s > a->o->interval_s;
	struct log_line l =
	    log_begin(late ? "reads more seldom, to keep its budget" : "reads as often as it should");

	if (now_s - a->said.at_s < SAY_INTERVAL_S ||
	    (late ? a->self.interval_s < 2 * a->said.interval_s : a->said.interval_s <= a->o->interval_s))
		return;
	a->said.at_s = now_s;
	a->said.interval_s = a->self.interval_s;
	log_number(&l, "interval_s", a->self.interval_s);
	log_number(&l, "asked_s", a->o->interval_s);
	log_number(&l, "budget_percent", a->o->budget_share * 100);
	log_end(&l, late);
}

/* When the next round is due: what this one took of the budget decides. */
static int set_pace(struct agent *a)
{
	double now_s = (double)clock_ns(CLOCK_MONOTONIC) / 1e9, before_s = a->self.interval_s;

	a->self.interval_s = pace_wait(&a->pace, a->o->budget_share, a->o->interval_s, now_s, loop_cpu_s());
	return a->self.interval_s == before_s ? 0 : loop_set_timer(a->tick, a->self.interval_s);
}

/* Certificates and the token are other ones now and then. What cannot be used leaves them as they were. */
static void renew_http(struct agent *a, bool force)
{
	const struct http_options now = agent_http_options(a->o);
	struct error why = {0};
	int rc = http_renew(a->http, &now, force, &why);

	a->self.reloads += rc > 0 && !force;
	if (rc > 0 && !force) {
		struct log_line l = log_begin("certificates and token read anew");

		log_text(&l, "url", http_url(a->http));
		log_end(&l, false);
	}
	if (rc < 0) {
		a->self.reloads_failed++;
		error_print(&why);
	}
}

static void tell_supervisor(const struct agent *a, const char *state)
{
	supervisor_tell("%s\nSTATUS=%zu JVMs, read every %.3g s; %zu traced, %zu wait", state,
			a->self.targets_known, a->self.interval_s, a->self.windows_open,
			a->self.windows_waiting);
}

static int on_watchdog(void *agent, void *what, struct error *err)
{
	(void)agent, (void)what, (void)err;
	supervisor_tell("WATCHDOG=1");
	return 0;
}

static int read_all(struct agent *a, struct error *err)
{
	double began_s = (double)clock_ns(CLOCK_MONOTONIC) / 1e9;
	int rc = census_list_read(a->list, err);

	rc = rc ?: look(a, err);
	if (rc)
		return rc;
	look_at_self(a, began_s);
	rc = set_pace(a); /* before it is told */
	return rc ?: tell(a);
}

/* What is late is left out, not made up for. */
static int on_tick(void *agent, void *what, struct error *err)
{
	struct agent *a = agent;
	int rc;

	(void)what;
	renew_http(a, false);
	rc = read_all(a, err);
	say_interval(a);
	loop_skip(a->tick);
	tell_supervisor(a, "WATCHDOG=1");
	return rc;
}

/* Who ends has no series any more, however long it is until the next round. */
static int on_ended_look(void *agent, void *what, struct error *err)
{
	struct agent *a = agent;
	uint64_t began_ns = clock_ns(CLOCK_MONOTONIC), now_ns;
	int rc;

	(void)what;
	if (began_ns < a->ended_look_ns || !census_list_drop_ended(a->list))
		return 0;
	a->self.targets_known = census_list_n(a->list);
	rc = look(a, err) ?: tell(a);
	now_ns = clock_ns(CLOCK_MONOTONIC);
	a->ended_look_ns = now_ns + (uint64_t)((double)(now_ns - began_ns) / ENDED_SHARE);
	return rc;
}

/* A window has ended: its place is free. */
static int on_window(void *agent, struct error *err)
{
	struct agent *a = agent;

	int rc = windows_list(a->windows, &a->seen.windows, &a->seen.nr_windows);

	/* Before anything else: what is on disk is not lost with this process. */
	if (!rc)
		profiles_push(a->push, a->seen.windows, a->seen.nr_windows);
	a->windows_changed = true;
	return rc ?: look(a, err) ?: tell(a);
}

static int on_order(void *agent, void *what, struct error *err)
{
	struct agent *a = agent;
	struct http_ordered o;

	(void)what;
	while (http_next_order(a->http, &o))
		if (o.values[0] > 0)
			windows_ask(a->windows, (int)fmin(o.values[0], INT32_MAX),
				    fmin(o.values[1], MAX_ORDERED_S));
	return look(a, err) ?: tell(a);
}

static int publish_start_page(struct agent *a)
{
	struct http_page page = {.is = &start_page};

	buf_printf(&page.body, "jnitrace agent %s\n\n", a->self.version);
	for (size_t i = 0; i < ARRAY_LEN(documents); i++)
		if (documents[i].help)
			buf_printf(&page.body, "%-32s %s\n", documents[i].is.path, documents[i].help);
	return http_publish(a->http, &page, 1);
}

/* --- options --- */

static int name_services(struct agent *a, struct error *err)
{
	struct service_rules *rules = NULL;
	int rc = service_rules_new(a->o->service_rules, a->o->nr_service_rules, &rules, err);

	if (rc)
		return rc;
	census_list_services(a->list, rules);
	service_rules_free(a->services);
	a->services = rules;
	return 0;
}

/* The options are other ones; they were checked. */
static int take_options(struct agent *a, struct options *fresh, struct error *err)
{
	const struct windows_request windows = agent_windows_request(fresh);
	struct options before = *a->o;
	int rc;

	*a->o = *fresh;
	rc = name_services(a, err) ?: windows_change(a->windows, &windows, err);
	if (before.config != a->start->config)
		config_free(before.config);
	renew_http(a, true);
	a->self.interval_s = a->said.interval_s = a->o->interval_s;
	return rc ?: loop_set_timer(a->tick, a->self.interval_s);
}

/* What cannot be used is said, and all stays as it was. */
static int reload(struct agent *a, struct error *err)
{
	struct buf changed = {0}, restart = {0};
	struct error why = {0};
	struct options fresh;
	int rc = agent_options_again(a->start, a->o, &fresh, &changed, &restart, &why);

	if (rc) {
		a->self.reloads_failed++;
		error_print(&why);
	} else {
		struct log_line l = log_begin("options read anew");

		rc = take_options(a, &fresh, err);
		a->self.reloads++;
		log_text(&l, "file", a->o->config_path);
		log_text(&l, "changed", changed.p ?: "none");
		log_text(&l, "needs_restart", restart.p);
		log_end(&l, restart.n);
	}
	buf_free(&changed);
	buf_free(&restart);
	return rc == -ENOMEM ? rc : 0;
}

static int on_hangup(void *agent, void *what, struct error *err)
{
	struct agent *a = agent;
	int rc;

	(void)what;
	tell_supervisor(a, "RELOADING=1");
	rc = reload(a, err);
	tell_supervisor(a, "READY=1");
	return rc ?: tell(a);
}

static int open_windows(struct agent *a, struct error *err)
{
	const struct windows_request req = agent_windows_request(a->o);
	int rc = windows_new(&req, a->loop, on_window, a, &a->windows, err);

	if (rc || !a->o->allow_trigger)
		return rc;
	rc = http_take_orders(a->http, &order_window, err);
	return rc ?: loop_add(a->loop, http_orders_fd(a->http), on_order, NULL);
}

/* --- */

static int start_timers(struct agent *a)
{
	double watchdog_s = supervisor_watchdog_s();
	int rc;

	a->tick = rc = loop_timer(a->loop, a->o->interval_s, on_tick);
	if (rc >= 0)
		rc = loop_timer(a->loop, ENDED_LOOK_S, on_ended_look);
	if (rc >= 0 && watchdog_s > 0) /* half the time, as sd_watchdog_enabled(3) has it */
		rc = loop_timer(a->loop, watchdog_s / 2, on_watchdog);
	if (rc >= 0 && a->o->config_path)
		rc = loop_on_hangup(a->loop, on_hangup);
	a->self.interval_s = a->o->interval_s;
	a->said.interval_s = a->o->interval_s;
	a->said.at_s = -SAY_INTERVAL_S;
	a->pace = pace_begin((double)clock_ns(CLOCK_MONOTONIC) / 1e9, loop_cpu_s());
	loop_end_in(a->loop, a->o->duration_s);
	return rc < 0 ? rc : 0;
}

/* What it cannot see or do, and would not tell by anything that it shows. */
static void say_lacking(const struct agent *a)
{
	struct privileges_lacking lacking;
	struct log_line l;

	if (privileges_lacking(&lacking))
		return;
	if (lacking.others) {
		l = log_begin("sees no JVMs of other users");
		log_text(&l, "lacks", "CAP_SYS_PTRACE");
		log_text(&l, "advice", "run it as root");
		log_end(&l, true);
	}
	if (a->o->windows && lacking.needed[0]) {
		l = log_begin("windows will fail");
		log_text(&l, "lacks", lacking.needed);
		log_text(&l, "advice", "run it as root, or give --windows 0");
		log_end(&l, true);
	}
}

static int start(struct agent *a, struct error *err)
{
	const struct census_list_request req = {.threads = false, .judges = true};
	const struct http_options http = agent_http_options(a->o);
	int rc = privileges_keep(a->o->windows ? PRIVILEGES_TRACE : PRIVILEGES_READ, false, err);

	rc = rc ?: http_open(&http, &a->http, err);
	rc = rc ?: profiles_open(a->o, &a->push, err);
	rc = rc ?: loop_open(&a->loop, a);
	rc = rc ?: census_list_new(a->o, a->loop, &req, &a->list, err);
	rc = rc ?: name_services(a, err);
	rc = rc ?: open_windows(a, err);
	rc = rc ?: start_timers(a);
	rc = rc ?: publish_start_page(a);
	rc = rc ?: read_all(a, err);
	if (rc)
		return rc;
	inform("agent of all JVMs: %s%s", http_url(a->http), documents[0].is.path);
	say_lacking(a);
	tell_supervisor(a, "READY=1");
	say_interval(a);
	return 0;
}

static enum exit_code check_config(const struct options *o, struct error *err)
{
	if (agent_options_check(o, err))
		return err->what[0] ? err->exit_code : EXIT_FAILED;
	if (printf("%s: ok\n", o->config_path) < 0 || fflush(stdout)) {
		error_set(err, -errno, EXIT_FAILED, "write the output", NULL, "%s", strerror(errno));
		return err->exit_code;
	}
	return EXIT_OK;
}

enum exit_code cmd_agent(const struct options *o, struct error *err)
{
	struct options now = *o;
	struct agent a = {.start = o,
			  .o = &now,
			  .windows_changed = true,
			  .self = {.version = version,
				   .commit = commit,
				   .start_unix_s = (double)clock_ns(CLOCK_REALTIME) / 1e9}};
	int rc;

	if (o->check_config)
		return check_config(o, err);
	rc = start(&a, err);
	rc = rc ?: loop_run(a.loop, NULL, err);
	supervisor_tell("STOPPING=1");
	http_close(a.http);
	windows_free(a.windows);
	profiles_close(a.push);
	census_list_free(a.list);
	loop_close(a.loop);
	service_rules_free(a.services);
	if (now.config != o->config)
		config_free(now.config);
	if (rc < 0 && !err->what[0])
		error_set(err, rc, EXIT_FAILED, "agent", NULL, "%s", strerror(-rc));
	return rc < 0 ? err->exit_code : EXIT_OK;
}
