/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Classes behind objects of java.lang.Class, by name. See report.h. */
#include <stdlib.h>
#include <string.h>

#include "model/report.h"

static int compare_loaders(const void *a, const void *b)
{
	const struct report_of *x = a, *y = b;
	int c = strcmp(x->name, y->name);

	return c ?: x->loader_id < y->loader_id ? -1 : x->loader_id > y->loader_id;
}

static int compare_counts(const void *a, const void *b)
{
	const struct report_of *x = a, *y = b;

	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	return strcmp(x->name, y->name);
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

/* last_id: of the loader that was added last; they come in this order. */
static void add(struct report_of *to, const struct report_of *from, uint64_t last_id)
{
	to->count += from->count;
	if (!from->loader_id || !to->loaders)
		to->loaders = 0;
	else
		to->loaders += from->loader_id != last_id;
	if (from->loader_id != to->loader_id)
		to->loader_id = 0;
	if (!same_text(from->loader, to->loader))
		to->loader = NULL;
}

size_t class_of_group(struct report_of *v, size_t n)
{
	uint64_t last_id = 0;
	size_t kept = 0;

	if (n > 1)
		qsort(v, n, sizeof(*v), compare_loaders);
	for (size_t i = 0; i < n; i++) {
		struct report_of now = v[i];

		now.loaders = now.loader_id != 0;
		if (kept > 0 && !strcmp(v[kept - 1].name, now.name))
			add(&v[kept - 1], &now, last_id);
		else
			v[kept++] = now;
		last_id = now.loader_id;
	}
	if (kept > 1)
		qsort(v, kept, sizeof(*v), compare_counts);
	return kept;
}
