/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Giving up what a command does not need, before it reads anything of a target. */
#ifndef JNITRACE_PRIVILEGES_H
#define JNITRACE_PRIVILEGES_H

#include <stdbool.h>

#include "base/util.h"

enum privileges {
	PRIVILEGES_READ,  /* memory and files of other users' processes */
	PRIVILEGES_TRACE, /* likewise; BPF programs and probes */
	PRIVILEGES_MARK,  /* files of all users, and fanotify's marks on them */
	PRIVILEGES_SIGNAL /* signals to a command that may be another user's by now */
};
/*
 * file: one will be written to (--output), wherever that may be.
 * Keep these capabilities of those the process has, for good, and gain none by an exec. Call it while there
 * is one thread: the kernel's capabilities are of threads. 0, or -errno with err.
 */
int privileges_keep(enum privileges p, bool file, struct error *err);
/* A program that is executed next has those of this process, whoever the user is. 0 or -errno. */
int privileges_pass_on(void);
/*
 * What tracing takes and this process lacks, by name: "CAP_BPF, CAP_PERFMON". needed: without these nothing
 * can be traced; helpful: what is lost without them is said elsewhere. "" where nothing is lacking.
 */
struct privileges_lacking {
	char needed[128], helpful[128];
	bool others; /* processes of other users are not to be looked into */
};
int privileges_lacking(struct privileges_lacking *out);

#endif
