/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Where the dynamic linker calls, as found from outside, is where it says it does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <link.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proc/linker.h"
#include "proc/proc.h"

/* The linker's own; a program that names _r_debug gets a copy. */
static struct r_debug *said(void)
{
	const ElfW(Dyn) *d = _DYNAMIC;

	while (d->d_tag != DT_DEBUG)
		d++;
	return (struct r_debug *)d->d_un.d_ptr;
}

static void test_self(void **state)
{
	struct linker l;

	(void)state;
	assert_int_equal(linker_find(getpid(), &l), 0);
	assert_int_equal(l.call_at, said()->r_brk);
	assert_int_equal(l.debug_at, (uintptr_t)said());
}

static void test_auxv(void **state)
{
	(void)state;
	assert_int_equal(proc_auxv(getpid(), AT_ENTRY), getauxval(AT_ENTRY));
	assert_int_equal(proc_auxv(getpid(), AT_NULL), 0);
	assert_int_equal(proc_auxv(getpid(), 0x7777), 0);
	assert_int_equal(proc_auxv(-1, AT_ENTRY), 0);
}

/* A child that says something else: every lie ends in an error. */
static int find_in_liar(void (*lie)(void))
{
	struct linker l;
	int fds[2], rc;
	pid_t child;
	char byte;

	assert_int_equal(pipe(fds), 0);
	child = fork();
	if (!child) {
		lie();
		if (write(fds[1], "x", 1) == 1)
			pause();
		_exit(0);
	}
	assert_int_equal(read(fds[0], &byte, 1), 1);
	rc = linker_find(child, &l);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	close(fds[0]);
	close(fds[1]);
	return rc;
}

static void no_function(void)
{
	said()->r_brk = 0;
}
static void not_begun(void)
{
	said()->r_version = 0;
	said()->r_brk = 0;
}
static void truth(void)
{
}

static void test_liars(void **state)
{
	(void)state;
	assert_int_equal(find_in_liar(truth), 0);
	assert_int_equal(find_in_liar(no_function), -EPROTO);
	assert_int_equal(find_in_liar(not_begun), -EAGAIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_self),
	    cmocka_unit_test(test_auxv),
	    cmocka_unit_test(test_liars),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
