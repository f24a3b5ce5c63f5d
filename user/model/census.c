/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "model/census.h"

#include <stdio.h>
#include <string.h>

#define JAR ".jar"

const char *service_of(const char *by_rules, const struct report_target *t, char *out, size_t cap)
{
	const char *name = target_name_of(t), *slash = strrchr(name, '/');
	size_t n;

	if (by_rules[0] || t->service) {
		snprintf(out, cap, "%s", by_rules[0] ? by_rules : t->service);
		return out;
	}
	snprintf(out, cap, "%s", slash && slash[1] ? slash + 1 : name);
	n = strlen(out);
	if (n > strlen(JAR) && !strcmp(out + n - strlen(JAR), JAR))
		out[n - strlen(JAR)] = '\0';
	return out;
}
