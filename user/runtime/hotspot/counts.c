/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The VM's own counts of global and weak references, without a probe. Since JDK 11 an OopStorage
 * counts its entries (JDK: gc/shared/oopStorage.cpp), but no table says where: the place is proven
 * against the bitmaps of its blocks and, with symbols, the code of allocation_count(). A reference that is
 * deleted twice takes two off the count and marks its entry again, so that the two never agree any more: then
 * without symbols the marks are all there is. JDK 8 counts
 * nothing: its chains of JNIHandleBlocks are read instead, see chains.c.
 */
#include "runtime/hotspot/counts.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

#include "proc/foreign.h"
#include "runtime/hotspot/blocks.h"
#include "runtime/hotspot/chains.h"
#include "runtime/hotspot/layout.h"
#include "runtime/hotspot/scatter.h"

#define STORAGE_WORDS       (STORAGE_MAX_BYTES / 8)
#define BATCH_BLOCKS        SCATTER_BATCH
#define PROOF_READINGS      2
#define PROOF_CALL_READINGS 8
#define PROOF_CALL_NS       5000000 /* a single reading of many blocks may take longer */
#define PROOF_MAX_READINGS  8192    /* a VM that is never idle is looked at again and again */
#define NO_OFFSET           UINT64_MAX
#define MIN_OOP_WORD        (1u << 16) /* generational ZGC has colours in the lowest 16 bits of null, too */

/* --- JDK 11 and later: OopStorage --- */

/* An OopStorage as it was, before and after its blocks were counted. */
struct storage {
	uint64_t addr, nr_words;
	uint64_t before[STORAGE_WORDS], after[STORAGE_WORDS];
	uint64_t in_use; /* bits set in the bitmaps of all blocks */
};

static int read_blocks(const struct hotspot *h, const uint64_t *block, struct storage_block_words *out,
		       size_t n)
{
	struct iovec to = {out, n * sizeof(*out)}, from[BATCH_BLOCKS];

	for (size_t i = 0; i < n; i++)
		from[i] =
		    (struct iovec){(void *)(uintptr_t)(block[i] + STORAGE_BLOCK_BITMAP_AT), sizeof(*out)};
	return foreign_memory(h->pid, &to, 1, from, n) == (ssize_t)to.iov_len ? 0 : -EFAULT;
}

/* Entries in use of the storage, if array is its ActiveArray: every block must name it as owner. */
static int count_blocks(const struct hotspot *h, uint64_t storage, uint64_t array, uint64_t *in_use,
			uint64_t *blocks)
{
	struct storage_block_words words[BATCH_BLOCKS];
	uint64_t block[BATCH_BLOCKS], header[STORAGE_ARRAY_HEADER / 8];

	*in_use = 0;
	if (array % 8 || proc_read(h->pid, array, header, sizeof(header)) < 0)
		return -EPROTO;
	*blocks = header[1];
	if (header[0] == 0 || header[0] > STORAGE_MAX_BLOCKS || header[1] > header[0])
		return -EPROTO;
	array += STORAGE_ARRAY_HEADER;
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

	return hi <= (uint64_t)STORAGE_MAX_BLOCKS * 64 && s->in_use + slack >= lo && s->in_use <= hi + slack;
}

