/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Native frames by name: function (demangled), module, offset, build-id, file:line, inlined
 * functions. Lazy: a module is opened at the first address in it. Built on libdw.
 */
#ifndef JNITRACE_SYMBOLS_H
#define JNITRACE_SYMBOLS_H

#include "base/util.h"
#include "bpf/border/shared.h"
#include "model/report.h"
#include "proc/proc.h"

struct symbols; /* one per target */
struct vm;

/* id is copied. 0 or -ENOMEM. */
int symbols_new(const struct proc_id *id, struct symbols **out);
void symbols_free(struct symbols *s);
/* Who names managed frames; NULL: nobody yet. It must live as long as s. hidden: also those it hides. */
void symbols_set_vm(struct symbols *s, struct vm *vm, bool hidden);
/*
 * Take in new mappings (libraries loaded or unloaded since); cheap when they are the same. What was read of
 * a module is kept when it is gone, and is not taken for another file that got its inode. An address
 * means what is mapped there now, else what was last: so call this just before symbols_stack(), and
 * that as soon as a stack is first seen. closed: libraries were closed since the last time, so that another
 * file may lie where one was, even under its name. 0 or -ENOMEM.
 */
int symbols_refresh(struct symbols *s, const struct proc_maps *maps, bool closed);
/*
 * Turn the return addresses of st into frames, innermost first, inlined ones included, into out
 * (whose contents are replaced; the caller frees out->v; the texts live as long as s). The chain is cut at
 * the first link that unwind tables do not prove (the function at pc[i] does not keep its frame in the
 * frame pointer); *truncated then says why, else why the walk itself ended.
 *
 * Function, line and unwind rule are looked up at pc - 1, in the call; `offset` is the return address
 * itself as the file has it (link-time), which is what perf and bpftrace print and addr2line takes
 * minus 1. An inlined frame has the offset of the function it is inlined in. `file` is a base
 * name. Frames in a runtime's library have the type FRAME_VM. *lacks: what the stack lacks, at its end and in
 * between, bit per enum stack_end; 0: it is complete. 0 or -ENOMEM.
 */
int symbols_stack(struct symbols *s, const struct stack *st, struct frames *out, const char **truncated,
		  uint32_t *lacks);

#endif
