/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Reports made up at random. See record_fixture.h. */
#include "record_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "view/json.h"

#define STACKS 9

static uint64_t any(struct made *m, uint64_t below)
{
	m->random += 0x9e3779b97f4a7c15ULL;
	return mix64(m->random) % below;
}

static double any_real(struct made *m)
{
	static const double special[] = {
	    0, -0.0, 1, -1, NAN, INFINITY, -INFINITY, 1e300, 5e-324, 0.1, 1764432000.1234567};
	uint64_t which = any(m, 3 * ARRAY_LEN(special));

	return which < ARRAY_LEN(special) ? special[which] : (double)any(m, 1000000007) / 997;
}

static const char *any_text(struct made *m)
{
	static const char *const special[] = {NULL,       "",  "a\"b\\c/\n\x7f", "\xc3\xa4\xe2\x80\xa6",
					      "\xff\xfe", "{}"};
	uint64_t which = any(m, 2 * ARRAY_LEN(special));
	char text[64], clean[64];

	if (which < ARRAY_LEN(special) && !special[which])
		return NULL;
	snprintf(text, sizeof(text), "text %llu", (unsigned long long)any(m, 1000));
	if (which < ARRAY_LEN(special))
		snprintf(text, sizeof(text), "%s", special[which]);
	return strset_add(&m->owner.text, text_clean(clean, sizeof(clean), text, strlen(text)));
}

static unsigned any_word(struct made *m, const struct field *f)
{
	unsigned i;

	do
		i = (unsigned)any(m, f->n);
	while (!f->name(&jni_catalog, i));
	return i;
}

static void fill(struct made *m, const struct fields *of, void *to, unsigned one_in);

static uint64_t any_count(struct made *m)
{
	uint64_t which = any(m, 20);

	return which == 0 ? UINT64_MAX : which == 1 ? INT64_MAX : which < 6 ? 0 : any(m, 100000);
}

static void fill_named(struct made *m, const struct field *f, char *to)
{
	char room[FUNC_WORD_MAX];

	for (size_t i = 0; i < f->n; i++) {
		char *at = to + i * (f->bytes / f->n);

		if (!(f->name ? f->name(&jni_catalog, i) : func_word(&jni_catalog, i, room)) || any(m, 3))
			continue;
		if (f->kind == FIELD_STRUCTS)
			fill(m, f->of, at, 2);
		else if (f->kind == FIELD_FLAGS)
			*(bool *)at = any(m, 2);
		else
			*(uint64_t *)at = any_count(m);
	}
}

static void fill_field(struct made *m, const struct field *f, void *in)
{
	void *to = (char *)in + f->at;

	switch (f->kind) {
	case FIELD_BOOL:
		*(bool *)to = any(m, 2);
		return;
	case FIELD_INT:
		*(int *)to = (int)(uint32_t)any(m, 1ULL << 32);
		return;
	case FIELD_U32:
		*(uint32_t *)to = (uint32_t)any(m, 1ULL << 32);
		return;
	case FIELD_U64:
	case FIELD_HEX:
	case FIELD_ID:
		*(uint64_t *)to = any_count(m);
		return;
	case FIELD_I64:
		*(int64_t *)to = any(m, 3) ? (int64_t)any(m, 1000) : any(m, 2) ? -1 : INT64_MIN;
		return;
	case FIELD_REAL:
	case FIELD_KNOWN:
		*(double *)to = any_real(m);
		return;
	case FIELD_TEXT:
		*(const char **)to = any_text(m);
		return;
	case FIELD_CHARS:
		snprintf(to, f->n, "%s", any_text(m) ?: "");
		return;
	case FIELD_WORD:
	case FIELD_FAMILY:
		*(unsigned *)to = any_word(m, f);
		return;
	case FIELD_FUNC:
		*(unsigned *)to = (unsigned)any(m, NR_JNI_FUNCS);
		return;
	case FIELD_STACK:
		*(struct frames *)to = any(m, 5) ? m->stacks.v[any(m, m->stacks.n)] : (struct frames){0};
		return;
	case FIELD_STRUCT:
		return fill(m, f->of, to, 2);
	case FIELD_POINTER:
		assert_int_equal(saved_pointer(&m->owner, f, in, any(m, 3)), 0);
		return *(void **)to ? fill(m, f->of, *(void **)to, 2) : (void)0;
	case FIELD_LIST:
		if (!any(m, 3))
			assert_int_equal(saved_resize(&m->owner, f, in, any(m, 5)), 0);
		for (size_t i = 0; i < list_length(f, in); i++)
			fill(m, f->of, list_element(f, in, i), 2);
		return;
	case FIELD_COUNTS:
	case FIELD_FLAGS:
	case FIELD_STRUCTS:
		return fill_named(m, f, to);
	case FIELD_LATER:
		*(const struct later **)to = any(m, 2) ? some_later : NULL;
		return;
	case FIELD_MODULE:
		return;
	}
}

