/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* jnitrace fleet diff. See cmd_fleet.h. */
#include "run/cmd_fleet.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/client.h"
#include "judge/fleet.h"
#include "run/fleet_read.h"
#include "screen/output.h"
#include "view/fleet.h"

#define MOST_BYTES    (64UL << 20) /* of what one agent says */
#define PATIENCE_S    30
#define URL_BYTES     2048
#define MAX_TOKEN     4096
#define BEARER_HEADER "Authorization: Bearer "

static const char *const paths[] = {"/api/v1/targets", "/api/v1/sites"};

/* What a file or, as "-", standard input has. 0, or -errno with err. */
static int read_file(const char *path, size_t most, struct buf *out, struct error *err)
{
	int fd = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC) : dup(STDIN_FILENO);
	int rc = fd < 0 ? -errno : 0;
	char chunk[65536];
	ssize_t n = 1;

	while (!rc && n) {
		n = read(fd, chunk, sizeof(chunk));
		if (n < 0)
			rc = -errno;
		else if (out->n + (size_t)n > most)
			rc = -EFBIG;
		else
			buf_add(out, chunk, (size_t)n);
		rc = rc ?: out->failed ? -ENOMEM : 0;
	}
	if (fd >= 0)
		close(fd);
	return rc ? error_set(err, rc, EXIT_FAILED, path,
			      "give the URL of an agent, or a file of what it says", "%s", strerror(-rc))
		  : 0;
}

/* All that an agent says. 0, or -errno with err. */
static int get_all(struct client *c, const char *url, struct buf *out, struct error *err)
{
	size_t n = strlen(url);
	char at[URL_BYTES];
	int rc = 0;

	while (n && url[n - 1] == '/')
		n--;
	if (n + 32 > sizeof(at))
		return error_set(err, -ENAMETOOLONG, EXIT_USAGE, "URL", NULL, "it is longer than %d bytes",
				 URL_BYTES - 32);
	for (size_t i = 0; !rc && i < ARRAY_LEN(paths); i++) {
		snprintf(at, sizeof(at), "%.*s%s", (int)n, url, paths[i]);
		rc = client_get(c, at, out, err);
		if (out->n && out->p[out->n - 1] != '\n')
			buf_add(out, "\n", 1);
	}
	return rc ?: out->failed ? -ENOMEM : 0;
}

static int refuse(struct fleet *f, const char *source, const struct error *why)
{
	struct fleet_refusal *r = VEC_ADD(&f->refused);

	if (!r)
		return -ENOMEM;
	text_clean(r->source, sizeof(r->source), source, strnlen(source, sizeof(r->source) - 1));
	snprintf(r->why, sizeof(r->why), "%s", why->why);
	error_print(why);
	return 0;
}

/* One that does not answer is told, and the others are asked. 0 or -ENOMEM. */
static int ask(struct fleet_reader *r, struct fleet *f, struct client *c, size_t i, const char *source)
{
	struct error why = {0};
	struct buf text = {0};
	int rc = strstr(source, "://") ? get_all(c, source, &text, &why)
				       : read_file(source, MOST_BYTES, &text, &why);

	f->sources++;
	if (!rc) {
		rc = fleet_read(r, i, text.p ?: "", text.n);
		if (rc == 0 && text.n) /* a host without JVMs says nothing, and that is fine */
			rc = error_set(&why, -EPROTO, EXIT_FAILED, source, "is it the address of an agent?",
				       "it says nothing of JVMs");
	}
	buf_free(&text);
	if (rc == -ENOMEM)
		return rc;
	return rc < 0 ? refuse(f, source, &why) : 0;
}

/* The header for those who want a token; the first line of the file. NULL: none, or err is set. */
static char *bearer(const char *path, struct error *err)
{
	struct buf text = {0};
	char *header = NULL;

	if (path && !read_file(path, MAX_TOKEN, &text, err) && text.n) {
		text.p[strcspn(text.p, "\r\n")] = '\0';
		if (asprintf(&header, BEARER_HEADER "%s", text.p) < 0)
			header = NULL;
	}
	buf_free(&text);
	if (path && !header)
		error_set(err, -EINVAL, EXIT_USAGE, path, "write the token on its first line", "no token");
	return header;
}

static int ask_all(const struct options *o, struct fleet *f, struct error *err)
{
	char *header = bearer(o->token_file, err);
	const char *headers[] = {header, NULL};
	const struct client_options how = {
	    .headers = headers, .ca = o->ca, .most_bytes = MOST_BYTES, .patience_s = PATIENCE_S};
	struct fleet_reader *r = NULL;
	struct client *c = NULL;
	int rc = o->token_file && !header ? -EINVAL : client_new(&how, &c);

	rc = rc ?: fleet_reader_new(f, &r);
	for (size_t i = 1; !rc && i < o->nr_words; i++)
		rc = ask(r, f, c, i, o->words_given[i]);
	fleet_reader_free(r);
	client_free(c);
	free(header);
	return rc;
}

static int show(const struct options *o, const struct fleet *f, struct error *err)
{
	struct output out = {0};
	struct view_opts v;
	struct buf text = {0};
	int rc = output_open(&out, &o->view, false, false, -1, err);

	if (!rc) {
		output_view_opts(&out, &o->view, true, &v);
		o->view.format->fleet(&text, f, &v);
		rc = output_write(&out, &text, true, err);
	}
	rc = rc ?: output_end(&out, err);
	output_close(&out);
	return rc;
}

/* There is something to compare, or it is said what is missing. */
static int judge(struct fleet *f, struct error *err)
{
	if (f->refused.n == f->sources)
		return error_set(err, -EIO, EXIT_FAILED, "fleet diff", "see the lines above",
				 "no agent has answered");
	if (fleet_judge(f))
		return 0;
	return error_set(err, -ENODATA, EXIT_NO_TARGET, "fleet diff",
			 "wait for windows, or ask for some: POST /api/v1/windows",
			 "JVMs of fewer than two %ss were traced (of %zu %ss that are seen)",
			 fleet_by_names[f->by], f->nr_groups, fleet_by_names[f->by]);
}

static enum exit_code code_of(const struct options *o, const struct fleet *f)
{
	for (size_t i = 0; i < f->sites.n; i++) {
		const struct fleet_site *s = f->sites.v[i];
		int group = s->only_in >= 0 ? s->only_in : s->grows_only_in;

		if (o->fleet_fail_on < 0 || group < 0)
			continue;
		if (s->of[group].growing || (o->fleet_fail_on == FLEET_FAIL_NEW && s->only_in >= 0))
			return EXIT_ASSERT;
	}
	return (f->refused.n || f->left_out) && !o->allow_loss ? EXIT_LOSSES : EXIT_OK;
}

enum exit_code cmd_fleet(const struct options *o, struct error *err)
{
	struct fleet *f = calloc(1, sizeof(*f));
	enum exit_code code = EXIT_FAILED;
	int rc = f ? 0 : -ENOMEM;

	if (f)
		f->by = (enum fleet_by)o->fleet_by;
	rc = rc ?: ask_all(o, f, err);
	rc = rc ?: judge(f, err);
	rc = rc ?: show(o, f, err);
	if (!rc)
		code = code_of(o, f);
	else if (!err->what[0])
		error_set(err, rc, EXIT_FAILED, "fleet diff", NULL, "%s", strerror(-rc));
	if (f)
		fleet_free(f);
	free(f);
	return rc ? err->exit_code : code;
}
