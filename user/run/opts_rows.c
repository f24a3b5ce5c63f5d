/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The table of options. See opts_rows.h. */
#include "run/opts_rows.h"

#include <stdint.h>
#include <string.h>

#include "base/budget.h"
#include "bpf/border/shared.h"
#include "export/formats.h"
#include "judge/compare.h"
#include "model/fleet.h"
#include "model/probe_site.h"
#include "model/report.h"
#include "model/sample.h"
#include "runtime/runtime.h"
#include "view/columns.h"

#define MIN_INTERVAL_S     0.01
#define MAX_INTERVAL_S     86400.0
#define MAX_DURATION_S     1e9
#define MAX_ROWS           1000000
#define MAX_WIDTH          1000000
#define MAX_REFS           (1U << 28)
#define MAX_STACKS         (1U << 24)
#define MAX_LOCAL_CAPACITY (1U << 30)
#define MAX_LIMIT          1e12
#define MAX_BUDGET_MS      86400000
#define MAX_WINDOWS        64
#define MAX_TOP_SITES      100
#define MAX_MEMORY         (1ULL << 40)

/* Words. */

#define WORDS(name, ...)                                                                                     \
	static const char *name(size_t i)                                                                    \
	{                                                                                                    \
		static const char *const words[] = {__VA_ARGS__};                                            \
		return i < ARRAY_LEN(words) ? words[i] : NULL;                                               \
	}
WORDS(stacks_word, [STACKS_MIXED] = "mixed", [STACKS_JAVA] = "java", [STACKS_NATIVE] = "native",
      [STACKS_NONE] = "none")
WORDS(fleet_word, [FLEET_FAIL_GROWTH] = "growth", [FLEET_FAIL_NEW] = "new")
WORDS(attach_word, [ATTACH_AUTO] = "auto", [ATTACH_MULTI] = "multi", [ATTACH_PERF] = "perf")
WORDS(memo_word, [MEMO_ON] = "on", [MEMO_OFF] = "off", [MEMO_CHECK] = "check")

/* Of JNI; others are the catalog's. */
static const char *family_word(size_t i)
{
	return i < NR_JNI_FAMILIES ? family_name(&jni_catalog, i) : i == NR_JNI_FAMILIES ? "all" : NULL;
}

static const char *column_word(size_t i)
{
	return i < nr_columns ? columns[i].key : NULL;
}

static const char *group_word(size_t i)
{
	return i < NR_GROUPS ? group_names[i] : NULL;
}

static const char *format_word(size_t i)
{
	return i < nr_formats ? formats[i].name : NULL;
}

static const char *strategy_word(size_t i)
{
	return i < NR_STRATEGIES ? site_strategy_names[i] : NULL;
}

static const char *change_word(size_t i)
{
	return i < NR_FAIL_ON_CHANGE ? fail_on_change_names[i] : NULL;
}

static const char *by_word(size_t i)
{
	return i < NR_FLEET_BY ? fleet_by_names[i] : NULL;
}

static const char *per_word(size_t i)
{
	return i < NR_PER ? per_names[i] : NULL;
}

static const char *severity_word(size_t i)
{
	return i < NR_SEVERITIES ? finding_severity_names[i] : i == FAIL_ON_LEAK ? "leak" : NULL;
}

/* Where values go. A field of another type than the kind's does not compile. */
#define FIELD(type, field)                                                                                   \
	(offsetof(struct options, field) +                                                                   \
	 0 * sizeof(                                                                                         \
		 char[__builtin_types_compatible_p(type, __typeof__(((struct options *)0)->field)) ? 1       \
												   : -1]))
#define FLAG(field)             .kind = OPTION_FLAG, .at = FIELD(bool, field)
#define REPEAT(field)           .kind = OPTION_REPEAT, .at = FIELD(int, field)
#define INT(field, least, most) .kind = OPTION_INT, .at = FIELD(int, field), .min = (least), .max = (most)
#define COUNT(field, least, most)                                                                            \
	.kind = OPTION_UINT64, .at = FIELD(uint64_t, field), .min = (least), .max = (most)
