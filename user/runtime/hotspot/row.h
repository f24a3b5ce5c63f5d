/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* HotSpot's row of the table of runtimes: all that others see of this folder. */
#ifndef JNITRACE_HOTSPOT_ROW_H
#define JNITRACE_HOTSPOT_ROW_H

#include "runtime/runtime.h"

extern const struct runtime hotspot_runtime;

#endif
