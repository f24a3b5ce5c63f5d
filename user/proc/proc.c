/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Processes as /proc shows them: identity, mappings, memory, files behind mappings. */
#include "proc/proc.h"

#include <ctype.h>
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/util.h"

#define PROC_PATH_BYTES 64         /* room for any "/proc/PID/..." made here */
#define STAT_BYTES      1024       /* /proc/PID/stat: 52 numbers and a name */
#define MAX_AUXV        64         /* entries; Linux writes about 20 */
#define PF_KTHREAD      0x00200000 /* include/linux/sched.h, unchanged since 2.6.27 */
#define MAX_PARENTS     4096       /* one above the other */
#define WALK_TRIES      8          /* while parents end */

/* The fields of /proc/PID/stat that are used here. */
struct stat_line {
	char comm[64];
	char state;
	int parent;
	unsigned int flags;
	uint64_t start_time_ticks, stack_start;
};

/* A process that is gone has no directory; one that goes while it is read says ESRCH itself. */
static int gone_errno(int err)
{
	return err == ENOENT ? -ESRCH : -err;
}

static int stat_line_read(pid_t pid, struct stat_line *out)
{
	char path[PROC_PATH_BYTES], text[STAT_BYTES];
	char *name, *name_end;
	ssize_t n;
	int fd, fields;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return gone_errno(errno);
	n = read(fd, text, sizeof(text) - 1);
	if (n < 0)
		n = gone_errno(errno);
	close(fd);
	if (n < 0)
		return (int)n;
	text[n] = '\0';

	/* The name is not escaped and may hold anything, also ") Z 1 2"; after it there are only numbers. */
	name = strchr(text, '(');
	name_end = strrchr(text, ')');
	if (!name || !name_end || name_end < name)
		return -EPROTO;
	fields = sscanf(name_end + 1,
			" %c %d %*d %*d %*d %*d %u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %" SCNu64
			" %*u %*d %*u %*u %*u %" SCNu64,
			&out->state, &out->parent, &out->flags, &out->start_time_ticks, &out->stack_start);
	if (fields != 5)
		return -EPROTO;
	text_clean(out->comm, sizeof(out->comm), name + 1, name_end - name - 1);
	return 0;
}

static bool stat_is_gone(const struct stat_line *st)
{
	return st->state == 'Z' || st->state == 'X' || st->state == 'x';
}

/* A thread other than the first has a directory in /proc too, but is no process. */
static bool is_thread_only(pid_t pid)
{
	int fd = syscall(SYS_pidfd_open, pid, 0);

	if (fd < 0)
		return errno == EINVAL || errno == ENOENT;
	close(fd);
	return false;
}

static void id_of_stat(pid_t pid, const struct stat_line *st, struct proc_id *out)
{
	out->pid = pid;
	out->start_time_ticks = st->start_time_ticks;
	_Static_assert(sizeof(out->comm) == sizeof(st->comm), "comm");
	memcpy(out->comm, st->comm, sizeof(st->comm));
}

int proc_id_read(pid_t pid, struct proc_id *out)
{
	struct stat_line st;
	int rc;

	if (pid <= 0)
		return -ESRCH;
	rc = stat_line_read(pid, &st);
	if (rc)
		return rc;
	if (stat_is_gone(&st) || is_thread_only(pid))
		return -ESRCH;
	id_of_stat(pid, &st, out);
	return 0;
}

uint64_t proc_program(pid_t pid)
{
	struct stat_line s;

	return stat_line_read(pid, &s) ? 0 : s.stack_start;
}

pid_t proc_parent(pid_t pid)
{
	struct stat_line s;
	int rc = stat_line_read(pid, &s);

	return rc ? rc : s.parent;
}

bool proc_descends(pid_t pid, pid_t root, pid_t except)
{
	for (int tries = 0; tries < WALK_TRIES; tries++) {
		pid_t at = pid;

		for (int depth = 0; depth < MAX_PARENTS && at > 1; depth++) {
			if (at == root)
				return true;
			if (at == except)
				return false;
			at = proc_parent(at); /* < 0: it has ended, and its children have another parent */
		}
		if (at >= 0)
			return false;
	}
	return false;
}

bool proc_is_stopped(pid_t pid)
{
	struct stat_line s;

	return !stat_line_read(pid, &s) && (s.state == 'T' || s.state == 't');
}

