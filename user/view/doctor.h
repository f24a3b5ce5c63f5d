/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* jnitrace doctor, for people and as JSON (one object). */
#ifndef JNITRACE_VIEW_DOCTOR_H
#define JNITRACE_VIEW_DOCTOR_H

#include "base/util.h"
#include "model/diagnosis.h"
#include "view/view_opts.h"

void view_doctor_table(struct buf *out, const struct diagnosis *d, const struct view_opts *o);
void view_doctor_json(struct buf *out, const struct diagnosis *d, const struct view_opts *o);

#endif
