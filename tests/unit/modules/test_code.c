/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The book of modules and the layouts of processes, on files mapped into this process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"
#include "bpf/border/unwind.h"
#include "modules/code.h"

#define PAGE 4096

/* Two targets, which both are this process, and one book. */
struct fixture {
	char dir[64], a[96], b[96];
	struct elf_cache *images;
	struct modules *book;
	struct code *code[2];
};

static void copy(const char *from, const char *to)
{
	char cmd[512];

	snprintf(cmd, sizeof(cmd), "cp %s %s", from, to);
	assert_int_equal(system(cmd), 0);
}

static int setup(void **state)
{
	struct fixture *fx = calloc(1, sizeof(*fx));
	struct proc_id id;
	char self[256];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	assert_true(n > 0);
	self[n] = '\0';
	snprintf(fx->dir, sizeof(fx->dir), "/tmp/jnitrace-code-XXXXXX");
	assert_non_null(mkdtemp(fx->dir));
	snprintf(fx->a, sizeof(fx->a), "%s/a.so", fx->dir);
	snprintf(fx->b, sizeof(fx->b), "%s/b.so", fx->dir);
	copy(self, fx->a);
	copy(self, fx->b);
	assert_int_equal(proc_id_read(getpid(), &id), 0);
	assert_int_equal(elf_cache_new(NULL, &fx->images), 0);
	assert_int_equal(modules_new(fx->images, &fx->book), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(code_new(fx->book, &id, NULL, &fx->code[i]), 0);
	*state = fx;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fx = *state;

	for (int i = 0; i < 2; i++)
		code_free(fx->code[i]);
	modules_free(fx->book);
	elf_cache_free(fx->images);
	unlink(fx->a);
	unlink(fx->b);
	rmdir(fx->dir);
	free(fx);
	return 0;
}

/* Map two pages of a file as code, at a place if told. */
static void *map_code(const char *path, void *at)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *p;

	assert_true(fd >= 0);
	p = mmap(at, 2 * PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | (at ? MAP_FIXED : 0), fd, 0);
	assert_true(p != MAP_FAILED);
	close(fd);
	return p;
}

static struct layout *read_layout(struct code *c, bool closed)
{
	struct proc_maps maps;
	struct layout *l;

	assert_int_equal(proc_maps_read(getpid(), &maps), 0);
	assert_int_equal(code_read(c, &maps, closed, &l), 0);
	proc_maps_free(&maps);
	return l;
}

static void take(struct code *c, bool closed)
{
	assert_int_equal(code_take(c, read_layout(c, closed)), 0);
}

static struct module *module_at(const struct code *c, const void *addr)
{
	const struct placement *p = code_at(c, (uint64_t)addr);

	return p ? p->module : NULL;
}

