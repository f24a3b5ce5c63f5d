/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Profiles for a store. See profiles.h. */
#include "run/profiles.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "export/otlp.h"
#include "export/pprof.h"

#define FOLDER       "/var/lib/jnitrace"
#define MAX_HEADERS  16
#define HEADER_BYTES 4096
#define LABEL_BYTES  256

/* What the store makes of each type of value; none is a rate. */
#define TYPE(name, units)                                                                                    \
	"\"" name "\":{\"units\":\"" units "\",\"display-name\":\"jni_" name "\",\"aggregation\":\"sum\","   \
	"\"cumulative\":false,\"sampled\":false}"
static const char config[] = "{" TYPE("outstanding", "objects") "," TYPE("acquired", "objects") "," TYPE(
    "outstanding_bytes", "bytes") "}";

static const char *const otlp_headers[] = {"Content-Type: application/x-protobuf", "Content-Encoding: gzip",
					   NULL};

static int push_ingest(struct pusher *to, const struct window *w, struct error *err);
static int push_otlp(struct pusher *to, const struct window *w, struct error *err);

/* What stores speak. */
static const struct protocol {
	const char *option, *example;
	size_t offset;    /* of its URL in struct options; NULL: not given */
	const char *path; /* of a URL that has none; "": such a URL is used as it is */
	struct pusher_format format;
	int (*push)(struct pusher *to, const struct window *w, struct error *err);
} protocols[] = {
    {"--push",
     "as in http://pyroscope:4040/ingest",
     offsetof(struct options, push),
     "",
     {.suffix = ".profile", .form = true, .config = config},
     push_ingest},
    {"--otlp-profiles",
     "as in http://collector:4318",
     offsetof(struct options, otlp_profiles),
     OTLP_PATH,
     {.suffix = ".otlp", .headers = otlp_headers, .rejected = otlp_rejected},
     push_otlp},
};

struct profiles {
	const struct protocol *protocol;
	struct pusher *pusher;
	uint64_t last; /* report that was spooled */
	uint64_t lost; /* for which there was no room */
};

/* Lines of a file; what is no header is refused. 0, or -errno with err. The caller frees them. */
static int read_headers(const char *path, char **out, struct error *err)
{
	FILE *f = fopen(path, "re");
	char line[HEADER_BYTES];
	size_t n = 0;
	int rc = f ? 0 : -errno;

	while (!rc && fgets(line, sizeof(line), f)) {
		size_t end = strcspn(line, "\r\n"), name = strcspn(line, ": \t\r\n");

		if (!end || *line == '#')
			continue;
		if (!name || line[name] != ':' || (!line[end] && !feof(f)) || n == MAX_HEADERS) {
			rc = error_set(err, -EINVAL, EXIT_USAGE, path,
				       "give lines as NAME: VALUE, at most 16", "a line is no header");
			break;
		}
		line[end] = '\0';
		out[n] = strdup(line);
		rc = out[n++] ? 0 : -ENOMEM;
	}
	if (!rc && ferror(f))
		rc = -EIO;
	if (f)
		fclose(f);
	return rc ? error_set(err, rc, EXIT_FAILED, path, "name a file that can be read", "%s", strerror(-rc))
		  : 0;
}

static void free_headers(char **headers)
{
	for (size_t i = 0; headers[i]; i++) {
		explicit_bzero(headers[i], strlen(headers[i]));
		free(headers[i]);
	}
}

static const char *url_of(const struct protocol *protocol, const struct options *o)
{
	return *(const char *const *)((const char *)o + protocol->offset);
}

/* Which one o asks for; NULL: none. 0, or -errno with err. */
static int choose(const struct options *o, const struct protocol **out, struct error *err)
{
	*out = NULL;
	for (size_t i = 0; i < ARRAY_LEN(protocols); i++) {
		const char *url = url_of(&protocols[i], o);

		if (!url)
			continue;
		if (*out)
			return error_set(err, -EINVAL, EXIT_USAGE, protocols[i].option, "give one of them",
					 "there is %s already", (*out)->option);
		*out = &protocols[i];
		if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
			return error_set(err, -EINVAL, EXIT_USAGE, (*out)->option, (*out)->example,
					 "it is no URL");
	}
	return 0;
}

/* The URL that is asked. 0 or -ENOMEM. */
static int put_url(struct buf *out, const struct protocol *protocol, const char *url)
{
	const char *path = strstr(url, "://") + 3;

	path += strcspn(path, "/?#");
	buf_printf(out, "%s", url);
	if (!*path || !strcmp(path, "/"))
		buf_printf(out, "%s", protocol->path + (*path && *protocol->path));
	return out->failed ? -ENOMEM : 0;
}

int profiles_check(const struct options *o, struct error *err)
{
	char *headers[MAX_HEADERS + 1] = {NULL};
	const struct protocol *protocol;
	int rc = choose(o, &protocol, err);

	if (!rc && protocol && o->push_headers)
		rc = read_headers(o->push_headers, headers, err);
	if (!rc && protocol && o->ca && access(o->ca, R_OK))
		rc = error_set(err, -errno, EXIT_FAILED, o->ca, "name a file that can be read", "%s",
			       strerror(errno));
	free_headers(headers);
	return rc;
}

