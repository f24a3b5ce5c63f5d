/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Node-API behind struct runtime: the C functions by which an addon holds on to JavaScript values. Node.js,
 * programs that embed it, Deno and Bun export them by the same names.
 */
#include "runtime/node/row.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/strset.h"
#include "runtime/node/code.h"
#include "runtime/node/perf_map.h"
#include "runtime/node/v8.h"
#include "runtime/node/version.h"

#define API "napi"

struct instance {
	struct vm vm;
	char version[NODE_VERSION_BYTES];
	pid_t pid;
	struct vm_code code;
	struct v8 v8;
	struct perf_map *names;
	struct strset texts;
};

/* --- what can be traced --- */

static const struct family_row family_rows[] = {
#define NAPI_FAMILY(name, by_default) {#name, KIND_PAIR, by_default},
#define NAPI_FUNC(...)
#define NAPI_TRY(...)
#define NAPI_WATCH(...)
#include "runtime/node/napi_funcs.def"
#undef NAPI_FAMILY
#undef NAPI_FUNC
#undef NAPI_TRY
#undef NAPI_WATCH
};
enum {
#define NAPI_FAMILY(name, by_default) NODE_##name,
#define NAPI_FUNC(...)
#define NAPI_TRY(...)
#define NAPI_WATCH(...)
#include "runtime/node/napi_funcs.def"
#undef NAPI_FAMILY
#undef NAPI_FUNC
#undef NAPI_TRY
#undef NAPI_WATCH
};

#define HANDLE_ARG4  (HANDLE_ARG3 + 1)
#define HANDLE_ARG5  (HANDLE_ARG3 + 2)
#define HANDLE_ARG6  (HANDLE_ARG3 + 3)
#define HANDLE_ARG10 (HANDLE_ARG3 + 7)
/* row.family: the place in family_rows, until the family has its number. */
static const struct napi_row {
	struct func_row row;
	const char *symbol;
} func_rows[] = {
#define NAPI_FAMILY(name, by_default)
#define NAPI_FUNC(shown, its_symbol, its_family, its_operation, its_handle, its_form, its_count, its_counts, \
		  is_maybe)                                                                                  \
	{{.name = (shown),                                                                                   \
	  .api = API,                                                                                        \
	  .family = (enum family_id)NODE_##its_family,                                                       \
	  .operation = OP_##its_operation,                                                                   \
	  .handle = HANDLE_##its_handle,                                                                     \
	  .form = HANDLE_##its_form,                                                                         \
	  .success = OP_##its_operation == OP_ACQUIRE || HANDLE_##its_form != HANDLE_ITSELF ? SUCCESS_ZERO   \
											    : SUCCESS_ANY,   \
	  .count = HANDLE_##its_count,                                                                       \
	  .counts = COUNT_##its_counts,                                                                      \
	  .maybe = (is_maybe)},                                                                              \
	 (its_symbol)},
#define NAPI_TRY(shown, its_family, its_handle, gone)                                                        \
	{{.name = (shown),                                                                                   \
	  .api = API,                                                                                        \
	  .family = (enum family_id)NODE_##its_family,                                                       \
	  .operation = OP_RELEASE,                                                                           \
	  .handle = HANDLE_##its_handle,                                                                     \
	  .refs = (gone),                                                                                    \
	  .success = SUCCESS_ZERO_OR,                                                                        \
	  .maybe = true},                                                                                    \
	 NULL},
#define NAPI_WATCH(shown, its_symbol, its_family, says, its_handle, its_form, result, is_maybe)              \
	{{.name = (shown),                                                                                   \
	  .api = API,                                                                                        \
	  .family = (enum family_id)NODE_##its_family,                                                       \
	  .operation = OP_WATCH,                                                                             \
	  .handle = HANDLE_##its_handle,                                                                     \
	  .form = HANDLE_##its_form,                                                                         \
	  .refs = (result),                                                                                  \
	  .success = SUCCESS_ZERO,                                                                           \
	  .watch = WATCH_##says,                                                                             \
	  .maybe = (is_maybe)},                                                                              \
	 (its_symbol)},
#include "runtime/node/napi_funcs.def"
#undef NAPI_FAMILY
#undef NAPI_FUNC
#undef NAPI_TRY
#undef NAPI_WATCH
};

