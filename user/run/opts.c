/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The command line. See opts.h. */
#include "run/opts.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "export/formats.h"
#include "model/fleet.h"
#include "run/commands.h"
#include "run/config.h"
#include "run/help.h"
#include "run/near.h"
#include "run/opts_rows.h"
#include "view/columns.h"

#define SEE_HELP   "see jnitrace --help"
#define MAX_PID    (1U << 22) /* PID_MAX_LIMIT of 64-bit kernels, include/linux/threads.h */
#define MAX_DIGITS 15 /* a decimal number of so many digits is exact in a double before it is scaled */

struct parse {
	struct options *o;
	struct error *err;
	const struct option_row *row;     /* being set */
	const char *next;                 /* word behind it; NULL: none */
	const struct config_entry *entry; /* of the file, that sets it; NULL: the command line does */
	bool given[OPTIONS_MAX];          /* by row */
	int done;                         /* > 0: what opts_parse returns at once */
};

/* Errors. */

static int usage_error(struct parse *p, const char *advice, const char *why_fmt, ...) JT_PRINTF(3, 4);

/* Names the option being set, if there is one. */
static int usage_error(struct parse *p, const char *advice, const char *why_fmt, ...)
{
	char what[192] = "command line", why[256];
	va_list ap;

	if (p->entry)
		snprintf(what, sizeof(what), "%.120s:%d: %.60s", p->o->config_path, p->entry->line,
			 p->entry->name);
	else if (p->row)
		snprintf(what, sizeof(what), "--%s", p->row->name);
	va_start(ap, why_fmt);
	vsnprintf(why, sizeof(why), why_fmt, ap);
	va_end(ap);
	return error_set(p->err, -EINVAL, EXIT_USAGE, what, advice, "%s", why);
}

static int no_memory(struct parse *p)
{
	return error_set(p->err, -ENOMEM, EXIT_FAILED, "command line", NULL, "out of memory");
}

/* The word is none of the choices; the advice says which there are. */
static int choice_error(struct parse *p, choice_fn *choices, const char *noun, const char *word)
{
	struct buf advice = {0};
	int rc;

	help_choices(&advice, choices);
	rc = usage_error(p, advice.failed ? SEE_HELP : advice.p, "unknown %s '%s'", noun, word);
	buf_free(&advice);
	return rc;
}

/* Index of the word among the choices of the option being set. */
static int pick(struct parse *p, const char *word)
{
	for (size_t i = 0; p->row->choices(i); i++)
		if (strcmp(p->row->choices(i), word) == 0)
			return (int)i;
	return choice_error(p, p->row->choices, p->row->noun, word);
}

/* Values. All of them refuse what they do not wholly understand. */

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

/* What a unit of time is in seconds, as sleep(1) and timeout(1) have them; 0: there is none of this name. */
static double unit_s(const char *name)
{
	static const struct {
		const char *name;
		double s;
	} units[] = {{"", 1}, {"s", 1}, {"ms", 1e-3}, {"m", 60}, {"h", 3600}, {"d", 86400}};

	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (strcmp(units[i].name, name) == 0)
			return units[i].s;
	return 0;
}

/* A time as 10, 0.5, .5, 500ms or 2h; nothing else (no sign, exponent, hexadecimal), in every locale. */
static int parse_seconds(struct parse *p, const char *arg, double *out)
{
	double n = 0, scale = 1, min = p->row->min, max = p->row->max;
	char advice[128];
	int digits = 0;
	const char *c = arg;

	for (; is_digit(*c) && digits < MAX_DIGITS; c++, digits++)
		n = n * 10 + (*c - '0');
	if (*c == '.')
		for (c++; is_digit(*c) && digits < MAX_DIGITS; c++, digits++, scale *= 10)
			n = n * 10 + (*c - '0');
	n = n / scale * unit_s(c);
	if (digits > 0 && (n > 0 || min < 0) && n >= min && n <= max) {
		*out = n;
		return 0;
	}
	snprintf(advice, sizeof(advice),
		 "give a time, as 10, 0.5, 500ms or 5m, %s %.10g and at most %.10g seconds",
		 min ? "at least" : "more than", min > 0 ? min : 0, max);
	return usage_error(p, advice, "bad time '%s'", arg);
}

