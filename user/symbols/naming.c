/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Names of call sites. See naming.h. */
#include "symbols/naming.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct naming {
	const struct catalog *catalog; /* not owned */
	struct symbols *symbols;       /* not owned */
	struct named_sites sites;
	uint32_t *by_id; /* open hash: index in sites.v, + 1, by id */
	size_t by_id_size;
};

int naming_new(const struct catalog *catalog, struct symbols *symbols, struct naming **out)
{
	struct naming *n = calloc(1, sizeof(*n));

	if (!n)
		return -ENOMEM;
	n->catalog = catalog;
	n->symbols = symbols;
	*out = n;
	return 0;
}

void naming_free(struct naming *n)
{
	if (!n)
		return;
	for (size_t i = 0; i < n->sites.n; i++)
		free(n->sites.v[i].frames.v);
	free(n->sites.v);
	free(n->sites.by_number);
	free(n->by_id);
	free(n);
}

const struct named_sites *naming_sites(const struct naming *n)
{
	return &n->sites;
}

static uint64_t hash_str(uint64_t h, const char *s)
{
	return s ? fnv64(h, s, strlen(s) + 1) : fnv64(h, "", 1);
}

/* Only what is equal on every host that runs the same build: build-id and offset, or the names of Java. */
static uint64_t site_id(const char *func, const struct frames *frames)
{
	uint64_t h = hash_str(FNV64_INIT, func);

	for (size_t i = 0; i < frames->n; i++) {
		const struct frame *f = &frames->v[i];

		if (f->type == FRAME_JAVA) {
			h = hash_str(h, f->symbol);
			h = fnv64(h, &f->line, sizeof(f->line));
		} else if (!f->inlined) {
			h = hash_str(h, f->build_id ? f->build_id : f->module);
			h = fnv64(h, &f->offset, sizeof(f->offset));
		}
	}
	return h;
}

/* Only what is equal in two builds: functions and methods, else the file; inlined or not, as that differs. */
static uint64_t name_key(const char *func, const struct frames *frames)
{
	uint64_t h = hash_str(FNV64_INIT, func);

	for (size_t i = 0; i < frames->n; i++)
		h = hash_str(h, frames->v[i].symbol ? frames->v[i].symbol : frames->v[i].module);
	return h;
}

static int grow_index(struct naming *n)
{
	size_t size = n->by_id_size ? n->by_id_size * 2 : 256;
	uint32_t *index = calloc(size, sizeof(*index));

	if (!index)
		return -ENOMEM;
	for (size_t i = 0; i < n->sites.n; i++) {
		size_t at = n->sites.v[i].id & (size - 1);

		while (index[at])
			at = (at + 1) & (size - 1);
		index[at] = i + 1;
	}
	free(n->by_id);
	n->by_id = index;
	n->by_id_size = size;
	return 0;
}

/* The named site of this id, made when new. Returns its index, or -ENOMEM. */
static int64_t named_of(struct naming *n, uint64_t id, bool *is_new)
{
	struct named_site *site;
	size_t at;

	*is_new = false;
	if (n->sites.n * 2 >= n->by_id_size && grow_index(n))
		return -ENOMEM;
	for (at = id & (n->by_id_size - 1); n->by_id[at]; at = (at + 1) & (n->by_id_size - 1))
		if (n->sites.v[n->by_id[at] - 1].id == id)
			return n->by_id[at] - 1;
	site = VEC_ADD(&n->sites);
	if (!site)
		return -ENOMEM;
	site->id = id;
	n->by_id[at] = n->sites.n;
	*is_new = true;
	return n->sites.n - 1;
}

static int name_site(struct naming *n, const struct snapshot_site *s)
{
	struct frames frames = {0};
	const char *truncated = "the stack could not be kept (see drops)";
	const char *func = func_name(n->catalog, s->func);
	uint32_t lacks = 1U << END_NOT_KEPT;
	bool is_new = false;
	int64_t i;
	int rc = 0;

	if (s->stack)
		rc = symbols_stack(n->symbols, s->stack, &frames, &truncated, &lacks);
	i = rc ? rc : named_of(n, site_id(func, &frames), &is_new);
	if (is_new)
		n->sites.v[i] = (struct named_site){
		    .id = n->sites.v[i].id,
		    .name_key = name_key(func, &frames),
		    .func = s->func,
		    .frames = frames,
		    .truncated = truncated,
		    .no_stack = !s->stack,
		};
	else
		free(frames.v);
	if (i < 0)
		return (int)i;
	n->sites.by_number[s->index] = (struct site_name){.named = (uint32_t)i + 1, .lacks = lacks};
	return 0;
}

bool naming_lacks(const struct naming *n, const struct snapshot *s)
{
	for (size_t i = 0; i < s->sites.n; i++)
		if (!named_site_of(&n->sites, s->sites.v[i].index))
			return true;
	return false;
}

int naming_update(struct naming *n, const struct snapshot *s)
{
	int rc = 0;

	if (!n->sites.by_number) {
		n->sites.by_number = calloc(s->nr_index, sizeof(*n->sites.by_number));
		n->sites.nr_numbers = n->sites.by_number ? s->nr_index : 0;
	}
	if (!n->sites.by_number)
		return -ENOMEM;
	for (size_t i = 0; i < s->sites.n && !rc; i++) {
		const struct snapshot_site *site = &s->sites.v[i];

		if (site->index >= n->sites.nr_numbers || named_site_of(&n->sites, site->index))
			continue;
		if (site->has_stack && !site->stack)
			continue;
		rc = name_site(n, site);
	}
	return rc;
}
