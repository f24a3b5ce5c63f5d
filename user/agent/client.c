/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Requests over HTTP. See client.h. The only file that knows libcurl. */
#include "agent/client.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_MS 10000

struct client {
	CURL *curl;
	struct curl_slist *headers;
	size_t most_bytes;
	double patience_s;
	char *ca;
	atomic_bool stopped;
};
/* What is being received. */
struct answer {
	struct buf *out; /* NULL: it is thrown away */
	size_t n, most;
};

int client_new(const struct client_options *o, struct client **out)
{
	struct client *c = calloc(1, sizeof(*c));
	bool ok = c && !curl_global_init(CURL_GLOBAL_DEFAULT);

	if (c) {
		c->most_bytes = o->most_bytes;
		c->patience_s = o->patience_s;
		c->ca = o->ca ? strdup(o->ca) : NULL;
		c->curl = ok ? curl_easy_init() : NULL;
		ok = c->curl && (c->ca || !o->ca);
	}
	for (size_t i = 0; ok && o->headers && o->headers[i]; i++) {
		struct curl_slist *longer = curl_slist_append(c->headers, o->headers[i]);

		ok = longer;
		c->headers = longer ?: c->headers;
	}
	if (ok)
		*out = c;
	else
		client_free(c);
	return ok ? 0 : -ENOMEM;
}

void client_free(struct client *c)
{
	if (!c)
		return;
	curl_slist_free_all(c->headers);
	curl_easy_cleanup(c->curl);
	free(c->ca);
	free(c);
}

void client_stop(struct client *c)
{
	c->stopped = true;
}

#ifndef CURL_WRITEFUNC_ERROR /* before libcurl 7.87: any number that was not given */
#define CURL_WRITEFUNC_ERROR 0xffffffff
#endif

static size_t receive(char *data, size_t size, size_t n, void *answer)
{
	struct answer *a = answer;

	n *= size;
	if (n > a->most - a->n)
		return CURL_WRITEFUNC_ERROR;
	a->n += n;
	if (a->out)
		buf_add(a->out, data, n);
	return a->out && a->out->failed ? CURL_WRITEFUNC_ERROR : n;
}

static int look(void *client, curl_off_t down, curl_off_t downed, curl_off_t up, curl_off_t upped)
{
	const struct client *c = client;

	(void)down, (void)downed, (void)up, (void)upped;
	return c->stopped;
}

static int errno_of(CURLcode code)
{
	switch (code) {
	case CURLE_OK:
		return 0;
	case CURLE_OUT_OF_MEMORY:
		return -ENOMEM;
	case CURLE_WRITE_ERROR:
		return -EFBIG;
	case CURLE_OPERATION_TIMEDOUT:
		return -ETIMEDOUT;
	case CURLE_COULDNT_CONNECT:
		return -ECONNREFUSED;
	case CURLE_ABORTED_BY_CALLBACK:
		return -EINTR;
	default:
		return -EIO;
	}
}

/* What every request has. */
static void prepare(struct client *c, const char *url, struct curl_slist *headers, struct answer *answer,
		    char *why)
{
	CURL *e = c->curl;

	curl_easy_reset(e);
	curl_easy_setopt(e, CURLOPT_URL, url);
#if LIBCURL_VERSION_NUM >= 0x075500
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
#else
	curl_easy_setopt(e, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
	curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)(c->patience_s * 1000));
	curl_easy_setopt(e, CURLOPT_USERAGENT, "jnitrace/" JNITRACE_VERSION);
	curl_easy_setopt(e, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, why);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, receive);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, answer);
	curl_easy_setopt(e, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(e, CURLOPT_XFERINFOFUNCTION, look);
	curl_easy_setopt(e, CURLOPT_XFERINFODATA, c);
	if (c->ca)
		curl_easy_setopt(e, CURLOPT_CAINFO, c->ca);
}

/* 0, or -errno with err. *status: 0 without an answer. */
static int perform(struct client *c, const char *url, const char *why, const struct answer *a, long *status,
		   struct error *err)
{
	CURLcode code = c->stopped ? CURLE_ABORTED_BY_CALLBACK : curl_easy_perform(c->curl);
	char shown[192], text[192];

