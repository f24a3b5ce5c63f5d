/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the agent says of itself: plain data. */
#ifndef JNITRACE_AGENT_SELF_H
#define JNITRACE_AGENT_SELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/window.h"

struct agent_self {
	const char *version, *commit; /* commit: "" where it is not known */
	double start_unix_s;
	double cpu_s;        /* since it began, of all threads and of tracers that have ended */
	double own_cpu_s;    /* likewise, without tracers */
	double interval_s;   /* between two readings, as it is now */
	double budget_share; /* of a CPU that it may take, without tracers */
	uint64_t reloads, reloads_failed;
	uint64_t resident_bytes; /* 0: unknown */
	uint64_t open_files;     /* likewise */
	uint64_t rounds;         /* readings of all JVMs */
	double round_s;          /* how long the last one took */
	double round_unix_s;     /* when it ended */
	uint64_t requests_answered, requests_refused;
	uint64_t windows_done[NR_WINDOW_REASONS], windows_failed;
	/* Profiles for a store: pushes is false where there is none. */
	bool pushes;
	uint64_t push_sent, push_failed, push_denied, push_refused, push_dropped, push_waiting,
	    push_waiting_bytes;
	size_t windows_open, windows_waiting;
	size_t targets_known; /* JVMs seen; those that were read and refused are among those of the census */
};

#endif
