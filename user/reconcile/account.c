/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "reconcile/account.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/strset.h"

#define BLOCK_BYTES  (VM_SLOT_BYTES * HANDLES_PER_BLOCK_MAX)
#define LINE_BYTES   64          /* slots that are side by side have one hint */
#define MAX_HINTS    (1UL << 18) /* beyond, lines share them */
#define BATCH        1024
#define MAX_CLASSES  (UINT16_MAX - 1)
#define CLASS_UNREAD 0          /* else its number + 1, or: */
#define CLASS_NONE   UINT16_MAX /* cleared by the collector */

static const enum family_id families[NR_VM_TABLES] = {
    [VM_GLOBAL] = FAMILY_GLOBAL,
    [VM_WEAK] = FAMILY_WEAK,
};

/* A block of a table that has references from before attach. */
struct past_block {
	uint64_t addr;
	uint64_t before; /* bit per slot: in use at attach and, without a break, until now */
	uint16_t class[HANDLES_PER_BLOCK_MAX]; /* what they point to */
};

struct table {
	uint32_t look_tick;        /* when the last look began */
	bool known, fresh;         /* fresh: looked at since it was last held against the store */
	struct handle_blocks live; /* by address */
	uint64_t *tracked;         /* bit per slot of each of them */
	uint32_t *hint;            /* which of them had a slot in this line last time, by the line's number */
	size_t nr_hints;           /* a power of two */
	struct {
		struct past_block *v; /* by address */
		size_t n, cap;
	} past;
	uint64_t vm_own;
};

/* A reference in the pairing store whose release was missed; the store keeps it until its handle comes again.
 */
struct missed {
	uint64_t handle;
	uint32_t tick; /* when acquired: tells it from the next of this handle */
};
struct missed_list {
	struct missed *v; /* by handle */
	size_t n, cap;
};

/* What a reference points to: a class by name; of java.lang.Class, which class. Texts are of account.names.
 */
struct past_class {
	const char *name;
	bool is_class;
	const char *of, *of_loader; /* NULL: as in struct report_of, or no java.lang.Class */
	uint64_t of_loader_id;
};

struct account {
	struct vm *vm; /* not owned */
	bool from_start;
	struct table table[NR_VM_TABLES];
	struct missed_list missed;
	struct strset names;
	struct {
		struct past_class *v; /* by class number */
		size_t n, cap;
	} classes;
	struct {
		struct report_of *v; /* of the table's row of java.lang.Class */
		size_t n, cap;
	} of[NR_VM_TABLES];
	struct {
		struct report_before *v;
		size_t n, cap;
	} rows;
};

int account_new(struct vm *vm, bool from_start, struct account **out)
{
	struct account *a = calloc(1, sizeof(*a));

	if (!a)
		return -ENOMEM;
	a->vm = vm;
	a->from_start = from_start;
	*out = a;
	return 0;
}

void account_free(struct account *a)
{
	if (!a)
		return;
	for (int t = 0; t < NR_VM_TABLES; t++) {
		free(a->table[t].live.v);
		free(a->table[t].tracked);
		free(a->table[t].hint);
		free(a->table[t].past.v);
		free(a->of[t].v);
	}
	free(a->missed.v);
	free(a->classes.v);
	free(a->rows.v);
	strset_free(&a->names);
	free(a);
}

/* --- looking --- */

