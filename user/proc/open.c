/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "proc/open.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/util.h"

#define PATH_BYTES      64   /* room for any "/proc/PID/..." made here */
#define PAGE_BYTES      4096 /* the smallest page of any known machine */
#define MAX_MOUNTS      16384
#define OPENAT2_RETRIES 16         /* -EAGAIN: a rename raced with ".." */
#define XFS_MAGIC       0x58465342 /* fs/xfs/libxfs/xfs_format.h, XFS_SB_MAGIC */
#define ZFS_MAGIC       0x2fc12fc1 /* OpenZFS, include/sys/fs/zfs.h */

/* Of disks and memory, which ask no process and no other machine. An overlay may lie on any other. */
static const struct {
	uint32_t magic;
	const char *type;
} answering[] = {
    {EXT4_SUPER_MAGIC, "ext4"},
    {EXT4_SUPER_MAGIC, "ext3"},
    {EXT4_SUPER_MAGIC, "ext2"},
    {XFS_MAGIC, "xfs"},
    {BTRFS_SUPER_MAGIC, "btrfs"},
    {TMPFS_MAGIC, "tmpfs"},
    {TMPFS_MAGIC, "rootfs"},
    {RAMFS_MAGIC, "rootfs"},
    {RAMFS_MAGIC, "ramfs"},
    {F2FS_SUPER_MAGIC, "f2fs"},
    {SQUASHFS_MAGIC, "squashfs"},
    {EROFS_SUPER_MAGIC_V1, "erofs"},
    {ISOFS_SUPER_MAGIC, "iso9660"},
    {MSDOS_SUPER_MAGIC, "vfat"},
    {MSDOS_SUPER_MAGIC, "msdos"},
    {EXFAT_SUPER_MAGIC, "exfat"},
    {ZFS_MAGIC, "zfs"},
    {PROC_SUPER_MAGIC, "proc"},
    {HUGETLBFS_MAGIC, "hugetlbfs"},
};

bool open_answers(int path_fd)
{
	struct statfs fs;

	if (fstatfs(path_fd, &fs))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(answering); i++)
		if ((uint32_t)fs.f_type == answering[i].magic)
			return true;
	return false;
}

bool open_type_answers(const char *type)
{
	for (size_t i = 0; i < ARRAY_LEN(answering); i++)
		if (!strcmp(type, answering[i].type))
			return true;
	return false;
}

/* What the kernel says of a mount in its last field: who mounted a FUSE (fs/fuse/inode.c,
 * fuse_show_options()). */
static bool is_mount_of_user(const char *line)
{
	const char *options = strrchr(line, ' '), *id = options ? strstr(options, "user_id=") : NULL;

	return id && strtoul(id + strlen("user_id="), NULL, 10) != 0;
}

bool open_is_of_user(int path_fd, pid_t pid)
{
	char path[PATH_BYTES], *line = NULL;
	unsigned int major_nr, minor_nr;
	bool found = false, of_user = true;
	struct statfs fs;
	struct stat st;
	size_t cap = 0;
	FILE *f;

	if (fstatfs(path_fd, &fs) || fstat(path_fd, &st))
		return true;
	if ((uint32_t)fs.f_type != FUSE_SUPER_MAGIC)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/mountinfo", pid);
	f = fopen(path, "re");
	for (int n = 0; f && !found && n < MAX_MOUNTS && getline(&line, &cap, f) > 0; n++) {
		found = sscanf(line, "%*d %*d %u:%u", &major_nr, &minor_nr) == 2 &&
			makedev(major_nr, minor_nr) == st.st_dev;
		if (found)
			of_user = is_mount_of_user(line);
	}
	free(line);
	if (f)
		fclose(f);
	return of_user;
}

int open_contents(int path_fd, int flags)
{
	char path[PATH_BYTES];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", path_fd);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | flags);
	return fd < 0 ? -errno : fd;
}

/* Only those are opened later: to open a device or a FIFO may hang or have effects. Takes fd. */
static int only_regular(int fd)
{
	struct stat st;
	int rc;

	if (fd < 0)
		return fd;
	rc = fstat(fd, &st) ? -errno : S_ISREG(st.st_mode) ? 0 : -EINVAL;
	if (rc)
		close(fd);
	return rc ?: fd;
}

/*
 * Is fd the inode that m maps? st_dev and st_ino may differ from what maps shows (btrfs, overlayfs);
 * so, when they do, it is mapped here and our own maps are asked in the same terms.
 */
static bool is_mapped_inode(int fd, const struct mapping *m)
{
	struct proc_maps own = {0};
	const struct mapping *seen;
	struct stat st;
	int contents;
	bool same;
	void *p;

	if (fstat(fd, &st))
		return false;
	if (st.st_dev == m->dev && st.st_ino == m->ino)
		return true;
	contents = open_contents(fd, 0);
	p = contents < 0 ? MAP_FAILED : mmap(NULL, PAGE_BYTES, PROT_READ, MAP_PRIVATE, contents, 0);
	if (contents >= 0)
		close(contents);
	if (p == MAP_FAILED)
		return false;
	same = !proc_maps_read(getpid(), &own) && (seen = proc_maps_find(&own, (uintptr_t)p)) &&
	       seen->dev == m->dev && seen->ino == m->ino;
	proc_maps_free(&own);
	munmap(p, PAGE_BYTES);
	return same;
}

/* Takes fd; -ESTALE when it is another inode than m's. */
static int check_mapped_inode(int fd, const struct mapping *m)
{
	if (fd < 0 || !m || is_mapped_inode(fd, m))
		return fd;
	close(fd);
	return -ESTALE;
}

static int open_at(int root_fd, const char *path, uint64_t flags)
{
	struct open_how how = {.flags = flags | O_CLOEXEC,
			       .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
	int fd = -EAGAIN;

	for (int i = 0; i < OPENAT2_RETRIES && fd == -EAGAIN; i++) {
		fd = (int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
		if (fd < 0)
			fd = -errno;
	}
	return fd;
}

int open_under(int root_fd, const char *path, const struct mapping *m)
{
	return check_mapped_inode(only_regular(open_at(root_fd, path, O_PATH)), m);
}

int open_dir(int root_fd, const char *path)
{
	return open_at(root_fd, path, O_PATH | O_DIRECTORY);
}

int open_link(const char *path)
{
	int fd = open(path, O_PATH | O_CLOEXEC);

	return only_regular(fd < 0 ? -errno : fd);
}

/* Of two failures: the first tells more when it is about permission. */
static int which_error(int map_files_rc, int path_rc)
{
	return map_files_rc == -EPERM || map_files_rc == -EACCES ? map_files_rc : path_rc;
}

int open_mapping(pid_t pid, const struct mapping *m)
{
	char path[PATH_BYTES];
	int fd, first, root_fd;

	snprintf(path, sizeof(path), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, pid, m->start, m->end);
	first = check_mapped_inode(open_link(path), m);
	if (first >= 0)
		return first;
	root_fd = proc_root_open(pid);
	if (root_fd < 0)
		return which_error(first, root_fd);
	fd = open_under(root_fd, m->path, m);
	close(root_fd);
	return fd >= 0 ? fd : which_error(first, fd);
}
