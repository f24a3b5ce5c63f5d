/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Documents for a store that takes them over HTTP, by way of a folder: what is added is on disk before it is
 * sent, and goes from there when the store has said that it has it. So neither an end of this process nor of
 * the store loses or doubles one, wherever it hits; but where the store's answer is lost, one is sent again,
 * by the same key. A thread sends, the oldest first; who adds never waits for the store. One that is denied
 * is tried again later, at last every five minutes, and the others are sent before it; when two are, none is
 * let in, and all wait.
 */
#ifndef JNITRACE_PUSHER_H
#define JNITRACE_PUSHER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/util.h"

struct pusher; /* opaque */

/* How documents of a kind lie in the folder and are sent. Constant. */
struct pusher_format {
	const char *suffix; /* of their files: others are left alone; shorter than 16 */
	/* Without a form a document is the body. */
	const char *const *headers; /* NULL-terminated, or NULL */
	bool form;                  /* it is the field "profile", and its query is put behind the URL */
	const char *config;         /* a second field, "sample_type_config"; or NULL */
	/* How much of what was sent is not taken, though the status says so, by the answer; why: clean.
	 * NULL: it is all taken. */
	uint64_t (*rejected)(const char *answer, size_t n, char *why, size_t cap);
};

struct pusher_options {
	const struct pusher_format *format;
	const char *url;            /* "http://store:4040/ingest" */
	const char *folder;         /* made, where it is not there; of one pusher at a time */
	uint64_t most_bytes;        /* in it; beyond, the oldest goes */
	const char *const *headers; /* "Name: value"; NULL-terminated, or NULL */
	const char *ca;             /* see client.h */
};
/* What is in the folder is sent, too. 0, or -errno with err. */
int pusher_open(const struct pusher_options *o, struct pusher **out, struct error *err);
/* What was not sent stays in the folder. */
void pusher_close(struct pusher *p);
/* query: escaped, without "?"; of a form, else "". 0: it is on disk; or -errno with err. */
int pusher_add(struct pusher *p, const char *query, const struct buf *document, struct error *err);

struct pusher_counts {
	uint64_t sent;
	uint64_t failed;  /* attempts, which are made again */
	uint64_t denied;  /* of these: by 401 to 405, 407 or 431, as for a wrong token or URL */
	uint64_t refused; /* documents that the store will not have, whenever they are sent */
	uint64_t dropped; /* for want of room in the folder */
	uint64_t waiting, waiting_bytes;
};
struct pusher_counts pusher_counts(struct pusher *p);

#endif
