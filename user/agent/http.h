/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Documents over HTTP. Each is published whole and served as it is until the next one takes its place, from a
 * thread of its own: who reads them never waits for who makes them, nor the other way round. Nothing but GET
 * and HEAD of what was published is answered, and nothing of a request is kept.
 */
#ifndef JNITRACE_HTTP_H
#define JNITRACE_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/util.h"

struct http; /* opaque */

struct http_options {
	const char *listen;   /* "127.0.0.1:9469", "[::1]:0": an address and a port, 0: any that is free */
	const char *tls_cert; /* PEM files; NULL: no TLS */
	const char *tls_key;
	const char *token_file; /* requests must bear what its first line says; NULL: none */
};

/*
 * Begin to listen. Another address than a loopback one is refused without TLS and a token: what is served
 * names classes, files and users. 0, or -errno with err.
 */
int http_open(const struct http_options *o, struct http **out, struct error *err);
void http_close(struct http *h);
/* "http://127.0.0.1:9469", as long as h. */
const char *http_url(const struct http *h);

/* A path and what may be had there. Literals. */
struct http_document {
	const char *path; /* "/metrics" */
	const char *type; /* Content-Type */
	/* Serve this one where Accept names this; NULL: where nothing else fits. */
	const char *accept;
};
/* Takes body over, also on failure. 0 or -ENOMEM. */
int http_publish(struct http *h, const struct http_document *d, struct buf *body);

struct http_counts {
	uint64_t answered, refused; /* requests: refused: 4xx */
};
struct http_counts http_counts(struct http *h);

#endif
