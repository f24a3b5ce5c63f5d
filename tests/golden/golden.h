/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Reports made by hand, so that every byte of a view can be accounted for; views held against files. */
#ifndef JNITRACE_GOLDEN_H
#define JNITRACE_GOLDEN_H

#include "base/util.h"
#include "model/report.h"
#include "view/columns.h"
#include "view/format.h"
#include "view/json.h"
#include "view/table.h"
#include "view/text.h"

/*
 * Compare with tests/golden/NAME, or write it with UPDATE_GOLDEN=1; frees. JSON must pass expect_json(). It
 * is stored in lines for people, and without the reasons (drops, incomplete stacks) that are zero.
 */
void expect_golden(const char *name, struct buf *got);
/* Every line but colour codes fits; call before expect_golden. */
void expect_width(const struct buf *got, int width);
/* Every line is a JSON object without repeated keys; a report has every reason for drops and incomplete
 * stacks. */
void expect_json(const struct buf *got);

#define MAX_SITES 64
struct sample {
	struct report report;
	struct report_site sites[MAX_SITES];
	struct frame frames[MAX_SITES][4];
};

struct report_site *add_site(struct sample *s, enum func_id func, uint64_t acquired, uint64_t released);
struct frame *add_frame(struct report_site *site, const char *symbol, const char *file, int line);
void init_sample(struct sample *s);
void trace(struct sample *s, enum func_id func, uint64_t calls);
/* Two leaks beside a churn: what the demo shows. */
void init_leaks(struct sample *s);
/* A late attach: most was there before. */
void init_late(struct sample *s);
void expect_table(const char *name, const struct sample *s, const struct view_opts *o);
void expect_records(const char *name, const struct sample *s, const struct view_opts *o);
/* One whole output: reports of one tick, and then the last ones. */
void write_all(const struct format *f, struct sample *s, const struct view_opts *o, struct buf *out);
/* Names that no format may take for its own signs. */
void init_hostile(struct sample *s);
extern const struct view_opts plain;

#endif
