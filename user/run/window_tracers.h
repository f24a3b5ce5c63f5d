/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The tracers of an agent's windows: processes of their own, so that whatever becomes of them the agent goes
 * on, and their memory is given back. Windows that are open at one moment share one, and so its programs, its
 * maps, and what it has read of files. It records into memory that nobody else sees, and ends, detaching,
 * when none of its windows is open, or when the agent does.
 */
#ifndef JNITRACE_WINDOW_TRACERS_H
#define JNITRACE_WINDOW_TRACERS_H

#include "base/util.h"
#include "record/recording.h"
#include "run/loop.h"

struct window_tracers; /* opaque */

/* What a tracer is started with: windows share one when theirs are equal. */
struct window_terms {
	const char *runtime;  /* as --runtime; NULL: any */
	int at_a_time;        /* windows, at most */
	double budget_share;  /* as --budget */
	uint64_t limit_bytes; /* as --limit-memory */
	uint64_t max_refs;    /* as --max-refs */
	const char *podinfo;  /* as --podinfo; NULL: not given */
};
struct window_order {
	pid_t target;
	uint64_t start_time_ticks;
	double length_s;
	bool alone; /* it shares no tracer */
	struct window_terms terms;
};
struct window_result {
	double cpu_s;  /* that its tracer took for it */
	char why[256]; /* it failed: why. Cleaned; "": it did not */
	bool died;     /* its tracer did, and so may have for another's sake */
	struct recording
	    *recording; /* unless it failed: behind its last moment; to be closed by who gets it */
};
/* What becomes of windows; window: as given to window_tracers_open(). 0, or -errno with err. */
struct window_tracers_use {
	int (*begun)(void *window, struct error *err); /* its calls count */
	int (*ended)(void *window, struct window_result *r, struct error *err);
};

/* use and loop outlive the result. 0 or -ENOMEM. */
int window_tracers_new(const struct window_tracers_use *use, struct loop *loop, struct window_tracers **out);
/* Ends all, detaching, and killing what does not; of windows nothing more is told. */
void window_tracers_free(struct window_tracers *p);
/* One more. From here on ended() is called once, unless it is -errno with err. number: to end it early. */
int window_tracers_open(struct window_tracers *p, const struct window_order *o, void *window,
			uint64_t *number, struct error *err);
/* Let it detach and end now. */
void window_tracers_end(struct window_tracers *p, uint64_t number);
/* To be called now and then: kills a tracer that does not end what it should have. */
void window_tracers_look(struct window_tracers *p);
/* CPU time of tracers that windows were not told of. */
double window_tracers_cpu_s(const struct window_tracers *p);

#endif
