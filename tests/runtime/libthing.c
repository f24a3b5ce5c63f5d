/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A library that hands out things, and takes them back. */
#include <stdlib.h>

#define THING_BYTES 24

void *thing_new(int fails);
void thing_free(void *thing);
int thing_use(void *thing);
void thing_odd(void *thing);

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
