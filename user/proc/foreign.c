/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "proc/foreign.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/util.h"
#include "proc/areas.h"
#include "proc/open.h"

#define DATA_BYTES  (1U << 20)
#define PAGE_BYTES  4096
#define PIECES      1024           /* IOV_MAX */
#define PATIENCE_NS 400000000      /* less than half an interval; a disk that is busy takes some 10 ms */
#define LATE_NS     100000000      /* of waiting for all that does not answer, after a signal; */
#define LATE_LEAST  20000000       /* then for each; and what is answered within that counts for nothing */
#define BUSY_NS     20000000       /* a reader that can run waits for a CPU, and for nobody else */
#define IDLE_MS     1000           /* a file is not kept open for longer */
#define MAX_STUCK   64             /* readers and helpers */
#define HOLE_NS     20000000       /* where nothing was mapped, something may be by now; */
#define HOLE_TIMES  20             /* nor for more than a twentieth of the time, where much is mapped; */
#define AREAS_NS    30000000000ULL /* and elsewhere something else */

enum op { OP_MEMORY, OP_AREAS, OP_TEXT, OP_MAPPING, OP_FILE, OP_DIR, OP_LINK, OP_PREAD, OP_TOUCH, OP_LIST };

/* A question and its answer, in memory that both processes have. */
struct exchange {
	enum op op;
	pid_t pid;
	bool has_map;
	struct mapping map; /* its path: */
	char path[PATH_MAX];
	uint64_t at;
	dev_t dev; /* of the file that is read, to know it again */
	ino_t ino;
	size_t bytes, n_from;
	struct iovec from[PIECES];

	int64_t rc;   /* bytes or 0, or -errno */
	bool answers; /* open_answers() */
	_Alignas(8) uint8_t data[DATA_BYTES];
};

/* Killed, and not gone yet; and what it was asked. */
struct stuck {
	pid_t pid;
	uint64_t key;
};

/* Of this process, as its descriptors are: who asks has a pid or an fd, and nothing to hang this on. */
static struct {
	pid_t owner; /* who has it: after a fork it is the parent's */
	pid_t pid;   /* 0: none runs */
	int socket, stop_fd;
	bool ends; /* see foreign_end_when_stopped() */
	struct areas_book areas;
	struct exchange *x;
	bool in_place;
	uint64_t late_left_ns; /* LATE_NS when the signal came; 0: none did, or it is used up: */
	bool late;
	struct stuck stuck[MAX_STUCK];
	size_t nr_stuck;
} reader = {.stop_fd = -1};

/* --- the reader's side ---------------------------------------------------------------------------- */

/* The file that was read last: a table is read in many pieces. */
struct kept {
	int fd; /* -1: none */
	dev_t dev;
	ino_t ino;
};

static void drop_kept(struct kept *k)
{
	if (k->fd >= 0)
		close(k->fd);
	k->fd = -1;
}

static int contents_of(const struct exchange *x, int fd, struct kept *k)
{
	if (k->fd >= 0 && k->dev == x->dev && k->ino == x->ino)
		return k->fd;
	drop_kept(k);
	k->fd = open_contents(fd, 0);
	k->dev = x->dev;
	k->ino = x->ino;
	return k->fd;
}

static int64_t touch(int fd, uint64_t offset)
{
	void *p = mmap(NULL, PAGE_BYTES, PROT_READ, MAP_PRIVATE, fd, (off_t)(offset & ~(PAGE_BYTES - 1ULL)));

	if (p == MAP_FAILED)
		return -errno;
	(void)*(volatile const char *)p;
	munmap(p, PAGE_BYTES);
	return 0;
}

static int64_t list(int path_fd, struct exchange *x)
{
	int fd = open_contents(path_fd, O_DIRECTORY);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;
	size_t n = 0;

	if (!dir) {
		int rc = fd < 0 ? fd : -errno;

		if (fd >= 0)
			close(fd);
		return rc;
	}
	while ((e = readdir(dir))) {
		size_t len = strlen(e->d_name) + 1;

		if (len > sizeof(x->data) - n)
			break;
		memcpy(x->data + n, e->d_name, len);
		n += len;
	}
	closedir(dir);
	return (int64_t)n;
}