	*status = 0;
	curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, status);
	curl_easy_setopt(c->curl, CURLOPT_ERRORBUFFER, NULL); /* it ends with the caller */
	if (!code)
		return 0;
	text_clean(shown, sizeof(shown), url, strnlen(url, sizeof(shown) - 1));
	if (code == CURLE_WRITE_ERROR)
		snprintf(text, sizeof(text), "it answers more than %zu MB", a->most >> 20);
	else
		text_clean(text, sizeof(text), *why ? why : curl_easy_strerror(code),
			   strnlen(*why ? why : curl_easy_strerror(code), sizeof(text) - 1));
	return error_set(err, errno_of(code), EXIT_FAILED, shown, "is an agent running there?", "%s", text);
}

int client_get(struct client *c, const char *url, struct buf *out, struct error *err)
{
	struct answer answer = {.out = out, .most = c->most_bytes};
	char why[CURL_ERROR_SIZE] = "", shown[192];
	long status;
	int rc;

	prepare(c, url, c->headers, &answer, why);
	rc = perform(c, url, why, &answer, &status, err);
	if (rc || status == 200)
		return rc;
	text_clean(shown, sizeof(shown), url, strnlen(url, sizeof(shown) - 1));
	return error_set(err, -EPROTO, EXIT_FAILED, shown,
			 status == 401 ? "give --token-file" : "is it the address of an agent?",
			 "it answers with status %ld", status);
}

static curl_mime *form_of(struct client *c, const struct client_part *parts, size_t n)
{
	curl_mime *form = curl_mime_init(c->curl);
	bool ok = form;

	for (size_t i = 0; ok && i < n; i++) {
		curl_mimepart *p = curl_mime_addpart(form);

		ok = p && !curl_mime_name(p, parts[i].name) &&
		     !curl_mime_data(p, parts[i].data, parts[i].n) &&
		     (!parts[i].file_name || !curl_mime_filename(p, parts[i].file_name));
	}
	if (ok)
		return form;
	curl_mime_free(form);
	return NULL;
}

/* The client's, and more. NULL: no memory. */
static struct curl_slist *headers_with(const struct client *c, const char *const *more)
{
	/* No "100 Continue" is waited for. */
	struct curl_slist *all = curl_slist_append(NULL, "Expect:"), *longer = all;

	for (const struct curl_slist *h = c->headers; h && longer; h = h->next)
		longer = curl_slist_append(all, h->data);
	for (; more && *more && longer; more++)
		longer = curl_slist_append(all, *more);
	if (!longer)
		curl_slist_free_all(all);
	return longer ? all : NULL;
}

int client_post(struct client *c, const struct client_post *post, struct client_answer *answer,
		struct error *err)
{
	struct answer receiving = {.out = &answer->body, .most = c->most_bytes};
	struct curl_slist *headers = headers_with(c, post->headers);
	char why[CURL_ERROR_SIZE] = "";
	curl_off_t after = 0;
	curl_mime *form;
	int rc = -ENOMEM;

	*answer = (struct client_answer){0};
	prepare(c, post->url, headers, &receiving, why);
	form = headers && post->parts ? form_of(c, post->parts, post->nr_parts) : NULL;
	if (form) {
		curl_easy_setopt(c->curl, CURLOPT_MIMEPOST, form);
	} else if (!post->parts) {
		curl_easy_setopt(c->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)post->body_bytes);
		curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, post->body); /* not copied */
	}
	if (headers && (form || !post->parts)) {
		rc = perform(c, post->url, why, &receiving, &answer->status, err);
		if (rc == -EFBIG && answer->status && !answer->body.failed) { /* the status tells enough */
			buf_free(&answer->body);
			answer->body = (struct buf){0};
			*err = (struct error){0};
			rc = 0;
		}
		if (!rc && !curl_easy_getinfo(c->curl, CURLINFO_RETRY_AFTER, &after))
			answer->retry_s = (double)after;
	}
	curl_mime_free(form);
	curl_slist_free_all(headers);
	return rc;
}
