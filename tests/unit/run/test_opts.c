/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The command line, and that what it offers is in the man page and docs/json.md. Run from the top of
 * the source tree, or with JNITRACE_SRCDIR set to it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "export/formats.h"
#include "judge/compare.h"
#include "model/report.h"
#include "run/commands.h"
#include "run/help.h"
#include "run/opts.h"
#include "run/opts_rows.h"
#include "screen/keys.h"
#include "sites/sites.h"
#include "view/columns.h"

#define MAX_ARGS 300

/* Parse a line split at blanks; the strings live until the next call. */
static int parse(const char *line, struct options *o, struct error *err)
{
	static char words[8192];
	char *argv[MAX_ARGS + 1] = {(char *)"jnitrace"}, *save = NULL;
	int argc = 1;

	assert_true(strlen(line) < sizeof(words));
	strcpy(words, line);
	for (char *w = strtok_r(words, " ", &save); w && argc < MAX_ARGS; w = strtok_r(NULL, " ", &save))
		argv[argc++] = w;
	*err = (struct error){0};
	return opts_parse(argc, argv, &jni_catalog, o, err);
}

static void expect_ok(const char *line, struct options *o)
{
	struct error err;
	int rc = parse(line, o, &err);

	if (rc != 0)
		fail_msg("%s: %d %s: %s (%s)", line, rc, err.what, err.why, err.advice);
}

/* A usage error that says all of text. */
static void expect_error(const char *line, const char *text)
{
	struct options o;
	struct error err;
	char said[1024];
	int rc = parse(line, &o, &err);

	snprintf(said, sizeof(said), "%s: %s (%s)", err.what, err.why, err.advice);
	if (rc >= 0)
		fail_msg("accepted: %s", line);
	assert_int_equal(err.exit_code, EXIT_USAGE);
	if (!strstr(said, text))
		fail_msg("%s\n  want ..%s..\n  got  %s", line, text, said);
}

static void test_defaults(void **state)
{
	struct options o;

	(void)state;
	expect_ok("-p 1", &o);
	assert_int_equal(o.command, CMD_TOP);
	assert_int_equal(o.nr_pids, 1);
	assert_int_equal(o.pids[0], 1);
	assert_false(o.all);
	assert_int_equal(o.families, 1U << FAMILY_GLOBAL | 1U << FAMILY_WEAK);
	assert_true(o.interval_s == 1);
	assert_int_equal(o.count, -1);
	assert_true(o.duration_s == -1);
	assert_false(o.view.batch);
	assert_int_equal(o.view.rows, -1);
	assert_null(o.view.sort);
	assert_int_equal(o.view.group_by, GROUP_SITE);
	assert_int_equal(o.view.stacks, STACKS_MIXED);
	assert_int_equal(o.depth, JT_MAX_FRAMES);
	assert_string_equal(o.view.format->name, "table");
	assert_null(o.view.output);
	assert_int_equal(o.verbose, 0);
	assert_int_equal(o.max_refs, 1000000);
	assert_int_equal(o.max_stacks, 20000);
	assert_false(o.allow_loss);
	assert_int_equal(o.attach, ATTACH_AUTO);
	assert_int_equal(o.strategy, -1);
	assert_null(o.runtime);
}

