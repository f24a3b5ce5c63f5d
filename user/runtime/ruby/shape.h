/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The interpreter's function in a file that does not name it. It has a table of the addresses of its
 * instructions (ruby: vm_exec.c, rb_vm_get_insns_address_table()): some two hundred words in a row that all
 * point into one function. That is called from few places, and a native frame that returns to one of those is
 * the interpreter's.
 */
#ifndef JNITRACE_RUBY_SHAPE_H
#define JNITRACE_RUBY_SHAPE_H

#include <stddef.h>
#include <stdint.h>

#include "bpf/border/scripts.h"
#include "runtime/runtime.h"

struct ruby_interpreter {
	uint64_t insns_start,
	    insns_end; /* run-time addresses of instructions: from the first to behind the last */
	uint64_t returns[SCRIPT_RETURNS]; /* run-time */
	size_t nr_returns;
	uint64_t finalizer; /* run-time: where a finalizer returns to; 0: not known */
};
/* id_call: see struct ruby_layout. 0; -ENOENT: there is no such table, or not one function; -ENOMEM, -ESRCH
 * and others of reading. */
int ruby_find_interpreter(const struct vm_file *file, const struct proc_maps *maps, uint32_t id_call,
			  struct ruby_interpreter *out);

#endif
