/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Growth of counts. See census_watch.h. */
#include "judge/census_watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

#define MAX_SERIES 4096

enum series_of {
	OF_TABLE,    /* all references of a table */
	OF_CLASS,    /* those of a class in a table */
	OF_LOCALS,   /* local references of all threads */
	OF_THREAD,   /* of one */
	OF_ATTACHED, /* threads that native code has attached */
};
struct key {
	enum series_of of;
	enum vm_table table;
	const char *name; /* of the class, else NULL */
	pid_t tid;        /* of the thread, else 0 */
};
struct series {
	struct key key; /* with a name of its own */
	struct history h;
	double seen_s; /* when it was last seen */
};
struct census_watch {
	struct {
		struct series **v;
		size_t n, cap;
	} series;
	double classes_from_s, classes_s; /* first and last reading of classes; negative: none yet */
};

int census_watch_new(struct census_watch **out)
{
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	(*out)->classes_from_s = (*out)->classes_s = -1;
	return 0;
}

static void series_free(struct series *s)
{
	if (s) {
		free((char *)s->key.name);
		history_free(&s->h);
	}
	free(s);
}

void census_watch_free(struct census_watch *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < w->series.n; i++)
		series_free(w->series.v[i]);
	free(w->series.v);
	free(w);
}

static bool same_key(const struct key *a, const struct key *b)
{
	return a->of == b->of && a->table == b->table && a->tid == b->tid &&
	       (!a->name || strcmp(a->name, b->name) == 0);
}

static struct series *find(const struct census_watch *w, const struct key *key)
{
	for (size_t i = 0; i < w->series.n; i++)
		if (same_key(&w->series.v[i]->key, key))
			return w->series.v[i];
	return NULL;
}

static int read_count(struct series *s, double t_s, uint64_t count)
{
	struct reading r = {.t_s = t_s, .outstanding = count};

	s->seen_s = t_s;
	return history_judge(&s->h, &r);
}

/* A class that is new had no reference at the readings before. */
static int begin(const struct census_watch *w, struct series *s)
{
	int rc = 0;

	if (s->key.of != OF_CLASS || w->classes_from_s < 0)
		return 0;
	rc = read_count(s, w->classes_from_s, 0);
	if (rc == 0 && w->classes_s > w->classes_from_s)
		rc = read_count(s, w->classes_s, 0);
	return rc;
}

static int add(struct census_watch *w, struct key key, double t_s, uint64_t count)
{
	struct series *s = find(w, &key), **place;
	int rc;

	if (!s) {
		if (w->series.n == MAX_SERIES)
			return 0;
		s = calloc(1, sizeof(*s));
		if (!s)
			return -ENOMEM;
		s->key = key;
		s->key.name = key.name ? strdup(key.name) : NULL;
		place = !key.name || s->key.name ? VEC_ADD(&w->series) : NULL;
		if (!place) {
			series_free(s);
			return -ENOMEM;
		}
		*place = s;
		rc = begin(w, s);
		if (rc < 0)
			return rc;
	}
	return read_count(s, t_s, count);
}

static int add_threads(struct census_watch *w, const struct census *c)
{
	int rc = 0;

	if (!c->threads_known)
		return 0;
	if (c->local_refs >= 0)
		rc = add(w, (struct key){.of = OF_LOCALS}, c->elapsed_s, (uint64_t)c->local_refs);
	if (c->native_attached >= 0 && rc == 0)
		rc = add(w, (struct key){.of = OF_ATTACHED}, c->elapsed_s, (uint64_t)c->native_attached);
	for (size_t i = 0; i < c->threads.n && rc == 0; i++) {
		const struct census_thread *t = &c->threads.v[i];
		const struct key key = {.of = OF_THREAD, .tid = t->tid};

		if (t->local_refs > 0 || (t->local_refs == 0 && find(w, &key)))
			rc = add(w, key, c->elapsed_s, (uint64_t)t->local_refs);
	}
	return rc;
}

