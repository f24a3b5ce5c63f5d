/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* ART's threads and their local references. */
#ifndef JNITRACE_ART_THREADS_H
#define JNITRACE_ART_THREADS_H

#include "runtime/art/art.h"

/* As struct runtime has it. */
int art_threads(struct art *a, struct vm_threads *out);

#endif
