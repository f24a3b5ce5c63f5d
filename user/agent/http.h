/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Documents over HTTP. They are published whole and served as they are until the next take their place, from
 * a thread of its own: who reads them never waits for who makes them, nor the other way round. Nothing but
 * GET and HEAD of what was published is answered, and POST of what may be ordered; of a request nothing is
 * kept but the numbers of an order.
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
	const char
	    *client_ca; /* PEM: a client must have a certificate that one of these signed; NULL: none */
};

/*
 * Begin to listen. Another address than a loopback one is refused without TLS and a token or certificates of
 * clients: what is served names classes, files and users. 0, or -errno with err.
 */
int http_open(const struct http_options *o, struct http **out, struct error *err);
void http_close(struct http *h);
/* Could it be opened, but for the address being taken? 0, or -errno with err. */
int http_check(const struct http_options *o, struct error *err);
/*
 * Have the files of o another content by now? Then, or with force, take them over, whatever is being answered
 * to its end; listen stays what it was. 1: done; 0: nothing has changed; -errno with err: all is as it was. A
 * change is tried once. Call it now and then: it also gives up what was answered with the old ones.
 */
int http_renew(struct http *h, const struct http_options *o, bool force, struct error *err);
/* "http://127.0.0.1:9469", as long as h and until it is renewed. */
const char *http_url(const struct http *h);

/* A path and what may be had there. Literals. */
struct http_document {
	const char *path; /* "/metrics" */
	const char *type; /* Content-Type */
	/* Serve this one where Accept names this; NULL: where nothing else fits. */
	const char *accept;
};
struct http_page {
	const struct http_document *is;
	struct buf body;
};
/*
 * All at once: who has seen one of them is not shown what another was before. Takes their bodies over, also
 * on failure. 0 or -ENOMEM.
 */
int http_publish(struct http *h, struct http_page *pages, size_t n);

/* What may be ordered by POST: a path with arguments, which are numbers. Literals. */
#define HTTP_MAX_ARGUMENTS 4
struct http_order {
	const char *path;
	const char *arguments[HTTP_MAX_ARGUMENTS + 1]; /* their names; NULL-terminated */
};
struct http_ordered {
	double values[HTTP_MAX_ARGUMENTS]; /* as in http_order; -1: not given */
};
/*
 * Take orders, from here on, of those who bear the token or have a certificate: else anybody's browser could
 * give some. A few are kept until they are fetched; more are refused. 0, or -errno with err.
 */
int http_take_orders(struct http *h, const struct http_order *o, struct error *err);
/* Readable while there are some. */
int http_orders_fd(const struct http *h);
bool http_next_order(struct http *h, struct http_ordered *out);

struct http_counts {
	uint64_t answered, refused; /* requests: refused: 4xx */
};
struct http_counts http_counts(struct http *h);

#endif
