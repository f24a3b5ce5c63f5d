/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The rules of --pair: what they say, and where an error is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "base/util.h"
#include "run/pair_sets.h"
#include "run/pair_text.h"

static struct pair_rule rule;

static void take(const char *text)
{
	struct pair_fault fault = {0};

	if (pair_parse(text, &rule, &fault))
		fail_msg("%s: column %zu: %s", text, fault.column, fault.why);
}

static const struct func_row *row(size_t i)
{
	assert_true(i < rule.n);
	return &rule.func[i].row;
}

static void test_what_rules_say(void **state)
{
	(void)state;
	take("libc.so.6:malloc(ret)+calloc(ret,size=arg0*arg1)+~realloc(arg0,size=arg1)/free(arg0)");
	assert_string_equal(rule.name, "libc.so.6");
	assert_string_equal(rule.lib, "libc.so.6");
	assert_int_equal(rule.n, 4);
	assert_string_equal(rule.func[0].symbol, "malloc");
	assert_int_equal(row(0)->operation, OP_ACQUIRE);
	assert_int_equal(row(0)->handle, HANDLE_RETURN);
	assert_int_equal(row(0)->success, SUCCESS_NOT_NULL);
	assert_int_equal(row(1)->size, HANDLE_ARG0);
	assert_int_equal(row(1)->times, HANDLE_ARG1);
	assert_int_equal(row(2)->operation, OP_REPLACE);
	assert_int_equal(row(2)->handle, HANDLE_ARG0);
	assert_int_equal(row(2)->size, HANDLE_ARG1);
	assert_int_equal(row(3)->operation, OP_RELEASE);

	take("db=/usr/lib/libsqlite3.so.0:sqlite3_open(*arg1,okany)/sqlite3_close(arg0)");
	assert_string_equal(rule.name, "db");
	assert_string_equal(rule.lib, "/usr/lib/libsqlite3.so.0");
	assert_int_equal(row(0)->form, HANDLE_POINTEE);
	assert_int_equal(row(0)->handle, HANDLE_ARG1);
	assert_int_equal(row(0)->success, SUCCESS_ANY);

	take("/opt/a b/libvk.so:vk_alloc(*arg2[arg1])+vk_make(*arg11)/vk_free(arg3)+other!vk_end(*arg0)");
	assert_string_equal(rule.name, "libvk.so");
	assert_int_equal(row(0)->form, HANDLE_ARRAY);
	assert_int_equal(row(0)->count, HANDLE_ARG1);
	assert_int_equal(row(0)->success, SUCCESS_ZERO);
	assert_int_equal(row(1)->handle, HANDLE_ARG11);
	assert_string_equal(rule.func[3].lib, "other");
	assert_string_equal(rule.func[3].symbol, "vk_end");
	assert_int_equal(row(3)->form, HANDLE_POINTEE);

	take("libssl:SSL_new(ret)/^SSL_up_ref(arg0)+v:SSL_free(arg0)+?SSL_read(arg0)");
	assert_int_equal(row(1)->operation, OP_REF);
	assert_int_equal(row(2)->operation, OP_UNREF);
	assert_int_equal(row(3)->operation, OP_USE);
	take("libssl:SSL_new(ret)+SSL_up_ref(arg0,ref)/SSL_free(arg0,unref)+SSL_read(arg0,use)");
	assert_int_equal(row(1)->operation, OP_REF);
	assert_int_equal(row(2)->operation, OP_UNREF);
	assert_int_equal(row(3)->operation, OP_USE);

	take("libc:fopen@GLIBC_2.2.5(ret)+fdopen@@GLIBC_2.2.5+0x4(ret)/"
	     "0x12af(arg0)+free+0x3(arg0)+ns::a::~a(arg0)");
	assert_int_equal(rule.n, 5);
	assert_string_equal(rule.func[0].symbol, "fopen@GLIBC_2.2.5");
	assert_string_equal(rule.func[1].symbol, "fdopen@@GLIBC_2.2.5+0x4");
	assert_string_equal(rule.func[2].symbol, "0x12af");
	assert_string_equal(rule.func[3].symbol, "free+0x3");
	assert_string_equal(rule.func[4].symbol, "ns::a::~a");
	assert_int_equal(rule.func[4].column, 86);
	take("libc:fopen(ret)/fclose(arg0,others)");
	assert_true(row(1)->others && !row(0)->others);
	take("libcurl:curl_easy_init(ret)+curl_multi_init(ret,owns)/curl_easy_cleanup(arg0)");
	assert_true(row(1)->owns && !row(0)->owns);
	take("libc:dlopen(ret,counted)/dlclose(arg0)");
	assert_true(row(0)->counted && !row(1)->counted);
	take("libc:open(ret,okge0)+openat(ret,okge0)/close(arg0)");
	assert_true(row(0)->narrow && row(1)->narrow && row(2)->narrow);
	take("libnode:napi_create_threadsafe_function(*arg10,init=arg5)/"
	     "napi_release_threadsafe_function(arg0,unref)");
	assert_int_equal(row(0)->count, HANDLE_ARG0 + 5);
	take("libsqlite3:sqlite3_bind_blob(arg2,ok0,by=arg4,size=arg3)/*(arg0)+sqlite3_free(arg0)");
	assert_true(row(0)->finalizer == HANDLE_ARG0 + 4 && row(0)->size == HANDLE_ARG3);
	assert_true(row(1)->at_address && row(1)->maybe && !row(2)->at_address && !row(2)->maybe);
	assert_string_equal(rule.func[1].symbol, "*");
	take("libx:_ZN1x3newEv(ret)/_ZN1x4freeEPv.isra.0(arg1)");
	assert_string_equal(rule.func[1].symbol, "_ZN1x4freeEPv.isra.0");
}

