/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Frames pushed and not popped. See left_frames.h. */
#include "reconcile/left_frames.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_BEHIND (1u << 16) /* frames whose references are counted; memory of the tool */

/* A frame with another one left upon it. */
struct behind {
	uint64_t block;
	size_t left; /* which of left_frames */
};
struct left_books {
	struct left_frames left; /* cap: of left.v */
	size_t cap;
	struct {
		struct behind *v;
		size_t n, cap;
	} behind;
};

int left_books_new(struct left_books **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

void left_books_free(struct left_books *b)
{
	if (!b)
		return;
	free(b->left.v);
	free(b->behind.v);
	free(b);
}

const struct left_frames *left_frames(const struct left_books *b)
{
	return &b->left;
}

/* Has the native method that pushed returned? */
static bool is_left(const struct local_look *look, const struct snapshot_push *p)
{
	const struct local_frame *f;

	if (p->push.returned)
		return true;
	if (look->gone || !look->known || look->still || (int32_t)(p->push.tick - look->tick) >= 0)
		return false; /* with the gate closed a pop goes unseen */
	f = vm_locals_frame(&look->vm, p->outer);
	if (!f)
		return look->vm.complete;
	if (f->maybe)
		return false;
	return f->in_java || f->anchor_sp != p->push.java_sp ||
	       (f->anchor_pc && p->push.java_pc && f->anchor_pc != p->push.java_pc); /* may be set later */
}

static struct left_frame *left_of(struct left_books *b, uint32_t site)
{
	for (size_t i = 0; i < b->left.n; i++)
		if (b->left.v[i].site == site)
			return &b->left.v[i];
	if (b->left.n == b->cap) {
		size_t cap = b->cap ? 2 * b->cap : 16;
		struct left_frame *v = realloc(b->left.v, cap * sizeof(*v));

		if (!v)
			return NULL;
		b->left.v = v;
		b->cap = cap;
	}
	b->left.v[b->left.n] = (struct left_frame){.site = site};
	return &b->left.v[b->left.n++];
}

static int tell(struct left_books *b, const struct snapshot *s, const struct snapshot_push *p,
		const struct push_store *store)
{
	struct left_frame *left = left_of(b, p->push.site);
	struct behind *behind;

	if (!left)
		return -ENOMEM;
	if (!left->count++)
		left->first_tick = s->now_tick;
	left->last_tick = s->now_tick;
	store->bury(store->store, p);
	if (b->behind.n == MAX_BEHIND)
		return 0;
	behind = VEC_ADD(&b->behind);
	if (!behind)
		return -ENOMEM;
	*behind = (struct behind){p->outer, (size_t)(left - b->left.v)};
	return 0;
}

/* Those of one place beside each other, the youngest last. */
static int compare_pushes(const void *a, const void *b)
{
	const struct push *x = &((const struct snapshot_push *)a)->push,
			  *y = &((const struct snapshot_push *)b)->push;

	if (x->env != y->env)
		return x->env < y->env ? -1 : 1;
	if (x->site != y->site)
		return x->site < y->site ? -1 : 1;
	if (x->sp != y->sp)
		return x->sp < y->sp ? -1 : 1;
	return (int32_t)(x->tick - y->tick);
}

static bool is_same_place(const struct push *x, const struct push *y)
{
	return x->env == y->env && x->site == y->site && x->sp == y->sp;
}

/* Pushes of one place that are all open. The last one may be popped yet. */
static int judge_pile(struct left_books *b, const struct snapshot *s, const struct snapshot_push *v, size_t n,
		      const struct push_store *store)
{
	struct left_frame *left = left_of(b, v->push.site);
	int rc = 0;

	if (!left)
		return -ENOMEM;
	if (n <= LEFT_PILE && !left->piles)
		return 0;
	left->piles = true;
	for (size_t i = 0; i + 1 < n && !rc; i++)
		rc = tell(b, s, &v[i], store);
	return rc;
}

/* Of n open pushes, sorted. */
static int judge_piles(struct left_books *b, const struct snapshot *s, const struct snapshot_push *v,
		       size_t n, const struct push_store *store)
{
	int rc = 0;

	for (size_t i = 0, next; i < n && !rc; i = next) {
		for (next = i + 1; next < n && is_same_place(&v[i].push, &v[next].push);)
			next++;
		if (next - i > 1)
			rc = judge_pile(b, s, &v[i], next - i, store);
	}
	return rc;
}

static int compare_addresses(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* The frames that others are pushed upon, sorted; NULL: out of memory. */
static uint64_t *outer_frames(const struct vm_locals *l, size_t *n)
{
	uint64_t *v = calloc(l->frames.n + 1, sizeof(*v));

	*n = 0;
	for (size_t i = 0; v && i < l->frames.n; i++)
		if (l->frames.v[i].outer)
			v[(*n)++] = l->frames.v[i].outer;
	if (v)
		qsort(v, *n, sizeof(*v), compare_addresses);
	return v;
}

/* How many references are alive in frames below those that were left. Those that the VM has freed are
 * forgotten: their blocks may be another frame's. */
static int count_behind(struct left_books *b, const struct local_look *look)
{
	size_t nr_outer, kept = 0;
	uint64_t *outer;

	if (!look->known || look->gone || !b->behind.n)
		return 0;
	outer = outer_frames(&look->vm, &nr_outer);
	if (!outer)
		return -ENOMEM;
	for (size_t i = 0; i < b->left.n; i++)
		b->left.v[i].locals = 0;
	for (size_t i = 0; i < b->behind.n; i++) {
		const struct behind *v = &b->behind.v[i];
		const struct local_frame *f = vm_locals_frame(&look->vm, v->block);
		bool there = f && bsearch(&v->block, outer, nr_outer, sizeof(*outer), compare_addresses);

		if (there)
			b->left.v[v->left].locals += f->live;
		if (there || !look->vm.complete)
			b->behind.v[kept++] = *v;
	}
	b->behind.n = kept;
	free(outer);
	return 0;
}

int left_books_update(struct left_books *b, const struct local_look *look, const struct snapshot *s,
		      const struct push_store *store)
{
	struct snapshot_push *open = calloc(s->pushes.n + 1, sizeof(*open));
	size_t n = 0;
	int rc = open ? 0 : -ENOMEM;

	for (size_t i = 0; i < s->pushes.n && !rc; i++) {
		const struct snapshot_push *p = &s->pushes.v[i];

		if (!store->holds(store->store, p))
			continue;
		if (is_left(look, p))
			rc = tell(b, s, p, store);
		else
			open[n++] = *p;
	}
	if (n > 1)
		qsort(open, n, sizeof(*open), compare_pushes);
	rc = rc ?: judge_piles(b, s, open, n, store);
	rc = rc ?: count_behind(b, look);
	free(open);
	return rc;
}