/* One reading of both storages: what is possible shrinks to what it allows. Contradictions are not kept. */
static void take_reading(const struct hotspot *h, struct storage s[NR_VM_TABLES], struct vm_counters *c)
{
	bool now[STORAGE_WORDS] = {0};
	size_t left = 0;

	for (int k = 0; k < NR_VM_TABLES; k++)
		if (storage_count(h, &s[k], c->array_word) < 0)
			return;
	if (s[VM_GLOBAL].in_use == 0) /* any word that is zero would do */
		return;
	for (size_t w = 0; w < s[VM_GLOBAL].nr_words; w++) {
		now[w] = c->possible[w] && is_count(&s[VM_GLOBAL], w, c->by_code) &&
			 is_count(&s[VM_WEAK], w, c->by_code);
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

static int prove_counters(struct hotspot *h, const uint64_t addr[NR_VM_TABLES])
{
	struct vm_counters *c = &h->counters;
	uint64_t size, deadline_ns;
	struct storage *s;
	size_t word = 0;
	int last = c->readings + PROOF_CALL_READINGS;

	if (c->readings >= PROOF_MAX_READINGS || !hotspot_type_size(h, "OopStorage", &size) ||
	    size > STORAGE_MAX_BYTES)
		return -ENOENT;
	s = calloc(NR_VM_TABLES, sizeof(*s));
	if (!s)
		return -ENOMEM;
	for (int k = 0; k < NR_VM_TABLES; k++) {
		s[k].addr = addr[k];
		s[k].nr_words = size / 8;
	}
	if (!c->started)
		c->started = start_proof(h, &s[VM_GLOBAL], c) == 0;
	deadline_ns = clock_ns(CLOCK_MONOTONIC) + PROOF_CALL_NS;
	do {
		c->readings++;
		if (c->started)
			take_reading(h, s, c);
		c->proven = is_proven(c, &word);
	} while (!c->proven && c->started && c->readings < last && clock_ns(CLOCK_MONOTONIC) < deadline_ns);
	free(s);
	for (int k = 0; k < NR_VM_TABLES; k++)
		c->addr[k] = addr[k] + word * 8;
	return c->proven ? 0 : -ENOENT;
}

static int read_counters(const struct hotspot *h, uint64_t count[NR_VM_TABLES])
{
	struct iovec to = {count, NR_VM_TABLES * sizeof(*count)}, from[NR_VM_TABLES];
	ssize_t got;

	for (int k = 0; k < NR_VM_TABLES; k++)
		from[k] = (struct iovec){(void *)(uintptr_t)h->counters.addr[k], sizeof(*count)};
	got = foreign_memory(h->pid, &to, 1, from, NR_VM_TABLES);
	if (got != (ssize_t)to.iov_len)
		return got == -ESRCH ? -ESRCH : -EFAULT;
	return 0;
}

/* --- whatever the VM has --- */

/* Where the two stores are. false: not yet made, or not known. */
static bool find_stores(const struct hotspot *h, uint64_t addr[NR_VM_TABLES])
{
	for (int k = 0; k < NR_VM_TABLES; k++)
		if (!hotspot_read_static(h, "JNIHandles", jni_handles_fields[k], &addr[k]) || addr[k] == 0 ||
		    addr[k] % 8)
			return false;
	return true;
}

/* JDK 8 counts nothing: what is in use in the chains is counted here. */
static int count_chains(struct hotspot *h, uint64_t count[NR_VM_TABLES])
{
	int rc = 0;

	for (int k = 0; k < NR_VM_TABLES && rc == 0; k++) {
		struct handle_blocks blocks;

		rc = hotspot_handle_blocks(h, (enum vm_table)k, &blocks);
		if (rc == 0)
			count[k] = blocks.in_use;
		free(blocks.v);
	}
	return rc;
}

/*
 * Entries of these blocks that are marked in use and hold null: of a global reference that was deleted and
 * deleted again, which marks its free entry (Block::release_entries() flips the bit).
 */
static uint64_t count_nulls(const struct hotspot *h, const struct handle_blocks *blocks)
{
	uint64_t word[STORAGE_BLOCK_SLOTS], n = 0;

	for (size_t i = 0; i < blocks->n; i++) {
		if (proc_read(h->pid, blocks->v[i].addr, word, sizeof(word)) < 0)
			continue;
		for (uint64_t left = blocks->v[i].in_use; left; left &= left - 1)
			n += word[__builtin_ctzll(left)] < MIN_OOP_WORD;
	}
	return n;
}

/* By the bitmaps of the blocks, where the word that counts is not known. */
static int count_marks(struct hotspot *h, uint64_t count[NR_VM_TABLES])
{
	int rc = 0;

	for (int k = 0; k < NR_VM_TABLES && rc == 0; k++) {
		struct handle_blocks blocks;

		rc = hotspot_handle_blocks(h, (enum vm_table)k, &blocks);
		if (rc == 0) /* a weak one may be cleared */
			count[k] = blocks.in_use - (k == VM_GLOBAL ? count_nulls(h, &blocks) : 0);
		free(blocks.v);
	}
	return rc;
}

int hotspot_counts(struct hotspot *h, struct vm_counts *out)
{
	uint64_t addr[NR_VM_TABLES], count[NR_VM_TABLES] = {0};
	bool by_marks = false;
	int rc = 0;

	memset(out, 0, sizeof(*out));
	if (!h->counters.proven) {
		if (!find_stores(h, addr))
			return 0;
		rc = hotspot_has_chains(h) ? count_chains(h, count) : prove_counters(h, addr);
	}
	if (rc == 0 && h->counters.proven)
		rc = read_counters(h, count);
	by_marks = rc == -ENOENT && h->counters.started;
	if (by_marks)
		rc = count_marks(h, count);
	if (rc < 0)
		return rc == -ESRCH || rc == -ENOMEM ? rc : 0;
	*out =
	    (struct vm_counts){.known = true, .by_marks = by_marks, .n = {count[VM_GLOBAL], count[VM_WEAK]}};
	return 0;
}
