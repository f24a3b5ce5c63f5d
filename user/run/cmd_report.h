/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* jnitrace report: what a recording says, in every format, without the processes it is of. */
#ifndef JNITRACE_CMD_REPORT_H
#define JNITRACE_CMD_REPORT_H

#include "run/options.h"

/* Returns the exit code; err is set where there is more to say. */
enum exit_code cmd_report(const struct options *o, struct error *err);

#endif
