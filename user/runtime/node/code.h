/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What V8, the engine below Node.js and Deno, has of code without unwind tables. */
#ifndef JNITRACE_NODE_CODE_H
#define JNITRACE_NODE_CODE_H

#include <sys/types.h>

#include "elf/elf.h"
#include "model/vm.h"

/*
 * Its builtins are code that was generated when V8 was built; they and what it compiles as it runs keep a
 * frame pointer at every call (v8: src/execution/frame-constants.h, StandardFrameConstants). *out is zeroed;
 * it stays so where e has no V8.
 */
void node_code(pid_t pid, const struct elf_image *e, uint64_t bias, struct vm_code *out);

#endif
