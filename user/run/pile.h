/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Local references that pile up where they are not traced: one look at the process, not more than once a
 * second. */
#ifndef JNITRACE_PILE_H
#define JNITRACE_PILE_H

#include <sys/types.h>

#include "reconcile/local_pile.h"
#include "runtime/runtime.h"

/* elapsed_s: since attach; many: so many are worth a word. What cannot be read leaves out as it was. */
void pile_look(struct pile_watch *w, struct vm *vm, pid_t pid, double elapsed_s, uint64_t many,
	       struct report_pile *out);

#endif
