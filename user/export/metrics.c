/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Metrics. See metrics.h. */
#include "export/metrics.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/catalog.h"
#include "view/cells.h"

#define LABEL_BYTES 256 /* of a value */

enum type { GAUGE, COUNTER, INFO };
static const char *const type_names[] = {"gauge", "counter", "gauge"};
static const enum family_id families[NR_VM_TABLES] = {FAMILY_GLOBAL, FAMILY_WEAK};

struct writer {
	struct buf *out;
	const char *name;   /* of the metric */
	const char *suffix; /* "_total" */
	bool any;           /* a label was written */
};

/* --- labels and values --- */

static void put(struct buf *out, const char *text)
{
	buf_add(out, text, strlen(text));
}

static bool is_plain(char c)
{
	return (unsigned char)c >= ' ' && c != 0x7f && c != '\\' && c != '"';
}

/* Escaped as both formats want it; control characters have no place in a label. */
static void put_label(struct writer *w, const char *name, const char *value)
{
	size_t n = 0, plain;

	if (!value || !*value)
		return;
	buf_add(w->out, w->any ? "," : "{", 1);
	put(w->out, name);
	buf_add(w->out, "=\"", 2);
	for (; *value && n < LABEL_BYTES; value += plain, n += plain) {
		for (plain = 0; n + plain < LABEL_BYTES && is_plain(value[plain]); plain++)
			;
		buf_add(w->out, value, plain);
		if (plain)
			continue;
		plain = 1;
		if (*value == '\\' || *value == '"')
			buf_add(w->out, "\\", 1);
		buf_add(w->out, *value == '\\' || *value == '"' ? value : "?", 1);
	}
	/* Not in the middle of a character of several bytes. */
	while (n == LABEL_BYTES && *value && ((unsigned char)*value & 0xc0) == 0x80)
		buf_add(w->out, value++, 1);
	buf_add(w->out, "\"", 1);
	w->any = true;
}

static void begin(struct writer *w)
{
	put(w->out, w->name);
	put(w->out, w->suffix);
	w->any = false;
}

static void put_value(struct writer *w, double value)
{
	char digits[DECIMAL_BYTES];

	put(w->out, w->any ? "} " : " ");
	if (value >= 0 && value < 1e15 && value == floor(value)) {
		buf_add(w->out, digits, decimal((uint64_t)value, digits));
		buf_add(w->out, "\n", 1);
	} else if (isinf(value))
		buf_printf(w->out, "%s\n", value > 0 ? "+Inf" : "-Inf");
	else if (value == floor(value) && fabs(value) < 1e15)
		buf_printf(w->out, "%.0f\n", value);
	else
		buf_printf(w->out, "%.9g\n", value);
}

static void begin_of(struct writer *w, const struct census *c)
{
	char pid[DECIMAL_BYTES], service[LABEL_BYTES];

	begin(w);
	decimal((uint64_t)c->target.pid, pid);
	put_label(w, "service", service_of(c->service, &c->target, service, sizeof(service)));
	put_label(w, "pid", pid);
	put_label(w, "container", c->target.container);
	put_label(w, "pod", c->target.pod);
	put_label(w, "image", c->target.image);
}

/* --- of a JVM --- */

static void up(struct writer *w, const struct census *c)
{
	begin_of(w, c);
	put_value(w, c->refs_known);
}

static void vm_info(struct writer *w, const struct census *c)
{
	begin_of(w, c);
	put_label(w, "vm", c->target.vm);
	put_label(w, "version", c->target.vm_version);
	put_label(w, "user", c->target.user);
	put_label(w, "service_version", c->target.version);
	put_label(w, "namespace", c->target.pod_namespace);
	put_label(w, "pod_uid", c->target.pod_uid);
	put_value(w, 1);
}

static void of_table(struct writer *w, const struct census *c, enum vm_table t, double value)
{
	begin_of(w, c);
	put_label(w, "family", family_name(&jni_catalog, families[t]));
	put_value(w, value);
}

