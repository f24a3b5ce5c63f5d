/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What an operator calls the programs of a host: rules from command lines to names that stay the same. */
#ifndef JNITRACE_SERVICE_H
#define JNITRACE_SERVICE_H

#include "base/util.h"

struct service_rules; /* opaque */

/*
 * Each rule is "NAME=PATTERN": PATTERN is an extended regular expression; \1 to \9 in NAME are what its
 * groups match. The first that fits counts. 0, or -errno with err.
 */
int service_rules_new(const char *const *rules, size_t n, struct service_rules **out, struct error *err);
void service_rules_free(struct service_rules *r);
/* Its name; "": no rule fits. command: as shown; NULL fits none. Returns out. */
const char *service_name(const struct service_rules *r, const char *command, char *out, size_t cap);

#endif
