/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Memory and files of a process, as proc.h has them, by the process that reads them (foreign.h). */
#include <elf.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "proc/foreign.h"
#include "proc/proc.h"

#define PAGE_BYTES 4096 /* the smallest page of any known machine */

int proc_open_mapping(pid_t pid, const struct mapping *m)
{
	return m->path && m->ino ? foreign_open_mapping(pid, m) : -ENOENT;
}

int proc_hold_mapping(pid_t pid, const struct mapping *m, char *path, size_t cap)
{
	int fd = proc_open_mapping(pid, m), len = snprintf(path, cap, "/proc/self/fd/%d", fd);

	if (fd >= 0 && (len < 0 || (size_t)len >= cap)) {
		close(fd);
		return -ENAMETOOLONG;
	}
	return fd;
}

int proc_open_under(int root_fd, const char *path)
{
	return foreign_open_under(0, root_fd, path, NULL);
}

int proc_open_dir_under(int root_fd, const char *path)
{
	return foreign_open_dir(0, root_fd, path);
}

int proc_open_in_root(pid_t pid, const char *path)
{
	int root_fd = proc_root_open(pid), fd;

	if (root_fd < 0)
		return root_fd;
	fd = foreign_open_under(pid, root_fd, path, NULL);
	close(root_fd);
	return fd;
}

int proc_open_mapped_file(int root_fd, const struct mapping *m)
{
	if (!m->path || !m->ino)
		return -ENOENT;
	return foreign_open_under(0, root_fd, m->path, m);
}

int proc_read(pid_t pid, uint64_t addr, void *dst, size_t n)
{
	uint64_t end;

	if (__builtin_add_overflow(addr, n, &end))
		return -EFAULT;
	while (n) {
		struct iovec local = {dst, n};
		struct iovec remote = {(void *)(uintptr_t)addr, n};
		ssize_t got = foreign_memory(pid, &local, 1, &remote, 1);

		if (got < 0)
			return (int)got;
		if (!got)
			return -EFAULT;
		/* A short read ends before a page that is not there; the next one says so. */
		dst = (char *)dst + got;
		addr += got;
		n -= got;
	}
	return 0;
}

int proc_read_str(pid_t pid, uint64_t addr, char *dst, size_t cap)
{
	size_t len = 0;

	if (!cap)
		return -EINVAL;
	dst[0] = '\0';
	if (cap > INT_MAX)
		cap = INT_MAX;
	while (len < cap) {
		/* Never across a page: the string may end just before one that is not there. */
		size_t in_page = PAGE_BYTES - (addr + len) % PAGE_BYTES;
		size_t n = in_page < cap - len ? in_page : cap - len;
		const char *end;
		int rc;

		rc = proc_read(pid, addr + len, dst + len, n);
		if (rc) {
			dst[0] = '\0';
			return rc;
		}
		end = memchr(dst + len, '\0', n);
		if (end)
			return (int)(end - dst);
		len += n;
	}
	dst[cap - 1] = '\0';
	return -ENAMETOOLONG;
}

int proc_elf_class(pid_t pid)
{
	unsigned char ident[EI_NIDENT];
	int fd = foreign_open_executable(pid), rc;

	if (fd < 0)
		return fd == -ENOENT ? -ESRCH : fd;
	if (foreign_pread(fd, ident, sizeof(ident), 0) != sizeof(ident) || memcmp(ident, ELFMAG, SELFMAG) ||
	    (ident[EI_CLASS] != ELFCLASS32 && ident[EI_CLASS] != ELFCLASS64))
		rc = -ENOEXEC;
	else
		rc = ident[EI_CLASS];
	close(fd);
	return rc;
}

static bool base_name_is_one_of(const char *path, const char *const *names)
{
	const char *base = strrchr(path, '/');

	return proc_name_is_one_of(base ? base + 1 : path, names);
}

static bool has_elf_magic(pid_t pid, uint64_t addr)
{
	unsigned char magic[SELFMAG];

	return !proc_read(pid, addr, magic, sizeof(magic)) && !memcmp(magic, ELFMAG, SELFMAG);
}

/*
 * The mapping of the first bytes of the image that the i-th is of: the nearest below, as the same file may be
 * mapped once more as plain data, by a profiler that reads its symbols.
 */
static const struct mapping *first_of_image(const struct proc_maps *m, size_t i)
{
	for (size_t k = i + 1; k-- > 0;) {
		const struct mapping *first = &m->v[k];

		if (first->dev != m->v[i].dev || first->ino != m->v[i].ino || first->offset)
			continue;
		return has_elf_magic(m->pid, first->start) ? first : NULL;
	}
	return NULL;
}

const struct mapping *proc_maps_find_library(const struct proc_maps *m, const char *const *names,
					     const struct mapping *after)
{
	for (size_t i = after ? (size_t)(after - m->v) + 1 : 0; i < m->n; i++) {
		const struct mapping *code = &m->v[i], *first;

		if (!code->executable || !code->path || !code->ino || !base_name_is_one_of(code->path, names))
			continue;
		first = first_of_image(m, i);
		if (first && (!after || first > after))
			return first;
	}
	return NULL;
}

const struct mapping *proc_maps_find_executable(const struct proc_maps *m)
{
	const struct mapping *headers = proc_maps_find(m, proc_auxv(m->pid, AT_PHDR));

	return headers && headers->path && headers->ino ? first_of_image(m, (size_t)(headers - m->v)) : NULL;
}
