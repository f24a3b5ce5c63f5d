/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The VM's own counts of global and weak references, without a probe. Since JDK 11 an OopStorage
 * counts its entries (JDK: gc/shared/oopStorage.cpp), but no table says where: the place is proven
 * against the bitmaps of its blocks and, with symbols, the code of allocation_count(). JDK 8 counts
 * nothing: its chain of JNIHandleBlocks is walked (JDK 8: runtime/jniHandles.cpp).
 */
#include "hotspot_blocks.h"
#include "hotspot_priv.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>

#define STORAGE_WORDS       (STORAGE_MAX_BYTES / 8)
#define MAX_BLOCKS          (1u << 20) /* 64 M references */
#define BATCH_BLOCKS        1024       /* IOV_MAX */
#define ARRAY_HEADER_BYTES  24  /* OopStorage::ActiveArray: _size, _block_count, _refcount; then Block*[] */
#define BLOCK_BITMAP_AT     512 /* OopStorage::Block: oop _data[64], _allocated_bitmask, _owner */
#define PROOF_READINGS      2
#define PROOF_CALL_READINGS 8
#define PROOF_CALL_NS       5000000 /* a single reading of many blocks may take longer */
#define PROOF_MAX_READINGS  256
#define NO_OFFSET           UINT64_MAX

enum { GLOBAL, WEAK, NR_STORES };
static const char *const store_fields[NR_STORES] = {"_global_handles", "_weak_global_handles"};

/* --- JDK 11 and later: OopStorage --- */

/* An OopStorage as it was, before and after its blocks were counted. */
struct storage {
	uint64_t addr, nr_words;
	uint64_t before[STORAGE_WORDS], after[STORAGE_WORDS];
	uint64_t in_use; /* bits set in the bitmaps of all blocks */
};

/* What a batch of blocks says: bitmap and owner of each. */
struct block_words {
	uint64_t bitmap, owner;
};

static int read_blocks(const struct hotspot *h, const uint64_t *block, struct block_words *out, size_t n)
{
	struct iovec to = {out, n * sizeof(*out)}, from[BATCH_BLOCKS];

	for (size_t i = 0; i < n; i++)
		from[i] = (struct iovec){(void *)(uintptr_t)(block[i] + BLOCK_BITMAP_AT), sizeof(*out)};
	return process_vm_readv(h->pid, &to, 1, from, n, 0) == (ssize_t)to.iov_len ? 0 : -EFAULT;
}

/* Entries in use of the storage, if array is its ActiveArray: every block must name it as owner. */
static int count_blocks(const struct hotspot *h, uint64_t storage, uint64_t array, uint64_t *in_use,
			uint64_t *blocks)
{
	struct block_words words[BATCH_BLOCKS];
	uint64_t block[BATCH_BLOCKS], header[ARRAY_HEADER_BYTES / 8];

	*in_use = 0;
	if (array % 8 || proc_read(h->pid, array, header, sizeof(header)) < 0)
		return -EPROTO;
	*blocks = header[1];
	if (header[0] == 0 || header[0] > MAX_BLOCKS || header[1] > header[0])
		return -EPROTO;
	array += ARRAY_HEADER_BYTES;
	for (uint64_t done = 0; done < *blocks;) {
		size_t n = *blocks - done < BATCH_BLOCKS ? *blocks - done : BATCH_BLOCKS;

		if (proc_read(h->pid, array + done * 8, block, n * 8) < 0 ||
		    read_blocks(h, block, words, n) < 0)
			return -EPROTO;
		for (size_t i = 0; i < n; i++) {
			if (words[i].owner != storage)
				return -EPROTO;
			*in_use += (uint64_t)__builtin_popcountll(words[i].bitmap);
		}
		done += n;
	}
	return 0;
}

/* The word of the storage that points at its array of blocks: the only one whose blocks name it as owner. */
static int find_active_array(const struct hotspot *h, const struct storage *s, size_t *word)
{
	uint64_t in_use, blocks;

	for (size_t i = 0; i < s->nr_words; i++) {
		if (count_blocks(h, s->addr, s->before[i], &in_use, &blocks) == 0 && blocks > 0) {
			*word = i;
			return 0;
		}
	}
	return -ENOENT;
}