static void test_every_option(void **state)
{
	struct options o;

	(void)state;
	expect_ok("top -a -e weak -i 0.5 -n 3 -d 10 -b -r 7 -s rate -g function --stacks none --depth 5 "
		  "--json -o out.json --max-refs 16 --max-stacks 2 --allow-loss --attach perf "
		  "--strategy function-table -v -v",
		  &o);
	assert_int_equal(o.command, CMD_TOP);
	assert_true(o.all);
	assert_int_equal(o.nr_pids, 0);
	assert_int_equal(o.families, 1U << FAMILY_WEAK);
	assert_true(o.interval_s == 0.5);
	assert_int_equal(o.count, 3);
	assert_true(o.duration_s == 10);
	assert_true(o.view.batch);
	assert_int_equal(o.view.rows, 7);
	assert_string_equal(o.view.sort, "rate");
	assert_int_equal(o.view.group_by, GROUP_FUNCTION);
	assert_int_equal(o.view.stacks, STACKS_NONE);
	assert_int_equal(o.depth, 5);
	assert_string_equal(o.view.format->name, "json");
	assert_string_equal(o.view.output, "out.json");
	assert_int_equal(o.max_refs, 16);
	assert_int_equal(o.max_stacks, 2);
	assert_true(o.allow_loss);
	assert_int_equal(o.attach, ATTACH_PERF);
	assert_int_equal(o.strategy, STRATEGY_FUNCTION_TABLE);
	assert_int_equal(o.verbose, 2);

	expect_ok("--all --events=global --interval=.05 --count=1 --duration=0.001 --batch --rows=0 "
		  "--sort=sites --group-by=pid --stacks=native --depth=64 --format=json --format=table "
		  "--output=- --attach=multi --strategy=usdt --memo=check --hold=20ms --fail-on=warning "
		  "--hidden-frames --verbose",
		  &o);
	assert_int_equal(o.command, CMD_TOP);
	assert_int_equal(o.families, 1U << FAMILY_GLOBAL);
	assert_true(o.interval_s == 0.05);
	assert_true(o.duration_s == 0.001);
	assert_true(o.hold_s == 0.02);
	assert_int_equal(o.view.rows, 0);
	assert_int_equal(o.view.stacks, STACKS_NATIVE);
	assert_string_equal(o.view.format->name, "table");
	assert_null(o.view.output);
	assert_int_equal(o.attach, ATTACH_MULTI);
	assert_int_equal(o.memo, MEMO_CHECK);
	assert_int_equal(o.fail_on, SEVERITY_WARNING);
	assert_true(o.hidden_frames);
	assert_int_equal(o.strategy, STRATEGY_USDT);
	assert_int_equal(o.view.depth, 64);
	assert_true(o.view.all);
	expect_ok("probes -a -e all --check --strategy usdt --json -v", &o);
	assert_int_equal(o.command, CMD_PROBES);
	assert_true(o.check && o.families >> FAMILY_CHECK & 1);
	expect_ok("census -p 1 --runtime hotspot", &o);
	assert_string_equal(o.runtime, "hotspot");
	expect_ok("-bvvp1", &o);
	assert_int_equal(o.verbose, 2);
}

static void test_census_options(void **state)
{
	struct options o;

	(void)state;
	expect_ok("census -p 7", &o);
	assert_int_equal(o.command, CMD_CENSUS);
	assert_false(o.classes || o.watch || o.interval_given);
	assert_int_equal(o.limit, 0);
	assert_int_equal(o.budget_ms, 0);
	expect_ok("census -a -i 2 --classes --watch --limit 51200 --budget 100", &o);
	assert_true(o.classes && o.watch && o.interval_given);
	assert_int_equal(o.limit, 51200);
	assert_int_equal(o.budget_ms, 100);
	expect_error("top -p 1 --classes", "census");
	expect_error("-p 1 --watch", "census");
	expect_error("census -p 1 --limit 5", "--watch");
	expect_error("census -p 1 --budget 5", "--classes");
	expect_error("census -p 1 --watch --limit 0", "from 1 to");
}

/* What a command does not use is an error, never ignored; and each option is of some command. */
/* Has the command another option of this name? */
static bool is_of_others(const struct option_row *row, int command)
{
	for (size_t i = 0; i < nr_option_rows; i++)
		if (&option_rows[i] != row && !strcmp(option_rows[i].name, row->name) &&
		    option_rows[i].commands >> command & 1)
			return true;
	return false;
}

/* Two options of one name are never of one command. */
static void test_names_of_options(void **state)
{
	(void)state;
	for (size_t i = 0; i < nr_option_rows; i++)
		for (int c = 0; c < NR_COMMANDS; c++)
			assert_false(option_rows[i].commands >> c & 1 && is_of_others(&option_rows[i], c));
}

/* It is not used here, and all commands that do use it are named, each whole. */
static void expect_users_named(const char *line, const struct option_row *row)
{
	char want[64];

	expect_error(line, "does not use it (it is for jnitrace ");
	for (int c = 0; c < NR_COMMANDS; c++) {
		snprintf(want, sizeof(want), " jnitrace %s", commands[c].name);
		if (row->commands >> c & 1)
			expect_error(line, want);
	}
}

/* Behind the option that this one requires. */
static const char *value_for(const struct option_row *row)
{
	static const struct {
		const char *required, *value;
	} values[] = {
	    {"assert", " drops==0"}, {"tls-cert", " x --tls-key x"},       {"tls-key", " x"},
	    {"token-file", " x"},    {"config", " docs/agent/agent.yaml"}, {"push", " http://x"},
	};

	for (size_t i = 0; row->requires && i < ARRAY_LEN(values); i++)
		if (!strcmp(values[i].required, row->requires))
			return values[i].value;
	return "";
}