#define SECONDS(field, least, most)                                                                          \
	.kind = OPTION_SECONDS, .at = FIELD(double, field), .min = (least), .max = (most)
#define PERCENT(field, least, most)                                                                          \
	.kind = OPTION_PERCENT, .at = FIELD(double, field), .min = (least), .max = (most)
#define BYTES(field, least, most)                                                                            \
	.kind = OPTION_BYTES, .at = FIELD(uint64_t, field), .min = (least), .max = (most)
#define CHOICE(type, field, words, what)                                                                     \
	.kind = OPTION_CHOICE,                                                                               \
	.at = FIELD(type, field) + 0 * sizeof(char[sizeof(type) == sizeof(int) ? 1 : -1]),                   \
	.choices = (words), .noun = (what)
#define WORD(field, words, what)                                                                             \
	.kind = OPTION_WORD, .at = FIELD(const char *, field), .choices = (words), .noun = (what)
#define PATH(field) .kind = OPTION_PATH, .at = FIELD(const char *, field)
#define OWN(what)   .kind = OPTION_##what
/* Seconds since attach: 0, too. */
#define MOMENT(field) SECONDS(field, -1, MAX_DURATION_S)

#define TOP    (1U << CMD_TOP)
#define CENSUS (1U << CMD_CENSUS)
#define RECORD (1U << CMD_RECORD)
#define REPORT (1U << CMD_REPORT)
#define DIFF   (1U << CMD_DIFF)
#define PROBES (1U << CMD_PROBES)
#define DOCTOR (1U << CMD_DOCTOR)
#define AGENT  (1U << CMD_AGENT)
#define FLEET  (1U << CMD_FLEET)
#define RUN    (1U << CMD_RUN)
#define TRACER (1U << CMD_WINDOWS)
#define TRACE  (TOP | RECORD)
#define LIVE   (EVERY & ~REPORT & ~DIFF & ~RUN & ~AGENT & ~FLEET) /* of processes that are named */
#define VIEW   (EVERY & ~RECORD & ~AGENT)                         /* what is shown */
#define STDOUT (VIEW & ~RUN)                                      /* there */
#define EVERY  ((1U << NR_COMMANDS) - 1)

