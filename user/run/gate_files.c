/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* See gate_files.h. */
#include "run/gate_files.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/util.h"
#include "proc/proc.h"
#include "runtime/runtime.h"

#define SOCKET_BYTES (4 << 20) /* of events that wait to be read: tens of thousands */

extern char **environ;

/* --- marks --------------------------------------------------------------------------------------- */

void gate_files_mark(int fanotify, int fd)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	fanotify_mark(fanotify, FAN_MARK_ADD, FAN_OPEN_PERM, AT_FDCWD, path);
}

/* Those beside a launcher in this folder. */
static void mark_beside(int fanotify, const char *bin)
{
	char path[PATH_MAX];

	for (size_t i = 0; runtime_start_file(i); i++)
		if ((size_t)snprintf(path, sizeof(path), "%s/%s", bin, runtime_start_file(i)) < sizeof(path))
			fanotify_mark(fanotify, FAN_MARK_ADD, FAN_OPEN_PERM, AT_FDCWD, path);
}

static void mark_home(int fanotify, const char *home)
{
	char bin[PATH_MAX];

	if ((size_t)snprintf(bin, sizeof(bin), "%s/bin", home) < sizeof(bin))
		mark_beside(fanotify, bin);
}

/* JAVA_HOME, JAVA_17_HOME, JDK_HOME, GRAALVM_HOME, ... */
static void mark_environment(int fanotify)
{
	for (char **e = environ; *e; e++) {
		const char *is = strchr(*e, '=');

		if (is && is - *e > 5 && !strncmp(is - 5, "_HOME", 5) && is[1] == '/')
			mark_home(fanotify, is + 1);
	}
}

/* The one that a shell would start. */
static void mark_path(int fanotify)
{
	const char *dir = getenv("PATH");
	char path[PATH_MAX], real[PATH_MAX];

	while (dir && *dir) {
		size_t n = strcspn(dir, ":");
		int made = snprintf(path, sizeof(path), "%.*s/java", (int)n, dir);

		if (made > 0 && (size_t)made < sizeof(path) && realpath(path, real)) {
			*strrchr(real, '/') = 0;
			mark_beside(fanotify, real);
		}
		dir += n + (dir[n] == ':');
	}
}

static void mark_installed(int fanotify)
{
	static const char *const homes[] = {"/usr/lib/jvm/*", "/usr/java/*",
					    "/opt/java/*",    "/opt/*",
					    "~/.jdks/*",      "~/.sdkman/candidates/java/*",
					    "/usr/local/*",   "~/.gradle/jdks/*"};

	for (size_t i = 0; i < ARRAY_LEN(homes); i++) {
		glob_t found = {0};

		if (!glob(homes[i], GLOB_TILDE | GLOB_NOSORT, NULL, &found))
			for (size_t k = 0; k < found.gl_pathc; k++)
				mark_home(fanotify, found.gl_pathv[k]);
		globfree(&found);
	}
}

static void mark_words(int fanotify, char *const *argv)
{
	char real[PATH_MAX];

	for (; *argv; argv++) {
		const char *slash = strrchr(*argv, '/');

		if (!slash || !runtime_has_launcher(NULL, slash + 1) || !realpath(*argv, real))
			continue;
		*strrchr(real, '/') = 0;
		mark_beside(fanotify, real);
	}
}

void gate_files_mark_known(int fanotify, char *const *argv)
{
	mark_words(fanotify, argv);
	mark_environment(fanotify);
	mark_path(fanotify);
	mark_installed(fanotify);
}

/* --- what descendants exec ----------------------------------------------------------------------- */

int gate_files_listen(void)
{
	enum proc_cn_mcast_op op = PROC_CN_MCAST_LISTEN;
	char ask[NLMSG_LENGTH(sizeof(struct cn_msg) + sizeof(op))]
	    __attribute__((aligned(NLMSG_ALIGNTO))) = {0};
	struct nlmsghdr *head = (void *)ask;
	struct cn_msg *msg = NLMSG_DATA(head);
	struct sockaddr_nl at = {.nl_family = AF_NETLINK, .nl_groups = CN_IDX_PROC};
	int fd = socket(PF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_CONNECTOR), bytes = SOCKET_BYTES;

	if (fd < 0)
		return -errno;
	*head = (struct nlmsghdr){.nlmsg_len = sizeof(ask), .nlmsg_type = NLMSG_DONE};
	msg->id = (struct cb_id){CN_IDX_PROC, CN_VAL_PROC};
	msg->len = sizeof(op);
	memcpy(msg->data, &op, sizeof(op));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
	if (!bind(fd, (struct sockaddr *)&at, sizeof(at)) && send(fd, ask, sizeof(ask), 0) == sizeof(ask))
		return fd;
	close(fd);
	return -EOPNOTSUPP;
}

