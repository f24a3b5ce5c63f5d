/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"

#define LOOK_FOR_READER_MS 20
#define MAX_PIPE_BYTES     (1U << 30)

/* true: to be given up. */
static bool pause_ms(int stop_fd, int ms)
{
	struct pollfd p = {.fd = stop_fd, .events = POLLIN};

	return poll(&p, 1, ms) > 0 && p.revents;
}

int io_open_output(const char *path, mode_t mode, int stop_fd)
{
	int fd, flags;

	/* without O_NONBLOCK it would wait for a reader in the kernel */
	while ((fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, mode)) <
	       0) {
		if (errno != ENXIO && errno != EINTR)
			return -errno;
		if (errno == ENXIO && pause_ms(stop_fd, LOOK_FOR_READER_MS))
			return -EINTR;
	}
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK)) {
		int rc = -errno;

		close(fd);
		return rc;
	}
	return fd;
}

int io_new_output(const char *path, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, mode);

	return fd < 0 ? -errno : fd;
}

/* How much can be written without waiting once poll() says that something can. */
static size_t at_once(int fd)
{
	struct stat st;

	return fstat(fd, &st) || S_ISREG(st.st_mode) ? 1 << 20 : PIPE_BUF;
}

/*
 * Room for n bytes more, or for as many as may be, in a pipe whose reader takes nothing now: the kernel keeps
 * them until it does, also when this process is gone. Beyond /proc/sys/fs/pipe-max-size, 1 MB, that needs
 * CAP_SYS_RESOURCE. false: it has all that it may have, or is no pipe.
 */
static bool widen(int fd, size_t n)
{
	int now = fcntl(fd, F_GETPIPE_SZ);

	if (now <= 0 || n > MAX_PIPE_BYTES)
		return false;
	for (int want = now + (int)n + PIPE_BUF; want > now; want /= 2)
		if (fcntl(fd, F_SETPIPE_SZ, want) > now)
			return true;
	return false;
}

int io_write(int fd, const void *p, size_t n, int stop_fd, int grace_ms)
{
	size_t most = at_once(fd);
	const char *at = p;

	while (n) {
		struct pollfd wait[] = {{.fd = fd, .events = POLLOUT}, {.fd = stop_fd, .events = POLLIN}};
		ssize_t done;

		if (poll(wait, ARRAY_LEN(wait), -1) < 0 && errno != EINTR)
			return -errno;
		if (!wait[0].revents && wait[1].revents && !widen(fd, n) && !poll(wait, 1, grace_ms))
			return -EINTR;
		if (!wait[0].revents)
			continue;
		done = write(fd, at, n < most ? n : most);
		if (done < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
		if (done > 0) {
			at += done;
			n -= done;
		}
	}
	return 0;
}
