/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Methods and lines of Ruby's code, as 3.1 and 3.3 lay them out, in this process's own memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "bpf/border/scripts.h"
#include "runtime/ruby/code.h"

#define WORDS    700 /* of code */
#define FIRST    3   /* line */
#define STRING   5   /* types of objects; flags: */
#define ARRAY    7
#define USER_1   (1ULL << 13) /* a text outside, elements inside */
#define IN_FLAGS 14
#define ENTRIES  5
#define NEAR     54 /* places whose ranks have 7 bits each, nine to a word */

struct entry {
	int32_t line, node, events;
};
struct method {
	uint64_t body[RUBY_BODY_BYTES / 8], code[WORDS], label[8], path[8], paths[5];
	struct entry entry[ENTRIES];
	struct {
		uint64_t near[NEAR / 9], block[2][10];
	} table;
	char text[64];
	struct ruby_reader r;
};

static uint64_t addr_of(const void *p)
{
	return (uintptr_t)p;
}

static void make_string(uint64_t *object, const struct ruby_layout *l, const char *text)
{
	size_t n = strlen(text);

	object[0] = l->length_in_string ? STRING : STRING | n << IN_FLAGS;
	if (l->length_in_string)
		object[2] = n;
	memcpy(&object[l->length_in_string ? 3 : 2], text, n);
}

/* Which entry a place has, by what iseq.c writes: entry 1 from place 0 on, then from the places that follow.
 */
static const uint64_t begins[ENTRIES] = {0, 5, 53, 60, 600};

static void make_table(struct method *m)
{
	for (uint64_t place = 0; place < NEAR; place++) {
		uint64_t rank = 0;

		for (size_t i = 0; i < ENTRIES; i++)
			rank += begins[i] <= place;
		m->table.near[place / 9] |= rank << place % 9 * 7;
	}
	for (size_t b = 0; b < 2; b++) {
		uint64_t start = NEAR + b * 512, *block = m->table.block[b], inside = 0;

		for (size_t i = 0; i < ENTRIES; i++) {
			block[0] += begins[i] < start;
			if (begins[i] >= start && begins[i] < start + 512)
				block[2 + (begins[i] - start) / 64] |= 1ULL << (begins[i] - start) % 64;
		}
		for (size_t w = 1; w < 8; w++) {
			inside += (uint64_t)__builtin_popcountll(block[1 + w]);
			block[1] |= inside << (w - 1) * 9;
		}
	}
}

static void make(struct method *m, const char *version)
{
	const struct ruby_layout *l = ruby_layout_of(version);

	assert_non_null(l);
	*m = (struct method){
	    .r = {getpid(), l, {.insns_start = 0x8000, .insns_end = 0x9000}},
	    .entry = {{3, 0, 0}, {4, 0, 0}, {9, 0, 0}, {5, 0, 0}, {-1, 0, 0}},
	};
	m->code[0] = 0x8010;
	make_string(m->label, l, "block in leak");
	make_string(m->path, l, "/srv/driver.rb");
	make_table(m);
	m->body[0] = (uint64_t)WORDS << 32;
	m->body[RUBY_BODY_ENCODED / 8] = addr_of(m->code);
	m->body[RUBY_BODY_PATH / 8] = addr_of(m->path);
	m->body[RUBY_BODY_LABEL / 8] = addr_of(m->label);
	m->body[RUBY_BODY_LINE / 8] = FIRST;
	m->body[l->insns_info / 8] = addr_of(m->entry);
	m->body[l->insns_info / 8 + 2] = ENTRIES;
	m->body[l->insns_info / 8 + 3] = addr_of(&m->table);
}

/* The instruction at this place is carried out: pc is behind it. */
static bool ask(const struct method *m, uint64_t place, struct ruby_name *out)
{
	return ruby_code_name(&m->r, addr_of(m->body), addr_of(m->code) + 8 * (place + 1),
			      (uint32_t)script_check(WORDS, FIRST), out);
}

static void expect_line(const struct method *m, uint64_t place, int line)
{
	struct ruby_name name;

	assert_true(ask(m, place, &name));
	assert_string_equal(name.symbol, "block in leak");
	assert_string_equal(name.file, "driver.rb");
	assert_int_equal(name.line, line);
}

static void test_names_and_lines(void **state)
{
	static const char *const versions[] = {"3.1", "3.3"};
	struct method m;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		make(&m, versions[i]);
		expect_line(&m, 0, 3);
		expect_line(&m, 4, 3);
		expect_line(&m, 5, 4);
		expect_line(&m, 52, 4);
		expect_line(&m, 53, 9);
		expect_line(&m, 59, 9);
		expect_line(&m, 60, 5);
		expect_line(&m, 599, 5);
		expect_line(&m, 600, 0); /* no such line */
		m.body[m.r.layout->insns_info / 8 + 2] = 1;
		expect_line(&m, 300, 3);
	}
}

static void test_texts_and_paths(void **state)
{
	struct ruby_name name;
	struct method m;

	(void)state;
	make(&m, "3.1");
	strcpy(m.text, "a\x1b"
		       "b");
	m.label[0] = STRING | USER_1;
	m.label[2] = 3;
	m.label[3] = addr_of(m.text);
	m.paths[0] = ARRAY | USER_1;
	m.paths[2] = addr_of(m.path);
	m.body[RUBY_BODY_PATH / 8] = addr_of(m.paths);
	assert_true(ask(&m, 0, &name));
	assert_true(name.symbol[0] == 'a' && !strchr(name.symbol, '\x1b'));
	assert_string_equal(name.file, "driver.rb");
	m.paths[0] = ARRAY;
	m.paths[4] = addr_of(&m.paths[3]);
	m.paths[3] = addr_of(m.path);
	assert_true(ask(&m, 0, &name));
	assert_string_equal(name.file, "driver.rb");
}

static void test_what_is_not_proven(void **state)
{
	struct ruby_name name;
	struct method m;

	(void)state;
	make(&m, "3.3");
	assert_false(ask(&m, WORDS, &name));
	m.code[0] = 0x9000; /* no instruction of the interpreter's */
	assert_false(ask(&m, 0, &name));
	make(&m, "3.3");
	m.body[RUBY_BODY_LINE / 8] = FIRST + 1; /* another method, by now */
	assert_false(ask(&m, 0, &name));
	make(&m, "3.3");
	m.label[0] = ARRAY;
	assert_false(ask(&m, 0, &name));
	make(&m, "3.3");
	m.label[2] = UINT64_MAX;
	assert_false(ask(&m, 0, &name));
	make(&m, "3.3"); /* without a path, or lines, it has its name */
	m.path[0] = 0;
	m.table.near[0] = 0;
	assert_true(ask(&m, 0, &name));
	assert_string_equal(name.symbol, "block in leak");
	assert_string_equal(name.file, "");
	assert_int_equal(name.line, 0);
	assert_null(ruby_layout_of("3.2.1"));
	assert_null(ruby_layout_of("3.10"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_names_and_lines),
	    cmocka_unit_test(test_texts_and_paths),
	    cmocka_unit_test(test_what_is_not_proven),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
