/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "model/sample.h"

#include <math.h>

#define Z_95 1.959964 /* so many standard deviations on either side hold 95 of 100 */

static bool can_be_sampled(const struct func_row *row)
{
	switch (row->operation) {
	case OP_ACQUIRE:
		return !row->counted && row->finalizer == HANDLE_NONE;
	case OP_RELEASE:
		return !row->at_address;
	case OP_REPLACE:
	case OP_USE:
		return true;
	default:
		return false;
	}
}

uint32_t sample_families(const struct catalog *c, uint32_t families)
{
	uint32_t can = families & catalog_families(c, KIND_BIT(KIND_PAIR));

	for (uint32_t f = 1; f < c->nr_funcs; f++)
		if (!can_be_sampled(&c->funcs[f]))
			can &= ~(1U << func_family(c, f));
	return can;
}

/*
 * Of X handles k are followed: binomial, with p = 1 / N. As in Wilson's interval, those X are believed from
 * which N k is no further than z standard deviations, z sqrt(X (N - 1)). Solved for X, with the larger of the
 * two sides for both.
 */
uint64_t sample_error(uint64_t estimate, uint64_t one_in)
{
	double more = one_in > 1 ? (double)one_in - 1 : 0, half = Z_95 * Z_95 * more / 2;
	double error = ceil(half + Z_95 * sqrt(more * (double)estimate + half * more / 2));

	return error < 0x1p63 ? (uint64_t)error : INT64_MAX; /* a recording may say anything */
}

void sample_put_error(struct buf *out, uint64_t estimate, uint64_t one_in)
{
	if (one_in <= 1)
		return;
	buf_printf(out, " +-");
	fmt_count(out, sample_error(estimate, one_in));
}