static void test_options_of_commands(void **state)
{
	static const char *const values[NR_OPTION_KINDS] = {
	    [OPTION_INT] = "1",
	    [OPTION_UINT64] = "1",
	    [OPTION_SECONDS] = "1",
	    [OPTION_PERCENT] = "1%",
	    [OPTION_BYTES] = "64M",
	    [OPTION_PIDS] = "1",
	    [OPTION_FAMILIES] = "global",
	    [OPTION_FORMAT] = "json",
	    [OPTION_FILE] = "x",
	    [OPTION_PATH] = "x",
	    [OPTION_ASSERT] = "drops==0",
	    [OPTION_RECORD] = "x",
	    [OPTION_SERVICE_RULE] = "a=b",
	    [OPTION_PAIR] = "x",
	};
	struct options o;

	(void)state;
	for (size_t i = 0; i < nr_option_rows; i++) {
		const struct option_row *row = &option_rows[i];
		const char *value = !strcmp(row->name, "sort")     ? "outstanding"
				    : !strcmp(row->name, "config") ? "docs/agent/agent.yaml"
				    : row->kind == OPTION_CHOICE || row->kind == OPTION_WORD
					? row->choices(0)
					: values[row->kind];

		assert_true(row->commands && !(row->commands >> NR_ALL_COMMANDS));
		assert_int_equal(!row->arg, row->kind != OPTION_CHOICE && row->kind != OPTION_WORD &&
						!values[row->kind]);
		for (int c = 0; c < NR_COMMANDS; c++) {
			char line[256];
			struct error err;
			int rc;

			if (row->kind == OPTION_HELP || row->kind == OPTION_VERSION || is_of_others(row, c))
				continue;
			snprintf(line, sizeof(line), "%s %s %s --%s %s%s%s%s%s", commands[c].name,
				 c == CMD_RECORD   ? "-o x"
				 : c == CMD_REPORT ? "x"
				 : c == CMD_DIFF   ? "x y"
				 : c == CMD_FLEET  ? "diff x"
						   : "",
				 c == CMD_RUN || c == CMD_REPORT || c == CMD_DIFF || c == CMD_AGENT ||
					 c == CMD_FLEET || row->kind == OPTION_PIDS ||
					 !strcmp(row->name, "all")
				     ? ""
				     : "-p 1",
				 row->name, value ? value : "", row->requires ? " --" : "",
				 row->requires ? row->requires : "", value_for(row),
				 c == CMD_RUN ? " -- true" : "");
			rc = parse(line, &o, &err);
			if (!(row->commands >> c & 1))
				expect_users_named(line, row);
			else if (rc)
				fail_msg("%s: %s: %s", line, err.what, err.why);
			if (!rc)
				opts_free(&o);
		}
	}
	expect_error(
	    "census -p 1 --fail-on error",
	    "--fail-on: jnitrace census does not use it (it is for "
	    "jnitrace top and jnitrace record and jnitrace report and jnitrace diff and jnitrace fleet)");
	expect_error("census -p 1 -e local",
		     "it is for jnitrace top and jnitrace record and jnitrace probes");
	expect_error("probes -p 1 -d 3",
		     "--duration: jnitrace probes does not use it (it is for jnitrace top and "
		     "jnitrace census and jnitrace record and jnitrace agent)");
	expect_error("probes -p 1 -i 3", "--interval: jnitrace probes does not use it");
	expect_error("census -p 1 --format csv", "jnitrace census does not write csv (one of: table, json)");
	expect_error("probes -p 1 --format folded",
		     "jnitrace probes does not write folded (one of: table, json)");
	expect_ok("-p 1 --format folded", &o);
	assert_true(o.view.format->at_end);
}

