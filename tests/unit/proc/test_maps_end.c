/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The mappings of a process that ends while they are read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/util.h"
#include "proc/proc.h"

#define PIECES 20000 /* mappings: reading them takes a while */
#define ROUNDS 40

static bool map_in_pieces(void)
{
	const size_t page = 4096;
	char *p = mmap(NULL, PIECES * page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return false;
	for (size_t i = 0; i < PIECES; i += 2)
		if (mprotect(p + i * page, page, PROT_READ | PROT_WRITE))
			return false;
	return true;
}

/* A child with these mappings that waits to be killed. */
static pid_t spawn(void)
{
	int pipe_fd[2];
	char done = 0;
	pid_t pid;

	assert_int_equal(pipe2(pipe_fd, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		done = map_in_pieces();
		if (write(pipe_fd[1], &done, 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(pipe_fd[1]);
	assert_int_equal(read(pipe_fd[0], &done, 1), 1);
	close(pipe_fd[0]);
	assert_true(done);
	return pid;
}

struct end_after {
	pid_t pid;
	useconds_t us;
};

static void *end_it(void *arg)
{
	const struct end_after *e = arg;

	usleep(e->us);
	kill(e->pid, SIGKILL);
	return NULL;
}

/* Of one that ends so much later: all of them, or none. */
static void read_until(uint64_t us)
{
	struct end_after end = {spawn(), (useconds_t)us};
	struct proc_maps maps;
	pthread_t thread;
	int rc;

	assert_int_equal(pthread_create(&thread, NULL, end_it, &end), 0);
	rc = proc_maps_read(end.pid, &maps);
	if (rc)
		assert_int_equal(rc, -ESRCH);
	else
		assert_true(maps.n > PIECES);
	proc_maps_free(&maps);
	pthread_join(thread, NULL);
	waitpid(end.pid, NULL, 0);
}

static void all_or_none(void **state)
{
	struct proc_maps maps;
	pid_t pid = spawn();
	uint64_t started = clock_ns(CLOCK_MONOTONIC), took_us;

	(void)state;
	assert_int_equal(proc_maps_read(pid, &maps), 0);
	took_us = (clock_ns(CLOCK_MONOTONIC) - started) / 1000;
	assert_true(maps.n > PIECES);
	proc_maps_free(&maps);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	for (uint64_t round = 0; round <= ROUNDS; round++)
		read_until(took_us * round / ROUNDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(all_or_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