static int storage_count(const struct hotspot *h, struct storage *s, size_t array_word)
{
	uint64_t blocks;
	size_t bytes = s->nr_words * 8;
	int rc = proc_read(h->pid, s->addr, s->before, bytes);

	if (rc == 0)
		rc = count_blocks(h, s->addr, s->before[array_word], &s->in_use, &blocks);
	if (rc == 0)
		rc = proc_read(h->pid, s->addr, s->after, bytes);
	return rc;
}

/*
 * Offset of _allocation_count by the code of OopStorage::allocation_count() const: one load through
 * `this`. NO_OFFSET: no such symbol, or other code.
 */
static uint64_t offset_by_code(const struct hotspot *h)
{
	static const uint8_t endbr64[] = {0xf3, 0x0f, 0x1e, 0xfa}, frame[] = {0x55, 0x48, 0x89, 0xe5};
	struct elf_wanted w = {.name = "_ZNK10OopStorage16allocation_countEv"};
	uint8_t code[24] = {0}, *p = code;
	uint32_t v;

	if (elf_find_symbols(h->libjvm, ELF_SYMTAB, &w, 1) != 1 ||
	    elf_read(h->libjvm, w.vaddr, code, sizeof(code)) != sizeof(code))
		return NO_OFFSET;
	if (elf_machine(h->libjvm) == EM_AARCH64) {
		for (int i = 0; i < 4; i++, p += 4) {
			memcpy(&v, p, sizeof(v));
			if ((v & 0xffc003ff) == 0xf9400000) /* ldr x0, [x0, #imm12 * 8] */
				return (v >> 10 & 0xfff) * 8;
		}
		return NO_OFFSET;
	}
	if (memcmp(p, endbr64, sizeof(endbr64)) == 0)
		p += sizeof(endbr64);
	if (memcmp(p, frame, sizeof(frame)) == 0) /* push %rbp; mov %rsp,%rbp */
		p += sizeof(frame);
	if (p[0] != 0x48 || p[1] != 0x8b) /* mov disp(%rdi),%rax */
		return NO_OFFSET;
	if (p[2] == 0x47)
		return p[3] < 0x80 ? p[3] : NO_OFFSET;
	memcpy(&v, p + 3, sizeof(v));
	return p[2] == 0x87 && v < STORAGE_MAX_BYTES ? v : NO_OFFSET;
}

/*
 * May word w be the count of entries in use? It may while its values before and after enclose it. The
 * target goes on meanwhile, so large stores, slow to read, get some slack: no other word is near them
 * by chance. More slack when the word is known from code and is only confirmed.
 */
static bool is_count(const struct storage *s, size_t w, bool by_code)
{
	uint64_t lo = s->before[w] < s->after[w] ? s->before[w] : s->after[w];
	uint64_t hi = s->before[w] < s->after[w] ? s->after[w] : s->before[w];
	uint64_t slack = by_code ? 64 + s->in_use / 8 : s->in_use >= 4096 ? 64 : 0;

	return hi <= (uint64_t)MAX_BLOCKS * 64 && s->in_use + slack >= lo && s->in_use <= hi + slack;
}

/* One reading of both storages: what is possible shrinks to what it allows. Contradictions are not kept. */
static void take_reading(const struct hotspot *h, struct storage s[NR_STORES], struct vm_counters *c)
{
	bool now[STORAGE_WORDS] = {0};
	size_t left = 0;

	for (int k = 0; k < NR_STORES; k++)
		if (storage_count(h, &s[k], c->array_word) < 0)
			return;
	if (s[GLOBAL].in_use == 0) /* any word that is zero would do */
		return;
	for (size_t w = 0; w < s[GLOBAL].nr_words; w++) {
		now[w] = c->possible[w] && is_count(&s[GLOBAL], w, c->by_code) &&
			 is_count(&s[WEAK], w, c->by_code);
		left += now[w];
	}
	if (left == 0)
		return;
	memcpy(c->possible, now, sizeof(now));
	c->useful++;
}

