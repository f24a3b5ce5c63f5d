/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Java methods in a VM's memory: what frames.c and methods.c share. */
#ifndef JNITRACE_JAVA_METHODS_H
#define JNITRACE_JAVA_METHODS_H

#include "base/strset.h"
#include "runtime/hotspot/hotspot.h"

/* Where things are in Method and its relatives; bytes. */
struct method_layout {
	uint32_t constmethod, access_flags, flags;                 /* Method */
	uint32_t code;                                             /* likewise; 0: unknown */
	uint32_t constants, size, cm_flags, code_size, name_index; /* ConstMethod */
	uint32_t tags, holder, length, source_file;                /* ConstantPool; or the class */
	uint32_t klass_name, klass_constants, symbol_length, symbol_body, array_data;
	uint32_t method_bytes, constmethod_bytes, pool_bytes;
	uint32_t hidden_mask, lines_mask; /* of flags, see hidden_in_constmethod; of cm_flags */
	uint32_t cm_flags_bytes;          /* 2 or 4 */
	bool hidden_in_constmethod, source_file_in_klass, compact5;
};
/* 0, or -ENOENT with the reason. */
int method_layout_read(const struct hotspot *h, struct method_layout *l, struct error *err);

/* A method as read. identity changes when another takes its place in memory. */
struct java_method {
	uint64_t addr;
	uint64_t identity[5]; /* ConstMethod*, ConstantPool*, holder, Symbol* of the name and of the class */
	const char *symbol, *file; /* file NULL: unknown */
	uint32_t code_bytes, constmethod_total;
	bool native, hidden, has_lines;
	uint64_t epoch; /* when it was last compared */
	/* Classes that had been unloaded when it was first read, and last: it was there all the time between.
	 */
	uint64_t since, unloads;
	uint32_t version; /* of what is at addr */
};
/* Read identity and flags only; false: it is no Method. */
bool method_identify(const struct hotspot *h, const struct method_layout *l, uint64_t addr,
		     struct java_method *m);
/* Then its names. false: they are not there. rc is -ENOMEM when memory is exhausted. */
bool method_names(const struct hotspot *h, const struct method_layout *l, struct strset *strings,
		  struct java_method *m, int *rc);
/* The source line of a bytecode; 0: not known; -1: the table that should be there is not, so the class is
 * gone. */
int method_line(const struct hotspot *h, const struct method_layout *l, const struct java_method *m,
		uint32_t bci);
/*
 * Of a native method: *function is what the VM calls for it now, the word behind the Method, and *code its
 * compiled code (0: none, or not known). JDK: oops/method.hpp, native_function_addr(), the same in 8 to 28;
 * Method::set_native_function() stores the function, then has code that calls another made anew. false: not
 * readable.
 */
bool method_native(const struct hotspot *h, const struct method_layout *l, const struct java_method *m,
		   uint64_t *function, uint64_t *code);
/* Its class. */
static inline uint64_t holder_of(const struct java_method *m)
{
	return m->identity[2];
}
/* Address of the first bytecode. */
static inline uint64_t method_code(const struct method_layout *l, const struct java_method *m)
{
	return m->identity[0] + l->constmethod_bytes;
}

/* The compressed numbers of the VM (JDK: utilities/unsigned5.hpp; before JDK 20 code/compressedStream.cpp).
 */
uint32_t unsigned5(const uint8_t **p, const uint8_t *end, bool compact);

#endif
