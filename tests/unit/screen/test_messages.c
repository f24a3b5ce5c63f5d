/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Lines for stderr while a terminal is drawn on: a terminal of its own, whose other side is looked at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/util.h"
#include "screen/messages.h"

#define LEAVE "\033[?1049l"

/* What a process at a terminal writes until it ends, with line ends of either kind as \n. */
static char *written_by(void (*run)(struct terminal *t, struct messages *m), int *status)
{
	struct buf out = {0};
	char bytes[4096], why[128];
	ssize_t n;
	int fd, theirs;
	pid_t pid;

	assert_int_equal(openpty(&fd, &theirs, NULL, NULL, NULL), 0);
	/* Not its session's: the end of a session takes away what was not read yet. */
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct terminal *t = NULL;
		struct messages *m = NULL;
		struct canvas c = {0};

		for (int i = 0; i < 3; i++)
			if (dup2(theirs, i) < 0)
				_exit(2);
		close(theirs);
		close(fd);
		setenv("TERM", "xterm", 1);
		if (terminal_open(stdout, false, &t, why) || messages_begin(t, &m) ||
		    canvas_resize(&c, 3, 20))
			_exit(3);
		canvas_puts(&c, 0, 0, 20, "cells", STYLE_PLAIN);
		if (terminal_show(t, &c))
			_exit(4);
		run(t, m);
		terminal_leave(t);
		messages_end(m);
		terminal_close(t);
		fflush(stdout);
		_exit(0);
	}
	close(theirs);
	while ((n = read(fd, bytes, sizeof(bytes))) > 0) /* an error at its end */
		for (ssize_t i = 0; i < n; i++)
			if (bytes[i] != '\r')
				buf_add(&out, &bytes[i], 1);
	close(fd);
	assert_int_equal(waitpid(pid, status, 0), pid);
	buf_add(&out, "", 1);
	assert_false(out.failed);
	return out.p;
}

static void warn_twice(struct terminal *t, struct messages *m)
{
	char line[512] = "";

	(void)t;
	if (messages_newest(m, line, sizeof(line)))
		_exit(5);
	warn("the first");
	if (!messages_newest(m, line, sizeof(line)) || strcmp(line, "the first") != 0)
		_exit(6);
	if (messages_newest(m, line, sizeof(line)))
		_exit(7);
	warn("one\033[2J");
	warn("another");
	if (!messages_newest(m, line, sizeof(line)) || strcmp(line, "another (and 1 more)") != 0)
		_exit(8);
}

static void test_warnings(void **state)
{
	int status;
	char *out = written_by(warn_twice, &status), *left = strstr(out, LEAVE);

	(void)state;
	assert_int_equal(status, 0);
	assert_non_null(left);
	assert_null(memmem(out, (size_t)(left - out), "jnitrace:", 9));
	assert_non_null(strstr(left, "jnitrace: the first\njnitrace: one"));
	assert_non_null(strstr(left, "jnitrace: another\n"));
	assert_null(strstr(left, "\033[2J"));
	free(out);
}

static void warn_often(struct terminal *t, struct messages *m)
{
	(void)t, (void)m;
	for (int i = 0; i < 10000; i++)
		warn("line %d", i);
}

static void test_many_warnings(void **state)
{
	int status;
	char *out = written_by(warn_often, &status), *left = strstr(out, LEAVE), *rest;
	unsigned long more, shown = 0;

	(void)state;
	assert_int_equal(status, 0);
	assert_non_null(left);
	rest = strstr(left, "jnitrace: and ");
	assert_non_null(rest);
	more = strtoul(rest + strlen("jnitrace: and "), NULL, 10);
	for (char *p = left; (p = strstr(p, "jnitrace: line ")); p++)
		shown++;
	assert_int_equal(shown + more, 10000);
	assert_true(shown > 1000);
	free(out);
}

static void run_out(struct terminal *t, struct messages *m)
{
	(void)t, (void)m;
	warn("before that");
	out_of_memory("draw");
}

static void test_out_of_memory(void **state)
{
	int status;
	char *out = written_by(run_out, &status), *left = strstr(out, LEAVE), *was;

	(void)state;
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_FAILED);
	assert_non_null(left);
	was = strstr(left, "jnitrace: before that\n");
	assert_non_null(was);
	assert_non_null(strstr(was, "jnitrace: draw: out of memory"));
	free(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_warnings),
	    cmocka_unit_test(test_many_warnings),
	    cmocka_unit_test(test_out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
