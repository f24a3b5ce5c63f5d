/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Files and memory of other processes, read by a process of our own ("jnitrace-reader"). On a file system
 * that does not answer (FUSE, NFS) the kernel keeps who opens a file, reads it, or reads memory that is
 * mapped from it, and lets it go for no signal. The reader holds nothing that anybody would miss: no probe,
 * no terminal, no pipe. It is waited for 0.4 s, after a signal 0.1 s altogether; then it is killed, which it
 * is when the file system answers, and the next read has another reader. Until then the same is not asked
 * again: -ETIMEDOUT.
 *
 * Memory is read by us where nothing, or a file on a file system that answers by itself (ext4, tmpfs, ...),
 * is mapped, and elsewhere by the reader, 6 us a call and far longer on a busy machine. The reader says what
 * is where: when an address is not known, not more often than every 20 ms nor for more than a twentieth of
 * the time, and every 30 s. So a process that maps something else in between can keep us waiting
 * (docs/threats.md).
 *
 * A file that is open stays what it is. So one on a file system that answers by itself is opened by the
 * reader and read by us; of any other we get a descriptor that names it and no more (O_PATH), which can be
 * closed and attached to without asking the file system, and is read by foreign_pread().
 *
 * One reader for a process, made when it is first needed; not for several threads.
 */
#ifndef JNITRACE_FOREIGN_H
#define JNITRACE_FOREIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "proc/proc.h"

/* Of what was not read, for the user. */
#define FOREIGN_NO_ANSWER "the file system that it is on does not answer"

/* stop_fd is readable from the moment that a signal asks to end, and is heeded while waiting; -1: none. */
void foreign_heed(int stop_fd);
/* From that moment on nothing more is to be read: -EINTR. */
void foreign_end_when_stopped(void);
/* This process itself may be kept waiting, as somebody waits for it who can do without: it needs no reader.
 */
void foreign_in_place(void);

/* As process_vm_readv(2), for any number of bytes. Bytes, or -errno; -ETIMEDOUT: what is there does not
 * answer.
 */
ssize_t foreign_memory(pid_t pid, const struct iovec *to, size_t n_to, const struct iovec *from,
		       size_t n_from);
/* Nobody reads its memory any more: forget what is mapped there. */
void foreign_forget(pid_t pid);
/* /proc/PID/cmdline or environ, which are its memory: at most n bytes. Bytes, or -errno. */
enum foreign_text { FOREIGN_CMDLINE, FOREIGN_ENVIRON };
ssize_t foreign_text(pid_t pid, enum foreign_text which, char *dst, size_t n);
/* Is its memory not read now, as what is mapped there does not answer? */
bool foreign_is_refused(pid_t pid);

/*
 * Open a regular file, or a directory: a mapped file, by m (root_fd -1), or one by its path below root_fd,
 * and m, when not NULL, is the inode that it has to be. whose: the process it is looked up for; 0: of none.
 * An fd or -errno.
 */
int foreign_open_mapping(pid_t pid, const struct mapping *m);
int foreign_open_under(pid_t whose, int root_fd, const char *path, const struct mapping *m);
int foreign_open_dir(pid_t whose, int root_fd, const char *path);
int foreign_open_executable(pid_t pid);

/* As pread(2) and fstat(2), of any fd. Bytes, or -errno. stat: what the kernel knows of it already. */
ssize_t foreign_pread(int fd, void *dst, size_t n, uint64_t offset);
int foreign_stat(int fd, struct stat *out);
/*
 * Have the page of the file in memory that has this offset: the kernel reads it when a probe is put there,
 * and that waits, too. pid: of the process that has it mapped. 0, or -errno. -EPERM: it is on a FUSE that a
 * user mounted, who may take the page back. While the kernel waits for it then, no process of the host can
 * fork (kernel/events/uprobes.c, register_for_each_vma() holds dup_mmap_sem).
 */
int foreign_touch(pid_t pid, int fd, uint64_t offset);
/* Why, for the user. */
const char *foreign_why_untouched(int rc);
/* An fd that names a file becomes one to be read by this process itself. 0 or -errno. */
int foreign_take(int fd);
/*
 * The names in a directory, each with a NUL behind it, *bytes in all; for free(). What is beyond a megabyte
 * is left out. 0 or -errno.
 */
int foreign_list(int dir_fd, char **names, size_t *bytes);

/* A helper of ours, killed, that may not end before a file system answers: waited for some day. */
void foreign_reap_later(pid_t pid);

#endif
