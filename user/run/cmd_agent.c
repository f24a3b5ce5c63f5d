/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* jnitrace agent. See cmd_agent.h. */
#include "run/cmd_agent.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/http.h"
#include "export/metrics.h"
#include "run/census_list.h"
#include "run/loop.h"
#include "run/privileges.h"
#include "run/version.h"
#include "view/census.h"

static const struct http_document metrics = {"/metrics", METRICS_TYPE, NULL};
static const struct http_document openmetrics = {"/metrics", OPENMETRICS_TYPE, OPENMETRICS_ACCEPT};
static const struct http_document census = {"/api/v1/census", "application/x-ndjson", NULL};
static const struct http_document start_page = {"/", "text/plain; charset=utf-8", NULL};

struct agent {
	const struct options *o;
	struct census_list *list;
	struct http *http;
	struct loop *loop;
	int tick;
	struct agent_self self;
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
	a->self.cpu_s = (double)clock_ns(CLOCK_PROCESS_CPUTIME_ID) / 1e9;
	a->self.resident_bytes = resident_bytes();
	a->self.open_files = open_files();
	a->self.requests_answered = c.answered;
	a->self.requests_refused = c.refused;
	a->self.targets_known = census_list_n(a->list);
}

/* --- rounds --- */

static int publish(struct agent *a)
{
	const struct census *const *v;
	struct view_opts opts = {0};
	struct buf text = {0};
	size_t n;
	int rc = census_list_fresh(a->list, &v, &n);

	if (rc)
		return rc;
	metrics_write(&text, false, &a->self, v, n);
	rc = http_publish(a->http, &metrics, &text);
	if (!rc) {
		metrics_write(&text, true, &a->self, v, n);
		rc = http_publish(a->http, &openmetrics, &text);
	}
	if (!rc) {
		view_census_json(&text, v, n, &opts);
		rc = http_publish(a->http, &census, &text);
	}
	return rc;
}

/* What is late is left out, not made up for. */
static int on_tick(void *agent, void *what, struct error *err)
{
	struct agent *a = agent;
	double began_s = (double)clock_ns(CLOCK_MONOTONIC) / 1e9;
	int rc = census_list_read(a->list, err);

	(void)what;
	if (rc)
		return rc;
	look_at_self(a, began_s);
	rc = publish(a);
	loop_skip(a->tick);
	return rc;
}

static int publish_start_page(struct agent *a)
{
	struct buf text = {0};

	buf_printf(&text,
		   "jnitrace agent %s\n\n%-16s for Prometheus, OpenMetrics too\n%-16s of each JVM, as of "
		   "jnitrace census --json\n",
		   a->self.version, metrics.path, census.path);
	return http_publish(a->http, &start_page, &text);
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
	int rc = privileges_keep(PRIVILEGES_READ, false, err);

	rc = rc ?: http_open(&http, &a->http, err);
	rc = rc ?: loop_open(&a->loop, a);
	rc = rc ?: census_list_new(a->o, a->loop, &req, &a->list, err);
	if (!rc)
		a->tick = rc = loop_timer(a->loop, a->o->interval_s, on_tick);
	if (rc < 0)
		return rc;
	loop_end_in(a->loop, a->o->duration_s);
	rc = publish_start_page(a) ?: on_tick(a, NULL, err);
	if (!rc)
		fprintf(stderr, "jnitrace: agent of all JVMs: %s%s\n", http_url(a->http), metrics.path);
	return rc;
}

enum exit_code cmd_agent(const struct options *o, struct error *err)
{
	struct agent a = {.o = o,
			  .self = {.version = version,
				   .commit = commit,
				   .start_unix_s = (double)clock_ns(CLOCK_REALTIME) / 1e9}};
	int rc = start(&a, err);

	rc = rc ?: loop_run(a.loop, NULL, err);
	http_close(a.http);
	census_list_free(a.list);
	loop_close(a.loop);
	if (rc < 0 && !err->what[0])
		error_set(err, rc, EXIT_FAILED, "agent", NULL, "%s", strerror(-rc));
	return rc < 0 ? err->exit_code : EXIT_OK;
}
