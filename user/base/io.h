/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Writing to readers that may be slow, or not there, without losing a signal meanwhile. */
#ifndef JNITRACE_IO_H
#define JNITRACE_IO_H

#include <stddef.h>
#include <sys/types.h>

/*
 * Open path for writing, made (with these permissions) or emptied. Of a FIFO that nobody reads yet the reader
 * is waited for. stop_fd: becomes readable when to give up; -1: never. An fd (blocking, close-on-exec),
 * -EINTR: it was given up, or -errno.
 */
int io_open_output(const char *path, mode_t mode, int stop_fd);
/* Make a new file, of this name none was there. An fd (close-on-exec), or -errno. */
int io_new_output(const char *path, mode_t mode);
/*
 * Write all of it. Once stop_fd is readable, no reader is waited for: a pipe is made wide enough to keep the
 * rest for it; one of something else that takes nothing for grace_ms has lost it. 0, -EINTR: it was given up,
 * or -errno.
 */
int io_write(int fd, const void *p, size_t n, int stop_fd, int grace_ms);

#endif
