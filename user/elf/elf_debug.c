/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Symbols that were split off: separate debug files, looked for as gdb does (manual, "Debugging
 * Information in Separate Files"), and the compressed table of .gnu_debugdata ("MiniDebugInfo").
 */
#include "elf/elf.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <lzma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "elf/elf_internal.h"
#include "proc/foreign.h"
#include "proc/proc.h"

#define DEBUG_DIR          "/usr/lib/debug"
#define MAX_DEBUGLINK      4096
#define MAX_CRC_BYTES      (1ULL << 30)
#define MAX_XZ_BYTES       (16ULL << 20) /* a JVM's would be 1 MiB */
#define MAX_XZ_MEMORY      (80ULL << 20) /* xz -9 needs 65 MiB */
#define MAX_UNPACKED_BYTES (64ULL << 20)
#define CHUNK_BYTES        65536

/* What a debug file has to be to belong to e. */
struct proof {
	const struct elf_image *e;
	bool has_crc;
	uint32_t crc; /* of the whole debug file */
};

static bool same_file(int a, int b)
{
	struct stat x, y;

	return !foreign_stat(a, &x) && !foreign_stat(b, &y) && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* 0, -ENOENT: it is another's; -EDQUOT, -EINTR. */
static int check_crc(const struct elf_image *file, uint32_t want)
{
	uint8_t *chunk;
	uint32_t crc = 0;
	uint64_t at = 0;
	int rc;

	if (file->file_bytes > MAX_CRC_BYTES)
		return -EDQUOT;
	chunk = malloc(CHUNK_BYTES);
	rc = chunk ? 0 : -ENOMEM;
	while (!rc && at < file->file_bytes) {
		uint64_t left = file->file_bytes - at;
		size_t n = left < CHUNK_BYTES ? left : CHUNK_BYTES;

		rc = elf_get(file, chunk, n, at);
		if (rc == -EIO)
			rc = -ENOENT; /* it shrank */
		/* the polynomial of .gnu_debuglink is that of xz and zlib */
		crc = rc ? crc : lzma_crc32(chunk, n, crc);
		at += n;
	}
	free(chunk);
	return rc ?: crc == want ? 0 : -ENOENT;
}

/* A build-id proves more than a CRC; only where one is missing the CRC decides, if it may. */
static int prove(const struct elf_image *file, const struct proof *p, bool by_crc)
{
	if (file->machine != p->e->machine || same_file(file->fd, p->e->fd) ||
	    !elf_section_find(file, SHT_SYMTAB, NULL))
		return -ENOENT;
	if (file->build_id[0] && p->e->build_id[0])
		return strcmp(file->build_id, p->e->build_id) ? -ENOENT : 0;
	return by_crc && p->has_crc ? check_crc(file, p->crc) : -ENOENT;
}

/* Takes fd. */
static int try_fd(int fd, const struct proof *p, bool by_crc, struct elf_image **out)
{
	struct elf_image *file;
	int rc;

	if (fd < 0)
		return fd;
	rc = elf_open_within(p->e->budget, fd, &file);
	if (rc)
		return rc;
	rc = prove(file, p, by_crc);
	if (rc)
		elf_close(file);
	else
		*out = file;
	return rc;
}

/* Nothing else is to be tried. */
static bool is_over(int rc)
{
	return rc == -EDQUOT || rc == -EINTR || rc == -ENOMEM;
}

/* In the target's root by any proof, then in our own by build-id only. */
static int try_path(const struct proof *p, int pid, const char *path, struct elf_image **out)
{
	int rc = try_fd(proc_open_in_root(pid, path), p, true, out);

	if (rc && !is_over(rc) && p->e->build_id[0])
		rc = try_fd(proc_open_in_root(getpid(), path), p, false, out);
	return rc;
}

static int open_by_build_id(const struct proof *p, int pid, struct elf_image **out)
{
	const char *id = p->e->build_id;
	char path[sizeof(DEBUG_DIR) + sizeof(p->e->build_id) + 32];

	if (strlen(id) < 4)
		return -ENOENT;
	snprintf(path, sizeof(path), DEBUG_DIR "/.build-id/%.2s/%s.debug", id, id + 2);
	return try_path(p, pid, path, out);
}

/* The section's contents: a base name, padding to 4 bytes, the CRC. */
static int read_debuglink(const struct elf_image *e, char *name, size_t cap, uint32_t *crc)
{
	const Elf64_Shdr *sh = elf_section_find(e, SHT_PROGBITS, ".gnu_debuglink");
	struct elf_blob blob;
	size_t len, crc_at;
	int rc = -ENOENT;

	if (!sh || elf_section_load(e, sh, MAX_DEBUGLINK, &blob))
		return -ENOENT;
	len = strnlen((const char *)blob.p, blob.n);
	crc_at = (len + 4) & ~(size_t)3;
	if (len && len < cap && crc_at <= blob.n && sizeof(*crc) <= blob.n - crc_at &&
	    !memchr(blob.p, '/', len)) {
		memcpy(name, blob.p, len);
		name[len] = '\0';
		memcpy(crc, blob.p + crc_at, sizeof(*crc));
		rc = 0;
	}
	free(blob.p);
	return rc;
}

static int open_by_debuglink(struct proof *p, int pid, const char *library_path, struct elf_image **out)
{
	static const char *const place[][2] = {{"", "/"}, {"", "/.debug/"}, {DEBUG_DIR, "/"}};
	char name[NAME_MAX + 1], path[PATH_MAX];
	const char *slash;
	int rc = -ENOENT;

	if (!library_path || library_path[0] != '/' || read_debuglink(p->e, name, sizeof(name), &p->crc))
		return -ENOENT;
	p->has_crc = true;
	slash = strrchr(library_path, '/');
	for (size_t i = 0; rc && !is_over(rc) && i < sizeof(place) / sizeof(place[0]); i++) {
		int n = snprintf(path, sizeof(path), "%s%.*s%s%s", place[i][0], (int)(slash - library_path),
				 library_path, place[i][1], name);

		if (n > 0 && (size_t)n < sizeof(path))
			rc = try_path(p, pid, path, out);
	}
	return rc;
}

static int write_all(int fd, const uint8_t *p, size_t n)
{
	while (n) {
		ssize_t done = write(fd, p, n);

		if (done < 0)
			return -errno;
		p += done;
		n -= done;
	}
	return 0;
}

/* Unpack xz into fd. What unpacks to more than the bound is refused. */
static int unpack(const struct elf_image *e, const struct elf_blob *xz, int fd)
{
	uint64_t room = budget_room(e->budget);
	lzma_stream s = LZMA_STREAM_INIT;
	lzma_ret ret = LZMA_OK;
	uint8_t *chunk = malloc(CHUNK_BYTES);
	int rc = chunk ? 0 : -ENOMEM;

	if (!rc && lzma_stream_decoder(&s, room < MAX_XZ_MEMORY ? room : MAX_XZ_MEMORY, 0) != LZMA_OK)
		rc = -ENOMEM;
	s.next_in = xz->p;
	s.avail_in = xz->n;
	while (!rc && ret == LZMA_OK) {
		s.next_out = chunk;
		s.avail_out = CHUNK_BYTES;
		rc = budget_check(e->budget);
		if (rc)
			break;
		ret = lzma_code(&s, LZMA_FINISH);
		if (ret == LZMA_MEMLIMIT_ERROR || ret == LZMA_MEM_ERROR)
			rc = -EDQUOT;
		else if (ret != LZMA_OK && ret != LZMA_STREAM_END)
			rc = -EPROTO;
		else if (s.total_out > MAX_UNPACKED_BYTES)
			rc = -EDQUOT;
		else
			rc = write_all(fd, chunk, CHUNK_BYTES - s.avail_out);
	}
	lzma_end(&s);
	free(chunk);
	return rc;
}

static int open_debugdata(const struct elf_image *e, struct elf_image **out)
{
	const Elf64_Shdr *sh = elf_section_find(e, SHT_PROGBITS, ".gnu_debugdata");
	struct elf_blob xz;
	int fd, rc;

	if (!sh)
		return -ENOENT;
	rc = elf_section_load(e, sh, MAX_XZ_BYTES, &xz);
	if (rc)
		return rc == -E2BIG ? -EDQUOT : rc;
	fd = memfd_create("jnitrace-debugdata", MFD_CLOEXEC);
	rc = fd < 0 ? -errno : unpack(e, &xz, fd);
	free(xz.p);
	if (rc) {
		if (fd >= 0)
			close(fd);
		return rc;
	}
	rc = elf_open_within(e->budget, fd, out);
	if (!rc && (*out)->machine != e->machine) {
		elf_close(*out);
		*out = NULL;
		rc = -EPROTO;
	}
	return rc;
}

int elf_open_debug(const struct elf_image *e, int pid, const char *library_path, struct elf_image **out)
{
	struct proof p = {.e = e};

	int rc;

	*out = NULL;
	budget_begin_file(e->budget);
	rc = open_by_build_id(&p, pid, out);
	if (rc && !is_over(rc))
		rc = open_by_debuglink(&p, pid, library_path, out);
	if (rc && !is_over(rc))
		rc = open_debugdata(e, out);
	budget_end_file(e->budget);
	return rc && !is_over(rc) ? -ENOENT : rc;
}
