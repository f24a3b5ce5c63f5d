/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The lines of a file of zstd frames, each a JSON object. */
#ifndef JNITRACE_LINES_H
#define JNITRACE_LINES_H

#include <jansson.h>

#include "base/util.h"

struct lines;

/* fd: not owned; its place is neither used nor moved. name: for errors; outlives it. 0 or -ENOMEM. */
int lines_open(int fd, const char *name, struct lines **out);
void lines_close(struct lines *l);
/*
 * 1: the next line, to be given back by json_decref(); 0: there is no more, whether or not the file breaks
 * off; -errno with err: it cannot be read, or is damaged. Takes at most about 150 MB for a moment.
 */
int lines_next(struct lines *l, json_t **out, struct error *err);
/* Of the last line, from 1. */
uint64_t lines_number(const struct lines *l);
/*
 * Where the next line begins: to be gone to again, once it was passed. Until a line is there again the frame
 * that it is in is read anew, of which there are 16 MB at most in what the tool writes.
 */
struct lines_place {
	uint64_t frame_at; /* in the file */
	uint64_t skip;     /* text of that frame before it */
	uint64_t number;   /* of the line before it */
};
struct lines_place lines_place(const struct lines *l);
/* From there on, as if nothing behind it had been read. */
void lines_go(struct lines *l, const struct lines_place *p);
/* How many bytes of the file were taken in until then. */
uint64_t lines_bytes(const struct lines *l);

#endif