bool proc_id_alive(const struct proc_id *id)
{
	struct stat_line st;

	return !stat_line_read(id->pid, &st) && !stat_is_gone(&st) &&
	       st.start_time_ticks == id->start_time_ticks;
}

double proc_age_s(const struct proc_id *id)
{
	return clock_ns(CLOCK_BOOTTIME) / 1e9 - (double)id->start_time_ticks / sysconf(_SC_CLK_TCK);
}

/* Cut " (deleted)" and undo the one escape maps has, a newline (fs/proc/task_mmu.c, seq_path). In place. */
static void unescape_path(char *path, bool *deleted)
{
	static const char suffix[] = " (deleted)";
	size_t len = strlen(path);
	char *out = path;

	*deleted = len >= sizeof(suffix) && !strcmp(path + len - (sizeof(suffix) - 1), suffix);
	if (*deleted)
		path[len - (sizeof(suffix) - 1)] = '\0';
	for (const char *in = path; *in; out++) {
		if (!strncmp(in, "\\012", 4)) {
			*out = '\n';
			in += 4;
		} else {
			*out = *in++;
		}
	}
	*out = '\0';
}

/* The number that ends with this character, behind which *at is then. sscanf() would take ten times as long.
 */
static bool take_number(char **at, int base, char end, uint64_t *out)
{
	char *stop;

	*out = strtoull(*at, &stop, base);
	if (stop == *at || *stop != end)
		return false;
	*at = stop + 1;
	return true;
}

/* One line of maps. root: the target's root as we see it, "" when it is ours. */
static int parse_mapping(char *line, const char *root, struct mapping *m)
{
	size_t root_len = strlen(root);
	uint64_t major_nr, minor_nr;
	char *path = line, *perms;

	line[strcspn(line, "\n")] = '\0';
	if (!take_number(&path, 16, '-', &m->start) || !take_number(&path, 16, ' ', &m->end))
		return -EPROTO;
	perms = path;
	if (strnlen(perms, 5) < 5 || perms[4] != ' ')
		return -EPROTO;
	path += 5;
	if (!take_number(&path, 16, ' ', &m->offset) || !take_number(&path, 16, ':', &major_nr) ||
	    !take_number(&path, 16, ' ', &minor_nr) || !take_number(&path, 10, ' ', &m->ino) ||
	    m->start >= m->end)
		return -EPROTO;
	m->dev = makedev((unsigned int)major_nr, (unsigned int)minor_nr);
	m->readable = perms[0] == 'r';
	m->writable = perms[1] == 'w';
	m->executable = perms[2] == 'x';
	path += strspn(path, " ");
	if (path[0] != '/')
		return 0; /* anonymous, "[heap]", "[anon:...]", "anon_inode:..." */
	unescape_path(path, &m->deleted);
	if (root_len && !strncmp(path, root, root_len) && path[root_len] == '/')
		path += root_len;
	m->path = strdup(path);
	return m->path ? 0 : -ENOMEM;
}

/*
 * Is the memory there yet? When a process gives it up while its mappings are read, what is left of them looks
 * like their end (fs/proc/task_mmu.c, m_start()).
 */
static bool has_memory(FILE *maps)
{
	rewind(maps);
	return fgetc(maps) != EOF;
}

static int maps_read(const char *maps_path, const char *root, struct proc_maps *out)
{
	FILE *f = fopen(maps_path, "re");
	char *line = NULL;
	size_t cap = 0;
	int rc = 0;

	if (!f)
		return gone_errno(errno);
	errno = 0;
	while (!rc && getline(&line, &cap, f) > 0) {
		struct mapping *m = NULL;

		if (out->n == PROC_MAX_MAPPINGS)
			rc = -E2BIG;
		else if (!(m = VEC_ADD(out)))
			rc = -ENOMEM;
		else
			rc = parse_mapping(line, root, m);
		errno = 0;
	}
	if (!rc && ferror(f))
		rc = errno ? gone_errno(errno) : -EIO;
	if (!rc && (!out->n || !has_memory(f)))
		rc = -ESRCH; /* memory is gone: a zombie, or a kernel thread */
	free(line);
	fclose(f);
	if (rc)
		proc_maps_free(out);
	return rc;
}