static int parse_percent(struct parse *p, const char *arg, double *out)
{
	char *end = NULL, advice[128];
	double n = is_digit(*arg) ? strtod(arg, &end) / 100 : -1;

	if (end && (!*end || !strcmp(end, "%")) && n >= p->row->min && n <= p->row->max) {
		*out = n;
		return 0;
	}
	snprintf(advice, sizeof(advice), "give a share, as 1%% or 0.5%%, at least %.4g%% and at most %.0f%%",
		 p->row->min * 100, p->row->max * 100);
	return usage_error(p, advice, "bad share '%s'", arg);
}

/* A number of bytes, with K, M or G behind it for those of 1024. */
static int parse_bytes(struct parse *p, const char *arg, uint64_t *out)
{
	static const char units[] = "KMG";
	double n = 0, min = p->row->min, max = p->row->max;
	const char *c = arg, *unit;
	char advice[128];

	for (; is_digit(*c) && c - arg < MAX_DIGITS; c++)
		n = n * 10 + (*c - '0');
	unit = c > arg && *c ? strchr(units, *c) : NULL;
	if (unit) {
		n *= (double)(1ULL << 10 * (unit - units + 1));
		c++;
	}
	if (c > arg && !*c && n >= min && n <= max) {
		*out = (uint64_t)n;
		return 0;
	}
	snprintf(advice, sizeof(advice), "give a size, as 256M or 1G, at least %.0fM and at most %.0fG",
		 min / (1 << 20), max / (1 << 30));
	return usage_error(p, advice, "bad size '%s'", arg);
}

/* Call take for every word of a comma list. Empty words are errors of take. */
static int each_word(struct parse *p, const char *arg, int (*take)(struct parse *p, const char *word))
{
	for (;;) {
		const char *comma = strchrnul(arg, ',');
		char *word = strndup(arg, (size_t)(comma - arg));
		int rc;

		if (!word)
			return no_memory(p);
		rc = take(p, word);
		free(word);
		if (rc < 0 || !*comma)
			return rc;
		arg = comma + 1;
	}
}

static int take_name(struct parse *p, const char *word)
{
	struct options *o = p->o;

	if (strlen(word) >= sizeof(o->names[0]))
		return usage_error(p, "see jps or pgrep java", "too long a name");
	if (o->nr_names == OPTS_MAX_NAMES)
		return usage_error(p, "at most 16; -a takes every JVM", "too many names");
	strcpy(o->names[o->nr_names++], word);
	return 0;
}
_Static_assert(OPTS_MAX_PIDS == 256 && OPTS_MAX_NAMES == 16, "the advice names them");

/* A process id, or a name that begins with a letter. */
static int take_pid(struct parse *p, const char *word)
{
	struct options *o = p->o;
	uint64_t pid;
	int rc;

	if (isalpha((unsigned char)*word) || *word == '_')
		return take_name(p, word);
	rc = parse_count(p, word, 1, MAX_PID, &pid);
	for (size_t i = 0; rc == 0 && i < o->nr_pids; i++)
		if (o->pids[i] == (pid_t)pid)
			return 0;
	if (rc == 0 && o->nr_pids == OPTS_MAX_PIDS)
		return usage_error(p, "at most 256; -a takes every JVM", "too many processes");
	if (rc == 0)
		o->pids[o->nr_pids++] = (pid_t)pid;
	return rc;
}

static int take_family(struct parse *p, const char *word)
{
	enum family_id family = catalog_find_family(p->o->catalog, word);

	if (!strcmp(word, "all"))
		p->o->families |= (1U << p->o->catalog->nr_families) - 1;
	else if (family == FAMILY_NONE)
		return pick(p, word); /* says which there are */
	else
		p->o->families |= 1U << family;
	return 0;
}

static bool was_given(const struct parse *p, const char *name)
{
	for (size_t i = 0; i < nr_option_rows; i++)
		if (strcmp(option_rows[i].name, name) == 0 && p->given[i])
			return true;
	return false;
}

/* Print and be done: the exit code + 1. */
static int print_done(struct parse *p, struct buf *text)
{
	int rc = 0;

	if (text->failed)
		rc = -ENOMEM;
	else if (fwrite(text->p, 1, text->n, stdout) != text->n || fflush(stdout) != 0)
		rc = -errno;
	buf_free(text);
	p->done = EXIT_OK + 1;
	return rc ? error_set(p->err, rc, EXIT_FAILED, "write the output", "choose another place", "%s",
			      strerror(-rc))
		  : 0;
}

