/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "proc/areas.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/util.h"
#include "proc/open.h"
#include "proc/proc.h"

#define MAX_DEVICES 64 /* of files of a process; a file on any other does not answer */
#define MAX_MOUNTS  16384
#define FORGET_NS   60000000000ULL

/* --- what is mapped ------------------------------------------------------------------------------- */

/* File systems of files of a process, and whether they answer. */
struct devices {
	struct {
		uint64_t dev;
		bool known, answers;
	} v[MAX_DEVICES];
	size_t n, nr_known;
};

/* Its index, or -1: there is no room for it. */
static int device(struct devices *d, uint64_t dev, bool add)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->v[i].dev == dev)
			return (int)i;
	if (!add || d->n == MAX_DEVICES)
		return -1;
	d->v[d->n].dev = dev;
	return (int)d->n++;
}

static void learn(struct devices *d, uint64_t dev, bool answers)
{
	int i = device(d, dev, false);

	if (i < 0 || d->v[i].known)
		return;
	d->v[i].known = true;
	d->v[i].answers = answers;
	d->nr_known++;
}

/*
 * Whoever has no other user namespace than ours has not mounted an overlay himself: it is a container's, on
 * disks of the host. In a namespace of his own a user may lay one on his FUSE.
 */
static bool has_our_users(pid_t pid)
{
	char path[64];
	struct stat theirs, ours;

	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	return !stat(path, &theirs) && !stat("/proc/self/ns/user", &ours) && theirs.st_dev == ours.st_dev &&
	       theirs.st_ino == ours.st_ino;
}

/* The kernel knows the kind of what is mounted without asking it (proc(5), /proc/PID/mountinfo). */
static void learn_mounts(struct devices *d, pid_t pid)
{
	char path[64], type[32], *line = NULL;
	bool overlays_answer = has_our_users(pid);
	unsigned int major_nr, minor_nr;
	size_t cap = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/mountinfo", (int)pid);
	f = fopen(path, "re");
	for (int n = 0; f && n < MAX_MOUNTS && d->nr_known < d->n && getline(&line, &cap, f) > 0; n++) {
		const char *rest = strstr(line, " - ");

		if (rest && sscanf(line, "%*d %*d %u:%u", &major_nr, &minor_nr) == 2 &&
		    sscanf(rest, " - %31s", type) == 1)
			learn(d, makedev(major_nr, minor_nr),
			      open_type_answers(type) || (overlays_answer && !strcmp(type, "overlay")));
	}
	free(line);
	if (f)
		fclose(f);
}

/* Shared memory without a path is on a mount of the kernel's own. */
static void learn_shared_memory(struct devices *d)
{
	int fd = memfd_create("jnitrace", MFD_CLOEXEC);
	struct stat st;

	if (fd >= 0 && !fstat(fd, &st))
		learn(d, st.st_dev, true);
	if (fd >= 0)
		close(fd);
}

/* One that its mounts do not show: an overlay's file has the device of the file below it, or it was
 * unmounted. */
static void learn_rest(struct devices *d, const struct proc_maps *maps)
{
	for (size_t i = 0; i < maps->n && d->nr_known < d->n; i++) {
		const struct mapping *m = &maps->v[i];
		int at = m->ino ? device(d, m->dev, false) : -1, fd;

		if (at < 0 || d->v[at].known || !m->path)
			continue;
		fd = open_mapping(maps->pid, m);
		learn(d, m->dev, fd >= 0 && open_answers(fd));
		if (fd >= 0)
			close(fd);
	}
}

/* A device is asked when its memory is read, whatever file system its node is on. */
static bool is_device(const char *path)
{
	return !strncmp(path, "/dev/", 5) && strncmp(path, "/dev/shm/", 9) != 0;
}

static bool mapping_answers(struct devices *d, const struct mapping *m)
{
	int at = m->ino && m->path ? device(d, m->dev, false) : -1;

	if (!m->ino)
		return true;
	return at >= 0 && d->v[at].answers && !is_device(m->path);
}

