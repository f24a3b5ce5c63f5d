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
#include "run/census_list.h"
#include "run/loop.h"
#include "run/privileges.h"
#include "run/version.h"
#include "run/windows.h"
#include "view/agent.h"
#include "view/census.h"

static const struct http_document start_page = {"/", "text/plain; charset=utf-8", NULL};
static const struct http_order order_window = {"/api/v1/windows", {"pid", "seconds", NULL}};
#define MAX_ORDERED_S 3600.0 /* of a window that somebody asks for */

#define NDJSON  "application/x-ndjson"
#define PPROF   "application/octet-stream"
#define HTML    "text/html; charset=utf-8"
#define NO_PAGE "this jnitrace was built without its pages\n"

struct agent {
	const struct options *o;
	struct census_list *list;
	struct windows *windows;
	struct http *http;
	struct loop *loop;
	int tick;
	struct agent_self self;
	struct agent_seen seen; /* of the last round; windows: as of now */
	bool windows_changed;   /* since they were published */
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

static int publish(struct agent *a)
{
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(documents) && !rc; i++) {
		struct buf text = {0};

		if (documents[i].of_windows && !a->windows_changed)
			continue;
		documents[i].write(&text, a);
		rc = http_publish(a->http, &documents[i].is, &text);
	}
	a->windows_changed = false;
	return rc;
}

/* --- rounds --- */

/* Take over what is known, and show it. */
static int tell(struct agent *a)
{
	const struct windows_counts c = windows_counts(a->windows);
	int rc = census_list_fresh(a->list, &a->seen.jvms, &a->seen.nr_jvms);

	memcpy(a->self.windows_done, c.ended, sizeof(c.ended));
	a->self.windows_failed = c.failed;
	a->self.windows_open = c.open;
	a->self.windows_waiting = c.waiting;
	a->self.cpu_s = c.cpu_s + (double)clock_ns(CLOCK_PROCESS_CPUTIME_ID) / 1e9;
	rc = rc ?: windows_list(a->windows, &a->seen.windows, &a->seen.nr_windows);
	return rc ?: publish(a);
}

/* What the census says may open windows. */
static int look(struct agent *a, struct error *err)
{
	int rc = census_list_fresh(a->list, &a->seen.jvms, &a->seen.nr_jvms);

	return rc ?: windows_look(a->windows, a->seen.jvms, a->seen.nr_jvms, err);
}

/* What is late is left out, not made up for. */
static int on_tick(void *agent, void *what, struct error *err)
{
	struct agent *a = agent;
	double began_s = (double)clock_ns(CLOCK_MONOTONIC) / 1e9;
	int rc = census_list_read(a->list, err);

	(void)what;
	rc = rc ?: look(a, err);
	if (rc)
		return rc;
	look_at_self(a, began_s);
	rc = tell(a);
	loop_skip(a->tick);
	return rc;
}

/* A window has ended: its place is free. */
static int on_window(void *agent, struct error *err)
{
	struct agent *a = agent;

	a->windows_changed = true;
	return look(a, err) ?: tell(a);
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
	struct buf text = {0};

	buf_printf(&text, "jnitrace agent %s\n\n", a->self.version);
	for (size_t i = 0; i < ARRAY_LEN(documents); i++)
		if (documents[i].help)
			buf_printf(&text, "%-32s %s\n", documents[i].is.path, documents[i].help);
	return http_publish(a->http, &start_page, &text);
}

static int open_windows(struct agent *a, struct error *err)
{
	const struct windows_request req = {
	    .rules = {.every_s = a->o->every_s, .rest_s = a->o->rest_s, .spread_s = a->o->window_s},
	    .length_s = a->o->window_s,
	    .at_a_time = (size_t)a->o->windows,
	    .limit_bytes = a->o->limit_bytes,
	    .budget_share = a->o->budget_share,
	    .only = a->o->trace,
	};
	int rc = windows_new(&req, a->loop, on_window, a, &a->windows, err);

	if (rc || !a->o->allow_trigger)
		return rc;
	rc = http_take_orders(a->http, &order_window, err);
	return rc ?: loop_add(a->loop, http_orders_fd(a->http), on_order, NULL);
}

static int start(struct agent *a, struct error *err)
{
	const struct census_list_request req = {.threads = false, .judges = true};
	const struct http_options http = {
	    .listen = a->o->listen,
	    .tls_cert = a->o->tls_cert,
	    .tls_key = a->o->tls_key,
	    .token_file = a->o->token_file,
	};
	int rc = privileges_keep(a->o->windows ? PRIVILEGES_TRACE : PRIVILEGES_READ, false, err);

	rc = rc ?: http_open(&http, &a->http, err);
	rc = rc ?: loop_open(&a->loop, a);
	rc = rc ?: census_list_new(a->o, a->loop, &req, &a->list, err);
	rc = rc ?: open_windows(a, err);
	if (!rc)
		a->tick = rc = loop_timer(a->loop, a->o->interval_s, on_tick);
	if (rc < 0)
		return rc;
	loop_end_in(a->loop, a->o->duration_s);
	rc = publish_start_page(a) ?: on_tick(a, NULL, err);
	if (!rc)
		fprintf(stderr, "jnitrace: agent of all JVMs: %s%s\n", http_url(a->http),
			documents[0].is.path);
	return rc;
}

enum exit_code cmd_agent(const struct options *o, struct error *err)
{
	struct agent a = {.o = o,
			  .windows_changed = true,
			  .self = {.version = version,
				   .commit = commit,
				   .start_unix_s = (double)clock_ns(CLOCK_REALTIME) / 1e9}};
	int rc = start(&a, err);

	rc = rc ?: loop_run(a.loop, NULL, err);
	http_close(a.http);
	windows_free(a.windows);
	census_list_free(a.list);
	loop_close(a.loop);
	if (rc < 0 && !err->what[0])
		error_set(err, rc, EXIT_FAILED, "agent", NULL, "%s", strerror(-rc));
	return rc < 0 ? err->exit_code : EXIT_OK;
}
