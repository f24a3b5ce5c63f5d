/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * JavaScript functions by V8's own data: name, file and line of a SharedFunctionInfo in the memory of a
 * process. How its objects lie V8 tells debuggers in constants that it exports, v8dbg_* (v8:
 * tools/gen-postmortem-metadata.py); where there are none, or others than expected, nothing is named.
 *
 * Memory is hostile, and the collector may be at work: each object is read once, by its map proven to be of
 * the type that is expected, and loops and lengths are bounded. The collector may move a SharedFunctionInfo,
 * if seldom; then it has no name.
 */
#ifndef JNITRACE_NODE_V8_H
#define JNITRACE_NODE_V8_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "elf/elf.h"

enum v8_constant {
#define V8_CONSTANT(id, name) V8_##id,
#define V8_RENAMED(id, name)
#include "runtime/node/v8_constants.def"
#undef V8_CONSTANT
#undef V8_RENAMED
	NR_V8_CONSTANTS
};
struct v8 {
	bool known;
	int32_t of[NR_V8_CONSTANTS];
};

#define V8_NAME_BYTES 256
struct v8_name {
	char symbol[V8_NAME_BYTES]; /* cleaned; "(anonymous)" */
	char file[V8_NAME_BYTES];   /* base name, or "node:..." as it is; "": unknown */
	int line;                   /* where the function begins; 0: unknown */
};

/* Not known where e has no such constants, or V8 is built in another way (compressed pointers). */
void v8_read_constants(const struct elf_image *e, struct v8 *out);
/* The name of the function whose SharedFunctionInfo is at addr. false: it is none now, or it has no script.
 */
bool v8_function_name(const struct v8 *v, pid_t pid, uint64_t addr, struct v8_name *out);
/* The base name of what a script is called, cleaned: "/srv/app.js" and "file:///srv/app.js" are "app.js". */
void v8_file_name(const char *path, size_t n, char *out, size_t cap);

#endif
