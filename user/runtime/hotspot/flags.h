/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Flags of the VM's command line, as it has them in force. */
#ifndef JNITRACE_HOTSPOT_FLAGS_H
#define JNITRACE_HOTSPOT_FLAGS_H

#include "runtime/hotspot/hotspot.h"

/* -ENOENT: not known to this VM. */
int hotspot_bool_flag(const struct hotspot *h, const char *name, bool *value);
/* Is it known and set? */
bool hotspot_flag(const struct hotspot *h, const char *name);
/* Does it run with the ZGC of two generations, of JDK 21 and later? */
bool hotspot_is_generational_zgc(const struct hotspot *h);

#endif
