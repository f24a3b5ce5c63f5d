/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A tracer in a process of its own. See window_child.h. */
#include "run/window_child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run/privileges.h"

#define MOST_BYTES   (64UL << 20) /* of a recording: kept in memory while it is made */
#define STOP_S       10           /* for the kernel to remove its probes; then it is killed */
#define LINE_BYTES   512
#define CANNOT_EXEC  127
#define ARG_MAX_LEN  32
#define PARENT_ENDED 1

struct window_child {
	pid_t pid; /* 0: it was waited for */
	int pidfd, file;
	int said[2];           /* a pipe, of what it writes on standard error */
	char line[LINE_BYTES]; /* the last one that it has said, as far as it was read */
	size_t line_n;
	bool line_ended;
	uint64_t limit_bytes;
};

/* In the child: become the tracer. Its privileges are the agent's, its signals as at the start of a program.
 */
static _Noreturn void be_tracer(const struct window_child *c, pid_t agent, const struct window_order *o)
{
	const struct rlimit most = {MOST_BYTES, MOST_BYTES};
	char pid[ARG_MAX_LEN], length[ARG_MAX_LEN], file[ARG_MAX_LEN], limit[ARG_MAX_LEN],
	    budget[ARG_MAX_LEN], refs[ARG_MAX_LEN];
	char *argv[] = {
	    "jnitrace", "record",   "-p",   pid,          "-d", length, "-o", file, "--limit-memory",
	    limit,      "--budget", budget, "--max-refs", refs, NULL,   NULL, NULL};
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != agent) /* it has ended since */
		_exit(PARENT_ENDED);
	if (o->podinfo) {
		argv[ARRAY_LEN(argv) - 3] = "--podinfo";
		argv[ARRAY_LEN(argv) - 2] = (char *)o->podinfo;
	}
	snprintf(pid, sizeof(pid), "%d", (int)o->target);
	snprintf(length, sizeof(length), "%.3f", o->length_s);
	snprintf(file, sizeof(file), "/proc/self/fd/%d", c->file);
	snprintf(limit, sizeof(limit), "%llu", (unsigned long long)o->limit_bytes);
	snprintf(refs, sizeof(refs), "%llu", (unsigned long long)o->max_refs);
	snprintf(budget, sizeof(budget), "%.4f%%", o->budget_share * 100);
	if (fcntl(c->file, F_SETFD, 0) || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
	    dup2(c->said[1], STDERR_FILENO) < 0 || setrlimit(RLIMIT_FSIZE, &most) || privileges_pass_on())
		_exit(CANNOT_EXEC);
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execv("/proc/self/exe", argv);
	_exit(CANNOT_EXEC);
}

int window_child_start(const struct window_order *o, struct window_child **out, struct error *err)
{
	struct window_child *c = calloc(1, sizeof(*c));
	pid_t agent = getpid();
	int rc = c ? 0 : -ENOMEM;

	if (c) {
		*c = (struct window_child){.pidfd = -1, .said = {-1, -1}, .limit_bytes = o->limit_bytes};
		c->file = memfd_create("jnitrace-window", MFD_CLOEXEC);
		rc = c->file < 0 || pipe2(c->said, O_CLOEXEC | O_NONBLOCK) ? -errno : 0;
	}
	if (!rc) {
		c->pid = fork();
		if (!c->pid)
			be_tracer(c, agent, o);
		rc = c->pid < 0 ? -errno : 0;
	}
	if (!rc) {
		close(c->said[1]);
		c->said[1] = -1;
		c->pidfd = (int)syscall(SYS_pidfd_open, c->pid, 0);
		rc = c->pidfd < 0 ? -errno : 0;
	}
	if (rc) {
		window_child_free(c);
		return error_set(err, rc, EXIT_FAILED, "start a tracer", NULL, "%s", strerror(-rc));
	}
	*out = c;
	return 0;
}

int window_child_fd(const struct window_child *c)
{
	return c->pidfd;
}

void window_child_stop(struct window_child *c)
{
	if (c->pid > 0)
		kill(c->pid, SIGTERM);
}

void window_child_free(struct window_child *c)
{
	if (!c)
		return;
	window_child_stop(c);
	for (int i = 0; c->pid > 0 && i < STOP_S * 100 && !waitpid(c->pid, NULL, WNOHANG); i++)
		usleep(10000);
	if (c->pid > 0 && !kill(c->pid, SIGKILL))
		waitpid(c->pid, NULL, 0);
	if (c->pidfd >= 0)
		close(c->pidfd);
	if (c->file >= 0)
		close(c->file);
	for (int i = 0; i < 2; i++)
		if (c->said[i] >= 0)
			close(c->said[i]);
	free(c);
}

/* --- what it says --- */

int window_child_said_fd(const struct window_child *c)
{
	return c->said[0];
}

static bool traces(const struct window_child *c)
{
	static const char word[] = "jnitrace: tracing ";

	return c->line_n >= sizeof(word) - 1 && !memcmp(c->line, word, sizeof(word) - 1);
}

/* Keeps the last line, or how it begins. */
static bool add(struct window_child *c, char letter)
{
	if (letter == '\n') {
		c->line_ended = true;
		return traces(c);
	}
	if (c->line_ended)
		c->line_n = 0;
	c->line_ended = false;
	if (c->line_n < sizeof(c->line))
		c->line[c->line_n++] = letter;
	return false;
}

int window_child_hear(struct window_child *c)
{
	char said[4096];
	ssize_t n = read(c->said[0], said, sizeof(said));
	bool tracing = false;

	if (n <= 0)
		return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
	for (ssize_t i = 0; i < n; i++)
		tracing |= add(c, said[i]);
	return tracing;
}

/* --- its end --- */

static double seconds_of(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static void fail(struct window_result *r, const char *why)
{
	snprintf(r->why, sizeof(r->why), "%s", why);
}

/* Go to its last moment; a file that is not whole is still as good as it goes. */
static void read_recording(const struct window_child *c, struct window_result *out)
{
	struct error err = {0};
	int moments = 0,
	    rc = recording_open(c->file, "the window", c->limit_bytes, true, &out->recording, &err);

	while (!rc && (rc = recording_next(out->recording, &err)) > 0) {
		moments++;
		rc = 0;
	}
	if (!rc && moments)
		return;
	fail(out, rc ? err.why : "it ended before its first report");
	recording_close(out->recording);
	out->recording = NULL;
}

int window_child_result(struct window_child *c, struct window_result *out)
{
	struct rusage used = {0};
	int status = 0;

	*out = (struct window_result){0};
	if (c->pid <= 0 || wait4(c->pid, &status, 0, &used) < 0)
		return c->pid <= 0 ? -ECHILD : -errno;
	c->pid = 0;
	while (window_child_hear(c) > 0)
		;
	out->cpu_s = seconds_of(used.ru_utime) + seconds_of(used.ru_stime);
	if (WIFEXITED(status) && (WEXITSTATUS(status) == EXIT_OK || WEXITSTATUS(status) == EXIT_LOSSES))
		read_recording(c, out);
	else if (WIFSIGNALED(status))
		snprintf(out->why, sizeof(out->why), "the tracer was ended by signal %d", WTERMSIG(status));
	else
		text_clean(out->why, sizeof(out->why), c->line, c->line_n);
	if (!out->recording && !out->why[0])
		fail(out, "the tracer failed");
	return 0;
}