int profiles_open(const struct options *o, struct profiles **out, struct error *err)
{
	char *headers[MAX_HEADERS + 1] = {NULL};
	struct pusher_options how = {
	    .folder = o->spool ?: getenv("STATE_DIRECTORY") ?: FOLDER,
	    .most_bytes = o->spool_bytes,
	    .headers = (const char *const *)headers,
	    .ca = o->ca,
	};
	const struct protocol *protocol;
	struct buf url = {0};
	struct profiles *p;
	int rc = choose(o, &protocol, err);

	*out = NULL;
	if (rc || !protocol)
		return rc;
	p = calloc(1, sizeof(*p));
	rc = p ? put_url(&url, protocol, url_of(protocol, o)) : -ENOMEM;
	if (!rc && o->push_headers)
		rc = read_headers(o->push_headers, headers, err);
	how.format = &protocol->format;
	how.url = url.p;
	rc = rc ?: pusher_open(&how, &p->pusher, err);
	free_headers(headers);
	buf_free(&url);
	if (rc) {
		free(p);
		return rc;
	}
	p->protocol = protocol;
	*out = p;
	return 0;
}

void profiles_close(struct profiles *p)
{
	if (!p)
		return;
	pusher_close(p->pusher);
	free(p);
}

/* --- one --- */

static void put_escaped(struct buf *out, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text[i];

		if (isalnum(c) || strchr("-._~", c))
			buf_add(out, text + i, 1);
		else
			buf_printf(out, "%%%02X", c);
	}
}

/* In braces a store would take some letters for its own. */
static void put_word(struct buf *out, const char *text)
{
	size_t n = 0;

	for (; *text && n < LABEL_BYTES; text++, n++) {
		char c = isalnum((unsigned char)*text) || strchr("-._/", *text) ? *text : '_';

		put_escaped(out, &c, 1);
	}
	if (!n)
		buf_printf(out, "_");
}

static void put_label(struct buf *out, const char *before, const char *name, const char *value)
{
	if (!value || !*value)
		return;
	put_escaped(out, before, strlen(before));
	buf_printf(out, "%s", name);
	put_escaped(out, "=", 1);
	put_word(out, value);
}

/* name={service}{labels}&from=...&until=...&format=pprof */
static void put_query(struct buf *out, const struct window *w)
{
	const struct report *r = w->report;
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", w->pid);
	buf_printf(out, "name=");
	put_word(out, w->service);
	put_label(out, "{", "pid", pid);
	put_label(out, ",", "host", r->target.host);
	put_label(out, ",", "container", r->target.container);
	put_label(out, ",", "namespace", r->target.pod_namespace);
	put_label(out, ",", "pod", r->target.pod);
	put_label(out, ",", "image", r->target.image);
	put_label(out, ",", "version", r->target.version);
	put_escaped(out, "}", 1);
	/* A clock that was just set to 1970 has no time before the window. */
	buf_printf(out, "&from=%.0f&until=%.0f&format=pprof&spyName=jnitrace",
		   fmax(0, r->time_unix_s - r->elapsed_s), r->time_unix_s);
}

static int push_ingest(struct pusher *to, const struct window *w, struct error *err)
{
	const struct view_opts opts = {.stacks = STACKS_MIXED};
	struct buf query = {0}, profile = {0};
	void *state = NULL;
	int rc;

	put_query(&query, w);
	pprof_begin(&state, &profile);
	pprof_reports(state, &profile, &w->report, 1, &opts);
	pprof_end_as(state, &profile, PPROF_OUTSTANDING);
	rc = query.failed || profile.failed ? -ENOMEM : pusher_add(to, query.p, &profile, err);
	buf_free(&query);
	buf_free(&profile);
	return rc;
}

static int push_otlp(struct pusher *to, const struct window *w, struct error *err)
{
	const struct view_opts opts = {.stacks = STACKS_MIXED};
	struct buf request = {0};
	int rc;

	otlp_write(&request, w->service, w->report, &opts);
	rc = request.failed ? -ENOMEM : pusher_add(to, "", &request, err);
	buf_free(&request);
	return rc;
}

void profiles_push(struct profiles *p, const struct window *const *v, size_t n)
{
	uint64_t last = p ? p->last : 0;

	for (size_t i = 0; p && i < n; i++) {
		struct error err = {0};
		int rc;

		if (!v[i]->report || v[i]->report_number <= p->last)
			continue;
		last = v[i]->report_number > last ? v[i]->report_number : last;
		rc = p->protocol->push(p->pusher, v[i], &err);
		if (!rc)
			continue;
		p->lost++;
		warn("push: a window of PID %d is lost: %s", v[i]->pid, err.why[0] ? err.why : strerror(-rc));
	}
	if (p)
		p->last = last;
}

struct pusher_counts profiles_counts(const struct profiles *p)
{
	struct pusher_counts c = {0};

	if (p) {
		c = pusher_counts(p->pusher);
		c.dropped += p->lost;
	}
	return c;
}
