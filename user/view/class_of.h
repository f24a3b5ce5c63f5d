/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which class a java.lang.Class is, in words. */
#ifndef JNITRACE_VIEW_CLASS_OF_H
#define JNITRACE_VIEW_CLASS_OF_H

#include "base/util.h"
#include "model/report.h"

/* "a.App", "a.App (loader b.Loader @7f12)", "a.App in 63 loaders (b.Loader)" */
void view_class_of(struct buf *out, const struct report_of *of);

#endif