static int64_t read_text(struct exchange *x)
{
	static const char *const names[] = {[FOREIGN_CMDLINE] = "cmdline", [FOREIGN_ENVIRON] = "environ"};
	char path[64];
	size_t n = 0;
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)x->pid, names[x->at]);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	do {
		got = read(fd, x->data + n, x->bytes - n);
		n += got > 0 ? (size_t)got : 0;
	} while (got > 0 && n < x->bytes);
	if (got < 0)
		got = -errno;
	close(fd);
	return got < 0 ? got : (int64_t)n;
}

static int64_t read_memory(struct exchange *x)
{
	struct iovec to = {x->data, x->bytes};
	ssize_t got = process_vm_readv(x->pid, &to, 1, x->from, x->n_from, 0);

	return got < 0 ? -errno : got;
}

/* fd: of the question, or -1. *opened: of the answer, or -1. */
static int64_t carry_out(struct exchange *x, int fd, struct kept *k, int *opened)
{
	const struct mapping *m = x->has_map ? &x->map : NULL;
	int from;
	ssize_t got;

	x->map.path = x->path;
	switch (x->op) {
	case OP_MEMORY:
		return read_memory(x);
	case OP_AREAS:
		return areas_look(x->pid, (struct area *)(void *)x->data, DATA_BYTES / sizeof(struct area));
	case OP_TEXT:
		return read_text(x);
	case OP_MAPPING:
		*opened = open_mapping(x->pid, m);
		break;
	case OP_FILE:
		*opened = open_under(fd, x->path, m);
		break;
	case OP_DIR:
		*opened = open_dir(fd, x->path);
		break;
	case OP_LINK:
		*opened = open_link(x->path);
		break;
	case OP_LIST:
		return list(fd, x);
	case OP_PREAD:
	case OP_TOUCH:
		from = contents_of(x, fd, k);
		if (from < 0)
			return from;
		if (x->op == OP_TOUCH)
			return open_is_of_user(fd, x->pid) ? -EPERM : touch(from, x->at);
		got = pread(from, x->data, x->bytes, (off_t)x->at);
		return got < 0 ? -errno : got;
	}
	if (*opened < 0)
		return *opened;
	x->answers = open_answers(*opened);
	return 0;
}

/* One byte, and a descriptor where there is one. */
static int say(int socket, int fd)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {
	    .head = {.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))}};
	char byte = 0;
	struct iovec one = {&byte, 1};
	struct msghdr m = {.msg_iov = &one, .msg_iovlen = 1};

	if (fd >= 0) {
		memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
		m.msg_control = &control;
		m.msg_controllen = sizeof(control.room);
	}
	return sendmsg(socket, &m, MSG_NOSIGNAL) == 1 ? 0 : -errno;
}

/* 0; -EPIPE: the other side has ended. *fd: that came with it, or -1. */
static int hear(int socket, int *fd)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	char byte;
	struct iovec one = {&byte, 1};
	struct msghdr m = {.msg_iov = &one,
			   .msg_iovlen = 1,
			   .msg_control = &control,
			   .msg_controllen = sizeof(control.room)};
	const struct cmsghdr *c;
	ssize_t n;

	*fd = -1;
	do
		n = recvmsg(socket, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n != 1)
		return n < 0 ? -errno : -EPIPE;
	c = CMSG_FIRSTHDR(&m);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len == CMSG_LEN(sizeof(*fd)))
		memcpy(fd, CMSG_DATA(c), sizeof(*fd));
	return 0;
}

/* Whoever waits for the end of a pipe of the tool's does not wait for the reader, nor does a probe stay. */
static void keep_only(int socket)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; fd <= 2; fd++)
		if (null >= 0 ? dup2(null, fd) < 0 : close(fd))
			_exit(1);
	if (socket > 3)
		close_range(3, (unsigned int)socket - 1, 0);
	close_range((unsigned int)socket + 1, ~0U, 0);
}

/* The next memory of a BPF map, which a map stays for. false: there is none. */
static bool unmap_of_bpf(void)
{
	FILE *f = fopen("/proc/self/maps", "re");
	unsigned long start = 0, end = 0;
	char line[512];
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f))
		found = strstr(line, "anon_inode:bpf-map") && sscanf(line, "%lx-%lx", &start, &end) == 2;
	if (f)
		fclose(f);
	return found && !munmap((void *)start, end - start);
}

