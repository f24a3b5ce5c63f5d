/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * `jnitrace record` of one process for a while, in a process of its own: whatever becomes of it, the agent
 * goes on, its memory is given back, and its CPU time is known. It records into memory that nobody else sees,
 * and ends, detaching, when the agent does.
 */
#ifndef JNITRACE_WINDOW_CHILD_H
#define JNITRACE_WINDOW_CHILD_H

#include "base/util.h"
#include "record/recording.h"

struct window_child; /* opaque */

struct window_order {
	pid_t target;
	double length_s;
	double budget_share;  /* as --budget */
	uint64_t limit_bytes; /* as --limit-memory */
	uint64_t max_refs;    /* as --max-refs */
	const char *podinfo;  /* as --podinfo; NULL: not given */
};
/* 0, or -errno with err. */
int window_child_start(const struct window_order *o, struct window_child **out, struct error *err);
/* Readable once it has ended. */
int window_child_fd(const struct window_child *c);
/*
 * Readable when it has said something; hear it. 1: it traces; 0: not yet, or it did so before; negative: it
 * says no more.
 */
int window_child_said_fd(const struct window_child *c);
int window_child_hear(struct window_child *c);
/* Let it detach and end now. */
void window_child_stop(struct window_child *c);
/* Waits for its end, killing it if need be. */
void window_child_free(struct window_child *c);

struct window_result {
	double cpu_s;                /* that it took */
	char why[256];               /* it failed: why. Cleaned; "": it did not */
	struct recording *recording; /* unless it failed: behind its last moment; to be closed */
};
/* Behind its end. 0, or -errno, with which nothing is in out but zeros. */
int window_child_result(struct window_child *c, struct window_result *out);

#endif