static int print_version(struct parse *p)
{
	struct buf text = {0};

	help_version(&text);
	return print_done(p, &text);
}

static int print_help(struct parse *p, bool all)
{
	struct buf text = {0};

	help_command(&text, p->o->command, all);
	return print_done(p, &text);
}

static int set_file(struct parse *p, const char *arg)
{
	if (!*arg)
		return usage_error(p, "give a file name, or - for stdout", "no file name");
	p->o->view.output = strcmp(arg, "-") == 0 ? NULL : arg;
	return 0;
}

/* The option of p->row has this value. */
static int set(struct parse *p, const char *arg)
{
	void *at = (char *)p->o + p->row->at;
	uint64_t n = 0;
	int rc = 0;

	switch (p->row->kind) {
	case OPTION_FLAG:
		*(bool *)at = true;
		return 0;
	case OPTION_REPEAT:
		++*(int *)at;
		return 0;
	case OPTION_INT:
		rc = parse_count(p, arg, (uint64_t)p->row->min, (uint64_t)p->row->max, &n);
		*(int *)at = (int)n;
		return rc;
	case OPTION_UINT64:
		return parse_count(p, arg, (uint64_t)p->row->min, (uint64_t)p->row->max, at);
	case OPTION_SECONDS:
		return parse_seconds(p, arg, at);
	case OPTION_PERCENT:
		return parse_percent(p, arg, at);
	case OPTION_BYTES:
		return parse_bytes(p, arg, at);
	case OPTION_CHOICE:
		rc = pick(p, arg);
		*(int *)at = rc;
		return rc < 0 ? rc : 0;
	case OPTION_WORD:
		rc = pick(p, arg);
		*(const char **)at = rc < 0 ? NULL : p->row->choices((size_t)rc);
		return rc < 0 ? rc : 0;
	case OPTION_PIDS:
		return each_word(p, arg, take_pid);
	case OPTION_FAMILIES:
		p->o->families = was_given(p, p->row->name) ? p->o->families : 0;
		return each_word(p, arg, take_family);
	case OPTION_FORMAT:
		rc = pick(p, arg);
		p->o->view.format = &formats[rc < 0 ? 0 : rc];
		return rc < 0 ? rc : 0;
	case OPTION_JSON:
		p->o->view.format = format_find("json");
		return 0;
	case OPTION_FILE:
		return set_file(p, arg);
	case OPTION_PATH:
		if (!*arg)
			return usage_error(p, "give a file name", "no file name");
		*(const char **)at = arg;
		return 0;
	case OPTION_SERVICE_RULE:
		if (p->o->nr_service_rules == OPTS_MAX_SERVICE_RULES)
			return usage_error(p, "join some with |", "more than 32 rules");
		p->o->service_rules[p->o->nr_service_rules++] = arg;
		return *arg ? 0 : usage_error(p, SEE_HELP, "it is empty");
	case OPTION_ASSERT:
		if (p->o->nr_asserts == OPTS_MAX_ASSERTS)
			return usage_error(p, "join some with &&", "more than 64 assertions");
		p->o->asserts[p->o->nr_asserts++] = arg;
		return 0;
	case OPTION_RECORD:
		p->o->record = arg;
		return *arg ? 0 : usage_error(p, "give a file name, or - for stdout", "no file name");
	case OPTION_PAIR: /* was read before the families were named: pairs_take() */
		return *arg ? 0 : usage_error(p, SEE_HELP, "it is empty");
	case OPTION_VERSION:
		return print_version(p);
	case OPTION_HELP:
		return print_help(p, p->next && !strcmp(p->next, "all"));
	case NR_OPTION_KINDS:
		break;
	}
	return -EINVAL;
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
	    .window_s = 30,
	    .rest_s = 600,
	    .windows = 1,
	    .view = {.format = &formats[0], .rows = -1, .width = -1},
	    .depth = JT_MAX_FRAMES,
	    .hold_s = 0.01,
	    .limit_bytes = BUDGET_DEFAULT_BYTES,
	    .max_refs = 1000000,
	    .local_capacity = 512,
	    .max_stacks = 20000,
	    .strategy = -1,
	    .fail_on = -1,
	    .fail_on_change = -1,
	    .fleet_by = FLEET_BY_VERSION,
	    .spool_bytes = 64 << 20,
	    .fleet_fail_on = -1,
	    .wait_s = 1,
	    .at_s = -1,
	    .from_s = -1,
	    .to_s = -1,
	};
}

