/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Names for the call sites of one target: each stack is turned into frames once, when it is first seen. */
#ifndef JNITRACE_NAMING_H
#define JNITRACE_NAMING_H

#include "model/catalog.h"
#include "model/named_site.h"
#include "model/snapshot.h"
#include "symbols/symbols.h"

struct naming; /* opaque */

/*
 * symbols and catalog are not owned: they outlive the naming, whose frames point to the texts of symbols.
 * 0 or -ENOMEM.
 */
int naming_new(const struct catalog *catalog, struct symbols *symbols, struct naming **out);
void naming_free(struct naming *n);
/* Are there sites in the snapshot that have no name yet, or any that are pending? */
bool naming_lacks(const struct naming *n, const struct snapshot *s);
/* Are there any that naming_update() has not looked at yet? They may be in code that was mapped since. */
bool naming_has_new(const struct naming *n, const struct snapshot *s);
/*
 * Name the sites that are new in the snapshot: code of a VM's compiler is gone within seconds, and
 * the process with it when it ends. A stack that is being written is named the next time, and one for which
 * the budget's slice has no time left. Then what lacks files and lines is asked for again. 0 or -ENOMEM.
 */
int naming_update(struct naming *n, const struct snapshot *s);
/* Sites that naming_update() left without a name, or without files and lines, for want of time. */
size_t naming_pending(const struct naming *n);
/* All that are named. They belong to n. */
const struct named_sites *naming_sites(const struct naming *n);

#endif
