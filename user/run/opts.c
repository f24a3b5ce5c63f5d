/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The command line. See opts.h. */
#include "run/opts.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "export/formats.h"
#include "model/probe_site.h"
#include "model/report.h"
#include "view/cells.h"
#include "view/columns.h"

#ifndef JNITRACE_VERSION
#define JNITRACE_VERSION "0.1.0"
#endif

#define SEE_HELP       "see jnitrace --help"
#define MAX_PID        (1U << 22) /* PID_MAX_LIMIT of 64-bit kernels, include/linux/threads.h */
#define MIN_INTERVAL_S 0.01
#define MAX_INTERVAL_S 86400.0
#define MAX_DURATION_S 1e9
#define MAX_REFS       (1U << 28)
#define MAX_STACKS     (1U << 24)
#define MAX_DIGITS     15 /* a decimal number of so many digits is exact in a double before it is scaled */
#define HELP_WIDTH     80
#define HELP_INDENT    30

struct option_row;
struct parse {
	struct options *o;
	struct error *err;
	const struct option_row *row; /* being set */
	bool families_given;
	int done; /* > 0: what opts_parse returns at once */
};

/* The i-th word an option takes, NULL behind the last. */
typedef const char *choice_fn(size_t i);

struct option_row {
	const char *name;
	char letter;     /* 0: long only */
	const char *arg; /* its name in --help; NULL: takes none */
	int (*set)(struct parse *p, const char *arg);
	choice_fn *choices;
	const char *help;
};

static const struct {
	const char *name;
	enum command command;
	const char *help;
} commands[] = {
    {"top", CMD_TOP, "tables of the leaking call sites, live (the default)"},
    {"census", CMD_CENSUS, "what is in the reference tables now; attaches nothing"},
    {"probes", CMD_PROBES, "the sites it would probe, how each was found and its cost; attaches nothing"},
};

/* Words. */

#define WORD(words, i) ((i) < ARRAY_LEN(words) ? (words)[i] : NULL)

static const char *command_name(size_t i)
{
	return i < ARRAY_LEN(commands) ? commands[i].name : NULL;
}

/* Of JNI; others are the catalog's. */
static const char *family_word(size_t i)
{
	return i < NR_JNI_FAMILIES ? family_name(&jni_catalog, i) : i == NR_JNI_FAMILIES ? "all" : NULL;
}

static const char *column_key(size_t i)
{
	return i < nr_columns ? columns[i].key : NULL;
}

static const char *group_name(size_t i)
{
	return i < NR_GROUPS ? group_names[i] : NULL;
}

static const char *format_name(size_t i)
{
	return i < nr_formats ? formats[i].name : NULL;
}

static const char *strategy_name(size_t i)
{
	return i < NR_STRATEGIES ? site_strategy_names[i] : NULL;
}

static const char *stacks_name(size_t i)
{
	static const char *const names[] = {[STACKS_MIXED] = "mixed",
					    [STACKS_JAVA] = "java",
					    [STACKS_NATIVE] = "native",
					    [STACKS_NONE] = "none"};

	return WORD(names, i);
}

static const char *severity_name(size_t i)
{
	return i < NR_SEVERITIES ? finding_severity_names[i] : i == FAIL_ON_LEAK ? "leak" : NULL;
}

static const char *attach_name(size_t i)
{
	static const char *const names[] = {
	    [ATTACH_AUTO] = "auto", [ATTACH_MULTI] = "multi", [ATTACH_PERF] = "perf"};

	return WORD(names, i);
}

static const char *memo_name(size_t i)
{
	static const char *const names[] = {[MEMO_ON] = "on", [MEMO_OFF] = "off", [MEMO_CHECK] = "check"};

	return WORD(names, i);
}

/* Values. All of them refuse what they do not wholly understand. */

static int usage_error(struct parse *p, const char *advice, const char *why_fmt, ...) JT_PRINTF(3, 4);

/* Names the option being set, if there is one. */
static int usage_error(struct parse *p, const char *advice, const char *why_fmt, ...)
{
	char what[64] = "command line", why[256];
	va_list ap;

	if (p->row)
		snprintf(what, sizeof(what), "--%s", p->row->name);
	va_start(ap, why_fmt);
	vsnprintf(why, sizeof(why), why_fmt, ap);
	va_end(ap);
	return error_set(p->err, -EINVAL, EXIT_USAGE, what, advice, "%s", why);
}

