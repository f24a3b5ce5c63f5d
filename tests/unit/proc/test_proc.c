/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* /proc readers against real child processes: odd names, files deleted or replaced, chroots, 32 bit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/util.h"
#include "proc/proc.h"

/* A child that ran fn, told its result, and waits to be killed. */
struct child {
	pid_t pid;
	uint64_t result;
};

static struct child spawn(uint64_t (*fn)(const char *), const char *arg)
{
	struct child c;
	int pipe_fd[2];

	assert_int_equal(pipe2(pipe_fd, O_CLOEXEC), 0);
	c.pid = fork();
	assert_true(c.pid >= 0);
	if (!c.pid) {
		uint64_t result;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		result = fn(arg);
		if (write(pipe_fd[1], &result, sizeof(result)) != sizeof(result))
			_exit(1);
		for (;;)
			pause();
	}
	close(pipe_fd[1]);
	assert_int_equal(read(pipe_fd[0], &c.result, sizeof(c.result)), sizeof(c.result));
	close(pipe_fd[0]);
	return c;
}

static void reap(const struct child *c)
{
	kill(c->pid, SIGKILL);
	waitpid(c->pid, NULL, 0);
}

static uint64_t nothing(const char *arg)
{
	(void)arg;
	return 0;
}

/* A fresh directory; the group's teardown removes them all. */
static char base_dir[] = "/tmp/jnitrace-proc-XXXXXX";

static int make_base(void **state)
{
	(void)state;
	return mkdtemp(base_dir) ? 0 : -1;
}

static int remove_base(void **state)
{
	char cmd[128];

	(void)state;
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", base_dir);
	return system(cmd);
}

static void in_base(char *path, const char *name)
{
	snprintf(path, PATH_MAX, "%s/%s", base_dir, name);
}

/* A file of two pages: an ELF magic, then text. */
static void make_file(const char *path, const char *text)
{
	char content[8192] = ELFMAG;
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0755);

	assert_true(fd >= 0);
	snprintf(content + SELFMAG, sizeof(content) - SELFMAG, "%s", text);
	assert_int_equal(write(fd, content, sizeof(content)), sizeof(content));
	close(fd);
}

