/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* ELF files that are made to take much: they are refused, or take little all the same. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/budget.h"
#include "base/util.h"
#include "elf/elf_cfi.h"
#include "elf/elf_functions.h"
#include "elf/elf_internal.h"
#include "tiny_elf.h"

#define MB (1ULL << 20)

/* Sanitized, memory that was given back stays for a while: nothing is to be learnt from it. */
static long resident_kb(void)
{
	struct rusage u = {0};

#ifndef __SANITIZE_ADDRESS__
	getrusage(RUSAGE_SELF, &u);
#endif
	return u.ru_maxrss;
}

/* .text, .strtab, .symtab, .eh_frame of a tiny file, whose sections a test then moves behind its end. */
enum { TEXT = 1, STRINGS, SYMBOLS, FRAMES };
static void tiny_library(struct tiny *t)
{
	static const uint8_t text[64];
	Elf64_Sym syms[2] = {{0}};

	tiny_start(t, EM_X86_64);
	tiny_section(t, ".text", SHT_PROGBITS, text, sizeof(text))->sh_flags |= SHF_EXECINSTR;
	tiny_section(t, ".strtab", SHT_STRTAB, "\0function", 10);
	syms[1] = (Elf64_Sym){1, ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), 0, TEXT, t->sh[TEXT].sh_addr, 16};
	tiny_section(t, ".symtab", SHT_SYMTAB, syms, sizeof(syms));
	t->sh[SYMBOLS].sh_link = STRINGS;
	t->sh[SYMBOLS].sh_entsize = sizeof(Elf64_Sym);
	tiny_section(t, ".eh_frame", SHT_PROGBITS, text, sizeof(text));
}

/* The file, with size bytes of section `which` behind it, a hole but for what is at its start. */
static struct elf_image *open_with(struct tiny *t, struct budget *b, int which, uint64_t size,
				   const void *start, size_t n)
{
	struct elf_image *e;
	int fd;

	tiny_finish(t);
	t->sh[which].sh_offset = TINY_BYTES;
	t->sh[which].sh_size = size;
	tiny_finish(t);
	fd = tiny_memfd(t->b, t->n);
	assert_int_equal(ftruncate(fd, TINY_BYTES + size), 0);
	assert_int_equal(pwrite(fd, start, n, TINY_BYTES), n);
	assert_int_equal(elf_open_within(b, fd, &e), 0);
	return e;
}

static int add_and_sort(const struct elf_image *e, struct budget *b, struct elf_functions *f)
{
	int rc;

	*f = (struct elf_functions){0};
	budget_begin_file(b);
	rc = elf_functions_add(f, e, ELF_SYMTAB);
	if (rc > 0)
		rc = elf_functions_sort(f, b) ?: rc;
	budget_end_file(b);
	return rc;
}

/* Of a string table only the names that are used are read and kept. */
static void test_large_strings(void **state)
{
	long before_kb;

	(void)state;
	for (int i = 0; i < 20; i++) {
		struct elf_functions f;
		struct budget *b;
		struct elf_image *e;
		struct tiny t;

		assert_int_equal(budget_new(BUDGET_LEAST_BYTES, -1, &b), 0);
		tiny_library(&t);
		e = open_with(&t, b, STRINGS, 255 * MB, "\0function", 10);
		before_kb = resident_kb();
		assert_int_equal(add_and_sort(e, b, &f), 1);
		assert_string_equal(elf_function_name(&f, elf_functions_find(&f, t.sh[TEXT].sh_addr + 3)),
				    "function");
		assert_true(f.held.bytes < MB);
		assert_true(resident_kb() - before_kb < 4096);
		elf_functions_free(&f);
		elf_close(e);
		budget_free(b);
	}
}

/* A million functions are more than the budget has room for. */
static void test_many_functions(void **state)
{
	size_t n = 1000000;
	Elf64_Sym *syms = calloc(n, sizeof(*syms));
	uint64_t began = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	long before_kb = resident_kb();
	struct elf_functions f;
	struct elf_image *e;
	struct budget *b;
	struct tiny t;

	(void)state;
	tiny_library(&t);
	tiny_finish(&t);
	for (size_t i = 0; i < n; i++)
		syms[i] = (Elf64_Sym){
		    1 + i % 8, ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), 0, TEXT, t.sh[TEXT].sh_addr, 16};
	assert_int_equal(budget_new(BUDGET_LEAST_BYTES, -1, &b), 0);
	e = open_with(&t, b, SYMBOLS, n * sizeof(*syms), syms, n * sizeof(*syms));
	assert_int_equal(add_and_sort(e, b, &f), -EDQUOT);
	assert_true(f.held.bytes <= BUDGET_LEAST_BYTES);
	elf_functions_free(&f);
	assert_true(budget_room(b) > BUDGET_LEAST_BYTES / 2 - MB);
	assert_true(resident_kb() - before_kb < (long)(BUDGET_LEAST_BYTES >> 10) + 24 * 1024);
	assert_true(clock_ns(CLOCK_THREAD_CPUTIME_ID) - began < 3000000000ULL);
	elf_close(e);
	budget_free(b);
	free(syms);
}

