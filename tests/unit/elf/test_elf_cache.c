/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Images shared by file: one while it stays the same, another when it is replaced or changed. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/util.h"
#include "elf/elf_cache.h"

static void copy_self(const char *to)
{
	static char bytes[1 << 20];
	int in = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
	ssize_t n;

	assert_true(in >= 0 && out >= 0);
	while ((n = read(in, bytes, sizeof(bytes))) > 0)
		assert_int_equal(write(out, bytes, (size_t)n), n);
	assert_int_equal(n, 0);
	close(in);
	close(out);
}

static struct elf_image *open_it(struct elf_cache *c, const char *path)
{
	struct elf_image *e = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(elf_cache_open(c, fd, &e), 0);
	return e;
}

static void test_shared(void **state)
{
	char dir[] = "/tmp/jnitrace-elf-cache-XXXXXX", path[64];
	const struct timespec old[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
	struct elf_image *a, *b, *changed, *replaced, *alone;
	struct elf_cache *c;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/file", dir);
	copy_self(path);
	assert_int_equal(elf_cache_new(NULL, &c), 0);
	a = open_it(c, path);
	b = open_it(c, path);
	assert_ptr_equal(a, b);
	elf_close(b);
	assert_true(strlen(elf_build_id(a)) > 0); /* still there */
	assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
	changed = open_it(c, path);
	assert_ptr_not_equal(changed, a);
	assert_int_equal(unlink(path), 0);
	copy_self(path);
	replaced = open_it(c, path);
	assert_ptr_not_equal(replaced, a);
	assert_ptr_not_equal(replaced, changed);
	alone = open_it(NULL, path);
	assert_ptr_not_equal(alone, replaced);
	elf_close(a);
	elf_close(changed);
	elf_close(replaced);
	elf_close(alone);
	elf_cache_free(c);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
}

/* What was looked up once is remembered, also that there is no such symbol. */
static void test_symbols(void **state)
{
	struct elf_wanted first[] = {{.name = "main"}, {.name = "no_such_function"}};
	struct elf_wanted again[] = {{.name = "no_such_function"}, {.name = "main"}, {.name = "elf_open"}};
	struct elf_cache *c;
	struct elf_image *e;

	(void)state;
	assert_int_equal(elf_cache_new(NULL, &c), 0);
	e = open_it(c, "/proc/self/exe");
	for (int i = 0; i < 2; i++) {
		first[0].vaddr = 0;
		assert_int_equal(elf_find_symbols(e, ELF_SYMTAB, first, 2), 1);
		assert_true(first[0].vaddr && first[0].size_bytes && !first[1].vaddr);
		memset(&again[1].vaddr, 0, sizeof(again[1].vaddr));
		assert_int_equal(elf_find_symbols(e, ELF_SYMTAB, again, 3), 2);
		assert_int_equal(again[1].vaddr, first[0].vaddr);
		assert_int_equal(again[1].size_bytes, first[0].size_bytes);
		assert_true(again[2].vaddr && again[2].vaddr != again[1].vaddr);
	}
	/* tables are told apart */
	first[0].vaddr = 0;
	elf_find_symbols(e, ELF_DYNSYM, first, 1);
	assert_int_equal(first[0].vaddr, 0);
	elf_close(e);
	elf_cache_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_shared),
	    cmocka_unit_test(test_symbols),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
