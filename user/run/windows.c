/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Windows of the agent. See windows.h. */
#include "run/windows.h"

#include <errno.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/hash.h"
#include "run/log_line.h"
#include "run/opening.h"
#include "run/window_tracers.h"

#define HOST_BYTES 256

struct watched {
	struct windows *of;
	struct window window;
	struct suspicion suspicion;
	double length_s;             /* of the next one; not positive: as the others */
	uint64_t number;             /* of the one that is open; 0: none is */
	bool alone;                  /* the last one's tracer died, maybe of this JVM: others are not to */
	struct recording *recording; /* whose report the window has; NULL: none */
	bool there;                  /* the census knows it */
};
struct windows {
	struct windows_request req;
	struct window_tracers *tracers;
	int (*changed)(void *of, struct error *err);
	void *of;
	uint64_t host; /* hash of its name */
	regex_t only;
	bool has_only; /* that is compiled */
	struct {
		struct watched **v;
		size_t n, cap;
	} all;
	struct hash places; /* in all, from 1: by pid and start time */
	struct {
		const struct window **v;
		size_t n, cap;
	} list;
	struct windows_counts counts;
	uint64_t nr_reports;
};

static double now_s(void)
{
	return (double)clock_ns(CLOCK_MONOTONIC) / 1e9;
}

static double unix_s(void)
{
	return (double)clock_ns(CLOCK_REALTIME) / 1e9;
}

/* --- which --- */

static void watched_free(struct watched *j)
{
	if (!j)
		return;
	recording_close(j->recording);
	free(j);
}

static struct watched *find(const struct windows *w, int pid, uint64_t start_time_ticks)
{
	uint32_t place = hash_find(&w->places, (uint64_t)pid, start_time_ticks);

	return place ? w->all.v[place - 1] : NULL;
}

/* The last one of all can be found. 0 or -ENOMEM. */
static int note_place(struct windows *w)
{
	const struct window *last = &w->all.v[w->all.n - 1]->window;

	return hash_set(&w->places, (uint64_t)last->pid, last->start_time_ticks, (uint32_t)w->all.n);
}

/* Its place among all JVMs of all hosts, 0 to below 1. */
static double share(const struct windows *w, const struct report_target *t)
{
	uint64_t h = mix64(w->host ^ mix64(t->start_time_ticks ^ (uint64_t)t->pid << 32));

	return (double)(h >> 11) / (double)(1ULL << 53);
}

/* NULL: no memory. */
static struct watched *add(struct windows *w, const struct report_target *t)
{
	struct watched *j = calloc(1, sizeof(*j)), **place = j ? VEC_ADD(&w->all) : NULL;

	if (!place) {
		free(j);
		return NULL;
	}
	*place = j;
	j->of = w;
	j->window = (struct window){.pid = t->pid, .start_time_ticks = t->start_time_ticks};
	j->suspicion = suspicion_begin(share(w, t), now_s());
	if (!note_place(w))
		return j;
	w->all.n--;
	free(j);
	return NULL;
}

static bool is_gone(const struct watched *j)
{
	return !j->there && !j->number;
}

/* Those behind one that is gone have another place then. 0 or -ENOMEM. */
static int drop_gone(struct windows *w)
{
	size_t n = w->all.n, i = 0;
	int rc = 0;

	while (i < n && !is_gone(w->all.v[i]))
		i++;
	if (i == n)
		return 0;
	hash_free(&w->places);
	w->all.n = 0;
	for (i = 0; i < n; i++) {
		struct watched *j = w->all.v[i];

		if (is_gone(j)) {
			watched_free(j);
			continue;
		}
		w->all.v[w->all.n++] = j;
		rc = rc ?: note_place(w);
	}
	return rc;
}

/* --- one --- */

static void add_up(struct window_totals *t, const struct report *r)
{
	t->events = add_capped(t->events, r->events);
	for (int f = 0; f < NR_FAMILIES; f++) {
		t->acquired[f] = add_capped(t->acquired[f], r->families[f].acquired);
		t->released[f] = add_capped(t->released[f], r->families[f].released);
	}
	for (int d = 0; d < NR_DROPS; d++)
		t->drops[d] = add_capped(t->drops[d], r->drops[d]);
	for (size_t i = 0; i < r->findings.n; i++)
		t->findings[r->findings.v[i].kind]++;
}

/* Keep what it has said. 0 or -ENOMEM. */
static int keep(struct watched *j, struct recording *recording)
{
	struct report **reports = NULL;
	int n = recording_last(recording, &reports);

	if (n <= 0) {
		recording_close(recording);
		return n;
	}
	recording_close(j->recording);
	j->recording = recording;
	j->window.report = reports[n - 1];
	j->window.report_unix_s = j->window.end_unix_s;
	j->window.report_number = ++j->of->nr_reports;
	add_up(&j->window.totals, reports[n - 1]);
	return 0;
}

