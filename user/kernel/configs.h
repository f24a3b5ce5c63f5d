/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef JNITRACE_CONFIGS_H
#define JNITRACE_CONFIGS_H

#include "kernel/tracer_priv.h"

/* A message of the ring buffer code_changes: the number of the target whose code has changed, or a library
 * that was opened (struct code_opened). arg: tracer */
int configs_code_changed(void *arg, void *data, size_t n);

#endif