_Noreturn static void serve(int socket, struct exchange *x, pid_t parent)
{
	struct kept kept = {.fd = -1};
	int fd, opened;

	prctl(PR_SET_NAME, "jnitrace-reader");
	keep_only(socket);
	while (unmap_of_bpf())
		;
	/* Not before: who is killed while it closes the last descriptor of a probe leaves it in the target.
	 */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	for (;;) {
		struct pollfd p = {.fd = socket, .events = POLLIN};

		if (kept.fd >= 0 && poll(&p, 1, IDLE_MS) == 0)
			drop_kept(&kept);
		if (hear(socket, &fd))
			_exit(0);
		opened = -1;
		x->rc = carry_out(x, fd, &kept, &opened);
		if (say(socket, opened))
			_exit(1);
		if (opened >= 0)
			close(opened);
		if (fd >= 0)
			close(fd);
	}
}

/* --- the tool's side ------------------------------------------------------------------------------ */

/* What was inherited by a fork is the parent's. */
static void look_whose(void)
{
	pid_t self = getpid();

	if (reader.owner == self)
		return;
	if (reader.pid)
		close(reader.socket);
	if (reader.x)
		munmap(reader.x, sizeof(*reader.x));
	reader.pid = 0;
	reader.x = NULL;
	reader.nr_stuck = 0;
	reader.owner = self;
}

/* Those that have ended by now. */
static void reap(void)
{
	size_t kept = 0;

	for (size_t i = 0; i < reader.nr_stuck; i++)
		if (waitpid(reader.stuck[i].pid, NULL, WNOHANG) == 0)
			reader.stuck[kept++] = reader.stuck[i];
	reader.nr_stuck = kept;
}

static bool is_stuck(uint64_t key)
{
	if (!reader.nr_stuck)
		return false;
	reap();
	for (size_t i = 0; i < reader.nr_stuck; i++)
		if (reader.stuck[i].key == key)
			return true;
	return reader.nr_stuck == MAX_STUCK;
}

static void add_stuck(pid_t pid, uint64_t key)
{
	if (reader.nr_stuck < MAX_STUCK)
		reader.stuck[reader.nr_stuck++] = (struct stuck){pid, key};
}