static int on_begun(void *watched, struct error *err)
{
	struct watched *j = watched;

	j->window.state = WINDOW_OPEN;
	j->window.begin_unix_s = unix_s();
	return j->of->changed(j->of->of, err);
}

static void say(const struct watched *j, const char *event)
{
	struct log_line l = log_begin(event);
	const struct window *w = &j->window;
	bool failed = w->state == WINDOW_FAILED;

	log_number(&l, "pid", w->pid);
	log_text(&l, "service", w->service);
	log_text(&l, "reason", window_reason_names[w->reason]);
	if (w->state == WINDOW_DONE && w->report) {
		log_text(&l, "end", end_reason_names[w->report->end_reason]);
		log_number(&l, "sites", (double)w->report->sites.n);
		log_number(&l, "findings", (double)w->report->findings.n);
	}
	if (w->end_unix_s > 0)
		log_number(&l, "cpu_s", w->cpu_s);
	log_text(&l, "why", failed ? w->why : NULL);
	log_end(&l, failed);
}

/* What cannot be started now is a window that has failed. */
static void open_one(struct windows *w, struct watched *j, enum window_reason reason, struct error *err)
{
	const struct window_order order = {
	    .target = j->window.pid,
	    .start_time_ticks = j->window.start_time_ticks,
	    .length_s = j->length_s > 0 ? j->length_s : w->req.length_s,
	    .alone = j->alone,
	    .terms =
		{
		    .runtime = opening_runtime(j->window.pid),
		    .at_a_time = j->alone ? 1 : (int)w->req.at_a_time,
		    .budget_share = w->req.budget_share,
		    .limit_bytes = w->req.limit_bytes,
		    .max_refs = w->req.max_refs,
		    .podinfo = w->req.podinfo,
		},
	};
	int rc = window_tracers_open(w->tracers, &order, j, &j->number, err);

	j->length_s = 0;
	j->window.reason = reason;
	j->window.begin_unix_s = unix_s();
	suspicion_opened(&j->suspicion, now_s());
	if (!rc) {
		j->window.state = WINDOW_ATTACHES;
		j->window.end_unix_s = j->window.cpu_s = 0;
		j->window.why[0] = '\0';
		w->counts.open++;
		say(j, "window opened");
		return;
	}
	j->number = 0;
	j->window.state = WINDOW_FAILED;
	j->window.end_unix_s = j->window.begin_unix_s;
	snprintf(j->window.why, sizeof(j->window.why), "%s", err->why[0] ? err->why : strerror(-rc));
	suspicion_ended(&j->suspicion, now_s());
	w->counts.failed++;
	say(j, "window failed");
	*err = (struct error){0};
}

/* Who waited does so no more, unless it is found again. */
static void forget_waiting(struct windows *w)
{
	w->counts.waiting = 0;
	for (size_t i = 0; i < w->all.n; i++) {
		struct window *of = &w->all.v[i]->window;

		if (of->state != WINDOW_WAITS)
			continue;
		of->state = WINDOW_DONE;
		if (!of->report)
			of->reason = WINDOW_NONE; /* there is none to tell of */
	}
}

/* A request before growth, growth before the schedule; of like ones the first that the census has. */
static void open_due(struct windows *w, const struct census *const *v, size_t n, struct error *err)
{
	size_t due = 0, places = w->req.at_a_time > w->counts.open ? w->req.at_a_time - w->counts.open : 0;

	for (int reason = NR_WINDOW_REASONS - 1; reason > WINDOW_NONE; reason--) {
		for (size_t i = 0; i < n; i++) {
			struct watched *j = find(w, v[i]->target.pid, v[i]->target.start_time_ticks);

			if (!j || j->number ||
			    suspicion_due(&j->suspicion, &w->req.rules, now_s()) !=
				(enum window_reason)reason)
				continue;
			if (due++ < places) {
				open_one(w, j, reason, err);
				continue;
			}
			j->window.state = WINDOW_WAITS;
			j->window.reason = reason;
			w->counts.waiting++;
		}
	}
}

static int on_ended(void *watched, struct window_result *result, struct error *err)
{
	struct watched *j = watched;
	struct windows *w = j->of;
	int rc = 0;

	j->number = 0;
	j->alone = result->died;
	w->counts.open--;
	w->counts.cpu_s += result->cpu_s;
	suspicion_ended(&j->suspicion, now_s());
	j->window.end_unix_s = unix_s();
	j->window.cpu_s = result->cpu_s;
	j->window.state = result->recording ? WINDOW_DONE : WINDOW_FAILED;
	snprintf(j->window.why, sizeof(j->window.why), "%s", result->why);
	if (result->recording) {
		w->counts.ended[j->window.reason]++;
		rc = keep(j, result->recording);
	} else {
		w->counts.failed++;
	}
	if (!rc)
		say(j, result->recording ? "window ended" : "window failed");
	return rc ?: w->changed(w->of, err);
}

