/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The first answer to whoever looks: is there a leak, whose, how fast, and when will it hurt? */
#ifndef JNITRACE_ANSWER_H
#define JNITRACE_ANSWER_H

#include "base/util.h"
#include "model/report.h"

enum answer_kind {
	ANSWER_LEAK,    /* something grows */
	ANSWER_MISUSE,  /* a finding that is an error */
	ANSWER_WARNING, /* one that may be on purpose, and is no leak */
	ANSWER_WAIT,    /* time will tell, and it is known how much */
	ANSWER_UNCLEAR, /* neither steady growth nor an end of it */
	ANSWER_COUNTS,  /* releases are not traced: nobody knows */
	ANSWER_IDLE,    /* nothing was acquired */
	ANSWER_CLEAN,   /* nothing grows */
	NR_ANSWERS
};
extern const char *const answer_words[NR_ANSWERS]; /* "LEAK", ... */

/*
 * Of n reports of one moment. A line is appended to out, not cleaned, without the word: what matters most
 * comes first, as it may be cut.
 */
enum answer_kind view_answer(struct buf *out, const struct report *const *reports, size_t n);

/*
 * When a site that grows will hurt, in few words: "51,200 in 2h44m", the time until the runtime's limit of
 * its family is reached; where there is none "141.0 KB/h + objects", the native memory that the references
 * themselves take. false: nothing is known, and nothing was appended.
 */
bool view_forecast(struct buf *out, const struct report *r, const struct report_site *site);
/* The reason in full: the limit, what is taken of it and what happens then. Nothing: not known. Not cleaned.
 */
void view_limit(struct buf *out, const struct report *r, const struct report_site *site);

/* The last parts of a name: "Registry::add" of "acme::imaging::Registry::add(int)", "ThumbCache.open" of
 * "com.acme.ThumbCache.open", "Listener" of "com.acme.ThumbCache$Listener" where parts is 1. Not cleaned. */
void name_short(struct buf *out, const char *name, int parts);

#endif
