/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What tracing needs of this machine and of this user, one row each. */
#ifndef JNITRACE_DOCTOR_CHECKS_H
#define JNITRACE_DOCTOR_CHECKS_H

#include "base/util.h"
#include "model/diagnosis.h"

#define DOCTOR_MAX_CHECKS 16
/* Make all checks; out has room for DOCTOR_MAX_CHECKS. *code: how the command ends by them. */
size_t doctor_checks(struct check *out, enum exit_code *code);

#endif