ssize_t areas_look(pid_t pid, struct area *out, size_t cap)
{
	struct devices d = {0};
	struct proc_maps maps;
	int rc = proc_maps_read(pid, &maps);
	size_t n = 0;

	if (rc)
		return rc;
	for (size_t i = 0; i < maps.n; i++)
		if (maps.v[i].ino)
			device(&d, maps.v[i].dev, true);
	learn_mounts(&d, pid);
	learn_shared_memory(&d);
	learn_rest(&d, &maps);
	for (size_t i = 0; i < maps.n; i++) {
		const struct mapping *m = &maps.v[i];
		bool answers = mapping_answers(&d, m);

		if (n && out[n - 1].answers == answers && out[n - 1].end == m->start) {
			out[n - 1].end = m->end;
		} else if (n + 1 < cap) {
			out[n++] = (struct area){m->start, m->end, answers};
		} else {
			out[n++] = (struct area){m->start, UINT64_MAX, false};
			break;
		}
	}
	proc_maps_free(&maps);
	return (ssize_t)n;
}

/* --- what is known of it -------------------------------------------------------------------------- */

static void forget_old(struct areas_book *b, uint64_t now_ns)
{
	size_t kept = 0;

	for (size_t i = 0; i < b->n; i++)
		if (now_ns - b->v[i].looked_ns < FORGET_NS)
			b->v[kept++] = b->v[i];
		else
			free(b->v[i].v);
	b->n = kept;
}

struct areas *areas_of(struct areas_book *b, pid_t pid, uint64_t now_ns)
{
	struct areas *a;

	if (b->last < b->n && b->v[b->last].pid == pid)
		return &b->v[b->last];
	for (size_t i = 0; i < b->n; i++)
		if (b->v[i].pid == pid) {
			b->last = i;
			return &b->v[i];
		}
	forget_old(b, now_ns);
	a = VEC_ADD(b);
	if (!a)
		return NULL;
	a->pid = pid;
	b->last = b->n - 1;
	return a;
}

void areas_forget(struct areas_book *b, pid_t pid)
{
	for (size_t i = 0; i < b->n; i++)
		if (b->v[i].pid == pid) {
			free(b->v[i].v);
			b->v[i] = b->v[--b->n];
			return;
		}
}

int areas_set(struct areas *a, const struct area *v, size_t n)
{
	struct area *copy = n ? malloc(n * sizeof(*v)) : NULL;

	free(a->v);
	a->v = copy;
	a->n = copy ? n : 0;
	if (copy)
		memcpy(copy, v, n * sizeof(*v));
	return n && !copy ? -ENOMEM : 0;
}

/* The first that ends behind addr, or n. */
static size_t first_behind(const struct areas *a, uint64_t addr)
{
	size_t lo = 0, hi = a->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (addr >= a->v[mid].end)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static enum area_kind kind_of(const struct areas *a, uint64_t addr, uint64_t bytes)
{
	uint64_t end = add_capped(addr, bytes);
	enum area_kind kind = AREA_ANSWERS;

	for (size_t i = first_behind(a, addr); addr < end; i++) {
		if (i == a->n || addr < a->v[i].start)
			kind = AREA_HOLE;
		if (i == a->n || a->v[i].start >= end)
			break;
		if (!a->v[i].answers)
			return AREA_WAITS;
		addr = a->v[i].end;
	}
	return kind;
}

enum area_kind areas_kind(const struct areas *a, const struct iovec *piece, size_t n)
{
	enum area_kind worst = AREA_ANSWERS;

	for (size_t i = 0; i < n && worst != AREA_WAITS; i++) {
		enum area_kind kind = kind_of(a, (uintptr_t)piece[i].iov_base, piece[i].iov_len);

		worst = kind > worst ? kind : worst;
	}
	return worst;
}
