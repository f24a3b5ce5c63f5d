/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The places where a function returns. A return probe of the kernel puts an address of its own in the place
 * of the return address: an exception that is thrown through the function finds no way on from there, and
 * ends the process (std::terminate). A probe on each `ret` changes nothing on the stack.
 */
#ifndef JNITRACE_RETURNS_H
#define JNITRACE_RETURNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "elf/elf.h"

/* May exceptions go through the functions of this file? It has to do with the unwinder that throws them. */
bool returns_may_throw(const struct elf_image *e);
/*
 * All `ret` of the function that begins at start, as link-time addresses: at most max. How many, or -errno
 * with *why: what is there cannot be followed, or it ends in a call of another function, which then returns
 * for it.
 */
int returns_find(const struct elf_image *e, uint64_t start, uint64_t *at, size_t max, const char **why);

#endif
