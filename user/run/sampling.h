/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* --sample: what of it can be done. */
#ifndef JNITRACE_SAMPLING_H
#define JNITRACE_SAMPLING_H

#include "base/util.h"
#include "run/options.h"

/* 0, or -EINVAL with err: nothing that is traced can be sampled, or something needs exact numbers. */
int sampling_check(const struct options *o, struct error *err);
/* Of these families those that are sampled. */
uint32_t sampling_of(const struct options *o, uint32_t families);

#endif
