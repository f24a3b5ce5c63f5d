/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Histories that are laid aside. See history_room.h. */
#include "judge/history_room.h"

#include <errno.h>
#include <stdlib.h>

#include "judge/history.h"

struct laid_aside {
	struct history h; /* first: a history that was taken is one of these */
	struct laid_aside *next;
};

static void lay_aside(struct history_room *r, struct laid_aside *a)
{
	struct laid_aside **of_its_size = a->h.cap == HISTORY_BINS ? &r->all : &r->few;

	a->next = *of_its_size;
	*of_its_size = a;
}

static struct laid_aside *pick(struct laid_aside **first, struct laid_aside **second)
{
	struct laid_aside **from = *first ? first : second, *a = *from;

	if (a)
		*from = a->next;
	return a;
}

int history_room_enter(struct history_room *r)
{
	size_t cap = r->whole < HISTORIES_WHOLE ? HISTORY_BINS : HISTORY_FEW_BINS;
	struct laid_aside *a = calloc(1, sizeof(*a));

	if (a)
		a->h.bins = calloc(cap, sizeof(*a->h.bins));
	if (!a || !a->h.bins) {
		free(a);
		return -ENOMEM;
	}
	a->h.cap = cap;
	r->whole += cap == HISTORY_BINS;
	lay_aside(r, a);
	return 0;
}

struct history *history_room_take(struct history_room *r)
{
	struct laid_aside *a = pick(&r->all, &r->few);

	return a ? &a->h : NULL;
}

void history_room_leave(struct history_room *r, struct history *h)
{
	struct laid_aside *a = (struct laid_aside *)h;

	if (a) {
		struct bin *bins = h->bins;
		size_t cap = h->cap;

		h->bins = NULL;
		history_free(h);
		h->bins = bins;
		h->cap = cap;
		lay_aside(r, a);
	}
	a = pick(&r->few, &r->all);
	if (!a)
		return;
	r->whole -= a->h.cap == HISTORY_BINS;
	history_free(&a->h);
	free(a);
}
