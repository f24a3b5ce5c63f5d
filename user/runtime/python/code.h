/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A function of Python and the line in it, by its code object. */
#ifndef JNITRACE_PYTHON_CODE_H
#define JNITRACE_PYTHON_CODE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "runtime/python/layout.h"

#define PYTHON_NAME_BYTES 256

struct python_name {
	char symbol[PYTHON_NAME_BYTES],
	    file[PYTHON_NAME_BYTES]; /* cleaned; file without its folders, "": unknown */
	int line;                    /* 0: unknown */
};
struct python_reader {
	pid_t pid;
	const struct python_layout *layout;
	uint64_t code_type; /* run-time address of PyCode_Type */
};
/*
 * place: of the instruction that is carried out; check: as the walker read it (bpf/border/scripts.h). false:
 * no code object is there, or another one by now.
 */
bool python_code_name(const struct python_reader *r, uint64_t code, uint64_t place, uint32_t check,
		      struct python_name *out);

#endif
