/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which moments are kept. See marks.h. */
#include "record/marks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* How many marks are not behind this moment. */
static size_t count_until(const struct marks *m, size_t at)
{
	size_t lo = 0, hi = m->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (m->v[mid].at <= at)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static size_t distance(size_t a, size_t b)
{
	return a > b ? a - b : b - a;
}

/*
 * Which one goes: of those that are far the one whose neighbours are nearest to each other; when none is, the
 * farthest. 0: none may.
 */
static size_t find_least(const struct marks *m, size_t now)
{
	size_t least = 0, least_gap = SIZE_MAX, farthest = 0;

	for (size_t i = 1; i + 1 < m->n; i++) {
		size_t away = distance(m->v[i].at, now), gap = m->v[i + 1].at - m->v[i - 1].at;

		if (away > MARKS_NEAR && gap < least_gap) {
			least = i;
			least_gap = gap;
		}
		if (!farthest || away > distance(m->v[farthest].at, now))
			farthest = i;
	}
	return least ? least : farthest;
}

static void drop(struct marks *m, size_t i)
{
	m->bytes -= recording_mark_bytes(m->v[i].mark);
	recording_mark_free(m->v[i].mark);
	m->n--;
	memmove(&m->v[i], &m->v[i + 1], (m->n - i) * sizeof(*m->v));
}

int marks_add(struct marks *m, size_t at, struct recording_mark *mark, size_t now)
{
	size_t i = count_until(m, at), least;

	if (i > 0 && m->v[i - 1].at == at) {
		recording_mark_free(mark);
		return 0;
	}
	if (!VEC_ADD(m)) {
		recording_mark_free(mark);
		return -ENOMEM;
	}
	memmove(&m->v[i + 1], &m->v[i], (m->n - 1 - i) * sizeof(*m->v));
	m->v[i] = (struct mark){at, mark};
	m->bytes += recording_mark_bytes(mark);
	while (m->bytes > m->most_bytes && (least = find_least(m, now)))
		drop(m, least);
	return 0;
}

const struct mark *marks_find(const struct marks *m, size_t at)
{
	size_t n = count_until(m, at);

	return n ? &m->v[n - 1] : NULL;
}

size_t marks_missing(const struct marks *m, size_t at)
{
	size_t i = count_until(m, at), last = at > MARKS_NEAR ? at - MARKS_NEAR : 1;

	for (size_t wanted = at; wanted >= last; wanted--) {
		if (i == 0 || m->v[i - 1].at != wanted)
			return wanted;
		i--;
	}
	return 0;
}

void marks_free(struct marks *m)
{
	for (size_t i = 0; i < m->n; i++)
		recording_mark_free(m->v[i].mark);
	free(m->v);
	m->v = NULL;
	m->n = m->cap = 0;
	m->bytes = 0;
}