static int compare_blocks(const void *a, const void *b)
{
	const struct handle_block *x = a, *y = b;

	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

static int remember_past(struct table *t)
{
	for (size_t i = 0; i < t->live.n; i++) {
		struct past_block *b = t->live.v[i].in_use ? VEC_ADD(&t->past) : NULL;

		if (!b && t->live.v[i].in_use)
			return -ENOMEM;
		if (b)
			*b = (struct past_block){.addr = t->live.v[i].addr, .before = t->live.v[i].in_use};
	}
	return 0;
}

int account_take(struct account *a, enum vm_table which, uint32_t tick, const struct handle_blocks *live)
{
	struct table *t = &a->table[which];
	int rc;

	free(t->live.v);
	t->live = *live;
	if (t->live.n > 1)
		qsort(t->live.v, t->live.n, sizeof(*t->live.v), compare_blocks);
	t->look_tick = tick;
	t->fresh = true;
	if (t->known)
		return 0;
	rc = a->from_start ? 0 : remember_past(t);
	t->known = rc == 0;
	return rc;
}

int account_look(struct account *a, uint32_t tick)
{
	int rc = 0;

	for (int t = 0; t < NR_VM_TABLES && rc == 0; t++) {
		struct handle_blocks live;

		a->table[t].fresh = false;
		rc = vm_blocks(a->vm, t, &live);
		if (rc == 0 && live.stable) {
			rc = account_take(a, t, tick, &live);
			continue;
		}
		if (rc == 0)
			free(live.v);
		rc = rc == -ESRCH || rc == -ENOMEM ? rc : 0;
	}
	return rc;
}

void account_forget(struct account *a, enum vm_table which)
{
	struct table *t = &a->table[which];

	t->known = t->fresh = false;
	t->past.n = 0;
	t->vm_own = 0;
	a->from_start = false;
}

uint64_t account_marked(const struct account *a, enum vm_table which)
{
	return a->table[which].live.in_use;
}

/* --- holding against --- */

/*
 * As many hints as there are lines. References come in any order, and each would take a dozen steps to be
 * found; with the hint of the last time it is one, as blocks seldom come and go.
 */
static int make_hints(struct table *t)
{
	size_t n = t->nr_hints ?: 1;
	uint32_t *hint;

	while (n < t->live.n * (BLOCK_BYTES / LINE_BYTES) && n < MAX_HINTS)
		n *= 2;
	if (n == t->nr_hints)
		return 0;
	hint = calloc(n, sizeof(*hint));
	if (!hint)
		return -ENOMEM;
	free(t->hint);
	t->hint = hint;
	t->nr_hints = n;
	return 0;
}

/* The block that has the slot, or NULL. */
static const struct handle_block *block_of(const struct table *t, uint64_t slot)
{
	const struct handle_blocks *b = &t->live;
	uint32_t *hint = &t->hint[slot / LINE_BYTES & (t->nr_hints - 1)];
	size_t at = 0;

	if (*hint < b->n && slot - b->v[*hint].addr < BLOCK_BYTES &&
	    (*hint + 1 == b->n || slot < b->v[*hint + 1].addr))
		return &b->v[*hint];
	/* The last one that begins at the slot or before. Nobody can foresee which half it is: no branch. */
	for (size_t n = b->n; n > 1; n -= n / 2)
		at += b->v[at + n / 2].addr <= slot ? n / 2 : 0;
	if (!b->n || slot - b->v[at].addr >= BLOCK_BYTES)
		return NULL;
	*hint = (uint32_t)at;
	return &b->v[at];
}

static bool is_missed(const struct missed_list *l, const struct snapshot_ref *ref)
{
	size_t lo = 0, hi = l->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (l->v[mid].handle == ref->handle)
			return l->v[mid].tick == ref->tick;
		if (l->v[mid].handle < ref->handle)
			lo = mid + 1;
		else
			hi = mid;
	}
	return false;
}

static int compare_missed(const void *a, const void *b)
{
	const struct missed *x = a, *y = b;

	return x->handle < y->handle ? -1 : x->handle > y->handle;
}

/* Is the slot of this reference in use? Then it is tracked. */
static bool is_in_use(const struct account *a, struct table *t, const struct snapshot_ref *ref)
{
	uint64_t at = vm_slot_of(a->vm, ref->handle), bit;
	const struct handle_block *b = block_of(t, at);

	if (!b)
		return false;
	bit = 1ULL << (at - b->addr) / VM_SLOT_BYTES;
	if (b->in_use & bit)
		t->tracked[b - t->live.v] |= bit;
	return b->in_use & bit;
}