/* Threads that have ended: their number may be given to others. */
static void forget_threads(struct census_watch *w, const struct census *c)
{
	size_t kept = 0;

	for (size_t i = 0; i < w->series.n; i++) {
		struct series *s = w->series.v[i];
		bool there = s->key.of != OF_THREAD;

		for (size_t k = 0; k < c->threads.n && !there; k++)
			there = c->threads.v[k].tid == s->key.tid;
		if (there)
			w->series.v[kept++] = s;
		else
			series_free(s);
	}
	w->series.n = kept;
}

static int add_classes(struct census_watch *w, const struct census *c)
{
	int rc = 0;

	for (size_t i = 0; i < c->classes.n && rc == 0; i++) {
		const struct census_class *class = &c->classes.v[i];

		rc = add(w, (struct key){OF_CLASS, class->table, class->name, 0}, c->elapsed_s, class->count);
	}
	/* A class that has gone has none now. */
	for (size_t i = 0; i < w->series.n && rc == 0; i++) {
		struct series *s = w->series.v[i];

		if (s->key.of == OF_CLASS && s->seen_s < c->elapsed_s)
			rc = read_count(s, c->elapsed_s, 0);
	}
	w->classes_from_s = w->classes_from_s < 0 ? c->elapsed_s : w->classes_from_s;
	w->classes_s = c->elapsed_s;
	return rc;
}

int census_watch_add(struct census_watch *w, const struct census *c)
{
	int rc = 0;

	for (int t = 0; t < NR_VM_TABLES && c->refs_known && rc == 0; t++)
		rc =
		    add(w, (struct key){.of = OF_TABLE, .table = (enum vm_table)t}, c->elapsed_s, c->refs[t]);
	if (rc == 0 && c->threads_known)
		forget_threads(w, c);
	rc = rc ?: add_threads(w, c);
	if (c->classes_known)
		rc = rc ?: add_classes(w, c);
	return rc;
}

static void judge(const struct census_watch *w, struct key key, double limit, struct flat *flat,
		  struct growth *out)
{
	struct series *s = find(w, &key);
	struct history none = {0};

	history_growth(s ? &s->h : &none, limit, flat, out);
}

void census_watch_judge(const struct census_watch *w, double limit, struct census *c)
{
	struct flat flat = {0};

	c->watched = true;
	c->limit = limit;
	for (int t = 0; t < NR_VM_TABLES; t++)
		judge(w, (struct key){.of = OF_TABLE, .table = (enum vm_table)t}, limit, &flat,
		      &c->growth[t]);
	for (size_t i = 0; i < c->classes.n; i++) {
		struct census_class *class = &c->classes.v[i];

		judge(w, (struct key){OF_CLASS, class->table, class->name, 0}, limit, &flat, &class->growth);
	}
	judge(w, (struct key){.of = OF_LOCALS}, 0, &flat, &c->local_growth);
	judge(w, (struct key){.of = OF_ATTACHED}, 0, &flat, &c->attached_growth);
	for (size_t i = 0; i < c->threads.n; i++)
		judge(w, (struct key){.of = OF_THREAD, .tid = c->threads.v[i].tid}, 0, &flat,
		      &c->threads.v[i].growth);
}

void census_watch_curve(const struct census_watch *w, enum vm_table table, struct curve *out)
{
	const struct key key = {.of = OF_TABLE, .table = table};
	const struct series *s = find(w, &key);
	struct samples samples = {0};

	_Static_assert(CURVE_POINTS == FORECAST_SAMPLES, "a curve has as many points as a history gives");
	if (s)
		history_samples(&s->h, AGE_NONE, 0, &samples);
	out->n = samples.n;
	memcpy(out->t_s, samples.t_s, sizeof(out->t_s));
	memcpy(out->count, samples.count, sizeof(out->count));
}
