/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Who a process is, by texts that it chooses itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "run/who.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void expect_container(const char *text, const char *id, const char *path)
{
	struct who who = {0};

	who_cgroup_of(text, &who);
	assert_string_equal(who.container, id);
	assert_string_equal(who.cgroup, path);
}

static void test_containers(void **state)
{
	(void)state;
	expect_container("0::/system.slice/docker-" ID ".scope\n", ID, "/system.slice/docker-" ID ".scope");
	expect_container("12:cpu:/docker/" ID "\n1:name=systemd:/docker/" ID "\n0::/\n", ID, "/docker/" ID);
	expect_container("0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-" ID ".scope", ID,
			 "/kubepods.slice/kubepods-pod1.slice/cri-containerd-" ID ".scope");
	expect_container("0::/user.slice/a\x1b[2Jb\n", "", "/user.slice/a?[2Jb");
	/* Not 64 digits, not by themselves, not of an id. */
	expect_container("0::/x/" ID "0\n", "", "/x/" ID "0");
	expect_container("0::/x/ABCDEF" ID "Z\n", ID, "/x/ABCDEF" ID "Z");
	expect_container("", "", "");
	expect_container("0::", "", "");
	expect_container(":\n::\n0:/\nnothing", "", "");
}

/* The longest path that the kernel tells is told whole. */
static void test_long_path(void **state)
{
	char path[PATH_MAX], text[2 * PATH_MAX];

	(void)state;
	memset(path, 'x', sizeof(path) - 1);
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	memcpy(path + sizeof(path) - strlen("z (deleted)") - 1, "z (deleted)", strlen("z (deleted)"));
	snprintf(text, sizeof(text), "11:cpu:/a\n0::%s\n1:x:/b\n", path);
	expect_container(text, "", path);
}

static void expect_user(const char *text, uint32_t uid, const char *name)
{
	char got[16] = "none";

	assert_int_equal(who_user_of(text, uid, got, sizeof(got)), strcmp(name, "none") != 0);
	assert_string_equal(got, name);
}

static void test_users(void **state)
{
	static const char text[] = "root:x:0:0:root:/root:/bin/bash\n\n:x:7:7::\nbad\napp:x:1000:1000::/:\n"
				   "e\x1bvil:x:1001:1::\nlong-long-long-long:x:1002:\nlast::1003:";

	(void)state;
	expect_user(text, 0, "root");
	expect_user(text, 1000, "app");
	expect_user(text, 1001, "e?vil");
	expect_user(text, 1002, "long-long-long-");
	expect_user(text, 1003, "last");
	expect_user(text, 7, "none");
	expect_user(text, 100, "none");
	expect_user("", 0, "none");
	expect_user("a:b", 0, "none");
	expect_user("a:b:0", 0, "none");
}

/* This process: no Java launcher, so what it runs is not asked of its arguments. */
static void test_self(void **state)
{
	struct report_target t = {0};
	struct who who;

	(void)state;
	who_read(getpid(), "/none", &who);
	who_tell(&who, &t);
	assert_null(t.main);
	assert_non_null(strstr(t.command, "test_who"));
	assert_non_null(t.user);
	assert_non_null(t.host);
	who_read(0x7ffffffe, "/none", &who);
	who_tell(&who, &t);
	assert_null(t.command);
	assert_null(t.user);
	assert_null(t.cgroup);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_containers),
	    cmocka_unit_test(test_long_path),
	    cmocka_unit_test(test_users),
	    cmocka_unit_test(test_self),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
