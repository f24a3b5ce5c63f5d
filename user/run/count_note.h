/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Why the VM's own count of references is not what its tables mark as in use. */
#ifndef JNITRACE_RUN_COUNT_NOTE_H
#define JNITRACE_RUN_COUNT_NOTE_H

#include "runtime/runtime.h"

#define COUNT_NOTE_BYTES 256

/*
 * Say where the two differ for good: after a reference was deleted twice. A VM that goes on makes them differ
 * for a moment, so several readings must agree; else out is left alone. 0, -ESRCH, -ENOMEM.
 */
int count_note(struct vm *vm, enum vm_table t, char out[COUNT_NOTE_BYTES]);
/* Where the VM counts could not be proven, and the marks were counted instead. */
void count_note_marks(char out[COUNT_NOTE_BYTES]);

#endif
