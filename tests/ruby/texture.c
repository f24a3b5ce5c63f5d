/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Textures, as a library of graphics has them. One that is freed twice does no harm here: it is only counted.
 */
#include <stdlib.h>

struct texture {
	int live;
};
static unsigned frees;

struct texture *texture_new(void);
void texture_free(struct texture *t);
int texture_live(const struct texture *t);
unsigned texture_frees(void);

struct texture *texture_new(void)
{
	struct texture *t = malloc(sizeof(*t));

	if (t)
		t->live = 1;
	return t;
}

void texture_free(struct texture *t)
{
	t->live = 0;
	frees++;
}

int texture_live(const struct texture *t)
{
	return t->live;
}

unsigned texture_frees(void)
{
	return frees;
}
