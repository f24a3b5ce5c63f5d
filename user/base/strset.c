/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Interned strings. */
#include "base/strset.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"

#define FIRST_CAP 64 /* a power of two */

/* The slot that holds text, or the free one where it belongs. */
static char **find(char **slot, size_t cap, const char *text)
{
	size_t at = mix64(fnv64(FNV64_INIT, text, strlen(text))) & (cap - 1);

	while (slot[at] && strcmp(slot[at], text))
		at = (at + 1) & (cap - 1);
	return &slot[at];
}

static int grow(struct strset *s)
{
	size_t cap = s->cap ? 2 * s->cap : FIRST_CAP;
	char **slot = calloc(cap, sizeof(*slot));

	if (!slot)
		return -1;
	for (size_t i = 0; i < s->cap; i++)
		if (s->slot[i])
			*find(slot, cap, s->slot[i]) = s->slot[i];
	free(s->slot);
	s->slot = slot;
	s->cap = cap;
	return 0;
}

const char *strset_add(struct strset *s, const char *text)
{
	char **slot;

	if (2 * s->n >= s->cap && grow(s))
		return NULL;
	slot = find(s->slot, s->cap, text);
	if (!*slot) {
		*slot = strdup(text);
		if (*slot) {
			s->n++;
			s->bytes += strlen(text) + 1;
		}
	}
	return *slot;
}

void strset_free(struct strset *s)
{
	for (size_t i = 0; i < s->cap; i++)
		free(s->slot[i]);
	free(s->slot);
	*s = (struct strset){0};
}
