/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Functions and lines of Python's code objects, as 3.11 and 3.13 lay them out, in this process's own memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "bpf/border/scripts.h"
#include "runtime/python/code.h"

#define FIRST      7
#define STACK_SIZE 3
#define ASCII      (4 | 32 | 64) /* a byte each, in one piece, ASCII alone */
#define WIDE       (8 | 32)      /* two bytes each */

static uint64_t code_type; /* stands for PyCode_Type */

struct object {
	_Alignas(8) uint8_t bytes[512];
};

static uint64_t addr_of(const void *p)
{
	return (uintptr_t)p;
}

static void put(struct object *o, size_t at, const void *what, size_t n)
{
	memcpy(o->bytes + at, what, n);
}

static void put_word(struct object *o, size_t at, uint64_t word)
{
	put(o, at, &word, sizeof(word));
}

static void put_half(struct object *o, size_t at, uint32_t half)
{
	put(o, at, &half, sizeof(half));
}

static void make_string(struct object *o, const struct python_layout *l, const char *text)
{
	*o = (struct object){0};
	put_word(o, PYTHON_SIZE, strlen(text));
	put_half(o, PYTHON_STATE, ASCII);
	put(o, l->ascii_bytes, text, strlen(text));
}

/* Two instructions of line 8, one of line 9, one that has no line, one of line 4. */
static const uint8_t rows[] = {
    0x80 | 13 << 3 | 1, 2, 0x80 | 11 << 3, 1, 2, 0x80 | 15 << 3, 0x80 | 14 << 3, 11, 0, 1, 1};

struct function {
	struct object code, name, file, rows;
	struct python_reader r;
};

static void make(struct function *f, unsigned minor)
{
	const struct python_layout *l = python_layout_of(3, minor);

	assert_non_null(l);
	*f = (struct function){.r = {getpid(), l, addr_of(&code_type)}};
	make_string(&f->name, l, "Texture.__init__");
	make_string(&f->file, l, "/srv/app/driver.py");
	put_word(&f->rows, PYTHON_SIZE, sizeof(rows));
	put(&f->rows, PYTHON_BYTES, rows, sizeof(rows));
	put_word(&f->code, PYTHON_OBJECT_TYPE, addr_of(&code_type));
	put_half(&f->code, l->first_line, FIRST);
	put_half(&f->code, l->stack_size, STACK_SIZE);
	put_word(&f->code, PYTHON_CODE_NAME, addr_of(&f->name));
	put_word(&f->code, PYTHON_CODE_FILE, addr_of(&f->file));
	put_word(&f->code, PYTHON_CODE_LINES, addr_of(&f->rows));
}

static bool ask(const struct function *f, int64_t unit, struct python_name *out)
{
	uint64_t code = addr_of(&f->code);

	return python_code_name(&f->r, code, code + f->r.layout->instructions + (uint64_t)(2 * unit),
				(uint32_t)script_check(FIRST, STACK_SIZE), out);
}

static void expect_line(const struct function *f, int64_t unit, int line)
{
	struct python_name name;

	assert_true(ask(f, unit, &name));
	assert_string_equal(name.symbol, "Texture.__init__");
	assert_string_equal(name.file, "driver.py");
	assert_int_equal(name.line, line);
}

static void test_names_and_lines(void **state)
{
	struct function f;

	(void)state;
	for (unsigned minor = 11; minor <= 13; minor += 2) {
		make(&f, minor);
		expect_line(&f, 0, 8);
		expect_line(&f, 1, 8);
		expect_line(&f, 2, 9);
		expect_line(&f, 3, 0);
		expect_line(&f, 4, 4);
		expect_line(&f, 5, 0); /* behind the table */
	}
}

/* Of a name of more than 255 characters the end, and what is no ASCII as '?'. */
static void test_texts(void **state)
{
	static const uint16_t wide[] = {'a', 0xe4, 0x2603, 'b'};
	struct function f;
	struct python_name name;

	(void)state;
	make(&f, 11);
	put_word(&f.name, PYTHON_SIZE, 4);
	put_half(&f.name, PYTHON_STATE, WIDE);
	put(&f.name, f.r.layout->compact_bytes, wide, sizeof(wide));
	assert_true(ask(&f, 0, &name));
	assert_string_equal(name.symbol, "a??b");
	make(&f, 13);
	put_word(&f.name, PYTHON_SIZE, 400);
	memset(f.name.bytes + f.r.layout->ascii_bytes, 'x', 400);
	f.name.bytes[f.r.layout->ascii_bytes + 399] = '\x1b';
	assert_true(ask(&f, 0, &name));
	assert_int_equal(strlen(name.symbol), PYTHON_NAME_BYTES - 1);
	assert_true(name.symbol[PYTHON_NAME_BYTES - 3] == 'x' &&
		    name.symbol[PYTHON_NAME_BYTES - 2] != '\x1b');
}

static void test_what_is_not_proven(void **state)
{
	struct function f;
	struct python_name name;

	(void)state;
	make(&f, 11);
	assert_false(ask(&f, -1, &name));
	put_half(&f.code, f.r.layout->first_line, FIRST + 1); /* another function, by now */
	assert_false(ask(&f, 0, &name));
	make(&f, 11);
	put_word(&f.code, PYTHON_OBJECT_TYPE, 0);
	assert_false(ask(&f, 0, &name));
	make(&f, 11);
	put_word(&f.code, PYTHON_CODE_NAME, 8);
	assert_false(ask(&f, 0, &name));
	assert_string_equal(name.symbol, "");
	make(&f, 11);
	put_word(&f.name, PYTHON_SIZE, UINT64_MAX);
	assert_false(ask(&f, 0, &name));
	make(&f, 11); /* without a file, or lines, it has its name */
	put_word(&f.code, PYTHON_CODE_FILE, 8);
	put_word(&f.rows, PYTHON_SIZE, UINT64_MAX);
	assert_true(ask(&f, 0, &name));
	assert_string_equal(name.symbol, "Texture.__init__");
	assert_string_equal(name.file, "");
	assert_int_equal(name.line, 0);
	assert_null(python_layout_of(3, 12));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_names_and_lines),
	    cmocka_unit_test(test_texts),
	    cmocka_unit_test(test_what_is_not_proven),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