static int make_exchange(void)
{
	void *p = mmap(NULL, sizeof(*reader.x), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return -ENOMEM;
	reader.x = p;
	return 0;
}

static int start(void)
{
	int pair[2], rc = 0;
	pid_t self = getpid();

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	reader.pid = fork();
	if (!reader.pid) {
		reader.in_place = true;
		serve(pair[1], reader.x, self);
	}
	if (reader.pid < 0) {
		rc = -errno;
		close(pair[0]);
		reader.pid = 0;
	}
	close(pair[1]);
	reader.socket = pair[0];
	return rc;
}

/* The question's memory, for a new one. NULL: memory is exhausted. */
static struct exchange *question(enum op op)
{
	look_whose();
	if (!reader.x && make_exchange())
		return NULL;
	reader.x->op = op;
	reader.x->has_map = false;
	return reader.x;
}

/* It keeps what it was asked until the kernel lets it go, and writes there no more that we read. */
static void leave(uint64_t key)
{
	kill(reader.pid, SIGKILL);
	close(reader.socket);
	munmap(reader.x, sizeof(*reader.x));
	reader.x = NULL;
	add_stuck(reader.pid, key);
	reader.pid = 0;
}

/* It has ended: by whoever killed it, for want of memory, by a file that shrank while it was mapped. */
static void bury(void)
{
	close(reader.socket);
	while (waitpid(reader.pid, NULL, 0) < 0 && errno == EINTR)
		;
	reader.pid = 0;
}

/* Does it run, or wait for a CPU? */
static bool is_running(pid_t pid)
{
	struct proc_times t;

	proc_thread_times(pid, pid, &t); /* a kernel without schedstat tells but whether it is ready */
	return t.ready;
}

static uint64_t patience_ns(void)
{
	if (!reader.late)
		return PATIENCE_NS;
	return reader.late_left_ns > LATE_LEAST ? reader.late_left_ns : LATE_LEAST;
}

/* 0, or -ETIMEDOUT: it does not answer. */
static int await(void)
{
	uint64_t begin = clock_ns(CLOCK_MONOTONIC), end = begin + patience_ns(), now = begin;
	bool answered;

	for (;;) {
		struct pollfd p[] = {{.fd = reader.socket, .events = POLLIN},
				     {.fd = reader.late ? -1 : reader.stop_fd, .events = POLLIN}};

		poll(p, ARRAY_LEN(p), now < end ? (int)((end - now) / 1000000) + 1 : 0);
		answered = p[0].revents != 0;
		now = clock_ns(CLOCK_MONOTONIC);
		if (answered)
			break;
		if (p[1].revents) {
			reader.late = true;
			reader.late_left_ns = LATE_NS;
			begin = now;
			end = now + LATE_NS;
		}
		if (now < end)
			continue;
		if (!is_running(reader.pid)) {
			answered = poll(p, 1, 0) > 0;
			break;
		}
		end = now + BUSY_NS;
	}
	if (reader.late && (!answered || now - begin > LATE_LEAST))
		reader.late_left_ns -= now - begin < reader.late_left_ns ? now - begin : reader.late_left_ns;
	return answered ? 0 : -ETIMEDOUT;
}

/*
 * Ask what the exchange says. key: what is not asked again while it is not answered. fd: to be sent, or -1.
 * opened: for the descriptor that is answered. As the exchange's rc.
 */
static int64_t ask(uint64_t key, int fd, int *opened)
{
	struct kept kept = {.fd = -1};
	int none, rc;

	opened = opened ?: &none;
	*opened = -1;
	if (reader.in_place) {
		int64_t done = carry_out(reader.x, fd, &kept, opened);

		drop_kept(&kept);
		return done;
	}
	if (reader.ends && reader.late)
		return -EINTR;
	if (is_stuck(key))
		return -ETIMEDOUT;
	rc = reader.pid ? 0 : start();
	rc = rc ?: say(reader.socket, fd);
	if (!rc && (rc = await())) {
		leave(key);
		return rc;
	}
	rc = rc ?: hear(reader.socket, opened);
	if (rc) {
		if (reader.pid)
			bury();
		return rc == -EPIPE ? -EIO : rc;
	}
	return reader.x->rc;
}

/* What keeps one question waiting says nothing about one of another kind. */
static uint64_t key_of(enum op op, uint64_t what)
{
	return mix64(what * 16 + (op == OP_TOUCH ? OP_PREAD : op));
}

void foreign_heed(int stop_fd)
{
	reader.stop_fd = stop_fd;
}

void foreign_end_when_stopped(void)
{
	reader.ends = true;
}

void foreign_in_place(void)
{
	look_whose();
	reader.in_place = true;
}

bool foreign_is_refused(pid_t pid)
{
	return is_stuck(key_of(OP_MEMORY, (uint64_t)pid));
}

void foreign_reap_later(pid_t pid)
{
	look_whose();
	reap();
	add_stuck(pid, 0);
}

/* --- memory --------------------------------------------------------------------------------------- */

/* A place in a list of pieces. */
struct cursor {
	const struct iovec *v;
	size_t n, i, at;
};

/* The next pieces of c, a megabyte at most. */
static void take_pieces(struct cursor *c, struct exchange *x)
{
	x->bytes = x->n_from = 0;
	while (c->i < c->n && x->n_from < PIECES && x->bytes < DATA_BYTES) {
		size_t left = c->v[c->i].iov_len - c->at, room = DATA_BYTES - x->bytes;
		size_t n = left < room ? left : room;

		if (n)
			x->from[x->n_from++] =
			    (struct iovec){(void *)((uintptr_t)c->v[c->i].iov_base + c->at),
					   n}; /* of the other process: may be 0 */
		x->bytes += n;
		c->at += n;
		if (c->at == c->v[c->i].iov_len) {
			c->i++;
			c->at = 0;
		}
	}
}

static void put(struct cursor *c, const uint8_t *data, size_t n)
{
	while (n && c->i < c->n) {
		size_t left = c->v[c->i].iov_len - c->at, some = left < n ? left : n;

		memcpy((char *)c->v[c->i].iov_base + c->at, data, some);
		data += some;
		n -= some;
		c->at += some;
		if (c->at == c->v[c->i].iov_len) {
			c->i++;
			c->at = 0;
		}
	}
}

/* Look what is mapped where. While that gets no answer, nothing of the process is read in place. */
static void look(struct areas *a, uint64_t now_ns)
{
	uint64_t began_ns = clock_ns(CLOCK_MONOTONIC);
	struct exchange *x = question(OP_AREAS);
	int64_t n = -ENOMEM;

	if (x) {
		x->pid = a->pid;
		n = ask(key_of(OP_AREAS, (uint64_t)a->pid), -1, NULL);
	}
	a->known = n >= 0 && !areas_set(a, (const struct area *)(const void *)reader.x->data, (size_t)n);
	a->looked_ns = now_ns;
	a->took_ns = clock_ns(CLOCK_MONOTONIC) - began_ns;
}

/* Is nobody to be waited for where these pieces are? */
static bool answers_by_itself(pid_t pid, const struct iovec *piece, size_t n)
{
	uint64_t now_ns = clock_ns(CLOCK_MONOTONIC_COARSE);
	struct areas *a = areas_of(&reader.areas, pid, now_ns);
	enum area_kind kind;

	if (!a)
		return false;
	kind = areas_kind(a, piece, n);
	if (!a->looked_ns ||
	    now_ns - a->looked_ns > (kind == AREA_HOLE ? HOLE_NS + HOLE_TIMES * a->took_ns : AREAS_NS)) {
		look(a, now_ns);
		kind = areas_kind(a, piece, n);
	}
	return a->known && kind != AREA_WAITS;
}

void foreign_forget(pid_t pid)
{
	areas_forget(&reader.areas, pid);
}

ssize_t foreign_memory(pid_t pid, const struct iovec *to, size_t n_to, const struct iovec *from,
		       size_t n_from)
{
	struct cursor there = {from, n_from, 0, 0}, here = {to, n_to, 0, 0};
	ssize_t done = 0;

	look_whose();
	if (n_from <= PIECES && (reader.in_place || answers_by_itself(pid, from, n_from))) {
		done = process_vm_readv(pid, to, n_to, from, n_from, 0);
		return done < 0 ? -errno : done;
	}
	for (;;) {
		struct exchange *x = question(OP_MEMORY);
		int64_t got;

		if (!x)
			return -ENOMEM;
		x->pid = pid;
		take_pieces(&there, x);
		got = x->bytes || !done ? ask(key_of(OP_MEMORY, (uint64_t)pid), -1, NULL) : 0;
		if (got < 0)
			return done ?: (ssize_t)got;
		x = reader.x;
		put(&here, x->data, (size_t)got);
		done += got;
		if ((size_t)got < x->bytes || there.i == there.n)
			return done;
	}
}

ssize_t foreign_text(pid_t pid, enum foreign_text which, char *dst, size_t n)
{
	struct exchange *x = question(OP_TEXT);
	int64_t got;

	if (!x)
		return -ENOMEM;
	x->pid = pid;
	x->at = which;
	x->bytes = n < DATA_BYTES ? n : DATA_BYTES;
	got = ask(key_of(OP_TEXT, 2 * (uint64_t)pid + which), -1, NULL);
	if (got > 0)
		memcpy(dst, reader.x->data, (size_t)got);
	/* An environment has secrets; of one that could not be read to its end nobody knows how much is
	 * there. */
	if (which == FOREIGN_ENVIRON && reader.x)
		explicit_bzero(reader.x->data, got >= 0 ? (size_t)got : reader.x->bytes);
	return got;
}

/* --- files ---------------------------------------------------------------------------------------- */

int foreign_stat(int fd, struct stat *out)
{
	struct statx x;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_BASIC_STATS, &x))
		return -errno;
	*out = (struct stat){
	    .st_dev = makedev(x.stx_dev_major, x.stx_dev_minor),
	    .st_ino = x.stx_ino,
	    .st_mode = x.stx_mode,
	    .st_uid = x.stx_uid,
	    .st_gid = x.stx_gid,
	    .st_size = (off_t)x.stx_size,
	    .st_mtim = {.tv_sec = x.stx_mtime.tv_sec, .tv_nsec = x.stx_mtime.tv_nsec},
	    .st_ctim = {.tv_sec = x.stx_ctime.tv_sec, .tv_nsec = x.stx_ctime.tv_nsec},
	};
	return 0;
}

