/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Symbol names as people read them: C++ (Itanium) and Rust (legacy and v0). */
#ifndef JNITRACE_DEMANGLE_H
#define JNITRACE_DEMANGLE_H

#include <stddef.h>

#define SYMBOL_NAME_BYTES 1024 /* the longest name kept, with its terminator */

/*
 * Write the readable form of name into dst, cleaned for a terminal and cut at cap - 1 bytes; a name that
 * is not mangled, or lies, stays as it is. name may be any bytes. Returns dst.
 *
 * C++ names come without parameter list, return type and cv-qualifiers: `ns::Class<int>::method`.
 * A row of a table has room for that, and overloads still differ by line and offset. Rust names
 * come without their hash. What a compiler or linker appends is cut too (".constprop.0", ".part.1",
 * ".cold", ".llvm.123", "@@GLIBC_2.34"): the source has one function.
 */
char *demangle(char *dst, size_t cap, const char *name);

#endif
