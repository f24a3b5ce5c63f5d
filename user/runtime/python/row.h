/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef JNITRACE_PYTHON_ROW_H
#define JNITRACE_PYTHON_ROW_H

#include "runtime/runtime.h"

extern const struct runtime python_runtime;

#endif
