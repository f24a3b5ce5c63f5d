/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What was rendered, held against files and rules. See golden.h. */
#include "golden.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "view/cells.h"

#define CONTEXT      60  /* bytes shown of both sides of a difference */
#define GOLDEN_WIDTH 110 /* columns of a JSON file */

static void golden_path(char *path, size_t cap, const char *name)
{
	const char *dir = getenv("JNITRACE_SRCDIR");

	snprintf(path, cap, "%s/tests/golden/%s", dir ? dir : ".", name);
}

static char *read_whole(const char *path)
{
	FILE *f = fopen(path, "re");
	char *text;
	long n;

	if (!f)
		fail_msg("%s: %s (UPDATE_GOLDEN=1 writes it)", path, strerror(errno));
	assert_int_equal(fseek(f, 0, SEEK_END), 0);
	n = ftell(f);
	assert_true(n >= 0);
	rewind(f);
	text = calloc(1, (size_t)n + 1);
	assert_non_null(text);
	assert_int_equal(fread(text, 1, (size_t)n, f), n);
	fclose(f);
	return text;
}

static void update(const char *path, const struct buf *got)
{
	FILE *f = fopen(path, "we");

	if (!f)
		fail_msg("%s: %s", path, strerror(errno));
	assert_int_equal(fwrite(got->p, 1, got->n, f), got->n);
	assert_int_equal(fclose(f), 0);
}

/* Where the JSON value at p ends. */
static const char *value_end(const char *p)
{
	int depth = 0;
	bool in_string = false;

	for (; *p; p++) {
		if (in_string) {
			if (*p == '\\')
				p++;
			else if (*p == '"')
				in_string = false;
		} else if (!depth && strchr(",:]}\n", *p)) {
			break;
		} else if (*p == '"') {
			in_string = true;
		} else if (strchr("[{", *p)) {
			depth++;
		} else if (strchr("]}", *p)) {
			depth--;
		}
	}
	return p;
}

static bool has_reasons(const char *key)
{
	return strncmp(key, "\"drops\":", strlen("\"drops\":")) == 0 ||
	       strncmp(key, "\"reasons\":", strlen("\"reasons\":")) == 0;
}

/*
 * The JSON value at p, in lines that a person can compare: what fits stands in one line. Numbers and strings
 * stay byte for byte. Reasons that are zero are left out: expect_json() has seen that they are there.
 */
static void put_pretty(struct buf *b, const char *p, int indent, bool no_zeros)
{
	const char *value, *end = value_end(p);
	bool is_object = *p == '{', breaks = no_zeros || indent + (end - p) > GOLDEN_WIDTH, first = true;

	if (!strchr("[{", *p)) {
		buf_add(b, p, (size_t)(end - p));
		return;
	}
	buf_add(b, p++, 1);
	for (; !strchr("]}", *p); p = end + (*end == ',')) {
		value = is_object ? value_end(p) + 1 : p;
		end = value_end(value);
		if (no_zeros && *value == '0')
			continue;
		if (!first)
			buf_printf(b, breaks ? "," : ", ");
		if (breaks)
			buf_printf(b, "\n%*s", indent + 2, "");
		first = false;
		buf_printf(b, "%.*s%s", (int)(value - p), p, is_object ? " " : "");
		put_pretty(b, value, indent + 2, is_object && has_reasons(p));
	}
	if (breaks && !first)
		buf_printf(b, "\n%*s", indent, "");
	buf_add(b, p, 1);
}

static void make_pretty(struct buf *got)
{
	struct buf pretty = {0};

	for (const char *line = got->p; *line; line = value_end(line) + 1) {
		put_pretty(&pretty, line, 0, false);
		buf_add(&pretty, "\n", 1);
	}
	assert_false(pretty.failed);
	buf_free(got);
	*got = pretty;
}

