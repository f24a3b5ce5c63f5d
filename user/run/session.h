/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One run: owns the tracer, the targets and the output; one loop over ticks, exits and signals. */
#ifndef JNITRACE_SESSION_H
#define JNITRACE_SESSION_H

#include "base/util.h"
#include "run/options.h"

/* Trace until the targets are gone or the user has enough. Returns the exit code; err is set unless 0 or
 * losses. */
enum exit_code session_trace(const struct options *o, struct error *err);
/* Print the probe sites of the targets; attaches nothing. */
enum exit_code session_probes(const struct options *o, struct error *err);

#endif
