/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "runtime/hotspot/scatter.h"

#include <errno.h>

#include "proc/foreign.h"

int scatter_read(pid_t pid, const uint64_t *addr, size_t n, size_t bytes, void *dst, bool *ok)
{
	struct iovec from[SCATTER_BATCH];
	uint8_t *to = dst;

	for (size_t done = 0; done < n;) {
		size_t batch = n - done < SCATTER_BATCH ? n - done : SCATTER_BATCH, got;
		struct iovec into = {to + done * bytes, batch * bytes};
		ssize_t len;

		for (size_t i = 0; i < batch; i++)
			from[i] = (struct iovec){(void *)(uintptr_t)addr[done + i], bytes};
		len = foreign_memory(pid, &into, 1, from, batch);
		if (len < 0 && len != -EFAULT)
			return (int)len;
		/* it stops at the first piece that is not there */
		got = len < 0 ? 0 : (size_t)len / bytes;
		for (size_t i = 0; i < got; i++)
			ok[done + i] = true;
		if (got < batch)
			ok[done + got++] = false;
		done += got;
	}
	return 0;
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