int proc_access(pid_t pid)
{
	char link[PROC_PATH_BYTES], exe[PATH_MAX];

	snprintf(link, sizeof(link), "/proc/%d/exe", pid);
	if (readlink(link, exe, sizeof(exe)) >= 0 || errno == ENOENT) /* a kernel thread, or a zombie */
		return 0;
	return gone_errno(errno == EPERM ? EACCES : errno);
}

/* Is this capability in force for us? */
static bool is_capable(unsigned int cap)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};

	return !syscall(SYS_capget, &head, data) && data[cap / 32].effective >> cap % 32 & 1;
}

bool proc_reads_all(void)
{
	return is_capable(CAP_SYS_PTRACE);
}

const char *proc_access_advice(void)
{
	if (proc_reads_all())
		return "the kernel protects it, even from root: it is in another user namespace, or has more "
		       "privileges";
	return geteuid() ? "run as root" : "needs CAP_SYS_PTRACE, which this root does not have";
}

int proc_maps_read(pid_t pid, struct proc_maps *out)
{
	char link[PROC_PATH_BYTES], path[PROC_PATH_BYTES], root[PATH_MAX];
	ssize_t n;
	int rc;

	*out = (struct proc_maps){0};
	if (pid <= 0)
		return -ESRCH;
	/* The kernel prints paths from our root; a target in a chroot sees them without its root's path. */
	snprintf(link, sizeof(link), "/proc/%d/root", pid);
	n = readlink(link, root, sizeof(root) - 1);
	if (n < 0)
		n = 0;
	root[n] = '\0';
	if (!strcmp(root, "/"))
		root[0] = '\0';
	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	rc = maps_read(path, root, out);
	if (!rc)
		out->pid = pid;
	return rc;
}

void proc_maps_free(struct proc_maps *m)
{
	for (size_t i = 0; i < m->n; i++)
		free(m->v[i].path);
	free(m->v);
	*m = (struct proc_maps){0};
}

const struct mapping *proc_maps_find(const struct proc_maps *m, uint64_t addr)
{
	size_t lo = 0, hi = m->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (addr >= m->v[mid].end)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < m->n && addr >= m->v[lo].start ? &m->v[lo] : NULL;
}

bool proc_name_is_one_of(const char *name, const char *const *names)
{
	for (; names && *names; names++) {
		size_t n = strlen(*names);

		if (n > 0 && (*names)[n - 1] == '*' ? !strncmp(name, *names, n - 1) : !strcmp(name, *names))
			return true;
	}
	return false;
}

int proc_root_open(pid_t pid)
{
	char root[PROC_PATH_BYTES];
	int fd;

	snprintf(root, sizeof(root), "/proc/%d/root", pid);
	fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? gone_errno(errno) : fd;
}

uint64_t proc_auxv(pid_t pid, uint64_t type)
{
	Elf64_auxv_t auxv[MAX_AUXV];
	uint64_t value = 0;
	char path[64];
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/auxv", pid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	n = fread(auxv, sizeof(auxv[0]), MAX_AUXV, f);
	fclose(f);
	for (size_t i = 0; i < n && auxv[i].a_type != AT_NULL; i++)
		if (auxv[i].a_type == type)
			value = auxv[i].a_un.a_val;
	return value;
}

int proc_ids(struct proc_ids *out)
{
	struct dirent *de;
	struct stat_line st;
	DIR *dir;
	int rc = 0;

	*out = (struct proc_ids){0};
	dir = opendir("/proc");
	if (!dir)
		return -errno;
	while ((de = readdir(dir))) { /* which lists no threads */
		struct proc_id *id;
		pid_t pid;

		if (!isdigit((unsigned char)de->d_name[0]))
			continue;
		pid = atoi(de->d_name);
		if (stat_line_read(pid, &st) || stat_is_gone(&st) || (st.flags & PF_KTHREAD))
			continue;
		id = VEC_ADD(out);
		if (!id) {
			rc = -ENOMEM;
			break;
		}
		id_of_stat(pid, &st, id);
	}
	closedir(dir);
	if (rc) {
		free(out->v);
		*out = (struct proc_ids){0};
	}
	return rc;
}

