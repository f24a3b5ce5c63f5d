/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A file of options. See config.h. The only file that knows libyaml. */
#include "run/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml.h>

#define MAX_BYTES 65536

struct config {
	struct {
		struct config_entry *v;
		size_t n, cap;
	} all;
};

struct reader {
	yaml_parser_t parser;
	yaml_event_t event;
	struct config *config;
	const char *path;
	struct error *err;
};

static int refuse(struct reader *r, size_t line, const char *advice, const char *why)
{
	char what[sizeof(r->err->what)];

	snprintf(what, sizeof(what), "%.160s:%zu", r->path, line + 1);
	return error_set(r->err, -EINVAL, EXIT_USAGE, what, advice, "%s", why);
}

static int refuse_event(struct reader *r, const char *advice, const char *why)
{
	return refuse(r, r->event.start_mark.line, advice, why);
}

/* The next event takes the place of the last one. */
static int next(struct reader *r)
{
	yaml_event_delete(&r->event);
	memset(&r->event, 0, sizeof(r->event));
	if (yaml_parser_parse(&r->parser, &r->event))
		return 0;
	if (r->parser.error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	return refuse(r, r->parser.problem_mark.line, "a line is NAME: VALUE", r->parser.problem);
}

/* Text alone: no anchor, no tag, no NUL in it. */
static int text(struct reader *r, const char *advice, char **out)
{
	if (r->event.type != YAML_SCALAR_EVENT)
		return refuse_event(r, advice, "neither a value nor a list of values");
	if (r->event.data.scalar.anchor || r->event.data.scalar.tag)
		return refuse_event(r, advice, "anchors and tags mean nothing here");
	if (strlen((const char *)r->event.data.scalar.value) != r->event.data.scalar.length)
		return refuse_event(r, advice, "a zero byte in a value");
	*out = strdup((const char *)r->event.data.scalar.value);
	return *out ? 0 : -ENOMEM;
}

static int add(struct reader *r, const char *name)
{
	struct config_entry *e = VEC_ADD(&r->config->all);

	if (!e)
		return -ENOMEM;
	e->line = (int)r->event.start_mark.line + 1;
	e->name = strdup(name);
	return e->name ? text(r, "a line is NAME: VALUE", &e->value) : -ENOMEM;
}

static int add_all(struct reader *r, const char *name)
{
	size_t first = r->config->all.n;
	int rc = next(r);

	if (rc || r->event.type != YAML_SEQUENCE_START_EVENT)
		return rc ?: add(r, name);
	for (rc = next(r); !rc && r->event.type != YAML_SEQUENCE_END_EVENT; rc = rc ?: next(r))
		rc = add(r, name);
	for (size_t i = first; r->config->all.n - first > 1 && i < r->config->all.n; i++)
		r->config->all.v[i].several = true;
	return rc;
}

static bool has(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->all.n; i++)
		if (!strcmp(c->all.v[i].name, name))
			return true;
	return false;
}

/* Behind the beginning of the mapping; to its end. */
static int read_mapping(struct reader *r)
{
	int rc = next(r);

	while (!rc && r->event.type != YAML_MAPPING_END_EVENT) {
		char *name = NULL;

		rc = text(r, "a line is NAME: VALUE", &name);
		if (!rc && has(r->config, name))
			rc = refuse_event(r, "several values of an option are a list: [A, B]",
					  "an option for the second time");
		rc = rc ?: add_all(r, name) ?: next(r);
		free(name);
	}
	return rc;
}

/* An empty document is no value (""), or none at all. */
static int read_document(struct reader *r)
{
	int rc = next(r);

	if (rc || r->event.type == YAML_STREAM_END_EVENT)
		return rc;
	rc = next(r); /* behind its beginning */
	if (!rc && r->event.type == YAML_MAPPING_START_EVENT)
		rc = read_mapping(r);
	else if (!rc && !(r->event.type == YAML_SCALAR_EVENT && !r->event.data.scalar.length))
		rc = refuse_event(r, "a line is NAME: VALUE", "no option and its value");
	rc = rc ?: next(r) ?: next(r); /* its end, the stream's */
	if (!rc && r->event.type != YAML_STREAM_END_EVENT)
		rc = refuse_event(r, "leave out what begins with ---", "a second document");
	return rc;
}

/* All of the file; a FIFO or a device is none. */
static int read_bytes(const char *path, char *out, size_t *n)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc = fd < 0 ? -errno : 0;
	struct stat st;
	ssize_t got = 1;

	*n = 0;
	if (!rc && (fstat(fd, &st) || !S_ISREG(st.st_mode)))
		rc = -EINVAL;
	while (!rc && got > 0 && *n <= MAX_BYTES) {
		got = read(fd, out + *n, MAX_BYTES + 1 - *n);
		rc = got < 0 ? -errno : 0;
		*n += got > 0 ? (size_t)got : 0;
	}
	if (fd >= 0)
		close(fd);
	return rc ?: *n > MAX_BYTES ? -EFBIG : 0;
}

int config_read(const char *path, struct config **out, struct error *err)
{
	struct reader r = {.path = path, .err = err, .config = calloc(1, sizeof(*r.config))};
	char *bytes = malloc(MAX_BYTES + 1);
	size_t n = 0;
	int rc = bytes && r.config && yaml_parser_initialize(&r.parser) ? 0 : -ENOMEM;

	if (!rc) {
		rc = read_bytes(path, bytes, &n);
		yaml_parser_set_input_string(&r.parser, (const unsigned char *)bytes, n);
		rc = rc ?: next(&r) ?: read_document(&r); /* behind the stream's beginning */
		yaml_event_delete(&r.event);
		yaml_parser_delete(&r.parser);
	}
	free(bytes);
	if (rc) {
		config_free(r.config);
		return error_set(err, rc, EXIT_USAGE, path, "give --config FILE, see docs/agent/agent.yaml",
				 "%s", strerror(-rc));
	}
	*out = r.config;
	return 0;
}

void config_free(struct config *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->all.n; i++) {
		free(c->all.v[i].name);
		free(c->all.v[i].value);
	}
	free(c->all.v);
	free(c);
}

const struct config_entry *config_entry(const struct config *c, size_t i)
{
	return i < c->all.n ? &c->all.v[i] : NULL;
}
