/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The texts of --help. See help.h. */
#include "run/help.h"

#include <string.h>

#include "export/formats.h"
#include "kernel/kernel_features.h"
#include "run/commands.h"
#include "run/help_rows.h"
#include "run/version.h"
#include "runtime/runtime.h"
#include "screen/keys.h"
#include "view/cells.h"
#include "view/columns.h"
#include "view/json_out.h"

#define WIDTH  80
#define INDENT 28

void help_choices(struct buf *out, choice_fn *choices)
{
	buf_printf(out, "one of: ");
	for (size_t i = 0; choices(i); i++)
		buf_printf(out, "%s%s", i > 0 ? ", " : "", choices(i));
}

/* ": a, b", as far as the command has them. */
static void put_words(struct buf *out, const struct option_row *row, enum command command)
{
	const char *before = ": ";

	for (size_t i = 0; row->choices(i); i++) {
		if (row->kind == OPTION_FORMAT && !format_serves(&formats[i], command))
			continue;
		buf_printf(out, "%s%s", before, row->choices(i));
		before = ", ";
	}
}

/* left, and behind it text in as many lines as it needs. */
static void put_item(struct buf *out, const char *left, const struct buf *text)
{
	struct flow f = {.out = out, .width = WIDTH, .indent = INDENT};

	buf_printf(out, "%-*s", INDENT - 1, left);
	f.col = (int)strlen(left) < INDENT ? INDENT - 1 : (int)strlen(left);
	if (text->p)
		flow_words(&f, text->p, text->n);
	flow_end(&f);
	out->failed |= text->failed;
}

static void put_line(struct buf *out, const char *left, const char *right)
{
	struct buf text = {0};

	buf_printf(&text, "%s", right);
	put_item(out, left, &text);
	buf_free(&text);
}

static void put_option(struct buf *out, const struct option_row *row, enum command command)
{
	char left[64], letter[8] = "    ";
	struct buf text = {0};

	if (row->letter)
		snprintf(letter, sizeof(letter), "-%c, ", row->letter);
	snprintf(left, sizeof(left), "  %s--%s%s%s", letter, row->name, row->arg ? " " : "",
		 row->arg ? row->arg : "");
	if (row->requires)
		buf_printf(&text, "with --%s%s%s: ", row->requires, row->or_else ? " or --" : "",
			   row->or_else ?: "");
	buf_printf(&text, "%s", row->help);
	if (row->choices && !row->brief)
		put_words(&text, row, command);
	put_item(out, left, &text);
	buf_free(&text);
}

static void put_commands(struct buf *out)
{
	char left[64];

	buf_printf(out, "\nCommands (jnitrace help COMMAND):\n");
	for (size_t i = 0; i < NR_COMMANDS; i++) {
		snprintf(left, sizeof(left), "  %s", commands[i].name);
		put_line(out, left, commands[i].help);
	}
}

static const char *format_name(size_t i)
{
	return i < nr_formats ? formats[i].name : NULL;
}

static void put_names(struct buf *out, const char *what, choice_fn *names)
{
	buf_printf(out, "%s: ", what);
	for (size_t i = 0; names(i); i++)
		buf_printf(out, "%s%s", i > 0 ? ", " : "", names(i));
	buf_printf(out, "\n");
}

void help_version(struct buf *out)
{
	buf_printf(out, "jnitrace %s\n", version);
	if (commit[0])
		buf_printf(out, "commit: %s\n", commit);
	buf_printf(out, "libbpf: %s%s\n", features_libbpf(),
		   features_built_multi() ? ", with uprobe_multi" : "");
	put_names(out, "runtimes", runtime_name);
	put_names(out, "formats", format_name);
	buf_printf(out, "JSON: %s\n", JSON_SCHEMA);
}

static const char *usage_of(enum command command)
{
	switch (command) {
	case CMD_RUN:
		return "[OPTION...] -- COMMAND [ARGUMENT...]";
	case CMD_REPORT:
		return "FILE [OPTION...]";
	case CMD_DIFF:
		return "A B | FILE --from TIME [OPTION...]";
	case CMD_FLEET:
		return "diff [OPTION...] URL...";
	case CMD_AGENT:
		return "[OPTION...]";
	case CMD_DOCTOR:
		return "[-p PID[,PID]] [OPTION...]";
	default:
		return "-p PID[,PID] | -a [OPTION...]";
	}
}