/* May this process follow map_files links at all? */
static bool may_map_files(void)
{
	struct proc_maps maps;
	char path[64];
	int fd = -1;

	assert_int_equal(proc_maps_read(getpid(), &maps), 0);
	for (size_t i = 0; i < maps.n && fd < 0 && errno != EPERM; i++) {
		snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx", maps.v[i].start, maps.v[i].end);
		fd = open(path, O_PATH);
	}
	proc_maps_free(&maps);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* Identity */

static void test_id_of_self(void **state)
{
	struct proc_id id, again;

	(void)state;
	assert_int_equal(proc_id_read(getpid(), &id), 0);
	assert_int_equal(id.pid, getpid());
	assert_true(id.start_time_ticks > 0);
	assert_int_equal(proc_id_read(getpid(), &again), 0);
	assert_int_equal(id.start_time_ticks, again.start_time_ticks);
	assert_true(proc_id_alive(&id));
	again.start_time_ticks++; /* the pid was reused */
	assert_false(proc_id_alive(&again));
}

static uint64_t set_name(const char *name)
{
	return prctl(PR_SET_NAME, name);
}

static void test_id_odd_names(void **state)
{
	static const char *const names[][2] = {
	    {"a b) Z 1 2 (", "a b) Z 1 2 ("},
	    {") R 9 9 9 9 9", ") R 9 9 9 9 9"},
	    {"nl\nbs\\n\\", "nl?bs\\n\\"},
	    {"\033[2Jred", "?[2Jred"},
	    {"", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct child c = spawn(set_name, names[i][0]);
		struct proc_id plain, id;

		assert_int_equal(proc_id_read(getpid(), &plain), 0);
		assert_int_equal(proc_id_read(c.pid, &id), 0);
		assert_string_equal(id.comm, names[i][1]);
		assert_true(id.start_time_ticks >= plain.start_time_ticks);
		assert_true(id.start_time_ticks < plain.start_time_ticks + 100000);
		reap(&c);
	}
}

static void test_id_gone(void **state)
{
	struct child c = spawn(nothing, NULL);
	struct proc_id id, none;
	struct proc_maps maps;
	siginfo_t si;

	(void)state;
	assert_int_equal(proc_id_read(c.pid, &id), 0);
	assert_true(proc_id_alive(&id));
	kill(c.pid, SIGKILL);
	assert_int_equal(waitid(P_PID, c.pid, &si, WEXITED | WNOWAIT), 0); /* a zombie now */
	assert_false(proc_id_alive(&id));
	assert_int_equal(proc_id_read(c.pid, &none), -ESRCH);
	assert_int_equal(proc_maps_read(c.pid, &maps), -ESRCH);
	assert_int_equal(maps.n, 0);
	waitpid(c.pid, NULL, 0);
	assert_false(proc_id_alive(&id));
	assert_int_equal(proc_id_read(c.pid, &none), -ESRCH);
	assert_int_equal(proc_maps_read(c.pid, &maps), -ESRCH);
	assert_int_equal(proc_id_read(0, &none), -ESRCH);
	assert_int_equal(proc_id_read(-1, &none), -ESRCH);
	assert_int_equal(proc_elf_class(c.pid), -ESRCH);
	assert_int_equal(proc_open_in_root(c.pid, "/etc/passwd"), -ESRCH);
}

static void *thread_main(void *arg)
{
	*(pid_t *)arg = syscall(SYS_gettid);
	pause();
	return NULL;
}

static uint64_t start_thread(const char *arg)
{
	static volatile pid_t tid;
	pthread_t t;

	(void)arg;
	pthread_create(&t, NULL, thread_main, (void *)&tid);
	while (!tid)
		usleep(1000);
	return tid;
}

static void test_id_of_thread(void **state)
{
	struct child c = spawn(start_thread, NULL);
	struct proc_id id;

	(void)state;
	assert_int_equal(proc_id_read((pid_t)c.result, &id), -ESRCH);
	assert_int_equal(proc_id_read(c.pid, &id), 0);
	reap(&c);
}

static void test_list(void **state)
{
	struct child c = spawn(nothing, NULL), zombie = spawn(nothing, NULL);
	bool has_self = false, has_child = false;
	struct pid_list list;
	siginfo_t si;

	(void)state;
	kill(zombie.pid, SIGKILL);
	assert_int_equal(waitid(P_PID, zombie.pid, &si, WEXITED | WNOWAIT), 0);
	assert_int_equal(proc_list(&list), 0);
	for (size_t i = 0; i < list.n; i++) {
		char path[64], target[8];

		has_self |= list.v[i] == getpid();
		has_child |= list.v[i] == c.pid;
		assert_int_not_equal(list.v[i], zombie.pid);
		/* a kernel thread has no executable */
		snprintf(path, sizeof(path), "/proc/%d/exe", list.v[i]);
		if (readlink(path, target, sizeof(target)) < 0 && errno == ENOENT) {
			struct proc_id id;
			int rc = 0;

			/* it is ending just now: soon it is gone */
			for (int ms = 0; ms < 2000 && !rc; ms += 10) {
				rc = proc_id_read(list.v[i], &id);
				usleep(10000);
			}
			assert_int_equal(rc, -ESRCH);
		}
	}
	assert_true(has_self && has_child);
	free(list.v);
	reap(&c);
	reap(&zombie);
}

/* Mappings */

static uint64_t map_it(const char *path)
{
	int fd = open(path, O_RDONLY);
	void *p = mmap(NULL, 8192, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);

	close(fd);
	return p == MAP_FAILED ? 0 : (uintptr_t)p;
}

static const struct mapping *mapping_of(const struct child *c, struct proc_maps *maps)
{
	const struct mapping *m;

	assert_int_equal(proc_maps_read(c->pid, maps), 0);
	assert_int_equal(maps->pid, c->pid);
	m = proc_maps_find(maps, c->result);
	assert_non_null(m);
	assert_int_equal(m->start, c->result);
	return m;
}

static void test_maps_odd_paths(void **state)
{
	static const char *const names[] = {
	    "plain",  "with space",         "  two  ",      "new\nline", "back\\slash",
	    "tail\n", "not (deleted) here", "\xff\xfe\033",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char path[PATH_MAX];
		struct proc_maps maps;
		const struct mapping *m;
		struct child c;
		struct stat st;

		in_base(path, names[i]);
		make_file(path, "x");
		assert_int_equal(stat(path, &st), 0);
		c = spawn(map_it, path);
		m = mapping_of(&c, &maps);
		assert_string_equal(m->path, path);
		assert_false(m->deleted);
		assert_int_equal(m->ino, st.st_ino);
		assert_int_equal(m->end - m->start, 8192);
		assert_int_equal(m->offset, 0);
		assert_true(m->readable && m->executable && !m->writable);
		proc_maps_free(&maps);

		assert_int_equal(unlink(path), 0);
		m = mapping_of(&c, &maps);
		assert_string_equal(m->path, path);
		assert_true(m->deleted);
		proc_maps_free(&maps);
		reap(&c);
	}
}

static uint64_t map_anonymous(const char *arg)
{
	(void)arg;
	/* two pages with a hole after them */
	char *p = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	munmap(p + 2 * 4096, 4096);
	memset(p, 'a', 2 * 4096);
	strcpy(p, "hello");
	strcpy(p + 2 * 4096 - 4, "end");
	return (uintptr_t)p;
}

static uint64_t map_memfd(const char *name)
{
	int fd = memfd_create(name, 0);

	if (ftruncate(fd, 4096))
		return 0;
	return (uintptr_t)mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
}

static uint64_t map_dev_zero(const char *arg)
{
	(void)arg;
	return (uintptr_t)mmap(NULL, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

static uint64_t grow_heap(const char *arg)
{
	(void)arg;
	return (uintptr_t)sbrk(8192);
}

static void test_maps_without_file(void **state)
{
	struct proc_maps maps;
	const struct mapping *m;
	struct child c;

	(void)state;
	c = spawn(map_memfd, "jit code");
	m = mapping_of(&c, &maps);
	assert_string_equal(m->path, "/memfd:jit code");
	assert_true(m->deleted);
	proc_maps_free(&maps);
	reap(&c);

	c = spawn(map_dev_zero, NULL);
	m = mapping_of(&c, &maps);
	assert_string_equal(m->path, "/dev/zero");
	assert_true(m->deleted);
	proc_maps_free(&maps);
	reap(&c);

	c = spawn(grow_heap, NULL);
	assert_int_equal(proc_maps_read(c.pid, &maps), 0);
	m = proc_maps_find(&maps, c.result);
	assert_non_null(m);
	assert_null(m->path);
	assert_int_equal(m->ino, 0);
	assert_int_equal(m->dev, 0);
	assert_true(m->readable && m->writable && !m->executable);
	assert_int_equal(proc_open_mapping(c.pid, m), -ENOENT);
	proc_maps_free(&maps);
	assert_null(maps.v);
	reap(&c);
}

static void test_maps_find(void **state)
{
	struct mapping v[] = {
	    {.start = 0x1000, .end = 0x2000},
	    {.start = 0x2000, .end = 0x3000},
	    {.start = 0x5000, .end = 0x6000},
	};
	struct proc_maps maps = {v, 3, 3, 0}, none = {0};

	(void)state;
	assert_null(proc_maps_find(&maps, 0xfff));
	assert_ptr_equal(proc_maps_find(&maps, 0x1000), &v[0]);
	assert_ptr_equal(proc_maps_find(&maps, 0x1fff), &v[0]);
	assert_ptr_equal(proc_maps_find(&maps, 0x2000), &v[1]);
	assert_null(proc_maps_find(&maps, 0x3000));
	assert_null(proc_maps_find(&maps, 0x4fff));
	assert_ptr_equal(proc_maps_find(&maps, 0x5fff), &v[2]);
	assert_null(proc_maps_find(&maps, 0x6000));
	assert_null(proc_maps_find(&maps, UINT64_MAX));
	assert_null(proc_maps_find(&none, 0x1000));
}

/* Real addresses are sorted whatever the kernel lists: every address of every mapping is found. */
static void test_maps_find_all(void **state)
{
	struct proc_maps maps;

	(void)state;
	assert_int_equal(proc_maps_read(getpid(), &maps), 0);
	assert_true(maps.n > 5);
	for (size_t i = 0; i < maps.n; i++) {
		assert_ptr_equal(proc_maps_find(&maps, maps.v[i].start), &maps.v[i]);
		assert_ptr_equal(proc_maps_find(&maps, maps.v[i].end - 1), &maps.v[i]);
	}
	proc_maps_free(&maps);
}

/* The file as a profiler maps it (data, lower), then as the loader does (first page, then code). */
static uint64_t map_as_library(const char *path)
{
	int fd = open(path, O_RDONLY);
	char *room = mmap(NULL, 16 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *image = room + 8 * 4096;

	mmap(room, 4096, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0);
	mmap(image, 4096, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0);
	mmap(image + 4096, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, fd, 4096);
	close(fd);
	return (uintptr_t)image;
}

static uint64_t map_data_only(const char *path)
{
	int fd = open(path, O_RDONLY);
	char *p = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, fd, 0);

	close(fd);
	return (uintptr_t)p;
}

static void test_find_library(void **state)
{
	static const char *const names[] = {"libother.so", "lib j vm.so", NULL};
	static const char *const none[] = {"vm.so", "lib j vm.s", NULL};
	char path[PATH_MAX];
	struct proc_maps maps;
	const struct mapping *m;
	struct child c;
	int fd;

	(void)state;
	in_base(path, "lib j vm.so");
	make_file(path, "x");
	c = spawn(map_as_library, path);
	assert_int_equal(proc_maps_read(c.pid, &maps), 0);
	m = proc_maps_find_library(&maps, names, NULL);
	assert_non_null(m);
	assert_int_equal(m->start, c.result);
	assert_null(proc_maps_find_library(&maps, none, NULL));
	proc_maps_free(&maps);
	assert_int_equal(unlink(path), 0); /* updated under a running VM */
	assert_int_equal(proc_maps_read(c.pid, &maps), 0);
	m = proc_maps_find_library(&maps, names, NULL);
	assert_non_null(m);
	assert_int_equal(m->start, c.result);
	proc_maps_free(&maps);
	reap(&c);

	make_file(path, "x");
	c = spawn(map_data_only, path); /* read, not loaded */
	assert_int_equal(proc_maps_read(c.pid, &maps), 0);
	assert_null(proc_maps_find_library(&maps, names, NULL));
	proc_maps_free(&maps);
	reap(&c);

	fd = open(path, O_WRONLY); /* no ELF magic */
	assert_int_equal(pwrite(fd, "junk", 4, 0), 4);
	close(fd);
	c = spawn(map_as_library, path);
	assert_int_equal(proc_maps_read(c.pid, &maps), 0);
	assert_null(proc_maps_find_library(&maps, names, NULL));
	proc_maps_free(&maps);
	reap(&c);
}

/* Files behind mappings */

static void check_content(int fd, const char *text)
{
	char got[64] = {0};

	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_true(pread(fd, got, sizeof(got) - 1, SELFMAG) > 0);
	assert_string_equal(got, text);
	close(fd);
}

static void test_open_mapping(void **state)
{
	char path[PATH_MAX], other[PATH_MAX], by_path[PATH_MAX];
	bool map_files = may_map_files();
	struct proc_maps maps;
	const struct mapping *m;
	struct mapping wrong;
	struct child c;
	int fd;

	(void)state;
	in_base(path, "mapped file");
	in_base(other, "other file");
	make_file(path, "first");
	c = spawn(map_it, path);
	m = mapping_of(&c, &maps);
	check_content(proc_open_mapping(c.pid, m), "first");
	fd = proc_hold_mapping(c.pid, m, by_path, sizeof(by_path));
	check_content(open(by_path, O_RDONLY | O_CLOEXEC), "first");
	check_content(fd, "first");
	assert_int_equal(proc_hold_mapping(c.pid, m, by_path, 15), -ENAMETOOLONG);

	/* map_files fails for a range that is not one: then the path, if it is the same inode */
	wrong = *m;
	wrong.end += 4096;
	check_content(proc_open_mapping(c.pid, &wrong), "first");
	wrong.ino++;
	assert_int_equal(proc_open_mapping(c.pid, &wrong), -ESTALE);
	assert_int_equal(proc_hold_mapping(c.pid, &wrong, by_path, sizeof(by_path)), -ESTALE);
	wrong = *m;
	wrong.ino++; /* also what map_files gives is checked */
	assert_int_equal(proc_open_mapping(c.pid, &wrong), map_files ? -ESTALE : -EPERM);

	/* replaced: the mapped one, never the new one */
	make_file(other, "second");
	assert_int_equal(rename(other, path), 0);
	fd = proc_open_mapping(c.pid, m);
	if (map_files) {
		check_content(fd, "first");
		fd = proc_hold_mapping(c.pid, m, by_path, sizeof(by_path));
		check_content(open(by_path, O_RDONLY | O_CLOEXEC), "first");
		close(fd);
	} else {
		assert_int_equal(fd, -EPERM);
	}
	wrong = *m;
	wrong.end += 4096;
	assert_int_equal(proc_open_mapping(c.pid, &wrong), -ESTALE);

	/* deleted */
	assert_int_equal(unlink(path), 0);
	fd = proc_open_mapping(c.pid, m);
	if (map_files)
		check_content(fd, "first");
	else
		assert_int_equal(fd, -EPERM);
	assert_int_equal(proc_open_mapping(c.pid, &wrong), -ENOENT);
	proc_maps_free(&maps);
	reap(&c);
}

/* The target's root */

/* Become a process with another root; without privilege through a user namespace. */
static uint64_t enter_root(const char *root)
{
	if (geteuid() && unshare(CLONE_NEWUSER))
		return 0;
	return !chroot(root) && !chdir("/");
}

static uint64_t enter_root_and_map(const char *root)
{
	return enter_root(root) ? map_it("/lib dir/lib.so") : 0;
}

static void make_root(char *root)
{
	char path[PATH_MAX];

	in_base(root, "root");
	if (!access(root, F_OK))
		return;
	assert_int_equal(mkdir(root, 0755), 0);
	in_base(path, "root/lib dir");
	assert_int_equal(mkdir(path, 0755), 0);
	in_base(path, "root/lib dir/lib.so");
	make_file(path, "inside");
	in_base(path, "outside");
	make_file(path, "outside");
	in_base(path, "root/outside");
	make_file(path, "inside too");
	in_base(path, "root/absolute");
	assert_int_equal(symlink("/lib dir/lib.so", path), 0);
	in_base(path, "root/climbing");
	assert_int_equal(symlink("../../../outside", path), 0);
	in_base(path, "root/loop");
	assert_int_equal(symlink("loop", path), 0);
	in_base(path, "root/fifo");
	assert_int_equal(mkfifo(path, 0644), 0);
}

static void test_open_in_root(void **state)
{
	char root[PATH_MAX];
	struct child c;

	(void)state;
	make_root(root);
	c = spawn(enter_root, root);
	assert_int_equal(c.result, 1);
	check_content(proc_open_in_root(c.pid, "/lib dir/lib.so"), "inside");
	check_content(proc_open_in_root(c.pid, "lib dir/lib.so"), "inside");
	check_content(proc_open_in_root(c.pid, "/absolute"), "inside");
	check_content(proc_open_in_root(c.pid, "/climbing"), "inside too");
	check_content(proc_open_in_root(c.pid, "/../outside"), "inside too");
	assert_int_equal(proc_open_in_root(c.pid, "/loop"), -ELOOP);
	assert_int_equal(proc_open_in_root(c.pid, "/nothing"), -ENOENT);
	assert_int_equal(proc_open_in_root(c.pid, ""), -ENOENT);
	assert_int_equal(proc_open_in_root(c.pid, "/lib dir"), -EINVAL);
	alarm(20); /* a FIFO opened without a writer waits for ever */
	assert_int_equal(proc_open_in_root(c.pid, "/fifo"), -EINVAL);
	alarm(0);
	reap(&c);
	/* devices, and the magic links of /proc that leave any root */
	assert_int_equal(proc_open_in_root(getpid(), "/dev/null"), -EINVAL);
	assert_int_equal(proc_open_in_root(getpid(), "/proc/self/exe"), -ELOOP);
}

#define NR_RACES 2000

/* A root whose links change as fast as they can, between a file inside and what is outside. */
struct racer {
	char dir[PATH_MAX];
	bool stop;
};

static void *race(void *arg)
{
	static const char *const to[] = {"../outside", "/lib dir/lib.so",       "../../../../../../outside",
					 "/fifo",      "lib dir/../../outside", "/proc/self/root/etc/passwd"};
	struct racer *r = arg;
	char link[PATH_MAX + 16], next[PATH_MAX + 16];

	snprintf(link, sizeof(link), "%s/turning", r->dir);
	snprintf(next, sizeof(next), "%s/next", r->dir);
	for (size_t i = 0; !__atomic_load_n(&r->stop, __ATOMIC_RELAXED); i++) {
		unlink(next);
		if (symlink(to[i % ARRAY_LEN(to)], next) || rename(next, link))
			return r;
	}
	return NULL;
}

/* Whatever a link becomes while it is followed: nothing outside is opened, as inotify would say. */
static void test_links_that_turn(void **state)
{
	char root[PATH_MAX], outside[PATH_MAX], event[512];
	int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK), inside = 0;
	struct racer r = {0};
	struct child c;
	pthread_t t;
	void *failed;

	(void)state;
	make_root(root);
	in_base(outside, "outside");
	snprintf(r.dir, sizeof(r.dir), "%s", root);
	assert_true(inotify_add_watch(watch, outside, IN_OPEN) >= 0);
	c = spawn(enter_root, root);
	assert_int_equal(pthread_create(&t, NULL, race, &r), 0);
	for (int i = 0; i < NR_RACES || !inside; i++) {
		char got[16] = "";
		int fd = proc_open_in_root(c.pid, "/turning");

		if (fd < 0)
			continue;
		assert_true(pread(fd, got, sizeof(got) - 1, SELFMAG) > 0);
		assert_memory_equal(got, "inside", 6);
		inside++;
		close(fd);
	}
	__atomic_store_n(&r.stop, true, __ATOMIC_RELAXED);
	pthread_join(t, &failed);
	assert_null(failed);
	assert_int_equal(read(watch, event, sizeof(event)), -1);
	/* the witness sees who does open it */
	check_content(open(outside, O_RDONLY | O_CLOEXEC), "outside");
	assert_true(read(watch, event, sizeof(event)) > 0);
	close(watch);
	reap(&c);
}

static void test_maps_in_root(void **state)
{
	char root[PATH_MAX];
	struct proc_maps maps;
	struct mapping moved;
	const struct mapping *m;
	struct child c;

	(void)state;
	make_root(root);
	c = spawn(enter_root_and_map, root);
	assert_int_not_equal(c.result, 0);
	m = mapping_of(&c, &maps);
	assert_string_equal(m->path, "/lib dir/lib.so"); /* as the target sees it */
	check_content(proc_open_mapping(c.pid, m), "inside");
	moved = *m;
	moved.end += 4096; /* not by map_files */
	check_content(proc_open_mapping(c.pid, &moved), "inside");
	proc_maps_free(&maps);
	reap(&c);
}

/* Memory */

static void test_read(void **state)
{
	struct child c = spawn(map_anonymous, NULL);
	uint64_t p = c.result;
	char got[8192];

	(void)state;
	assert_int_equal(proc_read(c.pid, p, got, 6), 0);
	assert_string_equal(got, "hello");
	memset(got, 0, sizeof(got));
	assert_int_equal(proc_read(c.pid, p, got, sizeof(got)), 0);
	assert_int_equal(got[4096], 'a');
	assert_string_equal(got + sizeof(got) - 4, "end");
	assert_int_equal(proc_read(c.pid, p, got, 0), 0);
	assert_int_equal(proc_read(c.pid, p + 4096, got, 4097), -EFAULT); /* the last byte is in the hole */
	assert_int_equal(proc_read(c.pid, p + 8192, got, 1), -EFAULT);
	assert_int_equal(proc_read(c.pid, 0, got, 1), -EFAULT);
	assert_int_equal(proc_read(c.pid, UINT64_MAX - 1, got, 8), -EFAULT);
	assert_int_equal(proc_read(c.pid, 1ULL << 63, got, 8), -EFAULT);
	reap(&c);
	assert_int_equal(proc_read(c.pid, p, got, 1), -ESRCH);
}

static char big[5 << 20];

static uint64_t fill_big(const char *arg)
{
	(void)arg;
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (char)(i * 7 + i / 4096);
	return (uintptr_t)big;
}

static void test_read_big(void **state)
{
	struct child c = spawn(fill_big, NULL);
	char *got = malloc(sizeof(big));

	(void)state;
	assert_non_null(got);
	assert_int_equal(proc_read(c.pid, c.result, got, sizeof(big)), 0);
	for (size_t i = 0; i < sizeof(big); i++)
		if (got[i] != (char)(i * 7 + i / 4096))
			fail_msg("byte %zu", i);
	free(got);
	reap(&c);
}

static void test_read_str(void **state)
{
	struct child c = spawn(map_anonymous, NULL);
	uint64_t p = c.result;
	char got[16], large[5000];

	(void)state;
	assert_int_equal(proc_read_str(c.pid, p, got, sizeof(got)), 5);
	assert_string_equal(got, "hello");
	assert_int_equal(proc_read_str(c.pid, p, got, 6), 5); /* just fits */
	assert_string_equal(got, "hello");
	assert_int_equal(proc_read_str(c.pid, p, got, 5), -ENAMETOOLONG);
	assert_string_equal(got, "hell");
	assert_int_equal(proc_read_str(c.pid, p, got, 1), -ENAMETOOLONG);
	assert_string_equal(got, "");
	assert_int_equal(proc_read_str(c.pid, p, got, 0), -EINVAL);
	/* the string ends where the memory does */
	assert_int_equal(proc_read_str(c.pid, p + 8192 - 4, got, sizeof(got)), 3);
	assert_string_equal(got, "end");
	/* across a page */
	assert_int_equal(proc_read_str(c.pid, p + 4090, large, sizeof(large)), 8192 - 1 - 4090);
	assert_int_equal(proc_read_str(c.pid, p + 8192, got, sizeof(got)), -EFAULT);
	assert_string_equal(got, "");
	assert_int_equal(proc_read_str(c.pid, UINT64_MAX, got, sizeof(got)), -EFAULT);
	reap(&c);
}

/* Executables */

/* A static 32-bit x86 program of ten bytes that does nothing but pause(). */
static void make_exe32(const char *path)
{
	static const uint8_t code[] = {0xb8, 0x1d, 0, 0, 0, 0xcd, 0x80, 0xeb, 0xf7};
	struct {
		Elf32_Ehdr eh;
		Elf32_Phdr ph;
		uint8_t code[sizeof(code)];
	} f = {
	    .eh = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, EV_CURRENT},
		   .e_type = ET_EXEC,
		   .e_machine = EM_386,
		   .e_version = EV_CURRENT,
		   .e_entry = 0x8048000 + offsetof(__typeof__(f), code),
		   .e_phoff = sizeof(f.eh),
		   .e_ehsize = sizeof(f.eh),
		   .e_phentsize = sizeof(f.ph),
		   .e_phnum = 1},
	    .ph = {.p_type = PT_LOAD,
		   .p_vaddr = 0x8048000,
		   .p_filesz = sizeof(f),
		   .p_memsz = sizeof(f),
		   .p_flags = PF_R | PF_X,
		   .p_align = 4096},
	};
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);

	memcpy(f.code, code, sizeof(code));
	assert_int_equal(write(fd, &f, sizeof(f)), sizeof(f));
	close(fd);
}

