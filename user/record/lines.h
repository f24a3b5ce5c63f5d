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
/* How many bytes of the file were taken in until then. */
uint64_t lines_bytes(const struct lines *l);

#endif
