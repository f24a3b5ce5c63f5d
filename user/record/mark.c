/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Moments of a recording to come back to. See recording.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "record/recording_priv.h"

struct subjects {
	struct subject **v;
	size_t n;
};
struct recording_mark {
	struct lines_place place;
	struct subjects subjects;
	size_t nr_subjects, live;
	uint64_t nr_reports, skipped, bytes;
	double at_s;
	bool whole;
	struct report **reports; /* of the subjects; NULL: nobody has asked */
};

static void free_subjects(struct subjects *s)
{
	for (size_t i = 0; i < s->n; i++)
		subject_free(s->v[i]);
	free(s->v);
	*s = (struct subjects){0};
}

/* NULL: no memory. Which sites were said is asked of the moment that is being read only. */
static struct subject *copy_subject(const struct subject *from)
{
	struct subject *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->number = from->number;
	s->start_s = from->start_s;
	s->order = from->order;
	s->reported = from->reported;
	s->ended = from->ended;
	if (saved_copy(&s->saved, &from->saved)) {
		subject_free(s);
		return NULL;
	}
	return s;
}

/* Room for one is there in any case. */
static int copy_subjects(struct subject *const *v, size_t n, struct subjects *out)
{
	*out = (struct subjects){.v = calloc(n + 1, sizeof(*out->v))};
	for (size_t i = 0; out->v && i < n; i++) {
		out->v[i] = copy_subject(v[i]);
		if (!out->v[i])
			break;
		out->n++;
	}
	if (out->v && out->n == n)
		return 0;
	free_subjects(out);
	return -ENOMEM;
}

static int finish(struct recording_mark *m, int rc, struct recording_mark **out)
{
	if (rc) {
		free(m);
		m = NULL;
	} else {
		m->bytes = sizeof(*m);
		for (size_t i = 0; i < m->subjects.n; i++)
			m->bytes += subject_bytes(m->subjects.v[i]);
	}
	*out = m;
	return rc;
}

int recording_mark(const struct recording *r, struct recording_mark **out)
{
	struct recording_mark *m = calloc(1, sizeof(*m));

	*out = NULL;
	if (!m)
		return -ENOMEM;
	m->place = lines_place(r->lines);
	m->nr_subjects = r->nr_subjects;
	m->live = r->live;
	m->nr_reports = r->nr_reports;
	m->skipped = r->skipped;
	m->at_s = r->at_s;
	m->whole = r->whole;
	return finish(m, copy_subjects(r->subjects.v, r->subjects.n, &m->subjects), out);
}

int recording_mark_copy(const struct recording_mark *from, struct recording_mark **out)
{
	struct recording_mark *m = malloc(sizeof(*m));

	*out = NULL;
	if (!m)
		return -ENOMEM;
	*m = *from;
	m->reports = NULL;
	return finish(m, copy_subjects(from->subjects.v, from->subjects.n, &m->subjects), out);
}

void recording_mark_free(struct recording_mark *m)
{
	if (!m)
		return;
	free_subjects(&m->subjects);
	free(m->reports);
	free(m);
}

uint64_t recording_mark_bytes(const struct recording_mark *m)
{
	return m->bytes;
}

int recording_go(struct recording *r, const struct recording_mark *m)
{
	struct subjects copy, was = {r->subjects.v, r->subjects.n};
	int rc = copy_subjects(m->subjects.v, m->subjects.n, &copy);

	if (rc)
		return rc;
	free_subjects(&was);
	r->subjects.v = copy.v;
	r->subjects.n = copy.n;
	r->subjects.cap = copy.n + 1;
	r->subject_bytes = 0;
	for (size_t i = 0; i < copy.n; i++)
		r->subject_bytes += subject_bytes(copy.v[i]);
	r->nr_subjects = m->nr_subjects;
	r->live = m->live;
	r->nr_reports = m->nr_reports;
	r->skipped = m->skipped;
	r->at_s = m->at_s;
	r->whole = m->whole;
	lines_go(r->lines, &m->place);
	return 0;
}

int recording_mark_reports(struct recording_mark *m, struct report ***out)
{
	if (!m->reports)
		m->reports = calloc(m->subjects.n + 1, sizeof(struct report *));
	if (!m->reports)
		return -ENOMEM;
	for (size_t i = 0; i < m->subjects.n; i++) {
		if (subject_show(m->subjects.v[i]))
			return -ENOMEM;
		m->reports[i] = &m->subjects.v[i]->shown;
	}
	*out = m->reports;
	return (int)m->subjects.n;
}
