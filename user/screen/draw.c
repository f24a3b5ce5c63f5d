/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Pieces that several parts of the screen are made of. */
#include "screen/draw.h"

#include <math.h>

void draw_spark(struct canvas *c, int row, int column, const float *points, int n, unsigned style)
{
	float least = INFINITY, most = -INFINITY, range;

	for (int i = 0; i < n; i++)
		if (!isnan(points[i])) {
			least = fminf(least, points[i]);
			most = fmaxf(most, points[i]);
		}
	/* What hardly moves is flat. */
	range = fmaxf(most - least, fmaxf(0.05F * most, 7));
	for (int i = 0; i < n; i++) {
		int height = isnan(points[i]) ? -1 : (int)((points[i] - least) / range * 7.99F);

		canvas_fill(c, row, column + i, 1,
			    height < 0 ? ' ' : 0x2581 + (uint32_t)(height < 7 ? height : 7), style);
	}
}

unsigned verdict_style(enum site_verdict verdict)
{
	switch (verdict) {
	case VERDICT_GROWING:
		return STYLE_ALARM;
	case VERDICT_BURST:
	case VERDICT_BOUNDED:
	case VERDICT_CACHED:
		return STYLE_NOTE;
	case VERDICT_CLEAN:
		return STYLE_GOOD;
	default:
		return STYLE_PLAIN;
	}
}

unsigned put_verdict(struct buf *out, const struct report_verdict *v, bool count_only)
{
	if (v->kind == VERDICT_GROWING)
		buf_printf(out, "GROWING");
	else if (v->kind != VERDICT_UNKNOWN)
		buf_printf(out, "%s", site_verdict_names[v->kind]);
	else if (v->ready_in_s > 0 && !count_only)
		buf_printf(out, "in %.0fs", ceil(v->ready_in_s));
	else if (v->span_s > 0 && !count_only)
		buf_printf(out, v->slowed ? "slowed" : "unclear");
	else
		buf_printf(out, "-");
	return verdict_style(v->kind);
}
