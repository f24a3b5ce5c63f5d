/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What probes may take. See allowance.h. */
#include "judge/allowance.h"

#include <math.h>

struct allowance allowance_begin(double share, uint64_t now_ns)
{
	return (struct allowance){.share = share, .since_ns = now_ns, .left_ns = ALLOWANCE_BURST_NS};
}

bool allowance_take(struct allowance *a, double taken_ns, uint64_t now_ns)
{
	double earned_ns = now_ns > a->since_ns ? (double)(now_ns - a->since_ns) * a->share : 0;

	a->since_ns = now_ns;
	a->left_ns = fmin(a->left_ns + earned_ns, ALLOWANCE_BURST_NS) - taken_ns;
	return a->left_ns >= 0;
}
