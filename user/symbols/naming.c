/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Names of call sites. See naming.h. */
#include "symbols/naming.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/util.h"

struct naming {
	const struct catalog *catalog; /* not owned */
	struct symbols *symbols;       /* not owned */
	struct named_sites sites;
	struct hash by_id; /* index in sites.v, + 1 */
	struct {
		uint32_t *v; /* indexes in sites.v */
		size_t n, cap;
	} later;        /* sites that have frames with a `later` */
	size_t put_off; /* sites without a name: of the last naming_update() */
	struct {
		struct frame **v;
		size_t n, cap;
	} replaced; /* frames that reports may still point to */
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
	free(n->later.v);
	for (size_t i = 0; i < n->replaced.n; i++)
		free(n->replaced.v[i]);
	free(n->replaced.v);
	hash_free(&n->by_id);
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

/* Is this function another family's, too, of a rule before this one's? */
static bool is_shared(const struct catalog *c, uint32_t func)
{
	for (uint32_t i = 0; i < func && func_kind(c, func) == KIND_PAIR; i++)
		if (func_kind(c, i) == KIND_PAIR && func_family(c, i) != func_family(c, func) &&
		    !strcmp(func_name(c, i), func_name(c, func)))
			return true;
	return false;
}

/* Only what is equal on every host that runs the same build: build-id and offset, or the names of Java. */
static uint64_t site_id(const struct catalog *c, uint32_t func, const struct frames *frames)
{
	uint64_t h = hash_str(FNV64_INIT, func_name(c, func));

	if (is_shared(c, func))
		h = hash_str(h, c->families[func_family(c, func)].name);

	for (size_t i = 0; i < frames->n; i++) {
		const struct frame *f = &frames->v[i];

		if (frame_is_managed(f)) {
			h = hash_str(h, f->symbol);
			h = fnv64(h, &f->line, sizeof(f->line));
		} else if (!f->inlined) {
			h = hash_str(h, f->build_id ? f->build_id : f->module);
			h = fnv64(h, &f->offset, sizeof(f->offset));
		}
	}
	return h;
}

/* The named site of this id, made when new. Returns its index, or -ENOMEM. */
static int64_t named_of(struct naming *n, uint64_t id, bool *is_new)
{
	uint32_t known = hash_find(&n->by_id, id, 0);
	struct named_site *site;

	*is_new = !known;
	if (known)
		return known - 1;
	site = VEC_ADD(&n->sites);
	if (!site || hash_set(&n->by_id, id, 0, (uint32_t)n->sites.n)) {
		n->sites.n -= site != NULL;
		*is_new = false;
		return -ENOMEM;
	}
	site->id = id;
	return n->sites.n - 1;
}

static bool has_later(const struct frames *frames)
{
	for (size_t i = 0; i < frames->n; i++)
		if (frames->v[i].later)
			return true;
	return false;
}

static int note_later(struct naming *n, uint32_t i)
{
	uint32_t *place = has_later(&n->sites.v[i].frames) ? VEC_ADD(&n->later) : NULL;

	if (place)
		*place = i;
	return place || !has_later(&n->sites.v[i].frames) ? 0 : -ENOMEM;
}

/* Put what has become known into the sites that wait for it: of some frames only when no more is to come. */
static int ask_again(struct naming *n)
{
	enum symbols_more enough = budget_slice_last(symbols_budget(n->symbols)) ? MORE_OF_SOME : MORE_OF_ALL;
	size_t kept = 0;
	int rc = 0;

	for (size_t k = 0; k < n->later.n; k++) {
		struct named_site *site = &n->sites.v[n->later.v[k]];
		enum symbols_more more = MORE_NONE;
		struct frames frames = {0};
		struct frame **old = NULL;

		if (!rc && (more = symbols_again(n->symbols, &site->frames, &frames)) >= enough) {
			old = VEC_ADD(&n->replaced);
			rc = old ? 0 : -ENOMEM;
		}
		if (!old || more == MORE_OF_SOME)
			n->later.v[kept++] = n->later.v[k];
		if (!old) {
			free(frames.v);
			continue;
		}
		*old = site->frames.v;
		site->frames = frames;
		site->name_key = frames_name_key(func_name(n->catalog, site->func), &frames);
	}
	n->later.n = kept;
	return rc;
}

/*
 * A call that a family counts and --check looks at is one site, though two probes have numbers for it: of the
 * family, whichever of them came first.
 */
static void take_family(const struct naming *n, struct named_site *site, uint32_t func)
{
	if (func_kind(n->catalog, site->func) == KIND_USE)
		site->func = func;
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
	i = rc ? rc : named_of(n, site_id(n->catalog, s->func, &frames), &is_new);
	if (is_new)
		n->sites.v[i] = (struct named_site){
		    .id = n->sites.v[i].id,
		    .name_key = frames_name_key(func, &frames),
		    .func = s->func,
		    .frames = frames,
		    .truncated = truncated,
		    .no_stack = !s->stack,
		};
	else
		free(frames.v);
	if (i < 0)
		return (int)i;
	take_family(n, &n->sites.v[i], s->func);
	rc = is_new ? note_later(n, (uint32_t)i) : 0;
	if (rc)
		return rc;
	n->sites.by_number[s->index] = (struct site_name){.named = (uint32_t)i + 1, .lacks = lacks};
	return 0;
}

bool naming_lacks(const struct naming *n, const struct snapshot *s)
{
	for (size_t i = 0; i < s->sites.n; i++)
		if (!named_site_of(&n->sites, s->sites.v[i].index))
			return true;
	return n->later.n;
}

bool naming_has_new(const struct naming *n, const struct snapshot *s)
{
	for (size_t i = 0; i < s->sites.n; i++) {
		uint32_t number = s->sites.v[i].index;

		if (!named_site_of(&n->sites, number) &&
		    (number >= n->sites.nr_numbers || !n->sites.by_number[number].put_off))
			return true;
	}
	return false;
}

size_t naming_pending(const struct naming *n)
{
	return n->later.n + n->put_off;
}

int naming_update(struct naming *n, const struct snapshot *s)
{
	struct budget *budget = symbols_budget(n->symbols);
	int rc = 0;

	if (!n->sites.by_number) {
		n->sites.by_number = calloc(s->nr_index, sizeof(*n->sites.by_number));
		n->sites.nr_numbers = n->sites.by_number ? s->nr_index : 0;
	}
	if (!n->sites.by_number)
		return -ENOMEM;
	n->put_off = 0;
	/* When time may run out for good, names come before the lines that helpers look for meanwhile. */
	budget_wait(budget, !budget_slice_last(budget));
	for (size_t i = 0; i < s->sites.n && !rc; i++) {
		const struct snapshot_site *site = &s->sites.v[i];

		if (site->index >= n->sites.nr_numbers || named_site_of(&n->sites, site->index))
			continue;
		budget_look(budget);
		if (site->has_stack && (!site->stack || symbols_wait(n->symbols, site->stack)))
			continue;
		rc = name_site(n, site);
		if (rc == -EAGAIN || rc == -EINTR) {
			n->sites.by_number[site->index].put_off = true;
			n->put_off++;
			rc = 0;
		}
	}
	budget_wait(budget, true);
	return rc ?: ask_again(n);
}
