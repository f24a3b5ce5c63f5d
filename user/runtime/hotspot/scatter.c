/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "runtime/hotspot/scatter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proc/foreign.h"

/* No page is smaller: of what is in one of this size all can be read, or nothing. */
#define PAGE_BYTES 4096
#define ROOM_BYTES (16 * PAGE_BYTES) /* for what one call reads */

/* Pieces that are read in one: how many, and from where to where. */
struct run {
	size_t pieces, bytes;
};

/* The first of n pieces, and those that follow it in its page. */
static struct run run_of(const uint64_t *addr, size_t n, size_t bytes)
{
	uint64_t end = (addr[0] / PAGE_BYTES + 1) * PAGE_BYTES;
	size_t k = 1;

	while (k < n && addr[k] >= addr[k - 1] && addr[k] < end && bytes <= end - addr[k])
		k++;
	return (struct run){k, (size_t)(addr[k - 1] - addr[0]) + bytes};
}

/* One call for as many runs as there is room for; returns how many pieces are done with, or -errno. */
static ssize_t read_runs(pid_t pid, const uint64_t *addr, size_t n, size_t bytes, uint8_t *room, uint8_t *to,
			 bool *ok)
{
	struct run run[SCATTER_BATCH];
	struct iovec from[SCATTER_BATCH], into = {room, 0};
	size_t runs = 0, done = 0, at = 0;
	bool there = true;
	ssize_t len;

	for (size_t i = 0; i < n && runs < SCATTER_BATCH; i += run[runs++].pieces) {
		run[runs] = run_of(&addr[i], n - i, bytes);
		if (runs && into.iov_len + run[runs].bytes > ROOM_BYTES)
			break;
		from[runs] = (struct iovec){(void *)(uintptr_t)addr[i], run[runs].bytes};
		into.iov_len += run[runs].bytes;
	}
	len = foreign_memory(pid, &into, 1, from, runs);
	if (len < 0 && len != -EFAULT)
		return len;
	/* it stops at the first run that is not there */
	for (size_t r = 0; r < runs && there; at += run[r++].bytes) {
		there = len >= 0 && at + run[r].bytes <= (size_t)len;
		for (size_t i = done; i < done + run[r].pieces; i++) {
			ok[i] = there;
			if (there)
				memcpy(to + i * bytes, room + at + (addr[i] - addr[done]), bytes);
		}
		done += run[r].pieces;
	}
	return (ssize_t)done;
}

int scatter_read(pid_t pid, const uint64_t *addr, size_t n, size_t bytes, void *dst, bool *ok)
{
	uint8_t *room = malloc(ROOM_BYTES + bytes);
	ssize_t more = room ? 0 : -ENOMEM;

	for (size_t done = 0; done < n && more >= 0; done += more > 0 ? (size_t)more : 0)
		more = read_runs(pid, addr + done, n - done, bytes, room, (uint8_t *)dst + done * bytes,
				 ok + done);
	free(room);
	return more < 0 ? (int)more : 0;
}

int scatter_read_words(pid_t pid, const uint64_t *addr, size_t n, uint64_t *dst, bool *ok)
{
	struct iovec from[SCATTER_BATCH];

	for (size_t done = 0; done < n;) {
		struct iovec into = {dst + done, 0};
		size_t pieces = 0, words = 0, got;
		ssize_t len;

		for (size_t i = done; i < n && pieces < SCATTER_BATCH; i++, words++) {
			if (i > done && addr[i] == addr[i - 1] + 8) {
				from[pieces - 1].iov_len += 8;
				continue;
			}
			from[pieces++] = (struct iovec){(void *)(uintptr_t)addr[i], 8};
		}
		into.iov_len = words * 8;
		len = foreign_memory(pid, &into, 1, from, pieces);
		if (len < 0 && len != -EFAULT)
			return (int)len;
		got = len < 0 ? 0 : (size_t)len / 8;
		for (size_t i = 0; i < got; i++)
			ok[done + i] = true;
		if (got < words)
			ok[done + got++] = false;
		done += got;
	}
	return 0;
}
