/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Files that jnitrace record wrote, and moments in them. What is printed is read twice: once to check all of
 * it and to learn what there is, and once to show it. So nothing of a damaged file is printed, and a moment
 * is known to be the last one before another is read. A screen shows what it has read until then.
 */
#ifndef JNITRACE_RECORDED_H
#define JNITRACE_RECORDED_H

#include "base/util.h"
#include "record/recording.h"

/* What there is in a file. */
struct moments {
	size_t n;               /* all that are whole */
	size_t at, from;        /* those that are asked for, from 1; 0: none is so early */
	double at_s, from_s;    /* when these are */
	double first_s, last_s; /* and the first and the last one */
	uint64_t skipped;
	bool whole;
	bool in_part; /* nobody waited for the rest of the file */
};
/* Take in the moment that was read last; until_s, from_s: as below. */
void recorded_note(const struct recording *r, double until_s, double from_s, struct moments *m);
/* Is there what was asked for, in what was read of the file? 0, or -errno with err. */
int recorded_check(const struct moments *m, const char *name, struct error *err);
/* A descriptor, which is the caller's, or -errno with err. */
int recorded_open_file(const char *name, struct error *err);
/*
 * Read all of it. until_s, from_s: which moments are asked for, in seconds since attach; negative: the last
 * one, none. 0, or -errno with err.
 */
int recorded_look(int fd, const char *name, uint64_t limit_bytes, double until_s, double from_s,
		  struct moments *out, struct error *err);
/* Go on by so many moments. name: for who waits. 0, or -errno with err. */
int recorded_go(struct recording *r, const char *name, size_t moments, struct error *err);
/* Say on stderr what the file lacks up to the moment that is shown. Does it end early there? */
bool recorded_tell(const char *name, const struct moments *m);

/* How all targets were at a moment. Start zeroed. */
struct recorded {
	const char *name;
	struct moments moments;
	struct recording *recording;
	struct report **reports; /* live as long as the recording; may be changed */
	size_t n;
};
/* at_s: see until_s above. 0, or -errno with err; to be closed in either case. */
int recorded_open(struct recorded *r, const char *name, double at_s, uint64_t limit_bytes, struct error *err);
void recorded_close(struct recorded *r);

#endif