/* Of the version that wrote it only that it is there: files do not change with each. */
static void hide_version(struct buf *got)
{
	static const char written[] = "\"jnitrace\": \"" JNITRACE_VERSION "\"",
			  shown[] = "\"jnitrace\": \"...\"";
	struct buf hidden = {0};
	const char *from = got->p;

	for (const char *at; (at = strstr(from, written)); from = at + strlen(written)) {
		buf_add(&hidden, from, (size_t)(at - from));
		buf_add(&hidden, shown, strlen(shown));
	}
	buf_add(&hidden, from, strlen(from));
	buf_free(got);
	*got = hidden;
}

void expect_golden(const char *name, struct buf *got)
{
	char path[512], *want;
	int line = 1;
	size_t i = 0, start = 0;

	assert_false(got->failed);
	assert_non_null(got->p);
	if (strcmp(name + strlen(name) - 5, ".json") == 0) {
		expect_json(got);
		make_pretty(got);
		hide_version(got);
	}
	golden_path(path, sizeof(path), name);
	if (getenv("UPDATE_GOLDEN"))
		update(path, got);
	want = read_whole(path);
	while (want[i] && want[i] == got->p[i])
		if (want[i++] == '\n') {
			line++;
			start = i;
		}
	if (want[i] != got->p[i]) {
		size_t from = i - start > CONTEXT ? i - CONTEXT : start;

		fail_msg("%s:%d:%zu\n  want ..%.*s\n  got  ..%.*s", path, line, i - start + 1, 2 * CONTEXT,
			 want + from, 2 * CONTEXT, got->p + from);
	}
	free(want);
	buf_free(got);
}

void expect_width(const struct buf *got, int width)
{
	for (const char *line = got->p; *line;) {
		size_t n = strcspn(line, "\n");

		if (cells_width(line, n) > width)
			fail_msg("%d cells, not %d: %.*s", cells_width(line, n), width, (int)n, line);
		line += n + (line[n] == '\n');
	}
}

/* A report names every reason for a loss and for an incomplete stack, whether it was met or not. */
static void expect_every_reason(const json_t *record)
{
	const json_t *drops = json_object_get(record, "drops");
	const json_t *reasons = json_object_get(json_object_get(record, "stacks"), "reasons");
	size_t nr_reasons = 0;

	if (!drops) /* no report */
		return;
	assert_int_equal(json_object_size(drops), NR_DROPS);
	for (int i = 0; i < NR_DROPS; i++)
		if (!json_is_integer(json_object_get(drops, drop_rows[i].name)))
			fail_msg("drops: no %s", drop_rows[i].name);
	for (int i = 0; i < NR_ENDS; i++) {
		nr_reasons += stack_end_rows[i].name != NULL;
		if (stack_end_rows[i].name &&
		    !json_is_integer(json_object_get(reasons, stack_end_rows[i].name)))
			fail_msg("reasons: no %s", stack_end_rows[i].name);
	}
	assert_int_equal(json_object_size(reasons), nr_reasons);
}

void expect_json(const struct buf *got)
{
	for (const char *line = got->p; *line;) {
		size_t n = strcspn(line, "\n");
		json_error_t error;
		json_t *record = json_loadb(line, n, JSON_REJECT_DUPLICATES, &error);

		if (!record)
			fail_msg("not JSON: %s at %d: %.*s", error.text, error.column, (int)n, line);
		assert_true(json_is_object(record));
		assert_string_equal(json_string_value(json_object_get(record, "schema")), "jnitrace/1");
		expect_every_reason(record);
		json_decref(record);
		assert_int_equal(line[n], '\n');
		line += n + 1;
	}
}

/* Reports. */

struct report_site *add_site(struct sample *s, enum func_id func, uint64_t acquired, uint64_t released)
{
	size_t i = s->report.sites.n++;
	struct report_site *site = &s->sites[i];

