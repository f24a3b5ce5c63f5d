/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A window: for how long the agent traces a JVM, why, and what came of it. Plain data. */
#ifndef JNITRACE_WINDOW_H
#define JNITRACE_WINDOW_H

#include "model/report.h"

/* Why one is opened; a reason beats those before it. */
enum window_reason { WINDOW_NONE, WINDOW_SCHEDULE, WINDOW_GROWTH, WINDOW_REQUEST, NR_WINDOW_REASONS };
extern const char *const window_reason_names[NR_WINDOW_REASONS]; /* "schedule", ...; none: NULL */

enum window_state {
	WINDOW_WAITS,
	WINDOW_ATTACHES,
	WINDOW_OPEN,
	WINDOW_DONE,
	WINDOW_FAILED,
	NR_WINDOW_STATES
};
extern const char *const window_state_names[NR_WINDOW_STATES]; /* "waits", ... */

/* Added up over all windows of a JVM, so that they never fall. */
struct window_totals {
	uint64_t events, acquired[NR_FAMILIES], released[NR_FAMILIES], drops[NR_DROPS];
	uint64_t findings[NR_FINDINGS];
};

/* The last one of a JVM. */
struct window {
	int pid;
	uint64_t start_time_ticks; /* with pid: which process */
	char service[256];         /* see service_of() */
	enum window_state state;
	enum window_reason reason;
	double begin_unix_s, end_unix_s; /* 0: not yet */
	double cpu_s;                    /* of the tracer; once it is done or failed */
	char why[256];                   /* failed: why. Cleaned */
	/* Of the last one that was done, which may be another one; NULL: none was. Not owned. */
	const struct report *report;
	double report_unix_s;   /* when that ended */
	uint64_t report_number; /* of all windows' reports, from 1 on: which one it is */
	struct window_totals totals;
};

#endif