static void test_recordings(void **state)
{
	static const struct recording_option had[] = {
	    {"sort", "acquired"}, {"fail-on", "leak"}, {"verbose", NULL}};
	static const struct recording_option unknown[] = {{"output", "/etc/passwd"}},
					     wrong[] = {{"sort", "x"}};
	struct options o;
	struct error err = {0};

	(void)state;
	expect_ok("record -p 1 -o run.jtr -s rate --stacks none -s acquired", &o);
	assert_string_equal(o.record, "run.jtr");
	assert_null(o.view.output);
	assert_string_equal(o.view.format->name, "none");
	assert_int_equal(o.nr_inherited, 2);
	assert_string_equal(o.inherited[0].value, "acquired");
	expect_ok("record -p 1 -o -", &o);
	assert_string_equal(o.record, "-");
	expect_ok("-p 1 --record run.jtr --json", &o);
	assert_string_equal(o.record, "run.jtr");
	assert_string_equal(o.view.format->name, "json");
	expect_ok("report run.jtr --at 0 --json", &o);
	assert_string_equal(o.file, "run.jtr");
	assert_true(o.at_s == 0 && o.from_s == -1 && o.to_s == -1);
	expect_ok("report -g class -- run.jtr", &o);
	expect_ok("report --from 1 run.jtr --to 2m", &o);
	assert_true(o.from_s == 1 && o.to_s == 120);
	expect_error("record -p 1", "-o FILE");
	expect_error("record -o x", "no target");
	expect_error("report", "no recording");
	expect_error("report a b", "unexpected word 'b'");
	expect_error("report a --from 2 --to 1", "not before");
	expect_error("report a --at 2 --to 1", "one moment");
	expect_error("report a --each --at 1", "--each");

	expect_ok("diff a b --fail-on growth -r 3", &o);
	assert_string_equal(o.file, "a");
	assert_string_equal(o.other, "b");
	assert_int_equal(o.fail_on_change, FAIL_ON_GROWTH);
	assert_int_equal(o.fail_on, -1);
	assert_int_equal(o.per, PER_RUN);
	expect_ok("diff a --from 1 --to 5m --per second", &o);
	assert_true(!o.other && o.from_s == 1 && o.to_s == 300 && o.per == PER_SECOND);
	expect_ok("diff a b --from 9 --to 1", &o); /* of two runs */
	expect_ok("diff a b -p Main,7", &o);
	assert_string_equal(o.names[0], "Main");
	expect_error("diff", "no recordings");
	expect_error("diff a", "nothing to be compared with");
	expect_error("diff a --at 1", "nothing to be compared with");
	expect_error("diff a --from 2 --to 1", "not before");
	expect_error("diff a b c", "unexpected word 'c'");
	expect_error("diff a b --fail-on leak", "unknown change 'leak'");
	expect_error("report a --fail-on growth", "unknown severity 'growth'");
	expect_error("diff a b --format folded", "jnitrace diff does not write folded");
	expect_error("diff a b -g pid", "does not compare by pid");

	/* What the recording had, unless it is asked for otherwise. */
	expect_ok("report a --fail-on error", &o);
	assert_int_equal(o.inherit(&o, had, ARRAY_LEN(had), &err), 0);
	assert_string_equal(o.view.sort, "acquired");
	assert_int_equal(o.fail_on, SEVERITY_ERROR);
	assert_true(o.view.all);
	assert_true(o.inherit(&o, unknown, 1, &err) < 0);
	expect_ok("report a", &o);
	assert_true(o.inherit(&o, wrong, 1, &err) < 0);
}

static void test_count_only(void **state)
{
	struct options o;

	(void)state;
	expect_ok("-p 1 --count-only", &o);
	assert_true(o.count_only);
	assert_string_equal(o.view.sort, "acquired");
	expect_ok("-p 1 -n 3 --count-only -e weak -s acquired-rate -g function", &o);
	assert_string_equal(o.view.sort, "acquired-rate");
	assert_int_equal(o.count, 3);
	expect_error("-p 1 --count-only -s outstanding", "outstanding");
	expect_error("-p 1 --count-only -g class", "outstanding");
	expect_error("-p 1 --count-only --check", "--check");
	expect_error("census -p 1 --count-only", "--count-only");
	expect_error("-p 1 --count-only -e local", "global and weak");
	expect_ok("probes -p 1 --count-only", &o);
}

static void test_pids(void **state)
{
	char line[4096] = "-p 1000";
	struct options o;

	(void)state;
	expect_ok("-p 7,5,7 --pid 9 -p5", &o);
	assert_int_equal(o.nr_pids, 3);
	assert_int_equal(o.pids[0], 7);
	assert_int_equal(o.pids[1], 5);
	assert_int_equal(o.pids[2], 9);
	expect_ok("-p 4194304", &o);
	assert_int_equal(o.pids[0], 4194304);
	for (int i = 1; i < OPTS_MAX_PIDS; i++)
		snprintf(line + strlen(line), sizeof(line) - strlen(line), ",%d", 1000 + i);
	expect_ok(line, &o);
	assert_int_equal(o.nr_pids, OPTS_MAX_PIDS);
	strcat(line, ",1,1000");
	expect_error(line, "too many processes");
	expect_error("-p 0", "--pid: bad number '0' (give a whole number from 1 to 4194304)");
	expect_error("-p -1", "bad number '-1'");
	expect_error("-p 4194305", "bad number '4194305'");
	expect_error("-p 18446744073709551617", "bad number");
	expect_error("-p 99999999999999999999999999999999", "bad number");
	expect_error("-p 12x", "bad number '12x'");
	expect_error("-p 0x10", "bad number");
	expect_error("-p 1,", "bad number ''");
	expect_error("-p ,1", "bad number ''");
	expect_error("-p 1,,2", "bad number ''");
	expect_ok("-p java,7 -p com.acme.Main_1", &o);
	assert_int_equal(o.nr_names, 2);
	assert_string_equal(o.names[0], "java");
	assert_string_equal(o.names[1], "com.acme.Main_1");
	assert_int_equal(o.nr_pids, 1);
	expect_error("-p java -a", "-p and -a exclude each other");
	expect_error("-p a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q", "too many names");
	expect_error("-p +1", "bad number '+1'");
	expect_error("-p 1 -a", "-p and -a exclude each other");
	expect_error("", "no target");
	expect_error("top", "no target");
	expect_error("probes --json", "no target");
}