	assert_true(i < MAX_SITES);
	s->report.sites.v = s->sites;
	*site = (struct report_site){
	    .id = 0x1234567890abcdefULL + i,
	    .func = func,
	    .acquired = acquired,
	    .released = released,
	    .outstanding = acquired - released,
	    .oldest_s = acquired > released ? 4.25 : -1,
	    .outstanding_bytes = -1,
	    .peak_per_call = -1,
	    .rate_per_s = (double)(acquired - released) / 12,
	    .acquired_per_s = (double)acquired / 12,
	    .frames.v = s->frames[i],
	};
	return site;
}

struct frame *add_frame(struct report_site *site, const char *symbol, const char *file, int line)
{
	struct frame *f = &site->frames.v[site->frames.n++];

	assert_true(site->frames.n <= 4);
	*f = (struct frame){
	    .type = FRAME_NATIVE,
	    .symbol = symbol,
	    .module = "libleaky.so",
	    .offset = 0x11e3 + 0x40 * site->frames.n,
	    .build_id = "00112233445566778899aabbccddeeff00112233",
	    .file = file,
	    .line = line,
	};
	return f;
}

void init_sample(struct sample *s)
{
	*s = (struct sample){
	    .report =
		{
		    .target =
			{
			    .pid = 1234,
			    .start_time_ticks = 456789,
			    .comm = "java",
			    .vm = "HotSpot",
			    .vm_version = "17.0.15+6-Debian-1deb12u1",
			    .library = "/usr/lib/jvm/java-17-openjdk-amd64/lib/server/libjvm.so",
			    .build_id = "c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00",
			},
		    .catalog = &jni_catalog,
		    .time_unix_s = 1769860800.123,
		    .elapsed_s = 12.004,
		    .nr_probes = 4,
		    .events = 241476,
		    .events_per_s = 20123.4,
		    .probe_cost_ns_per_event = 1100,
		    .target_cpu_pct = 2.21,
		    .self_cpu_pct = 0.08,
		    .map_bytes = 47394816,
		},
	};
	for (size_t i = 0; i < NR_FAMILIES; i++) {
		s->report.families[i].vm_total = -1;
		s->report.families[i].cost_ns_per_event = s->report.families[i].target_cpu_pct = -1;
	}
}

void trace(struct sample *s, enum func_id func, uint64_t calls)
{
	s->report.probed[func] = true;
	s->report.calls[func] = calls;
	s->report.families[func_family(&jni_catalog, func)].traced = true;
}

/* Two leaks beside a churn: what the demo shows. */
void init_leaks(struct sample *s)
{
	struct report_site *site;

	init_sample(s);
	trace(s, FUNC_NewGlobalRef, 121009);
	trace(s, FUNC_DeleteGlobalRef, 119815);
	trace(s, FUNC_NewWeakGlobalRef, 602);
	trace(s, FUNC_DeleteWeakGlobalRef, 0);
	s->report.families[FAMILY_GLOBAL] = (struct report_family){
	    .traced = true,
	    .acquired = 121009,
	    .released = 119812,
	    .outstanding = 1197,
	    .released_untracked = 3,
	    .vm_total = 1218,
	    .before_known = true,
	    .before_attach = 21,
	    .cost_ns_per_event = 1100,
	    .target_cpu_pct = 2.18,
	};
	s->report.families[FAMILY_WEAK] = (struct report_family){
	    .traced = true,
	    .acquired = 602,
	    .outstanding = 602,
	    .vm_total = 640,
	    .before_known = true,
	    .before_attach = 38,
	    .cost_ns_per_event = 1210.5,
	    .target_cpu_pct = 0.03,
	};
	site = add_site(s, FUNC_NewWeakGlobalRef, 602, 0);
	site->oldest_s = 192.4;
	add_frame(site, "Java_Leaky_leakWeak", "/src/demo/leaky.c", 31);
	site = add_site(s, FUNC_NewGlobalRef, 119812, 119812);
	add_frame(site, "Java_Leaky_churn", "/src/demo/leaky.c", 12);
	site = add_site(s, FUNC_NewGlobalRef, 1197, 0);
	site->oldest_s = 11.94;
	site->truncated = "the function keeps no frame pointer";
	add_frame(site, "remember", "/src/demo/leaky.c", 19)->inlined = true;
	add_frame(site, "Java_Leaky_leakGlobal", "/src/demo/leaky.c", 24);
	add_frame(site, NULL, NULL, 0);
}

