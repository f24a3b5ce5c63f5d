/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Requests over HTTP and HTTPS, one at a time. Redirects are not followed: who is asked gets the token, and
 * nobody else. What is answered is bounded in size and time.
 */
#ifndef JNITRACE_CLIENT_H
#define JNITRACE_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/util.h"

struct client; /* opaque */

struct client_options {
	const char *const *headers; /* "Name: value", sent with every request; NULL-terminated, or NULL */
	const char *ca;             /* PEM file of those who vouch for a server; NULL: the system's */
	size_t most_bytes;          /* of an answer */
	double patience_s;          /* for a whole request */
};
/* Copies what o has. 0 or -ENOMEM. */
int client_new(const struct client_options *o, struct client **out);
void client_free(struct client *c);
/*
 * Give up what is under way, and all that follows; from any thread. As long as c.
 */
void client_stop(struct client *c);

/*
 * GET. The body is added to out. 0; -EPROTO: another status than 200; -EFBIG, -ETIMEDOUT, -ECONNREFUSED, ...;
 * with err, whose what is the url.
 */
int client_get(struct client *c, const char *url, struct buf *out, struct error *err);

/* What is sent as the file of a form. */
struct client_part {
	const char *name, *file_name; /* file_name: NULL: a plain field */
	const char *data;
	size_t n;
};
struct client_post {
	const char *url;
	const char *const *headers;      /* besides the client's; NULL-terminated, or NULL */
	const struct client_part *parts; /* a form; NULL: the body is sent as it is */
	size_t nr_parts;
	const char *body;
	size_t body_bytes;
};
struct client_answer {
	long status;    /* 0: there was none, so that it is not known whether the request arrived */
	double retry_s; /* so long the server asks to wait; 0: it does not */
	struct buf body;
};
/* POST. 0, or -errno with err. Either way the caller frees answer->body. */
int client_post(struct client *c, const struct client_post *post, struct client_answer *answer,
		struct error *err);

#endif
