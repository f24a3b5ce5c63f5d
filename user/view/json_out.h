/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Writing JSON as a stream: a report of 20,000 deep stacks is 140 MB, too much to build as a tree
 * first. Out of memory: out->failed.
 */
#ifndef JNITRACE_JSON_OUT_H
#define JNITRACE_JSON_OUT_H

#include <stdbool.h>
#include <stdint.h>

#include <yajl/yajl_gen.h>

#include "base/util.h"
#include "model/report.h"

#define JSON_SCHEMA "jnitrace/1"

struct json_out {
	struct buf *out;
	yajl_gen gen; /* of the line being written; NULL between lines */
};
/* Every value has a key in an object and NULL in an array. Keys are our own: never escaped. */
void json_open(struct json_out *j, const char *key, char bracket); /* '{' or '[' */
/* A record: which schema, and which version of jnitrace wrote it. */
void json_begin(struct json_out *j);
void json_close(struct json_out *j, char bracket); /* '}' or ']' */
void json_end_line(struct json_out *j);

void json_null(struct json_out *j, const char *key);
void json_bool(struct json_out *j, const char *key, bool b);
/* Foreign text: valid UTF-8 without control characters comes out. NULL: null. */
void json_text(struct json_out *j, const char *key, const char *s);
/* The largest number written is 2^63 - 1: more do not fit into what readers have. */
void json_count(struct json_out *j, const char *key, uint64_t n);
/* Negative: null. */
void json_known_count(struct json_out *j, const char *key, int64_t n);
/* To a millionth; not finite: null. */
void json_real(struct json_out *j, const char *key, double d);
/* The same; negative (where unknown is -1): null. */
void json_known(struct json_out *j, const char *key, double d);
void json_signed(struct json_out *j, const char *key, int64_t n);
/* The shortest number that is read as this one, which is finite: nothing is rounded. */
void json_exact(struct json_out *j, const char *key, double d);
/* "0x11e3" */
void json_hex(struct json_out *j, const char *key, uint64_t n);
/* "00000000000011e3" */
void json_id(struct json_out *j, const char *key, uint64_t id);
/* As fmt_time(); null where that says nothing. */
void json_time(struct json_out *j, const char *key, double unix_s);
/* The member "target". */
void json_target(struct json_out *j, const struct report_target *t);

#endif
