/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A file of options: each option has the same value as on the command line, which beats it; faults are named.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "run/agent_options.h"
#include "run/config.h"
#include "run/help.h"
#include "run/opts.h"
#include "run/opts_rows.h"

static char path[] = "/tmp/test_config.XXXXXX";

static void write_file(const char *text, size_t n)
{
	FILE *f = fopen(path, "w");

	assert_true(f && fwrite(text, 1, n, f) == n && !fclose(f));
}

/* more: behind --config FILE; NULL-terminated words. */
static int parse_bytes(const char *text, size_t n, char *const *more, struct options *o, struct error *err)
{
	static char *argv[16];
	int argc = 0;

	write_file(text, n);
	argv[argc++] = (char *)"jnitrace";
	argv[argc++] = (char *)"agent";
	argv[argc++] = (char *)"--config";
	argv[argc++] = path;
	while (*more)
		argv[argc++] = *more++;
	argv[argc] = NULL;
	*err = (struct error){0};
	return opts_parse(argc, argv, &jni_catalog, o, err);
}

static char *const none[] = {NULL};

static void expect_error(const char *text, const char *what, const char *why)
{
	struct options o;
	struct error err;

	assert_int_equal(parse_bytes(text, strlen(text), none, &o, &err), -22);
	assert_int_equal(err.exit_code, EXIT_USAGE);
	assert_ptr_equal(strstr(err.what, path), err.what);
	assert_string_equal(err.what + strlen(path), what);
	assert_string_equal(err.why, why);
}

/* Some value that each kind of option takes. */
static const char *value_of(const struct option_row *row)
{
	switch (row->kind) {
	case OPTION_FLAG:
	case OPTION_REPEAT:
		return NULL;
	case OPTION_INT:
	case OPTION_UINT64:
		return "7";
	case OPTION_SECONDS:
		return "90s";
	case OPTION_PERCENT:
		return "3%";
	case OPTION_BYTES:
		return "512M";
	case OPTION_SERVICE_RULE:
		return "name=pattern";
	case OPTION_WORD:
		return row->choices(0);
	default:
		return "/some/file";
	}
}

/* Options that say nothing without another one are given with it. */
static void write_both(const struct option_row *row, struct buf *file, char **argv, char *word, size_t cap)
{
	const char *value = value_of(row);
	int n = 0;

	buf_printf(file, "%s: %s\n", row->name, value ?: "true");
	snprintf(word, cap, "--%s", row->name);
	argv[n++] = word;
	if (value)
		argv[n++] = (char *)value;
	argv[n] = NULL;
}

static void test_every_option(void **state)
{
	(void)state;
	for (size_t i = 0; i < nr_option_rows; i++) {
		const struct option_row *row = &option_rows[i];
		struct buf file = {0};
		struct options by_file, by_words;
		struct error err;
		char *argv[16], word[64];
		int rc;

		if (!option_in_file(row, CMD_AGENT))
			continue;
		write_both(row, &file, argv, word, sizeof(word));
		rc = parse_bytes(file.p, file.n, none, &by_file, &err);
		assert_int_equal(parse_bytes("", 0, argv, &by_words, &err), rc);
		assert_true(rc == 0 || row->requires);
		if (!rc) {
			assert_true(option_equal(row, &by_file, &by_words));
			assert_true(by_file.given[i] && by_words.given[i]);
		}
		opts_free(&by_file);
		opts_free(&by_words);
		buf_free(&file);
	}
}

static void test_the_command_line_wins(void **state)
{
	static char *const more[] = {(char *)"-i", (char *)"3", (char *)"--service-rule", (char *)"a=b",
				     NULL};
	static const char text[] =
	    "interval: 5\nrest: 6\nservice-rule: [c=d, e=f]\nverbose: 2\nallow-trigger: false\n";
	struct options o;
	struct error err;

	(void)state;
	assert_int_equal(parse_bytes(text, sizeof(text) - 1, more, &o, &err), 0);
	assert_true(o.interval_s == 3 && o.rest_s == 6 && o.verbose == 2 && !o.allow_trigger);
	assert_int_equal(o.nr_service_rules, 1);
	assert_string_equal(o.service_rules[0], "a=b");
	opts_free(&o);
	assert_int_equal(parse_bytes(text, sizeof(text) - 1, none, &o, &err), 0);
	assert_true(o.interval_s == 5 && o.nr_service_rules == 2);
	assert_string_equal(o.service_rules[1], "e=f");
	opts_free(&o);
	assert_int_equal(parse_bytes("# nothing\n", 10, none, &o, &err), 0);
	assert_true(o.interval_s == 10); /* the agent's own */
	opts_free(&o);
}