/* The descriptor of an answer: to be read by us, where that cannot wait. */
static int finish(int64_t rc, int fd, int flags)
{
	int contents;

	if (rc < 0 || fd < 0)
		return rc < 0 ? (int)rc : -EIO;
	if (!reader.x->answers && !reader.in_place)
		return fd;
	contents = open_contents(fd, flags);
	close(fd);
	return contents;
}

static int set_path(struct exchange *x, const char *path, const struct mapping *m)
{
	size_t n = strlen(path) + 1;

	if (n > sizeof(x->path))
		return -ENAMETOOLONG;
	memcpy(x->path, path, n);
	if (m) {
		x->has_map = true;
		x->map = *m;
	}
	return 0;
}

int foreign_open_mapping(pid_t pid, const struct mapping *m)
{
	struct exchange *x = question(OP_MAPPING);
	int64_t rc;
	int fd = -1;

	if (!x)
		return -ENOMEM;
	x->pid = pid;
	rc = set_path(x, m->path, m);
	rc = rc ?: ask(key_of(OP_MAPPING, (uint64_t)pid), -1, &fd);
	return finish(rc, fd, 0);
}

int foreign_open_under(pid_t whose, int root_fd, const char *path, const struct mapping *m)
{
	struct exchange *x = question(OP_FILE);
	uint64_t what = whose ? (uint64_t)whose : fnv64(FNV64_INIT, path, strlen(path));
	int64_t rc;
	int fd = -1;

	if (!x)
		return -ENOMEM;
	rc = set_path(x, path, m);
	rc = rc ?: ask(key_of(OP_FILE, what), root_fd, &fd);
	return finish(rc, fd, 0);
}