/* Each member with a chance of one in so many. */
static void fill(struct made *m, const struct fields *of, void *to, unsigned one_in)
{
	for (size_t i = 0; i < of->n; i++)
		if (!any(m, one_in))
			fill_field(m, &of->v[i], to);
}

static void mend_of(const struct report_of *v, size_t n)
{
	for (size_t k = 0; k < n; k++)
		if (!v[k].name)
			((struct report_of *)v)[k].name = "b.Class";
}

/* What every report has. */
static void mend_site(struct made *m, struct report_site *s)
{
	if (s->func == FUNC_NONE)
		s->func = FUNC_NewGlobalRef;
	for (size_t i = 0; i < site_fields.n; i++)
		if (strcmp(site_fields.v[i].key, "pins") == 0)
			saved_pointer(&m->owner, &site_fields.v[i], s, func_is_pin(&jni_catalog, s->func));
	for (size_t i = 0; i < s->classes.n; i++) {
		struct report_class *c = (struct report_class *)&s->classes.v[i];

		c->name = c->name ?: "a.Class";
		mend_of(c->of.v, c->of.n);
	}
}

static void make_stack(struct made *m)
{
	struct frames *s = VEC_ADD(&m->stacks);

	s->n = 1 + any(m, 6);
	s->v = calloc(s->n, sizeof(*s->v));
	assert_non_null(s->v);
	for (size_t i = 0; i < s->n; i++) {
		struct frame *f = &s->v[i];

		fill(m, &frame_fields, f, 1);
		if (any(m, 2)) {
			f->module = any_text(m);
			f->path = any_text(m);
			f->build_id = any_text(m);
		}
	}
}

struct made *made_new(uint32_t seed)
{
	struct made *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	m->random = seed;
	m->report.catalog = &jni_catalog;
	for (int i = 0; i < STACKS; i++)
		make_stack(m);
	fill(m, &report_fields, &m->report, 1);
	m->report.target.pid = (int)seed;
	m->report.elapsed_s = 0;
	m->report.time_unix_s = 1764432000.25;
	return m;
}

static void change_list(struct made *m, const struct field *list)
{
	if (!any(m, 2))
		assert_int_equal(saved_resize(&m->owner, list, &m->report, any(m, 12)), 0);
	for (size_t i = 0; i < list_length(list, &m->report); i++)
		if (!any(m, 2))
			fill(m, list->of, list_element(list, &m->report, i), 1 + (unsigned)any(m, 8));
}

void made_change(struct made *m, bool final)
{
	struct report_target target = m->report.target;
	double elapsed_s = m->report.elapsed_s + (any(m, 4) ? 1.0078125 : 0.125);

	fill(m, &report_fields, &m->report, 3);
	m->report.target.pid = target.pid;
	m->report.target.start_time_ticks = target.start_time_ticks;
	m->report.elapsed_s = elapsed_s;
	m->report.time_unix_s = 1764432000.25 + elapsed_s;
	m->report.final = final;
	for (int i = 0; i < NR_REPORT_LISTS; i++)
		change_list(m, &report_lists[i].list);
	for (size_t i = 0; i < m->report.sites.n; i++)
		mend_site(m, &m->report.sites.v[i]);
	for (size_t i = 0; i < m->report.before.n; i++)
		mend_of(m->report.before.v[i].of.v, m->report.before.v[i].of.n);
}

void made_free(struct made *m)
{
	m->owner.report = m->report;
	saved_free(&m->owner);
	for (size_t i = 0; i < m->stacks.n; i++)
		free(m->stacks.v[i].v);
	free(m->stacks.v);
	free(m);
}

/* Deep copies, but for texts and stacks, which stay. */
static void copy(struct saved *owner, const struct fields *of, const void *from, void *to)
{
	for (size_t i = 0; i < of->n; i++) {
		const struct field *f = &of->v[i];
		const void *x = (const char *)from + f->at;
		void *y = (char *)to + f->at;

		if (f->kind == FIELD_LIST) {
			memset(y, 0, f->bytes);
			*(size_t *)((char *)to + f->n_at) = 0;
			saved_resize(owner, f, to, list_length(f, from));
			for (size_t k = 0; k < list_length(f, from); k++) {
				memcpy(list_element(f, to, k), list_element(f, from, k), f->of->bytes);
				copy(owner, f->of, list_element(f, from, k), list_element(f, to, k));
			}
		} else if (f->kind == FIELD_POINTER && *(void *const *)x) {
			memset(y, 0, f->bytes);
			saved_pointer(owner, f, to, true);
			memcpy(*(void **)y, *(void *const *)x, f->of->bytes);
			copy(owner, f->of, *(void *const *)x, *(void **)y);
		} else if (f->kind == FIELD_STRUCT) {
			copy(owner, f->of, x, y);
		}
	}
}

