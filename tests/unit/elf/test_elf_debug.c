/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Separate debug files and .gnu_debugdata: found where gdb finds them, and only if they belong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <lzma.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/util.h"
#include "elf/elf.h"
#include "tiny_elf.h"

/* The tree: BASE/host is ours, BASE/root is the target's root. */
static char base_dir[] = "/tmp/jnitrace-debug-XXXXXX";
static pid_t target; /* a process in BASE/root */

static int run_in_root(void)
{
	int ready[2];
	char c;

	if (pipe2(ready, O_CLOEXEC))
		return -1;
	target = fork();
	if (!target) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if ((geteuid() && unshare(CLONE_NEWUSER)) || chdir(base_dir) || chroot("root"))
			_exit(1);
		if (write(ready[1], "r", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	if (target < 0 || read(ready[0], &c, 1) != 1)
		return -1;
	close(ready[0]);
	return 0;
}

static int setup(void **state)
{
	char cmd[256];

	(void)state;
	if (!mkdtemp(base_dir))
		return -1;
	snprintf(cmd, sizeof(cmd), "mkdir -p %s/root %s/host", base_dir, base_dir);
	return system(cmd) ? -1 : run_in_root();
}

static int teardown(void **state)
{
	char cmd[128];

	(void)state;
	kill(target, SIGKILL);
	waitpid(target, NULL, 0);
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", base_dir);
	return system(cmd);
}

/* Empty both trees between tests. */
static void clean(void)
{
	char cmd[256];

	snprintf(cmd, sizeof(cmd), "rm -rf %s/root/* %s/host/*", base_dir, base_dir);
	assert_int_equal(system(cmd), 0);
}

/* Write a file, its directories made; path is inside BASE. */
static void write_file(const char *path, const void *p, size_t n)
{
	char full[PATH_MAX], cmd[PATH_MAX + 32];
	int fd;

	snprintf(full, sizeof(full), "%s/%s", base_dir, path);
	snprintf(cmd, sizeof(cmd), "mkdir -p \"$(dirname '%s')\"", full);
	assert_int_equal(system(cmd), 0);
	fd = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_int_equal(write(fd, p, n), n);
	close(fd);
}

struct file {
	uint16_t machine;
	const char *build_id; /* NULL: none */
	bool no_symtab;
	const char *link; /* .gnu_debuglink */
	uint32_t crc;
	const struct bytes *xz; /* .gnu_debugdata */
	const char *symbol;     /* so that files differ */
};

static void make(struct tiny *t, const struct file *f)
{
	static const uint8_t text[16];
	struct bytes b = {.n = 0};
	Elf64_Shdr *sh;

	tiny_start(t, f->machine ? f->machine : EM_X86_64);
	tiny_section(t, ".text", SHT_PROGBITS, text, sizeof(text));
	if (f->build_id) {
		put_note(&b, "GNU", NT_GNU_BUILD_ID, f->build_id, strlen(f->build_id));
		tiny_section(t, ".note.gnu.build-id", SHT_NOTE, b.p, b.n);
	}
	if (!f->no_symtab) {
		b.n = 0;
		put(&b, &(Elf64_Sym){0}, sizeof(Elf64_Sym));
		put(&b,
		    &(Elf64_Sym){.st_name = 1,
				 .st_info = ELF64_ST_INFO(STB_LOCAL, STT_FUNC),
				 .st_shndx = 1,
				 .st_value = 0x1234},
		    sizeof(Elf64_Sym));
		sh = tiny_section(t, ".symtab", SHT_SYMTAB, b.p, b.n);
		sh->sh_entsize = sizeof(Elf64_Sym);
		sh->sh_link = t->nr_sh;
		b.n = 0;
		put8(&b, 0);
		put(&b, f->symbol ? f->symbol : "sym", strlen(f->symbol ? f->symbol : "sym") + 1);
		tiny_section(t, ".strtab", SHT_STRTAB, b.p, b.n);
	}
	if (f->link) {
		b.n = 0;
		put(&b, f->link, strlen(f->link) + 1);
		pad4(&b);
		put32(&b, f->crc);
		tiny_section(t, ".gnu_debuglink", SHT_PROGBITS, b.p, b.n);
	}
	if (f->xz)
		tiny_section(t, ".gnu_debugdata", SHT_PROGBITS, f->xz->p, f->xz->n);
	tiny_finish(t);
}

static uint32_t crc_of(const struct tiny *t)
{
	return lzma_crc32(t->b, t->n, 0);
}

/* Does the library find a debug file that has this symbol? path: as the target sees the library. */
static int finds_in(pid_t pid, const struct file *lib, const char *path, const char *symbol)
{
	struct elf_wanted w = {.name = symbol};
	struct elf_image *e, *debug = (void *)1;
	struct tiny t;
	int rc;

	make(&t, lib);
	assert_int_equal(elf_open(tiny_memfd(t.b, t.n), &e), 0);
	rc = elf_open_debug(e, pid, path, &debug);
	if (rc) {
		assert_null(debug);
	} else {
		assert_int_equal(elf_find_symbols(debug, ELF_SYMTAB, &w, 1), 1);
		assert_int_equal(w.vaddr, 0x1234);
		elf_close(debug);
	}
	elf_close(e);
	return rc;
}

static int finds(const struct file *lib, const char *symbol)
{
	return finds_in(target, lib, "/opt/jdk/lib.so", symbol);
}

#define BY_ID "root/usr/lib/debug/.build-id/61/62636465.debug" /* "abcde" */

static void test_by_build_id(void **state)
{
	const struct file lib = {.build_id = "abcde", .no_symtab = true};
	struct tiny t;

	(void)state;
	clean();
	assert_int_equal(finds(&lib, ""), -ENOENT);
	make(&t, &(struct file){.build_id = "abcde", .symbol = "by_id"});
	write_file(BY_ID, t.b, t.n);
	assert_int_equal(finds(&lib, "by_id"), 0);
	assert_int_equal(finds_in(target, &lib, NULL, "by_id"), 0); /* the path is not needed */
	assert_int_equal(finds_in(target, &lib, "relative/lib.so", "by_id"), 0);
	assert_int_equal(finds(&(struct file){.build_id = "abcdX"}, ""), -ENOENT);
	assert_int_equal(finds(&(struct file){.build_id = "a"}, ""), -ENOENT); /* too short for a path */
	assert_int_equal(finds(&(struct file){.build_id = NULL}, ""), -ENOENT);

	/* what lies at that path is not it */
	make(&t, &(struct file){.build_id = "other"});
	write_file(BY_ID, t.b, t.n);
	assert_int_equal(finds(&lib, ""), -ENOENT);
	make(&t, &(struct file){0});
	write_file(BY_ID, t.b, t.n);
	assert_int_equal(finds(&lib, ""), -ENOENT);
	make(&t, &(struct file){.build_id = "abcde", .machine = EM_AARCH64});
	write_file(BY_ID, t.b, t.n);
	assert_int_equal(finds(&lib, ""), -ENOENT);
	make(&t, &(struct file){.build_id = "abcde", .no_symtab = true});
	write_file(BY_ID, t.b, t.n);
	assert_int_equal(finds(&lib, ""), -ENOENT);
	write_file(BY_ID, "text", 4);
	assert_int_equal(finds(&lib, ""), -ENOENT);
}

static void test_by_debuglink(void **state)
{
	static const char *const places[] = {
	    "root/opt/jdk/lib.debug",
	    "root/opt/jdk/.debug/lib.debug",
	    "root/usr/lib/debug/opt/jdk/lib.debug",
	};
	struct file lib = {.no_symtab = true, .link = "lib.debug"};
	struct tiny t;

	(void)state;
	make(&t, &(struct file){.symbol = "linked"});
	lib.crc = crc_of(&t);
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		clean();
		assert_int_equal(finds(&lib, ""), -ENOENT);
		write_file(places[i], t.b, t.n);
		assert_int_equal(finds(&lib, "linked"), 0);
		lib.crc++; /* another version */
		assert_int_equal(finds(&lib, ""), -ENOENT);
		lib.crc--;
	}
	/* a wrong one does not hide a right one */
	write_file(places[0], "junk", 4);
	assert_int_equal(finds(&lib, "linked"), 0);
	/* build-ids decide where both have one, whatever the CRC */
	clean();
	make(&t, &(struct file){.build_id = "abcde", .symbol = "both"});
	write_file(places[1], t.b, t.n);
	lib.build_id = "abcde";
	lib.crc = 0;
	assert_int_equal(finds(&lib, "both"), 0);
	lib.build_id = "other";
	lib.crc = crc_of(&t);
	assert_int_equal(finds(&lib, ""), -ENOENT);
	lib.build_id = NULL;
	assert_int_equal(finds(&lib, "both"), 0);
	assert_int_equal(finds_in(target, &lib, NULL, ""), -ENOENT);
	assert_int_equal(finds_in(target, &lib, "opt/jdk/lib.so", ""), -ENOENT);
	/* a library in the root directory */
	clean();
	write_file("root/lib.debug", t.b, t.n);
	assert_int_equal(finds_in(target, &lib, "/lib.so", "both"), 0);
}

static void test_debuglink_lies(void **state)
{
	static const char *const names[] = {"../jdk/lib.debug", "/opt/jdk/lib.debug", "", ".", "..",
					    "no such"};
	char long_name[1000];
	struct file lib = {.no_symtab = true};
	struct elf_image *e, *debug;
	struct tiny t, l;

	(void)state;
	clean();
	make(&t, &(struct file){0});
	write_file("root/opt/jdk/lib.debug", t.b, t.n);
	lib.crc = crc_of(&t);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		lib.link = names[i];
		assert_int_equal(finds(&lib, ""), -ENOENT);
	}
	memset(long_name, 'a', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	lib.link = long_name;
	assert_int_equal(finds(&lib, ""), -ENOENT);

	/* the section cut anywhere */
	lib.link = "lib.debug";
	for (size_t n = 0; n < 16; n++) {
		make(&l, &lib);
		for (size_t i = 0; i < l.nr_sh; i++)
			if (!strcmp(l.names + l.sh[i].sh_name, ".gnu_debuglink"))
				l.sh[i].sh_size = n;
		tiny_finish(&l);
		assert_int_equal(elf_open(tiny_memfd(l.b, l.n), &e), 0);
		assert_int_equal(elf_open_debug(e, target, "/opt/jdk/lib.so", &debug), -ENOENT);
		elf_close(e);
	}
	assert_int_equal(finds(&lib, "sym"), 0);
}

/* A file that names itself is not its own debug file, though its build-id is equal. */
static void test_link_to_itself(void **state)
{
	const struct file lib = {.build_id = "abcde", .link = "lib.so"};
	struct elf_image *e, *debug;
	char path[PATH_MAX];
	struct tiny t;

	(void)state;
	clean();
	make(&t, &lib);
	write_file("root/opt/jdk/lib.so", t.b, t.n);
	snprintf(path, sizeof(path), "%s/root/opt/jdk/lib.so", base_dir);
	assert_int_equal(elf_open(open(path, O_RDONLY | O_CLOEXEC), &e), 0);
	assert_int_equal(elf_open_debug(e, target, "/opt/jdk/lib.so", &debug), -ENOENT);
	elf_close(e);
}

/* Outside the target's root only an equal build-id counts. */
static void test_in_our_root(void **state)
{
	struct file lib = {.no_symtab = true, .link = "lib.debug", .build_id = "abcde"};
	char path[PATH_MAX];
	struct tiny t;

	(void)state;
	clean();
	snprintf(path, sizeof(path), "%s/host/lib.so", base_dir); /* no such path in the target's root */
	make(&t, &(struct file){.build_id = "abcde", .symbol = "ours"});
	write_file("host/lib.debug", t.b, t.n);
	assert_int_equal(finds_in(target, &lib, path, "ours"), 0);
	lib.build_id = NULL;
	lib.crc = crc_of(&t);
	assert_int_equal(finds_in(target, &lib, path, ""), -ENOENT);
	assert_int_equal(finds_in(getpid(), &lib, path, "ours"), 0); /* then it is the target's root */
	lib.build_id = "abcde";
	make(&t, &(struct file){.symbol = "without id"});
	lib.crc = crc_of(&t);
	write_file("host/lib.debug", t.b, t.n);
	assert_int_equal(finds_in(target, &lib, path, ""), -ENOENT);
	assert_int_equal(finds_in(getpid(), &lib, path, "without id"), 0);
}

static void compress(struct bytes *out, const void *p, size_t n)
{
	size_t packed = 0;

	assert_int_equal(
	    lzma_easy_buffer_encode(1, LZMA_CHECK_CRC32, NULL, p, n, out->p, &packed, sizeof(out->p)),
	    LZMA_OK);
	out->n = packed;
}

static void test_debugdata(void **state)
{
	struct bytes xz, cut;
	struct file lib = {.no_symtab = true, .xz = &xz};
	struct tiny t;

	(void)state;
	clean();
	make(&t, &(struct file){.symbol = "mini"});
	compress(&xz, t.b, t.n);
	assert_int_equal(finds(&lib, "mini"), 0);
	lib.machine = EM_AARCH64; /* not of this machine */
	assert_int_equal(finds(&lib, ""), -ENOENT);
	lib.machine = EM_X86_64;
	for (size_t n = 0; n < xz.n; n += 3) {
		cut = xz;
		cut.n = n;
		lib.xz = &cut;
		assert_int_equal(finds(&lib, ""), -ENOENT);
	}
	for (size_t i = 0; i < xz.n; i += 5) { /* each part of it is checked by xz */
		cut = xz;
		cut.p[i] ^= 0x10;
		finds(&lib, "mini");
	}
	compress(&cut, "no ELF", 6);
	assert_int_equal(finds(&lib, ""), -ENOENT);
	cut.n = 0;
	assert_int_equal(finds(&lib, ""), -ENOENT);
	/* a separate debug file goes first */
	lib = (struct file){.no_symtab = true, .xz = &xz, .link = "lib.debug"};
	make(&t, &(struct file){.symbol = "separate"});
	lib.crc = crc_of(&t);
	write_file("root/opt/jdk/lib.debug", t.b, t.n);
	assert_int_equal(finds(&lib, "separate"), 0);
}

/* A few KiB that unpack to 70 MiB of a good ELF file with zeros behind it; 60 MiB are still taken. */
static void test_debugdata_bomb(void **state)
{
	static uint8_t packed[65536];
	size_t packed_n;
	static const size_t sizes_mib[] = {60, 70};
	struct tiny t, lib;
	struct elf_image *e, *debug;

	(void)state;
	clean();
	make(&t, &(struct file){0});
	for (size_t i = 0; i < ARRAY_LEN(sizes_mib); i++) {
		size_t n = sizes_mib[i] << 20;
		uint8_t *plain = calloc(1, n), *file;

		assert_non_null(plain);
		memcpy(plain, t.b, t.n);
		packed_n = 0;
		assert_int_equal(lzma_easy_buffer_encode(0, LZMA_CHECK_NONE, NULL, plain, n, packed,
							 &packed_n, sizeof(packed)),
				 LZMA_OK);
		free(plain);

		make(&lib, &(struct file){.no_symtab = true, .xz = &(struct bytes){.p = "x", .n = 1}});
		lib.sh[2].sh_offset = lib.n; /* behind the file made so far */
		lib.sh[2].sh_size = packed_n;
		tiny_finish(&lib);
		file = malloc(lib.n + packed_n);
		assert_non_null(file);
		memcpy(file, lib.b, lib.n);
		memcpy(file + lib.n, packed, packed_n);
		assert_int_equal(elf_open(tiny_memfd(file, lib.n + packed_n), &e), 0);
		assert_int_equal(elf_open_debug(e, target, "/opt/jdk/lib.so", &debug), i ? -EDQUOT : 0);
		elf_close(debug);
		elf_close(e);
		free(file);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_by_build_id),    cmocka_unit_test(test_by_debuglink),
	    cmocka_unit_test(test_debuglink_lies), cmocka_unit_test(test_link_to_itself),
	    cmocka_unit_test(test_in_our_root),    cmocka_unit_test(test_debugdata),
	    cmocka_unit_test(test_debugdata_bomb),
	};

	return cmocka_run_group_tests_name("elf_debug", tests, setup, teardown);
}
