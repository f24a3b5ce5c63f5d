/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Names of classes in few cells. See class_names.h. */
#include "screen/class_names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MOST_PARTS 100

const char *class_of_row(const struct row *r, size_t *more)
{
	*more = r->site && r->site->classes.n ? r->site->classes.n - 1 : 0;
	return r->site ? r->site->classes.n ? r->site->classes.v[0].name : NULL : r->class;
}

/* Is what begins behind this character a part of its own? */
static bool ends_part(const char *name, size_t i)
{
	char next = name[i + 1];

	if (name[i] == '.')
		return next && next != '.';
	if (name[i] != '$' || i == 0 || name[i - 1] == '$' || name[i - 1] == '.')
		return false;
	return next && next != '$' && next != '.' && !(next >= '0' && next <= '9');
}

/* Where the last parts of a name begin. */
static size_t tail_at(const char *name, unsigned parts)
{
	for (size_t i = strlen(name); i-- > 0;)
		if (ends_part(name, i) && --parts == 0)
			return i + 1;
	return 0;
}

void class_tail(struct buf *out, const char *name, unsigned parts)
{
	buf_printf(out, "%s", name + tail_at(name, parts ? parts : 1));
}

void class_short(struct buf *out, const char *name, unsigned parts)
{
	const char *dot = strrchr(name, '.');
	size_t at = tail_at(name, parts ? parts : 1), class = dot ? (size_t)(dot + 1 - name) : 0;

	buf_printf(out, "%s", name + (at < class ? at : class));
}

/* --- how many parts --- */

/* A name, and where to say how many parts it takes. */
struct place {
	const char *name;
	size_t n;
	uint8_t *parts;
};

/* By their ends: those that have most parts in common are next to each other. */
static int compare_ends(const void *va, const void *vb)
{
	const struct place *a = va, *b = vb;
	size_t least = a->name == b->name ? 0 : a->n < b->n ? a->n : b->n; /* most are one text */

	for (size_t i = 1; i <= least; i++)
		if (a->name[a->n - i] != b->name[b->n - i])
			return (unsigned char)a->name[a->n - i] < (unsigned char)b->name[b->n - i] ? -1 : 1;
	return a->n < b->n ? -1 : a->n > b->n;
}

/* Of names that differ: the parts at their ends that do not, and the first that does. */
static unsigned parts_to_tell(const struct place *a, const struct place *b)
{
	const struct place *longer = a->n < b->n ? b : a;
	unsigned parts = 1;
	size_t i;

	for (i = 1; i <= a->n && i <= b->n && a->name[a->n - i] == b->name[b->n - i]; i++)
		parts += ends_part(a->name, a->n - i);
	if (i <= longer->n && (i > a->n || i > b->n)) /* one is the end of the other */
		parts += ends_part(longer->name, longer->n - i);
	return parts < MOST_PARTS ? parts : MOST_PARTS;
}

static void tell_apart(struct place *v, size_t n)
{
	for (size_t i = 0, next; i < n; i = next) {
		unsigned parts = i ? parts_to_tell(&v[i - 1], &v[i]) : 1, after;

		for (next = i + 1; next < n && !compare_ends(&v[i], &v[next]); next++)
			;
		after = next < n ? parts_to_tell(&v[i], &v[next]) : 1;
		for (size_t k = i; k < next; k++)
			*v[k].parts = (uint8_t)(after > parts ? after : parts);
	}
}

int class_parts_find(const struct rows *rows, struct class_parts *parts)
{
	struct place *v = calloc(2 * rows->n + 1, sizeof(*v));
	size_t n = 0, more;

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < rows->n; i++) {
		const char *names[] = {class_of_row(&rows->v[i], &more), rows->v[i].of.name};
		uint8_t *places[] = {&parts[i].class, &parts[i].of};

		for (size_t k = 0; k < ARRAY_LEN(names); k++)
			if (names[k])
				v[n++] = (struct place){names[k], strlen(names[k]), places[k]};
	}
	if (n)
		qsort(v, n, sizeof(*v), compare_ends);
	tell_apart(v, n);
	free(v);
	return 0;
}
