/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From what was counted of one handle in so many to estimates of all (model/sample.h). */
#ifndef JNITRACE_ESTIMATE_H
#define JNITRACE_ESTIMATE_H

#include "model/report.h"

/*
 * one_in 0 or 1: nothing changes. threads: those of the site. The verdict stays that of the handles which
 * were followed: to it they come and go by chance, as those of any program do.
 */
void estimate_site(struct report_site *s, struct report_thread *threads, uint64_t one_in);
void estimate_family(struct report_family *f, uint64_t one_in);

#endif