static void test_numbers(void **state)
{
	static const char *const bad_times[] = {
	    "0",   "-1",    "nan", "inf",           "1e3", "0x1",  "1x", "s", "1ss", "1S",
	    "1s5", "1e3ms", "0ms", "999999999999d", "1,5", "1.5.", "..", ".", "+1",  "99999999999999999999",
	    "0.0"};
	char line[128];
	struct options o;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad_times); i++) {
		snprintf(line, sizeof(line), "-p 1 -i %s", bad_times[i]);
		expect_error(line, "--interval: bad time");
		snprintf(line, sizeof(line), "-p 1 -d %s", bad_times[i]);
		expect_error(line, "--duration: bad time");
	}
	expect_ok("-p 1", &o);
	assert_int_equal(o.limit_bytes, 256 << 20);
	expect_ok("-p 1 --limit-memory 64M", &o);
	assert_int_equal(o.limit_bytes, 64 << 20);
	expect_ok("-p 1 --limit-memory 1G", &o);
	assert_int_equal(o.limit_bytes, 1 << 30);
	expect_ok("-p 1 --limit-memory 300000000", &o);
	assert_int_equal(o.limit_bytes, 300000000);
	expect_error("-p 1 --limit-memory 1M", "at least 16M");
	expect_error("-p 1 --limit-memory 64MB", "bad size '64MB'");
	expect_error("-p 1 --limit-memory M", "bad size");
	expect_error("-p 1 --limit-memory 99999999999999999999G", "bad size");
	expect_error("-p 1 --limit-memory -1", "bad size");
	expect_ok("-p 1 -i 500ms -d 2h --hold 1.5ms", &o);
	assert_true(o.interval_s == 0.5 && o.duration_s == 7200);
	assert_true(o.hold_s > 0.0014999 && o.hold_s < 0.0015001);
	expect_ok("-p 1 -i 10s -d 1.5m", &o);
	assert_true(o.interval_s == 10 && o.duration_s == 90);
	expect_ok("-p 1 -d 1d", &o);
	assert_true(o.duration_s == 86400);
	expect_error("-p 1 -i 9ms", "at least 0.01");
	expect_error("-p 1 -i 25h", "at most 86400 seconds");
	expect_error("-p 1 -i 0.0099", "at least 0.01");
	expect_error("-p 1 -i 86401", "at most 86400");
	expect_ok("-p 1 -i 86400 -d 0.1", &o);
	assert_true(o.duration_s == 0.1);
	expect_ok("-p 1 -i 5.", &o);
	assert_true(o.interval_s == 5);
	expect_error("-p 1 -n 0", "--count: bad number");
	expect_error("-p 1 -n 1.5", "--count: bad number");
	expect_error("-p 1 -n 4294967297", "--count: bad number");
	expect_error("-p 1 -r -1", "--rows: bad number");
	expect_error("-p 1 --depth 0", "from 1 to 128");
	expect_error("-p 1 --depth 129", "from 1 to 128");
	expect_error("-p 1 --max-refs 0", "--max-refs: bad number");
	expect_error("-p 1 --max-refs 1M", "--max-refs: bad number");
	expect_ok("-p 1 --max-refs 268435456 --max-stacks 16777216", &o);
	assert_int_equal(o.max_refs, 268435456);
	expect_error("-p 1 --max-refs 268435457", "--max-refs: bad number");
	expect_error("-p 1 --max-stacks 16777217", "--max-stacks: bad number");
}

