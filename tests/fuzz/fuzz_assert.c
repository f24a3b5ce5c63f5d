/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* An assertion, or a file of suppressions, of any bytes: it is refused where the column or line says, or
 * whole. */
#include "fuzz.h"

#include <string.h>

#include "base/util.h"
#include "judge/assert.h"

static void parse_assert(const char *text, size_t n)
{
	struct assertion a;
	char why[ASSERT_MAX_WHY];
	size_t column;

	if (assert_parse(text, &jni_catalog, &a, &column, why)) {
		if (column < 1 || column > n + 1 || !memchr(why, 0, sizeof(why)))
			abort();
		return;
	}
	if (!a.n || a.n > ASSERT_MAX_TERMS)
		abort();
	for (size_t i = 0; i < a.n; i++)
		if (a.term[i].from >= a.term[i].to || a.term[i].to > n ||
		    !memchr(a.term[i].text, 0, ASSERT_MAX_TEXT))
			abort();
	assert_judge(&a);
}

static void parse_suppressions(const char *text, size_t n)
{
	struct frame frame = {.symbol = "one", .module = "liba.so"};
	struct report_site site = {.frames = {&frame, 1, 1}, .outstanding = 1};
	struct suppressions *s = NULL;
	struct suppression_used used;
	const char *why = NULL;
	size_t line;
	int rc = suppressions_parse(text, n, &s, &line, &why);

	if (rc) {
		if (!why || !line)
			abort();
		return;
	}
	suppresses_site(s, &site);
	for (size_t i = 0; suppression_used(s, i, &used); i++)
		if (!used.text[0] || !used.line)
			abort();
	suppressions_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	bool is_file = fuzz_number(&data, &n, 1) & 1;
	char *text = malloc(n + 1);

	if (!text)
		abort();
	memcpy(text, data, n);
	text[n] = 0;
	if (is_file)
		parse_suppressions(text, n);
	else
		parse_assert(text, strlen(text));
	free(text);
	return 0;
}
