/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What becomes of the references of a call site, or of a table of references: a verdict from its history.
 *
 * `growing` is said of survivors whose floor (the least count of a while) rises in each of eight parts of a
 * stretch of time, by more than chance makes of what comes and goes, without slowing down, and for longer
 * than it ever rose and fell back before. It is taken back when something speaks against it: a stall, a fall,
 * growth that slows down, survivors that do not grow old. Between the two it stays as it was said.
 */
#ifndef JNITRACE_VERDICTS_H
#define JNITRACE_VERDICTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "judge/history.h"
#include "model/report.h"

#define READY_S                                                                                              \
	44.0 /* a growth of one a second is told after this, and the age of the youngest survivors           \
	      */

/* Take a reading over and judge anew. h starts with zeros; readings in the order of their time. 0 or -ENOMEM.
 */
int history_judge(struct history *h, const struct reading *r);
/* How many figures of growth may be made now: each takes a few tenths of a millisecond. */
struct figures {
	unsigned left; /* of those that were made before, and are due again; */
	bool first;    /* and of others, but of what is found to grow */
};
/*
 * What was found by the readings so far. Changes h only to remember a figure that took time. figures: NULL:
 * each that is due is made; else one that may not be stays as it was.
 */
void history_verdict(struct history *h, struct figures *figures, struct report_verdict *out);
/* Is its figure due again, and speaks what was counted since against it? */
bool history_strays(const struct history *h);
/* Of a site that held nothing whenever it was looked at, and was seen for so long. */
void verdict_of_none(double seen_s, struct report_verdict *out);
/* What grows may do so only because the collector has not come yet: it is not called growing. */
void verdict_wait(struct report_verdict *v);
/*
 * Growth of the count itself, and when it is at the limit; 0: none. flat: of those that were read at the same
 * moments; NULL: of none.
 */
void history_growth(struct history *h, double limit, struct flat *flat, struct growth *out);

/* Can what is acquired by functions of this family pile up, and is each known by its age? */
bool verdicts_judge(const struct catalog *catalog, enum func_id func);

/* Of all sites: how many of each verdict, and each library's. 0 or -ENOMEM. */
int verdicts_sum_up(struct report *r);

#endif
