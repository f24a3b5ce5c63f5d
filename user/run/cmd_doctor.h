/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* jnitrace doctor: what this machine allows, which processes are seen, what to do; attaches nothing. */
#ifndef JNITRACE_CMD_DOCTOR_H
#define JNITRACE_CMD_DOCTOR_H

#include "base/util.h"
#include "run/options.h"

/*
 * EXIT_OK: this machine can trace, and those of -p can be traced; else the code that tracing would end with,
 * and why is in what is shown. err is set only when nothing could be shown.
 */
enum exit_code cmd_doctor(const struct options *o, struct error *err);

#endif
