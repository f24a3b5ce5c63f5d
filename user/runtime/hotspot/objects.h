/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the probes must know of a VM to read class and length of arrays and strings (bpf/books/objects.bpf.h).
 */
#ifndef JNITRACE_HOTSPOT_OBJECTS_H
#define JNITRACE_HOTSPOT_OBJECTS_H

#include "bpf/border/pins.h"
#include "runtime/hotspot/oops.h"

/*
 * From the VM's tables and what the reader has proven. out->on is 0 when its tables do not tell; without its
 * symbols out->strings is: no table exports the fields of String.
 */
void hotspot_objects(const struct oop_reader *r, struct object_config *out);

#endif
