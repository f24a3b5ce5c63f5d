/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Verdicts on attaching and detaching: who is accused, and threads that attach again and again. */
#ifndef JNITRACE_FINDINGS_THREADS_H
#define JNITRACE_FINDINGS_THREADS_H

#include "judge/finding.h"

/* Does it accuse a library that only passes calls on: libc, which runs destructors, or the dynamic linker? */
bool finding_is_passed_on(const struct report_finding *f);
/* 0 or -ENOMEM. */
int finding_of_churn(const struct findings_input *in, const struct snapshot_churn *c, struct report *r);

#endif