/* Is the slot of this reference free although it is in the store? */
static bool is_free(const struct account *a, struct table *t, const struct snapshot_ref *ref)
{
	/* one that was acquired after the look began may be younger than what was looked at */
	return t->fresh && !is_in_use(a, t, ref) && (int32_t)(ref->tick - t->look_tick) < 0;
}

/* What is in use, was not acquired by a call that was seen, and was not there before. */
static void settle(struct table *t)
{
	size_t p = 0;

	t->vm_own = 0;
	for (size_t i = 0; i < t->live.n; i++) {
		uint64_t rest = t->live.v[i].in_use & ~t->tracked[i];

		while (p < t->past.n && t->past.v[p].addr < t->live.v[i].addr)
			t->past.v[p++].before = 0; /* the block is gone */
		if (p < t->past.n && t->past.v[p].addr == t->live.v[i].addr) {
			t->past.v[p].before &= rest;
			rest &= ~t->past.v[p++].before;
		}
		t->vm_own += (uint64_t)__builtin_popcountll(rest);
	}
	while (p < t->past.n)
		t->past.v[p++].before = 0;
}

/* Of a site, by its number: its table + 1, IN_NO_TABLE, or 0: it is not listed. NULL: out of memory. */
#define IN_NO_TABLE 255
static uint8_t *tables_of_sites(const struct snapshot *s)
{
	uint8_t *table = calloc(s->nr_index + 1, sizeof(*table));

	for (size_t i = 0; table && i < s->sites.n; i++) {
		enum family_id family = func_family(&jni_catalog, s->sites.v[i].func);
		uint8_t *of = &table[s->sites.v[i].index];

		*of = IN_NO_TABLE;
		for (int t = 0; t < NR_VM_TABLES; t++)
			if (family == families[t])
				*of = (uint8_t)(t + 1);
	}
	return table;
}

static int clear_tracked(struct account *a)
{
	for (int t = 0; t < NR_VM_TABLES; t++) {
		struct table *table = &a->table[t];

		free(table->tracked);
		table->tracked = calloc(table->live.n + 1, sizeof(*table->tracked));
		if (!table->tracked || make_hints(table))
			return -ENOMEM;
	}
	return 0;
}

/* Which references of the snapshot are free in the VM. */
static int find_missed(struct account *a, const struct snapshot *s, struct missed_list *out,
		       struct corrections *found)
{
	uint8_t *of_site = tables_of_sites(s);
	int rc = of_site ? 0 : -ENOMEM;

	for (size_t i = 0; i < s->refs.n && !rc; i++) {
		const struct snapshot_ref *ref = &s->refs.v[i];
		uint8_t of = ref->site < s->nr_index ? of_site[ref->site] : 0;
		struct missed *m;

		for (int k = 0; k < NR_VM_TABLES && !of; k++) /* too new to be listed, but tracked */
			is_in_use(a, &a->table[k], ref);
		if (!of || of == IN_NO_TABLE ||
		    (!is_missed(&a->missed, ref) && !is_free(a, &a->table[of - 1], ref)))
			continue;
		m = VEC_ADD(out);
		if (!m || corrections_add(found, i, REF_MISSED))
			rc = -ENOMEM;
		else
			*m = (struct missed){ref->handle, ref->tick};
	}
	free(of_site);
	if (out->n > 1)
		qsort(out->v, out->n, sizeof(*out->v), compare_missed);
	return rc;
}

int account_compare(struct account *a, const struct snapshot *s, struct corrections *found)
{
	struct missed_list missed = {0};
	bool fresh = false;
	int rc;

	for (int t = 0; t < NR_VM_TABLES; t++)
		fresh |= a->table[t].fresh;
	if (!fresh && !a->missed.n)
		return 0;
	rc = clear_tracked(a);
	rc = rc ?: find_missed(a, s, &missed, found);
	free(a->missed.v);
	a->missed = missed;
	for (int t = 0; t < NR_VM_TABLES && rc == 0; t++) {
		if (a->table[t].fresh)
			settle(&a->table[t]);
		a->table[t].fresh = false;
	}
	return rc;
}

