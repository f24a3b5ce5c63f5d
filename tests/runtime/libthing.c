/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A library that hands out things, and takes them back. */
#include "things.h"

#include <stdlib.h>

#define THING_BYTES 24

void *thing_new(int fails)
{
	return fails ? NULL : calloc(1, THING_BYTES);
}

void thing_free(void *thing)
{
	free(thing);
}

int thing_use(void *thing)
{
	return ++*(int *)thing;
}

void thing_odd(void *thing)
{
	++*(int *)thing;
}

/* --- boxes, doors and desks: what pairs may look like ------------------------------------------------- */

#define NR_DESKS 64

static char places[1 << 16]; /* handles are addresses of these, each given once: nothing is freed */
static size_t nr_places;

static void *place(void)
{
	return &places[nr_places++ % sizeof(places)];
}

/* The seventh argument is where the box goes to. */
__attribute__((noinline)) int box_make(int a, int b, int c, int d, int e, int fails, void **out)
{
	if (a + b + c + d + e + fails)
		return -1;
	*out = place();
	return 0;
}

/* The hook may not come back. */
__attribute__((noinline)) int box_make_by(void (*hook)(void *), void *arg, void **out)
{
	hook(arg);
	*out = place();
	return 0;
}

/* All or none. */
__attribute__((noinline)) int box_make_many(int last_fails, unsigned n, void **out)
{
	for (unsigned i = 0; i < n; i++)
		if (box_make(0, 0, 0, 0, 0, last_fails && i + 1 == n, &out[i])) {
			while (i > 0)
				box_free(out[--i]);
			return -1;
		}
	return 0;
}

__attribute__((noinline)) void box_free(void *box)
{
	(void)box;
	__asm__ volatile("" ::: "memory");
}

/* Inside, what is being freed is used, and freed by another function of the family. */
__attribute__((noinline)) void box_close(void *box)
{
	box_look(box);
	box_free(box);
	box_look(box);
}

__attribute__((noinline)) void box_ref(void *box)
{
	(void)box;
	__asm__ volatile("" ::: "memory");
}

__attribute__((noinline)) void box_unref(void *box)
{
	(void)box;
	__asm__ volatile("" ::: "memory");
}

__attribute__((noinline)) int box_look(void *box)
{
	(void)box;
	__asm__ volatile("" ::: "memory");
	return 0;
}

static char door;

/* The same one every time: it has to be closed as often as it was opened. */
__attribute__((noinline)) void *door_open(int fails)
{
	return fails ? NULL : &door;
}

__attribute__((noinline)) void door_close(void *which)
{
	(void)which;
	__asm__ volatile("" ::: "memory");
}

static char desk_taken[NR_DESKS];

/* The lowest free number, 0 too; -1: none. */
__attribute__((noinline)) int desk_take(int fails)
{
	for (int i = 0; i < NR_DESKS && !fails; i++)
		if (!desk_taken[i]) {
			desk_taken[i] = 1;
			return i;
		}
	return -1;
}

__attribute__((noinline)) void desk_leave(int desk)
{
	if (desk >= 0 && desk < NR_DESKS)
		desk_taken[desk] = 0;
}

/* Another one of the same number in place of it. */
__attribute__((noinline)) void *box_replace(void *box, unsigned size)
{
	(void)box;
	return size ? place() : NULL;
}