static void references(struct writer *w, const struct census *c)
{
	for (int t = 0; t < NR_VM_TABLES && c->refs_known; t++)
		of_table(w, c, t, (double)c->refs[t]);
}

static void table_bytes(struct writer *w, const struct census *c)
{
	for (int t = 0; t < NR_VM_TABLES; t++)
		if (c->table_bytes_known[t])
			of_table(w, c, t, (double)c->table_bytes[t]);
}

static void growth_rate(struct writer *w, const struct census *c)
{
	for (int t = 0; t < NR_VM_TABLES; t++)
		if (c->growth[t].known)
			of_table(w, c, t, c->growth[t].per_min / 60);
}

static void growing(struct writer *w, const struct census *c)
{
	for (int t = 0; t < NR_VM_TABLES; t++)
		if (c->growth[t].known)
			of_table(w, c, t, c->growth[t].alarm);
}

static void forecast(struct writer *w, const struct census *c)
{
	for (int t = 0; t < NR_VM_TABLES; t++)
		if (c->limit > 0 && c->growth[t].known && c->growth[t].limit_s >= 0)
			of_table(w, c, t, c->growth[t].limit_s);
}

static void of_count(struct writer *w, const struct census *c, int64_t n)
{
	if (n < 0)
		return;
	begin_of(w, c);
	put_value(w, (double)n);
}

static void local_references(struct writer *w, const struct census *c)
{
	of_count(w, c, c->local_refs);
}

static void native_threads(struct writer *w, const struct census *c)
{
	of_count(w, c, c->native_attached);
}

static void dead_threads(struct writer *w, const struct census *c)
{
	of_count(w, c, c->gone);
}

static void read_seconds(struct writer *w, const struct census *c)
{
	if (!c->refs_known)
		return;
	begin_of(w, c);
	put_value(w, c->read_ms / 1e3);
}

static const struct {
	const char *name, *unit, *help;
	enum type type;
	void (*put)(struct writer *w, const struct census *c);
} of_jvm[] = {
    {"jnitrace_up", "", "1: the tables of this JVM were read in the last round, 0: they could not be.", GAUGE,
     up},
    {"jnitrace_vm_info", "", "What runs there.", INFO, vm_info},
    {"jnitrace_vm_references", "", "References in the VM's own tables.", GAUGE, references},
    {"jnitrace_vm_table_bytes", "bytes", "Memory of the slots of those tables, used or not.", GAUGE,
     table_bytes},
    {"jnitrace_vm_references_growth_per_second", "", "How fast they grow.", GAUGE, growth_rate},
    {"jnitrace_vm_references_growing", "", "1: they grow by more than what comes and goes explains.", GAUGE,
     growing},
    {"jnitrace_forecast_seconds", "seconds",
     "Time until the limit of --limit, if it goes on like this; +Inf: never.", GAUGE, forecast},
    {"jnitrace_vm_local_references", "", "Local references of all threads.", GAUGE, local_references},
    {"jnitrace_vm_native_threads", "", "Threads that native code has attached.", GAUGE, native_threads},
    {"jnitrace_vm_dead_threads", "", "Threads that have ended and were never detached.", GAUGE, dead_threads},
    {"jnitrace_vm_read_seconds", "seconds", "Time it took to read this JVM in the last round.", GAUGE,
     read_seconds},
};

/* --- of the last window of a JVM --- */

static void of_word(struct writer *w, const struct census *c, const char *label, const char *word, uint64_t n)
{
	begin_of(w, c);
	put_label(w, label, word);
	put_value(w, (double)n);
}

static void window_open(struct writer *w, const struct census *c, const struct window *win)
{
	begin_of(w, c);
	put_value(w, win->state == WINDOW_OPEN);
}

static void window_end(struct writer *w, const struct census *c, const struct window *win)
{
	if (!win->report)
		return;
	begin_of(w, c);
	put_value(w, win->report_unix_s);
}

