/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef JNITRACE_RUBY_ROW_H
#define JNITRACE_RUBY_ROW_H

#include "runtime/runtime.h"

extern const struct runtime ruby_runtime;

#endif