/* --- by class --- */

/* NULL stays NULL. 0 or -ENOMEM. */
static int keep_name(struct account *a, const char *name, const char **out)
{
	*out = name ? strset_add(&a->names, name) : NULL;
	return name && !*out ? -ENOMEM : 0;
}

static bool is_same_class(const struct past_class *x, const struct past_class *y)
{
	return x->name == y->name && x->of == y->of && x->of_loader == y->of_loader &&
	       x->of_loader_id == y->of_loader_id;
}

static int class_number(struct account *a, const struct vm_ref *ref, uint16_t *out)
{
	struct past_class *place, c = {.is_class = ref->class->is_class};
	int rc = keep_name(a, ref->class->name, &c.name);

	rc = rc ?: keep_name(a, ref->of ? ref->of->name : ref->primitive, &c.of);
	rc = rc ?: keep_name(a, ref->of ? ref->of->loader : NULL, &c.of_loader);
	if (rc)
		return rc;
	c.of_loader_id = ref->of ? ref->of->loader_id : 0;
	for (size_t i = 0; i < a->classes.n; i++)
		if (is_same_class(&a->classes.v[i], &c)) {
			*out = (uint16_t)(i + 1);
			return 0;
		}
	*out = CLASS_NONE;
	if (a->classes.n == MAX_CLASSES)
		return 0;
	place = VEC_ADD(&a->classes);
	if (!place)
		return -ENOMEM;
	*place = c;
	*out = (uint16_t)a->classes.n;
	return 0;
}

/* Up to BATCH references without a class, from block *from on, which moves on. */
static size_t next_unread(struct table *t, size_t *from, struct vm_ref *refs, uint16_t **class)
{
	size_t n = 0;

	for (; *from < t->past.n && n + HANDLES_PER_BLOCK_MAX <= BATCH; ++*from) {
		struct past_block *b = &t->past.v[*from];

		for (uint64_t left = b->before; left; left &= left - 1) {
			unsigned i = (unsigned)__builtin_ctzll(left);

			if (b->class[i] != CLASS_UNREAD)
				continue;
			refs[n].slot = b->addr + VM_SLOT_BYTES * (uint64_t)i;
			class[n++] = &b->class[i];
		}
	}
	return n;
}

/* What was there at attach does not change: each is read once. */
static int read_classes(struct account *a, uint64_t budget_ms)
{
	uint64_t end_ns = clock_ns(CLOCK_MONOTONIC) + budget_ms * 1000000;
	struct vm_ref *refs = calloc(BATCH, sizeof(*refs));
	uint16_t **class = calloc(BATCH, sizeof(*class));
	int rc = refs && class ? 0 : -ENOMEM;

	if (rc == 0)
		vm_forget_classes(a->vm); /* a class may have been unloaded since */
	for (int t = 0; t < NR_VM_TABLES && rc == 0; t++) {
		size_t from = 0, n;

		while (rc == 0 && clock_ns(CLOCK_MONOTONIC) < end_ns &&
		       (n = next_unread(&a->table[t], &from, refs, class)) > 0) {
			rc = vm_read_refs(a->vm, refs, n);
			for (size_t i = 0; i < n && rc == 0; i++) {
				if (refs[i].state == REF_READ)
					rc = class_number(a, &refs[i], class[i]);
				else if (refs[i].state == REF_NULL)
					*class[i] = CLASS_NONE;
			}
		}
	}
	free(refs);
	free(class);
	return rc;
}

