/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Windows of the agent: for each JVM of the census, whether it is traced now, and what the last time has
 * said. A few at a time; the rest waits.
 */
#ifndef JNITRACE_WINDOWS_H
#define JNITRACE_WINDOWS_H

#include "judge/suspicion.h"
#include "model/census.h"
#include "run/loop.h"

struct windows; /* opaque */

struct windows_request {
	struct window_rules rules;
	double length_s;
	size_t at_a_time; /* 0: none is opened */
	uint64_t limit_bytes;
	uint64_t max_refs;   /* of a window */
	const char *podinfo; /* NULL: not given; not owned */
	double budget_share; /* of a CPU that probes may take of a JVM */
	const char
	    *only; /* of JVMs whose command line matches this extended regular expression; NULL: of all */
};
/* loop outlives the result. changed: called when one was opened or has ended; 0, or
 * -errno with err. 0, or -errno with err. */
int windows_new(const struct windows_request *req, struct loop *loop,
		int (*changed)(void *of, struct error *err), void *of, struct windows **out,
		struct error *err);
/* From now on as req says; those that are open go on as they are. 0, or -errno with err: all is as it was. */
int windows_change(struct windows *w, const struct windows_request *req, struct error *err);
/* Could req be asked for? 0, or -errno with err. */
int windows_check(const struct windows_request *req, struct error *err);
/* Those that are open are ended, detaching. */
void windows_free(struct windows *w);

/* What the census has read: open what is due, forget those that are gone. 0, or -errno with err. */
int windows_look(struct windows *w, const struct census *const *v, size_t n, struct error *err);
/*
 * Somebody asks for one, or, with length_s 0, that the one that is open ends. Negative: as long as the
 * others. -ESRCH: no JVM that is known.
 */
int windows_ask(struct windows *w, int pid, double length_s);

/* Of each JVM that had one, or waits for it; valid until the next call for w. 0 or -ENOMEM. */
int windows_list(struct windows *w, const struct window *const **out, size_t *n);
struct windows_counts {
	uint64_t ended[NR_WINDOW_REASONS], failed;
	size_t open, waiting;
	double cpu_s; /* of all tracers that have ended */
};
struct windows_counts windows_counts(const struct windows *w);

#endif
