/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A name that a target gives: what comes out is clean for a terminal and fits. */
#include "fuzz.h"

#include <string.h>

#include "base/util.h"
#include "runtime/hotspot/klass.h"
#include "symbols/demangle.h"

static void check_clean(const char *s, size_t cap)
{
	if (strnlen(s, cap) == cap)
		abort();
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	size_t cap = 1 + fuzz_number(&data, &n, 1);
	char *text = malloc(n + 1), *dst = malloc(cap), *class_name = malloc(2 * n + 1);

	if (!text || !dst || !class_name)
		abort();
	memcpy(text, data, n);
	text[n] = 0;
	check_clean(demangle(dst, cap, text), cap);
	if (class_name_decode(text, n, class_name, 2 * n + 1))
		check_clean(class_name, 2 * n + 1);
	free(class_name);
	free(dst);
	free(text);
	return 0;
}