static void window_length(struct writer *w, const struct census *c, const struct window *win)
{
	if (!win->report)
		return;
	begin_of(w, c);
	put_value(w, win->report->elapsed_s);
}

static void events(struct writer *w, const struct census *c, const struct window *win)
{
	begin_of(w, c);
	put_value(w, (double)win->totals.events);
}

static void acquired(struct writer *w, const struct census *c, const struct window *win)
{
	for (int f = 0; win->report && f < NR_FAMILIES; f++)
		if (win->report->families[f].traced)
			of_word(w, c, "family", family_name(win->report->catalog, f),
				win->totals.acquired[f]);
}

static void released(struct writer *w, const struct census *c, const struct window *win)
{
	for (int f = 0; win->report && f < NR_FAMILIES; f++)
		if (win->report->families[f].traced && !win->report->count_only)
			of_word(w, c, "family", family_name(win->report->catalog, f),
				win->totals.released[f]);
}

static void outstanding(struct writer *w, const struct census *c, const struct window *win)
{
	const struct report *r = win->report;

	for (int f = 0; r && f < NR_FAMILIES; f++)
		if (r->families[f].traced && !r->families[f].life_unknown && !r->count_only)
			of_word(w, c, "family", family_name(r->catalog, f), r->families[f].outstanding);
}

/* Kinds may share a name, and a severity. */
static bool is_same(const struct finding_row *a, const struct finding_row *b)
{
	return a->name && b->name && !strcmp(a->name, b->name) && a->severity == b->severity;
}

static uint64_t found(const struct window *win, enum finding_kind kind, bool in_all)
{
	uint64_t n = 0;

	for (int other = 0; in_all && other < NR_FINDINGS; other++)
		n += is_same(&finding_rows[other], &finding_rows[kind]) ? win->totals.findings[other] : 0;
	for (size_t i = 0; !in_all && i < win->report->findings.n; i++)
		n += is_same(&finding_rows[win->report->findings.v[i].kind], &finding_rows[kind]);
	return n;
}

/* Of each kind and severity: of the last window, or of all. */
static void put_findings(struct writer *w, const struct census *c, const struct window *win, bool in_all)
{
	for (int kind = 0; win->report && kind < NR_FINDINGS; kind++) {
		uint64_t n = found(win, kind, in_all);
		bool first = true;

		for (int before = 0; before < kind; before++)
			first &= !is_same(&finding_rows[before], &finding_rows[kind]);
		if (!first || !n)
			continue;
		begin_of(w, c);
		put_label(w, "kind", finding_rows[kind].name);
		put_label(w, "severity", finding_severity_names[finding_rows[kind].severity]);
		put_value(w, (double)n);
	}
}

static void findings(struct writer *w, const struct census *c, const struct window *win)
{
	put_findings(w, c, win, true);
}

static void findings_of_last(struct writer *w, const struct census *c, const struct window *win)
{
	put_findings(w, c, win, false);
}

static void dropped(struct writer *w, const struct census *c, const struct window *win)
{
	for (int d = 0; win->report && d < NR_DROPS; d++)
		if (win->totals.drops[d])
			of_word(w, c, "reason", drop_rows[d].name, win->totals.drops[d]);
}

static void target_overhead(struct writer *w, const struct census *c, const struct window *win)
{
	if (!win->report || win->report->target_cpu_pct < 0)
		return;
	begin_of(w, c);
	put_value(w, win->report->target_cpu_pct / 100);
}

static void over_budget(struct writer *w, const struct census *c, const struct window *win)
{
	if (!win->report)
		return;
	begin_of(w, c);
	put_value(w, win->report->end_reason == END_OVER_BUDGET);
}

