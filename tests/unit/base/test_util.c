/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Errors, arrays, buffers, hashes and the cleaning of foreign text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/util.h"

/* What fn(arg) writes to stderr; to be freed. */
static char *stderr_of(void (*fn)(const void *), const void *arg)
{
	int saved = dup(2), fd = memfd_create("stderr", MFD_CLOEXEC);
	char *text = calloc(1, 4096);

	assert_true(saved >= 0 && fd >= 0 && text);
	assert_int_equal(dup2(fd, 2), 2);
	fn(arg);
	dup2(saved, 2);
	close(saved);
	assert_true(pread(fd, text, 4095, 0) >= 0);
	close(fd);
	return text;
}

static void say_error(const void *e)
{
	assert_int_equal(error_print(e), ((const struct error *)e)->exit_code);
}

static void say_warning(const void *text)
{
	warn("%s and %d", (const char *)text, 7);
}

static void test_error_first_wins(void **state)
{
	struct error e = {0};
	char *line;

	(void)state;
	assert_int_equal(error_set(&e, -EPERM, EXIT_PERMISSION, "cannot load", "run as root", "errno %d", 1),
			 -EPERM);
	assert_int_equal(error_set(&e, -ENOENT, EXIT_FAILED, "second", NULL, "loses"), -ENOENT);
	assert_int_equal(error_set(NULL, -EIO, EXIT_FAILED, "nobody", NULL, "asks"), -EIO);
	line = stderr_of(say_error, &e);
	assert_string_equal(line, "jnitrace: cannot load: errno 1 (run as root)\n");
	free(line);
}

static void test_error_is_one_clean_line(void **state)
{
	struct error e = {0};
	char *line, long_text[600];

	(void)state;
	error_set(&e, -1, EXIT_FAILED, "a\nb", NULL, "%s", "\033[31mred\x7f");
	line = stderr_of(say_error, &e);
	assert_string_equal(line, "jnitrace: a?b: ?[31mred? (-v tells more)\n");
	free(line);

	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	e = (struct error){0};
	error_set(&e, -1, EXIT_FAILED, long_text, long_text, "%s", long_text);
	line = stderr_of(say_error, &e);
	assert_int_equal(strlen(line), strlen("jnitrace: ") + 191 + 2 + 123 + 2 + 191 + 1 + 1);
	free(line);

	e = (struct error){0};
	error_set(&e, -EMFILE, EXIT_FAILED, "what", "do that", "why");
	line = stderr_of(say_error, &e);
	assert_string_equal(line, "jnitrace: what: why (raise ulimit -n)\n");
	free(line);

	line = stderr_of(say_warning, "first\r\nsecond");
	assert_string_equal(line, "jnitrace: first??second and 7\n");
	free(line);
}

