/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Reports made up at random, by the rows of record/fields.h: whatever a member can be. */
#ifndef JNITRACE_RECORD_FIXTURE_H
#define JNITRACE_RECORD_FIXTURE_H

#include "base/strset.h"
#include "record/recorder.h"
#include "record/recording.h"
#include "record/saved.h"

struct made {
	struct report report;
	uint64_t random;
	struct saved owner; /* of its lists and texts */
	struct {
		struct frames *v; /* stacks to choose from */
		size_t n, cap;
	} stacks;
};
struct made *made_new(uint32_t seed);
void made_free(struct made *m);
/* Some members become others. final: for the last time. */
void made_change(struct made *m, bool final);

/* Copies of reports as they were. */
struct made_list {
	struct report **v;
	size_t n, cap;
	struct saved owner;
};
const struct report *made_keep(struct made_list *list, const struct made *m);
void made_list_free(struct made_list *list);

/* Fails the test unless they are equal by every row; texts as they are cleaned. */
void expect_same_report(const struct report *want, const struct report *got);

/* Of JNI's functions alone. */
struct recorder *make_recorder(const struct recording_option *options, uint64_t bytes_per_hour);
void compress_text(const char *text, size_t n, struct buf *out);

#endif