/* The process that has called exec; 0: it is another event. */
static pid_t read_exec(int fd)
{
	char data[1024] __attribute__((aligned(NLMSG_ALIGNTO)));
	const struct nlmsghdr *head = (void *)data;
	const struct cn_msg *msg = NLMSG_DATA(head);
	const struct proc_event *e = (void *)msg->data;
	struct sockaddr_nl from = {0};
	socklen_t from_bytes = sizeof(from);
	ssize_t n = recvfrom(fd, data, sizeof(data), 0, (struct sockaddr *)&from, &from_bytes);

	if (n < (ssize_t)(NLMSG_HDRLEN + sizeof(*msg) + sizeof(*e)) || from.nl_pid ||
	    msg->id.idx != CN_IDX_PROC || e->what != PROC_EVENT_EXEC)
		return 0;
	return e->event_data.exec.process_tgid;
}

/* fd: -1: none. */
static int send_file(int socket, pid_t pid, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(__alignof__(struct cmsghdr)))) = {0};
	struct iovec data = {&pid, sizeof(pid)};
	struct msghdr m = {.msg_iov = &data, .msg_iovlen = 1};
	struct cmsghdr *c;

	if (fd >= 0) {
		m.msg_control = control;
		m.msg_controllen = sizeof(control);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	return sendmsg(socket, &m, MSG_NOSIGNAL) == sizeof(pid) ? 0 : -errno;
}

int gate_files_take(int socket, pid_t *pid, int *fd)
{
	char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(__alignof__(struct cmsghdr))));
	struct iovec data = {pid, sizeof(*pid)};
	struct msghdr m = {
	    .msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(socket, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *c = n == sizeof(*pid) ? CMSG_FIRSTHDR(&m) : NULL;

	*fd = -1;
	if (n != sizeof(*pid))
		return n < 0 && (errno == EAGAIN || errno == EINTR) ? -EAGAIN : -EPIPE;
	if (c && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(fd, CMSG_DATA(c), sizeof(*fd));
	return 0;
}

/* Send those beside the executable, as seen below root. */
static void send_beside(int socket, pid_t pid, int root, const char *exe)
{
	char path[2 * PATH_MAX];
	const char *slash = strrchr(exe, '/');

	for (size_t i = 0; slash && root >= 0 && runtime_start_file(i); i++) {
		int fd;

		snprintf(path, sizeof(path), "%.*s/%s", (int)(slash - exe), exe, runtime_start_file(i));
		fd = proc_open_under(root, path);
		if (fd < 0)
			continue;
		send_file(socket, pid, fd);
		close(fd);
	}
}

static bool read_link(pid_t pid, const char *name, char out[PATH_MAX])
{
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/%s", (int)pid, name);
	n = readlink(link, out, PATH_MAX - 1);
	out[n > 0 ? n : 0] = 0;
	return n > 0;
}

/*
 * The path of its executable is as we see it: below our root, or, where a file system is mounted that only it
 * has, below its own, whose path is seen in the same way.
 */
static void look_beside(int socket, pid_t pid)
{
	char exe[PATH_MAX], top[PATH_MAX];
	int own = proc_root_open(getpid()), its = proc_root_open(pid);
	size_t n;

	if (read_link(pid, "exe", exe) && read_link(pid, "root", top)) {
		n = strcmp(top, "/") ? strlen(top) : 0;
		send_beside(socket, pid, own, exe);
		if (!strncmp(exe, top, n))
			send_beside(socket, pid, its, exe + n);
		if (runtime_has_launcher(NULL, strrchr(exe, '/') + 1))
			send_file(socket, pid, -1);
	}
	if (own >= 0)
		close(own);
	if (its >= 0)
		close(its);
}

_Noreturn void gate_files_run(int socket, int execs, pid_t root, pid_t except)
{
	for (;;) {
		struct pollfd p[] = {{.fd = socket, .events = POLLIN}, {.fd = execs, .events = POLLIN}};
		pid_t pid;

		if (poll(p, execs < 0 ? 1 : 2, -1) < 0 && errno != EINTR)
			_exit(1);
		if (p[0].revents)
			_exit(0);
		if (execs < 0 || !p[1].revents)
			continue;
		pid = read_exec(execs);
		if (pid > 0 && proc_descends(pid, root, except))
			look_beside(socket, pid);
	}
}