static void test_words(void **state)
{
	struct options o;

	(void)state;
	expect_error("-p 1 -g classes",
		     "unknown group 'classes' (one of: site, function, pid, class, thread, library, caller)");
	expect_error("-p 1 -e global,monitors", "unknown family 'monitors'");
	expect_error("-p 1 -e globals",
		     "unknown family 'globals' (one of: global, weak, local, string, array, "
		     "critical, monitor, thread, all)");
	expect_error("-p 1 -e global,", "unknown family ''");
	expect_error("-p 1 --format html5",
		     "unknown format 'html5' (one of: table, json, folded, csv, pprof, html)");
	expect_error("-p 1 --stacks lava",
		     "unknown kind of stack 'lava' (one of: mixed, java, native, none)");
	expect_error("-p 1 --attach kprobe", "(one of: auto, multi, perf)");
	expect_error("-p 1 --strategy magic", "(one of: usdt, symtab, debugfile, function-table)");
	expect_error("-p 1 --runtime HotSpot",
		     "unknown runtime 'HotSpot' (one of: hotspot, art, node, ruby, python)");
	expect_error("-p 1 -s size", "unknown column 'size' (one of: ");
	expect_error("-p 1 -s site -g pid", "a table by pid has no column 'site'");
	expect_error("-p 1 -s comm", "a table by site has no column 'comm'");
	expect_error("-p 1 -s Rate", "unknown column 'Rate'");
	expect_error("agents -p 1", "unknown command 'agents' (one of: top, census, record, report, diff, "
				    "probes, doctor, agent, fleet, run, help)");
	expect_error("1234", "unknown command '1234' (did you mean -p 1234?)");
	expect_error("12,34 -b", "did you mean -p 12,34?");
	expect_error("help frob", "unknown topic 'frob' (one of: top, census, record, report, diff, probes, "
				  "doctor, agent, fleet, run, all, columns, config, keys, rows)");
	expect_error("-p 1 probes", "unexpected word 'probes'");
	expect_error("-p 1 -- x", "unexpected word 'x'");
	expect_error("-p 1 -x", "unknown or ambiguous option '-x'");
	expect_error("-p 1 --frobnicate", "unknown or ambiguous option '--frobnicate'");
	expect_error("-p 1 --a", "ambiguous option '--a'");
	expect_error("-p 1 --json=yes", "--json: it takes no value");
	expect_error("-p", "--pid: it needs a value: PID");
	expect_error("-p 1 --interval", "--interval: it needs a value: TIME");
	expect_error("-p 1 --max-refs", "--max-refs: it needs a value: N");
	expect_error("-p 1 --output=", "no file name");
	expect_ok("-p 1 -e all", &o);
	assert_int_equal(o.families, (1U << NR_JNI_FAMILIES) - 1);
	expect_ok("-p 1 -e weak -e global", &o);
	assert_int_equal(o.families, 1U << FAMILY_GLOBAL | 1U << FAMILY_WEAK);
	expect_ok("-p 1 -e weak,weak", &o);
	assert_int_equal(o.families, 1U << FAMILY_WEAK);
	for (size_t i = 0; i < nr_columns; i++)
		for (int g = 0; g < NR_GROUPS; g++) {
			char line[128];

			snprintf(line, sizeof(line), "-p 1 -s %s -g %s", columns[i].key, group_names[g]);
			if (columns[i].groups & 1U << g)
				expect_ok(line, &o);
			else
				expect_error(line, "has no column");
		}
}

/* argv may hold anything, and no word of it may reach beyond the error's buffers. */
static void test_hostile(void **state)
{
	static char huge[100000];
	char *argv[] = {(char *)"jnitrace", (char *)"-p", huge, NULL};
	char *none[] = {NULL};
	struct options o;
	struct error err;

	(void)state;
	for (const char *fill = "1,x\xff"; *fill; fill++) {
		memset(huge, *fill, sizeof(huge) - 1);
		for (const char *option = "peindrsgo"; *option; option++) {
			char letter[] = {'-', *option, '\0'};

			argv[1] = letter;
			err = (struct error){0};
			if (*option != 'o')
				assert_true(opts_parse(3, argv, &jni_catalog, &o, &err) < 0);
			assert_true(memchr(err.why, 0, sizeof(err.why)) != NULL);
		}
	}
	argv[1] = huge;
	err = (struct error){0};
	assert_true(opts_parse(2, argv, &jni_catalog, &o, &err) < 0);
	err = (struct error){0};
	assert_true(opts_parse(0, none, &jni_catalog, &o, &err) < 0);
	assert_int_equal(err.exit_code, EXIT_USAGE);
}

/* What opts_parse prints on stdout. */
static char *printed_by(const char *line, int *rc)
{
	char *text = calloc(1, 65536);
	FILE *file = tmpfile();
	int saved = dup(STDOUT_FILENO);
	struct options o;
	struct error err;

	assert_non_null(text);
	assert_non_null(file);
	assert_true(saved >= 0);
	fflush(stdout);
	assert_true(dup2(fileno(file), STDOUT_FILENO) >= 0);
	*rc = parse(line, &o, &err);
	fflush(stdout);
	assert_true(dup2(saved, STDOUT_FILENO) >= 0);
	close(saved);
	rewind(file);
	assert_true(fread(text, 1, 65535, file) > 0 || *rc > EXIT_FAILED);
	fclose(file);
	return text;
}

