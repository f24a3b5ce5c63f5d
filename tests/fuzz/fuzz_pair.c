/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The rule of a pair. What is refused names a place in it; what is taken makes sense. */
#include "fuzz.h"

#include <string.h>

#include "run/pair_text.h"

static void check(const struct pair_rule *rule)
{
	if (!rule->n || rule->n > PAIR_MAX_FUNCS || !rule->name[0] || !rule->lib[0])
		abort();
	for (size_t i = 0; i < rule->n; i++) {
		const struct func_row *row = &rule->func[i].row;

		if (!rule->func[i].symbol[0] || row->handle == HANDLE_NONE || row->handle > HANDLE_ARG11 ||
		    row->count > HANDLE_ARG11 || row->operation >= NR_OPERATIONS)
			abort();
		if (row->form == HANDLE_ARRAY && row->count < HANDLE_ARG0)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct pair_rule *rule = malloc(sizeof(*rule));
	struct pair_fault fault = {0};
	char *text = malloc(n + 1);

	if (!rule || !text)
		abort();
	memcpy(text, data, n);
	text[n] = 0;
	if (!pair_parse(text, rule, &fault))
		check(rule);
	else if (!fault.why[0] || fault.column < 1 || fault.column > strlen(text) + 1)
		abort();
	free(text);
	free(rule);
	return 0;
}
