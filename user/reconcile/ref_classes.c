/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Classes per site. See ref_classes.h. */
#include "reconcile/ref_classes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

int ref_classes_read(struct vm *vm, const struct snapshot *s, struct ref_classes *out)
{
	struct vm_ref *refs = calloc(REF_CLASSES_MAX, sizeof(*refs));
	struct found *found = calloc(REF_CLASSES_MAX, sizeof(*found));
	size_t n = 0, kept = 0, all = 0, stride;
	int rc = refs && found ? 0 : -ENOMEM;

	for (size_t i = 0; i < s->refs.n; i++)
		all += s->refs.v[i].site != 0;
	stride = all / REF_CLASSES_MAX + 1;
	out->classes.n = 0;
	out->sampled = stride > 1;
	vm_forget_classes(vm); /* a class may have been unloaded since */
	all = 0;
	for (size_t i = 0; i < s->refs.n && rc == 0; i++) {
		if (!s->refs.v[i].site || all++ % stride)
			continue;
		found[n].site = s->refs.v[i].site;
		refs[n++].slot = vm_slot_of(vm, s->refs.v[i].handle);
	}
	if (rc == 0)
		rc = vm_read_refs(vm, refs, n);
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