static void test_help_and_version(void **state)
{
	int rc;
	char *text = printed_by("-V", &rc);

	(void)state;
	assert_int_equal(rc, EXIT_OK + 1);
	assert_memory_equal(text, "jnitrace ", 9);
	assert_non_null(strchr(text, '.'));
	assert_int_equal(text[strlen(text) - 1], '\n');
	assert_non_null(strstr(text, "\nlibbpf: "));
	assert_non_null(strstr(text, "\nruntimes: hotspot, art, node"));
	free(text);
	text = printed_by("probes -h --frobnicate", &rc);
	assert_int_equal(rc, EXIT_OK + 1);
	assert_non_null(strstr(text, "Usage: jnitrace probes"));
	free(text);
	text = printed_by("help census", &rc);
	assert_int_equal(rc, EXIT_OK + 1);
	assert_non_null(strstr(text, "Usage: jnitrace census"));
	assert_null(strstr(text, "--fail-on"));
	assert_null(strstr(text, "folded"));
	free(text);
	text = printed_by("--help", &rc);
	assert_null(strstr(text, "--max-refs"));
	free(text);
	text = printed_by("--help all", &rc);
	assert_int_equal(rc, EXIT_OK + 1);
	assert_non_null(strstr(text, "--max-refs"));
	free(text);
	text = printed_by("help all", &rc);
	assert_non_null(strstr(text, "--max-refs"));
	free(text);
	text = printed_by("help", &rc);
	assert_non_null(strstr(text, "Usage: jnitrace [COMMAND]"));
	free(text);
}

/* Every help fits 80 columns, the short ones a screen of 50 lines; those of commands have examples that are
 * no errors. */
static void test_help_fits(void **state)
{
	(void)state;
	for (size_t i = 0; help_topic_name(i); i++) {
		struct buf text = {0};

		assert_true(help_topic(&text, help_topic_name(i)));
		assert_false(text.failed);
		if (!strcmp(help_topic_name(i), "rows")) {
			buf_free(&text);
			continue; /* for programs */
		}
		for (char *line = text.p; *line; line += strcspn(line, "\n") + 1)
			if (strcspn(line, "\n") > 80)
				fail_msg("longer than 80 columns: %.*s", (int)strcspn(line, "\n"), line);
		buf_free(&text);
	}
	for (int c = 0; c < NR_COMMANDS; c++) {
		struct buf text = {0};
		int lines = 0;

		help_command(&text, c, false);
		for (const char *at = text.p; *at; at++)
			lines += *at == '\n';
		if (lines > 50)
			fail_msg("%s: %d lines", commands[c].name, lines);
		buf_free(&text);
	}
	for (int c = 0; c < NR_COMMANDS; c++)
		for (const char *at = commands[c].examples; *at; at += strcspn(at, "\n") + 1) {
			char line[256];
			size_t n = strcspn(at, "\n");
			struct options o;
			char *end;

			assert_memory_equal(at, "  jnitrace ", 11);
			snprintf(line, sizeof(line), "%.*s", (int)n - 11, at + 11);
			if ((end = strstr(line, "$(pgrep -n java)")))
				memmove(end + 1, end + 16, strlen(end + 16) + 1), *end = '1';
			if ((end = strstr(line, "  ")) || (end = strstr(line, " | ")))
				*end = '\0';
			expect_ok(line, &o);
		}
}

/* A full disk is not success. */
static void test_help_unwritable(void **state)
{
	int saved = dup(STDOUT_FILENO), rc;
	struct options o;
	struct error err;

	(void)state;
	fflush(stdout);
	if (!freopen("/dev/full", "w", stdout))
		fail();
	rc = parse("--help", &o, &err);
	clearerr(stdout);
	assert_true(dup2(saved, STDOUT_FILENO) >= 0);
	close(saved);
	assert_int_equal(rc, -ENOSPC);
	assert_int_equal(err.exit_code, EXIT_FAILED);
	assert_string_equal(err.what, "write the output");
}

/* Documents. */

static char *read_document(const char *name)
{
	const char *dir = getenv("JNITRACE_SRCDIR");
	char path[512], *text = calloc(1, 1 << 20);
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir ? dir : ".", name);
	f = fopen(path, "re");
	if (!f)
		fail_msg("%s: %s", path, strerror(errno));
	assert_non_null(text);
	assert_true(fread(text, 1, (1 << 20) - 1, f) > 0);
	fclose(f);
	return text;
}

