/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the references of a JVM point to: a histogram by class. */
#ifndef JNITRACE_CENSUS_CLASSES_H
#define JNITRACE_CENSUS_CLASSES_H

#include "model/census.h"
#include "runtime/runtime.h"

/*
 * Fill the tables and classes of out. With a budget, blocks are read in a scattered order until it is
 * used up; then counts are estimates and the table says sampled. 0, -ESRCH, -ENOMEM.
 */
int census_classes(struct vm *vm, uint64_t budget_ms, struct census *out);

#endif
