/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A report that owns what it points to. See saved.h. */
#include "record/saved.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* As in the aggregate: what changes in so short a time says little of a pace. */
#define MOMENT_S 0.3

/* Elements there is room for in a list of n. */
static size_t room(size_t n)
{
	size_t cap = n ? 4 : 0;

	while (cap < n)
		cap *= 2;
	return cap;
}

static void free_members(struct saved *s, const struct fields *of, void *p);

static void free_elements(struct saved *s, const struct field *list, void *in, size_t from)
{
	for (size_t i = from; i < list_length(list, in); i++)
		free_members(s, list->of, list_element(list, in, i));
}

static void free_members(struct saved *s, const struct fields *of, void *p)
{
	for (size_t i = 0; i < of->n; i++) {
		const struct field *f = &of->v[i];

		if (f->kind == FIELD_LIST)
			saved_resize(s, f, p, 0);
		else if (f->kind == FIELD_POINTER)
			saved_pointer(s, f, p, false);
		else if (f->kind == FIELD_STRUCT)
			free_members(s, f->of, (char *)p + f->at);
	}
}

int saved_resize(struct saved *s, const struct field *list, void *to, size_t n)
{
	void **v = (void **)((char *)to + list->at);
	size_t *length = (size_t *)((char *)to + list->n_at), was = *length;
	size_t bytes = list->of->bytes, had = room(was);

	if (n < was)
		free_elements(s, list, to, n);
	if (room(n) != had) {
		void *p = n ? reallocarray(*v, room(n), bytes) : NULL;

		if (n && !p)
			return n < was ? (*length = n, 0) : -ENOMEM;
		if (!n)
			free(*v);
		*v = p;
		s->bytes += (room(n) - had) * bytes;
	}
	if (n > was)
		memset((char *)*v + was * bytes, 0, (n - was) * bytes);
	*length = n;
	return 0;
}

int saved_pointer(struct saved *s, const struct field *f, void *to, bool want)
{
	void **p = (void **)((char *)to + f->at);

	if (want && !*p) {
		*p = calloc(1, f->of->bytes);
		if (!*p)
			return -ENOMEM;
		s->bytes += f->of->bytes;
	} else if (!want && *p) {
		free_members(s, f->of, *p);
		free(*p);
		*p = NULL;
		s->bytes -= f->of->bytes;
	}
	return 0;
}

static int own_members(struct saved *s, const struct fields *of, void *p);

/* A list, which is another one's until now; empty where there is no memory. */
static int own_list(struct saved *s, const struct field *list, void *in)
{
	void **v = (void **)((char *)in + list->at), *from = *v;
	size_t n = list_length(list, in);
	int rc = 0;

	*v = NULL;
	*(size_t *)((char *)in + list->n_at) = 0;
	if (!n)
		return 0;
	if (saved_resize(s, list, in, n))
		return -ENOMEM;
	memcpy(*v, from, n * list->of->bytes);
	for (size_t i = 0; i < n; i++)
		rc = own_members(s, list->of, list_element(list, in, i)) ?: rc;
	return rc;
}

static int own_pointer(struct saved *s, const struct field *f, void *in)
{
	void **p = (void **)((char *)in + f->at), *from = *p;

	*p = NULL;
	if (!from)
		return 0;
	if (saved_pointer(s, f, in, true))
		return -ENOMEM;
	memcpy(*p, from, f->of->bytes);
	return own_members(s, f->of, *p);
}

/* What a struct points to that is another one's becomes its own: a copy. Goes on without memory. */
static int own_members(struct saved *s, const struct fields *of, void *p)
{
	int rc = 0;

	for (size_t i = 0; i < of->n; i++) {
		const struct field *f = &of->v[i];

		if (f->kind == FIELD_LIST)
			rc = own_list(s, f, p) ?: rc;
		else if (f->kind == FIELD_POINTER)
			rc = own_pointer(s, f, p) ?: rc;
		else if (f->kind == FIELD_STRUCT)
			rc = own_members(s, f->of, (char *)p + f->at) ?: rc;
	}
	return rc;
}

int saved_copy(struct saved *to, const struct saved *from)
{
	int rc;

	*to = (struct saved){.report = from->report, .last_s = from->last_s};
	rc = own_members(to, &report_fields, &to->report);
	for (int i = 0; i < NR_REPORT_LISTS; i++)
		rc = own_list(to, &report_lists[i].list, &to->report) ?: rc;
	return rc;
}

void saved_free(struct saved *s)
{
	free_members(s, &report_fields, &s->report);
	for (int i = 0; i < NR_REPORT_LISTS; i++)
		saved_resize(s, &report_lists[i].list, &s->report, 0);
	strset_free(&s->text);
}

void saved_rates(const struct saved *s, struct report_site *site, uint64_t acquired, uint64_t outstanding)
{
	const struct report *r = &s->report;
	double since_last_s = r->elapsed_s - s->last_s;
	double interval_s = r->final ? r->elapsed_s : since_last_s;

	if (since_last_s > MOMENT_S)
		site->recent_per_s = ((double)site->outstanding - (double)outstanding) / since_last_s;
	site->rate_per_s = site->acquired_per_s = 0;
	if (!(interval_s > 0))
		return;
	site->rate_per_s = ((double)site->outstanding - (r->final ? 0 : (double)outstanding)) / interval_s;
	site->acquired_per_s = (double)(site->acquired - (r->final ? 0 : acquired)) / interval_s;
}
