/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "symbols/natives.h"

#include <errno.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/util.h"

/* Where an address was: its mapping may be gone when it is asked for again. */
struct later {
	struct module_symbols *module;
	struct placement placement;
	uint64_t vaddr;
};
struct natives {
	const struct code *code;
	struct {
		struct module_symbols **v; /* references */
		size_t n, cap;
	} modules;
	struct hash by_id;    /* of the module: number in modules, + 1 */
	uint64_t nr_nameless; /* frames without a place, or without a module, as there are too many */
	struct {
		struct later **v;
		size_t n, cap;
	} laters;
	struct hash by_place; /* module's id and address: number in laters, + 1 */
};

int natives_new(const struct code *code, struct natives **out)
{
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	(*out)->code = code;
	return 0;
}

void natives_free(struct natives *n)
{
	if (!n)
		return;
	for (size_t i = 0; i < n->modules.n; i++)
		module_symbols_put(n->modules.v[i]);
	free(n->modules.v);
	hash_free(&n->by_id);
	for (size_t i = 0; i < n->laters.n; i++)
		free(n->laters.v[i]);
	free(n->laters.v);
	hash_free(&n->by_place);
	free(n);
}

struct budget *natives_budget(const struct natives *n)
{
	return code_budget(n->code);
}

void natives_tidy(struct natives *n)
{
	for (size_t i = 0; i < n->modules.n; i++)
		module_symbols_tidy(n->modules.v[i]);
}

/* The module, read if there is time; at the end without that, pending. */
static int open_symbols(struct natives *n, const struct placement *p, struct module_symbols **out)
{
	struct budget *b = module_budget(p->module);
	bool over;
	int rc;

	code_pay(n->code);
	over = budget_slice_full(b);
	if (over && !budget_slice_last(b))
		return -EAGAIN;
	*out = module_symbols_get(p->module);
	if (!*out)
		return -ENOMEM;
	rc = over ? -EINTR : module_symbols_read(*out, n->code, p);
	if (rc == -EINTR && budget_slice_last(b))
		rc = module_symbols_put_off(*out, p);
	if (rc)
		module_symbols_put(*out);
	return rc;
}

/* A module is read through each process only once: what failed is likely to fail again. */
static int symbols_of(struct natives *n, const struct placement *p, struct module_symbols **out)
{
	uint32_t at = hash_find(&n->by_id, p->module->id, 0);
	struct module_symbols **place;
	int rc;

	*out = at ? n->modules.v[at - 1] : NULL;
	if (at)
		return 0;
	if (n->modules.n == CODE_MAX_MODULES) {
		n->nr_nameless++;
		return 0;
	}
	rc = open_symbols(n, p, out);
	if (rc) {
		*out = NULL;
		return rc;
	}
	place = VEC_ADD(&n->modules);
	if (!place || hash_set(&n->by_id, p->module->id, 0, (uint32_t)n->modules.n)) {
		n->modules.n -= place != NULL;
		module_symbols_put(*out);
		*out = NULL;
		return -ENOMEM;
	}
	*place = *out;
	return 0;
}

/* Where in its file; when the file cannot be read: as most libraries are linked, from 0. */
static uint64_t link_time(const struct placement *p, uint64_t addr)
{
	uint64_t vaddr;

	if (!p->build_id && p->module->image &&
	    elf_offset_to_vaddr(p->module->image, addr - p->start + p->offset, &vaddr))
		return vaddr;
	return addr - p->base;
}

static int place_in(struct natives *n, const struct placement *p, uint64_t addr, struct native_place *out)
{
	int rc;

	*out = (struct native_place){.placement = p};
	n->nr_nameless += !p && code_full(n->code);
	if (!p)
		return 0;
	rc = symbols_of(n, p, &out->module);
	out->vaddr = link_time(p, addr);
	return rc;
}

int natives_place(struct natives *n, uint64_t addr, bool past, struct native_place *out)
{
	return place_in(n, past ? code_once_at(n->code, addr) : code_at(n->code, addr), addr, out);
}

/* The call is what lies in this place, the byte before: a return address may be the first byte behind it. */
static int call_at(struct natives *n, struct native_place *where, struct symbolized *out)
{
	*out = (struct symbolized){0};
	if (!where->module)
		return 0;
	where->vaddr++;
	return module_symbols_at(where->module, n->code, where->placement, where->vaddr, out);
}

const struct later *natives_later(struct natives *n, const struct native_place *where)
{
	uint32_t at = hash_find(&n->by_place, where->placement->module->id, where->vaddr);
	struct later *l, **place;

	if (at)
		return n->laters.v[at - 1];
	l = calloc(1, sizeof(*l));
	place = l ? VEC_ADD(&n->laters) : NULL;
	if (!place ||
	    hash_set(&n->by_place, where->placement->module->id, where->vaddr, (uint32_t)n->laters.n)) {
		n->laters.n -= place != NULL;
		free(l);
		return NULL;
	}
	*l = (struct later){where->module, *where->placement, where->vaddr};
	return *place = l;
}

int natives_again(struct natives *n, const struct later *l, struct symbolized *out)
{
	code_pay(n->code);
	return module_symbols_at(l->module, n->code, &l->placement, l->vaddr, out);
}

int natives_at(struct natives *n, uint64_t pc, struct symbolized *out, struct native_place *where)
{
	int rc = natives_place(n, pc - 1, true, where);

	return rc ?: call_at(n, where, out);
}

uint64_t natives_nameless(const struct natives *n)
{
	return n->nr_nameless;
}

bool natives_know_opened(const struct natives *n, uint32_t number)
{
	return (int32_t)(number - code_opened_last(n->code)) <= 0;
}

int natives_opened_at(struct natives *n, uint32_t number, uint64_t pc, struct symbolized *out,
		      struct native_place *where)
{
	int rc = place_in(n, code_opened_at(n->code, number, pc - 1), pc - 1, where);

	return rc ?: call_at(n, where, out);
}
