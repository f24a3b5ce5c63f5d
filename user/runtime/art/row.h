/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Android's ART, as a row among the runtimes. */
#ifndef JNITRACE_ART_ROW_H
#define JNITRACE_ART_ROW_H

#include "runtime/runtime.h"

extern const struct runtime art_runtime;

#endif
