/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Processes as /proc shows them: identity, mappings, memory, files behind mappings. */
#ifndef JNITRACE_PROC_H
#define JNITRACE_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A process is a pid and its start time; a pid alone may be reused. */
struct proc_id {
	pid_t pid;
	uint64_t start_time_ticks; /* field 22 of /proc/PID/stat, clock ticks since boot */
	char comm[64];             /* cleaned for a terminal */
};
/* -ESRCH when there is no such process (a zombie counts as gone, a thread's id is no process). */
int proc_id_read(pid_t pid, struct proc_id *out);
/* Its parent, a zombie's too; 0: of another pid namespace, or none. -ESRCH or -errno. */
pid_t proc_parent(pid_t pid);
/*
 * Is pid root, or a descendant of it, but none of except? Where root is a subreaper (prctl(2)) its parents
 * tell, also of those whose parents have ended.
 */
bool proc_descends(pid_t pid, pid_t root, pid_t except);
/* By a signal, or by a tracer (ptrace(2)). */
bool proc_is_stopped(pid_t pid);
bool proc_id_alive(const struct proc_id *id);
/*
 * Where the stack of the program that it runs begins (field 28 of /proc/PID/stat): each exec makes another
 * one, which the kernel puts where chance wants it. 0: it is gone, or nobody may know.
 */
uint64_t proc_program(pid_t pid);
/* Seconds since the process started. */
double proc_age_s(const struct proc_id *id);

struct mapping {
	uint64_t start, end, offset; /* bytes */
	uint64_t dev, ino;           /* 0 for anonymous memory */
	bool readable, writable, executable, deleted;
	char *path; /* as the target sees it, unescaped, without " (deleted)"; NULL for all without a path:
		       "[heap]" */
};
struct proc_maps {
	struct mapping *v; /* sorted by address, as the kernel lists them */
	size_t n, cap;
	pid_t pid; /* whose they are */
};
/* -ESRCH, -EACCES, -ENOMEM, -E2BIG (more than PROC_MAX_MAPPINGS lines), ...; then out is empty. */
#define PROC_MAX_MAPPINGS 262144
int proc_maps_read(pid_t pid, struct proc_maps *out);
void proc_maps_free(struct proc_maps *m);
const struct mapping *proc_maps_find(const struct proc_maps *m, uint64_t addr);
/* Is it one of names (NULL-terminated)? Of one that ends in '*' what stands before that is enough. */
bool proc_name_is_one_of(const char *name, const char *const *names);
/*
 * The mappings of a library: file-backed, some part executable, the file's base name
 * is one of names and the first bytes in memory are an ELF header.
 * Returns the mapping of the image's first bytes: of that inode, at file offset 0, the nearest below the
 * code (the file may be mapped again elsewhere as data); or NULL. after: NULL, or the one that was returned
 * before: look above it.
 */
const struct mapping *proc_maps_find_library(const struct proc_maps *m, const char *const *names,
					     const struct mapping *after);
/* Likewise of the program that runs, whatever its name; NULL: it cannot be told. */
const struct mapping *proc_maps_find_executable(const struct proc_maps *m);

/*
 * Open the very file that is mapped, whatever its path says today: through /proc/PID/map_files (works
 * for deleted and replaced files; needs CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE), else its path inside
 * /proc/PID/root. Either must be the mapping's device and inode as maps shows them (on btrfs and
 * overlayfs stat shows others, so the file is mapped here and compared in our own maps).
 * Returns an fd (O_RDONLY|O_CLOEXEC), -ESTALE (the path is another file now) or -errno.
 */
int proc_open_mapping(pid_t pid, const struct mapping *m);
/*
 * The same, and in path how this process and the kernel reach that very file, for attaching a uprobe, as long
 * as the fd is open: by a path of the target's it may have become another one in between, of all processes.
 */
