/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The members of struct report and of all that it holds, one row each: how a recording calls them, and where
 * they are. The writer and the reader go by these rows alone, so that a member is saved and read, or neither.
 */
#ifndef JNITRACE_FIELDS_H
#define JNITRACE_FIELDS_H

#include <stddef.h>

#include "model/report.h"

enum field_kind {
	FIELD_BOOL,
	FIELD_INT,    /* int */
	FIELD_U32,    /* uint32_t */
	FIELD_U64,    /* uint64_t or size_t; above 2^63 - 1: a string of digits */
	FIELD_I64,    /* int64_t; -1: null */
	FIELD_ID,     /* uint64_t, as 16 hexadecimal digits */
	FIELD_HEX,    /* uint64_t, as "0x11e3" */
	FIELD_REAL,   /* double; no number: null */
	FIELD_KNOWN,  /* double; -1: null */
	FIELD_TEXT,   /* const char *; NULL: null */
	FIELD_CHARS,  /* char[n], terminated */
	FIELD_WORD,   /* an enum, by name */
	FIELD_FUNC,   /* enum func_id, by name; FUNC_NONE: null */
	FIELD_FAMILY, /* enum family_id, by name */
	FIELD_MODULE, /* const char *: a frame's module, path and build id by number (see struct frame) */
	FIELD_STACK,  /* struct frames, by number; without frames: null */
	FIELD_LATER,  /* const struct later *: true or false, whether more will be said of a frame */
	FIELD_STRUCT,
	FIELD_POINTER, /* of a struct, owned; NULL: null */
	FIELD_LIST,    /* of structs: v and n */
	FIELD_COUNTS,  /* uint64_t[n], by name; those that are 0 at first are left out */
	FIELD_FLAGS,   /* bool[n], by name; likewise */
	FIELD_STRUCTS, /* structs[n], by name; likewise */
};

/* The name of the i-th; NULL: it has none, and is not saved. */
typedef const char *field_name(const struct catalog *c, size_t i);

struct fields;
struct field {
	const char *key;
	enum field_kind kind;
	size_t at;               /* offset in the struct */
	size_t bytes;            /* of it there */
	size_t n;                /* of arrays, and of words: how many */
	size_t n_at;             /* of a list: where its length is */
	field_name *name;        /* of words and arrays */
	const struct fields *of; /* of the struct, or of an element */
};
struct fields {
	const struct field *v;
	size_t n;
	size_t bytes; /* of the struct */
};

extern const struct fields report_fields; /* without its sites, findings and what was there before */
extern const struct fields site_fields, finding_fields, before_fields;
extern const struct fields frame_fields; /* with a row FIELD_MODULE */

/* In place of one that is not at hand. Not to be looked into. */
extern const struct later *const some_later;

/*
 * How a recording names a function: of JNI by its name, those that are only used as "use:NAME", what was
 * added as "FAMILY:NAME" into room. NULL: there is none of this number.
 */
#define FUNC_WORD_MAX 512
const char *func_word(const struct catalog *c, size_t func, char room[FUNC_WORD_MAX]);

/* What is in three kinds of lists, and so of three kinds of lines. */
enum report_list { LIST_SITES, LIST_FINDINGS, LIST_BEFORE, NR_REPORT_LISTS };
extern const struct report_list_row {
	const char *record; /* its lines */
	const char *length; /* how many there are, in the report's line */
	struct field list;
} report_lists[NR_REPORT_LISTS];

#endif