/* clang-format off */
const struct option_row option_rows[] = {
	{ "pid",      'p', "PID[,PID]", LIVE | DIFF, OWN(PIDS),
	  .help = "processes, by id or name; may be repeated" },
	{ "all",      'a', NULL, LIVE & ~DOCTOR, FLAG(all),
	  .help = "every JVM of this host, also later ones" },
	{ "runtime",   0,  "NAME", LIVE | RUN | AGENT | TRACER, WORD(runtime, runtime_name, "runtime"), .rare = true,
	  .help = "processes of this runtime only" },
	{ "podinfo",   0,  "DIR", TRACE | CENSUS | AGENT | TRACER, PATH(podinfo), .rare = true,
	  .help = "folder of its pod's labels and annotations, in a process's own root (default /etc/podinfo)" },
	{ "events",   'e', "FAMILY[,..]", TRACE | RUN | PROBES, OWN(FAMILIES), .choices = family_word, .noun = "family",
	  .help = "what to trace (default global,weak)" },
	{ "pair",      0,  "RULE", TRACE | RUN | PROBES, OWN(PAIR), .rare = true,
	  .help = "functions of any library, as 'libfoo:foo_new(ret)/foo_free(arg0)'; may be repeated" },
	{ "pairs",     0,  "NAME[,..]", TRACE | RUN | PROBES, OWN(PAIR), .rare = true,
	  .help = "named sets of such: malloc, file, dir, dl, sqlite, openssl, zlib, curl, vulkan, jna, or your own" },
	{ "check",     0,  NULL, TRACE | RUN | PROBES, FLAG(check),
	  .help = "check every use of a reference; costs more" },
	{ "count-only", 0, NULL, TRACE | PROBES, FLAG(count_only), .rare = true,
	  .help = "count acquisitions only, without releases; cheaper" },
	{ "sample",    0,  "N", TRACE | RUN, COUNT(sample, 1, SAMPLE_MOST), .rare = true,
	  .help = "of pairs, follow one of N handles only: cheaper; numbers are estimates, with their error" },
	{ "interval", 'i', "TIME", TRACE | CENSUS | AGENT, SECONDS(interval_s, MIN_INTERVAL_S, MAX_INTERVAL_S), .reloads = true,
	  .help = "time between two reports (default 1s; agent: 10s)" },
	{ "count",    'n', "N", TRACE | CENSUS, INT(count, 1, INT32_MAX),
	  .help = "end after N intervals" },
	{ "duration", 'd', "TIME", TRACE | CENSUS | AGENT, SECONDS(duration_s, 0, MAX_DURATION_S),
	  .help = "end after this time: 10, 10s, 500ms, 5m, 2h" },
	{ "classes",   0,  NULL, CENSUS, FLAG(classes),
	  .help = "histogram of the referenced objects, by class" },
	{ "watch",     0,  NULL, CENSUS, FLAG(watch),
	  .help = "growth per minute, with an alarm; runs until ended" },
	{ "limit",     0,  "N", CENSUS, COUNT(limit, 1, MAX_LIMIT), .requires = "watch",
	  .help = "forecast when N references will be reached" },
	{ "limit",     0,  "N", AGENT, COUNT(limit, 1, MAX_LIMIT), .reloads = true,
	  .help = "forecast when N references will be reached" },
	{ "listen",    0,  "ADDR:PORT", AGENT, PATH(listen),
	  .help = "where to answer (default 127.0.0.1:9469); what others reach needs TLS and a token" },
	{ "token-file", 0, "FILE", AGENT, PATH(token_file), .reloads = true,
	  .help = "answer only who bears the token on the first line of FILE" },
	{ "by",        0,  "KEY", FLEET, CHOICE(int, fleet_by, by_word, "key"),
	  .help = "what is compared (default version)" },
	{ "token-file", 0, "FILE", FLEET, PATH(token_file),
	  .help = "bear the token on the first line of FILE" },
	{ "ca",        0,  "FILE", FLEET | AGENT, PATH(ca), .rare = true,
	  .help = "trust servers for which one of these vouches (PEM; default: the system's)" },
	{ "tls-cert",  0,  "FILE", AGENT, PATH(tls_cert), .requires = "tls-key", .reloads = true,
	  .help = "answer over TLS, with this certificate (PEM)" },
	{ "tls-key",   0,  "FILE", AGENT, PATH(tls_key), .requires = "tls-cert", .reloads = true,
	  .help = "its key (PEM)" },
	{ "tls-client-ca", 0, "FILE", AGENT, PATH(tls_client_ca), .requires = "tls-cert", .rare = true, .reloads = true,
	  .help = "answer only those whose certificate one of these has signed (PEM)" },
	{ "config",    0,  "FILE", AGENT, PATH(config_path), .typed = true,
	  .help = "options from FILE (YAML: jnitrace help config), too; SIGHUP: read it anew" },
	{ "check-config", 0, NULL, AGENT, FLAG(check_config), .requires = "config", .typed = true, .rare = true,
	  .help = "only look whether the options can be used" },
	{ "service-rule", 0, "RULE", AGENT, OWN(SERVICE_RULE), .rare = true, .reloads = true,
	  .help = "NAME=PATTERN: the service of JVMs whose command line matches this; may be repeated, the first counts" },
	{ "windows",   0,  "N", AGENT | TRACER, INT(windows, 0, MAX_WINDOWS), .reloads = true,
	  .help = "trace so many JVMs at a time, for a while (default 1); 0: attach to none" },
	{ "window",    0,  "TIME", AGENT, SECONDS(window_s, MIN_INTERVAL_S, MAX_INTERVAL_S), .reloads = true,
	  .help = "for how long (default 30s)" },
	{ "rest",      0,  "TIME", AGENT, SECONDS(rest_s, 0, MAX_DURATION_S), .reloads = true,
	  .help = "not again for growth before this time has passed (default 10m)" },
	{ "trace",     0,  "PATTERN", AGENT, PATH(trace), .rare = true, .reloads = true,
	  .help = "only JVMs whose command line matches this extended regular expression" },
	{ "every",     0,  "TIME", AGENT, SECONDS(every_s, 1, MAX_DURATION_S), .reloads = true,
	  .help = "also on schedule, each JVM once in this time" },
	{ "top-sites", 0,  "N", AGENT, INT(top_sites, 0, MAX_TOP_SITES), .rare = true, .reloads = true,
	  .help = "metrics of the N call sites of each JVM that hold most (default 0)" },
	{ "push",      0,  "URL", AGENT, PATH(push),
	  .help = "send what windows have seen to this store, as http://pyroscope:4040/ingest" },
	{ "otlp-profiles", 0, "URL", AGENT, PATH(otlp_profiles),
	  .help = "likewise, to one that takes OTLP 1.10 profiles (alpha), as http://collector:4318" },
	{ "push-headers", 0, "FILE", AGENT, PATH(push_headers), .requires = "push", .or_else = "otlp-profiles", .rare = true,
	  .help = "with these headers, a NAME: VALUE a line" },
	{ "spool",     0,  "DIR", AGENT, PATH(spool), .requires = "push", .or_else = "otlp-profiles", .rare = true,
	  .help = "where it is kept until the store has it (default /var/lib/jnitrace)" },
	{ "spool-limit", 0, "SIZE", AGENT, BYTES(spool_bytes, 1 << 20, MAX_MEMORY), .requires = "push", .or_else = "otlp-profiles", .rare = true,
	  .help = "as much at most; then the oldest is dropped (default 64M)" },
	{ "allow-trigger", 0, NULL, AGENT, FLAG(allow_trigger), .requires = "token-file", .or_else = "tls-client-ca",
	  .help = "also when asked by POST /api/v1/windows?pid=PID&seconds=S" },
	{ "budget",    0,  "PERCENT", TRACE | AGENT | TRACER, PERCENT(budget_share, 0.0001, 100), .rare = true, .reloads = true,
	  .help = "what probes may take of a CPU from a process, as 1% (agent: 1%): else pairs are sampled, then all detached" },
	{ "budget",    0,  "MS", CENSUS, COUNT(budget_ms, 1, MAX_BUDGET_MS), .requires = "classes", .rare = true,
	  .help = "limit of a reading in milliseconds; then a sample" },
	{ "batch",    'b', NULL, TOP | CENSUS | REPORT, FLAG(view.batch),
	  .help = "plain tables, even on a terminal" },
	{ "rows",     'r', "N", TRACE | CENSUS | REPORT | DIFF | FLEET, INT(view.rows, 0, MAX_ROWS), .inherited = true,
	  .help = "rows of a table; 0: all (default 20, or the screen)" },
	{ "width",     0,  "N", VIEW, INT(view.width, 0, MAX_WIDTH), .rare = true,
	  .help = "cells of a line; 0: cut nothing (default: as the terminal; files are not cut)" },
	{ "sort",     's', "KEY", TRACE | REPORT, WORD(view.sort, column_word, "column"), .brief = true, .inherited = true,
	  .help = "sort by a column (jnitrace help columns)" },
	{ "group-by", 'g', "GROUP", TRACE | REPORT | DIFF | RUN, CHOICE(enum group_by, view.group_by, group_word, "group"), .inherited = true,
	  .help = "what a row is (default site)" },
	{ "stacks",    0,  "KIND", TRACE | REPORT | DIFF, CHOICE(enum stacks_shown, view.stacks, stacks_word, "kind of stack"), .inherited = true,
	  .help = "frames to show" },
	{ "depth",     0,  "N", TRACE | REPORT | RUN, INT(depth, 1, JT_MAX_FRAMES), .rare = true, .inherited = true,
	  .help = "frames of a stack to keep, 1 to 128 (default 128)" },
	{ "hidden-frames", 0, NULL, TRACE, FLAG(hidden_frames), .rare = true,
	  .help = "also show frames that Java hides: of lambdas, ..." },
	{ "json",      0,  NULL, STDOUT, OWN(JSON),
	  .help = "the same as --format json" },
	{ "format",    0,  "FORMAT", VIEW, OWN(FORMAT), .choices = format_word, .noun = "format",
	  .help = "output format" },
	{ "output",   'o', "FILE", EVERY & ~RUN & ~AGENT, OWN(FILE),
	  .help = "write to FILE instead of stdout" },
	{ "record",    0,  "FILE", TOP | RUN, OWN(RECORD),
	  .help = "also write a recording, for jnitrace report" },
	{ "at",        0,  "TIME", REPORT | DIFF, MOMENT(at_s),
	  .help = "as it was so long after attach" },
	{ "from",      0,  "TIME", REPORT, MOMENT(from_s),
	  .help = "what happened from this time after attach on" },
	{ "to",        0,  "TIME", REPORT, MOMENT(to_s),
	  .help = "what happened until this time after attach" },
	{ "from",      0,  "TIME", DIFF, MOMENT(from_s),
	  .help = "A as it was so long after attach" },
	{ "to",        0,  "TIME", DIFF, MOMENT(to_s),
	  .help = "B as it was so long after attach" },
	{ "per",       0,  "WHAT", DIFF, CHOICE(enum per, per, per_word, "measure"),
	  .help = "count A times what B took longer (second) or acquired more (call), or as it is (run, the default)" },
	{ "each",      0,  NULL, REPORT, FLAG(each),
	  .help = "every interval, one after the other (tables; json and csv do so anyway)" },
	{ "fail-on",   0,  "SEVERITY", TRACE | REPORT, CHOICE(int, fail_on, severity_word, "severity"), .inherited = true,
	  .help = "exit with 6 on findings of this severity or worse; leak: errors and leaks" },
	{ "fail-on",   0,  "CHANGE", DIFF, CHOICE(int, fail_on_change, change_word, "change"),
	  .help = "exit with 6 on growth, on sites or findings that A has not, or on such findings alone" },
	{ "fail-on",   0,  "CHANGE", FLEET, CHOICE(int, fleet_fail_on, fleet_word, "change"),
	  .help = "exit with 6 on what grows in one alone; new: or is there in one alone" },
	{ "assert",    0,  "EXPR", RUN, OWN(ASSERT),
	  .help = "exit with 6 unless this holds, as 'global.outstanding<=7'; may be repeated" },
	{ "baseline",  0,  "FILE", RUN, PATH(baseline),
	  .help = "exit with 6 if there is something new since the recording FILE" },
	{ "report",    0,  "FILE", RUN, PATH(report),
	  .help = "write the last report of each JVM to FILE, in the format of its ending or --format; else a recording" },
	{ "junit",     0,  "FILE", RUN, PATH(junit), .requires = "assert", .or_else = "baseline",
	  .help = "write the results to FILE as JUnit's XML" },
	{ "tap",       0,  "FILE", RUN, PATH(tap), .requires = "assert", .or_else = "baseline",
	  .help = "write the results to FILE as TAP" },
	{ "suppressions", 0, "FILE", RUN, PATH(suppressions),
	  .help = "leave out what FILE names, a KIND:PATTERN a line" },
	{ "wait",      0,  "TIME", RUN, SECONDS(wait_s, 0, MAX_DURATION_S),
	  .help = "wait so long for JVMs that outlive the command (default 1s)" },
	{ "allow-loss", 0, NULL, TRACE | REPORT | DIFF | FLEET, FLAG(allow_loss), .rare = true, .inherited = true,
	  .help = "exit with 0, not 5, when data was lost" },
	{ "hold",      0,  "TIME", TRACE | RUN, SECONDS(hold_s, 0, MAX_DURATION_S), .rare = true,
	  .help = "report critical sections held longer (default 10ms)" },
	{ "local-capacity", 0, "N", TRACE | RUN, COUNT(local_capacity, 1, MAX_LOCAL_CAPACITY), .rare = true,
	  .help = "report native calls with more local references (default 512)" },
	{ "max-refs",  0,  "N", TRACE | RUN | AGENT | TRACER, COUNT(max_refs, 1, MAX_REFS), .rare = true, .reloads = true,
	  .help = "references that can be outstanding (default 1000000, of an agent 250000)" },
	{ "max-stacks", 0, "N", TRACE | RUN, COUNT(max_stacks, 1, MAX_STACKS), .rare = true,
	  .help = "distinct stacks that can be kept (default 20000)" },
	{ "limit-memory", 0, "SIZE", EVERY | TRACER, BYTES(limit_bytes, BUDGET_LEAST_BYTES, MAX_MEMORY), .rare = true,
	  .help = "memory for what is read of the processes' files (default 256M)" },
	{ "attach",    0,  "HOW", TRACE, CHOICE(enum attach_method, attach, attach_word, "way to attach"), .rare = true,
	  .help = "how to attach the probes" },
	{ "memo",      0,  "HOW", TRACE, CHOICE(enum memo_mode, memo, memo_word, "use of the memo"), .rare = true,
	  .help = "whether to remember walked stacks" },
	{ "strategy",  0,  "NAME", TRACE | PROBES, CHOICE(int, strategy, strategy_word, "strategy"), .rare = true,
	  .help = "find probe sites with this strategy only" },
	{ "verbose",  'v', NULL, EVERY, REPEAT(verbose), .inherited = true,
	  .help = "more messages, nothing left out; twice: even more" },
	{ "version",  'V', NULL, EVERY, OWN(VERSION), .typed = true,
	  .help = "print the version, and of what" },
	{ "help",     'h', NULL, EVERY, OWN(HELP), .typed = true,
	  .help = "print help; --help all: with the rarer options" },
};
/* clang-format on */
const size_t nr_option_rows = ARRAY_LEN(option_rows);
_Static_assert(ARRAY_LEN(option_rows) <= OPTIONS_MAX, "an option has no place in struct options");

