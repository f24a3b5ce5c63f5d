/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A recording on a terminal: the screen of a live run, with a time line. */
#ifndef JNITRACE_REPLAY_H
#define JNITRACE_REPLAY_H

#include "run/recorded.h"
#include "screen/output.h"

/* What is shown; nothing of it is owned. out: on a terminal. */
struct replay_of {
	struct recording *recording; /* at its start; keeps what has ended */
	const char *name;
	double at_s; /* what is shown when it is read; negative: how it ends */
	uint64_t limit_bytes;
	const struct view_request *request;
	struct output *out;
};
/*
 * Until a person has seen enough. facts: what there is in the file; or, when nobody waited for all of it, in
 * what was read. The recording is at facts->at then. 0, or -errno with err.
 */
int replay(const struct replay_of *of, struct moments *facts, struct error *err);

#endif
