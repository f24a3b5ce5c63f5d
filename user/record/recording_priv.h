/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Shared by recording.c, reading.c and mark.c only: a recording that is being read, and values of its lines.
 */
#ifndef JNITRACE_RECORDING_PRIV_H
#define JNITRACE_RECORDING_PRIV_H

#include <jansson.h>

#include "base/hash.h"
#include "record/lines.h"
#include "record/recorder.h"
#include "record/saved.h"

#define MAX_STACK_FRAMES 4096 /* far more than are kept, with all that was inlined */

/* A target. */
struct subject {
	size_t number;
	struct saved saved;  /* as the lines say it */
	struct report shown; /* as it is handed out: a copy, with sites of its own */
	struct {
		bool *v; /* of each site: was it said? */
		size_t n, cap;
	} marks;
	double start_s; /* attached so long after the first */
	uint64_t order; /* of its last report among all */
	bool reported;  /* at this moment */
	bool ended;     /* by its last report */
};

struct recording {
	char name[192];
	struct error *err; /* while something is read */
	struct lines *lines;
	struct catalog *catalog;
	struct hash funcs; /* by name */
	struct recording_option options[RECORDING_MAX_OPTIONS];
	size_t nr_options;
	const char *made_by; /* NULL: not said */
	bool keep_ended;

	/* What was said once, by number - 1. */
	struct {
		struct frames *v;
		size_t n, cap;
	} stacks;
	struct {
		struct frame *v;
		size_t n, cap;
	} frames, modules;
	struct strset text;

	struct {
		struct subject **v;
		size_t n, cap;
	} subjects;
	size_t nr_subjects, live; /* that there were so far; that have not ended */
	uint64_t nr_reports;
	uint64_t known_line; /* the last that was ever read */

	uint64_t limit_bytes, once_bytes, subject_bytes;
	double file_bytes; /* when it was opened */
	bool begun;
	double start_unix_s, at_s;
	uint64_t skipped;
	bool whole;
	struct {
		struct report **v;
		size_t n, cap;
	} shown;
};

void subject_free(struct subject *s);
/* Bytes that it takes, about. */
uint64_t subject_bytes(const struct subject *s);
/* Make `shown` anew: what the next lines are read into keeps its order. 0 or -ENOMEM. */
int subject_show(struct subject *s);

/* Say what is wrong, in err: -EBADMSG, -ENOMEM. */
int recording_damaged(struct recording *r, const char *why);
int recording_full(struct recording *r);
/* Bytes that are kept, about; more: of this target, which is being read, NULL: none is. */
uint64_t recording_used(const struct recording *r, const struct subject *more);
/* A text, cleaned, or null. 0, or -errno with err. */
int recording_text(struct recording *r, struct strset *set, const json_t *v, const char **out);

/* Where values go: of a report of s, or (s NULL) of what is said once. */
struct reading {
	struct recording *r;
	struct subject *s;
	struct strset *text;
};
/* Take what an object says of a struct; what it does not say stays. 0, or -errno with err. */
int reading_struct(struct reading *in, const struct fields *of, const json_t *object, void *to);
/* Let a list have as many elements as a number says. */
int reading_resize(struct reading *in, const struct field *list, void *to, const json_t *length);

#endif
