/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The page for a browser: what is in it as JSON, and that no name ends or begins an element.
 * JNITRACE_PAGE=FILE: also write a page of hostile names, to be opened by a browser
 * (tests/live/test_page.py).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "export/formats.h"
#include "golden.h"

#define DATA "<script type=\"application/json\" id=\"data\">"

static size_t times(const char *text, const char *part)
{
	size_t n = 0;

	for (const char *at = text; (at = strstr(at, part)); at += strlen(part))
		n++;
	return n;
}

/* What is in the page; it has the scripts it is to have, and no other. */
static json_t *data_of(const struct buf *page)
{
	const char *from, *to;
	json_error_t error;
	json_t *data;

	assert_non_null(page->p);
	assert_int_equal(strlen(page->p), page->n);
	assert_memory_equal(page->p, "<!doctype html>", 15);
	assert_string_equal(page->p + page->n - 8, "</html>\n");
	assert_int_equal(times(page->p, "<script"), 2);
	assert_int_equal(times(page->p, "</script"), 2);
	from = strstr(page->p, DATA);
	assert_non_null(from);
	from += strlen(DATA);
	to = strchr(from, '<');
	assert_memory_equal(to, "</script>", 9);
	data = json_loadb(from, (size_t)(to - from), JSON_REJECT_DUPLICATES, &error);
	if (!data)
		fail_msg("not JSON: %s at %d", error.text, error.position);
	return data;
}

static json_t *target_at(json_t *data, size_t i)
{
	return json_array_get(json_object_get(data, "targets"), i);
}

static void save(const struct buf *page)
{
	const char *path = getenv("JNITRACE_PAGE");
	FILE *f = path ? fopen(path, "we") : NULL;

	if (!path)
		return;
	assert_non_null(f);
	assert_int_equal(fwrite(page->p, 1, page->n, f), page->n);
	assert_int_equal(fclose(f), 0);
}

#define HACK                                                                                                 \
	"</script><script>globalThis.hacked = 1</script><img src=x onerror=\"globalThis.hacked = 2\"><!--"
static void test_hostile_names(void **state)
{
	static const struct report_class classes[] = {{.name = HACK, .outstanding = 5}};
	const struct format *f = format_find("html");
	struct report_site *site;
	struct buf page = {0};
	struct sample s;
	const struct report *const reports[] = {&s.report};
	void *kept = NULL;
	json_t *data, *stack;

	(void)state;
	init_hostile(&s);
	s.report.target.main = HACK;
	s.report.drops[0] = 1;
	site = add_site(&s, FUNC_NewGlobalRef, 5, 0);
	site->verdict.kind = VERDICT_GROWING;
	site->verdict.per_min = 60;
	site->verdict.error_per_min = 3;
	site->classes.v = classes;
	site->classes.n = 1;
	site->classes.known = true;
	add_frame(site, HACK, HACK, 1)->module = "<b>&amp;lib.so";
	f->begin(&kept, &page);
	for (int i = 0; i <= 10; i++) {
		s.report.elapsed_s = i;
		site->outstanding = site->acquired = (uint64_t)i;
		s.report.final = i == 10;
		f->reports(kept, &page, reports, 1, &plain);
	}
	f->end(kept, &page);
	save(&page);
	data = data_of(&page);
	stack = json_object_get(json_object_get(target_at(data, 0), "report"), "sites");
	stack = json_object_get(json_array_get(stack, s.report.sites.n - 1), "stack");
	assert_string_equal(json_string_value(json_object_get(json_array_get(stack, 0), "symbol")), HACK);
	json_decref(data);
	buf_free(&page);
}

static json_t *points(json_t *data, size_t target, const char *what, const char *key)
{
	json_t *history = json_object_get(json_object_get(target_at(data, target), "more"), "history");

	history = what ? json_object_get(history, what) : history;
	return json_object_get(history, key);
}

/* However long it runs: its points are as many as a chart can show, of all of the time, the last one exact.
 */