#define PROC_HELD_BYTES 32
int proc_hold_mapping(pid_t pid, const struct mapping *m, char *path, size_t cap);
/*
 * Open path inside the target's root (/proc/PID/root), never outside it: symbolic links resolve
 * against that root (openat2 RESOLVE_IN_ROOT). Regular files only (others: -EINVAL, never opened).
 * Returns an fd or -errno.
 */
int proc_open_in_root(pid_t pid, const char *path);
/*
 * The target's root directory (O_PATH), to be kept: it serves when the process is gone, too, and a
 * container's file system stays as long as it is open. An fd or -errno.
 */
int proc_root_open(pid_t pid);
/* A regular file, or a directory to be read, by its path under a kept root; never outside it. An fd or
 * -errno. */
int proc_open_under(int root_fd, const char *path);
int proc_open_dir_under(int root_fd, const char *path);
/* The file that was mapped, by its path under a kept root, if it still is the same inode. An fd or -errno. */
int proc_open_mapped_file(int root_fd, const struct mapping *m);

/* Read exactly n bytes of the target's memory. 0, or -errno (-EFAULT when any byte is unmapped). */
int proc_read(pid_t pid, uint64_t addr, void *dst, size_t n);
/* A terminated string of at most cap - 1 bytes. Returns its length, -ENAMETOOLONG (dst holds the start) or
 * -errno. */
int proc_read_str(pid_t pid, uint64_t addr, char *dst, size_t cap);

/* An entry of the auxiliary vector the kernel started the process with (AT_PHDR, ...), or 0. */
uint64_t proc_auxv(pid_t pid, uint64_t type);
/* ELFCLASS32 or ELFCLASS64 of /proc/PID/exe, or -errno. */
int proc_elf_class(pid_t pid);
/* All pids of /proc. Kernel threads and zombies are left out. The caller frees v. */
struct pid_list {
	pid_t *v;
	size_t n, cap;
};
int proc_list(struct pid_list *out);
/* The same, and who each of them is. */
struct proc_ids {
	struct proc_id *v;
	size_t n, cap;
};
int proc_ids(struct proc_ids *out);

/* The threads of a process, by their ids here and in its own pid namespace, in the order of the latter. The
 * caller frees out->v. 0 or -errno. */
struct proc_thread {
	pid_t tid, own_tid;
};
struct proc_threads {
	struct proc_thread *v;
	size_t n, cap;
};
int proc_threads(pid_t pid, struct proc_threads *out);
/* The id here of the thread with that id in its own pid namespace; 0: there is none, it is gone. */
pid_t proc_tid_here(const struct proc_threads *threads, pid_t own_tid);
/* Are the ids that it uses itself others than those here? -ESRCH: it has ended. */
int proc_is_renumbered(pid_t pid);
/*
 * Where the stack of a thread that waits in a system call ends now: its stack pointer (proc(5),
 * /proc/PID/task/TID/syscall). 0; -EAGAIN: it does not wait; or -errno.
 */
int proc_thread_sp(pid_t pid, pid_t tid, uint64_t *sp);
/* A thread's name as the kernel has it, which is any bytes; returns their number, 0: it has ended. */
#define PROC_THREAD_NAME_MAX 64
size_t proc_thread_name(pid_t pid, pid_t tid, char out[PROC_THREAD_NAME_MAX]);

/*
 * What the scheduler knows of a thread (/proc/PID/task/TID/schedstat and stat): nanoseconds it has run, as of
 * the last timer tick, and was ready to run without a CPU, a wait that goes on not counted in. ready: it runs
 * or waits for a CPU. -EPROTO where the kernel does not count (CONFIG_SCHED_INFO), or -errno.
 */
struct proc_times {
	uint64_t run_ns, cpu_wait_ns;
	bool ready;
};
int proc_thread_times(pid_t pid, pid_t tid, struct proc_times *out);

/* May we look into this process? 0, -EACCES, or -ESRCH. Its mappings alone need less. */
int proc_access(pid_t pid);
/* May we look into processes of all users, but for those that the kernel protects? */
bool proc_reads_all(void);
/* What to do when we may not: a literal. */
const char *proc_access_advice(void);

#endif
