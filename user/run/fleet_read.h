/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What agents say of their JVMs, as it comes over the network: hostile. */
#ifndef JNITRACE_FLEET_READ_H
#define JNITRACE_FLEET_READ_H

#include "base/util.h"
#include "model/fleet.h"

struct fleet_reader; /* opaque: which process was seen by whom */

int fleet_reader_new(struct fleet *into, struct fleet_reader **out);
void fleet_reader_free(struct fleet_reader *r);
/*
 * Lines of /api/v1/targets and /api/v1/sites, in any order, that one agent has answered, whose number is
 * source. A process that several agents see counts once. Lines that are none of these are left out, and
 * counted. How many lines were understood, or -ENOMEM.
 */
int fleet_read(struct fleet_reader *r, size_t source, const char *text, size_t n);
void fleet_free(struct fleet *f); /* what it holds */

#endif