/* --- all --- */

/* only NULL: *any stays false. 0, or -errno with err. */
static int compile(const char *only, regex_t *out, bool *any, struct error *err)
{
	int bad = only ? regcomp(out, only, REG_EXTENDED | REG_NOSUB) : 0;
	char why[128];

	*any = only && !bad;
	if (!bad)
		return 0;
	regerror(bad, out, why, sizeof(why));
	return error_set(err, -EINVAL, EXIT_USAGE, "--trace", "give an extended regular expression", "%s",
			 why);
}

int windows_check(const struct windows_request *req, struct error *err)
{
	regex_t only;
	bool any;
	int rc = compile(req->only, &only, &any, err);

	if (any)
		regfree(&only);
	return rc;
}

int windows_change(struct windows *w, const struct windows_request *req, struct error *err)
{
	regex_t only;
	bool any;
	int rc = compile(req->only, &only, &any, err);

	if (rc)
		return rc;
	if (w->has_only)
		regfree(&w->only);
	w->only = only;
	w->has_only = any;
	w->req = *req;
	return 0;
}

int windows_new(const struct windows_request *req, struct loop *loop,
		int (*changed)(void *of, struct error *err), void *of, struct windows **out,
		struct error *err)
{
	static const struct window_tracers_use use = {.begun = on_begun, .ended = on_ended};
	struct windows *w = calloc(1, sizeof(*w));
	char host[HOST_BYTES] = "";
	int rc;

	if (!w)
		return -ENOMEM;
	gethostname(host, sizeof(host) - 1);
	*w = (struct windows){.req = *req, .changed = changed, .of = of};
	w->host = fnv64(FNV64_INIT, host, strlen(host));
	rc = compile(req->only, &w->only, &w->has_only, err);
	rc = rc ?: window_tracers_new(&use, loop, &w->tracers);
	if (rc) {
		windows_free(w);
		return rc;
	}
	*out = w;
	return 0;
}

void windows_free(struct windows *w)
{
	if (!w)
		return;
	window_tracers_free(w->tracers);
	for (size_t i = 0; i < w->all.n; i++)
		watched_free(w->all.v[i]);
	if (w->has_only)
		regfree(&w->only);
	free(w->all.v);
	hash_free(&w->places);
	free(w->list.v);
	free(w);
}

/* One that was refused by the census cannot be. */
static bool may_be_traced(const struct windows *w, const struct report_target *t)
{
	if (!t->start_time_ticks)
		return false;
	return !w->has_only || (t->command && !regexec(&w->only, t->command, 0, NULL, 0));
}

static bool grows(const struct census *c)
{
	for (int t = 0; t < NR_VM_TABLES; t++)
		if (c->growth[t].known && c->growth[t].alarm)
			return true;
	return false;
}

int windows_look(struct windows *w, const struct census *const *v, size_t n, struct error *err)
{
	window_tracers_look(w->tracers);
	for (size_t i = 0; i < w->all.n; i++)
		w->all.v[i]->there = false;
	for (size_t i = 0; i < n; i++) {
		struct watched *j;

		if (!may_be_traced(w, &v[i]->target))
			continue;
		j = find(w, v[i]->target.pid, v[i]->target.start_time_ticks) ?: add(w, &v[i]->target);
		if (!j)
			return -ENOMEM;
		j->there = true;
		service_of(v[i]->service, &v[i]->target, j->window.service, sizeof(j->window.service));
		suspicion_grows(&j->suspicion, grows(v[i]), now_s());
	}
	if (drop_gone(w))
		return -ENOMEM;
	forget_waiting(w);
	if (w->req.at_a_time)
		open_due(w, v, n, err);
	return 0;
}

int windows_ask(struct windows *w, int pid, double length_s)
{
	for (size_t i = 0; i < w->all.n; i++) {
		struct watched *j = w->all.v[i];

		if (j->window.pid != pid || !j->there)
			continue;
		if (length_s != 0) {
			j->suspicion.asked = true;
			j->length_s = length_s;
		} else if (j->number) {
			window_tracers_end(w->tracers, j->number);
		}
		return 0;
	}
	return -ESRCH;
}

int windows_list(struct windows *w, const struct window *const **out, size_t *n)
{
	w->list.n = 0;
	for (size_t i = 0; i < w->all.n; i++) {
		const struct window *of = &w->all.v[i]->window;
		const struct window **place = of->reason ? VEC_ADD(&w->list) : NULL;

		if (!of->reason)
			continue;
		if (!place)
			return -ENOMEM;
		*place = of;
	}
	*out = w->list.v;
	*n = w->list.n;
	return 0;
}

struct windows_counts windows_counts(const struct windows *w)
{
	struct windows_counts counts = w->counts;

	counts.cpu_s += window_tracers_cpu_s(w->tracers);
	return counts;
}
