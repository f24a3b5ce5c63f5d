/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A file of options: a YAML mapping of options' long names to their values. It knows no option: who reads it
 * says what a name means.
 */
#ifndef JNITRACE_CONFIG_H
#define JNITRACE_CONFIG_H

#include <stddef.h>

#include "base/util.h"

struct config; /* opaque */

struct config_entry {
	char *name, *value; /* as they stand in the file, without its quotes */
	int line;           /* from 1 */
	bool several;       /* it is one of a list of some */
};

/*
 * Read all of it. A name has one value, or a list of some, which are as many entries. An empty file has none.
 * What is refused: values that are mappings, aliases, anchors, tags, a name twice, a second document, more
 * than 64 KB. 0, or -errno with err.
 */
int config_read(const char *path, struct config **out, struct error *err);
void config_free(struct config *c);
/* The i-th, as long as c; NULL behind the last. */
const struct config_entry *config_entry(const struct config *c, size_t i);

#endif
