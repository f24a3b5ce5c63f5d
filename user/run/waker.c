/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Lets stopped processes go on. See waker.h. */
#include "run/waker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/util.h"
#include "run/privileges.h"

#define SOON_MS 5000

struct message {
	pid_t pid; /* 0: all were let go, and nobody stops any more */
	bool goes_on;
};

/* Those who have stopped. */
struct held {
	pid_t *v;
	size_t n, cap;
};

static void hear(struct held *held, const struct message *m)
{
	size_t i = 0;
	pid_t *place;

	while (i < held->n && held->v[i] != m->pid)
		i++;
	if (m->goes_on) {
		kill(m->pid, SIGCONT);
		if (i < held->n)
			held->v[i] = held->v[--held->n];
	} else if (i == held->n) {
		place = VEC_ADD(held);
		if (place)
			*place = m->pid;
	}
}

/* Who were killed together end together, about. */
static bool ends_soon(int pidfd)
{
	struct pollfd p = {.fd = pidfd, .events = POLLIN};

	return poll(&p, 1, SOON_MS) > 0;
}

/* group: of the supervisor, and so of the command. */
static _Noreturn void be_waker(int socket, int supervisor, pid_t group)
{
	struct held held = {0};
	bool orderly = false;
	struct message m;
	ssize_t n;

	while ((n = recv(socket, &m, sizeof(m), 0)) == sizeof(m) || (n < 0 && errno == EINTR)) {
		orderly |= n > 0 && !m.pid;
		if (n > 0 && m.pid > 1)
			hear(&held, &m);
	}
	for (size_t i = 0; i < held.n; i++)
		kill(held.v[i], SIGCONT);
	if (!orderly && ends_soon(supervisor)) /* nobody else is left who could */
		kill(-group, SIGCONT);
	_exit(0);
}

/* In the child of a child. What it was given of the user's goes; the two stay, at places where nothing else
 * is. */
static _Noreturn void begin(int socket, int supervisor, pid_t group)
{
	enum { SOCKET = 3, SUPERVISOR, FREE };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), from[2];
	sigset_t none;

	prctl(PR_SET_NAME, "jnitrace-waker");
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	for (int fd = 0; fd < SOCKET && null >= 0; fd++)
		dup2(null, fd);
	from[0] = fcntl(socket, F_DUPFD_CLOEXEC, FREE);
	from[1] = fcntl(supervisor, F_DUPFD_CLOEXEC, FREE);
	if (from[0] < 0 || from[1] < 0 || dup2(from[0], SOCKET) < 0 || dup2(from[1], SUPERVISOR) < 0)
		_exit(EXIT_FAILURE);
	close_range(FREE, ~0U, 0);
	if (privileges_keep(PRIVILEGES_SIGNAL, false, NULL))
		_exit(EXIT_FAILURE);
	be_waker(SOCKET, SUPERVISOR, group);
}

int waker_start(void)
{
	int pair[2], self = (int)syscall(SYS_pidfd_open, getpid(), 0), rc = 0;
	pid_t child, group = getpgrp();

	if (self < 0)
		return -errno;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) {
		rc = -errno;
		close(self);
		return rc;
	}
	child = fork();
	if (!child) { /* ends at once, so that the waker is nobody's child */
		if (!fork()) {
			close(pair[0]);
			begin(pair[1], self, group);
		}
		_exit(0);
	}
	rc = child < 0 ? -errno : 0;
	while (!rc && waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	close(self);
	close(pair[1]);
	if (rc)
		close(pair[0]);
	return rc ?: pair[0];
}

static int tell(int socket, pid_t pid, bool goes_on)
{
	const struct message m = {pid, goes_on};

	if (socket < 0)
		return -ENOTCONN;
	return send(socket, &m, sizeof(m), MSG_NOSIGNAL) == sizeof(m) ? 0 : -errno;
}

int waker_tell_held(int socket, pid_t pid)
{
	return tell(socket, pid, false);
}

int waker_go_on(int socket, pid_t pid)
{
	return tell(socket, pid, true);
}

int waker_end(int socket)
{
	return tell(socket, 0, true);
}
