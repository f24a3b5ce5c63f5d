/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The command line: one table of options feeds parsing, --help and the checks of the documents. */
#ifndef JNITRACE_OPTS_H
#define JNITRACE_OPTS_H

#include "base/util.h"
#include "run/options.h"

/*
 * 0: go on. > 0: done, exit with (value - 1) (--help, --version printed). < 0: a usage error, in err.
 * Strings in out point into argv, and into the file of --config, which out owns: opts_free(). The families of
 * -e are the catalog's. May be called again with the same words: the file may have changed.
 */
int opts_parse(int argc, char **argv, const struct catalog *catalog, struct options *out, struct error *err);
void opts_free(struct options *o);

#endif
