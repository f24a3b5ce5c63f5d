/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Names and lines of a small dex file in this process's own memory; then of the same with bytes of it
 * corrupted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "runtime/art/dex.h"

enum {
	STRINGS = 0x70,
	TYPES = 0x80,
	METHODS = 0x90,
	CLASSES = 0xa0,
	DATA = 0xc0,
	CODE = 0x100,
	DEBUG = 0x140,
	FILE_BYTES = 0x180
};

static _Alignas(8) uint8_t file[FILE_BYTES];
static const struct art art;

static struct art here(void)
{
	struct art a = art;

	a.pid = getpid();
	return a;
}

static void put32(size_t at, uint32_t v)
{
	memcpy(file + at, &v, sizeof(v));
}

static void put_text(int string, size_t at, const char *text)
{
	put32(STRINGS + 4 * (size_t)string, (uint32_t)at);
	file[at] = (uint8_t)strlen(text);
	memcpy(file + at + 1, text, strlen(text) + 1);
}

static void make(void)
{
	/* line 20; no parameters; +3: line 23 from 2 on; a local variable; to 300, 5 instructions on; the end
	 */
	static const uint8_t debug[] = {
	    20, 0, 0x0a + 4 + 3 + 2 * 15, 0x03, 1, 2, 3, 0x02, 0x95, 0x02, 0x01, 5, 0x0e, 0x00};
	static const uint16_t code[] = {4, 2, 2, 0, DEBUG, 0, 9, 0};

	memset(file, 0, sizeof(file));
	memcpy(file, "dex\n035", 8);
	put32(0x20, FILE_BYTES);
	put32(0x38, 3);
	put32(0x3c, STRINGS);
	put32(0x40, 2);
	put32(0x44, TYPES);
	put32(0x58, 1);
	put32(0x5c, METHODS);
	put32(0x60, 1);
	put32(0x64, CLASSES);
	put_text(0, DATA, "Lapp/Main;");
	put_text(1, DATA + 16, "onClick");
	put_text(2, DATA + 32, "Main.java");
	put32(TYPES, 0);
	put32(TYPES + 4, 7); /* no such string */
	put32(METHODS, 0);
	put32(METHODS + 4, 1);
	put32(CLASSES + 16, 2);
	memcpy(file + CODE, code, sizeof(code));
	memcpy(file + DEBUG, debug, sizeof(debug));
}

static void test_names_and_lines(void **state)
{
	struct art a = here();
	struct art_dex_method method;
	struct art_dex_code code;
	struct art_dex d;
	char text[64], name[64];

	(void)state;
	make();
	assert_true(art_dex_open(&a, (uintptr_t)file, &d));
	assert_true(art_dex_type(&d, 0, text, sizeof(text)));
	assert_true(art_binary_name(text, name, sizeof(name)));
	assert_string_equal(name, "app.Main");
	assert_false(art_dex_type(&d, 1, text, sizeof(text)));
	assert_false(art_dex_type(&d, 2, text, sizeof(text)));
	assert_true(art_dex_method(&d, 0, &method));
	assert_true(art_dex_string(&d, method.name, text, sizeof(text)));
	assert_string_equal(text, "onClick");
	assert_true(art_dex_source(&d, 0, 0, text, sizeof(text)));
	assert_string_equal(text, "Main.java");
	assert_false(art_dex_source(&d, 0, 1, text, sizeof(text)));
	assert_true(art_dex_code(&d, d.begin + CODE, &code));
	assert_int_equal(code.registers, 4);
	assert_int_equal(code.outs, 2);
	assert_int_equal(code.nr_insns, 9);
	assert_int_equal(art_dex_line(&d, &code, 0), 0);
	assert_int_equal(art_dex_line(&d, &code, 2), 23);
	assert_int_equal(art_dex_line(&d, &code, 6), 23);
	assert_int_equal(art_dex_line(&d, &code, 7), 300);
	code.debug = FILE_BYTES;
	assert_int_equal(art_dex_line(&d, &code, 7), 0);
	assert_false(art_dex_code(&d, d.begin + FILE_BYTES - 8, &code));
	assert_false(art_dex_code(&d, d.begin - 16, &code));
	memcpy(file, "cdex", 4);
	assert_false(art_dex_open(&a, (uintptr_t)file, &d));
}

static void test_corrupted(void **state)
{
	struct art a = here();
	uint64_t seed = 5;

	(void)state;
	for (int round = 0; round < 3000; round++) {
		struct art_dex_method method;
		struct art_dex_code code;
		struct art_dex d;
		char text[DEX_NAME_MAX_BYTES];

		make();
		for (int i = 0; i < 4; i++) {
			seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
			file[8 + (seed >> 33) % (FILE_BYTES - 8)] = (uint8_t)(seed >> 24);
		}
		if (!art_dex_open(&a, (uintptr_t)file, &d))
			continue;
		for (uint32_t i = 0; i < 3; i++) {
			art_dex_type(&d, i, text, sizeof(text));
			art_dex_source(&d, i, i, text, sizeof(text));
			if (art_dex_method(&d, i, &method))
				art_dex_string(&d, method.name, text, sizeof(text));
		}
		if (art_dex_code(&d, d.begin + CODE, &code))
			for (uint32_t insn = 0; insn < 9; insn++)
				assert_true(art_dex_line(&d, &code, insn) >= 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_names_and_lines),
	    cmocka_unit_test(test_corrupted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
