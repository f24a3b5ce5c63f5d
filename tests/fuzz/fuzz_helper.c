/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the process says that reads a file's lines, when that file has got hold of it (lines_helper.c). */
#include "fuzz.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "elf/elf_internal.h"
#include "elf/lines_helper.h"

#define HELPER    (1 << 30) /* above every pid that Linux gives */
#define ADDRESSES 8
#define INLINED   16

static struct {
	const uint8_t *p;
	size_t n;
} said;

pid_t __wrap_fork(void);
int __wrap_kill(pid_t pid, int signal);
pid_t __wrap_waitpid(pid_t pid, int *status, int options);
int __wrap_poll(struct pollfd *p, nfds_t n, int ms);
ssize_t __wrap_send(int fd, const void *p, size_t n, int flags);
ssize_t __wrap_recv(int fd, void *p, size_t n, int flags);
int __wrap_elf_lines_bytes(const struct elf_image *e, uint64_t *bytes);

pid_t __wrap_fork(void)
{
	return HELPER;
}

int __wrap_kill(pid_t pid, int signal)
{
	(void)signal;
	return pid == HELPER ? 0 : (abort(), -1);
}

pid_t __wrap_waitpid(pid_t pid, int *status, int options)
{
	(void)status, (void)options;
	return pid;
}

int __wrap_poll(struct pollfd *p, nfds_t n, int ms)
{
	(void)n, (void)ms;
	p[0].revents = POLLIN;
	return 1;
}

ssize_t __wrap_send(int fd, const void *p, size_t n, int flags)
{
	(void)fd, (void)p, (void)flags;
	return (ssize_t)n;
}

/* A message: its length, two bytes, and what is in it; the rest of it is 0xff. None left: it has ended. */
ssize_t __wrap_recv(int fd, void *p, size_t n, int flags)
{
	size_t want, given;

	(void)fd, (void)flags;
	if (!said.n)
		return 0;
	want = fuzz_number(&said.p, &said.n, 2);
	if (want > n)
		want = n; /* a message that is cut, as the kernel does */
	given = want < said.n ? want : said.n;
	memcpy(p, said.p, given);
	memset((char *)p + given, 0xff, want - given);
	said.p += given;
	said.n -= given;
	return (ssize_t)want;
}

int __wrap_elf_lines_bytes(const struct elf_image *e, uint64_t *bytes)
{
	(void)e;
	*bytes = 1;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const struct elf_image e = {.fd = -1};
	struct lines_history history = {0};
	struct elf_line line[INLINED];
	struct lines_helper *h;

	said.p = data;
	said.n = n;
	if (lines_helper_open(&e, 1, &history, &h) != 0)
		return 0;
	for (uint64_t i = 0; i < ADDRESSES; i++) {
		int got = lines_helper_at(h, i, line, INLINED);

		if (got > INLINED)
			abort();
		for (int k = 0; k < got; k++)
			if ((line[k].function && strlen(line[k].function) > n + 4096) ||
			    (line[k].file && strlen(line[k].file) > n + 4096) ||
			    strlen(line[k].scope) >= sizeof(line[k].scope) || line[k].line < 0)
				abort();
	}
	lines_helper_close(h);
	return 0;
}
