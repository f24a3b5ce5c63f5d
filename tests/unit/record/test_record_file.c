/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A writer that is killed, and one whose disk is full: at any moment all is in the file that was written
 * before, and nothing that was not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "record_fixture.h"
#include "run/record_file.h"

#define KILLS       100
#define LIMITS      100
#define MAX_MOMENTS 4096 /* of a writer that is killed late */

/* What the writer says to this process. */
struct said {
	int written;  /* moments: their write has returned */
	bool refused; /* one has failed, with an error of one line */
};

static struct said *said;
static char path[] = "/tmp/jnitrace-record-XXXXXX";

static int make_place(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	said = mmap(NULL, sizeof(*said), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return fd < 0 || close(fd) || said == MAP_FAILED;
}

static int remove_place(void **state)
{
	(void)state;
	return unlink(path);
}

/* Moments one after another, by this seed. */
static _Noreturn void write_moments(uint32_t seed)
{
	const struct options o = {.catalog = &jni_catalog, .record = path};
	struct record_file f = {.fd = -1};
	struct made *now = made_new(seed);
	struct error err = {0};
	int rc = record_file_open(&f, &o, -1, &err);

	for (int m = 0; m < MAX_MOMENTS && !rc; m++) {
		const struct report *report = &now->report;

		made_change(now, false);
		rc = record_file_write(&f, &report, 1, &err);
		if (!rc)
			__atomic_add_fetch(&said->written, 1, __ATOMIC_RELEASE);
	}
	while (!rc) /* until it is killed */
		pause();
	said->refused = rc == -EFBIG && err.why[0] && !strchr(err.why, '\n');
	_exit(0);
}

static pid_t start_writer(uint32_t seed, rlim_t most_bytes)
{
	pid_t pid;

	*said = (struct said){0};
	assert_int_equal(truncate(path, 0), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid)
		return pid;
	signal(SIGXFSZ, SIG_IGN);
	if (setrlimit(RLIMIT_FSIZE, &(struct rlimit){most_bytes, most_bytes}))
		_exit(1);
	write_moments(seed);
}

/* All moments that were written are in the file, as they were, and at most the one that was under way. */
static void expect_moments(uint32_t seed)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), n = 0, written = said->written;
	struct made *now = made_new(seed);
	struct error err = {0};
	struct recording *r;

	assert_true(fd >= 0);
	if (recording_open(fd, "file.jtr", 256 << 20, true, &r, &err)) {
		assert_int_equal(written, 0); /* not even its head */
		assert_true(err.why[0]);
	} else {
		struct report **got;
		int rc;

		while ((rc = recording_next(r, &err)) > 0) {
			made_change(now, false);
			assert_int_equal(recording_reports(r, &got), 1);
			expect_same_report(&now->report, got[0]);
			n++;
		}
		if (rc)
			fail_msg("seed %u: refused after %d moments of %d: %s", seed, n, written, err.why);
		assert_false(recording_is_whole(r));
		recording_close(r);
	}
	if (n < written || n > written + 1)
		fail_msg("seed %u: %d moments, of %d that were written", seed, n, written);
	made_free(now);
	close(fd);
}

static uint64_t any(uint64_t *random, uint64_t below)
{
	*random += 0x9e3779b97f4a7c15ULL;
	return mix64(*random) % below;
}

/* After some moments, and some while later: in its work, or in a write. */
static void killed_at_any_moment(void **state)
{
	uint64_t random = 7;

	(void)state;
	for (uint32_t seed = 1; seed <= KILLS; seed++) {
		pid_t pid = start_writer(seed, RLIM_INFINITY);
		int moments = (int)any(&random, 12), status;

		while (__atomic_load_n(&said->written, __ATOMIC_ACQUIRE) < moments)
			sched_yield();
		usleep((useconds_t)any(&random, 1500));
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		expect_moments(seed);
	}
}

/* After any number of bytes: what fitted can be read, and the writer says in one line that no more does. */
static void no_room_at_any_byte(void **state)
{
	uint64_t random = 7;

	(void)state;
	for (uint32_t seed = 1; seed <= LIMITS; seed++) {
		pid_t pid = start_writer(seed, any(&random, seed % 2 ? 60000 : 600));
		int status;

		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
		assert_true(said->refused);
		expect_moments(seed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(killed_at_any_moment),
	    cmocka_unit_test(no_room_at_any_byte),
	};

	return cmocka_run_group_tests(tests, make_place, remove_place);
}
