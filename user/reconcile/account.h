/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the VM's own tables hold, held against what the probes saw, handle by handle: which references were
 * there before attach and still are, which the VM made for itself, and of which a release went unseen.
 *
 * A table is looked at first and the pairing store read afterwards. A reference that was in the store when
 * the look began, and still is, was there all along: an acquisition is seen after the VM has taken the
 * slot, a release before the VM frees it. So if its slot was free in between, its release was missed.
 * A slot in use that no probe saw acquired was in use at attach, or the VM took it for itself; of those in
 * use at attach, one that is free or tracked at some time is not from before any more.
 */
#ifndef JNITRACE_ACCOUNT_H
#define JNITRACE_ACCOUNT_H

#include "model/report.h"
#include "model/snapshot.h"
#include "reconcile/corrections.h"
#include "runtime/runtime.h"

struct account; /* opaque; of one target */

/*
 * vm stays open as long as the result. from_start: the gate was opened before the VM made any reference, so
 * that nothing was there before, however late the first look succeeds. 0 or -ENOMEM.
 */
int account_new(struct vm *vm, bool from_start, struct account **out);
void account_free(struct account *a);

/*
 * Look at the tables. The first look that succeeds, which must be when the gate is open, tells what was
 * there before, unless that is known to be nothing. tick: the present one. A table that changes too fast is
 * left as it was known. 0, -ESRCH, -ENOMEM.
 */
int account_look(struct account *a, uint32_t tick);

/* The same of one table, by its blocks, in any order: live->v is a's now. 0 or -ENOMEM. */
int account_take(struct account *a, enum vm_table which, uint32_t tick, const struct handle_blocks *live);

/*
 * Hold the last look against the snapshot, read after it: references whose release was missed
 * are added to found. Once for each look and snapshot. 0 or -ENOMEM.
 */
int account_compare(struct account *a, const struct snapshot *s, struct corrections *found);

/* The family of this table is not traced from now on, or is again: the next look tells what was there before.
 */
void account_forget(struct account *a, enum vm_table which);

/* How many entries of the table were marked in use at the last look. */
uint64_t account_marked(const struct account *a, enum vm_table which);

/*
 * Of the families of r: what was there before, also by class, and what is the VM's own. r->before lives until
 * the next call. Classes not known yet are read for about budget_ms; 0: they cannot be (vm_open_objects()).
 * 0, -ESRCH or -ENOMEM.
 */
int account_report(struct account *a, uint64_t budget_ms, struct report *r);

/*
 * The VM's own count of a family, of which account_report() has told. It was `earlier` before the tables and
 * the store were read, `later` after that, and each number between them at some moment: the one nearest to
 * what is accounted for.
 */
int64_t account_total(const struct report_family *f, uint64_t earlier, uint64_t later);

#endif