static void test_errors_point_at_the_place(void **state)
{
	static const struct {
		const char *text;
		size_t column;
		const char *why;
	} cases[] = {
	    {"", 1, "a library"},
	    {"malloc(ret)/free(arg0)", 1, "a library"},
	    {":malloc(ret)/free(arg0)", 1, "a library"},
	    {"=libc:malloc(ret)/free(arg0)", 1, "a name"},
	    {"a b=libc:malloc(ret)/free(arg0)", 2, "a name has"},
	    {"/usr/lib/:malloc(ret)/free(arg0)", 10, "a folder"},
	    {"libc:", 6, "expected a function"},
	    {"libc:malloc", 12, "'('"},
	    {"libc:malloc(", 13, "where the handle is"},
	    {"libc:malloc(rat)/free(arg0)", 13, "where the handle is"},
	    {"libc:malloc(ret/free(arg0)", 16, "')'"},
	    {"libc:malloc(ret)", 17, "'+' or '/'"},
	    {"libc:malloc(ret)/", 18, "expected a function"},
	    {"libc:malloc(ret)/free(ret)", 23, "argN"},
	    {"libc:malloc(ret)/free(arg12)", 23, "arg11"},
	    {"libc:malloc(ret)/free(arg)", 23, "arg"},
	    {"libc:malloc(ret)/free(*ret)", 24, "arg0 to arg11"},
	    {"libc:malloc(ret)/free(arg0)x", 28, "the end"},
	    {"libc:malloc(ret)/free(arg0)+free(arg0)", 29, "there already"},
	    {"libc:malloc(ret,ok1)/free(arg0)", 17, "unknown option"},
	    {"libc:malloc(ret,ok0,okany)/free(arg0)", 21, "already"},
	    {"libc:malloc(ret)/free(arg0,size=arg0)", 28, "size="},
	    {"libc:malloc(ret,size=arg0*)/free(arg0)", 27, "arg0 to"},
	    {"libc:malloc(ret,counted,size=arg0)/free(arg0)", 25, "size="},
	    {"libc:malloc(ret)/free(arg0,counted)", 23, "counted"},
	    {"libc:malloc(ret)/free(arg0,owns)", 23, "owns is for"},
	    {"libc:malloc(ret,others)/free(arg0)", 13, "others is for"},
	    {"libc:malloc(arg0[arg1])/free(arg0)", 17, "array"},
	    {"libc:malloc(*arg0[arg1)/free(arg0)", 23, "']'"},
	    {"libc:malloc@(ret)/free(arg0)", 13, "a version"},
	    {"libc:malloc+7(ret)/free(arg0)", 12, "'('"},
	    {"libc:malloc+0x(ret)/free(arg0)", 12, "'('"},
	    {"libc:0xyz(ret)/free(arg0)", 6, "an address"},
	    {"libc:a:b(ret)/free(arg0)", 7, "'('"},
	    {"libc:?malloc(arg0)/free(arg0)", 14, "behind the slash"},
	    {"libc:malloc(ret)/^up(arg0)", 27, "no function releases"},
	    {"libc:^up(arg0)/free(arg0)", 1, "no function acquires"},
	    {"libc:bind(arg2,by=arg4)/free(arg0)", 35, "by= needs"},
	    {"libc:bind(arg2)/*(arg0)", 24, "no address"},
	    {"libc:bind(*arg2[arg1],by=arg4)/*(arg0)", 23, "by= is for"},
	    {"libc:bind(arg2,by=arg4)/free(arg0,by=arg1)+*(arg0)", 35, "by= is for"},
	    {"libc:bind(arg2,by=arg4)/?*(arg0)", 28, "it releases"},
	    {"libc:bind(arg2,by=arg4)/*(*arg0)", 27, "the handle itself"},
	    {"libc:bind(arg2,by=arg4)/*(arg0,ok0)", 27, "without options"},
	    {"libc:*(ret,by=arg4)/*(arg0)", 8, "it releases"},
	    {"libc:mal\xffloc(ret)/free(arg0)", 9, "byte ff"},
	};
	struct pair_fault fault;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		fault = (struct pair_fault){0};
		if (pair_parse(cases[i].text, &rule, &fault) != -EINVAL || fault.column != cases[i].column ||
		    !strstr(fault.why, cases[i].why))
			fail_msg("%s: column %zu: %s; wanted column %zu: %s", cases[i].text, fault.column,
				 fault.why, cases[i].column, cases[i].why);
	}
}

