/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The options, one row each: what a value may be, where it goes, and which commands use it. */
#ifndef JNITRACE_OPTS_ROWS_H
#define JNITRACE_OPTS_ROWS_H

#include <stddef.h>

#include "base/util.h"
#include "run/options.h"

enum option_kind {
	OPTION_FLAG,    /* bool: true when given */
	OPTION_REPEAT,  /* int: how many times it was given */
	OPTION_INT,     /* int, min..max */
	OPTION_UINT64,  /* uint64_t, min..max */
	OPTION_SECONDS, /* double, in seconds, min..max: 10, 0.5, 500ms, 10s, 5m, 2h */
	OPTION_PERCENT, /* double, a share: 1% and 1 are 0.01; min..max of the share */
	OPTION_BYTES,   /* uint64_t, in bytes, min..max: 256M, 1G, 65536K, 300000000 */
	OPTION_CHOICE,  /* int or an enum: the index of the word among the choices */
	OPTION_WORD,    /* const char *: the word, one of the choices */
	OPTION_PIDS,    /* those below are of one option each */
	OPTION_FAMILIES,
	OPTION_FORMAT,
	OPTION_JSON,
	OPTION_FILE,
	OPTION_RECORD,
	OPTION_PATH, /* const char *: a file's name */
	OPTION_ASSERT,
	OPTION_SERVICE_RULE,
	OPTION_PAIR,
	OPTION_VERSION,
	OPTION_HELP,
	NR_OPTION_KINDS
};

/* The i-th word an option takes, NULL behind the last. */
typedef const char *choice_fn(size_t i);

struct option_row {
	const char *name;
	char letter;       /* 0: long only */
	const char *arg;   /* its name in --help; NULL: takes none */
	unsigned commands; /* bit per enum command: who uses it */
	enum option_kind kind;
	size_t at;       /* where it goes: offset in struct options */
	double min, max; /* of numbers; min 0 of seconds: more than that */
	choice_fn *choices;
	const char *noun;     /* what kind of word a choice is */
	const char *requires; /* another option that it says nothing without; NULL: none */
	const char *or_else;  /* one that would do, too; NULL: none */
	const char *help;     /* with the choices behind it, unless there are too many */
	bool brief;           /* the choices are listed elsewhere */
	bool rare;            /* not in the short help */
	bool inherited;       /* a report of a recording has it as the run had it */
	bool reloads;         /* the agent takes another value of its file without a restart */
	bool typed;           /* on a command line only: no option of a file */
};
/* Two rows may have one name when no command uses both. */
extern const struct option_row option_rows[];
extern const size_t nr_option_rows;

/* May it stand in a file of options for this command? */
bool option_in_file(const struct option_row *row, enum command command);
/* Have both the same value? */
bool option_equal(const struct option_row *row, const struct options *a, const struct options *b);
void option_copy(const struct option_row *row, struct options *to, const struct options *from);

struct format;
/* Does the command write this format? */
bool format_serves(const struct format *f, enum command command);

#endif
