/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Names of services. See service.h. */
#include "judge/service.h"

#include <errno.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#define GROUPS 10

struct rule {
	const char *name; /* name_n bytes of the operator's text */
	size_t name_n;
	regex_t pattern;
};
struct service_rules {
	size_t n; /* that are compiled */
	struct rule v[];
};

static int compile(const char *text, struct rule *out, struct error *err)
{
	const char *equals = strchr(text, '=');
	char why[128];
	int bad;

	if (!equals || equals == text || !equals[1])
		return error_set(err, -EINVAL, EXIT_USAGE, "--service-rule",
				 "as in 'billing=com\\.acme\\.bill'", "'%.64s' is not NAME=PATTERN", text);
	out->name = text;
	out->name_n = (size_t)(equals - text);
	bad = regcomp(&out->pattern, equals + 1, REG_EXTENDED);
	if (!bad)
		return 0;
	regerror(bad, &out->pattern, why, sizeof(why));
	return error_set(err, bad == REG_ESPACE ? -ENOMEM : -EINVAL, EXIT_USAGE, "--service-rule",
			 "give NAME=PATTERN, an extended regular expression", "'%.64s': %s", text, why);
}

int service_rules_new(const char *const *rules, size_t n, struct service_rules **out, struct error *err)
{
	struct service_rules *r = calloc(1, sizeof(*r) + n * sizeof(*r->v));
	int rc = r ? 0 : -ENOMEM;

	for (size_t i = 0; i < n && !rc; i++) {
		rc = compile(rules[i], &r->v[i], err);
		r->n += !rc;
	}
	if (rc)
		service_rules_free(r);
	else
		*out = r;
	return rc;
}

void service_rules_free(struct service_rules *r)
{
	for (size_t i = 0; r && i < r->n; i++)
		regfree(&r->v[i].pattern);
	free(r);
}

/* NAME, with what the groups have matched in command. */
static void expand(const struct rule *rule, const char *command, const regmatch_t *groups, char *out,
		   size_t cap)
{
	char text[512];
	size_t n = 0;

	for (size_t i = 0; i < rule->name_n && n < sizeof(text); i++) {
		const char *c = rule->name + i;

		if (*c == '\\' && i + 1 < rule->name_n && c[1] >= '1' && c[1] <= '9') {
			const regmatch_t *g = &groups[c[1] - '0'];

			i++;
			for (regoff_t k = g->rm_so; k >= 0 && k < g->rm_eo && n < sizeof(text); k++)
				text[n++] = command[k];
		} else {
			text[n++] = *c;
		}
	}
	text_clean(out, cap, text, n);
}

const char *service_name(const struct service_rules *r, const char *command, char *out, size_t cap)
{
	regmatch_t groups[GROUPS];

	*out = '\0';
	for (size_t i = 0; command && i < r->n; i++)
		if (!regexec(&r->v[i].pattern, command, GROUPS, groups, 0)) {
			expand(&r->v[i], command, groups, out, cap);
			break;
		}
	return out;
}
