/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Sites that look alike. See alike.h. */
#include "view/alike.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "view/order.h"

static uint64_t owner_of(const struct row *r)
{
	return r->target ? mix64((uint64_t)r->target->pid) ^ r->target->start_time_ticks : 0;
}

/* 0: they read the same. */
static int compare_frames(const struct frame *a, const struct frame *b)
{
	int c = compare_text(a->symbol, b->symbol);

	c = c ?: compare_text(a->module, b->module);
	c = c ?: compare_text(a->file, b->file);
	c = c ?: MORE_FIRST(b->line, a->line);
	return c || frame_is_managed(a) ? c : MORE_FIRST(b->offset, a->offset);
}

/* Rows that look alike stand side by side, those with most frames in common next to each other. */
static int compare_looks(const void *va, const void *vb)
{
	const struct row *ra = *(struct row *const *)va, *rb = *(struct row *const *)vb;
	const struct report_site *a = ra->site, *b = rb->site;
	int c = MORE_FIRST(b->func, a->func);

	for (size_t i = 0; c == 0 && i < a->frames.n && i < b->frames.n; i++)
		c = compare_frames(&a->frames.v[i], &b->frames.v[i]);
	c = c ?: MORE_FIRST(b->frames.n, a->frames.n);
	c = c ?: MORE_FIRST(b->id, a->id);
	return c ?: MORE_FIRST(owner_of(rb), owner_of(ra));
}

/* The first frame in which the stacks differ, and what is above the VM's reads the same; else NO_FRAME. */
static size_t first_difference(const struct report_site *a, const struct report_site *b)
{
	const struct frame *fa = site_frame(a), *fb = site_frame(b);
	size_t i = 0;

	if (a->func != b->func || !fa || !fb || fa->line != fb->line || !is_same(fa->symbol, fb->symbol) ||
	    !is_same(fa->file, fb->file) || (!fa->symbol && fa->offset != fb->offset))
		return NO_FRAME;
	while (i < a->frames.n && i < b->frames.n && !compare_frames(&a->frames.v[i], &b->frames.v[i]))
		i++;
	return i;
}

/* Frames that read the same, but for where in a line they are. */
static bool reads_the_same(const struct report_site *a, const struct report_site *b, size_t at)
{
	const struct frame *fa = at < a->frames.n ? &a->frames.v[at] : NULL,
			   *fb = at < b->frames.n ? &b->frames.v[at] : NULL;

	return fa && fb && fa->line == fb->line && is_same(fa->file, fb->file) &&
	       is_same(fa->symbol, fb->symbol);
}

/* Of all rows, in whatever order. The id tells which frames; what is said of them moves when it changes. */
static uint64_t sum_of(struct row *const *v, size_t n)
{
	uint64_t sum = n;

	for (size_t i = 0; i < n; i++) {
		const struct report_site *s = v[i]->site;

		sum += mix64(s->id ^ mix64((uintptr_t)s->frames.v ^ mix64(owner_of(v[i]))));
	}
	return sum;
}

struct alike_mark {
	size_t differs[2];
	bool by_offset;
};

static void put_marks(struct row *const *v, size_t n, const struct alike *last)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t at = hash_find(&last->index, v[i]->site->id, owner_of(v[i]));

		if (!at)
			continue;
		memcpy(v[i]->differs, last->marks[at - 1].differs, sizeof(v[i]->differs));
		v[i]->by_offset = last->marks[at - 1].by_offset;
	}
}

static int keep_marks(struct row *const *v, size_t n, struct alike *last)
{
	int rc = 0;

	alike_free(last);
	last->marks = calloc(n + 1, sizeof(*last->marks));
	if (!last->marks)
		return -ENOMEM;
	for (size_t i = 0; i < n && !rc; i++) {
		memcpy(last->marks[i].differs, v[i]->differs, sizeof(v[i]->differs));
		last->marks[i].by_offset = v[i]->by_offset;
		rc = hash_set(&last->index, v[i]->site->id, owner_of(v[i]), (uint32_t)(i + 1));
	}
	if (rc) {
		alike_free(last);
		return rc;
	}
	last->n = n;
	last->sum = sum_of(v, n);
	return 0;
}

static void mark(struct row **v, size_t n)
{
	if (n > 1)
		qsort(v, n, sizeof(*v), compare_looks);
	for (size_t i = 1; i < n; i++) {
		size_t at = first_difference(v[i - 1]->site, v[i]->site);

		v[i - 1]->differs[1] = v[i]->differs[0] = at;
		if (at != NO_FRAME && reads_the_same(v[i - 1]->site, v[i]->site, at))
			v[i - 1]->by_offset = v[i]->by_offset = true;
	}
}

int rows_tell_apart(struct rows *rows, size_t shown, struct alike *last)
{
	struct row **v = calloc(shown + 1, sizeof(*v));
	size_t n = 0;
	int rc = 0;

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < shown; i++)
		if (rows->v[i].site)
			v[n++] = &rows->v[i];
	if (last && last->marks && last->n == n && last->sum == sum_of(v, n)) {
		put_marks(v, n, last);
	} else {
		mark(v, n);
		rc = last ? keep_marks(v, n, last) : 0;
	}
	free(v);
	return rc;
}

void alike_free(struct alike *last)
{
	hash_free(&last->index);
	free(last->marks);
	*last = (struct alike){0};
}