static void add_choices(struct buf *out, choice_fn *choices)
{
	buf_printf(out, "one of: ");
	for (size_t i = 0; choices(i); i++)
		buf_printf(out, "%s%s", i > 0 ? ", " : "", choices(i));
}

/* The same, with all the words there are as the advice. */
static int choice_error(struct parse *p, choice_fn *choices, const char *why)
{
	struct buf advice = {0};
	int rc;

	add_choices(&advice, choices);
	rc = usage_error(p, advice.failed ? SEE_HELP : advice.p, "%s", why);
	buf_free(&advice);
	return rc;
}

/* Index of the word among the choices of the option being set. noun: what kind of word it is. */
static int pick(struct parse *p, const char *noun, const char *word)
{
	char why[256];

	for (size_t i = 0; p->row->choices(i); i++)
		if (strcmp(p->row->choices(i), word) == 0)
			return (int)i;
	snprintf(why, sizeof(why), "unknown %s '%s'", noun, word);
	return choice_error(p, p->row->choices, why);
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Decimal digits and nothing else. */
static int parse_count(struct parse *p, const char *arg, uint64_t min, uint64_t max, uint64_t *out)
{
	char advice[96];
	uint64_t n = 0;
	const char *c = arg;

	for (; is_digit(*c) && n <= max; c++)
		n = n * 10 + (uint64_t)(*c - '0');
	if (c > arg && !*c && n >= min && n <= max) {
		*out = n;
		return 0;
	}
	snprintf(advice, sizeof(advice), "give a whole number from %llu to %llu", (unsigned long long)min,
		 (unsigned long long)max);
	return usage_error(p, advice, "bad number '%s'", arg);
}

/* Seconds as 10, 0.5 or .5; nothing else (no sign, exponent, hexadecimal, infinity), in every locale. */
static int parse_seconds(struct parse *p, const char *arg, double min, double max, double *out)
{
	char advice[96];
	double n = 0, scale = 1;
	int digits = 0;
	const char *c = arg;

	for (; is_digit(*c) && digits < MAX_DIGITS; c++, digits++)
		n = n * 10 + (*c - '0');
	if (*c == '.')
		for (c++; is_digit(*c) && digits < MAX_DIGITS; c++, digits++, scale *= 10)
			n = n * 10 + (*c - '0');
	if (digits > 0 && !*c && n > 0 && n / scale >= min && n / scale <= max) {
		*out = n / scale;
		return 0;
	}
	snprintf(advice, sizeof(advice), "give seconds, as 10 or 0.5, %s %g and at most %g",
		 min > 0 ? "at least" : "more than", min, max);
	return usage_error(p, advice, "bad time '%s'", arg);
}

/* Setters. */

static int add_pid(struct parse *p, pid_t pid)
{
	for (size_t i = 0; i < p->o->nr_pids; i++)
		if (p->o->pids[i] == pid)
			return 0;
	if (p->o->nr_pids == OPTS_MAX_PIDS)
		return usage_error(p, "at most 256; -a takes every JVM", "too many processes");
	p->o->pids[p->o->nr_pids++] = pid;
	return 0;
}
_Static_assert(OPTS_MAX_PIDS == 256, "the advice above names it");

/* Call take for every word of a comma list. Empty words are errors of take. */
static int each_word(struct parse *p, const char *arg, int (*take)(struct parse *p, const char *word))
{
	for (;;) {
		const char *comma = strchrnul(arg, ',');
		char *word = strndup(arg, (size_t)(comma - arg));
		int rc;

		if (!word)
			return error_set(p->err, -ENOMEM, EXIT_FAILED, "command line", NULL, "out of memory");
		rc = take(p, word);
		free(word);
		if (rc < 0 || !*comma)
			return rc;
		arg = comma + 1;
	}
}

static int take_pid(struct parse *p, const char *word)
{
	uint64_t pid;
	int rc = parse_count(p, word, 1, MAX_PID, &pid);

	return rc < 0 ? rc : add_pid(p, (pid_t)pid);
}

static int set_pid(struct parse *p, const char *arg)
{
	return each_word(p, arg, take_pid);
}

static int set_all(struct parse *p, const char *arg)
{
	(void)arg;
	p->o->all = true;
	return 0;
}

static int take_family(struct parse *p, const char *word)
{
	enum jni_family family = catalog_find_family(p->o->catalog, word);

	if (!strcmp(word, "all"))
		p->o->families |= (1U << p->o->catalog->nr_families) - 1;
	else if (family == FAMILY_NONE)
		return pick(p, "family", word); /* says which there are */
	else
		p->o->families |= 1U << family;
	return 0;
}

static int set_events(struct parse *p, const char *arg)
{
	if (!p->families_given)
		p->o->families = 0;
	p->families_given = true;
	return each_word(p, arg, take_family);
}

static int set_interval(struct parse *p, const char *arg)
{
	p->o->interval_given = true;
	return parse_seconds(p, arg, MIN_INTERVAL_S, MAX_INTERVAL_S, &p->o->interval_s);
}

static int set_count(struct parse *p, const char *arg)
{
	uint64_t n = 0;
	int rc = parse_count(p, arg, 1, INT32_MAX, &n);

	if (rc == 0)
		p->o->count = (long)n;
	return rc;
}

static int set_duration(struct parse *p, const char *arg)
{
	return parse_seconds(p, arg, 0, MAX_DURATION_S, &p->o->duration_s);
}

static int set_batch(struct parse *p, const char *arg)
{
	(void)arg;
	p->o->view.batch = true;
	return 0;
}

static int set_rows(struct parse *p, const char *arg)
{
	uint64_t n = 0;
	int rc = parse_count(p, arg, 0, 1000000, &n);

	if (rc == 0)
		p->o->view.rows = (int)n;
	return rc;
}

static int set_sort(struct parse *p, const char *arg)
{
	int i = pick(p, "column", arg);

	if (i < 0)
		return i;
	p->o->view.sort = columns[i].key;
	return 0;
}

static int set_group_by(struct parse *p, const char *arg)
{
	int i = pick(p, "group", arg);

	if (i < 0)
		return i;
	p->o->view.group_by = (enum group_by)i;
	return 0;
}

static int set_stacks(struct parse *p, const char *arg)
{
	int i = pick(p, "kind of stack", arg);

	if (i < 0)
		return i;
	p->o->view.stacks = (enum stacks_shown)i;
	return 0;
}

static int set_hidden_frames(struct parse *p, const char *arg)
{
	(void)arg;
	p->o->hidden_frames = true;
	return 0;
}

static int set_depth(struct parse *p, const char *arg)
{
	uint64_t n = 0;
	int rc = parse_count(p, arg, 1, JT_MAX_FRAMES, &n);

	if (rc == 0)
		p->o->depth = (int)n;
	return rc;
}

static int set_hold(struct parse *p, const char *arg)
{
	return parse_seconds(p, arg, 0, MAX_DURATION_S, &p->o->hold_s);
}

static int set_json(struct parse *p, const char *arg)
{
	(void)arg;
	p->o->view.format = format_find("json");
	return 0;
}

static int set_format(struct parse *p, const char *arg)
{
	int i = pick(p, "format", arg);

	if (i < 0)
		return i;
	p->o->view.format = &formats[i];
	return 0;
}

static int set_output(struct parse *p, const char *arg)
{
	if (!*arg)
		return usage_error(p, "give a file name, or - for stdout", "no file name");
	p->o->view.output = strcmp(arg, "-") == 0 ? NULL : arg;
	return 0;
}

static int set_max_refs(struct parse *p, const char *arg)
{
	return parse_count(p, arg, 1, MAX_REFS, &p->o->max_refs);
}

static int set_max_stacks(struct parse *p, const char *arg)
{
	return parse_count(p, arg, 1, MAX_STACKS, &p->o->max_stacks);
}

static int set_allow_loss(struct parse *p, const char *arg)
{
	(void)arg;
	p->o->allow_loss = true;
	return 0;
}

static int set_check(struct parse *p, const char *arg)
{
	(void)arg;
	p->o->check = true;
	return 0;
}

static int set_fail_on(struct parse *p, const char *arg)
{
	int i = pick(p, "severity", arg);

	if (i < 0)
		return i;
	p->o->fail_on = i;
	return 0;
}

static int set_count_only(struct parse *p, const char *arg)
{
	(void)arg;
	p->o->count_only = true;
	return 0;
}

static int set_attach(struct parse *p, const char *arg)
{
	int i = pick(p, "way to attach", arg);

	if (i < 0)
		return i;
	p->o->attach = (enum attach_method)i;
	return 0;
}

static int set_memo(struct parse *p, const char *arg)
{
	int i = pick(p, "use of the memo", arg);

	if (i < 0)
		return i;
	p->o->memo = (enum memo_mode)i;
	return 0;
}

static int set_strategy(struct parse *p, const char *arg)
{
	int i = pick(p, "strategy", arg);

	if (i < 0)
		return i;
	p->o->strategy = i;
	return 0;
}

static int set_classes(struct parse *p, const char *arg)
{
	(void)arg;
	p->o->classes = true;
	return 0;
}

static int set_watch(struct parse *p, const char *arg)
{
	(void)arg;
	p->o->watch = true;
	return 0;
}

static int set_limit(struct parse *p, const char *arg)
{
	return parse_count(p, arg, 1, 1000000000000, &p->o->limit);
}

static int set_budget(struct parse *p, const char *arg)
{
	return parse_count(p, arg, 1, 86400000, &p->o->budget_ms);
}

static int set_verbose(struct parse *p, const char *arg)
{
	(void)arg;
	p->o->verbose++;
	return 0;
}

/* Print and be done: the exit code + 1. */
static int print_done(struct parse *p, const struct buf *text)
{
	bool ok = !text->failed && fwrite(text->p, 1, text->n, stdout) == text->n && fflush(stdout) == 0;

	p->done = (ok ? EXIT_OK : EXIT_FAILED) + 1;
	return 0;
}

static int set_version(struct parse *p, const char *arg)
{
	struct buf text = {0};

	(void)arg;
	buf_printf(&text, "jnitrace %s\n", JNITRACE_VERSION);
	print_done(p, &text);
	buf_free(&text);
	return 0;
}

static int set_help(struct parse *p, const char *arg)
{
	struct buf text = {0};

	(void)arg;
	opts_help(&text);
	print_done(p, &text);
	buf_free(&text);
	return 0;
}

/* clang-format off */
static const struct option_row option_rows[] = {
	{"pid",        'p', "PID[,PID]", set_pid, NULL, "JVMs to trace; may be repeated"},
	{"all",        'a', NULL, set_all, NULL, "every JVM of this host, also those that start later"},
	{"events",     'e', "FAMILY[,..]", set_events, family_word, "what to trace (default global,weak)"},
	{"interval",   'i', "SEC", set_interval, NULL, "seconds from one report to the next (default 1)"},
	{"count",      'n', "N", set_count, NULL, "end after N intervals"},
	{"duration",   'd', "SEC", set_duration, NULL, "end after SEC seconds"},
	{"batch",      'b', NULL, set_batch, NULL, "plain tables, also on a terminal"},
	{"rows",       'r', "N", set_rows, NULL, "rows of a table (default 20, live as the screen has; 0: all)"},
	{"sort",       's', "KEY", set_sort, column_key, "sort by a column (default: growing sites, then outstanding)"},
	{"group-by",   'g', "GROUP", set_group_by, group_name, "what a row of the table is (default site)"},
	{"stacks",      0,  "KIND", set_stacks, stacks_name, "frames to show (default mixed)"},
	{"depth",       0,  "N", set_depth, NULL, "frames of a stack to keep, 1 to 128 (default 128)"},
	{"hidden-frames", 0, NULL, set_hidden_frames, NULL, "show also the frames that Java hides: lambdas' and the like"},
	{"hold",        0,  "SEC", set_hold, NULL, "a critical section held longer is a finding (default 0.01)"},
	{"json",        0,  NULL, set_json, NULL, "same as --format json: one object per line, target and interval"},
	{"output",     'o', "FILE", set_output, NULL, "write there instead of stdout"},
	{"format",      0,  "FORMAT", set_format, format_name, "what to write (default table)"},
	{"max-refs",    0,  "N", set_max_refs, NULL, "references that can be outstanding at a time (default 1000000)"},
	{"max-stacks",  0,  "N", set_max_stacks, NULL, "distinct stacks that can be kept (default 20000)"},
	{"allow-loss",  0,  NULL, set_allow_loss, NULL, "exit with 0, not 5, when something was lost"},
	{"check",       0,  NULL, set_check, NULL, "look closer for wrong use: all references that JNI functions are given; dearer"},
	{"fail-on",     0,  "SEVERITY", set_fail_on, severity_name, "exit with 6 when there are findings of this severity or worse; leak: errors and leaks"},
	{"count-only",  0,  NULL, set_count_only, NULL, "count who acquires; releases are not probed, which costs less"},
	{"attach",      0,  "HOW", set_attach, attach_name, "way to attach the probes (default auto)"},
	{"memo",        0,  "HOW", set_memo, memo_name, "remember stacks that were walked (default on)"},
	{"strategy",    0,  "NAME", set_strategy, strategy_name, "find the probe sites by this only (default: all, in order)"},
	{"classes",     0,  NULL, set_classes, NULL, "census: what the references point to, by class"},
	{"watch",       0,  NULL, set_watch, NULL, "census: growth per minute, with an alarm; goes on until ended"},
	{"limit",       0,  "N", set_limit, NULL, "census --watch: forecast when N references are reached"},
	{"budget",      0,  "MS", set_budget, NULL, "census --classes: milliseconds of a reading, then only a sample"},
	{"verbose",    'v', NULL, set_verbose, NULL, "say more on stderr, show all frames; twice: still more"},
	{"version",    'V', NULL, set_version, NULL, "print the version"},
	{"help",       'h', NULL, set_help, NULL, "print this"},
};
/* clang-format on */
#define NR_OPTIONS      ARRAY_LEN(option_rows)
#define FIRST_LONG_ONLY 256 /* getopt's value for row i is its letter, or this + i */
_Static_assert(JT_MAX_FRAMES == 128, "the help of --depth names it");

/* --help. */

static void help_item(struct buf *out, const char *left, const char *text, choice_fn *choices)
{
	struct flow f = {.out = out, .width = HELP_WIDTH, .indent = HELP_INDENT};
	struct buf all = {0};

	buf_printf(out, "%-*s", HELP_INDENT - 1, left);
	f.col = (int)strlen(left) < HELP_INDENT ? HELP_INDENT - 1 : (int)strlen(left);
	buf_printf(&all, "%s", text);
	if (choices) {
		buf_printf(&all, "; ");
		add_choices(&all, choices);
	}
	if (!all.failed)
		flow_words(&f, all.p, all.n);
	flow_end(&f);
	out->failed |= all.failed;
	buf_free(&all);
}

void opts_help(struct buf *out)
{
	char left[64];

	buf_printf(out, "Usage: jnitrace [COMMAND] -p PID[,PID...] | -a [OPTION...]\n"
			"Find the JNI reference leaks of running JVMs, from outside.\n\nCommands:\n");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		snprintf(left, sizeof(left), "  %s", commands[i].name);
		help_item(out, left, commands[i].help, NULL);
	}
	buf_printf(out, "\nOptions:\n");
	for (size_t i = 0; i < NR_OPTIONS; i++) {
		const struct option_row *row = &option_rows[i];
		char letter[8] = "    ";

		if (row->letter)
			snprintf(letter, sizeof(letter), "-%c, ", row->letter);
		snprintf(left, sizeof(left), "  %s--%s%s%s", letter, row->name, row->arg ? " " : "",
			 row->arg ? row->arg : "");
		/* The columns have a list of their own below. */
		help_item(out, left, row->help, row->choices == column_key ? NULL : row->choices);
	}
	buf_printf(out, "\nColumns, for --sort:\n");
	for (size_t i = 0; i < nr_columns; i++) {
		snprintf(left, sizeof(left), "  %s", columns[i].key);
		help_item(out, left, columns[i].help, NULL);
	}
	buf_printf(out, "\nExit codes: 0 ok, 1 failed, 2 usage, 3 no permission, 4 no target, 5 losses,\n"
			"6 findings (--fail-on), 7 too short to tell leaks (--fail-on warning, leak)\n");
}

