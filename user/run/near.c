/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "run/near.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define NEAR_LENGTH 64 /* of a name, as much of it as is compared */

/* Letters that must be changed, left out or added to make one of the other. */
static size_t distance(const char *a, const char *b)
{
	size_t n = strnlen(a, NEAR_LENGTH), m = strnlen(b, NEAR_LENGTH), row[NEAR_LENGTH + 1];

	for (size_t k = 0; k <= m; k++)
		row[k] = k;
	for (size_t i = 1; i <= n; i++) {
		size_t corner = row[0]++;

		for (size_t k = 1; k <= m; k++) {
			size_t up = row[k], change = corner + (a[i - 1] != b[k - 1]);
			size_t least = up < row[k - 1] ? up + 1 : row[k - 1] + 1;

			row[k] = change < least ? change : least;
			corner = up;
		}
	}
	return row[m];
}

void near_add(struct near *of, const char *wanted, const char *key, const char *shown)
{
	size_t d = distance(wanted, key), at;
	bool begins = !strncmp(key, wanted, strlen(wanted)) || !strncmp(wanted, key, strlen(key));

	if (!*key || (d > strlen(wanted) / 3 + 1 && !begins))
		return;
	for (size_t i = 0; i < of->n; i++)
		if (!strncmp(of->shown[i], shown, NEAR_SHOWN - 1))
			return;
	for (at = of->n; at > 0 && of->far[at - 1] > d; at--)
		if (at < NEAR_NAMES) {
			memcpy(of->shown[at], of->shown[at - 1], NEAR_SHOWN);
			of->far[at] = of->far[at - 1];
		}
	if (at == NEAR_NAMES)
		return;
	snprintf(of->shown[at], NEAR_SHOWN, "%s", shown);
	of->far[at] = d;
	of->n += of->n < NEAR_NAMES;
}

void near_put(const struct near *of, char *out, size_t cap)
{
	size_t at = 0;

	*out = '\0';
	for (size_t i = 0; i < of->n && at < cap; i++)
		at += (size_t)snprintf(out + at, cap - at, "%s%s", i ? ", " : "", of->shown[i]);
}
