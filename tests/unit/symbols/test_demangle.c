/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Symbol names as people read them; names that lie, and one that stands for 2^60 characters. */
#include "symbols/demangle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/util.h"

struct row {
	const char *name, *readable;
};

static void check(const struct row *rows, size_t n)
{
	char text[SYMBOL_NAME_BYTES];

	for (size_t i = 0; i < n; i++) {
		assert_ptr_equal(demangle(text, sizeof(text), rows[i].name), text);
		assert_string_equal(text, rows[i].readable);
	}
}

static void test_c(void **state)
{
	static const struct row rows[] = {
	    {"", ""},
	    {"Java_pkg_Cls_leak__Ljava_lang_String_2", "Java_pkg_Cls_leak__Ljava_lang_String_2"},
	    {"read.constprop.0.isra.1", "read"},
	    {"read.part.0.cold", "read"},
	    {"read.cold", "read"},
	    {"read.llvm.1234567", "read"},
	    {"read.colder", "read.colder"}, /* a name of its own */
	    {"read.particle", "read.particle"},
	    {"read.v2", "read.v2"},
	    {".cold", ".cold"},
	    {"malloc@@GLIBC_2.2.5", "malloc"},
	    {"malloc@GLIBC_2.2.5", "malloc"},
	    {"@odd", "@odd"},
	};

	(void)state;
	check(rows, ARRAY_LEN(rows));
}

static void test_cxx(void **state)
{
	static const struct row rows[] = {
	    {"_Z3foov", "foo"},
	    {"_ZN2ns5ClassIiE6methodEi", "ns::Class<int>::method"},
	    {"_ZNK2ns5ClassIiE6methodEi", "ns::Class<int>::method"},
	    {"_Z3fooIiEvT_", "foo<int>"},
	    {"_ZN3FooC1Ev", "Foo::Foo"},
	    {"_ZN3FooC4Ev", "Foo::Foo"}, /* gcc's name for both constructors, in DWARF only */
	    {"_ZN3FooD0Ev", "Foo::~Foo"},
	    {"_ZN3FoocviEv", "Foo::operator int"},
	    {"_ZN12_GLOBAL__N_13fooEv", "(anonymous namespace)::foo"},
	    {"_ZZ4mainENKUlvE_clEv", "main::{lambda()#1}::operator()"},
	    {"_ZNSt6vectorIiSaIiEE9push_backERKi", "std::vector<int, std::allocator<int> >::push_back"},
	    {"_Z3foov.constprop.0", "foo"},
	    {"_ZN3foo3barEi.isra.0.cold", "foo::bar"},
	    {"_ZN3foo3barEi@@VERS_1", "foo::bar"},
	    {"_Z", "_Z"},
	    {"_Zgarbage", "_Zgarbage"},
	    {"_ZN3foo", "_ZN3foo"},
	};

	(void)state;
	check(rows, ARRAY_LEN(rows));
}

static void test_rust(void **state)
{
	static const struct row rows[] = {
	    /* legacy: C++ with a hash */
	    {"_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE", "core::fmt::Write::write_fmt"},
	    {"_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE.llvm.1234", "core::fmt::Write::write_fmt"},
	    {"_ZN71_$LT$Test$u20$$u2b$$u20$$u27$static$u20$as$u20$foo..Bar$LT$Test$GT$$GT$3bar17h"
	     "930b740aa94f1d3aE",
	     "<Test + 'static as foo::Bar<Test>>::bar"},
	    /* v0 */
	    {"_RNvNtCs1234_7mycrate3foo3bar", "mycrate::foo::bar"},
	    {"_RNvNtCs1234_7mycrate3foo3bar.llvm.12", "mycrate::foo::bar"},
	    {"_RNCNvCsgStHSCytQ6I_7mycrate4main0B3_", "mycrate::main::{closure#0}"},
	    {"_RINvNtC3std3mem4swapiE", "std::mem::swap::<isize>"},
	    {"_R", "_R"},
	    {"_RNvC", "_RNvC"},
	};

	(void)state;
	check(rows, ARRAY_LEN(rows));
}

static void test_cleaned_and_cut(void **state)
{
	char text[SYMBOL_NAME_BYTES], small[8], longer[3 * SYMBOL_NAME_BYTES];
	static const struct row rows[] = {
	    {"a\033[31mb", "a?[31mb"}, {"_Z1\033v", "?"}, {"\xc3\xa9t\xc3", "\xc3\xa9t?"}};

	(void)state;
	check(rows, ARRAY_LEN(rows));
	assert_string_equal(demangle(small, sizeof(small), "_ZN2ns5Class6methodEi"), "ns::Cla");
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(strlen(demangle(text, sizeof(text), longer)), sizeof(text) - 1);
	memcpy(longer, "_Z9999", 6);
	assert_int_equal(strlen(demangle(text, sizeof(text), longer)), sizeof(text) - 1);
	memcpy(longer, "_Z2999", 6);
	assert_int_equal(strlen(demangle(text, sizeof(text), longer)), sizeof(text) - 1);
}

/* The back reference to the n-th thing that was named before: S_, S0_, S1_, ... SZ_, S10_, ... */
static int reference(char *dst, size_t cap, int n)
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

	if (!n)
		return snprintf(dst, cap, "S_");
	n--;
	return n < 36 ? snprintf(dst, cap, "S%c_", digits[n])
		      : snprintf(dst, cap, "S%c%c_", digits[n / 36], digits[n % 36]);
}

/* Each type is a pair of the one before: n bytes stand for 2^n. */
static void test_name_that_explodes(void **state)
{
	char name[SYMBOL_NAME_BYTES] = "_Z1fI1PIiiE", text[SYMBOL_NAME_BYTES];
	uint64_t start_ns = clock_ns(CLOCK_MONOTONIC);
	size_t n = strlen(name);

	(void)state;
	for (int i = 1; i < 70; i++) {
		n += snprintf(name + n, sizeof(name) - n, "S_I");
		n += reference(name + n, sizeof(name) - n, i);
		n += reference(name + n, sizeof(name) - n, i);
		n += snprintf(name + n, sizeof(name) - n, "E");
	}
	snprintf(name + n, sizeof(name) - n, "Evv");
	demangle(text, sizeof(text), name);
	assert_int_equal(strlen(text), sizeof(text) - 1);
	assert_int_equal(strncmp(text, "f<", 2), 0);
	assert_true(clock_ns(CLOCK_MONOTONIC) - start_ns < 1000000000ULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_c),
	    cmocka_unit_test(test_cxx),
	    cmocka_unit_test(test_rust),
	    cmocka_unit_test(test_cleaned_and_cut),
	    cmocka_unit_test(test_name_that_explodes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
