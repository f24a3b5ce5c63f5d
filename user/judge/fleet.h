/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which call site is, or grows, in one version alone? */
#ifndef JNITRACE_JUDGE_FLEET_H
#define JNITRACE_JUDGE_FLEET_H

#include "model/fleet.h"

/*
 * Set the order of groups, and only_in and grows_only_in of each site; sort them: what grows first, then what
 * holds most. A group of which no JVM was traced says nothing. false: no two groups that could be compared
 * were traced.
 */
bool fleet_judge(struct fleet *f);

#endif
