/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which classes the outstanding references of a target's sites point to: who holds what. */
#ifndef JNITRACE_REF_CLASSES_H
#define JNITRACE_REF_CLASSES_H

#include "model/reconciled.h"
#include "model/snapshot.h"
#include "runtime/runtime.h"

#define REF_CLASSES_MAX 32768
/*
 * Read the objects behind the snapshot's references, at most REF_CLASSES_MAX of them. out is
 * used again from call to call; start with zeros. 0, -ESRCH, -ENOMEM.
 */
int ref_classes_read(struct vm *vm, const struct snapshot *s, struct ref_classes *out);
void ref_classes_free(struct ref_classes *c);

#endif