static void test_command_lines(void **state)
{
	char *sets[] = {(char *)"jnitrace", (char *)"--pairs=malloc,file,dir,dl,sqlite,openssl,zlib,curl",
			(char *)"--pair",   (char *)"mine=libx:x_new(ret)/x_free(arg0)",
			(char *)"--",       (char *)"--pair",
			(char *)"nonsense"};
	char *twice[] = {(char *)"jnitrace", (char *)"--pair", (char *)"libx:x_new(ret)/x_free(arg0)",
			 (char *)"--pair=libx:x_get(ret)/x_put(arg0)"};
	char *unknown[] = {(char *)"jnitrace", (char *)"--pairs", (char *)"no-such-set"};
	static struct pairs pairs;
	struct catalog *c;
	struct error err = {0};

	(void)state;
	assert_int_equal(catalog_new(&c), 0);
	assert_int_equal(pairs_take(7, sets, c, &pairs, &err), 0);
	assert_int_equal(catalog_find_family(c, "mine"), c->nr_families - 1);
	assert_int_not_equal(catalog_find_family(c, "sqlite-stmt"), FAMILY_NONE);
	assert_int_equal(__builtin_popcount(pairs.families), c->nr_families - NR_JNI_FAMILIES);
	catalog_free(c);

	assert_int_equal(catalog_new(&c), 0);
	assert_true(pairs_take(4, twice, c, &pairs, &err) < 0);
	assert_non_null(strstr(err.why, "'libx' already"));
	err = (struct error){0};
	assert_true(pairs_take(3, unknown, c, &pairs, &err) < 0);
	assert_non_null(strstr(err.advice, "malloc, file"));
	catalog_free(c);
}

/* One too many of each: families, libraries, functions. */
static void test_more_than_there_is_room_for(void **state)
{
	static struct pairs pairs;
	struct catalog *c;
	char text[4096];
	size_t n;

	(void)state;
	for (int what = 0; what < 3; what++) {
		struct error err = {0};
		int rules = 0, rc = 0;

		pairs = (struct pairs){0};
		assert_int_equal(catalog_new(&c), 0);
		for (; !rc && rules <= 100; rules++) {
			n = (size_t)snprintf(text, sizeof(text), "f%d=lib%d:", rules, what == 1 ? rules : 0);
			for (int f = 0; f < (what == 2 ? 30 : 1); f++)
				n += (size_t)snprintf(text + n, sizeof(text) - n, "%snew%d(ret)",
						      f ? "+" : "", f);
			snprintf(text + n, sizeof(text) - n, "/free(arg0)");
			rc = pairs_add(&pairs, c, text, false, "--pair", &err);
		}
		assert_int_equal(err.exit_code, EXIT_USAGE);
		assert_int_equal(rules - 1, what == 0 ? JT_ADDED_FAMILIES : what == 1 ? PAIRS_MAX_LIBS : 4);
		assert_non_null(strstr(err.why, what == 0   ? "no room for the family 'f20': there are 20"
						: what == 1 ? "no room for the libraries of 'f16'"
							    : "no room for the functions of 'f4'"));
		catalog_free(c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_rules_say),
	    cmocka_unit_test(test_errors_point_at_the_place),
	    cmocka_unit_test(test_command_lines),
	    cmocka_unit_test(test_more_than_there_is_room_for),
	};

	return cmocka_run_group_tests_name("pair_text", tests, NULL, NULL);
}
