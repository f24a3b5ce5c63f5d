/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The row of Node-API in the table of runtimes: see runtime.h. */
#ifndef JNITRACE_NODE_ROW_H
#define JNITRACE_NODE_ROW_H

#include "runtime/runtime.h"

extern const struct runtime node_runtime;

#endif
