/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "run/sampling.h"

#include <errno.h>

#include "model/sample.h"
#include "run/pairs.h"

uint32_t sampling_of(const struct options *o, uint32_t families)
{
	return (o->sample > 1 || o->budget_share > 0) && o->pairs
		   ? sample_families(o->catalog, families & o->pairs->families)
		   : 0;
}

int sampling_check(const struct options *o, struct error *err)
{
	if (o->sample <= 1)
		return 0;
	if (o->nr_asserts || o->baseline)
		return error_set(err, -EINVAL, EXIT_USAGE, "--sample", "leave it out",
				 "--assert and --baseline judge exact numbers, and these would be estimates");
	if (!sampling_of(o, o->families))
		return error_set(
		    err, -EINVAL, EXIT_USAGE, "--sample", "as in jnitrace --pairs malloc --sample 10",
		    "nothing that is traced can be sampled, which are pairs whose handles are given "
		    "once and released once");
	return 0;
}
