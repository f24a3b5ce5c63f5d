/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which classes the outstanding references of a target's sites point to: who holds what. */
#ifndef JNITRACE_REF_CLASSES_H
#define JNITRACE_REF_CLASSES_H

#include "model/snapshot.h"
#include "runtime/hotspot/oops.h"

#define REF_CLASSES_MAX 32768
struct site_class {
	uint32_t site;    /* index, as in the snapshot */
	const char *name; /* lives as long as the reader's classes: to the next reading */
	uint64_t count;   /* references of those read */
};
struct ref_classes {
	struct {
		struct site_class *v; /* by site */
		size_t n, cap;
	} classes;
	bool sampled; /* not every reference was read: counts are shares */
};
/*
 * Read the objects behind the snapshot's references, at most REF_CLASSES_MAX of them. out is
 * used again from call to call; start with zeros. 0, -ESRCH, -ENOMEM.
 */
int ref_classes_read(struct oop_reader *r, const struct snapshot *s, struct ref_classes *out);
void ref_classes_free(struct ref_classes *c);

#endif