static void test_history(void **state)
{
	const struct format *f = format_find("html");
	struct buf page = {0};
	void *kept = NULL;
	struct sample s;
	const struct report *const reports[] = {&s.report};
	json_t *data, *elapsed, *global, *site;
	char id[20];

	(void)state;
	init_leaks(&s);
	snprintf(id, sizeof(id), "%016llx", (unsigned long long)s.sites[2].id);
	f->begin(&kept, &page);
	for (int i = 1; i <= 5001; i++) {
		s.report.elapsed_s = i;
		s.report.families[FAMILY_GLOBAL].outstanding = 10 * (uint64_t)i;
		s.sites[2].outstanding = 3 * (uint64_t)i;
		f->reports(kept, &page, reports, 1, &plain);
		assert_int_equal(page.n, 0);
	}
	s.report.final = true;
	f->reports(kept, &page, reports, 1, &plain);
	f->end(kept, &page);
	data = data_of(&page);
	elapsed = points(data, 0, NULL, "elapsed_s");
	global = points(data, 0, "families", "global");
	site = points(data, 0, "sites", id);
	assert_in_range(json_array_size(elapsed), 128, 256);
	assert_int_equal(json_array_size(global), json_array_size(elapsed));
	assert_int_equal(json_array_size(site), json_array_size(elapsed));
	for (size_t i = 0, before = 0; i < json_array_size(elapsed); i++) {
		size_t at = (size_t)json_number_value(json_array_get(elapsed, i));

		assert_true(at > before && (i || at == 1));
		assert_int_equal(json_integer_value(json_array_get(global, i)), 10 * at);
		assert_int_equal(json_integer_value(json_array_get(site, i)), 3 * at);
		before = at;
		if (i + 1 == json_array_size(elapsed))
			assert_int_equal(at, 5001);
	}
	assert_null(points(data, 0, "families", "local")); /* was not traced */
	json_decref(data);
	buf_free(&page);
}

/* A page of more than a browser can draw says what it leaves out. */
static void test_many_sites(void **state)
{
	const struct format *f = format_find("html");
	struct report_site *many = calloc(2003, sizeof(*many));
	struct buf page = {0};
	struct sample s;
	json_t *data, *left_out;

	(void)state;
	init_sample(&s);
	for (size_t i = 0; i < 2003; i++)
		many[i] = (struct report_site){
		    .id = i + 1, .func = FUNC_NewGlobalRef, .acquired = 7, .outstanding = 7};
	s.report.sites.v = many;
	s.report.sites.n = 2003;
	write_all(f, &s, &plain, &page);
	data = data_of(&page);
	left_out = json_object_get(json_object_get(target_at(data, 0), "more"), "left_out");
	assert_int_equal(json_integer_value(json_object_get(left_out, "sites")), 3);
	assert_int_equal(json_integer_value(json_object_get(left_out, "outstanding")), 21);
	json_decref(data);
	buf_free(&page);
	free(many);
}

static void test_two_targets(void **state)
{
	const struct format *f = format_find("html");
	struct sample a, b;
	const struct report *const both[] = {&a.report, &b.report};
	struct buf page = {0};
	void *kept = NULL;
	json_t *data;

	(void)state;
	init_leaks(&a);
	init_leaks(&b);
	b.report.target.pid++;
	f->begin(&kept, &page);
	f->reports(kept, &page, both, 2, &plain);
	b.report.final = true;
	f->reports(kept, &page, both + 1, 1, &plain);
	a.report.final = true;
	a.report.elapsed_s++;
	f->reports(kept, &page, both, 1, &plain);
	f->end(kept, &page);
	data = data_of(&page);
	assert_int_equal(json_array_size(json_object_get(data, "targets")), 2);
	assert_int_equal(json_array_size(points(data, 0, NULL, "elapsed_s")), 1);
	assert_int_equal(json_array_size(points(data, 1, NULL, "elapsed_s")), 2);
	json_decref(data);
	buf_free(&page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_hostile_names),
	    cmocka_unit_test(test_history),
	    cmocka_unit_test(test_many_sites),
	    cmocka_unit_test(test_two_targets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
