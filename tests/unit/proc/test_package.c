/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Packages of files, by databases that are made here and may be made to mislead. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "proc/package.h"

static char root[] = "/tmp/test_package.XXXXXX";

static void put(const char *path, const char *text)
{
	char full[512];
	FILE *f;

	snprintf(full, sizeof(full), "%s/%s", root, path);
	for (char *slash = full + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		mkdir(full, 0755);
		*slash = '/';
	}
	f = fopen(full, "we");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void expect(const char *path, const char *name, const char *version)
{
	int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct package p;

	assert_true(fd >= 0);
	assert_int_equal(package_of_file(NULL, fd, path, &p), name[0] != '\0');
	assert_string_equal(p.name, name);
	assert_string_equal(p.version, version);
	close(fd);
}

static void test_dpkg(void **state)
{
	char link[512];

	(void)state;
	put("var/lib/dpkg/info/libthumb1:amd64.list", "/.\n/opt/app/libthumb.so.1\n/lib/x/libold.so");
	put("var/lib/dpkg/info/app.list", "/opt/app/libthumb.so\n/opt/evil\x1b.so\n");
	put("var/lib/dpkg/status",
	    "Package: libthumb1\nArchitecture: i386\nVersion: 0.9\n\n"
	    "Package: libthumb1\nArchitecture: amd64\nVersion: 1.2-3\nDescription: x\n\n"
	    "Package: app\nStatus: ok\n");
	expect("/opt/app/libthumb.so.1", "libthumb1", "1.2-3");
	expect("/opt/app/libthumb.so", "app", "");
	expect("/usr/lib/x/libold.so", "libthumb1", "1.2-3"); /* merged /usr */
	expect("/opt/app/libthumb", "", "");
	expect("/opt", "", "");
	expect("opt/app/libthumb.so", "", "");
	expect("/opt/app/libthumb.so\n/opt/evil", "", "");
	/* A list that leads out of the root, and what is no file. */
	snprintf(link, sizeof(link), "%s/var/lib/dpkg/info/out.list", root);
	assert_int_equal(symlink("/etc/passwd", link), 0);
	snprintf(link, sizeof(link), "%s/var/lib/dpkg/info/pipe.list", root);
	assert_int_equal(mkfifo(link, 0600), 0);
	snprintf(link, sizeof(link), "%s/var/lib/dpkg/info/a.list", root);
	assert_int_equal(mkdir(link, 0700), 0);
	expect("/root", "", "");
	expect("/opt/app/libthumb.so", "app", "");
}

static void test_apk(void **state)
{
	(void)state;
	put("lib/apk/db/installed",
	    "C:Q1\nP:musl\nV:1.2.4-r2\nF:lib\nR:ld-musl.so.1\n\n"
	    "P:libthumb\nV:2.0-r0\nF:opt/app\nR:libthumb.so.2\nZ:Q1\nF:usr/lib\nR:x\n\nP:none\nR:y\n");
	expect("/opt/app/libthumb.so.2", "libthumb", "2.0-r0");
	expect("/lib/ld-musl.so.1", "musl", "1.2.4-r2");
	expect("/usr/lib/x", "libthumb", "2.0-r0");
	expect("/usr/lib/y", "", "");
	expect("/opt/app/x", "", "");
	put("lib/apk/db/installed", "P:\nV\nF:lib\nR:z\nF");
	expect("/lib/z", "", "");
}

/* The same many times, as one file of so many bytes. */
static void put_repeated(const char *path, const char *text, size_t bytes)
{
	size_t each = strlen(text), n = bytes / each;
	char *all = malloc(n * each + 1);

	assert_non_null(all);
	for (size_t i = 0; i < n; i++)
		memcpy(all + i * each, text, each);
	all[n * each] = '\0';
	put(path, all);
	free(all);
}

#define SLOW_S 10 /* CPU time; where each line is looked for in all of the text it takes minutes */

static double cpu_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Texts that match everywhere and nowhere: the time grows with their length only. */
static void test_slow_texts(void **state)
{
	double start = cpu_s();
	char path[4001];

	(void)state;
	alarm(120);
	for (size_t i = 0; i < sizeof(path) - 1; i++)
		path[i] = i % 2 ? 'a' : '/';
	path[sizeof(path) - 1] = '\0';
	put_repeated("var/lib/dpkg/info/many.list", "/a", 4000000);
	put_repeated("var/lib/dpkg/info/slow:amd64.list", "/opt/slow.so\n", 13);
	put_repeated("var/lib/dpkg/status", "Package: slow\nArchitecture: i386\n", 8000000);
	expect(path, "", "");
	expect("/opt/slow.so", "slow", "");
	alarm(0);
	assert_true(cpu_s() - start < SLOW_S);
}

/* A line that is longer than any path hides nothing behind it. */
static void test_long_lines(void **state)
{
	static char text[40000];

	(void)state;
	memset(text, 'x', sizeof(text));
	memcpy(text + 20000, "\n/opt/first.so\n", 15);
	memcpy(text + sizeof(text) - 15, "\n/opt/last.so", 14);
	put("var/lib/dpkg/info/long.list", text);
	expect("/opt/first.so", "long", "");
	expect("/opt/last.so", "long", "");
	memcpy(text + 20000, "xxxxxxxxxxxxxxx", 15);
	put("var/lib/dpkg/info/long.list", text);
	expect("/opt/first.so", "", "");
	expect("/opt/last.so", "long", "");
}

static int make_root(void **state)
{
	(void)state;
	return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", root);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_dpkg),
	    cmocka_unit_test(test_apk),
	    cmocka_unit_test(test_slow_texts),
	    cmocka_unit_test(test_long_lines),
	};

	return cmocka_run_group_tests(tests, make_root, remove_root);
}
