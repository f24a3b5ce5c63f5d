/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A Ruby function and the line in it, by what the interpreter has of its code (rb_iseq_constant_body). */
#ifndef JNITRACE_RUBY_CODE_H
#define JNITRACE_RUBY_CODE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "runtime/ruby/layout.h"
#include "runtime/ruby/shape.h"

#define RUBY_NAME_BYTES 256

struct ruby_name {
	char symbol[RUBY_NAME_BYTES],
	    file[RUBY_NAME_BYTES]; /* cleaned; file without its folders, "": unknown */
	int line;                  /* 0: unknown */
};
struct ruby_reader {
	pid_t pid;
	const struct ruby_layout *layout;
	struct ruby_interpreter interpreter;
};
/*
 * pc: behind the instruction that is carried out; check: as the walker read it (bpf/border/scripts.h). false:
 * no code of Ruby's is there, or another function's by now.
 */
bool ruby_code_name(const struct ruby_reader *r, uint64_t body, uint64_t pc, uint32_t check,
		    struct ruby_name *out);

#endif
