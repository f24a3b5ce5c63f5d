/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The blocks of the global and weak tables, enumerated. See blocks.h. */
#include "runtime/hotspot/blocks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/hotspot/chains.h"
#include "runtime/hotspot/layout.h"
#include "runtime/hotspot/scatter.h"

#define BATCH           SCATTER_BATCH
#define ENUMERATE_TRIES 4

/* --- JDK 11 and later: OopStorage --- */

/* Take n blocks over, if they are the storage's. */
static int add_blocks(const struct hotspot *h, uint64_t storage, const uint64_t *block, size_t n,
		      struct handle_blocks *out)
{
	struct storage_block_words words[BATCH];
	uint64_t at[BATCH];
	bool ok[BATCH];
	int rc;

	for (size_t i = 0; i < n; i++)
		at[i] = block[i] + STORAGE_BLOCK_BITMAP_AT;
	rc = scatter_read(h->pid, at, n, sizeof(words[0]), words, ok);
	for (size_t i = 0; i < n && rc == 0; i++) {
		struct handle_block *b;

		/* an emptied block is taken out of the array and freed */
		if (!ok[i] || words[i].owner != storage || block[i] % 8)
			return -EAGAIN;
		b = VEC_ADD(out);
		if (!b)
			return -ENOMEM;
		*b = (struct handle_block){block[i], words[i].bitmap};
		out->slots += STORAGE_BLOCK_SLOTS;
		out->bytes += STORAGE_BLOCK_SLOTS * VM_SLOT_BYTES;
		out->in_use += (uint64_t)__builtin_popcountll(words[i].bitmap);
	}
	return rc;
}

/* The array of the storage's blocks, and how many there are. -EAGAIN: none that makes sense. */
static int find_array(const struct hotspot *h, uint64_t storage, uint64_t *array, uint64_t *n)
{
	uint64_t header[STORAGE_ARRAY_HEADER / 8];
	int rc = proc_read(h->pid, storage + h->counters.array_word * 8, array, sizeof(*array));

	if (rc == 0)
		rc = proc_read(h->pid, *array, header, sizeof(header));
	if (rc < 0)
		return rc == -EFAULT ? -EAGAIN : rc;
	if (*array % 8 || header[0] == 0 || header[0] > STORAGE_MAX_BLOCKS || header[1] > header[0])
		return -EAGAIN;
	*array += STORAGE_ARRAY_HEADER;
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

/* --- whatever the VM has --- */

int hotspot_handle_blocks(struct hotspot *h, enum vm_table table, struct handle_blocks *out)
{
	struct handle_blocks now = {0};
	bool found = false;
	uint64_t addr;
	int rc = -EAGAIN;

	memset(out, 0, sizeof(*out));
	if (!hotspot_read_static(h, "JNIHandles", jni_handles_fields[table], &addr) || addr == 0 || addr % 8)
		return -EAGAIN;
	for (int i = 0; i < ENUMERATE_TRIES && (rc == -EAGAIN || (rc == 0 && !out->stable)); i++) {
		now.n = now.slots = now.bytes = now.in_use = 0;
		rc = h->counters.started ? storage_blocks(h, addr, &now) : chain_blocks(h, addr, &now);
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
