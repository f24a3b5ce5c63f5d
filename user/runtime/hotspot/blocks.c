/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The blocks of the global and weak tables, enumerated. See hotspot_blocks.h. */
#include "runtime/hotspot/blocks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "runtime/hotspot/hotspot_priv.h"

#define BATCH           1024 /* IOV_MAX */
#define MAX_BLOCKS      (1u << 20)
#define ARRAY_HEADER    24  /* OopStorage::ActiveArray: _size, _block_count, _refcount; then Block*[] */
#define BLOCK_BITMAP_AT 512 /* OopStorage::Block: oop _data[64], _allocated_bitmask, _owner */
#define SLOTS_PER_BLOCK 64
#define ENUMERATE_TRIES 4

static const char *const table_fields[NR_VM_TABLES] = {"_global_handles", "_weak_global_handles"};

int hotspot_scatter(const struct hotspot *h, const uint64_t *addr, size_t n, size_t bytes, void *dst,
		    bool *ok)
{
	struct iovec from[BATCH];
	uint8_t *to = dst;

	for (size_t done = 0; done < n;) {
		size_t batch = n - done < BATCH ? n - done : BATCH, got;
		struct iovec into = {to + done * bytes, batch * bytes};
		ssize_t len;

		for (size_t i = 0; i < batch; i++)
			from[i] = (struct iovec){(void *)(uintptr_t)addr[done + i], bytes};
		len = process_vm_readv(h->pid, &into, 1, from, batch, 0);
		if (len < 0 && errno != EFAULT)
			return -errno;
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

int hotspot_read_words(const struct hotspot *h, const uint64_t *addr, size_t n, uint64_t *dst, bool *ok)
{
	struct iovec from[BATCH];

	for (size_t done = 0; done < n;) {
		struct iovec into = {dst + done, 0};
		size_t pieces = 0, words = 0, got;
		ssize_t len;

		for (size_t i = done; i < n && pieces < BATCH; i++, words++) {
			if (i > done && addr[i] == addr[i - 1] + 8) {
				from[pieces - 1].iov_len += 8;
				continue;
			}
			from[pieces++] = (struct iovec){(void *)(uintptr_t)addr[i], 8};
		}
		into.iov_len = words * 8;
		len = process_vm_readv(h->pid, &into, 1, from, pieces, 0);
		if (len < 0 && errno != EFAULT)
			return -errno;
		got = len < 0 ? 0 : (size_t)len / 8;
		for (size_t i = 0; i < got; i++)
			ok[done + i] = true;
		if (got < words)
			ok[done + got++] = false;
		done += got;
	}
	return 0;
}

/* --- JDK 11 and later: OopStorage --- */

struct block_words {
	uint64_t bitmap, owner;
};

/* Take n blocks over, if they are the storage's. */
static int add_blocks(const struct hotspot *h, uint64_t storage, const uint64_t *block, size_t n,
		      struct handle_blocks *out)
{
	struct block_words words[BATCH];
	uint64_t at[BATCH];
	bool ok[BATCH];
	int rc;

	for (size_t i = 0; i < n; i++)
		at[i] = block[i] + BLOCK_BITMAP_AT;
	rc = hotspot_scatter(h, at, n, sizeof(words[0]), words, ok);
	for (size_t i = 0; i < n && rc == 0; i++) {
		struct handle_block *b;

		/* an emptied block is taken out of the array and freed */
		if (!ok[i] || words[i].owner != storage || block[i] % 8)
			return -EAGAIN;
		b = VEC_ADD(out);
		if (!b)
			return -ENOMEM;
		*b = (struct handle_block){block[i], words[i].bitmap};
		out->slots += SLOTS_PER_BLOCK;
		out->in_use += (uint64_t)__builtin_popcountll(words[i].bitmap);
	}
	return rc;
}

/* The array of the storage's blocks, and how many there are. -EAGAIN: none that makes sense. */
static int find_array(const struct hotspot *h, uint64_t storage, uint64_t *array, uint64_t *n)
{
	uint64_t header[ARRAY_HEADER / 8];
	int rc = proc_read(h->pid, storage + h->counters.array_word * 8, array, sizeof(*array));

	if (rc == 0)
		rc = proc_read(h->pid, *array, header, sizeof(header));
	if (rc < 0)
		return rc == -EFAULT ? -EAGAIN : rc;
	if (*array % 8 || header[0] == 0 || header[0] > MAX_BLOCKS || header[1] > header[0])
		return -EAGAIN;
	*array += ARRAY_HEADER;
	*n = header[1];
	return 0;
}

/*
 * Do the first blocks of the array still stand where they were read? A block is taken away by moving the
 * last into its place (JDK: OopStorage::ActiveArray::remove), which a reader on its way does not see; a new
 * one comes behind the last.
 */
static int check_array(const struct hotspot *h, uint64_t storage, struct handle_blocks *read)
{
	uint64_t array, n, block[BATCH];
	int rc = find_array(h, storage, &array, &n);

	read->stable = rc == 0 && n >= read->n;
	for (size_t done = 0; done < read->n && rc == 0 && read->stable;) {
		size_t batch = read->n - done < BATCH ? read->n - done : BATCH;

		rc = proc_read(h->pid, array + done * 8, block, batch * 8);
		for (size_t i = 0; i < batch && rc == 0; i++)
			read->stable &= block[i] == read->v[done + i].addr;
		done += batch;
	}
	read->stable &= rc == 0;
	return rc == -ESRCH ? rc : 0;
}

static int storage_blocks(const struct hotspot *h, uint64_t storage, struct handle_blocks *out)
{
	uint64_t array, blocks, block[BATCH];
	int rc = find_array(h, storage, &array, &blocks);

	for (uint64_t done = 0; rc == 0 && done < blocks;) {
		size_t n = blocks - done < BATCH ? blocks - done : BATCH;

		rc = proc_read(h->pid, array + done * 8, block, n * 8);
		if (rc == 0)
			rc = add_blocks(h, storage, block, n, out);
		else if (rc == -EFAULT)
			rc = -EAGAIN;
		done += n;
	}
	return rc ?: check_array(h, storage, out);
}

/* A chain is read handle by handle while the VM goes on: what two walks agree on is believed. */
static int chain_blocks(struct hotspot *h, uint64_t first, struct handle_blocks *out)
{
	struct handle_blocks again = {0};
	int rc = hotspot_chain_blocks(h, first, out);

	out->stable = rc == 0 && hotspot_chain_blocks(h, first, &again) == 0 && again.n == out->n &&
		      again.in_use == out->in_use;
	for (size_t i = 0; i < out->n && out->stable; i++)
		out->stable = out->v[i].addr == again.v[i].addr && out->v[i].in_use == again.v[i].in_use;
	free(again.v);
	return rc;
}

/* --- both --- */

int hotspot_handle_blocks(struct hotspot *h, enum vm_table table, struct handle_blocks *out)
{
	struct handle_blocks now = {0};
	bool found = false;
	uint64_t addr;
	int rc = -EAGAIN;

	memset(out, 0, sizeof(*out));
	if (!hotspot_read_static(h, "JNIHandles", table_fields[table], &addr) || addr == 0 || addr % 8)
		return -EAGAIN;
	for (int i = 0; i < ENUMERATE_TRIES && (rc == -EAGAIN || (rc == 0 && !out->stable)); i++) {
		now.n = now.slots = now.in_use = 0;
		rc = h->counters.proven ? storage_blocks(h, addr, &now) : chain_blocks(h, addr, &now);
		if (rc == 0) { /* better than none, if none is stable */
			struct handle_blocks last = *out;

			*out = now;
			now = last;
			found = true;
		}
	}
	free(now.v);
	if (rc == -EAGAIN && found)
		rc = 0;
	if (rc < 0) {
		free(out->v);
		memset(out, 0, sizeof(*out));
	}
	return rc;
}