/* Before the first reading: which words come into question, and where the blocks are. */
static int start_proof(const struct hotspot *h, struct storage *global, struct vm_counters *c)
{
	uint64_t by_code = offset_by_code(h);
	int rc = proc_read(h->pid, global->addr, global->before, global->nr_words * 8);

	if (rc == 0)
		rc = find_active_array(h, global, &c->array_word);
	if (rc < 0)
		return rc;
	c->by_code = by_code != NO_OFFSET;
	if (c->by_code && (by_code % 8 || by_code / 8 >= global->nr_words))
		return -EPROTO;
	for (size_t w = 0; w < global->nr_words; w++)
		c->possible[w] = w != c->array_word && (!c->by_code || w == by_code / 8);
	return 0;
}

/* The one word that is left after enough readings. */
static bool is_proven(const struct vm_counters *c, size_t *word)
{
	size_t left = 0;

	for (size_t w = 0; w < STORAGE_WORDS; w++) {
		*word = c->possible[w] ? w : *word;
		left += c->possible[w];
	}
	return c->useful >= PROOF_READINGS && left == 1;
}

static int prove_counters(struct hotspot *h, const uint64_t addr[NR_STORES])
{
	struct vm_counters *c = &h->counters;
	uint64_t size, deadline_ns;
	struct storage *s;
	size_t word = 0;
	int last = c->readings + PROOF_CALL_READINGS;

	if (c->readings >= PROOF_MAX_READINGS || !hotspot_type_size(h, "OopStorage", &size) ||
	    size > STORAGE_MAX_BYTES)
		return -ENOENT;
	s = calloc(NR_STORES, sizeof(*s));
	if (!s)
		return -ENOMEM;
	for (int k = 0; k < NR_STORES; k++) {
		s[k].addr = addr[k];
		s[k].nr_words = size / 8;
	}
	if (!c->started)
		c->started = start_proof(h, &s[GLOBAL], c) == 0;
	deadline_ns = clock_ns(CLOCK_MONOTONIC) + PROOF_CALL_NS;
	do {
		c->readings++;
		if (c->started)
			take_reading(h, s, c);
		c->proven = is_proven(c, &word);
	} while (!c->proven && c->started && c->readings < last && clock_ns(CLOCK_MONOTONIC) < deadline_ns);
	free(s);
	for (int k = 0; k < NR_STORES; k++)
		c->addr[k] = addr[k] + word * 8;
	return c->proven ? 0 : -ENOENT;
}

static int read_counters(const struct hotspot *h, uint64_t count[NR_STORES])
{
	struct iovec to = {count, NR_STORES * sizeof(*count)}, from[NR_STORES];

	for (int k = 0; k < NR_STORES; k++)
		from[k] = (struct iovec){(void *)(uintptr_t)h->counters.addr[k], sizeof(*count)};
	if (process_vm_readv(h->pid, &to, 1, from, NR_STORES, 0) != (ssize_t)to.iov_len)
		return errno == ESRCH ? -ESRCH : -EFAULT;
	return 0;
}

/* --- JDK 8: JNIHandleBlock --- */

#define HANDLES_PER_BLOCK 32         /* JNIHandleBlock::block_size_in_oops */
#define MAX_HANDLE_BLOCKS (1u << 15) /* a million references */
#define MAX_BLOCK_BYTES   512
#define FREE_LIST_AFTER_NEXT                                                                                 \
	24 /* JNIHandleBlock: _next, _last, _pop_frame_link, _free_list; not exported                        \
	    */

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
	       l->size <= MAX_BLOCK_BYTES && l->handles + HANDLES_PER_BLOCK * 8 <= l->size &&
	       l->top + 4 <= l->size && l->next + FREE_LIST_AFTER_NEXT + 8 <= l->size &&
	       l->handles % 8 == 0 && l->next % 8 == 0;
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

/* A whole chain, copied; sorted by address once it is complete. */
struct chain_block {
	uint64_t addr;
	uint64_t word[MAX_BLOCK_BYTES / 8];
};
struct chain {
	struct chain_block *v;
	size_t n, cap;
};

static uint32_t block_top(const struct handle_layout *l, const struct chain_block *b)
{
	uint32_t top;

	memcpy(&top, (const uint8_t *)b->word + l->top, sizeof(top));
	return top < HANDLES_PER_BLOCK ? top : HANDLES_PER_BLOCK;
}

