/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Named sets of pairs (--pairs NAME): those that are built in, and those of files that users add. */
#ifndef JNITRACE_PAIR_SETS_H
#define JNITRACE_PAIR_SETS_H

#include "run/pairs.h"

/*
 * All --pair and --pairs of a command line, which opts_parse() then only checks. out must stay where it is,
 * as long as the catalog. 0, or -errno with err.
 */
int pairs_take(int argc, char **argv, struct catalog *c, struct pairs *out, struct error *err);

#endif