static size_t open_files(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* One module for both targets, and its file is open only while it is used. */
static void test_shared(void **state)
{
	struct fixture *fx = *state;
	void *p = map_code(fx->a, NULL);
	uint8_t byte[4] = {0};
	size_t before;

	take(fx->code[0], false);
	before = open_files(); /* with that to who reads, which is kept */
	take(fx->code[1], false);
	assert_non_null(module_at(fx->code[0], p));
	assert_ptr_equal(module_at(fx->code[0], p), module_at(fx->code[1], p));
	assert_int_equal(open_files(), before);
	for (int i = 0; i < 2; i++)
		assert_int_equal(code_use(fx->code[i], code_at(fx->code[i], (uint64_t)p)), 0);
	assert_int_equal(open_files(), before + 1);
	assert_int_equal(elf_read(module_at(fx->code[0], p)->image, 0, byte, sizeof(byte)), sizeof(byte));
	assert_memory_equal(byte, "\177ELF", 4);
	for (int i = 0; i < 2; i++)
		module_rest(module_at(fx->code[i], p));
	assert_int_equal(open_files(), before);
	/* headers are there all the same */
	assert_true(elf_build_id(module_at(fx->code[0], p)->image)[0]);
	munmap(p, 2 * PAGE);
}

/* The same layout, unread, as long as nothing changes. */
static void test_unchanged(void **state)
{
	struct fixture *fx = *state;
	void *p = map_code(fx->a, NULL);
	struct layout *first, *again;
	struct module *m;

	take(fx->code[0], false);
	m = module_at(fx->code[0], p);
	first = read_layout(fx->code[0], false);
	again = read_layout(fx->code[0], false);
	assert_ptr_equal(first, again);
	layout_put(again);
	again = read_layout(fx->code[0], true); /* read anew, and equal */
	assert_ptr_not_equal(first, again);
	assert_int_equal(first->n, again->n);
	for (size_t i = 0; i < first->n; i++)
		assert_ptr_equal(first->v[i].module, again->v[i].module);
	assert_int_equal(code_take(fx->code[0], again), 0);
	assert_ptr_equal(module_at(fx->code[0], p), m);
	layout_put(first);
	munmap(p, 2 * PAGE);
}

/* A file that was overwritten, removed and made anew, or touched is another module, however it is called. */
static void test_another_file_of_that_name(void **state)
{
	struct fixture *fx = *state;
	void *p = map_code(fx->a, NULL);
	uint32_t id[3];

	for (int i = 0; i < 3; i++) {
		take(fx->code[0], true);
		id[i] = module_at(fx->code[0], p)->id;
		take(fx->code[1], true);
		assert_int_equal(module_at(fx->code[1], p)->id, id[i]);
		munmap(p, 2 * PAGE);
		usleep(20000); /* times of change are as fine as the kernel's tick */
		if (i == 0) {
			char cmd[256];

			snprintf(cmd, sizeof(cmd), "cat %s > %s", fx->b, fx->a);
			assert_int_equal(system(cmd), 0);
		} else {
			assert_int_equal(unlink(fx->a), 0);
			copy(fx->b, fx->a);
		}
		assert_ptr_equal(map_code(fx->a, p), p);
	}
	assert_true(id[0] != id[1] && id[1] != id[2] && id[0] != id[2]);
	munmap(p, 2 * PAGE);
}

/* What is gone is known until something else lies there, and that is seen. */
static void test_history(void **state)
{
	struct fixture *fx = *state;
	struct code *c = fx->code[0];
	void *p = map_code(fx->a, NULL);
	uint64_t addr = (uint64_t)p;
	struct layout *next;
	struct module *a, *b;
	uint32_t code;

	take(c, false);
	a = module_at(c, p);
	code = placement_code(code_at(c, addr));
	munmap(p, 2 * PAGE);
	next = read_layout(c, true);
	assert_int_equal(code_take(c, next), 0);
	assert_null(code_at(c, addr));
	assert_non_null(code_once_at(c, addr));
	assert_ptr_equal(code_once_at(c, addr)->module, a);
	map_code(fx->a, p); /* the same file at the same place is the same code */
	next = read_layout(c, true);
	assert_int_equal(code_take(c, next), 0);
	assert_int_equal(placement_code(code_at(c, addr)), code);
	munmap(p, 2 * PAGE);
	map_code(fx->b, p);
	next = read_layout(c, true);
	assert_int_equal(code_take(c, next), 0);
	assert_int_not_equal(placement_code(code_at(c, addr)), code); /* another one in its place is not */
	b = module_at(c, p);
	assert_ptr_not_equal(a, b);
	assert_ptr_equal(code_once_at(c, addr)->module, b);
	munmap(p, 2 * PAGE);
	next = read_layout(c, true);
	assert_int_equal(code_take(c, next), 0);
	assert_ptr_equal(code_once_at(c, addr)->module, b);
}

/* Mappings that come and go for ever: some thousands stay known. */
static void test_long_history(void **state)
{
	struct fixture *fx = *state;
	struct code *c = fx->code[0];
	struct mapping map = {.executable = true, .dev = 1, .ino = 1, .path = fx->a};
	struct proc_maps maps = {.v = &map, .n = 1, .pid = getpid()};
	struct layout *next;
	size_t known = 0;

	for (uint64_t i = 0; i < 10000; i++) {
		map.start = (i + 1) * PAGE;
		map.end = map.start + PAGE;
		assert_int_equal(code_read(c, &maps, false, &next), 0);
		assert_int_equal(code_take(c, next), 0);
	}
	for (uint64_t i = 0; i < 10000; i++)
		known += code_once_at(c, (i + 1) * PAGE) != NULL;
	assert_in_range(known, 2048, 4097);
	assert_non_null(code_once_at(c, 9999 * PAGE));
}

/* The same ones for ever take no more of the room than the first time. */
static void test_same_history(void **state)
{
	struct fixture *fx = *state;
	struct code *c = fx->code[0];
	struct mapping map = {.executable = true, .path = fx->a};
	struct proc_maps maps = {.v = &map, .n = 1, .pid = getpid()};
	struct layout *next;
	struct stat st;

	assert_int_equal(stat(fx->a, &st), 0);
	map.dev = st.st_dev;
	map.ino = st.st_ino;
	for (uint64_t i = 0; i < 10000; i++) {
		map.start = i ? (2 + i % 100) * PAGE : PAGE;
		map.end = map.start + PAGE;
		assert_int_equal(code_read(c, &maps, false, &next), 0);
		assert_int_equal(code_take(c, next), 0);
	}
	assert_non_null(code_once_at(c, PAGE));
}

/* What the dynamic linker tells of a library in a file: as it lies in memory at bias. */
static struct code_opened told(const char *path, uint32_t number, uint64_t bias)
{
	struct code_opened o = {
	    .code = {.start = bias + PAGE, .end = bias + 2 * PAGE, .bias = bias, .id = number}};
	int fd = open(path, O_RDONLY);

	snprintf(o.path, sizeof(o.path), "%s", path);
	if (fd >= 0) {
		assert_int_equal(read(fd, o.head, sizeof(o.head)), sizeof(o.head));
		close(fd);
	}
	return o;
}

static bool has_file(const struct code *c, const struct placement *p)
{
	int rc = code_use(c, p);

	if (!rc)
		module_rest(p->module);
	return !rc;
}

/* A library that was opened is known by its number, whether its file is still the same, another, or gone. */
static void test_opened(void **state)
{
	struct fixture *fx = *state;
	struct code *c = fx->code[0];
	struct code_opened a = told(fx->a, 1, 0x7f0000000000), other = told(fx->b, 2, 0x7f0000000000);
	struct code_opened gone = told(fx->a, 3, 0x7f0000100000), nameless = told(fx->a, 4, 0x7f0000200000);
	const struct placement *p;

	assert_int_equal(code_opened_last(c), 0);
	assert_null(code_opened_at(c, 1, 0));
	for (size_t i = sizeof(Elf64_Ehdr); i < sizeof(other.head); i++)
		other.head[i] ^= i >= 0x100; /* another build */
	snprintf(gone.path, sizeof(gone.path), "%s/gone.so", fx->dir);
	snprintf(nameless.path, sizeof(nameless.path), "a.so");
	assert_int_equal(code_opened(c, &a), 0);
	assert_int_equal(code_opened(c, &other), 0);
	assert_int_equal(code_opened(c, &gone), 0);
	assert_int_equal(code_opened(c, &nameless), 0);
	assert_int_equal(code_opened_last(c), 4);
	p = code_opened_at(c, 1, 0);
	assert_non_null(p);
	assert_string_equal(p->module->path, fx->a);
	assert_int_equal(p->base, 0x7f0000000000);
	assert_int_equal(strlen(p->build_id), 40);
	assert_true(has_file(c, p));
	assert_string_equal(elf_build_id(p->module->image), p->build_id);
	p = code_opened_at(c, 2, 0);
	assert_string_equal(p->module->path, fx->b);
	assert_false(has_file(c, p));
	p = code_opened_at(c, 3, 0);
	assert_int_equal(strlen(p->build_id), 40);
	assert_false(has_file(c, p));
	assert_false(has_file(c, code_opened_at(c, 4, 0)));
}

/* Whatever is said to be in memory. */
static void test_opened_lies(void **state)
{
	struct fixture *fx = *state;
	struct code *c = fx->code[1];
	unsigned int seed = 7;

	for (uint32_t i = 1; i <= 3000; i++) {
		struct code_opened o = told(fx->a, i, 0x7f0000000000 + (uint64_t)i * PAGE);

		for (int k = 0; k < 40; k++)
			o.head[(size_t)rand_r(&seed) % (i % 2 ? 512 : sizeof(o.head))] =
			    (uint8_t)rand_r(&seed);
		assert_int_equal(code_opened(c, &o), 0);
		assert_non_null(code_opened_at(c, i, 0));
	}
	assert_null(code_opened_at(c, 1, 0)); /* so many are not kept */
	assert_int_equal(code_opened_last(c), 3000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_shared, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_unchanged, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_another_file_of_that_name, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_history, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_long_history, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_same_history, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_opened, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_opened_lies, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
