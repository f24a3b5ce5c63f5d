/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The smallest runtime there can be: a library with four functions. It is linked into no tool but that of
 * tests/live/test_runtime.py, and shows what another runtime takes: this file, and no line elsewhere.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "runtime/runtime.h"

#define API "thing"

#define PAIR(func, of, does, where, ...)                                                                     \
	{                                                                                                    \
		.name = func, .api = API, .family = of, .operation = does, .handle = where, ##__VA_ARGS__    \
	}

static int add_rows(struct catalog *c)
{
	const struct family_row things = {.name = "thing", .kind = KIND_REFERENCE, .by_default = true};
	/* Of this one no program could count the function: frames are of local references alone. */
	const struct family_row odds = {.name = "odd", .kind = KIND_REFERENCE};
	const struct family_row pairs[] = {{.name = "box", .kind = KIND_PAIR},
					   {.name = "door", .kind = KIND_PAIR},
					   {.name = "desk", .kind = KIND_PAIR}};
	int family = catalog_add_family(c, &things), odd = catalog_add_family(c, &odds);
	int rc = family < 0 ? family : odd;
	int box = catalog_add_family(c, &pairs[0]), door = catalog_add_family(c, &pairs[1]);
	int desk = catalog_add_family(c, &pairs[2]);
	const struct func_row rows[] = {
	    {.name = "thing_new",
	     .api = API,
	     .family = family,
	     .operation = OP_ACQUIRE,
	     .handle = HANDLE_RETURN},
	    {.name = "thing_free",
	     .api = API,
	     .family = family,
	     .operation = OP_RELEASE,
	     .handle = HANDLE_ARG0},
	    {.name = "thing_use", .api = API, .family = family, .operation = OP_COUNT, .handle = HANDLE_NONE},
	    {.name = "thing_odd",
	     .api = API,
	     .family = odd,
	     .operation = OP_FRAME_PUSH,
	     .handle = HANDLE_ARG0},
	    PAIR("box_make", box, OP_ACQUIRE, HANDLE_ARG0 + 6, .form = HANDLE_POINTEE,
		 .success = SUCCESS_ZERO),
	    PAIR("box_make_many", box, OP_ACQUIRE, HANDLE_ARG2, .form = HANDLE_ARRAY, .success = SUCCESS_ZERO,
		 .count = HANDLE_ARG1),
	    PAIR("box_replace", box, OP_REPLACE, HANDLE_ARG0, .size = HANDLE_ARG1),
	    PAIR("box_free", box, OP_RELEASE, HANDLE_ARG0, .success = SUCCESS_ANY),
	    PAIR("box_close", box, OP_RELEASE, HANDLE_ARG0, .success = SUCCESS_ANY),
	    PAIR("box_ref", box, OP_REF, HANDLE_ARG0, .success = SUCCESS_ANY),
	    PAIR("box_unref", box, OP_UNREF, HANDLE_ARG0, .success = SUCCESS_ANY),
	    PAIR("box_look", box, OP_USE, HANDLE_ARG0),
	    PAIR("door_open", door, OP_ACQUIRE, HANDLE_RETURN, .counted = true),
	    PAIR("door_close", door, OP_RELEASE, HANDLE_ARG0, .success = SUCCESS_ANY),
	    PAIR("desk_take", desk, OP_ACQUIRE, HANDLE_RETURN, .narrow = true,
		 .success = SUCCESS_NOT_NEGATIVE),
	    PAIR("desk_leave", desk, OP_RELEASE, HANDLE_ARG0, .success = SUCCESS_ANY, .narrow = true),
	};

	for (size_t i = 0; i < ARRAY_LEN(rows) && rc >= 0; i++)
		rc = catalog_add_func(c, &rows[i]);
	return rc;
}

static int vm_new(pid_t pid, const struct vm_file *file, const struct proc_maps *maps, bool early,
		  struct vm **out, struct error *err)
{
	struct vm *vm = calloc(1, sizeof(*vm));

	(void)pid;
	(void)maps;
	(void)early;
	(void)err;
	if (!vm)
		return -ENOMEM;
	vm->runtime = file->runtime;
	*out = vm;
	return 0;
}

static void vm_free(struct vm *vm)
{
	free(vm);
}

static bool symbol(const struct vm *vm, const struct func_row *row, unsigned nth, char *name, size_t cap)
{
	(void)vm;
	snprintf(name, cap, "%s", row->name);
	return nth == 0;
}

static const char *const libraries[] = {"libthing.so", NULL};

static const struct runtime thing_runtime = {
    .name = "thing",
    .shown = "Thing",
    .api = API,
    .add_rows = add_rows,
    .libraries = libraries,
    .absent = "it maps no libthing.so",
    .open = vm_new,
    .close = vm_free,
    .symbol = symbol,
};
RUNTIME_ROW(thing_runtime);
