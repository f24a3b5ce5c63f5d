/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What profiles in protobuf have in common, whichever their format (pprof.h, otlp.h). A message may be
 * written in pieces: repeated fields of one piece follow those of the piece before. So each sample, location
 * and text is packed as soon as it is met, and only what tells them from others is kept. Where memory is
 * exhausted, the buffer that a function writes to has failed.
 */
#ifndef JNITRACE_PROFILE_PARTS_H
#define JNITRACE_PROFILE_PARTS_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/strset.h"
#include "base/util.h"
#include "model/report.h"

#define PROFILE_MODULE_LIMIT (1ULL << 47) /* equal in all profiles: equal modules are taken for one */
#define PROFILE_MAX_INLINED  64           /* lines of one location, besides that of the function itself */

/* Appends a piece, which may be of any message. */
void profile_pack(struct buf *out, const ProtobufCMessage *piece);
/* All parts, compressed. */
void profile_gzip(struct buf *out, struct buf *const *parts, size_t n);

/* Numbers from 1 on, for what is told apart by two words. Start zeroed. */
struct numbers {
	struct hash hash;
	uint32_t n;
};
/* The number of this pair; 0: out has failed. */
uint32_t number_of(struct numbers *numbers, uint64_t a, uint64_t b, bool *is_new, struct buf *out);
void numbers_free(struct numbers *numbers);

/* A table of texts, by their index; they are UTF-8 without control characters. */
struct texts {
	void (*put)(struct buf *out, char *text); /* packs one more */
	struct buf *out;
	/* zeroed */
	struct strset set;
	struct hash seen;       /* text of a report: its index + 1; for as long as the report lives */
	struct numbers numbers; /* text of set: its index + 1 */
};
int64_t texts_add(struct texts *t, const char *s);
/* Of text that stays where it is until texts_forget(). NULL: the first text. */
int64_t texts_add_kept(struct texts *t, const char *s);
void texts_forget(struct texts *t);
void texts_free(struct texts *t);

/* Was inner inlined into outer, the next frame? */
bool frame_is_inlined_in(const struct frame *inner, const struct frame *outer);
bool site_outstanding_known(const struct report *r, const struct report_site *s);
/* Or as much as there can be. */
int64_t int64_of(uint64_t n);

#endif