/* A late attach: most was there before. */
void init_late(struct sample *s)
{
	static const struct report_of of[] = {{"com.example.Plugin", "com.example.PluginLoader", 0, 37, 37},
					      {"java.lang.String", NULL, 0, 1, 2}};
	static const struct report_before before[] = {
	    {.family = FAMILY_GLOBAL, .class = "java.lang.String", .outstanding = 100003},
	    {.family = FAMILY_WEAK, .class = "com.example.Cache$Entry", .outstanding = 503},
	    {.family = FAMILY_GLOBAL,
	     .class = "java.lang.Class",
	     .outstanding = 40,
	     .is_class = true,
	     .of = {of, sizeof(of) / sizeof(of[0])}},
	    {.family = FAMILY_GLOBAL, .class = "com.example.Cache$Entry", .outstanding = 7},
	    {.family = FAMILY_GLOBAL, .outstanding = 2},
	};

	init_leaks(s);
	s->report.families[FAMILY_GLOBAL].before_attach = 100012;
	s->report.families[FAMILY_GLOBAL].vm_own = 3;
	s->report.families[FAMILY_GLOBAL].vm_total = 1197 + 100012 + 3;
	s->report.families[FAMILY_WEAK].before_attach = 503;
	s->report.families[FAMILY_WEAK].vm_total = 602 + 503;
	s->report.families[FAMILY_WEAK].vm_note = "the VM counts 1,105, and 1,109 entries are marked in use";
	s->report.before.v = before;
	s->report.before.n = ARRAY_LEN(before);
}

const struct view_opts plain = {.width = 80, .rows = 20, .stack_frames = 5};

void expect_table(const char *name, const struct sample *s, const struct view_opts *o)
{
	const struct report *const reports[] = {&s->report};
	struct buf out = {0};

	view_table(&out, reports, 1, o);
	if (!o->color)
		expect_width(&out, o->width);
	expect_golden(name, &out);
}

void expect_records(const char *name, const struct sample *s, const struct view_opts *o)
{
	const struct report *const reports[] = {&s->report};
	struct buf out = {0};

	view_json(&out, reports, 1, o);
	expect_json(&out);
	expect_golden(name, &out);
}

void write_all(const struct format *f, struct sample *s, const struct view_opts *o, struct buf *out)
{
	const struct report *const reports[] = {&s->report};
	void *state = NULL;

	if (f->begin)
		f->begin(&state, out);
	for (int last = f->at_end; last <= 1; last++) {
		s->report.final = last;
		f->reports(state, out, reports, 1, o);
	}
	if (f->end)
		f->end(state, out);
	assert_false(out->failed);
}

void init_hostile(struct sample *s)
{
	static const struct report_class classes[] = {{.name = "a.B,\"C", .outstanding = 3},
						      {.name = "x.Y", .outstanding = 1}};
	struct report_site *site;

	init_leaks(s);
	site = add_site(s, FUNC_NewGlobalRef, 9, 2);
	site->classes.v = classes;
	site->classes.n = 2;
	site->classes.known = true;
	site->verdict = (struct report_verdict){
	    .kind = VERDICT_GROWING, .per_min = 49.8, .error_per_min = 1.2, .same_life_s = 75};
	add_frame(site, "=cmd|' /C calc'!A0", NULL, 0);
	add_frame(site, "a;b\nc \"d\"", "/src/a,b.c", 7);
	add_frame(site, "com.acme.Main.main", "Main.java", 3)->type = FRAME_JAVA;
	site = add_site(s, FUNC_NewLocalRef, 5, 0);
	site->life_unknown = true;
	site->rate_per_s = NAN;
	site = add_site(s, FUNC_NewWeakGlobalRef, 4, 0);
	site->no_stack = true;
	site->outstanding_bytes = 4096;
}