/* Two million symbols whose names are all the same text without end: none is measured to its end. */
static void test_endless_name(void **state)
{
	struct elf_wanted w[] = {{.name = "function"}, {.name = "another"}};
	uint64_t began = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	size_t n = 2000000;
	Elf64_Sym *syms = calloc(n, sizeof(*syms));
	char *text = malloc(8 * MB);
	struct elf_image *e;
	struct budget *b;
	struct tiny t;

	(void)state;
	memset(text, 'x', 8 * MB);
	tiny_library(&t);
	tiny_finish(&t);
	for (size_t i = 0; i < n; i++)
		syms[i] = (Elf64_Sym){
		    1 + i % 1000, ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), 0, TEXT, t.sh[TEXT].sh_addr, 16};
	assert_int_equal(budget_new(BUDGET_DEFAULT_BYTES, -1, &b), 0);
	t.sh[STRINGS].sh_offset = TINY_BYTES + n * sizeof(*syms);
	t.sh[STRINGS].sh_size = 8 * MB;
	e = open_with(&t, b, SYMBOLS, n * sizeof(*syms), syms, n * sizeof(*syms));
	assert_int_equal(ftruncate(e->fd, TINY_BYTES + n * sizeof(*syms) + 8 * MB), 0);
	assert_int_equal(pwrite(e->fd, text, 8 * MB, TINY_BYTES + n * sizeof(*syms)), 8 * MB);
	e->file_bytes += 8 * MB;
	assert_true(elf_find_symbols(e, ELF_SYMTAB, w, ARRAY_LEN(w)) <= 0);
	assert_true(clock_ns(CLOCK_THREAD_CPUTIME_ID) - began < 3000000000ULL);
	elf_close(e);
	budget_free(b);
	free(syms);
	free(text);
}

/* Headers are kept as long as a file is known, and there may be thousands: they are paid for. */
static void test_headers(void **state)
{
	struct elf_image *e[64] = {0};
	size_t opened = 0;
	struct budget *b;
	struct tiny t;
	int rc = 0;

	(void)state;
	assert_int_equal(budget_new(BUDGET_LEAST_BYTES, -1, &b), 0);
	tiny_library(&t);
	tiny_finish(&t);
	t.eh.e_shoff = TINY_BYTES;
	t.eh.e_shnum = 0xff00;
	tiny_finish(&t);
	while (!rc && opened < ARRAY_LEN(e)) {
		int fd = tiny_memfd(t.b, t.n);

		assert_int_equal(ftruncate(fd, TINY_BYTES + 0xff00 * sizeof(Elf64_Shdr)), 0);
		rc = elf_open_within(b, fd, &e[opened]);
		opened += !rc;
	}
	assert_int_equal(rc, -EDQUOT);
	assert_int_equal(opened, 4);
	while (opened)
		elf_close(e[--opened]);
	assert_int_equal(budget_room(b), BUDGET_LEAST_BYTES / 2);
	budget_free(b);
}

/* A file that shrinks while it is read has an end, and that is all. */
static void test_shrinks(void **state)
{
	struct elf_cfi_table *cfi = NULL;
	struct elf_functions f;
	struct elf_image *e;
	struct elf_blob blob;
	struct tiny t;

	(void)state;
	tiny_library(&t);
	e = open_with(&t, NULL, FRAMES, 4 * MB, "", 1);
	assert_int_equal(ftruncate(e->fd, 128), 0);
	assert_int_equal(elf_section_load(e, &e->sh[FRAMES], 64 * MB, &blob), -EIO);
	assert_int_equal(add_and_sort(e, NULL, &f), 0);
	elf_functions_free(&f);
	assert_int_equal(elf_cfi_open(e, &cfi), 0);
	elf_cfi_close(cfi);
	elf_close(e);
}

/* A signal ends the reading of any of it. */
static void test_signal(void **state)
{
	struct elf_wanted w = {.name = "function"};
	struct elf_cfi_table *cfi;
	struct elf_functions f;
	struct elf_image *e;
	struct elf_image *debug;
	struct budget *b;
	struct tiny t;
	int stop[2];

	(void)state;
	assert_int_equal(pipe(stop), 0);
	assert_int_equal(budget_new(BUDGET_DEFAULT_BYTES, stop[0], &b), 0);
	tiny_library(&t);
	e = open_with(&t, b, FRAMES, 4 * MB, "", 1);
	assert_int_equal(write(stop[1], "", 1), 1);
	assert_int_equal(add_and_sort(e, b, &f), -EINTR);
	elf_functions_free(&f);
	assert_int_equal(elf_find_symbols(e, ELF_SYMTAB, &w, 1), -EINTR);
	assert_int_equal(elf_cfi_open(e, &cfi), -EINTR);
	assert_int_equal(elf_open_debug(e, getpid(), "/nonexistent/lib.so", &debug), -ENOENT);
	budget_heard(b);
	assert_int_equal(elf_find_symbols(e, ELF_SYMTAB, &w, 1), 1);
	elf_close(e);
	budget_free(b);
	close(stop[0]);
	close(stop[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_large_strings), cmocka_unit_test(test_many_functions),
	    cmocka_unit_test(test_endless_name),  cmocka_unit_test(test_headers),
	    cmocka_unit_test(test_shrinks),       cmocka_unit_test(test_signal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
