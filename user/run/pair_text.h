/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The rule of a pair, as --pair takes it (docs/pairs.md):
 *
 *	[NAME=]LIB:FUNCTION[+FUNCTION...]/FUNCTION[+FUNCTION...]
 *
 * Before the slash are functions that acquire, behind it those that release. A FUNCTION is
 * [MARK][LIB!]SYMBOL(WHERE[,OPTION...]).
 */
#ifndef JNITRACE_PAIR_TEXT_H
#define JNITRACE_PAIR_TEXT_H

#include <stddef.h>

#include "model/catalog.h"

#define PAIR_MAX_FUNCS    32
#define PAIR_NAME_BYTES   64
#define PAIR_LIB_BYTES    512
#define PAIR_SYMBOL_BYTES 120

struct pair_func {
	char lib[PAIR_LIB_BYTES];       /* "": the rule's */
	char symbol[PAIR_SYMBOL_BYTES]; /* see pair_symbols.h */
	size_t column;                  /* of it in the text, the first is 1 */
	struct func_row row;            /* but for name, api and family */
};
struct pair_rule {
	char name[PAIR_NAME_BYTES]; /* of the family: as given, or the library's base name */
	char lib[PAIR_LIB_BYTES];
	struct pair_func func[PAIR_MAX_FUNCS];
	size_t n;
};
/* What is wrong, and at which character of the text, the first is 1. */
struct pair_fault {
	size_t column;
	char why[160];
};

/* 0, or -EINVAL with fault. out is large: not for the stack of a recursion. */
int pair_parse(const char *text, struct pair_rule *out, struct pair_fault *fault);

#endif
