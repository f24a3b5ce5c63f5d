/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the references of a JVM point to. See census_classes.h. */
#include "reconcile/census_classes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/hash.h"

#define BATCH_BLOCKS   16
#define BATCH_REFS     (BATCH_BLOCKS * HANDLES_PER_BLOCK_MAX)
#define HARD_BUDGET_MS 30000      /* of one table, also without --budget: what is read may be a lie */
#define MAX_OBJECTS    (1u << 25) /* of which distinct ones are told: 256 MB */
#define MAX_KINDS      65536

/* One row: references of one class, of one class that a java.lang.Class stands for. */
struct tally {
	const struct vm_class *class;
	const char *primitive;
	uint64_t count, distinct;
};
struct tallies {
	struct tally *v;
	size_t n, cap;
	struct hash
	    by_key; /* number, + 1, by the address of a struct vm_class, or of the name of a primitive type */
};

/* Objects seen so far. */
struct objects {
	uint64_t *v; /* open addressing; 0: free */
	size_t n, size;
};

struct histogram {
	struct tallies classes, of;
	const struct vm_class *class_class;
	struct objects objects;
	struct census_table *t;
};

static struct tally *tally_of(struct tallies *t, const void *key)
{
	uint32_t number = hash_find(&t->by_key, (uintptr_t)key, 0);
	struct tally *tally;

	if (number)
		return &t->v[number - 1];
	tally = t->n < MAX_KINDS ? VEC_ADD(t) : NULL;
	if (tally && hash_set(&t->by_key, (uintptr_t)key, 0, (uint32_t)t->n)) {
		t->n--;
		return NULL;
	}
	return tally;
}

static void tallies_free(struct tallies *t)
{
	free(t->v);
	hash_free(&t->by_key);
}

static size_t object_place(const struct objects *o, uint64_t object)
{
	size_t i = mix64(object) & (o->size - 1);

	while (o->v[i] && o->v[i] != object)
		i = (i + 1) & (o->size - 1);
	return i;
}

/* 1: seen for the first time, 0: again, or -ENOMEM. */
static int object_add(struct objects *o, uint64_t object)
{
	size_t i;

	if (2 * (o->n + 1) > o->size) {
		struct objects bigger = {.n = o->n, .size = o->size ? 2 * o->size : 4096};

		if (o->n >= MAX_OBJECTS)
			return -ENOMEM;
		bigger.v = calloc(bigger.size, sizeof(*bigger.v));
		if (!bigger.v)
			return -ENOMEM;
		for (size_t k = 0; k < o->size; k++)
			if (o->v[k])
				bigger.v[object_place(&bigger, o->v[k])] = o->v[k];
		free(o->v);
		*o = bigger;
	}
	i = object_place(o, object);
	if (o->v[i])
		return 0;
	o->v[i] = object;
	o->n++;
	return 1;
}

static int count_of(struct histogram *h, const struct vm_ref *ref)
{
	const void *key = ref->of ? (const void *)ref->of : ref->primitive;
	struct tally *t;

	if (!key)
		return 0;
	t = tally_of(&h->of, key);
	if (!t)
		return -ENOMEM;
	t->class = ref->of;
	t->primitive = ref->primitive;
	t->count++;
	return 0;
}

static int count_ref(struct histogram *h, const struct vm_ref *ref)
{
	struct tally *t;
	int fresh;

	if (ref->state == REF_NULL) {
		h->t->cleared++;
		return 0;
	}
	if (ref->state == REF_UNREADABLE) {
		h->t->unreadable++;
		return 0;
	}
	h->t->read++;
	h->t->stale += ref->stale;
	t = tally_of(&h->classes, ref->class);
	fresh = object_add(&h->objects, ref->object);
	if (!t || fresh < 0)
		return -ENOMEM;
	t->class = ref->class;
	t->count++;
	t->distinct += (uint64_t)fresh;
	if (!ref->class->is_class)
		return 0;
	h->class_class = ref->class;
	return count_of(h, ref);
}

/* --- in which order --- */

static uint64_t gcd(uint64_t a, uint64_t b)
{
	while (b) {
		uint64_t t = a % b;

		a = b;
		b = t;
	}
	return a;
}

/* A step through n batches that comes by all of them, far apart ones first: old and new references alike. */
static uint64_t scattered_step(uint64_t n)
{
	uint64_t step = n * 618 / 1000 | 1;

	while (gcd(step, n) != 1)
		step++;
	return step;
}

static size_t batch_refs(const struct handle_blocks *b, size_t batch, struct vm_ref *refs)
{
	size_t n = 0, end = (batch + 1) * BATCH_BLOCKS < b->n ? (batch + 1) * BATCH_BLOCKS : b->n;

	for (size_t i = batch * BATCH_BLOCKS; i < end; i++)
		for (uint64_t left = b->v[i].in_use; left; left &= left - 1)
			refs[n++].slot = b->v[i].addr + VM_SLOT_BYTES * (uint64_t)__builtin_ctzll(left);
	return n;
}

