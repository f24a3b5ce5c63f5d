/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Running a command while another process traces it.
 *
 * The process that the user started does as little as it can: it is the command's parent, passes signals on,
 * and takes over its exit code. What can fail is in a child of it, the tracer: should that die, the command
 * goes on, and its code is still passed through. The command has everything as the user gave it: files,
 * environment, identity and capabilities, limits, the signals that are blocked or ignored, the process group
 * and the terminal. Only when its processes lose their parent they get this one as the next (prctl(2),
 * PR_SET_CHILD_SUBREAPER), until it ends: so whoever descends from the command can be told by its parents.
 */
#ifndef JNITRACE_SUPERVISE_H
#define JNITRACE_SUPERVISE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/util.h"

/* What supervisor and tracer tell each other: one of these at a time, through a socket. */
enum supervise_word {
	SUPERVISE_READY,   /* by the tracer: the command may start */
	SUPERVISE_STARTED, /* number: its pid */
	SUPERVISE_ENDED,   /* number: its exit code, as a shell has it; */
	SUPERVISE_GO_ON,   /* by the tracer: this process is to go on (SIGCONT); 0: all of the command's */
	SUPERVISE_HURRY,   /* a signal came after that: nothing is to be waited for */
};
struct supervise_message {
	enum supervise_word word;
	int number;
};

struct supervised {
	char *const *argv; /* the command; NULL-terminated */
	/*
	 * In the child, whose standard output is standard error: trace what descends from root, but not what
	 * descends from itself, and return an exit code: 0, EXIT_ASSERT, or another when it could not start.
	 * waker: see waker.h; -1: it stops nobody.
	 */
	int (*trace)(void *of, int socket, int waker, pid_t root);
	void *of;
	bool stops;      /* the tracer stops its processes; should it die, they are to go on */
	bool must_judge; /* a tracer that dies is a failure, whatever the command's code is */
};
/* The exit code: the command's own, or what stands against it. */
int supervise(const struct supervised *s, struct error *err);

#endif