static const char *command_word(size_t i)
{
	return i < NR_COMMANDS ? commands[i].name : i == NR_COMMANDS ? "help" : NULL;
}

/* jnitrace help [TOPIC] */
static int parse_help(struct parse *p, const char *topic)
{
	struct buf text = {0};

	if (!topic)
		return print_help(p, false);
	if (help_topic(&text, topic))
		return print_done(p, &text);
	return choice_error(p, help_topic_name, "topic", topic);
}

static int parse_command(struct parse *p, const char *word)
{
	char advice[96];

	for (size_t i = 0; i < NR_ALL_COMMANDS; i++)
		if (strcmp(commands[i].name, word) == 0) {
			p->o->command = (enum command)i;
			return 0;
		}
	if (strlen(word) < 32 && word[strspn(word, "0123456789,")] == '\0') {
		snprintf(advice, sizeof(advice), "did you mean -p %s?", word);
		return usage_error(p, advice, "unknown command '%s'", word);
	}
	return choice_error(p, command_word, "command", word);
}

/* getopt's value for a row: its letter, or this + its index. */
#define FIRST_LONG_ONLY 256

static const struct option_row *row_of_value(int value)
{
	for (size_t i = 0; i < nr_option_rows; i++)
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

/* An option that does nothing here is an error: who gives it expects something of it. */
static int check_use(struct parse *p)
{
	struct buf advice = {0};
	unsigned int commands_of = 0; /* of all options of this name */
	size_t n = 0;
	int rc;

	if (p->row->commands & 1U << p->o->command)
		return 0;
	for (size_t i = 0; i < nr_option_rows; i++)
		if (strcmp(option_rows[i].name, p->row->name) == 0)
			commands_of |= option_rows[i].commands;
	for (size_t i = 0; i < NR_COMMANDS; i++)
		if (commands_of & 1U << i)
			buf_printf(&advice, "%s jnitrace %s", n++ ? " and" : "it is for", commands[i].name);
	rc = usage_error(p, advice.failed ? SEE_HELP : advice.p, "jnitrace %s does not use it",
			 commands[p->o->command].name);
	buf_free(&advice);
	return rc;
}

/* What a report of the recording has as this run has it. */
static void keep_inherited(struct parse *p, const char *arg)
{
	struct options *o = p->o;
	size_t i = 0;

	while (i < o->nr_inherited && strcmp(o->inherited[i].name, p->row->name))
		i++;
	if (!p->row->inherited || i == RECORDING_MAX_OPTIONS)
		return;
	o->inherited[i] = (struct recording_option){p->row->name, arg};
	o->nr_inherited += i == o->nr_inherited;
}

/*
 * A word that is no option: a file of jnitrace report or diff, and what comes behind it may be options again.
 */
static bool take_word(struct parse *p, int argc, char **argv)
{
	struct options *o = p->o;
	const char **file = o->file ? &o->other : &o->file;

	if (o->command == CMD_FLEET && optind < argc && o->nr_words < OPTS_MAX_WORDS) {
		o->words_given[o->nr_words++] = argv[optind++];
		return true;
	}
	if ((o->command != CMD_REPORT && o->command != CMD_DIFF) || optind >= argc)
		return false;
	if (*file || (file == &o->other && o->command != CMD_DIFF))
		return false;
	*file = argv[optind++];
	return true;
}

/* Does another row have this one's name for this command? */
static bool is_of_others(const struct parse *p, const struct option_row *row)
{
	for (size_t i = 0; i < nr_option_rows; i++)
		if (&option_rows[i] != row && option_rows[i].commands & 1U << p->o->command &&
		    strcmp(option_rows[i].name, row->name) == 0)
			return true;
	return false;
}

/* getopt keeps its place in globals of its own; optind = 0 makes it start afresh (getopt(3), glibc). */
static int parse_options(struct parse *p, int argc, char **argv)
{
	struct option longs[OPTIONS_MAX + 1] = {0};
	char shorts[2 + 2 * OPTIONS_MAX + 1] = "+:", *s = shorts + 2;
	int found, rc = 0, n = 0;

	for (size_t i = 0; i < nr_option_rows && i < OPTIONS_MAX; i++) {
		const struct option_row *row = &option_rows[i];

		if (is_of_others(p, row))
			continue;
		longs[n].name = row->name;
		longs[n].has_arg = row->arg ? required_argument : no_argument;
		longs[n++].val = row->letter ? row->letter : FIRST_LONG_ONLY + (int)i;
		if (row->letter)
			*s++ = row->letter;
		if (row->letter && row->arg)
			*s++ = ':';
	}
	*s = '\0';
	optind = 0;
	opterr = 0;
	while (rc == 0 && p->done == 0) {
		found = getopt_long(argc, argv, shorts, longs, NULL);
		if (found == -1 && take_word(p, argc, argv) && strcmp(argv[optind - 2], "--"))
			continue;
		if (found == -1)
			break;
		if (found == '?' || found == ':')
			return getopt_error(p, found, argv);
		p->row = row_of_value(found);
		p->next = optind < argc ? argv[optind] : NULL;
		rc = check_use(p);
		rc = rc ?: set(p, optarg);
		p->given[p->row - option_rows] = true;
		keep_inherited(p, optarg);
	}
	p->row = NULL;
	if (p->o->command == CMD_RUN) {
		p->o->argv = argv + optind;
		return rc;
	}
	if (rc == 0 && p->done == 0 && optind < argc)
		return usage_error(p, "a command comes first; " SEE_HELP, "unexpected word '%s'",
				   argv[optind]);
	return rc;
}

/* The option of the file's entry; NULL, with err: there is none. */
static const struct option_row *row_of_entry(struct parse *p)
{
	struct near near = {0};
	char names[NEAR_NAMES * NEAR_SHOWN], advice[sizeof(names) + 32];

	for (size_t i = 0; i < nr_option_rows; i++) {
		const struct option_row *row = &option_rows[i];

		if (!option_in_file(row, p->o->command))
			continue;
		if (!strcmp(row->name, p->entry->name))
			return row;
		near_add(&near, p->entry->name, row->name, row->name);
	}
	near_put(&near, names, sizeof(names));
	snprintf(advice, sizeof(advice), *names ? "did you mean %s?" : "see jnitrace help config", names);
	usage_error(p, advice, "no option of a file");
	return NULL;
}

/* What stands for an option that takes no value on the command line: true, false, how many times. */
static int set_without_value(struct parse *p, const char *value)
{
	uint64_t times = 0;
	int rc = 0;

	if (!strcmp(value, "true") || !strcmp(value, "false"))
		times = *value == 't';
	else if (p->row->kind == OPTION_REPEAT)
		rc = parse_count(p, value, 0, 2, &times);
	else
		return usage_error(p, "give true or false", "'%s' is neither", value);
	while (!rc && times--)
		rc = set(p, NULL);
	return rc;
}

/* What the command line gives is not taken, but looked at. */
static int take_entry(struct parse *p, bool *taken)
{
	struct options *o = p->o, aside = *p->o;
	int rc;

	p->row = row_of_entry(p);
	if (!p->row)
		return -EINVAL;
	if (p->entry->several && p->row->kind != OPTION_SERVICE_RULE)
		return usage_error(p, "give one value", "a list, and it takes one value");
	if (p->given[p->row - option_rows])
		p->o = &aside;
	else
		taken[p->row - option_rows] |= p->row->arg || strcmp(p->entry->value, "false");
	rc = p->row->arg ? set(p, p->entry->value) : set_without_value(p, p->entry->value);
	p->o = o;
	return rc < 0 ? rc : 0;
}

static int take_file(struct parse *p)
{
	bool taken[OPTIONS_MAX] = {false};
	int rc = p->o->config_path ? config_read(p->o->config_path, &p->o->config, p->err) : 0;

	for (size_t i = 0; !rc && p->o->config && (p->entry = config_entry(p->o->config, i)); i++)
		rc = take_entry(p, taken);
	p->entry = NULL;
	p->row = NULL;
	for (size_t i = 0; i < OPTIONS_MAX; i++)
		p->given[i] |= taken[i];
	return rc;
}

/* What only the whole command line can tell. */

static int check_requires(struct parse *p)
{
	char advice[64];

	for (size_t i = 0; i < nr_option_rows; i++) {
		const char *other = option_rows[i].requires, *or_else = option_rows[i].or_else;

		if (!other || !p->given[i] || was_given(p, other) || (or_else && was_given(p, or_else)))
			continue;
		p->row = &option_rows[i];
		snprintf(advice, sizeof(advice), "add --%s", other);
		return usage_error(p, advice, "without --%s it says nothing", other);
	}
	return 0;
}

static int check_format(struct parse *p)
{
	const struct options *o = p->o;
	const struct format *f = o->view.format;
	struct buf advice = {0};
	int rc;

	if (format_serves(f, o->command))
		return 0;
	for (size_t i = 0; i < nr_formats; i++)
		if (format_serves(&formats[i], o->command))
			buf_printf(&advice, "%s%s", advice.n ? ", " : "one of: ", formats[i].name);
	rc = error_set(p->err, -EINVAL, EXIT_USAGE, "--format", advice.p, "jnitrace %s does not write %s",
		       commands[o->command].name, f->name);
	buf_free(&advice);
	return rc;
}

static int check_count_only(struct parse *p)
{
	const struct options *o = p->o;

	if (!o->count_only)
		return 0;
	if (!was_given(p, "events"))
		p->o->families &= catalog_families(o->catalog, KIND_BIT(KIND_REFERENCE));
	if (o->check || o->families & ~catalog_families(o->catalog, KIND_BIT(KIND_REFERENCE)))
		return usage_error(p, "as in jnitrace -e global,weak --count-only",
				   "--count-only is for global and weak references, without --check");
	if (!o->view.sort)
		p->o->view.sort = "acquired";
	if (column_find(o->view.sort)->groups & COLUMN_PAIRED || o->view.group_by == GROUP_CLASS)
		return usage_error(p, "leave out --count-only",
				   "without releases nobody knows what is outstanding");
	return 0;
}

static int check_sort(struct parse *p)
{
	const struct options *o = p->o;

	if (!o->view.sort || column_find(o->view.sort)->groups & 1U << o->view.group_by)
		return 0;
	return error_set(p->err, -EINVAL, EXIT_USAGE, "--sort", SEE_HELP, "a table by %s has no column '%s'",
			 group_names[o->view.group_by], o->view.sort);
}

/* Two recordings, or two moments of one. */
static int check_files(struct parse *p)
{
	const struct options *o = p->o;

	if (!o->file)
		return usage_error(p, "as in jnitrace diff A B; jnitrace record makes them", "no recordings");
	if (!o->other && o->from_s < 0)
		return usage_error(p, "give another, or --from TIME and perhaps --to TIME",
				   "one recording alone has nothing to be compared with");
	if (o->view.group_by != GROUP_SITE && o->view.group_by != GROUP_CLASS)
		return error_set(p->err, -EINVAL, EXIT_USAGE, "--group-by", "give site or class",
				 "jnitrace diff does not compare by %s", group_names[o->view.group_by]);
	return 0;
}

static int check_target(struct parse *p)
{
	const struct options *o = p->o;

	if (o->command == CMD_WINDOWS) /* it is told */
		return 0;
	if (o->command == CMD_FLEET)
		return o->nr_words > 1 && !strcmp(o->words_given[0], "diff")
			   ? 0
			   : usage_error(p,
					 "as in jnitrace fleet diff --by version http://a:9469 http://b:9469",
					 "no agents to ask");
	if (o->command == CMD_RUN)
		return *o->argv ? 0
				: usage_error(p, "as in jnitrace run -- java -version", "no command to run");
	if (o->command == CMD_REPORT)
		return o->file ? 0
			       : usage_error(p, "as in jnitrace report FILE; jnitrace record makes one",
					     "no recording");
	if (o->command == CMD_DIFF)
		return check_files(p);
	if (o->nr_pids + o->nr_names > 0 && o->all)
		return usage_error(p, "give only one of them", "-p and -a exclude each other");
	if (o->command == CMD_DOCTOR || o->command == CMD_AGENT)
		p->o->all = o->nr_pids + o->nr_names == 0;
	if (o->nr_pids + o->nr_names == 0 && !o->all)
		return usage_error(p, "give -p PID, or -a for every JVM; " SEE_HELP, "no target");
	return 0;
}

static int check_recording(struct parse *p)
{
	const struct options *o = p->o;

	if (o->command == CMD_RECORD && !was_given(p, "output"))
		return usage_error(p, "give -o FILE", "no file to record into");
	if (o->at_s >= 0 && (o->from_s >= 0 || o->to_s >= 0))
		return usage_error(p, "give --at, or --from and --to", "--at is one moment");
	if (o->from_s >= 0 && o->to_s >= 0 && o->from_s >= o->to_s && !o->other)
		return usage_error(p, "give an earlier one first", "--from is not before --to");
	if (o->each && (o->at_s >= 0 || o->from_s >= 0))
		return usage_error(p, "leave one of them out", "--each is of all intervals");
	return 0;
}

static int check(struct parse *p)
{
	int rc = check_target(p);

	rc = rc ?: check_recording(p);
	rc = rc ?: check_requires(p);
	rc = rc ?: check_format(p);
	rc = rc ?: check_count_only(p);
	return rc ?: check_sort(p);
}

/* A format by the end of a file's name, which is the format's; else it is a recording. */
static void take_ending(struct options *o, const char *path)
{
	const char *dot = strrchr(path, '.');
	const struct format *f = dot ? format_find(dot + 1) : NULL;

	o->view.format = f ?: &format_none;
	if (!f)
		o->record = o->record ?: path;
}

#define AGENT_INTERVAL_S   10
#define AGENT_BUDGET_SHARE 0.01
#define AGENT_MAX_REFS     250000 /* a window is short, and has a budget */
#define AGENT_LISTEN       "127.0.0.1:9469"

/* What follows from several options. */
static void derive(struct parse *p)
{
	struct options *o = p->o;

	if (o->check)
		o->families |= 1U << FAMILY_CHECK;
	if (o->command == CMD_RECORD) {
		o->record = o->view.output ?: "-";
		o->view.output = NULL;
		o->view.format = &format_none;
	}
	memcpy(o->given, p->given, sizeof(o->given));
	o->interval_given = was_given(p, "interval");
	o->events_given = was_given(p, "events");
	if (o->command == CMD_AGENT && !o->interval_given)
		o->interval_s = AGENT_INTERVAL_S;
	if (o->command == CMD_AGENT && !was_given(p, "budget"))
		o->budget_share = AGENT_BUDGET_SHARE;
	if (o->command == CMD_AGENT && !was_given(p, "max-refs"))
		o->max_refs = AGENT_MAX_REFS;
	if (!o->listen)
		o->listen = AGENT_LISTEN;
	if (o->report && !was_given(p, "format"))
		take_ending(o, o->report);
	o->view.depth = o->depth;
	o->view.all = o->verbose > 0;
	o->view.count_only = o->count_only;
}

/* See struct options. */
static int inherit(struct options *o, const struct recording_option *v, size_t n, struct error *err)
{
	struct parse p = {.o = o, .err = err};
	int rc = 0;

	memcpy(p.given, o->given, sizeof(p.given));
	for (size_t i = 0; i < n && rc >= 0; i++) {
		p.row = option_rows;
		while (p.row < option_rows + nr_option_rows &&
		       !(p.row->inherited && strcmp(p.row->name, v[i].name) == 0))
			p.row++;
		if (p.row == option_rows + nr_option_rows || !p.row->arg != !v[i].value)
			return error_set(err, -EBADMSG, EXIT_FAILED, o->file, "record again",
					 "the recording is damaged: no option --%s", v[i].name);
		if (!p.given[p.row - option_rows])
			rc = set(&p, v[i].value);
	}
	p.row = NULL;
	rc = rc < 0 ? rc : check_sort(&p);
	if (rc == 0)
		derive(&p);
	return rc;
}

/* See struct options. */
static int again(const struct options *o, struct options *out, struct error *err)
{
	return opts_parse(o->words_n, o->words, o->catalog, out, err);
}

int opts_parse(int argc, char **argv, const struct catalog *catalog, struct options *out, struct error *err)
{
	struct parse p = {.o = out, .err = err};
	int rc = 0;

	set_defaults(out, catalog);
	out->words_n = argc;
	out->words = argv;
	if (argc > 1 && strcmp(argv[1], "help") == 0) {
		rc = parse_help(&p, argc > 2 ? argv[2] : NULL);
		return rc < 0 ? rc : p.done;
	}
	if (argc > 1 && argv[1][0] != '-') {
		rc = parse_command(&p, argv[1]);
		argc--;
		argv++;
	}
	rc = rc < 0 || argc <= 0 ? rc : parse_options(&p, argc, argv);
	if (rc < 0 || p.done > 0)
		return rc < 0 ? rc : p.done;
	rc = take_file(&p) ?: check(&p);
	if (rc == 0)
		derive(&p);
	else
		opts_free(out);
	out->inherit = inherit;
	out->again = again;
	return rc;
}

void opts_free(struct options *o)
{
	config_free(o->config);
	o->config = NULL;
}
