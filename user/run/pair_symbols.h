/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a rule calls a function (docs/pairs.md), in a library: NAME, NAME@VERSION, either with +0xOFFSET, or
 * 0xADDRESS; of C++ NAME is mangled, or as in the source without parameters (ns::Class::method) where it is
 * the only one.
 */
#ifndef JNITRACE_PAIR_SYMBOLS_H
#define JNITRACE_PAIR_SYMBOLS_H

#include "runtime/runtime.h"

#define PAIR_WHY_BYTES 256

/*
 * Its link-time address. 0; -ENOENT: no such function, why "" or what is there instead; -EINVAL: a probe
 * there would not see what it has to, why says so; or another -errno.
 */
int pair_symbol_find(const struct vm_file *file, const char *text, uint64_t *vaddr, char why[PAIR_WHY_BYTES]);
/* Names of functions of the file that are near to this one, "" mostly: "thing_new, thing_next". */
void pair_symbols_near(const struct vm_file *file, const char *text, char *out, size_t cap);

#endif