/* An error always says what to do. */
static void test_error_advice(void **state)
{
	static const struct {
		enum exit_code code;
		const char *line;
	} t[] = {
	    {EXIT_FAILED, "jnitrace: what: why (-v tells more)\n"},
	    {EXIT_USAGE, "jnitrace: what: why (see jnitrace --help)\n"},
	    {EXIT_PERMISSION, "jnitrace: what: why (run as root)\n"},
	    {EXIT_NO_TARGET, "jnitrace: what: why (see jps or pgrep java for what runs)\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		struct error e = {0};
		char *line;

		error_set(&e, -1, t[i].code, "what", NULL, "%s", "why");
		line = stderr_of(say_error, &e);
		assert_string_equal(line, t[i].line);
		free(line);
	}
}

static void test_vec(void **state)
{
	struct {
		uint32_t *v;
		size_t n, cap;
	} vec = {0};

	(void)state;
	for (uint32_t i = 0; i < 1000; i++) {
		uint32_t *p = VEC_ADD(&vec);

		assert_non_null(p);
		assert_int_equal(*p, 0);
		*p = i + 1;
	}
	assert_int_equal(vec.n, 1000);
	assert_true(vec.cap >= 1000 && vec.cap < 4000);
	for (uint32_t i = 0; i < 1000; i++)
		assert_int_equal(vec.v[i], i + 1);
	free(vec.v);
}

static void test_vec_overflow(void **state)
{
	struct {
		uint64_t *v;
		size_t n, cap;
	} vec = {NULL, SIZE_MAX / 2 + 1, SIZE_MAX / 2 + 1};

	(void)state;
	assert_null(VEC_ADD(&vec)); /* twice the capacity */
	vec.n = vec.cap = SIZE_MAX / 8;
	assert_null(VEC_ADD(&vec)); /* its bytes */
	assert_int_equal(vec.n, SIZE_MAX / 8);
	assert_int_equal(vec.cap, SIZE_MAX / 8);
	assert_null(vec.v);
}

static void test_buf(void **state)
{
	struct buf b = {0};
	char big[5000];

	(void)state;
	buf_printf(&b, "%s", "");
	assert_string_equal(b.p, "");
	buf_add(&b, "ab", 2);
	buf_printf(&b, "%d-%s", 12, "x");
	assert_string_equal(b.p, "ab12-x");
	assert_int_equal(b.n, 6);
	memset(big, 'z', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	for (int i = 0; i < 10; i++)
		buf_printf(&b, "%s", big);
	assert_int_equal(b.n, 6 + 10 * 4999);
	assert_int_equal(strlen(b.p), b.n);
	assert_int_equal(b.p[5], 'x');
	assert_int_equal(b.p[6], 'z');
	assert_false(b.failed);

	buf_add(&b, "", SIZE_MAX - 3); /* refused before a byte is copied */
	assert_true(b.failed);
	buf_add(&b, "no", 2);
	buf_printf(&b, "%s", "more");
	assert_int_equal(b.n, 6 + 10 * 4999);
	assert_int_equal(strlen(b.p), b.n);
	buf_free(&b);
	assert_null(b.p);
	assert_false(b.failed);
}

/* A text that just fits and one that just does not. */
static void test_buf_boundary(void **state)
{
	(void)state;
	for (size_t len = 250; len < 262; len++) {
		struct buf b = {0};

		buf_printf(&b, "%s", "");
		buf_printf(&b, "%0*d", (int)len, 1);
		assert_int_equal(b.n, len);
		assert_int_equal(strlen(b.p), len);
		assert_int_equal(b.p[len - 1], '1');
		buf_free(&b);
	}
}

static void test_hashes(void **state)
{
	(void)state;
	/* the vectors of the FNV authors, and splitmix64's first output for seed 0 */
	assert_int_equal(fnv64(FNV64_INIT, "", 0), FNV64_INIT);
	assert_int_equal(fnv64(FNV64_INIT, "a", 1), 0xaf63dc4c8601ec8cULL);
	assert_int_equal(fnv64(FNV64_INIT, "foobar", 6), 0x85944171f73967e8ULL);
	assert_int_equal(fnv64(fnv64(FNV64_INIT, "foo", 3), "bar", 3), 0x85944171f73967e8ULL);
	assert_int_equal(mix64(0x9e3779b97f4a7c15ULL), 0xe220a8397b1dcdafULL);
}

static void test_clock(void **state)
{
	uint64_t a = clock_ns(CLOCK_MONOTONIC), b;
	struct timespec ts = {0, 2000000};

	(void)state;
	nanosleep(&ts, NULL);
	b = clock_ns(CLOCK_MONOTONIC);
	assert_true(b - a >= 2000000 && b - a < 5000000000ULL);
}

static void test_text_clean(void **state)
{
	static const struct {
		const char *in, *out;
	} t[] = {
	    {"plain text ~", "plain text ~"},
	    {"tab\tnl\nesc\033del\x7f", "tab?nl?esc?del?"},
	    {"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},                       /* U+00FC U+00DF */
	    {"\xe2\x82\xac \xf0\x9f\x98\x80", "\xe2\x82\xac \xf0\x9f\x98\x80"}, /* 3 and 4 bytes */
	    {"\xc2\x80\xc2\x9b\xc2\xa0", "??\xc2\xa0"},                         /* C1: U+009B is CSI */
	    {"\x9b[31m", "?[31m"},                                              /* 8-bit CSI */
	    {"\xc0\xaf\xc1\xbf", "????"},                                       /* overlong */
	    {"\xe0\x80\xaf", "???"},
	    {"\xf0\x80\x80\xaf", "????"},
	    {"\xed\xa0\x80", "???"},      /* a surrogate */
	    {"\xf4\x90\x80\x80", "????"}, /* beyond U+10FFFF */
	    {"\xf8\x88\x80\x80\x80", "?????"},
	    {"\xff\xfe", "??"},
	    {"cut\xe2\x82", "cut??"},
	    {"\xe2(\xa1", "?(?"},
	    {"a\u202eb\u2066c\u200dd\u2028e\ufefff\U000e0041", "a?b?c?d?e?f?"}, /* shows nothing */
	    {"e\u0301 \u6f22", "e\u0301 \u6f22"},
	    {"", ""},
	};
	char out[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		assert_ptr_equal(text_clean(out, sizeof(out), t[i].in, strlen(t[i].in)), out);
		assert_string_equal(out, t[i].out);
	}
	assert_string_equal(text_clean(out, sizeof(out), "a\0b", 3), "a?b");
}

static void test_text_clean_capacity(void **state)
{
	char out[8];

	(void)state;
	memset(out, 'X', sizeof(out));
	assert_string_equal(text_clean(out, 4, "abcdef", 6), "abc");
	assert_int_equal(out[4], 'X');
	/* never half a character: 2 + 3 bytes do not fit into 4 */
	assert_string_equal(text_clean(out, 5, "ab\xe2\x82\xac", 5), "ab");
	assert_string_equal(text_clean(out, 6, "ab\xe2\x82\xac", 5), "ab\xe2\x82\xac");
	assert_string_equal(text_clean(out, 1, "abc", 3), "");
	out[0] = 'Y';
	text_clean(out, 0, "abc", 3);
	assert_int_equal(out[0], 'Y');
}

static void test_hex(void **state)
{
	char out[9];

	(void)state;
	hex_encode(out, (const uint8_t *)"\x00\x9a\xff\x10", 4);
	assert_string_equal(out, "009aff10");
	hex_encode(out, NULL, 0);
	assert_string_equal(out, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_error_first_wins),
	    cmocka_unit_test(test_error_is_one_clean_line),
	    cmocka_unit_test(test_error_advice),
	    cmocka_unit_test(test_vec),
	    cmocka_unit_test(test_vec_overflow),
	    cmocka_unit_test(test_buf),
	    cmocka_unit_test(test_buf_boundary),
	    cmocka_unit_test(test_hashes),
	    cmocka_unit_test(test_clock),
	    cmocka_unit_test(test_text_clean),
	    cmocka_unit_test(test_text_clean_capacity),
	    cmocka_unit_test(test_hex),
	};

	return cmocka_run_group_tests_name("util", tests, NULL, NULL);
}
