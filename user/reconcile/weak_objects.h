/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Do weak references pile up, or do they wait for the collector? What the objects behind them tell. */
#ifndef JNITRACE_WEAK_OBJECTS_H
#define JNITRACE_WEAK_OBJECTS_H

#include "model/catalog.h"
#include "model/reconciled.h"
#include "model/snapshot.h"
#include "runtime/runtime.h"

#define WEAK_OBJECTS_MAX 32768
/*
 * Read the VM's count of collections and, if objects, what the snapshot's weak references point to, at most
 * WEAK_OBJECTS_MAX of them. out is used again from call to call; start with zeros. 0, -ENOMEM; what else
 * fails is not known in out.
 */
int weak_objects_read(struct vm *vm, const struct catalog *catalog, const struct snapshot *s, bool objects,
		      struct weak_look *out);
void weak_objects_free(struct weak_look *w);

#endif
