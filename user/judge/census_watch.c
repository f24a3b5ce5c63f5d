/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Growth of counts. See census_watch.h. */
#include "judge/census_watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

#define MAX_SERIES 4096

struct named_series {
	enum vm_table table;
	char *name; /* NULL: the whole table */
	struct history h;
	double seen_s; /* when it was last seen */
};
struct census_watch {
	struct {
		struct named_series **v;
		size_t n, cap;
	} series;
};

int census_watch_new(struct census_watch **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

static void named_free(struct named_series *s)
{
	if (s) {
		free(s->name);
		history_free(&s->h);
	}
	free(s);
}

void census_watch_free(struct census_watch *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < w->series.n; i++)
		named_free(w->series.v[i]);
	free(w->series.v);
	free(w);
}

static struct named_series *find(const struct census_watch *w, enum vm_table table, const char *name)
{
	for (size_t i = 0; i < w->series.n; i++) {
		struct named_series *s = w->series.v[i];

		if (s->table == table && !s->name == !name && (!name || strcmp(s->name, name) == 0))
			return s;
	}
	return NULL;
}

static int read_count(struct named_series *s, double t_s, uint64_t count)
{
	struct reading r = {.t_s = t_s, .outstanding = count};

	s->seen_s = t_s;
	return history_judge(&s->h, &r);
}

static int add(struct census_watch *w, enum vm_table table, const char *name, double t_s, uint64_t count)
{
	struct named_series *s = find(w, table, name), **place;

	if (!s) {
		if (w->series.n == MAX_SERIES)
			return 0;
		s = calloc(1, sizeof(*s));
		if (s && name)
			s->name = strdup(name);
		place = s && (!name || s->name) ? VEC_ADD(&w->series) : NULL;
		if (!place) {
			named_free(s);
			return -ENOMEM;
		}
		s->table = table;
		*place = s;
	}
	return read_count(s, t_s, count);
}

int census_watch_add(struct census_watch *w, const struct census *c)
{
	int rc = 0;

	for (int t = 0; t < NR_VM_TABLES && c->refs_known && rc == 0; t++)
		rc = add(w, (enum vm_table)t, NULL, c->elapsed_s, c->refs[t]);
	for (size_t i = 0; i < c->classes.n && rc == 0; i++)
		rc = add(w, c->classes.v[i].table, c->classes.v[i].name, c->elapsed_s, c->classes.v[i].count);
	/* A class that has gone has none now. */
	for (size_t i = 0; i < w->series.n && c->classes_known && rc == 0; i++) {
		struct named_series *s = w->series.v[i];

		if (s->name && s->seen_s < c->elapsed_s)
			rc = read_count(s, c->elapsed_s, 0);
	}
	return rc;
}

static void judge(const struct census_watch *w, enum vm_table table, const char *name, double limit,
		  struct growth *out)
{
	struct named_series *s = find(w, table, name);
	struct history none = {0};

	history_growth(s ? &s->h : &none, limit, out);
}

void census_watch_judge(const struct census_watch *w, double limit, struct census *c)
{
	c->watched = true;
	c->limit = limit;
	for (int t = 0; t < NR_VM_TABLES; t++)
		judge(w, (enum vm_table)t, NULL, limit, &c->growth[t]);
	for (size_t i = 0; i < c->classes.n; i++)
		judge(w, c->classes.v[i].table, c->classes.v[i].name, limit, &c->classes.v[i].growth);
}
