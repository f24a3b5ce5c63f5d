/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How the versions of Ruby's interpreter that are known keep their frames and code, on x86-64. Offsets in
 * bytes; ruby: vm_core.h (rb_execution_context_t, rb_control_frame_t, rb_iseq_t, rb_iseq_constant_body),
 * iseq.h, include/ruby/internal/core/rstring.h.
 */
#ifndef JNITRACE_RUBY_LAYOUT_H
#define JNITRACE_RUBY_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

struct ruby_layout {
	const char *version;   /* as 3.1: all releases of it are alike */
	uint8_t frame_words;   /* rb_control_frame_t */
	bool line_is_number;   /* location.first_lineno is an int, not a tagged one */
	uint32_t insns_info;   /* in rb_iseq_constant_body */
	bool length_in_string; /* RString::len, not in the flags where the text is in the object */
	uint32_t id_call;      /* idCall, the name of the method `call` (id.h) */
};

/* The same in all that are known: */
#define RUBY_EC_STACK     0 /* rb_execution_context_t: vm_stack, vm_stack_size */
#define RUBY_EC_CFP       16
#define RUBY_CF_PC_WORD   0 /* rb_control_frame_t */
#define RUBY_CF_ISEQ_WORD 2
#define RUBY_CF_EP_WORD   4
#define RUBY_FLAG_FINISH  0x20 /* the first of a native frame of the interpreter */
#define RUBY_FLAG_CFRAME  0x80 /* of a function in C */
#define RUBY_MAGIC_MASK   0x7fff0001
#define RUBY_MAGIC_DUMMY  0x79990001 /* of the first frame of a thread, which runs nothing */
#define RUBY_ISEQ_BODY    16
#define RUBY_BODY_SIZE    4 /* rb_iseq_constant_body: iseq_size, iseq_encoded, location */
#define RUBY_BODY_ENCODED 8
#define RUBY_BODY_PATH    64
#define RUBY_BODY_LABEL   80
#define RUBY_BODY_LINE    88
#define RUBY_BODY_BYTES   168 /* that are read */

/* By RUBY_API_VERSION as ruby_version says it, "3.1.2"; NULL: it is not known. */
const struct ruby_layout *ruby_layout_of(const char *version);
/* All that are known, for people: "3.1, 3.3". */
const char *ruby_layouts_known(void);

#endif
