/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How the versions of CPython that are known keep their frames and code, on 64-bit machines, without
 * --disable-gil. Offsets in bytes; cpython: Include/internal/pycore_frame.h, pycore_runtime.h,
 * pycore_interp.h, Include/cpython/pystate.h, code.h, unicodeobject.h; those of 3.13 as
 * _PyRuntime.debug_offsets says them.
 */
#ifndef JNITRACE_PYTHON_LAYOUT_H
#define JNITRACE_PYTHON_LAYOUT_H

#include <stdint.h>

struct python_layout {
	uint8_t major, minor;
	uint32_t interpreters;                  /* _PyRuntimeState: interpreters.head */
	uint32_t threads;                       /* PyInterpreterState: threads.head */
	uint32_t next, thread;                  /* PyThreadState: next, thread_id */
	uint32_t frame;                         /* current_frame, or cframe */
	uint32_t cframe_frame, cframe_previous; /* _PyCFrame: current_frame, previous; 0: there are none */
	uint32_t code, previous, place, owner;  /* _PyInterpreterFrame: f_code, previous, prev_instr */
	uint8_t last, has_no_code; /* of owner: the last of a native frame; that has no function */
	uint32_t first_line, stack_size, instructions; /* PyCodeObject */
	uint32_t ascii_bytes, compact_bytes;           /* PyASCIIObject, PyCompactUnicodeObject */
};

/* NULL: it is not known. */
const struct python_layout *python_layout_of(unsigned major, unsigned minor);

/* The same in all that are known: */
#define PYTHON_FRAME_WORDS 9
#define PYTHON_CODE_FILE   112 /* PyCodeObject: co_filename, co_name, co_qualname, co_linetable */
#define PYTHON_CODE_NAME   128
#define PYTHON_CODE_LINES  136
#define PYTHON_OBJECT_TYPE 8
#define PYTHON_SIZE        16 /* PyBytesObject: ob_size, ob_sval; PyASCIIObject: length, state */
#define PYTHON_BYTES       32
#define PYTHON_STATE       32

#endif