static const struct {
	const char *name, *unit, *help;
	enum type type;
	void (*put)(struct writer *w, const struct census *c, const struct window *win);
} of_window[] = {
    {"jnitrace_window_open", "", "1: this JVM is traced just now.", GAUGE, window_open},
    {"jnitrace_window_timestamp_seconds", "seconds", "When the last window that was done ended, since 1970.",
     GAUGE, window_end},
    {"jnitrace_window_seconds", "seconds", "How long that was.", GAUGE, window_length},
    {"jnitrace_events", "", "Calls that were seen in windows.", COUNTER, events},
    {"jnitrace_acquired", "", "Acquired in windows.", COUNTER, acquired},
    {"jnitrace_released", "", "Released in windows.", COUNTER, released},
    {"jnitrace_references", "", "Acquired in the last window and not released at its end.", GAUGE,
     outstanding},
    {"jnitrace_findings", "", "Findings of windows: one that is there in two is two.", COUNTER, findings},
    {"jnitrace_window_findings", "", "Findings of the last window.", GAUGE, findings_of_last},
    {"jnitrace_drops", "", "What windows have lost, by reason.", COUNTER, dropped},
    {"jnitrace_overhead_ratio", "ratio", "CPU time that the probes took of this JVM in the last window.",
     GAUGE, target_overhead},
    {"jnitrace_window_over_budget", "",
     "1: it was ended early, as the probes took more than --budget allows.", GAUGE, over_budget},
};

/* --- its call sites: only where they are asked for, as there may be many --- */

/* Descending; of like ones the first id, so that the order stays. */
static int compare_sites(const void *a, const void *b)
{
	const struct report_site *x = *(const struct report_site *const *)a;
	const struct report_site *y = *(const struct report_site *const *)b;

	if (x->outstanding != y->outstanding)
		return x->outstanding < y->outstanding ? 1 : -1;
	return x->id < y->id ? -1 : x->id > y->id;
}

static void put_site(struct writer *w, const struct census *c, const struct report *r,
		     const struct report_site *s)
{
	const struct frame *by = frames_caller(&s->frames), *java = frames_java_caller(&s->frames);
	char id[17];

	snprintf(id, sizeof(id), "%016llx", (unsigned long long)s->id);
	begin_of(w, c);
	put_label(w, "site", id);
	put_label(w, "function", func_name(r->catalog, s->func));
	put_label(w, "caller", by ? by->symbol : NULL);
	put_label(w, "library", by ? by->module : NULL);
	put_label(w, "java", java ? java->symbol : NULL);
	put_value(w, (double)s->outstanding);
}

/* How many are left out; -ENOMEM. */
static int put_sites(struct writer *w, const struct census *c, const struct report *r, size_t most)
{
	const struct report_site **v = malloc((r->sites.n + 1) * sizeof(*v));
	size_t n = 0;

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < r->sites.n; i++)
		if (r->sites.v[i].outstanding)
			v[n++] = &r->sites.v[i];
	qsort(v, n, sizeof(*v), compare_sites);
	for (size_t i = 0; i < n && i < most; i++)
		put_site(w, c, r, v[i]);
	free(v);
	return n > most ? (int)(n - most) : 0;
}

/* --- of the agent --- */

static void build_info(struct writer *w, const struct agent_self *s)
{
	begin(w);
	put_label(w, "version", s->version);
	put_label(w, "commit", s->commit);
	put_value(w, 1);
}

static void requests(struct writer *w, const struct agent_self *s)
{
	begin(w);
	put_label(w, "result", "answered");
	put_value(w, (double)s->requests_answered);
	begin(w);
	put_label(w, "result", "refused");
	put_value(w, (double)s->requests_refused);
}

/* A number of it; known only where it is not 0. */
#define SELF(function, value)                                                                                \
	static void function(struct writer *w, const struct agent_self *s)                                   \
	{                                                                                                    \
		begin(w);                                                                                    \
		put_value(w, (double)(value));                                                               \
	}
