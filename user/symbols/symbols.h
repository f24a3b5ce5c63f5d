/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Stacks by name. Of a native frame: function (demangled), module, offset, build-id, file:line, inlined
 * functions. Lazy: a module is read at the first address in it, once for all targets. Built on libdw.
 */
#ifndef JNITRACE_SYMBOLS_H
#define JNITRACE_SYMBOLS_H

#include "base/util.h"
#include "bpf/border/shared.h"
#include "model/report.h"
#include "modules/code.h"

struct symbols; /* one per target */
struct vm;

/* code, not owned, tells where modules are. 0 or -ENOMEM. */
int symbols_new(const struct code *code, struct symbols **out);
void symbols_free(struct symbols *s);
/* Who names Java frames; NULL: nobody yet. It must live as long as s. hidden: also those Java hides. */
void symbols_set_vm(struct symbols *s, struct vm *vm, bool hidden);
/* Managed frames cannot be found in this process: no stack with frames of the VM's is complete. */
void symbols_set_refused(struct symbols *s, enum stack_end lacks);
/* Call now and then: lets go of what is large and was not asked for lately. */
void symbols_tidy(struct symbols *s);
/* Frames that have no name because the process has more files with code than are kept. */
uint64_t symbols_nameless(const struct symbols *s);
/* Is it in a library that was opened just now, and not told yet (code_opened())? Then it has no names yet. */
bool symbols_wait(const struct symbols *s, const struct stack *st);
/*
 * An address means what is mapped there now, else what was last: so bring code up to date just before, and
 * name a stack as soon as it is first seen.
 *
 * Turn the return addresses of st into frames, innermost first, inlined ones included, into out
 * (whose contents are replaced; the caller frees out->v; the texts live as long as s). The chain is cut at
 * the first link that unwind tables do not prove (the function at pc[i] does not keep its frame in the
 * frame pointer); *truncated then says why, else why the walk itself ended.
 *
 * Function, line and unwind rule are looked up at pc - 1, in the call; `offset` is the return address
 * itself as the file has it (link-time), which is what perf and bpftrace print and addr2line takes
 * minus 1. An inlined frame has the offset of the function it is inlined in. `file` is a base
 * name. Frames in the VM's library have the type FRAME_VM. *lacks: what the stack lacks, at its end and in
 * between, bit per enum stack_end; 0: it is complete.
 *
 * When the budget's slice is over frames may lack files, lines and inlined functions: they have a `later`. 0,
 * -ENOMEM, or -EAGAIN or -EINTR: a module could not be read in this slice, ask again for the whole stack.
 */
int symbols_stack(struct symbols *s, const struct stack *st, struct frames *out, const char **truncated,
		  uint32_t *lacks);
/*
 * Ask again for frames of symbols_stack() that have a `later`. *out (as above) is what is known of them now;
 * of some, each with all that there is to say, the others as they were.
 */
enum symbols_more { MORE_NONE, MORE_OF_SOME, MORE_OF_ALL };
enum symbols_more symbols_again(struct symbols *s, const struct frames *frames, struct frames *out);
/* Whose slices of time these are. */
struct budget *symbols_budget(const struct symbols *s);

#endif
