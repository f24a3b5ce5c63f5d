/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which packages the libraries of all targets belong to; each file is looked up once. */
#ifndef JNITRACE_OWNERS_H
#define JNITRACE_OWNERS_H

#include <sys/types.h>

#include "base/budget.h"
#include "model/report.h"

struct owners;

/* b: what is read is paid from it, which outlives this. 0 or -ENOMEM. */
int owners_new(struct budget *b, struct owners **out);
void owners_free(struct owners *o);

/* A root directory: processes that share it share its packages. 0: not known. */
struct root_key {
	dev_t dev;
	ino_t ino;
};
struct root_key owners_root(pid_t pid);
/*
 * Fill in the package of each of r's libraries that has a path; what is not known stays NULL, as what there
 * is no time for now (budget_slice()). Texts live as long as o. pid: of a process that has this root; 0:
 * there is none any more.
 */
void owners_tell(struct owners *o, struct root_key root, pid_t pid, struct report *r);
/* Look them up alone, for a report to come. */
void owners_look(struct owners *o, struct root_key root, pid_t pid, const struct report *r);

#endif
