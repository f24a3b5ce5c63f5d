/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * JDK 8's tables of global and weak references: chains of JNIHandleBlocks (JDK 8: runtime/jniHandles.cpp).
 * A chain grows at its end and never shrinks. Each slot says by itself whether it is in use: it is not when
 * it holds the object that stands for a deleted reference, or the address of another slot, as those of the
 * free list do. Only the end of that list holds null, as a weak reference does whose object has died: what
 * tells them apart is the list's head, which no table of the VM's names and which is proven here.
 */
#include "runtime/hotspot/chains.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/hotspot/layout.h"
#include "runtime/hotspot/scatter.h"

#define HANDLES_PER_BLOCK JNI_BLOCK_SLOTS
#define MAX_HANDLE_BLOCKS (1u << 15) /* a million references */

struct handle_layout {
	uint64_t size, handles, top, next; /* bytes */
};

static bool handle_layout(const struct hotspot *h, struct handle_layout *l)
{
	uint64_t deleted;

	return hotspot_type_size(h, "JNIHandleBlock", &l->size) &&
	       hotspot_field_offset(h, "JNIHandleBlock", "_handles", &l->handles) &&
	       hotspot_field_offset(h, "JNIHandleBlock", "_top", &l->top) &&
	       hotspot_field_offset(h, "JNIHandleBlock", "_next", &l->next) &&
	       hotspot_static_addr(h, "JNIHandles", "_deleted_handle", &deleted) &&
	       l->size <= JNI_BLOCK_MAX_BYTES && l->size % 8 == 0 &&
	       l->handles + HANDLES_PER_BLOCK * 8 <= l->size && l->top + 4 <= l->size &&
	       l->next + JNI_BLOCK_FREE_AFTER_NEXT + 8 <= l->size && l->handles % 8 == 0 && l->next % 8 == 0;
}

bool hotspot_has_chains(const struct hotspot *h)
{
	struct handle_layout l;

	return handle_layout(h, &l);
}

/*
 * What a deleted handle holds is an object, which a collection moves: a reading of a chain is one between two
 * collections. stamp: of this moment. false: one is going on.
 */
struct gc_stamp {
	uint64_t deleted; /* what a deleted handle holds until it joins the free list */
	uint32_t collections;
};
static bool gc_stamp(const struct hotspot *h, struct gc_stamp *stamp)
{
	uint64_t heap, at;
	uint8_t active = 0;

	memset(stamp, 0, sizeof(*stamp));
	if (!hotspot_read_static(h, "JNIHandles", "_deleted_handle", &stamp->deleted))
		return false;
	if (!hotspot_read_static(h, "Universe", "_collectedHeap", &heap) || heap == 0)
		return true; /* not known: what was read twice must do */
	if (hotspot_field_offset(h, "CollectedHeap", "_total_collections", &at) &&
	    proc_read(h->pid, heap + at, &stamp->collections, sizeof(stamp->collections)) < 0)
		return false;
	return !hotspot_field_offset(h, "CollectedHeap", "_is_gc_active", &at) ||
	       (proc_read(h->pid, heap + at, &active, sizeof(active)) == 0 && !active);
}

static bool gc_has_been(const struct hotspot *h, const struct gc_stamp *before)
{
	struct gc_stamp now;

	return !gc_stamp(h, &now) || memcmp(&now, before, sizeof(now)) != 0;
}

/* --- a copy of a chain --- */

struct chain {
	struct handle_layout l;
	struct {
		uint64_t *v; /* addresses of the blocks, ascending */
		size_t n, cap;
	} at;
	uint64_t *words;  /* of all blocks, l.size bytes each; the first of the chain before and after them */
	uint64_t head[2]; /* of the free list, before and after the blocks were copied */
	uint64_t nr_linked; /* slots that hold the address of another */
};

static void chain_free(struct chain *c)
{
	free(c->at.v);
	free(c->words);
}

/* The words of block i. */
static uint64_t *chain_block(const struct chain *c, size_t i)
{
	return c->words + (i + 1) * (c->l.size / 8);
}

static uint32_t block_top(const struct chain *c, const uint64_t *block)
{
	uint32_t top;

	memcpy(&top, (const uint8_t *)block + c->l.top, sizeof(top));
	return top < HANDLES_PER_BLOCK ? top : HANDLES_PER_BLOCK;
}

