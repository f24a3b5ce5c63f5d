/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How far long work is: a line on stderr that is written over, and taken away at the end. Only where stderr
 * is a terminal of which this is the foreground, and the work takes longer than a moment. It waits for nobody
 * and keeps no signal from what it does.
 */
#ifndef JNITRACE_PROGRESS_H
#define JNITRACE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	const char *what, *name; /* "read", "run.jtr"; not owned */
	uint64_t due_ns;         /* when the line is written next; 0: never */
	bool shown;
};
struct progress progress_begin(const char *what, const char *name);
/* part: 0 to 1 of the work is done. Costs next to nothing until the line is due. */
void progress_tell(struct progress *p, double part);
/* Also before anything else is written to a terminal. */
void progress_end(struct progress *p);

#endif
