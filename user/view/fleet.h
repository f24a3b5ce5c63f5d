/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What jnitrace fleet diff says. */
#ifndef JNITRACE_VIEW_FLEET_H
#define JNITRACE_VIEW_FLEET_H

#include "base/util.h"
#include "model/fleet.h"
#include "view/view_opts.h"

void view_fleet_table(struct buf *out, const struct fleet *f, const struct view_opts *o);
void view_fleet_json(struct buf *out, const struct fleet *f, const struct view_opts *o);

#endif