/* Parsing. */

static void set_defaults(struct options *o, const struct catalog *catalog)
{
	*o = (struct options){
	    .command = CMD_TOP,
	    .catalog = catalog,
	    .families = catalog_defaults(catalog),
	    .interval_s = 1,
	    .count = -1,
	    .duration_s = -1,
	    .view = {.format = &formats[0], .rows = -1},
	    .depth = JT_MAX_FRAMES,
	    .hold_s = 0.01,
	    .max_refs = 1000000,
	    .max_stacks = 20000,
	    .attach = ATTACH_AUTO,
	    .memo = MEMO_ON,
	    .strategy = -1,
	    .fail_on = -1,
	};
}

static int parse_command(struct parse *p, const char *word)
{
	char why[256];

	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (strcmp(commands[i].name, word) == 0) {
			p->o->command = commands[i].command;
			return 0;
		}
	snprintf(why, sizeof(why), "unknown command '%s'", word);
	return choice_error(p, command_name, why);
}

static const struct option_row *row_of_value(int value)
{
	for (size_t i = 0; i < NR_OPTIONS; i++)
		if (value == (option_rows[i].letter ? option_rows[i].letter : FIRST_LONG_ONLY + (int)i))
			return &option_rows[i];
	return NULL;
}

/* getopt found no option ('?') or no argument (':'). */
static int getopt_error(struct parse *p, int found, char *const *argv)
{
	const char letter[] = {'-', (char)optopt, '\0'};

	p->row = row_of_value(optopt);
	if (found == ':' && p->row)
		return usage_error(p, SEE_HELP, "it needs a value: %s", p->row->arg);
	if (p->row)
		return usage_error(p, SEE_HELP, "it takes no value");
	return usage_error(p, SEE_HELP, "unknown or ambiguous option '%s'",
			   optopt ? letter : argv[optind - 1]);
}

