/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The folder of a pusher whose store is not there: it is bounded, the newest stay, and names go up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/pusher.h"

#define EACH  100000
#define MOST  (10 * EACH)
#define ADDED 25

static void remove_all(const char *folder)
{
	DIR *d = opendir(folder);
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.' || strlen(e->d_name) > 2)
			assert_int_equal(unlinkat(dirfd(d), e->d_name, 0), 0);
	if (d)
		closedir(d);
	assert_int_equal(rmdir(folder), 0);
}

static const struct pusher_format format = {.suffix = ".profile", .form = true};

static struct pusher *open_in(const char *folder)
{
	const struct pusher_options o = {
	    .format = &format, .url = "http://127.0.0.1:9/ingest", .folder = folder, .most_bytes = MOST};
	struct error err = {0};
	struct pusher *p = NULL;

	assert_int_equal(pusher_open(&o, &p, &err), 0);
	return p;
}

static void test_bounded(void **state)
{
	char folder[] = "/tmp/jnitrace-pusher-XXXXXX", text[EACH];
	const struct buf document = {.p = text, .n = sizeof(text) - 10};
	const struct buf too_large = {.p = text, .n = MOST};
	struct pusher_counts c;
	struct pusher *p, *other;
	struct error err = {0};

	(void)state;
	assert_non_null(mkdtemp(folder));
	memset(text, 'x', sizeof(text));
	p = open_in(folder);
	for (int i = 0; i < ADDED; i++)
		assert_int_equal(pusher_add(p, "name=a", &document, &err), 0);
	c = pusher_counts(p);
	assert_true(c.waiting == 10 && c.waiting_bytes <= MOST);
	assert_int_equal(c.dropped, ADDED - 10);
	assert_int_equal(c.sent + c.refused, 0);
	assert_int_equal(pusher_add(p, "name=a", &too_large, &err), -EFBIG);
	assert_int_equal(
	    pusher_open(
		&(struct pusher_options){.format = &format, .url = "http://127.0.0.1:9", .folder = folder},
		&other, &(struct error){0}),
	    -EWOULDBLOCK);
	pusher_close(p);
	p = open_in(folder); /* all are there */
	assert_int_equal(pusher_counts(p).waiting, 10);
	pusher_close(p);
	remove_all(folder);
}

static void touch(const char *folder, const char *name)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs("name=b\nof somebody else", f);
	fclose(f);
}

static bool is_there(const char *folder, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return !access(path, F_OK);
}

/* Whatever else is in the folder is neither sent nor removed, nor counted. */
static void test_files_of_others(void **state)
{
	static const char *const others[] = {"cpu.profile", "123.profile", "00000000000000000001.profile.bak",
					     "0000000000000000000x.profile"};
	char folder[] = "/tmp/jnitrace-pusher-XXXXXX", text[EACH];
	const struct buf document = {.p = text, .n = sizeof(text) - 10};
	struct error err = {0};
	struct pusher *p;

	(void)state;
	assert_non_null(mkdtemp(folder));
	memset(text, 'x', sizeof(text));
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		touch(folder, others[i]);
	p = open_in(folder);
	assert_int_equal(pusher_counts(p).waiting, 0);
	for (int i = 0; i < ADDED; i++)
		assert_int_equal(pusher_add(p, "name=a", &document, &err), 0);
	assert_int_equal(pusher_counts(p).waiting, 10);
	pusher_close(p);
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		assert_true(is_there(folder, others[i]));
	remove_all(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_bounded),
					   cmocka_unit_test(test_files_of_others)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