const struct report *made_keep(struct made_list *list, const struct made *m)
{
	struct report *r = malloc(sizeof(*r)), **place = VEC_ADD(list);

	assert_true(r && place);
	*r = m->report;
	copy(&list->owner, &report_fields, &m->report, r);
	for (int i = 0; i < NR_REPORT_LISTS; i++) {
		const struct fields one = {&report_lists[i].list, 1, sizeof(*r)};

		copy(&list->owner, &one, &m->report, r);
	}
	*place = r;
	return r;
}

void made_list_free(struct made_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		struct saved s = {.report = *list->v[i]};

		saved_free(&s);
		free(list->v[i]);
	}
	free(list->v);
}

struct recorder *make_recorder(const struct recording_option *options, uint64_t bytes_per_hour)
{
	struct recorder *w;

	assert_int_equal(recorder_new(&jni_catalog, options, 0, bytes_per_hour, &w), 0);
	return w;
}

void compress_text(const char *text, size_t n, struct buf *out)
{
	size_t room = ZSTD_compressBound(n), got;
	char *to = malloc(room);

	assert_non_null(to);
	got = ZSTD_compress(to, room, text, n, 3);
	assert_false(ZSTD_isError(got));
	buf_add(out, to, got);
	free(to);
}

/* Equal by all rows; texts as they are cleaned. */
static void expect_equal(const struct fields *of, const void *a, const void *b, const char *path);

static void expect_equal_field(const struct field *f, const void *a, const void *b, const char *path)
{
	const void *x = (const char *)a + f->at, *y = (const char *)b + f->at;
	bool points = f->bytes == sizeof(char *);
	const char *s = points ? *(const char *const *)x : NULL, *t = points ? *(const char *const *)y : NULL;
	const struct frames *p = x, *q = y;

	switch (f->kind) {
	case FIELD_TEXT:
		if (!s != !t || (s && strcmp(s, t)))
			fail_msg("%s: '%s' became '%s'", path, s ?: "(null)", t ?: "(null)");
		return;
	case FIELD_CHARS:
		assert_string_equal((const char *)x, (const char *)y);
		return;
	case FIELD_MODULE:
	case FIELD_LATER:
		assert_int_equal(!s, !t);
		return;
	case FIELD_STACK:
		assert_int_equal(p->n, q->n);
		for (size_t i = 0; i < p->n; i++)
			expect_equal(&frame_fields, &p->v[i], &q->v[i], path);
		return;
	case FIELD_STRUCT:
		return expect_equal(f->of, x, y, path);
	case FIELD_POINTER:
		assert_int_equal(!s, !t);
		return s ? expect_equal(f->of, s, t, path) : (void)0;
	case FIELD_LIST:
		if (list_length(f, a) != list_length(f, b))
			fail_msg("%s: %zu became %zu", path, list_length(f, a), list_length(f, b));
		for (size_t i = 0; i < list_length(f, a); i++)
			expect_equal(f->of, list_element(f, a, i), list_element(f, b, i), path);
		return;
	case FIELD_STRUCTS:
		for (size_t i = 0; i < f->n && f->name(&jni_catalog, i); i++)
			expect_equal(f->of, (const char *)x + i * f->of->bytes,
				     (const char *)y + i * f->of->bytes, path);
		return;
	default:
		if (memcmp(x, y, f->bytes) && !((f->kind == FIELD_REAL || f->kind == FIELD_KNOWN) &&
						isnan(*(const double *)x) && isnan(*(const double *)y)))
			fail_msg("%s is another one", path);
	}
}

static void expect_equal(const struct fields *of, const void *a, const void *b, const char *path)
{
	char longer[512];

	for (size_t i = 0; i < of->n; i++) {
		snprintf(longer, sizeof(longer), "%s.%s", path, of->v[i].key);
		expect_equal_field(&of->v[i], a, b, longer);
	}
}

void expect_same_report(const struct report *want, const struct report *got)
{
	const struct view_opts o = {.width = 200, .stack_frames = 5, .all = true};
	struct buf a = {0}, b = {0};

	expect_equal(&report_fields, want, got, "report");
	for (int i = 0; i < NR_REPORT_LISTS; i++) {
		const struct field *list = &report_lists[i].list;

		assert_int_equal(list_length(list, want), list_length(list, got));
		for (size_t k = 0; k < list_length(list, want); k++)
			expect_equal(list->of, list_element(list, want, k), list_element(list, got, k),
				     list->key);
	}
	view_json(&a, &want, 1, &o);
	view_json(&b, &got, 1, &o);
	assert_false(a.failed || b.failed);
	assert_string_equal(a.p, b.p);
	buf_free(&a);
	buf_free(&b);
}
