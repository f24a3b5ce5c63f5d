/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What was rendered, held against files and rules. */
#ifndef JNITRACE_GOLDEN_H
#define JNITRACE_GOLDEN_H

#include "util.h"

/* Compare with tests/golden/NAME, or write it with UPDATE_GOLDEN=1; frees. */
void expect_golden(const char *name, struct buf *got);
/* Every line but colour codes fits; call before expect_golden. */
void expect_width(const struct buf *got, int width);
/* Every line is a JSON object without repeated keys. */
void expect_json(const struct buf *got);

#endif
