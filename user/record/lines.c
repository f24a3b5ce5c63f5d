/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Lines of zstd frames. See lines.h. */
#include "record/lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#define MAX_LINE_BYTES (16UL << 20)
#define MAX_VALUES     1000000 /* in a line; each takes up to a hundred bytes while it is looked at */
#define MAX_WINDOW_LOG 23      /* what a frame may ask to be kept of it: eight million bytes */
#define PIECE          (64UL << 10)

struct lines {
	int fd;
	off_t at;
	const char *name;
	ZSTD_DCtx *zstd;
	char in[PIECE];
	ZSTD_inBuffer raw;
	bool ended;
	struct buf text; /* of which up to `from` was given out */
	size_t from;
	uint64_t number;
	/* Of the frame that the next line begins in. A short one is taken together with the next. */
	uint64_t frame_at, frame_text; /* where it begins in the file, and in all text */
	uint64_t next_at, next_text;   /* of the last frame that was begun since; next_text 0: none was */
	uint64_t out;                  /* text until now */
	uint64_t skip;                 /* to be left out */
};

static int damaged(struct lines *l, struct error *err, const char *why)
{
	return error_set(err, -EBADMSG, EXIT_FAILED, l->name, "nothing of it can be trusted; record again",
			 "the recording is damaged: line %llu: %s", (unsigned long long)l->number, why);
}

int lines_open(int fd, const char *name, struct lines **out)
{
	struct lines *l = calloc(1, sizeof(*l));

	*out = l;
	if (!l)
		return -ENOMEM;
	l->fd = fd;
	l->name = name;
	l->zstd = ZSTD_createDCtx();
	if (!l->zstd || ZSTD_isError(ZSTD_DCtx_setParameter(l->zstd, ZSTD_d_windowLogMax, MAX_WINDOW_LOG))) {
		lines_close(l);
		*out = NULL;
		return -ENOMEM;
	}
	return 0;
}

void lines_close(struct lines *l)
{
	if (!l)
		return;
	ZSTD_freeDCtx(l->zstd);
	buf_free(&l->text);
	free(l);
}

uint64_t lines_number(const struct lines *l)
{
	return l->number;
}

uint64_t lines_bytes(const struct lines *l)
{
	return (uint64_t)l->at - (l->raw.size - l->raw.pos);
}

/* More of the file, unless it has ended. */
static int read_more(struct lines *l, struct error *err)
{
	ssize_t n;

	if (l->raw.pos < l->raw.size || l->ended)
		return 0;
	do
		n = pread(l->fd, l->in, sizeof(l->in), l->at);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return error_set(err, -errno, EXIT_FAILED, l->name, NULL, "%s", strerror(errno));
	l->ended = n == 0;
	l->at += n;
	l->raw = (ZSTD_inBuffer){l->in, (size_t)n, 0};
	return 0;
}

static int zstd_error(struct lines *l, size_t code, struct error *err)
{
	char why[128];

	if (l->number == 0 && l->at <= (off_t)sizeof(l->in))
		return error_set(err, -EBADMSG, EXIT_FAILED, l->name, "jnitrace record makes one",
				 "this is no recording: %s", ZSTD_getErrorName(code));
	snprintf(why, sizeof(why), "behind it, %s", ZSTD_getErrorName(code));
	return damaged(l, err, why);
}

/* Text that nobody wants is only counted. */
static void take(struct lines *l, const char *p, size_t n)
{
	size_t skipped = n < l->skip ? n : (size_t)l->skip;

	l->out += n;
	l->skip -= skipped;
	buf_add(&l->text, p + skipped, n - skipped);
}

/* Where the next line begins, in all text. */
static uint64_t next_line(const struct lines *l)
{
	return l->out - (l->text.n - l->from);
}

/* Another one begins here. */
static void end_frame(struct lines *l)
{
	if (l->next_text && l->next_text <= next_line(l)) {
		l->frame_at = l->next_at;
		l->frame_text = l->next_text;
	}
	l->next_at = lines_bytes(l);
	l->next_text = l->out;
}

/* Some more text. 0: there is none. */
static int decompress(struct lines *l, struct error *err)
{
	char room[PIECE];
	ZSTD_outBuffer out = {room, sizeof(room), 0};
	size_t left, had;
	bool none;
	int rc;

	if (l->from) { /* what was given out */
		memmove(l->text.p, l->text.p + l->from, l->text.n - l->from);
		l->text.n -= l->from;
		l->from = 0;
	}
	had = l->text.n;
	do {
		rc = read_more(l, err);
		if (rc)
			return rc;
		out.pos = 0;
		left = ZSTD_decompressStream(l->zstd, &out, &l->raw);
		if (ZSTD_isError(left))
			return zstd_error(l, left, err);
		take(l, room, out.pos);
		if (left == 0)
			end_frame(l);
		/* What has filled the room may have more behind it, whatever is left of the file. */
		none = l->ended && l->raw.pos == l->raw.size && out.pos < out.size;
	} while (l->text.n == had && !l->text.failed && !none);
	return l->text.failed ? -ENOMEM : l->text.n > had;
}

/* One that would take too much memory as a tree is not looked at. */
static bool has_too_many_values(const char *p, size_t n)
{
	size_t values = 0;

	for (size_t i = 0; i < n; i++)
		values += p[i] == ',' || p[i] == ':' || p[i] == '[' || p[i] == '{';
	return values > MAX_VALUES;
}

static int parse(struct lines *l, const char *p, size_t n, json_t **out, struct error *err)
{
	char why[192];
	json_error_t e;

	if (n > MAX_LINE_BYTES || has_too_many_values(p, n))
		return damaged(l, err, "it is too long");
	*out = json_loadb(p, n, JSON_REJECT_DUPLICATES, &e);
	if (*out && json_is_object(*out))
		return 1;
	if (!*out && json_error_code(&e) == json_error_out_of_memory)
		return -ENOMEM;
	json_decref(*out);
	snprintf(why, sizeof(why), "%s", *out ? "no object" : e.text);
	*out = NULL;
	return damaged(l, err, why);
}

struct lines_place lines_place(const struct lines *l)
{
	uint64_t at = next_line(l);

	return l->next_text && l->next_text <= at
		   ? (struct lines_place){l->next_at, at - l->next_text, l->number}
		   : (struct lines_place){l->frame_at, at - l->frame_text, l->number};
}

void lines_go(struct lines *l, const struct lines_place *p)
{
	ZSTD_DCtx_reset(l->zstd, ZSTD_reset_session_only);
	l->at = (off_t)p->frame_at;
	l->raw = (ZSTD_inBuffer){0};
	l->ended = false;
	l->text.n = l->from = 0;
	l->number = p->number;
	l->frame_at = p->frame_at;
	l->frame_text = l->next_at = l->next_text = 0;
	l->out = 0;
	l->skip = p->skip;
}

int lines_next(struct lines *l, json_t **out, struct error *err)
{
	size_t seen = l->from;
	int rc = 1;

	for (;;) {
		const char *from = l->text.p ? l->text.p + l->from : NULL;
		const char *end = from ? memchr(l->text.p + seen, '\n', l->text.n - seen) : NULL;

		if (end) {
			size_t n = (size_t)(end - from);

			l->number++;
			l->from += n + 1;
			return parse(l, from, n, out, err);
		}
		seen = l->text.n - l->from;
		if (seen > MAX_LINE_BYTES) {
			l->number++;
			return damaged(l, err, "it is too long");
		}
		rc = decompress(l, err);
		if (rc <= 0)
			return rc;
	}
}
