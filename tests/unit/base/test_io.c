/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Readers that are slow, or not there: a signal does not wait for them. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"

#define MANY_BYTES (1 << 20) /* more than a pipe holds */

struct later {
	int fd;
	const char *path; /* to be read; NULL: fd is written to */
	size_t bytes;     /* to read */
};

static void *act(void *arg)
{
	struct later *l = arg;
	char block[4096];
	ssize_t n = 1;

	usleep(50000);
	if (l->path)
		l->fd = open(l->path, O_RDONLY);
	if (!l->path && !l->bytes)
		return write(l->fd, "", 1) == 1 ? NULL : l;
	for (size_t done = 0; done < l->bytes && n > 0; done += n)
		n = read(l->fd, block, sizeof(block));
	return n > 0 ? NULL : l;
}

static void test_slow_reader(void **state)
{
	char *text = calloc(1, MANY_BYTES);
	struct later reader = {.bytes = MANY_BYTES};
	int data[2], stop[2];
	pthread_t t;
	void *rc;

	(void)state;
	assert_int_equal(pipe(data) | pipe(stop), 0);
	reader.fd = data[0];
	assert_int_equal(pthread_create(&t, NULL, act, &reader), 0);
	assert_int_equal(io_write(data[1], text, MANY_BYTES, stop[0], 100), 0);
	pthread_join(t, &rc);
	assert_null(rc);
	free(text);
}

/* Once there is a signal, nobody waits for the reader of a pipe, and it loses nothing. */
static void test_late_reader(void **state)
{
	char *text = malloc(MANY_BYTES / 2), *got = malloc(MANY_BYTES);
	int data[2], stop[2];
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < MANY_BYTES / 2; i++)
		text[i] = (char)(i % 251);
	assert_int_equal(pipe(data) | pipe(stop), 0);
	assert_int_equal(write(stop[1], "", 1), 1);
	assert_int_equal(io_write(data[1], text, MANY_BYTES / 2, stop[0], 0), 0);
	assert_int_equal(io_write(data[1], text, MANY_BYTES / 4, stop[0], 0), 0);
	close(data[1]);
	for (ssize_t more; (more = read(data[0], got + n, MANY_BYTES - n)) > 0;)
		n += (size_t)more;
	assert_int_equal(n, MANY_BYTES / 2 + MANY_BYTES / 4);
	assert_memory_equal(got, text, MANY_BYTES / 2);
	assert_memory_equal(got + MANY_BYTES / 2, text, MANY_BYTES / 4);
	free(text);
	free(got);
}

static void test_no_reader(void **state)
{
	char *text = calloc(1, MANY_BYTES);
	struct later asker = {0};
	int data[2], stop[2];
	pthread_t t;

	(void)state;
	/* no pipe, which would be made wider */
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, data) | pipe(stop), 0);
	asker.fd = stop[1];
	assert_int_equal(pthread_create(&t, NULL, act, &asker), 0);
	assert_int_equal(io_write(data[1], text, MANY_BYTES, stop[0], 10), -EINTR);
	pthread_join(t, NULL);
	signal(SIGPIPE, SIG_IGN);
	close(data[0]);
	assert_int_equal(io_write(data[1], text, MANY_BYTES, stop[0], 10), -EPIPE);
	free(text);
}

static void test_files(void **state)
{
	char dir[] = "/tmp/jnitrace-io-XXXXXX", path[64];
	struct later asker = {0}, reader = {.path = path, .bytes = 4};
	struct stat st;
	int stop[2], fd;
	pthread_t t;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(pipe(stop), 0);
	snprintf(path, sizeof(path), "%s/file", dir);
	fd = io_open_output(path, 0666, stop[0]);
	assert_true(fd >= 0);
	assert_int_equal(io_write(fd, "abc", 3, stop[0], 10), 0);
	close(fd);
	fd = io_open_output(path, 0666, -1); /* it is emptied */
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 0);
	close(fd);
	unlink(path);
	assert_int_equal(io_open_output(dir, 0666, -1), -EISDIR);

	/* a FIFO waits for its reader */
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(pthread_create(&t, NULL, act, &reader), 0);
	fd = io_open_output(path, 0666, stop[0]);
	assert_true(fd >= 0);
	assert_false(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_int_equal(io_write(fd, "abcd", 4, stop[0], 10), 0);
	pthread_join(t, NULL);
	close(fd);
	close(reader.fd);
	/* or for a signal */
	asker.fd = stop[1];
	assert_int_equal(pthread_create(&t, NULL, act, &asker), 0);
	assert_int_equal(io_open_output(path, 0666, stop[0]), -EINTR);
	pthread_join(t, NULL);
	unlink(path);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_slow_reader),
	    cmocka_unit_test(test_late_reader),
	    cmocka_unit_test(test_no_reader),
	    cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
