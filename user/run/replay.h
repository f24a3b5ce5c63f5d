/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A recording on a terminal: the screen of a live run, with a time line. */
#ifndef JNITRACE_REPLAY_H
#define JNITRACE_REPLAY_H

#include "run/recorded.h"
#include "screen/output.h"

/* What is shown; nothing of it is owned. out: on a terminal. */
struct replay_of {
	int fd;
	const char *name;
	uint64_t limit_bytes;
	const struct moments *facts;
	const struct view_request *request;
	struct output *out;
};
/* Until a person has seen enough. 0, or -errno with err. */
int replay(const struct replay_of *of, struct error *err);

#endif
