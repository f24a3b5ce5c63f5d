/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A process that is not there: what /proc says of it and what its memory holds is the input. A program that
 * includes this is linked with --wrap for the functions that it defines here (rules.mk): open and fopen for
 * its files. Memory is read by process_vm_readv(), which all of the tool goes by.
 */
#ifndef JNITRACE_FAKE_H
#define JNITRACE_FAKE_H

#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>

#include "proc/foreign.h"

#define FAKE_PID       (1 << 30) /* above every pid that Linux gives */
#define FAKE_FILES_MAX 16

struct fake_file {
	const char *name; /* the last part of its path */
	const uint8_t *p;
	size_t n;
};
static struct {
	struct fake_file file[FAKE_FILES_MAX];
	size_t nr_files;
	uint8_t *memory;
	uint64_t start; /* address of its first byte */
	size_t memory_bytes;
} fake;

/* What is read is here, and in no process forked before. */
__attribute__((constructor)) static void fake_in_place(void)
{
	foreign_in_place();
}

/* The next piece of the input, before which its length stands. */
static inline struct fake_file fake_take(const char *name, const uint8_t **data, size_t *n)
{
	size_t want = fuzz_number(data, n, 2);
	struct fake_file f = {name, *data, want < *n ? want : *n};

	*data += f.n;
	*n -= f.n;
	return f;
}

static inline const struct fake_file *fake_find(const char *path)
{
	const char *base = strrchr(path, '/');
	int at = 0, pid = 0;

	if (sscanf(path, "/proc/%d/%n", &pid, &at) != 1 || pid != FAKE_PID || !at)
		return NULL;
	for (size_t i = 0; i < fake.nr_files; i++)
		if (!strcmp(fake.file[i].name, base + 1))
			return &fake.file[i];
	return NULL;
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
	const struct fake_file *f = fake_find(path);
	mode_t mode = 0;
	va_list ap;

	va_start(ap, flags);
	if (flags & O_CREAT)
		mode = va_arg(ap, mode_t);
	va_end(ap);
	return f ? fuzz_file(f->p, f->n) : __real_open(path, flags, mode);
}

FILE *__real_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode)
{
	const struct fake_file *f = fake_find(path);

	return f ? fdopen(fuzz_file(f->p, f->n), mode) : __real_fopen(path, mode);
}

/* In place of libc's. As the kernel does, it stops before the first page that is not there. */
ssize_t process_vm_readv(pid_t pid, const struct iovec *to, unsigned long nr_to, const struct iovec *from,
			 unsigned long nr_from, unsigned long flags)
{
	size_t done = 0, k = 0, in_to = 0;

	(void)flags;
	if (pid != FAKE_PID)
		abort();
	for (unsigned long i = 0; i < nr_from; i++) {
		uint64_t at = (uintptr_t)from[i].iov_base - fake.start;
		size_t left = at < fake.memory_bytes ? fake.memory_bytes - at : 0;
		bool whole = left >= from[i].iov_len;

		left = whole ? from[i].iov_len : left;
		while (left && k < nr_to) {
			size_t n = to[k].iov_len - in_to < left ? to[k].iov_len - in_to : left;

			memcpy((char *)to[k].iov_base + in_to, fake.memory + at, n);
			at += n, left -= n, done += n, in_to += n;
			if (in_to == to[k].iov_len)
				k++, in_to = 0;
		}
		if (!whole)
			break;
	}
	if (!done && nr_from && from[0].iov_len) {
		errno = EFAULT;
		return -1;
	}
	return (ssize_t)done;
}

/* What comes out is text for a terminal that fits. */
static inline void fake_check_clean(const char *s, size_t cap)
{
	if (strnlen(s, cap) == cap)
		abort();
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			abort();
}

#endif