int proc_list(struct pid_list *out)
{
	struct proc_ids ids;
	int rc = proc_ids(&ids);

	*out = (struct pid_list){0};
	for (size_t i = 0; i < ids.n && !rc; i++) {
		pid_t *slot = VEC_ADD(out);

		if (slot)
			*slot = ids.v[i].pid;
		else
			rc = -ENOMEM;
	}
	free(ids.v);
	if (rc) {
		free(out->v);
		*out = (struct pid_list){0};
	}
	return rc;
}

/* The last number of the line NSpid: the id in the innermost namespace. -ESRCH: it has ended. */
static pid_t own_tid(pid_t pid, pid_t tid)
{
	char path[64], line[512]; /* 33 ids of 7 digits */
	pid_t found = -ESRCH;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/status", pid, tid);
	f = fopen(path, "re");
	while (f && found < 0 && fgets(line, sizeof(line), f)) {
		char *last = strncmp(line, "NSpid:", 6) ? NULL : strrchr(line, '\t');

		if (last)
			found = (pid_t)strtol(last + 1, NULL, 10);
	}
	if (f)
		fclose(f);
	return found;
}

int proc_is_renumbered(pid_t pid)
{
	pid_t own = own_tid(pid, pid);

	return own > 0 ? own != pid : -ESRCH;
}

static int compare_own(const void *a, const void *b)
{
	const struct proc_thread *x = a, *y = b;

	return (x->own_tid > y->own_tid) - (x->own_tid < y->own_tid);
}

pid_t proc_tid_here(const struct proc_threads *threads, pid_t own_tid)
{
	const struct proc_thread wanted = {.own_tid = own_tid}, *found;

	found = threads->n ? bsearch(&wanted, threads->v, threads->n, sizeof(wanted), compare_own) : NULL;
	return found ? found->tid : 0;
}

int proc_threads(pid_t pid, struct proc_threads *out)
{
	char path[64];
	struct dirent *e;
	int rc = 0;
	DIR *dir;

	*out = (struct proc_threads){0};
	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	if (!dir)
		return -errno;
	while (!rc && (e = readdir(dir))) {
		pid_t tid = (pid_t)strtol(e->d_name, NULL, 10), own = tid > 0 ? own_tid(pid, tid) : -ESRCH;
		struct proc_thread *t = own > 0 ? VEC_ADD(out) : NULL;

		if (t)
			*t = (struct proc_thread){tid, own};
		else if (own > 0)
			rc = -ENOMEM;
	}
	closedir(dir);
	if (rc) {
		free(out->v);
		*out = (struct proc_threads){0};
	}
	if (out->n > 1)
		qsort(out->v, out->n, sizeof(*out->v), compare_own);
	return rc;
}

int proc_thread_sp(pid_t pid, pid_t tid, uint64_t *sp)
{
	char path[64], text[256], *before = NULL, *at;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/syscall", pid, tid);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	at = fgets(text, sizeof(text), f) ? strrchr(text, ' ') : NULL;
	fclose(f);
	/* "NUMBER ARGUMENT ... SP PC", or "running" */
	if (at) {
		*at = 0;
		before = strrchr(text, ' ');
	}
	*sp = before ? strtoull(before + 1, NULL, 16) : 0;
	return *sp ? 0 : -EAGAIN;
}

size_t proc_thread_name(pid_t pid, pid_t tid, char out[PROC_THREAD_NAME_MAX])
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/comm", pid, tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, out, PROC_THREAD_NAME_MAX);
	if (fd >= 0)
		close(fd);
	if (n > 0 && out[n - 1] == '\n')
		n--;
	return n > 0 ? (size_t)n : 0;
}

int proc_thread_times(pid_t pid, pid_t tid, struct proc_times *out)
{
	unsigned long long run_ns, cpu_wait_ns;
	char path[64], line[512], *end;
	FILE *f;
	int rc;

	*out = (struct proc_times){0};
	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, tid);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	end = fgets(line, sizeof(line), f) ? strrchr(line, ')') : NULL; /* its name may have one, too */
	out->ready = end && end[1] == ' ' && end[2] == 'R';
	fclose(f);
	snprintf(path, sizeof(path), "/proc/%d/task/%d/schedstat", pid, tid);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	rc = fscanf(f, "%llu %llu", &run_ns, &cpu_wait_ns) == 2 ? 0 : -EPROTO;
	fclose(f);
	if (rc)
		return rc;
	out->run_ns = run_ns;
	out->cpu_wait_ns = cpu_wait_ns;
	return 0;
}