/* getopt keeps its place in globals of its own; optind = 0 makes it start afresh (getopt(3), glibc). */
static int parse_options(struct parse *p, int argc, char **argv)
{
	struct option longs[NR_OPTIONS + 1] = {0};
	char shorts[2 + 2 * NR_OPTIONS + 1] = "+:", *s = shorts + 2;
	int found, rc = 0;

	for (size_t i = 0; i < NR_OPTIONS; i++) {
		const struct option_row *row = &option_rows[i];

		longs[i].name = row->name;
		longs[i].has_arg = row->arg ? required_argument : no_argument;
		longs[i].val = row->letter ? row->letter : FIRST_LONG_ONLY + (int)i;
		if (row->letter)
			*s++ = row->letter;
		if (row->letter && row->arg)
			*s++ = ':';
	}
	*s = '\0';
	optind = 0;
	opterr = 0;
	while (rc == 0 && p->done == 0 && (found = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		if (found == '?' || found == ':')
			return getopt_error(p, found, argv);
		p->row = row_of_value(found);
		rc = p->row->set(p, optarg);
	}
	p->row = NULL;
	if (rc == 0 && p->done == 0 && optind < argc)
		return usage_error(p, "a command comes first; " SEE_HELP, "unexpected word '%s'",
				   argv[optind]);
	return rc;
}

/* What only the whole command line can tell. */
static int check(struct parse *p)
{
	const struct options *o = p->o;

	if (o->nr_pids > 0 && o->all)
		return usage_error(p, "give only one of them", "-p and -a exclude each other");
	if (o->nr_pids == 0 && !o->all)
		return usage_error(p, "give -p PID, or -a for every JVM; " SEE_HELP, "no target");
	if (o->command != CMD_CENSUS && (o->classes || o->watch || o->limit || o->budget_ms))
		return usage_error(p, "as in jnitrace census -p PID --classes",
				   "--classes, --watch, --limit and --budget are for census only");
	if (o->limit && !o->watch)
		return usage_error(p, "add --watch", "--limit without --watch says nothing");
	if (o->budget_ms && !o->classes)
		return usage_error(p, "add --classes", "--budget without --classes says nothing");
	if (o->count_only && (o->command == CMD_CENSUS || o->check ||
			      o->families & ~catalog_families(o->catalog, KIND_BIT(KIND_REFERENCE))))
		return usage_error(p, "as in jnitrace -e global,weak --count-only",
				   "--count-only is for global and weak references, without --check");
	if (o->count_only && !o->view.sort)
		p->o->view.sort = "acquired";
	if (o->count_only &&
	    (column_find(o->view.sort)->groups & COLUMN_PAIRED || o->view.group_by == GROUP_CLASS))
		return usage_error(p, "leave out --count-only",
				   "without releases nobody knows what is outstanding");
	if (o->view.sort && !(column_find(o->view.sort)->groups & 1U << o->view.group_by))
		return error_set(p->err, -EINVAL, EXIT_USAGE, "--sort", SEE_HELP,
				 "a table by %s has no column '%s'", group_names[o->view.group_by],
				 o->view.sort);
	if (o->check)
		p->o->families |= 1U << FAMILY_CHECK;
	p->o->view.depth = o->depth;
	p->o->view.all_frames = o->verbose > 0;
	p->o->view.count_only = o->count_only;
	return 0;
}

int opts_parse(int argc, char **argv, const struct catalog *catalog, struct options *out, struct error *err)
{
	struct parse p = {.o = out, .err = err};
	int rc;

	set_defaults(out, catalog);
	if (argc > 1 && argv[1][0] != '-') {
		rc = parse_command(&p, argv[1]);
		if (rc < 0)
			return rc;
		argc--;
		argv++;
	}
	rc = argc > 0 ? parse_options(&p, argc, argv) : 0;
	if (rc < 0 || p.done > 0)
		return rc < 0 ? rc : p.done;
	return check(&p);
}