static void test_faults(void **state)
{
	char large[70000], zero[] = "rest: \"1\\0\"\n";
	struct options o;
	struct error err;

	(void)state;
	expect_error("interval: 5\nlisetn: x\n", ":2: lisetn", "no option of a file");
	expect_error("config: x\n", ":1: config", "no option of a file");
	expect_error("help: true\n", ":1: help", "no option of a file");
	expect_error("pid: 1\n", ":1: pid", "no option of a file");
	expect_error("interval: 0\n", ":1: interval", "bad time '0'");
	expect_error("allow-trigger: yes\n", ":1: allow-trigger", "'yes' is neither");
	expect_error("verbose: 3\n", ":1: verbose", "bad number '3'");
	expect_error("rest: 1\n\nrest: 2\n", ":3", "an option for the second time");
	expect_error("rest: 1\ninterval: [1, 2]\n", ":2: interval", "a list, and it takes one value");
	expect_error("allow-trigger: [true, false]\n", ":1: allow-trigger", "a list, and it takes one value");
	expect_error("rest: {a: b}\n", ":1", "neither a value nor a list of values");
	expect_error("rest: &a 1\n", ":1", "anchors and tags mean nothing here");
	expect_error("rest: 1\ntrace: *a\n", ":2", "neither a value nor a list of values");
	expect_error("rest: !!int 1\n", ":1", "anchors and tags mean nothing here");
	expect_error("- rest\n", ":1", "no option and its value");
	expect_error("rest: 1\n---\nrest: 2\n", ":2", "a second document");
	expect_error("rest: [1, [2]]\n", ":1", "neither a value nor a list of values");
	expect_error(zero, ":1", "a zero byte in a value");
	assert_true(parse_bytes("rest: [\n", 8, none, &o, &err) < 0);
	assert_true(parse_bytes("\xff\xfe\xff\n", 4, none, &o, &err) < 0);
	memset(large, ' ', sizeof(large));
	assert_true(parse_bytes(large, sizeof(large), none, &o, &err) < 0);
	assert_string_equal(err.what, path);
	unlink(path); /* a device, not read for ever */
	assert_int_equal(symlink("/dev/zero", path), 0);
	assert_true(config_read(path, NULL, &err) < 0);
	unlink(path);
}

static void expect_names(const struct buf *names, const char *text)
{
	assert_string_equal(names->p ?: "", text);
}

/* What can change does; the rest stays as it was, and is named. */
static void test_again(void **state)
{
	static const char first[] = "listen: 127.0.0.1:0\ninterval: 5\nwindows: 2\ntrace: a\n";
	static const char then[] =
	    "listen: 127.0.0.1:1\ninterval: 6\nwindows: 0\ntrace: b\nlimit-memory: 1G\n";
	static const char bad[] = "listen: 127.0.0.1:0\ntrace: (\n";
	struct buf changed = {0}, restart = {0};
	struct options start, now, third;
	struct error err;

	(void)state;
	assert_int_equal(parse_bytes(first, sizeof(first) - 1, none, &start, &err), 0);
	write_file(then, sizeof(then) - 1);
	assert_int_equal(agent_options_again(&start, &start, &now, &changed, &restart, &err), 0);
	expect_names(&changed, "interval,windows,trace");
	expect_names(&restart, "listen,limit-memory");
	assert_true(now.interval_s == 6 && now.limit_bytes == start.limit_bytes);
	assert_string_equal(now.listen, "127.0.0.1:0");
	assert_string_equal(now.trace, "b");
	buf_free(&changed);
	buf_free(&restart);
	write_file(bad, sizeof(bad) - 1);
	assert_true(agent_options_again(&start, &now, &third, &changed, &restart, &err) < 0);
	assert_string_equal(err.what, "--trace");
	buf_free(&changed);
	buf_free(&restart);
	/* who began without windows has no privileges for them */
	start.windows = 0;
	write_file(first, sizeof(first) - 1);
	err = (struct error){0};
	assert_int_equal(agent_options_again(&start, &now, &third, &changed, &restart, &err), 0);
	expect_names(&restart, "windows");
	assert_int_equal(third.windows, 0);
	buf_free(&changed);
	buf_free(&restart);
	opts_free(&third);
	opts_free(&now);
	opts_free(&start);
}

/* The example is one that says nothing, and names every option. */
static void test_example(void **state)
{
	struct buf text = {0}, bare = {0};
	struct options o;
	struct error err;

	(void)state;
	assert_true(help_topic(&text, "config"));
	assert_int_equal(parse_bytes(text.p, text.n, none, &o, &err), 0);
	assert_null(config_entry(o.config, 0));
	opts_free(&o);
	for (size_t i = 0; i < nr_option_rows; i++) {
		buf_printf(&bare, "\n#%s: ", option_rows[i].name);
		if (option_in_file(&option_rows[i], CMD_AGENT))
			assert_non_null(strstr(text.p, bare.p));
		buf_free(&bare);
		bare = (struct buf){0};
	}
	buf_free(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_option), cmocka_unit_test(test_the_command_line_wins),
	    cmocka_unit_test(test_again),        cmocka_unit_test(test_example),
	    cmocka_unit_test(test_faults),
	};
	int fd = mkstemp(path), failed;

	if (fd < 0)
		return 1;
	close(fd);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return failed;
}