static int compare_blocks(const void *a, const void *b)
{
	const struct chain_block *x = a, *y = b;

	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

static int chain_read(const struct hotspot *h, const struct handle_layout *l, uint64_t addr, struct chain *c)
{
	while (addr) {
		struct chain_block *b;
		int rc;

		if (c->n == MAX_HANDLE_BLOCKS)
			return -E2BIG;
		b = VEC_ADD(c);
		if (!b)
			return -ENOMEM;
		b->addr = addr;
		rc = proc_read(h->pid, addr, b->word, l->size);
		if (rc < 0)
			return rc;
		if (block_top(l, b) < HANDLES_PER_BLOCK)
			break; /* the blocks after it are not in use */
		addr = b->word[l->next / 8];
	}
	qsort(c->v, c->n, sizeof(*c->v), compare_blocks);
	return 0;
}

/* What the handle at this address holds, or NULL when it is no handle of the chain. */
static const uint64_t *chain_handle(const struct handle_layout *l, const struct chain *c, uint64_t addr)
{
	size_t lo = 0, hi = c->n;
	uint64_t at;

	if (hi == 0 || addr > c->v[hi - 1].addr + l->size) /* most are objects, far away */
		return NULL;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (c->v[mid].addr <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == 0)
		return NULL;
	at = addr - c->v[lo - 1].addr - l->handles;
	return at < HANDLES_PER_BLOCK * 8 && at % 8 == 0 ? &c->v[lo - 1].word[(l->handles + at) / 8] : NULL;
}

/* Handles on the free list, each of which holds the address of the next. */
static int free_list_length(const struct handle_layout *l, const struct chain *c, uint64_t head,
			    uint64_t *length)
{
	const uint64_t *p;

	for (*length = 0; head; head = *p) {
		p = chain_handle(l, c, head);
		if (!p || *length == c->n * HANDLES_PER_BLOCK)
			return -EPROTO;
		++*length;
	}
	return 0;
}

/*
 * Handles of the chain in use. The list's head is where JDK 8's source has it, and proven: the list
 * must hold exactly the handles that name another handle, and its end.
 */
static int chain_count(const struct hotspot *h, const struct handle_layout *l, uint64_t first,
		       uint64_t *count)
{
	struct chain c = {0};
	uint64_t linked = 0, deleted = 0, length = 0, head = 0;
	struct gc_stamp stamp;
	int rc = gc_stamp(h, &stamp) ? chain_read(h, l, first, &c) : -EAGAIN;

	*count = 0;
	for (size_t i = 0; i < c.n && rc == 0; i++) {
		const struct chain_block *b = &c.v[i];

		if (b->addr == first)
			head = b->word[(l->next + FREE_LIST_AFTER_NEXT) / 8];
		for (uint32_t j = 0; j < block_top(l, b); j++) {
			uint64_t v = b->word[l->handles / 8 + j];

			++*count;
			deleted += v != 0 && v == stamp.deleted;
			linked += chain_handle(l, &c, v) != NULL;
		}
	}
	if (rc == 0)
		rc = free_list_length(l, &c, head, &length);
	if (rc == 0 && length != (head ? linked + 1 : linked))
		rc = -EPROTO;
	if (rc == 0 && gc_has_been(h, &stamp))
		rc = -EAGAIN;
	*count -= deleted + length;
	free(c.v);
	return rc;
}

/* The block of the chain that has this handle, its number in *slot; NULL: none has. */
static struct handle_block *block_of(const struct handle_layout *l, const struct chain *c,
				     struct handle_blocks *b, uint64_t handle, unsigned *slot)
{
	const uint64_t *word = chain_handle(l, c, handle);

	for (size_t i = 0; word && i < c->n; i++) {
		if (word < c->v[i].word || word >= c->v[i].word + ARRAY_LEN(c->v[i].word))
			continue;
		*slot = (unsigned)((handle - b->v[i].addr) / 8);
		return &b->v[i];
	}
	return NULL;
}

int hotspot_chain_blocks(const struct hotspot *h, uint64_t first, struct handle_blocks *out)
{
	struct handle_layout l;
	struct chain c = {0};
	struct gc_stamp stamp;
	uint64_t head = 0;
	int rc = handle_layout(h, &l) && gc_stamp(h, &stamp) ? chain_read(h, &l, first, &c) : -EAGAIN;

	for (size_t i = 0; i < c.n && rc == 0; i++) {
		const struct chain_block *from = &c.v[i];
		struct handle_block *b = VEC_ADD(out);

		if (!b)
			rc = -ENOMEM;
		if (from->addr == first)
			head = from->word[(l.next + FREE_LIST_AFTER_NEXT) / 8];
		for (uint32_t j = 0; b && j < block_top(&l, from); j++) {
			uint64_t v = from->word[l.handles / 8 + j];

			b->addr = from->addr + l.handles;
			if ((v == 0 || v != stamp.deleted) && !chain_handle(&l, &c, v))
				b->in_use |= 1ULL << j;
		}
		out->slots += HANDLES_PER_BLOCK;
	}
	/* the last of the free list holds null, as a handle that was cleared does */
	for (size_t n = 0; rc == 0 && head; n++) {
		const uint64_t *next = chain_handle(&l, &c, head);

		if (!next || n == c.n * HANDLES_PER_BLOCK) {
			rc = -EAGAIN;
		} else if (*next == 0) {
			unsigned slot = 0;
			struct handle_block *b = block_of(&l, &c, out, head, &slot);

			if (b)
				b->in_use &= ~(1ULL << slot);
			break;
		}
		head = next ? *next : 0;
	}
	if (rc == 0 && gc_has_been(h, &stamp))
		rc = -EAGAIN;
	for (size_t i = 0; i < out->n; i++)
		out->in_use += (uint64_t)__builtin_popcountll(out->v[i].in_use);
	free(c.v);
	return rc == -EFAULT || rc == -EPROTO ? -EAGAIN : rc;
}

/* --- both --- */

/* Where the two stores are. false: not yet made, or not known. */
static bool find_stores(const struct hotspot *h, uint64_t addr[NR_STORES])
{
	for (int k = 0; k < NR_STORES; k++)
		if (!hotspot_read_static(h, "JNIHandles", store_fields[k], &addr[k]) || addr[k] == 0 ||
		    addr[k] % 8)
			return false;
	return true;
}

/*
 * Counts of both chains, believed when two walks in a row agree: a chain is not read at one moment, and one
 * that is handed out from and given back to meanwhile counts as anything. -EAGAIN: they never did.
 */
#define CHAIN_WALKS 8
static int count_chains(const struct hotspot *h, const struct handle_layout *l, const uint64_t *addr,
			uint64_t *count)
{
	uint64_t before[NR_STORES];
	bool comparable = false;
	int rc = 0;

	for (int walk = 0; walk < CHAIN_WALKS && rc != -ESRCH && rc != -ENOMEM; walk++) {
		memcpy(before, count, sizeof(before));
		rc = 0;
		for (int k = 0; k < NR_STORES && rc == 0; k++)
			rc = chain_count(h, l, addr[k], &count[k]);
		if (rc == 0 && comparable && !memcmp(before, count, sizeof(before)))
			return 0;
		comparable = rc == 0;
	}
	return rc ?: -EAGAIN;
}

int hotspot_counts(struct hotspot *h, struct vm_counts *out)
{
	struct handle_layout layout;
	uint64_t addr[NR_STORES], count[NR_STORES] = {0};
	int rc = 0;

	memset(out, 0, sizeof(*out));
	if (!h->counters.proven) {
		if (!find_stores(h, addr))
			return 0;
		if (handle_layout(h, &layout)) {
			rc = count_chains(h, &layout, addr, count);
		} else {
			rc = prove_counters(h, addr);
		}
	}
	if (rc == 0 && h->counters.proven)
		rc = read_counters(h, count);
	if (rc < 0)
		return rc == -ESRCH || rc == -ENOMEM ? rc : 0;
	*out = (struct vm_counts){.known = true, .global = count[GLOBAL], .weak = count[WEAK]};
	return 0;
}