static int add_rows(struct catalog *c)
{
	int family[ARRAY_LEN(family_rows)], rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(family_rows) && rc >= 0; i++)
		rc = family[i] = catalog_add_family(c, &family_rows[i]);
	for (size_t i = 0; i < ARRAY_LEN(func_rows) && rc >= 0; i++) {
		struct func_row row = func_rows[i].row;

		row.family = (enum family_id)family[row.family];
		rc = catalog_add_func(c, &row);
	}
	return rc;
}

/* --- an instance --- */

static int open(pid_t pid, const struct vm_file *file, const struct proc_maps *maps, bool early,
		struct vm **out, struct error *err)
{
	struct instance *i = calloc(1, sizeof(*i));
	int rc = i ? perf_map_new(pid, &i->names) : -ENOMEM;

	(void)maps;
	(void)early;
	(void)err;
	if (rc) {
		free(i);
		return rc;
	}
	i->vm.runtime = &node_runtime;
	i->pid = pid;
	node_version(file->elf, i->version);
	node_code(pid, file->elf, file->bias, &i->code);
	v8_read_constants(file->elf, &i->v8);
	i->code.function_info = i->v8.known ? (uint32_t)i->v8.of[V8_FUNCTION_SHARED] : 0;
	*out = &i->vm;
	return 0;
}

static void close(struct vm *vm)
{
	struct instance *i = (struct instance *)vm;

	perf_map_free(i->names);
	strset_free(&i->texts);
	free(vm);
}

static const char *version(const struct vm *vm)
{
	return ((const struct instance *)vm)->version;
}

static void code(const struct vm *vm, struct vm_code *out)
{
	*out = ((const struct instance *)vm)->code;
}

static void frames_refresh(struct vm *vm)
{
	perf_map_refresh(((struct instance *)vm)->names);
}

/* By what V8 has of the function. 1, 0: it is no script's, or gone; or -ENOMEM. */
static int find_function(struct instance *i, uint64_t function, struct frame *out)
{
	struct v8_name name;

	if (!function || !v8_function_name(&i->v8, i->pid, function, &name))
		return 0;
	*out = (struct frame){
	    .type = FRAME_SCRIPT, .symbol = strset_add(&i->texts, name.symbol), .line = name.line};
	out->file = name.file[0] ? strset_add(&i->texts, name.file) : NULL;
	return out->symbol && (out->file || !name.file[0]) ? 1 : -ENOMEM;
}

static int frames_script(struct vm *vm, uint64_t function, uint64_t pc, struct frames *out)
{
	struct instance *i = (struct instance *)vm;
	struct frame found, *f;
	int rc = find_function(i, function, &found);

	if (!rc && pc)
		rc = perf_map_find(i->names, pc - 1, &found);
	if (rc <= 0)
		return rc;
	f = VEC_ADD(out);
	if (!f)
		return -ENOMEM;
	*f = found;
	return 1;
}

static bool symbol(const struct vm *vm, const struct func_row *row, unsigned n, char *name, size_t cap)
{
	const char *found = row->name;

	(void)vm;
	for (size_t i = 0; i < ARRAY_LEN(func_rows); i++)
		if (func_rows[i].symbol && !strcmp(func_rows[i].row.name, row->name))
			found = func_rows[i].symbol;
	snprintf(name, cap, "%s", found);
	return n == 0;
}

/* --- the row --- */

/* Of others the executable itself is looked at: see exports. */
static const char *const libraries[] = {"node", "nodejs", "libnode.so*", "deno", "bun", "electron", NULL};
static const char *const bottom[] = {"node", "nodejs", NULL};

const struct runtime node_runtime = {
    .name = "node",
    .shown = "Node-API",
    .api = API,
    .add_rows = add_rows,
    .libraries = libraries,
    .exports = "napi_create_reference",
    .bottom = bottom,
    .absent = "no host of Node-API, neither its program nor a libnode.so in it exports napi_create_reference",
    .absent_advice = "name a process of Node.js, Deno or Bun: see pgrep -a node",
    .open = open,
    .close = close,
    .version = version,
    .symbol = symbol,
    .code = code,
    .frames_refresh = frames_refresh,
    .frames_script = frames_script,
};