/* The man page as it reads: "\-" is "-", font changes are gone. */
static void unroff(char *text)
{
	char *to = text;

	for (const char *c = text; *c; c++) {
		if (c[0] == '\\' && c[1] == 'f' && c[2])
			c += 2;
		else if (c[0] != '\\')
			*to++ = *c;
	}
	*to = '\0';
}

static bool is_word_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
	       c == '_';
}

/* word stands in text with no letter before or behind it. */
static bool has_word(const char *text, const char *word)
{
	size_t n = strlen(word);

	for (const char *at = text; (at = strstr(at, word)); at++)
		if ((at == text || !is_word_char(at[-1])) && !is_word_char(at[n]))
			return true;
	return false;
}

static void expect_word(const char *text, const char *word, const char *where)
{
	if (!has_word(text, word))
		fail_msg("'%s' is not in %s", word, where);
}

/* Every long option of text is one of jnitrace's. */
static void expect_known_options(const char *text, const char *help, const char *where)
{
	char option[64];

	for (const char *at = text; (at = strstr(at, "--")); at += 2) {
		size_t n = 2;

		if (at > text && (is_word_char(at[-1]) || at[-1] == '-'))
			continue;
		while (is_word_char(at[n]) && n < sizeof(option) - 1)
			n++;
		snprintf(option, sizeof(option), "%.*s", (int)n, at);
		if (n > 2 && option[2] != '-' && !has_word(help, option))
			fail_msg("%s names %s, which is no option", where, option);
	}
}

static void test_documents(void **state)
{
	char *man = read_document("docs/jnitrace.1"), *json = read_document("docs/json.md");
	char *schema = read_document("docs/jnitrace-1.schema.json");
	struct buf help = {0};
	char option[64];

	(void)state;
	unroff(man);
	for (int c = 0; c < NR_COMMANDS; c++) {
		help_command(&help, (enum command)c, true);
		expect_word(man, commands[c].name, "the man page");
	}
	assert_false(help.failed);
	for (size_t i = 0; keys_name(i); i++)
		expect_word(man, keys_name(i), "the man page");
	for (size_t i = 0; i < nr_formats; i++)
		expect_word(man, formats[i].name, "the man page");
	/* Every option of --help, long and short, is in the man page, and the other way round. */
	for (const char *at = help.p; (at = strchr(at, '-')); at++) {
		size_t n = strspn(at, "-");

		if (n > 2 || (at > help.p && (is_word_char(at[-1]) || at[-1] == '-')))
			continue;
		while (is_word_char(at[n]) && n < sizeof(option) - 1)
			n++;
		snprintf(option, sizeof(option), "%.*s", (int)n, at);
		expect_word(man, option, "the man page");
	}
	expect_known_options(man, help.p, "the man page");
	expect_known_options(json, help.p, "docs/json.md");
	for (size_t i = 0; i < nr_columns; i++) {
		expect_word(man, columns[i].key, "the man page");
	}
	for (size_t i = 0; i < NR_STRATEGIES; i++) {
		expect_word(man, site_strategy_names[i], "the man page");
		expect_word(json, site_strategy_names[i], "docs/json.md");
	}
	for (size_t i = 0; i < NR_DROPS; i++) {
		expect_word(man, drop_rows[i].name, "the man page");
		expect_word(json, drop_rows[i].name, "docs/json.md");
		expect_word(schema, drop_rows[i].name, "the schema");
	}
	for (size_t i = 0; i < NR_ENDS; i++) {
		if (!stack_end_rows[i].name)
			continue;
		expect_word(man, stack_end_rows[i].name, "the man page");
		expect_word(json, stack_end_rows[i].name, "docs/json.md");
		expect_word(schema, stack_end_rows[i].name, "the schema");
	}
	for (size_t i = 0; i < NR_FINDINGS; i++) {
		expect_word(man, finding_rows[i].name, "the man page");
		expect_word(json, finding_rows[i].name, "docs/json.md");
	}
	buf_free(&help);
	free(man);
	free(json);
	free(schema);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_defaults),
	    cmocka_unit_test(test_every_option),
	    cmocka_unit_test(test_census_options),
	    cmocka_unit_test(test_names_of_options),
	    cmocka_unit_test(test_options_of_commands),
	    cmocka_unit_test(test_recordings),
	    cmocka_unit_test(test_count_only),
	    cmocka_unit_test(test_pids),
	    cmocka_unit_test(test_numbers),
	    cmocka_unit_test(test_words),
	    cmocka_unit_test(test_hostile),
	    cmocka_unit_test(test_help_and_version),
	    cmocka_unit_test(test_help_fits),
	    cmocka_unit_test(test_help_unwritable),
	    cmocka_unit_test(test_documents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
