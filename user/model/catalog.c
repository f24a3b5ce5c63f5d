/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "model/catalog.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define JNI         "jni"
#define NULLS_SHIFT 4
#define REF(n)      (1U << (n))
#define OR_NULL(n)  (REF(n) | REF(n) << NULLS_SHIFT)
#define REFS_MASK   ((1U << NULLS_SHIFT) - 1)
#define NO_REFS     0
#define NEVER       0
#define PENDING     ALLOWED_PENDING
#define CRITICAL    ALLOWED_CRITICAL

const struct catalog jni_catalog = {
    .funcs =
	{
	    [FUNC_NONE] = {.family = FAMILY_NONE, .operation = OP_COUNT},
	    [NR_JNI_FUNCS... NR_FUNCS - 1] = {.family = FAMILY_NONE, .operation = OP_COUNT},
#define JNI_FUNC(func, which, slot, of, does, where)                                                         \
	[FUNC_##func] = {.name = #func,                                                                      \
			 .api = JNI,                                                                         \
			 .table = TABLE_##which,                                                             \
			 .index = slot,                                                                      \
			 .family = FAMILY_##of,                                                              \
			 .operation = OP_##does,                                                             \
			 .handle = HANDLE_##where},
#include "bpf/border/jni_funcs.def"
#undef JNI_FUNC
#define JNI_USE(use, slot, args, when)                                                                       \
	[FUNC_USE_##use] = {.name = #use,                                                                    \
			    .api = JNI,                                                                      \
			    .table = TABLE_ENV,                                                              \
			    .index = slot,                                                                   \
			    .family = FAMILY_CHECK,                                                          \
			    .operation = OP_USE,                                                             \
			    .handle = HANDLE_ARG1,                                                           \
			    .refs = (args)&REFS_MASK,                                                        \
			    .nulls = (args) >> NULLS_SHIFT,                                                  \
			    .allowed = when},
#define JNI_INVOKE(use, slot)                                                                                \
	[FUNC_USE_##use] = {.name = #use,                                                                    \
			    .api = JNI,                                                                      \
			    .table = TABLE_VM,                                                               \
			    .index = slot,                                                                   \
			    .family = FAMILY_CHECK,                                                          \
			    .operation = OP_INVOKE,                                                          \
			    .handle = HANDLE_NONE,                                                           \
			    .allowed = NEVER},
#include "bpf/border/jni_uses.def"
#undef JNI_USE
	},
    .families =
	{
	    [FAMILY_GLOBAL] = {"global", KIND_REFERENCE, true},
	    [FAMILY_WEAK] = {"weak", KIND_REFERENCE, true},
	    [FAMILY_LOCAL] = {"local", KIND_LOCAL, false},
	    [FAMILY_STRING] = {"string", KIND_PIN, false},
	    [FAMILY_ARRAY] = {"array", KIND_PIN, false},
	    [FAMILY_CRITICAL] = {"critical", KIND_CRITICAL, false},
	    [FAMILY_MONITOR] = {"monitor", KIND_MONITOR, false},
	    [FAMILY_THREAD] = {"thread", KIND_THREAD, false},
	    [FAMILY_CHECK] = {NULL, KIND_USE, false}, /* chosen by --check, not by name */
	},
    .nr_funcs = NR_JNI_FUNCS,
    .nr_families = NR_JNI_FAMILIES,
};

int catalog_new(struct catalog **out)
{
	struct catalog *c = malloc(sizeof(*c));

	if (!c)
		return -ENOMEM;
	*c = jni_catalog;
	*out = c;
	return 0;
}

void catalog_free(struct catalog *c)
{
	if (!c)
		return;
	for (uint32_t f = NR_JNI_FUNCS; f < c->nr_funcs; f++)
		free((char *)c->funcs[f].name);
	for (uint32_t f = NR_JNI_FAMILIES; f < c->nr_families; f++)
		free((char *)c->families[f].name);
	free(c);
}

int catalog_add_family(struct catalog *c, const struct family_row *row)
{
	struct family_row *own = &c->families[c->nr_families];
	char *name;

	if (catalog_find_family(c, row->name) != FAMILY_NONE)
		return -EEXIST;
	if (c->nr_families == NR_FAMILIES)
		return -ENOSPC;
	name = strdup(row->name);
	if (!name)
		return -ENOMEM;
	*own = *row;
	own->name = name;
	return (int)c->nr_families++;
}

int catalog_add_func(struct catalog *c, const struct func_row *row)
{
	struct func_row *own = &c->funcs[c->nr_funcs];
	char *name;

	if (row->family >= c->nr_families)
		return -EINVAL;
	for (uint32_t f = 1; f < c->nr_funcs; f++)
		if (c->funcs[f].family == row->family && !strcmp(c->funcs[f].name, row->name))
			return -EEXIST;
	if (c->nr_funcs == NR_FUNCS)
		return -ENOSPC;
	name = strdup(row->name);
	if (!name)
		return -ENOMEM;
	*own = *row;
	own->name = name;
	return (int)c->nr_funcs++;
}

uint32_t catalog_families(const struct catalog *c, unsigned kinds)
{
	uint32_t set = 0;

	for (uint32_t f = 0; f < FAMILY_NONE; f++)
		if (kinds & KIND_BIT(c->families[f].kind))
			set |= 1U << f;
	return set;
}

uint32_t catalog_with_needed(uint32_t families)
{
	return families >> FAMILY_MONITOR & 1 ? families | 1U << FAMILY_THREAD : families;
}

uint32_t catalog_defaults(const struct catalog *c)
{
	uint32_t set = 0;

	for (uint32_t f = 0; f < c->nr_families; f++)
		if (c->families[f].by_default)
			set |= 1U << f;
	return set;
}

enum family_id catalog_find_family(const struct catalog *c, const char *name)
{
	for (uint32_t f = 0; f < c->nr_families; f++)
		if (!strcmp(c->families[f].name, name))
			return (enum family_id)f;
	return FAMILY_NONE;
}

/* Is it given a handle that it does not replace? */
static bool takes(enum operation o)
{
	return o == OP_RELEASE || o == OP_REF || o == OP_UNREF || o == OP_USE;
}

/* Of this family of pairs, is one function alone given handles? */
static bool has_one_taker(const struct catalog *c, enum family_id family)
{
	int n = 0;

	for (uint32_t f = NR_JNI_FUNCS; f < c->nr_funcs; f++)
		n += c->funcs[f].family == family && takes(c->funcs[f].operation);
	return n < 2;
}

bool func_may_fail(const struct func_row *row)
{
	return row->form == HANDLE_ITSELF && row->success != SUCCESS_ANY &&
	       (row->operation == OP_RELEASE || row->operation == OP_REF || row->operation == OP_UNREF);
}

bool func_at_both_ends(const struct catalog *c, enum func_id func)
{
	switch (func_kind(c, func)) {
	case KIND_PIN:
	case KIND_CRITICAL:
		return c->funcs[func].operation == OP_ACQUIRE;
	case KIND_LOCAL:
		return c->funcs[func].operation == OP_FRAME_POP;
	case KIND_MONITOR:
	case KIND_THREAD:
		return true;
	case KIND_PAIR:
		return c->funcs[func].operation == OP_ACQUIRE || c->funcs[func].operation == OP_REPLACE ||
		       c->funcs[func].form != HANDLE_ITSELF || func_may_fail(&c->funcs[func]) ||
		       ((c->funcs[func].operation == OP_RELEASE || c->funcs[func].operation == OP_UNREF) &&
			!has_one_taker(c, c->funcs[func].family));
	default:
		return false;
	}
}