static void test_elf_class(void **state)
{
	char path[PATH_MAX];
	int rc = ELFCLASS64, status;
	pid_t pid;

	(void)state;
	assert_int_equal(proc_elf_class(getpid()), ELFCLASS64);
	in_base(path, "exe32");
	make_exe32(path);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl(path, path, NULL);
		_exit(errno == ENOEXEC ? 42 : 1);
	}
	for (int i = 0; i < 500 && rc == ELFCLASS64; i++) {
		usleep(10000); /* until it is executed */
		rc = proc_elf_class(pid);
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	if (WIFEXITED(status)) {
		assert_int_equal(WEXITSTATUS(status), 42);
		print_message("this kernel runs no 32-bit programs\n");
		return;
	}
	assert_int_equal(rc, ELFCLASS32);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_id_of_self),
	    cmocka_unit_test(test_id_odd_names),
	    cmocka_unit_test(test_id_gone),
	    cmocka_unit_test(test_id_of_thread),
	    cmocka_unit_test(test_list),
	    cmocka_unit_test(test_maps_odd_paths),
	    cmocka_unit_test(test_maps_without_file),
	    cmocka_unit_test(test_maps_find),
	    cmocka_unit_test(test_maps_find_all),
	    cmocka_unit_test(test_find_library),
	    cmocka_unit_test(test_open_mapping),
	    cmocka_unit_test(test_open_in_root),
	    cmocka_unit_test(test_links_that_turn),
	    cmocka_unit_test(test_maps_in_root),
	    cmocka_unit_test(test_read),
	    cmocka_unit_test(test_read_big),
	    cmocka_unit_test(test_read_str),
	    cmocka_unit_test(test_elf_class),
	};

	return cmocka_run_group_tests_name("proc", tests, make_base, remove_base);
}
