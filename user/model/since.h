/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What happened between two reports of one target. */
#ifndef JNITRACE_SINCE_H
#define JNITRACE_SINCE_H

#include "model/report.h"

/*
 * Let r, which may be changed with all that it points to, be of the time since an earlier report: what is
 * counted becomes the difference, rates are those of the whole time. What is a state, such as what is
 * outstanding, its age and its verdict, stays as it is in r. Sites and findings of which there is nothing
 * more to say are left out.
 */
void report_since(struct report *r, const struct report *then);

#endif
