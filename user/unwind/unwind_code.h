/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Functions without call frame information that keep a frame pointer, as their first instructions prove. */
#ifndef JNITRACE_UNWIND_CODE_H
#define JNITRACE_UNWIND_CODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "border/unwind.h"
#include "elf/elf.h"

/*
 * The rule in the body of a function that begins with these n bytes: the frame record is made by the very
 * first instructions (behind a landing pad), as compilers do that were told to keep frame pointers; they use
 * that register for nothing else then. *body: bytes before the record is complete. false: no such function.
 */
bool unwind_code_rule(uint16_t machine, const uint8_t *code, size_t n, struct unwind_rule *out,
		      uint32_t *body);

/* The rule where it is known that a frame record is kept: {frame pointer, return address}. */
struct unwind_rule unwind_code_fp(uint16_t machine);
#if defined(__aarch64__)
#define UNWIND_HERE EM_AARCH64
#else
#define UNWIND_HERE EM_X86_64
#endif

/* Functions of e, by its symbols: link-time [start, end) of the body, sorted, and its rule. */
struct unwind_bodies {
	struct unwind_body {
		uint64_t start, end;
		struct unwind_rule rule;
	} * v;
	size_t n, cap;
};
/* 0 or -errno. The caller frees v. */
int unwind_code_bodies(const struct elf_image *e, struct unwind_bodies *out);

#endif
