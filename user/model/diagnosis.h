/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What jnitrace doctor has found: of this machine, and of each process that might be traced. */
#ifndef JNITRACE_DIAGNOSIS_H
#define JNITRACE_DIAGNOSIS_H

#include <stdbool.h>
#include <stddef.h>

#include "model/report.h"

enum check_state {
	CHECK_OK,
	CHECK_NOTE, /* it works, but for what found says */
	CHECK_BAD,  /* nothing can be traced before this is mended */
	NR_CHECK_STATES
};
extern const char *const check_state_names[NR_CHECK_STATES]; /* "ok", "note", "bad" */

/* One thing that tracing needs of this machine or of this user. */
struct check {
	const char *name; /* a literal */
	enum check_state state;
	char found[256];  /* cleaned for a terminal */
	char advice[192]; /* ""; what to do */
};

/* A process that was asked for, or that has a runtime. */
struct seen_process {
	struct report_target target;
	bool traceable;
	size_t probes;    /* of the families that are traced by default */
	char why[256];    /* not traceable: the reason */
	char advice[192]; /* "": none */
};

struct diagnosis {
	const struct check *checks;
	size_t nr_checks;
	const struct seen_process *processes;
	size_t nr_processes;
};

#endif