static int compare_rows(const void *a, const void *b)
{
	const struct report_before *x = a, *y = b;

	if (x->outstanding != y->outstanding)
		return x->outstanding < y->outstanding ? 1 : -1;
	if (x->family != y->family)
		return x->family < y->family ? -1 : 1;
	return strcmp(x->class ? x->class : "", y->class ? y->class : "");
}

/* The row of this class in the table, whose first row is at `from`; NULL: -ENOMEM. c NULL: not known. */
static struct report_before *row_of(struct account *a, enum vm_table which, size_t from,
				    const struct past_class *c)
{
	const char *name = c ? c->name : NULL;
	struct report_before *row;

	for (size_t i = from; i < a->rows.n; i++)
		if (a->rows.v[i].class == name)
			return &a->rows.v[i];
	row = VEC_ADD(&a->rows);
	if (row)
		*row = (struct report_before){
		    .family = families[which], .class = name, .is_class = c && c->is_class};
	return row;
}

/* So many references to this class. c: likewise. */
static int add_row(struct account *a, enum vm_table which, size_t from, const struct past_class *c,
		   uint64_t n)
{
	struct report_before *row = row_of(a, which, from, c);
	struct report_of *of;

	if (!row)
		return -ENOMEM;
	row->outstanding += n;
	if (!c || !c->of)
		return 0;
	of = VEC_ADD(&a->of[which]);
	if (!of)
		return -ENOMEM;
	*of = (struct report_of){
	    .name = c->of, .loader = c->of_loader, .loader_id = c->of_loader_id, .count = n};
	return 0;
}

static int list_classes(struct account *a, enum vm_table which, uint64_t *total)
{
	const struct table *t = &a->table[which];
	uint64_t *count = calloc(a->classes.n + 1, sizeof(*count));
	size_t from = a->rows.n;
	int rc = count ? 0 : -ENOMEM;

	for (size_t i = 0; !rc && i < t->past.n; i++)
		for (uint64_t left = t->past.v[i].before; left; left &= left - 1) {
			uint16_t class = t->past.v[i].class[__builtin_ctzll(left)];

			count[class == CLASS_NONE ? CLASS_UNREAD : class]++;
		}
	*total = 0;
	a->of[which].n = 0;
	for (size_t c = 0; !rc && c <= a->classes.n; c++) {
		if (count[c])
			rc = add_row(a, which, from, c ? &a->classes.v[c - 1] : NULL, count[c]);
		*total += count[c];
	}
	free(count);
	a->of[which].n = class_of_group(a->of[which].v, a->of[which].n);
	for (size_t i = from; i < a->rows.n; i++)
		if (a->rows.v[i].is_class) {
			a->rows.v[i].of.v = a->of[which].v;
			a->rows.v[i].of.n = a->of[which].n;
		}
	return rc;
}

int account_report(struct account *a, uint64_t budget_ms, struct report *r)
{
	int rc = budget_ms ? read_classes(a, budget_ms) : 0;

	a->rows.n = 0;
	for (int t = 0; t < NR_VM_TABLES && rc == 0; t++) {
		struct report_family *f = &r->families[families[t]];

		f->before_known = a->table[t].known && f->traced;
		if (!f->before_known)
			continue;
		f->vm_own = a->table[t].vm_own;
		rc = list_classes(a, t, &f->before_attach);
	}
	if (a->rows.n > 1)
		qsort(a->rows.v, a->rows.n, sizeof(*a->rows.v), compare_rows);
	r->before.v = a->rows.v;
	r->before.n = a->rows.n;
	return rc;
}

int64_t account_total(const struct report_family *f, uint64_t earlier, uint64_t later)
{
	uint64_t lo = earlier < later ? earlier : later, hi = earlier < later ? later : earlier;
	uint64_t accounted = add_capped(add_capped(f->outstanding, f->before_attach), f->vm_own);

	if (!f->before_known)
		return (int64_t)later;
	return (int64_t)(accounted < lo ? lo : accounted > hi ? hi : accounted);
}