SELF(targets, s->targets_known)
SELF(rounds, s->rounds)
SELF(round_seconds, s->round_s)
SELF(round_time, s->round_unix_s)
SELF(cpu_seconds, s->cpu_s)
SELF(own_cpu_seconds, s->own_cpu_s)
SELF(interval_seconds, s->interval_s)
SELF(budget, s->budget_share)
SELF(reloads, s->reloads)
SELF(reloads_failed, s->reloads_failed)
SELF(resident_bytes, s->resident_bytes)
SELF(open_files, s->open_files)
SELF(start_time, s->start_unix_s)
SELF(windows_failed, s->windows_failed)
SELF(windows_open, s->windows_open)
SELF(windows_waiting, s->windows_waiting)

/* Of an agent that has a store. */
#define PUSH(put, value)                                                                                     \
	static void put(struct writer *w, const struct agent_self *s)                                        \
	{                                                                                                    \
		if (!s->pushes)                                                                              \
			return;                                                                              \
		begin(w);                                                                                    \
		put_value(w, (double)(value));                                                               \
	}
PUSH(push_sent, s->push_sent)
PUSH(push_failed, s->push_failed)
PUSH(push_denied, s->push_denied)
PUSH(push_refused, s->push_refused)
PUSH(push_dropped, s->push_dropped)
PUSH(push_waiting, s->push_waiting)
PUSH(push_waiting_bytes, s->push_waiting_bytes)

static void windows(struct writer *w, const struct agent_self *s)
{
	for (int reason = WINDOW_NONE + 1; reason < NR_WINDOW_REASONS; reason++) {
		begin(w);
		put_label(w, "reason", window_reason_names[reason]);
		put_value(w, (double)s->windows_done[reason]);
	}
}

static const struct {
	const char *name, *unit, *help;
	enum type type;
	void (*put)(struct writer *w, const struct agent_self *s);
} of_self[] = {
    {"jnitrace_build_info", "", "Which jnitrace this is.", INFO, build_info},
    {"jnitrace_agent_targets", "", "JVMs of this host that the agent knows of.", GAUGE, targets},
    {"jnitrace_agent_rounds", "", "Readings of all JVMs.", COUNTER, rounds},
    {"jnitrace_agent_round_seconds", "seconds", "Time that the last one took.", GAUGE, round_seconds},
    {"jnitrace_agent_round_timestamp_seconds", "seconds", "When it ended, since 1970.", GAUGE, round_time},
    {"jnitrace_agent_interval_seconds", "seconds",
     "Time between two readings: as asked for, or longer, to keep within the budget.", GAUGE,
     interval_seconds},
    {"jnitrace_agent_budget_ratio", "ratio", "CPU that the agent itself may take, without windows.", GAUGE,
     budget},
    {"jnitrace_agent_cpu_seconds", "seconds", "CPU time of the agent itself, without windows.", COUNTER,
     own_cpu_seconds},
    {"jnitrace_agent_reloads", "", "Times that options or certificates were read anew.", COUNTER, reloads},
    {"jnitrace_agent_reloads_failed", "", "Times that they could not be used.", COUNTER, reloads_failed},
    {"jnitrace_agent_requests", "", "Requests over HTTP.", COUNTER, requests},
    {"jnitrace_agent_windows", "", "Windows that were done, by why they were opened.", COUNTER, windows},
    {"jnitrace_agent_windows_failed", "", "Windows that failed.", COUNTER, windows_failed},
    {"jnitrace_agent_windows_open", "", "Windows that are open now.", GAUGE, windows_open},
    {"jnitrace_agent_windows_waiting", "", "JVMs whose window waits for others to end.", GAUGE,
     windows_waiting},
    {"jnitrace_agent_push_sent", "", "Profiles that the store has taken.", COUNTER, push_sent},
    {"jnitrace_agent_push_failed", "", "Attempts to send one that are made again.", COUNTER, push_failed},
    {"jnitrace_agent_push_denied", "", "Of these: its token or its URL is wrong, says the store.", COUNTER,
     push_denied},
    {"jnitrace_agent_push_refused", "", "Profiles that the store will not have.", COUNTER, push_refused},
    {"jnitrace_agent_push_dropped", "", "Profiles for which the spool had no room.", COUNTER, push_dropped},
    {"jnitrace_agent_push_waiting", "", "Profiles in the spool.", GAUGE, push_waiting},
    {"jnitrace_agent_push_waiting_bytes", "bytes", "Their size.", GAUGE, push_waiting_bytes},
    {"process_cpu_seconds", "seconds", "CPU time of the agent and of its tracers that have ended.", COUNTER,
     cpu_seconds},
    {"process_resident_memory_bytes", "bytes", "Memory of the agent.", GAUGE, resident_bytes},
    {"process_open_fds", "", "Files that the agent has open.", GAUGE, open_files},
    {"process_start_time_seconds", "seconds", "When the agent started, since 1970.", GAUGE, start_time},
};

