/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "unwind/unwind_module.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAX_VDSO_BYTES (1 << 20) /* it has 8 KiB */

/* A copy of the vdso in a file of our own. An fd, or -errno. */
static int copy_vdso(pid_t pid, const struct mapping *map)
{
	uint64_t n = map->end - map->start;
	void *copy;
	int fd, rc;

	if (n > MAX_VDSO_BYTES)
		return -E2BIG;
	copy = malloc(n);
	if (!copy)
		return -ENOMEM;
	rc = proc_read(pid, map->start, copy, n);
	fd = rc ? rc : memfd_create("vdso", MFD_CLOEXEC);
	if (!rc && fd < 0)
		fd = -errno;
	if (fd >= 0 && write(fd, copy, n) != (ssize_t)n) {
		close(fd);
		fd = -EIO;
	}
	free(copy);
	return fd;
}

int unwind_module_read(struct unwind_module *m, pid_t pid, const struct mapping *map, struct unwind_table *t)
{
	int rc = 0;

	*t = (struct unwind_table){0};
	if (!m->image) {
		int fd = map->ino ? proc_open_mapping(pid, map) : copy_vdso(pid, map);

		rc = fd < 0 ? fd : elf_open(fd, &m->image);
	}
	if (rc)
		return rc;
	rc = unwind_table_build(m->image, t);
	m->base = t->base;
	return rc;
}

bool unwind_module_base(const struct unwind_module *m, const struct mapping *map, uint64_t *addr)
{
	uint64_t distance;

	if (!elf_code_placement(m->image, map->offset, map->end - map->start, &distance))
		return false;
	*addr = map->start - map->offset + m->base - distance;
	return true;
}

void unwind_module_close(struct unwind_module *m)
{
	elf_close(m->image);
	m->image = NULL;
}