bool option_in_file(const struct option_row *row, enum command command)
{
	return row->commands & 1U << command && !row->typed;
}

/* Bytes of its value; 0: it is a string. */
static size_t value_bytes(const struct option_row *row)
{
	switch (row->kind) {
	case OPTION_FLAG:
		return sizeof(bool);
	case OPTION_REPEAT:
	case OPTION_INT:
	case OPTION_CHOICE:
		return sizeof(int);
	case OPTION_UINT64:
	case OPTION_BYTES:
		return sizeof(uint64_t);
	case OPTION_SECONDS:
	case OPTION_PERCENT:
		return sizeof(double);
	default:
		return 0;
	}
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

bool option_equal(const struct option_row *row, const struct options *a, const struct options *b)
{
	const char *x = (const char *)a + row->at, *y = (const char *)b + row->at;
	bool same = true;

	if (row->kind == OPTION_SERVICE_RULE) {
		for (size_t i = 0; i < OPTS_MAX_SERVICE_RULES; i++)
			same &= same_text(a->service_rules[i], b->service_rules[i]);
		return same;
	}
	if (value_bytes(row))
		return !memcmp(x, y, value_bytes(row));
	return same_text(*(const char *const *)(const void *)x, *(const char *const *)(const void *)y);
}

void option_copy(const struct option_row *row, struct options *to, const struct options *from)
{
	memcpy((char *)to + row->at, (const char *)from + row->at, value_bytes(row) ?: sizeof(const char *));
}

bool format_serves(const struct format *f, enum command command)
{
	switch (command) {
	case CMD_CENSUS:
		return f->census != NULL;
	case CMD_PROBES:
		return f->probes != NULL;
	case CMD_DOCTOR:
		return f->doctor != NULL;
	case CMD_FLEET:
		return f->fleet != NULL;
	case CMD_DIFF:
		return f->diff != NULL;
	default:
		return true;
	}
}

_Static_assert(JT_MAX_FRAMES == 128, "the help of --depth names it");