/* OpenMetrics names a counter without the suffix of its samples. */
static void begin_metric(struct writer *w, bool openmetrics, const char *name, const char *unit,
			 const char *help, enum type type)
{
	w->name = name;
	w->suffix = type == COUNTER ? "_total" : "";
	buf_printf(w->out, "# HELP %s%s %s\n", name, openmetrics ? "" : w->suffix, help);
	buf_printf(w->out, "# TYPE %s%s %s\n", name, openmetrics ? "" : w->suffix, type_names[type]);
	if (openmetrics && *unit)
		buf_printf(w->out, "# UNIT %s %s\n", name, unit);
}

static void put_all_sites(struct writer *w, bool openmetrics, const struct agent_seen *seen, size_t most)
{
	struct buf left_out = {0};

	begin_metric(w, openmetrics, "jnitrace_site_outstanding", "",
		     "Acquired at this call site in the last window and not released at its end.", GAUGE);
	for (size_t k = 0; k < seen->nr_jvms; k++) {
		const struct window *win = window_of(seen, &seen->jvms[k]->target);
		struct writer of = {.out = &left_out, .name = "jnitrace_sites_left_out", .suffix = ""};
		int n = win && win->report ? put_sites(w, seen->jvms[k], win->report, most) : -1;

		w->out->failed |= n == -ENOMEM;
		if (n >= 0)
			of_count(&of, seen->jvms[k], n);
	}
	begin_metric(w, openmetrics, "jnitrace_sites_left_out", "",
		     "Call sites that hold something and are none of the above.", GAUGE);
	if (left_out.n)
		buf_add(w->out, left_out.p, left_out.n);
	w->out->failed |= left_out.failed;
	buf_free(&left_out);
}

void metrics_write(struct buf *out, bool openmetrics, const struct agent_self *self,
		   const struct agent_seen *seen, size_t top_sites)
{
	struct writer w = {.out = out};

	for (size_t i = 0; i < ARRAY_LEN(of_self); i++) {
		begin_metric(&w, openmetrics, of_self[i].name, of_self[i].unit, of_self[i].help,
			     of_self[i].type);
		of_self[i].put(&w, self);
	}
	for (size_t i = 0; i < ARRAY_LEN(of_jvm); i++) {
		begin_metric(&w, openmetrics, of_jvm[i].name, of_jvm[i].unit, of_jvm[i].help, of_jvm[i].type);
		for (size_t k = 0; k < seen->nr_jvms; k++)
			of_jvm[i].put(&w, seen->jvms[k]);
	}
	for (size_t i = 0; i < ARRAY_LEN(of_window); i++) {
		begin_metric(&w, openmetrics, of_window[i].name, of_window[i].unit, of_window[i].help,
			     of_window[i].type);
		for (size_t k = 0; k < seen->nr_jvms; k++) {
			const struct window *win = window_of(seen, &seen->jvms[k]->target);

			if (win)
				of_window[i].put(&w, seen->jvms[k], win);
		}
	}
	if (top_sites)
		put_all_sites(&w, openmetrics, seen, top_sites);
	if (openmetrics)
		buf_printf(out, "# EOF\n");
}
