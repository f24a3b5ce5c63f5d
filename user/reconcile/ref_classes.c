/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Classes per site. See ref_classes.h. */
#include "reconcile/ref_classes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

/* A reference that was read: of which site, of which class; of java.lang.Class, which. */
struct found {
	uint32_t site;
	const struct vm_class *class, *of;
	const char *primitive;
};

#define ORDER(x, y) (((x) > (y)) - ((x) < (y)))

static int compare_found(const void *a, const void *b)
{
	const struct found *x = a, *y = b;
	int c = ORDER(x->site, y->site);

	c = c ?: ORDER(x->class, y->class);
	c = c ?: ORDER(x->of, y->of);
	return c ?: ORDER(x->primitive, y->primitive);
}

static int add_found(struct ref_classes *out, const struct found *f, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		bool again = i > 0 && !compare_found(&f[i - 1], &f[i]);
		struct site_class *c = again ? &out->classes.v[out->classes.n - 1] : VEC_ADD(&out->classes);

		if (!c)
			return -ENOMEM;
		if (!again)
			*c = (struct site_class){
			    .site = f[i].site,
			    .name = f[i].class->name,
			    .is_class = f[i].class->is_class,
			    .of = f[i].of ? f[i].of->name : f[i].primitive,
			    .of_loader = f[i].of ? f[i].of->loader : NULL,
			    .of_loader_id = f[i].of ? f[i].of->loader_id : 0,
			};
		c->count++;
	}
	return 0;
}

/*
 * Choose at most REF_CLASSES_MAX references, and where they are more than that the first of each site and by
 * chance of the rest: what was acquired in turns lies in turns, and each n-th might be of one site alone.
 * 0 or -ENOMEM.
 */
static int choose(const struct snapshot *s, struct vm *vm, struct vm_ref *refs, struct found *found,
		  size_t *n, bool *sampled)
{
	uint64_t one_in;
	bool *met = calloc(s->nr_index + 1, sizeof(*met));
	size_t all = 0, sites = 0, firsts;

	if (!met)
		return -ENOMEM;
	for (size_t i = 0; i < s->refs.n; i++) {
		uint32_t site = s->refs.v[i].site;

		if (!site || site >= s->nr_index)
			continue;
		all++;
		sites += !met[site];
		met[site] = true;
	}
	*sampled = all > REF_CLASSES_MAX;
	firsts = sites < REF_CLASSES_MAX / 2 ? sites : REF_CLASSES_MAX / 2;
	one_in = *sampled ? all / (REF_CLASSES_MAX / 8 * 7 - firsts) + 1 : 1;
	memset(met, 0, s->nr_index * sizeof(*met));
	for (size_t i = 0; i < s->refs.n && *n < REF_CLASSES_MAX; i++) {
		uint32_t site = s->refs.v[i].site;

		if (!site || site >= s->nr_index || (met[site] && mix64(s->refs.v[i].handle) % one_in))
			continue;
		met[site] = true;
		found[*n].site = site;
		refs[(*n)++].slot = vm_slot_of(vm, s->refs.v[i].handle);
	}
	free(met);
	return 0;
}

int ref_classes_read(struct vm *vm, const struct snapshot *s, struct ref_classes *out)
{
	struct vm_ref *refs = calloc(REF_CLASSES_MAX, sizeof(*refs));
	struct found *found = calloc(REF_CLASSES_MAX, sizeof(*found));
	size_t n = 0, kept = 0;
	int rc = refs && found ? 0 : -ENOMEM;

	out->classes.n = 0;
	vm_forget_classes(vm); /* a class may have been unloaded since */
	rc = rc ?: choose(s, vm, refs, found, &n, &out->sampled);
	rc = rc ?: vm_read_refs(vm, refs, n);
	for (size_t i = 0; i < n && rc == 0; i++)
		if (refs[i].state == REF_READ)
			found[kept++] =
			    (struct found){found[i].site, refs[i].class, refs[i].of, refs[i].primitive};
	if (rc == 0) {
		qsort(found, kept, sizeof(*found), compare_found);
		rc = add_found(out, found, kept);
	}
	free(refs);
	free(found);
	return rc;
}

void ref_classes_free(struct ref_classes *c)
{
	free(c->classes.v);
	memset(c, 0, sizeof(*c));
}