int foreign_open_dir(pid_t whose, int root_fd, const char *path)
{
	struct exchange *x = question(OP_DIR);
	uint64_t what = whose ? (uint64_t)whose : fnv64(FNV64_INIT, path, strlen(path));
	int64_t rc;
	int fd = -1;

	if (!x)
		return -ENOMEM;
	rc = set_path(x, path, NULL);
	rc = rc ?: ask(key_of(OP_DIR, what), root_fd, &fd);
	return finish(rc, fd, O_DIRECTORY);
}

int foreign_open_executable(pid_t pid)
{
	struct exchange *x = question(OP_LINK);
	int64_t rc;
	int fd = -1;

	if (!x)
		return -ENOMEM;
	snprintf(x->path, sizeof(x->path), "/proc/%d/exe", (int)pid);
	rc = ask(key_of(OP_LINK, (uint64_t)pid), -1, &fd);
	return finish(rc, fd, 0);
}

/* Ask about the contents of a file that is only named. */
static int64_t ask_contents(struct exchange *x, int fd)
{
	struct stat st;
	int rc = foreign_stat(fd, &st);

	if (rc)
		return rc;
	x->dev = st.st_dev;
	x->ino = st.st_ino;
	return ask(key_of(OP_PREAD, st.st_dev), fd, NULL);
}

ssize_t foreign_pread(int fd, void *dst, size_t n, uint64_t offset)
{
	struct exchange *x;
	int64_t got = pread(fd, dst, n, (off_t)offset);

	if (got >= 0 || errno != EBADF)
		return got < 0 ? -errno : (ssize_t)got;
	x = question(OP_PREAD);
	if (!x)
		return -ENOMEM;
	x->at = offset;
	x->bytes = n < DATA_BYTES ? n : DATA_BYTES;
	got = ask_contents(x, fd);
	if (got > 0)
		memcpy(dst, reader.x->data, (size_t)got);
	return (ssize_t)got;
}

/* Is it one that names a file and no more? */
static bool is_named(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && flags & O_PATH;
}

int foreign_touch(pid_t pid, int fd, uint64_t offset)
{
	struct exchange *x;

	if (!is_named(fd))
		return 0;
	x = question(OP_TOUCH);
	if (!x)
		return -ENOMEM;
	x->pid = pid;
	x->at = offset;
	return (int)ask_contents(x, fd);
}

const char *foreign_why_untouched(int rc)
{
	if (rc == -EPERM)
		return "the file to be probed is on a FUSE that a user mounted, who could hold up the kernel";
	return rc == -ETIMEDOUT ? "the file to be probed: " FOREIGN_NO_ANSWER : strerror(-rc);
}

int foreign_take(int fd)
{
	int contents, rc = 0;

	if (!is_named(fd))
		return 0;
	contents = open_contents(fd, 0);
	if (contents < 0)
		return contents;
	if (dup3(contents, fd, O_CLOEXEC) < 0)
		rc = -errno;
	close(contents);
	return rc;
}

int foreign_list(int dir_fd, char **names, size_t *bytes)
{
	struct exchange *x = question(OP_LIST);
	struct stat st;
	int64_t got;
	int rc;

	*names = NULL;
	if (!x)
		return -ENOMEM;
	rc = foreign_stat(dir_fd, &st);
	got = rc ?: ask(key_of(OP_LIST, mix64(st.st_dev) ^ st.st_ino), dir_fd, NULL);
	if (got <= 0)
		return got ? (int)got : -ENOENT;
	*names = malloc((size_t)got);
	if (!*names)
		return -ENOMEM;
	memcpy(*names, reader.x->data, (size_t)got);
	*bytes = (size_t)got;
	return 0;
}
