/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Building JSON records with jansson. Values are handed over as jansson's "new" references: NULL, from
 * exhausted memory, is accepted everywhere and ends up as json_line() failing the buffer.
 */
#ifndef JNITRACE_JSON_OUT_H
#define JNITRACE_JSON_OUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "report.h"
#include "util.h"

#define JSON_SCHEMA "jnitrace/1"

struct json_out {
	json_t *record; /* the object under construction; owned */
	bool failed;
};
/* Set a member; takes value over. */
void json_put(struct json_out *j, json_t *object, const char *key, json_t *value);
void json_append(struct json_out *j, json_t *array, json_t *value);

/* Text made valid UTF-8 without control characters; NULL: null. */
json_t *json_text(const char *s);
/* The largest number written is 2^63 - 1. */
json_t *json_count(uint64_t n);
/* Rounded to a millionth; negative (where unknown is -1) or not finite: null. */
json_t *json_known(double d);
/* Rounded likewise; not finite: null. */
json_t *json_signed(double d);
/* "0x11e3" */
json_t *json_hex(uint64_t n);
json_t *json_target(struct json_out *j, const struct report_target *t);

/* Write the record as one line and free it. Out of memory: out->failed, and no part of the line is written.
 */
void json_line(struct json_out *j, struct buf *out);

#endif