void help_command(struct buf *out, enum command command, bool all)
{
	const struct command_row *c = &commands[command];

	if (command == CMD_TOP)
		buf_printf(out, "Usage: jnitrace [COMMAND] -p PID[,PID] | -a [OPTION...]\n"
				"Find the JNI reference leaks of running JVMs, from outside.\n");
	else
		buf_printf(out, "Usage: jnitrace %s %s\n%c%s.\n", c->name, usage_of(command),
			   c->help[0] - 'a' + 'A', c->help + 1);
	if (command == CMD_TOP)
		put_commands(out);
	buf_printf(out, command == CMD_TOP ? "\nOptions of top, the default:\n" : "\nOptions:\n");
	for (size_t i = 0; i < nr_option_rows; i++)
		if (option_rows[i].commands & 1U << command && (all || !option_rows[i].rare))
			put_option(out, &option_rows[i], command);
	buf_printf(out, "\nExamples:\n%s", c->examples);
	if (!all)
		buf_printf(out,
			   "\nMore: jnitrace --help all, jnitrace help COMMAND, help columns, help keys\n");
	buf_printf(out, "\nExit codes: 0 ok, 1 failed, 2 usage, 3 no permission, 4 no target%s\n",
		   c->exit_codes);
}

static void put_all(struct buf *out)
{
	help_command(out, CMD_TOP, true);
}

static void put_columns(struct buf *out)
{
	char left[64];

	buf_printf(out, "Columns, for --sort:\n");
	for (size_t i = 0; i < nr_columns; i++) {
		snprintf(left, sizeof(left), "  %s", columns[i].key);
		put_line(out, left, columns[i].help);
	}
}

static void put_keys(struct buf *out)
{
	char left[64];

	buf_printf(out, "Keys of the screen, of a live run and of a recording on a terminal:\n");
	for (size_t i = 0; keys_name(i); i++) {
		snprintf(left, sizeof(left), "  %s", keys_name(i));
		put_line(out, left, keys_help(i));
	}
}

/* In lines that begin with "# ". */
static void put_comment(struct buf *out, const struct buf *text)
{
	struct buf lines = {0};
	struct flow f = {.out = &lines, .width = WIDTH - 2};

	if (text->p)
		flow_words(&f, text->p, text->n);
	flow_end(&f);
	for (char *line = lines.p, *end; line && *line; line = end + 1) {
		end = strchrnul(line, '\n');
		buf_printf(out, "# %.*s\n", (int)(end - line), line);
		if (!*end)
			break;
	}
	out->failed |= lines.failed || text->failed;
	buf_free(&lines);
}

/* A file that says nothing yet: what may be said in it. */
static void put_config(struct buf *out)
{
	buf_printf(out, "# Options of jnitrace agent --config FILE (YAML), by their long names. Several\n"
			"# values of one are a list: [A, B]. The command line beats the file. SIGHUP: it\n"
			"# is read anew; what says (restart) is taken at the start only.\n");
	for (size_t i = 0; i < nr_option_rows; i++) {
		const struct option_row *row = &option_rows[i];
		struct buf text = {0};

		if (!option_in_file(row, CMD_AGENT))
			continue;
		buf_printf(&text, "%s", row->help);
		if (row->choices && !row->brief)
			put_words(&text, row, CMD_AGENT);
		buf_printf(&text, "%s", row->reloads ? "" : " (restart)");
		buf_printf(out, "\n");
		put_comment(out, &text);
		buf_printf(out, "#%s: %s\n", row->name, row->arg ?: "true");
		buf_free(&text);
	}
}

/* Beside the commands. */
static const struct {
	const char *name;
	void (*put)(struct buf *out);
} topics[] = {
    {"all", put_all},   {"columns", put_columns}, {"config", put_config},
    {"keys", put_keys}, {"rows", help_rows},
};

const char *help_topic_name(size_t i)
{
	if (i < NR_COMMANDS)
		return commands[i].name;
	return i - NR_COMMANDS < ARRAY_LEN(topics) ? topics[i - NR_COMMANDS].name : NULL;
}

bool help_topic(struct buf *out, const char *topic)
{
	for (size_t i = 0; help_topic_name(i); i++) {
		if (strcmp(help_topic_name(i), topic) != 0)
			continue;
		if (i < NR_COMMANDS)
			help_command(out, (enum command)i, true);
		else
			topics[i - NR_COMMANDS].put(out);
		return true;
	}
	return false;
}
