/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "reconcile/weak_objects.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A weak reference that was read. */
struct found {
	uint32_t site;
	uint64_t object; /* 0: cleared */
};

static int compare_found(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	if (x->site != y->site)
		return x->site < y->site ? -1 : 1;
	return x->object == y->object ? 0 : x->object < y->object ? -1 : 1;
}

static int add_up(const struct found *f, size_t n, struct weak_look *out)
{
	for (size_t i = 0; i < n; i++) {
		bool same_site = i > 0 && f[i].site == f[i - 1].site;
		struct weak_site *w = same_site ? &out->sites.v[out->sites.n - 1] : VEC_ADD(&out->sites);

		if (!w)
			return -ENOMEM;
		if (!same_site)
			*w = (struct weak_site){.site = f[i].site};
		w->refs++;
		w->cleared += !f[i].object;
		w->objects += f[i].object && !(same_site && f[i].object == f[i - 1].object);
	}
	return 0;
}

/* The snapshot's weak references: their sites in found, their slots in refs. Returns how many. */
static size_t list_weak(const struct vm *vm, const struct catalog *catalog, const struct snapshot *s,
			struct found *found, struct vm_ref *refs)
{
	size_t n = 0;

	for (size_t i = 0; i < s->refs.n && n < WEAK_OBJECTS_MAX; i++) {
		const struct snapshot_ref *r = &s->refs.v[i];
		const struct snapshot_site *site = r->site ? snapshot_site_of(s, r->site) : NULL;

		if (!site || func_family(catalog, site->func) != FAMILY_WEAK)
			continue;
		found[n].site = r->site;
		refs[n++].slot = vm_slot_of(vm, r->handle);
	}
	return n;
}

static int read_objects(struct vm *vm, const struct catalog *catalog, const struct snapshot *s,
			struct weak_look *out)
{
	struct vm_ref *refs = calloc(WEAK_OBJECTS_MAX, sizeof(*refs));
	struct found *found = calloc(WEAK_OBJECTS_MAX, sizeof(*found));
	size_t n, kept = 0;
	int rc = -ENOMEM;

	if (refs && found) {
		n = list_weak(vm, catalog, s, found, refs);
		rc = n ? vm_read_refs(vm, refs, n) : 0;
		for (size_t i = 0; i < n && !rc; i++)
			if (refs[i].state != REF_UNREADABLE)
				found[kept++] = (struct found){
				    found[i].site, refs[i].state == REF_READ ? refs[i].object : 0};
		if (!rc && kept)
			qsort(found, kept, sizeof(*found), compare_found);
		rc = rc ?: add_up(found, kept, out);
		out->looked = !rc;
	}
	free(refs);
	free(found);
	return rc;
}

int weak_objects_read(struct vm *vm, const struct catalog *catalog, const struct snapshot *s, bool objects,
		      struct weak_look *out)
{
	struct error why = {0};
	uint64_t n;
	int rc;

	out->sites.n = 0;
	out->looked = false;
	out->collections = vm_collections(vm, &n) ? -1 : (int64_t)n;
	if (!objects)
		return 0;
	rc = vm_open_objects(vm, &why);
	out->never = rc == -EPROTO || rc == -EOPNOTSUPP;
	rc = rc ?: read_objects(vm, catalog, s, out);
	return rc == -ENOMEM ? rc : 0;
}

void weak_objects_free(struct weak_look *w)
{
	free(w->sites.v);
	memset(w, 0, sizeof(*w));
}