static int compare_addresses(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Where the blocks are. Those that join the chain later hold nothing older than this. */
static int chain_find(const struct hotspot *h, struct chain *c, uint64_t addr)
{
	uint64_t block[JNI_BLOCK_MAX_BYTES / 8], *place;
	int rc;

	while (addr) {
		place = c->at.n < MAX_HANDLE_BLOCKS ? VEC_ADD(&c->at) : NULL;
		if (!place)
			return c->at.n < MAX_HANDLE_BLOCKS ? -ENOMEM : -EPROTO;
		*place = addr;
		rc = proc_read(h->pid, addr, block, c->l.size);
		if (rc < 0)
			return rc;
		if (block_top(c, block) < HANDLES_PER_BLOCK)
			break; /* the blocks after it are not in use */
		addr = block[c->l.next / 8];
	}
	qsort(c->at.v, c->at.n, sizeof(*c->at.v), compare_addresses);
	return 0;
}

/* Copy all blocks, as near to one moment as can be: a thousand in one call. */
static int chain_copy(const struct hotspot *h, struct chain *c, uint64_t first)
{
	size_t n = c->at.n + 2, head = (c->l.next + JNI_BLOCK_FREE_AFTER_NEXT) / 8;
	uint64_t *from = calloc(n, sizeof(*from));
	bool *ok = calloc(n, sizeof(*ok));
	int rc = -ENOMEM;

	c->words = calloc(n, c->l.size);
	if (from && ok && c->words) {
		from[0] = from[n - 1] = first;
		memcpy(from + 1, c->at.v, c->at.n * sizeof(*from));
		rc = scatter_read(h->pid, from, n, c->l.size, c->words, ok);
		c->head[0] = c->words[head];
		c->head[1] = chain_block(c, c->at.n)[head];
	}
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = ok[i] ? 0 : -EFAULT;
	free(from);
	free(ok);
	return rc;
}

/* The slot at this address: its word, block and number. NULL: there is none. */
static const uint64_t *chain_slot(const struct chain *c, uint64_t addr, size_t *block, unsigned *number)
{
	size_t lo = 0, hi = c->at.n;
	uint64_t at;

	if (hi == 0 || addr > c->at.v[hi - 1] + c->l.size) /* most are objects, far away */
		return NULL;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (c->at.v[mid] <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == 0)
		return NULL;
	at = addr - c->at.v[lo - 1] - c->l.handles;
	if (at >= HANDLES_PER_BLOCK * 8 || at % 8)
		return NULL;
	*block = lo - 1;
	*number = (unsigned)(at / 8);
	return chain_block(c, *block) + c->l.handles / 8 + *number;
}

/* A slot named by the list is free, also the one at its end, which holds null. */
static bool free_named(const struct chain *c, struct handle_blocks *out, uint64_t addr)
{
	const uint64_t *word;
	unsigned number;
	size_t block;

	word = chain_slot(c, addr, &block, &number);
	if (word && *word == 0)
		out->v[block].in_use &= ~(1ULL << number);
	return word;
}

/* Each slot by itself. */
static int chain_classify(struct chain *c, uint64_t deleted, struct handle_blocks *out)
{
	size_t block;
	unsigned number;

	for (size_t i = 0; i < c->at.n; i++) {
		struct handle_block *b = VEC_ADD(out);

		if (!b)
			return -ENOMEM;
		b->addr = c->at.v[i] + c->l.handles;
		b->in_use = (1ULL << block_top(c, chain_block(c, i))) - 1;
		out->slots += HANDLES_PER_BLOCK;
		out->bytes += HANDLES_PER_BLOCK * VM_SLOT_BYTES;
	}
	for (size_t i = 0; i < c->at.n; i++) {
		const uint64_t *slots = chain_block(c, i) + c->l.handles / 8;

		for (unsigned j = 0; j < block_top(c, chain_block(c, i)); j++) {
			bool linked = slots[j] && chain_slot(c, slots[j], &block, &number);

			if (linked || (slots[j] && slots[j] == deleted))
				out->v[i].in_use &= ~(1ULL << j);
			if (linked)
				free_named(c, out, slots[j]);
			c->nr_linked += linked;
		}
	}
	free_named(c, out, c->head[0]);
	free_named(c, out, c->head[1]);
	for (size_t i = 0; i < out->n; i++)
		out->in_use += (uint64_t)__builtin_popcountll(out->v[i].in_use);
	return 0;
}

/*
 * Is the list's head where JDK 8's source has it? What is on the list when all has been copied was on it
 * all the time, for it is taken from at its head alone: it leads from slot to slot to its end. A head that
 * stood still must lead to all slots that name another.
 */
static bool list_is_sound(const struct chain *c)
{
	uint64_t length = 0, at = c->head[1];
	const uint64_t *word;
	unsigned number;
	size_t block;

	if (c->head[0] && !chain_slot(c, c->head[0], &block, &number))
		return false;
	for (; at; at = *word) {
		word = chain_slot(c, at, &block, &number);
		if (!word || length == c->at.n * HANDLES_PER_BLOCK)
			return false;
		length++;
	}
	return c->head[0] != c->head[1] || length == (c->head[1] ? c->nr_linked + 1 : c->nr_linked);
}

int hotspot_chain_blocks(struct hotspot *h, uint64_t first, struct handle_blocks *out)
{
	struct chain c = {0};
	struct gc_stamp stamp;
	int rc = handle_layout(h, &c.l) ? chain_find(h, &c, first) : -EAGAIN;

	if (rc == 0 && !gc_stamp(h, &stamp))
		rc = -EAGAIN;
	rc = rc ?: chain_copy(h, &c, first);
	if (rc == 0 && gc_has_been(h, &stamp))
		rc = -EAGAIN;
	rc = rc ?: chain_classify(&c, stamp.deleted, out);
	if (rc == 0 && !h->counters.chains_proven) {
		rc = list_is_sound(&c) ? 0 : -EAGAIN;
		h->counters.chains_proven = rc == 0 && c.head[1]; /* without a list there is no proof */
	}
	chain_free(&c);
	return rc == -EFAULT || rc == -EPROTO ? -EAGAIN : rc;
}