static int read_blocks(struct vm *vm, const struct handle_blocks *b, uint64_t budget_ms, struct histogram *h)
{
	struct vm_ref *refs = calloc(BATCH_REFS, sizeof(*refs));
	uint64_t batches = (b->n + BATCH_BLOCKS - 1) / BATCH_BLOCKS, done = 0, at = 0, step;
	uint64_t ms = budget_ms && budget_ms < HARD_BUDGET_MS ? budget_ms : HARD_BUDGET_MS;
	uint64_t deadline_ns = clock_ns(CLOCK_MONOTONIC) + ms * 1000000;
	int rc = refs ? 0 : -ENOMEM;

	step = batches ? scattered_step(batches) : 1;
	for (; done < batches && rc == 0; done++, at = (at + step) % batches) {
		size_t n;

		/* one is always read */
		if (done > 0 && clock_ns(CLOCK_MONOTONIC) > deadline_ns)
			break;
		n = batch_refs(b, at, refs);
		rc = vm_read_refs(vm, refs, n);
		for (size_t i = 0; i < n && rc == 0; i++)
			rc = count_ref(h, &refs[i]);
	}
	h->t->sampled = done < batches;
	free(refs);
	return rc;
}

/* --- the result --- */

static const char *keep_name(struct census *out, const char *name)
{
	char **place = name ? VEC_ADD(&out->names) : NULL;

	if (!place)
		return NULL;
	*place = strdup(name);
	return *place;
}

static int compare_classes(const void *a, const void *b)
{
	const struct census_class *x = a, *y = b;

	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	return x->table != y->table ? (int)x->table - (int)y->table : strcmp(x->name, y->name);
}

static int compare_of(const void *a, const void *b)
{
	const struct report_of *x = a, *y = b;

	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	return strcmp(x->name, y->name);
}

/* Count of the whole table, from that of a sample. */
static uint64_t scaled(const struct census_table *t, uint64_t count)
{
	uint64_t seen = t->read + t->cleared + t->unreadable;

	if (!t->sampled || seen == 0)
		return count;
	return (uint64_t)((double)count / (double)seen * (double)t->in_use + 0.5);
}

static int add_of(struct census *out, struct census_class *c, const struct histogram *h)
{
	for (size_t i = 0; i < h->of.n; i++) {
		const struct tally *t = &h->of.v[i];
		struct report_of *of;

		of = VEC_ADD(&c->of);
		if (!of)
			return -ENOMEM;
		of->name = keep_name(out, t->class ? t->class->name : t->primitive);
		of->loader = t->class ? keep_name(out, t->class->loader) : NULL;
		of->loader_id = t->class ? t->class->loader_id : 0;
		of->count = scaled(h->t, t->count);
		if (!of->name || (t->class && t->class->loader && !of->loader))
			return -ENOMEM;
	}
	if (c->of.n > 1)
		qsort(c->of.v, c->of.n, sizeof(*c->of.v), compare_of);
	return 0;
}

static int add_classes(struct census *out, enum vm_table table, const struct histogram *h)
{
	for (size_t i = 0; i < h->classes.n; i++) {
		const struct tally *t = &h->classes.v[i];
		struct census_class *c = NULL;

		/* one name may be several classes, of several loaders */
		for (size_t k = 0; k < out->classes.n && !c; k++)
			if (out->classes.v[k].table == table &&
			    !strcmp(out->classes.v[k].name, t->class->name))
				c = &out->classes.v[k];
		if (!c) {
			const char *name = keep_name(out, t->class->name);

			c = name ? VEC_ADD(&out->classes) : NULL;
			if (!c)
				return -ENOMEM;
			c->table = table;
			c->name = name;
		}
		c->count += scaled(h->t, t->count);
		c->distinct += t->distinct;
		if (t->class->is_class && add_of(out, c, h) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int read_table(struct vm *vm, enum vm_table table, uint64_t budget_ms, struct census *out)
{
	struct handle_blocks blocks;
	struct histogram h = {.t = &out->tables[table]};
	int rc = vm_blocks(vm, table, &blocks);

	if (rc < 0)
		return rc;
	out->tables[table].in_use = blocks.in_use;
	rc = read_blocks(vm, &blocks, budget_ms, &h);
	if (rc == 0)
		rc = add_classes(out, table, &h);
	tallies_free(&h.classes);
	tallies_free(&h.of);
	free(h.objects.v);
	free(blocks.v);
	return rc;
}

int census_classes(struct vm *vm, uint64_t budget_ms, struct census *out)
{
	int rc = 0;

	vm_forget_classes(vm); /* a class may have been unloaded since */
	for (int table = 0; table < NR_VM_TABLES && rc == 0; table++)
		rc = read_table(vm, (enum vm_table)table, budget_ms / NR_VM_TABLES, out);
	if (rc == 0 && out->classes.n > 1)
		qsort(out->classes.v, out->classes.n, sizeof(*out->classes.v), compare_classes);
	return rc;
}
