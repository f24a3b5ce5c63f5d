/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A dex file as it lies in a process's memory ("Dalvik executable format"): names of types and methods, and
 * lines. Whatever it says is checked against its own size; nothing is read outside. A compact one ("cdex",
 * Android 9 to 13) is none.
 */
#ifndef JNITRACE_ART_DEX_H
#define JNITRACE_ART_DEX_H

#include "runtime/art/art.h"

#define DEX_HEADER_BYTES   0x70
#define DEX_NAME_MAX_BYTES 1024

struct art_dex {
	const struct art *a;
	uint64_t begin;
	uint32_t header[DEX_HEADER_BYTES / 4];
};
struct art_dex_method {
	uint16_t class_type, prototype;
	uint32_t name;
};
/* The code of a method. */
struct art_dex_code {
	uint64_t insns; /* address of its first instruction, of 2 bytes each, as many as: */
	uint32_t nr_insns;
	uint16_t registers, ins, outs, tries;
	uint32_t debug; /* offset of its lines; 0: none */
};

/* false, of all these: there is none. */
bool art_dex_open(const struct art *a, uint64_t begin, struct art_dex *out);
bool art_dex_string(const struct art_dex *d, uint32_t string, char *dst, size_t cap);
/* "Ljava/lang/String;" */
bool art_dex_type(const struct art_dex *d, uint32_t type, char *dst, size_t cap);
/* "Ljava/lang/String;" -> "java.lang.String" */
bool art_binary_name(const char *descriptor, char *dst, size_t cap);
bool art_dex_method(const struct art_dex *d, uint32_t method, struct art_dex_method *out);
/* The source file of the class with this number in the list of classes, if it is of this type. */
bool art_dex_source(const struct art_dex *d, uint32_t class_def, uint32_t type, char *dst, size_t cap);
/* addr: where the code lies, in this file. */
bool art_dex_code(const struct art_dex *d, uint64_t addr, struct art_dex_code *out);
/* The line of the instruction with this number; 0: not known. */
int art_dex_line(const struct art_dex *d, const struct art_dex_code *code, uint32_t insn);

#endif
