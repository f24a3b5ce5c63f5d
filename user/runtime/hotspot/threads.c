/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The VM's threads and their local references. Since JDK 10 the threads are in an array
 * (JDK: runtime/threadSMR.hpp), before in a list (JDK 8: runtime/thread.hpp). A thread's local references
 * are in a chain of JNIHandleBlocks (JDK: runtime/jniHandles.hpp).
 */
#include "runtime/hotspot/threads.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/hotspot/events.h"
#include "runtime/hotspot/jni.h"
#include "runtime/hotspot/layout.h"
#include "runtime/hotspot/scatter.h"

#define MAX_THREADS       65536
#define MAX_THREAD_BYTES  16384
#define THREADS_TRIES     3          /* until all can be read */
#define MAX_CHAIN_BLOCKS  (1u << 17) /* of all threads: 4 M references, a tenth of a second */
#define LIST_TRIES        4
#define CODE_WINDOW_BYTES 1536

bool hotspot_thread_field(const struct hotspot *h, const char *field, uint64_t *offset)
{
	return hotspot_field_offset(h, "JavaThread", field, offset) ||
	       hotspot_field_offset(h, "Thread", field, offset);
}

bool hotspot_thread_layout(const struct hotspot *h, struct thread_layout *l)
{
	memset(l, 0, sizeof(*l));
	hotspot_read_static(h, "JNIHandles", "_deleted_handle", &l->deleted);
	return hotspot_type_size(h, "JavaThread", &l->thread_bytes) &&
	       hotspot_thread_field(h, "_osthread", &l->osthread) &&
	       hotspot_thread_field(h, "_active_handles", &l->handles) &&
	       hotspot_field_offset(h, "OSThread", "_thread_id", &l->tid) &&
	       hotspot_type_size(h, "JNIHandleBlock", &l->block_bytes) &&
	       hotspot_field_offset(h, "JNIHandleBlock", "_handles", &l->slots) &&
	       hotspot_field_offset(h, "JNIHandleBlock", "_top", &l->top) &&
	       hotspot_field_offset(h, "JNIHandleBlock", "_next", &l->next) &&
	       l->thread_bytes <= MAX_THREAD_BYTES && l->osthread + 8 <= l->thread_bytes &&
	       l->handles + 8 <= l->thread_bytes && l->tid < 4096 && l->block_bytes <= JNI_BLOCK_MAX_BYTES &&
	       l->slots + JNI_BLOCK_SLOTS * 8 <= l->block_bytes && l->top + 4 <= l->block_bytes &&
	       l->next + JNI_BLOCK_FREE_AFTER_NEXT + 8 <= l->block_bytes && l->slots % 8 == 0 &&
	       l->next % 8 == 0;
}

/* --- the list --- */

static int add_thread(struct vm_threads *out, uint64_t addr)
{
	struct vm_thread *t;

	if (addr == 0 || addr % 8)
		return -EAGAIN;
	if (out->n == MAX_THREADS)
		return -E2BIG;
	t = VEC_ADD(out);
	if (!t)
		return -ENOMEM;
	*t = (struct vm_thread){.addr = addr, .local_refs = -1, .native_attached = -1, .criticals = -1};
	return 0;
}

bool hotspot_list_at(const struct hotspot *h, struct java_thread_list *out)
{
	uint64_t length, threads, next;

	*out = (struct java_thread_list){0};
	if (hotspot_static_addr(h, "ThreadsSMRSupport", "_java_thread_list", &out->at)) {
		if (!hotspot_field_offset(h, "ThreadsList", "_length", &length) ||
		    !hotspot_field_offset(h, "ThreadsList", "_threads", &threads) || length >= 4096 ||
		    threads >= 4096)
			return false;
		out->length = (uint32_t)length;
		out->threads = (uint32_t)threads;
		return true;
	}
	if (!hotspot_static_addr(h, "Threads", "_thread_list", &out->at) ||
	    !hotspot_field_offset(h, "JavaThread", "_next", &next) || !next || next >= MAX_THREAD_BYTES)
		return false;
	out->next = (uint32_t)next;
	return true;
}

/* JDK 10 and later: an array that is replaced, never changed; the old one is freed. */
static int read_array(const struct hotspot *h, struct vm_threads *out)
{
	uint64_t list, again, length_at, threads_at, array;
	uint32_t length;
	uint64_t *v;
	int rc;

	if (!hotspot_read_static(h, "ThreadsSMRSupport", "_java_thread_list", &list) ||
	    !hotspot_field_offset(h, "ThreadsList", "_length", &length_at) ||
	    !hotspot_field_offset(h, "ThreadsList", "_threads", &threads_at))
		return -EPROTO;
	if (list == 0 || proc_read(h->pid, list + length_at, &length, sizeof(length)) < 0 ||
	    proc_read(h->pid, list + threads_at, &array, sizeof(array)) < 0 || length > MAX_THREADS)
		return -EAGAIN;
	v = calloc(length + 1, sizeof(*v));
	if (!v)
		return -ENOMEM;
	rc = length && proc_read(h->pid, array, v, length * sizeof(*v)) < 0 ? -EAGAIN : 0;
	for (uint32_t i = 0; i < length && rc == 0; i++)
		rc = add_thread(out, v[i]);
	free(v);
	if (rc == 0 &&
	    (!hotspot_read_static(h, "ThreadsSMRSupport", "_java_thread_list", &again) || again != list))
		rc = -EAGAIN;
	return rc;
}

/* JDK 8: linked through JavaThread::_next. */
static int read_linked(const struct hotspot *h, struct vm_threads *out)
{
	uint64_t addr, next;
	int rc = 0;

	if (!hotspot_read_static(h, "Threads", "_thread_list", &addr) ||
	    !hotspot_field_offset(h, "JavaThread", "_next", &next))
		return -EPROTO;
	while (addr && rc == 0) {
		rc = add_thread(out, addr);
		if (rc == 0 && proc_read(h->pid, addr + next, &addr, sizeof(addr)) < 0)
			rc = -EAGAIN;
	}
	return rc;
}

int hotspot_thread_list(const struct hotspot *h, struct vm_threads *out)
{
	uint64_t addr;
	int rc = -EAGAIN;

	for (int i = 0; i < LIST_TRIES && rc == -EAGAIN; i++) {
		out->n = 0;
		rc = hotspot_static_addr(h, "ThreadsSMRSupport", "_java_thread_list", &addr)
			 ? read_array(h, out)
			 : read_linked(h, out);
	}
	return rc;
}

/* --- local references --- */

struct raw_block {
	uint64_t word[JNI_BLOCK_MAX_BYTES / 8];
};

static uint32_t top_of(const struct thread_layout *l, const struct raw_block *b)
{
	uint32_t top;

	memcpy(&top, (const uint8_t *)b->word + l->top, sizeof(top));
	return top;
}

/*
 * Live handles of one block: neither deleted (null) nor on the free list, whose entries are tagged, or
 * in JDK 8 untagged addresses of slots (JDK: JNIHandleBlock::rebuild_free_list).
 */
static int64_t count_block(const struct thread_layout *l, const struct raw_block *b, uint32_t top)
{
	int64_t n = 0;

	for (uint32_t i = 0; i < top; i++) {
		uint64_t v = b->word[l->slots / 8 + i];

		n += v != 0 && !(v & 1) && v != l->deleted;
	}
	return n;
}

/* JDK 8: how many handles of the free list hold the address of the next one. */
static int64_t linked_handles(const struct hotspot *h, uint64_t head, uint32_t *budget)
{
	int64_t n = 0;

	while (head && head % 8 == 0 && *budget > 0 && proc_read(h->pid, head, &head, sizeof(head)) == 0) {
		n += head != 0;
		--*budget;
	}
	return n;
}

/*
 * One chain. Its first block names the last one in use: that this is found on the way proves that
 * the words after _next are what they are taken for. -1: it is not. A chain that is longer than the budget
 * is counted as far as that goes.
 */
static int64_t count_chain(const struct hotspot *h, const struct thread_layout *l, uint64_t addr,
			   uint64_t *outer, uint32_t *budget)
{
	uint64_t last = 0;
	bool first = true, proven = false;
	int64_t n = 0;

	while (addr) {
		struct raw_block b = {0};
		uint32_t top;

		if (*budget == 0)
			return n;
		if (addr % 8 || proc_read(h->pid, addr, b.word, l->block_bytes) < 0)
			return -1;
		--*budget;
		top = top_of(l, &b);
		if (top > JNI_BLOCK_SLOTS)
			return -1;
		if (first) {
			last = b.word[(l->next + JNI_BLOCK_LAST_AFTER_NEXT) / 8];
			*outer = b.word[(l->next + JNI_BLOCK_POP_AFTER_NEXT) / 8];
			/* not set while the block is empty */
			proven = top == 0;
			if (l->deleted)
				n -= linked_handles(h, b.word[(l->next + JNI_BLOCK_FREE_AFTER_NEXT) / 8],
						    budget);
		}
		first = false;
		proven |= addr == last;
		n += count_block(l, &b, top);
		if (top < JNI_BLOCK_SLOTS)
			break;
		addr = b.word[l->next / 8];
	}
	return proven ? n : -1;
}

/* All frames from this one on, and how many they are. -1: one cannot be read. */
static int64_t count_frames(const struct hotspot *h, const struct thread_layout *l, uint64_t addr,
			    uint32_t *budget, uint64_t *frames)
{
	int64_t total = 0;

	for (*frames = 0; addr && *budget; ++*frames) {
		uint64_t outer = 0;
		int64_t n = count_chain(h, l, addr, &outer, budget);

		if (n < 0)
			return -1;
		total += n;
		addr = outer;
	}
	return total;
}

/* The same, but what is not all that there is is unknown. */
static int64_t count_locals(const struct hotspot *h, const struct thread_layout *l, uint64_t addr,
			    uint32_t *budget)
{
	uint64_t frames;
	int64_t n = count_frames(h, l, addr, budget, &frames);

	return *budget ? n : -1;
}

/* --- who attached it --- */

/* JavaThread::JNIAttachStates (JDK: runtime/javaThread.hpp) */
enum { NOT_ATTACHING = 1, ATTACHING, ATTACHED };

struct offsets {
	uint32_t v[64];
	size_t n;
};

/* Where these instructions store a 3 relative to a register: movl $3, disp32(%reg). */
static void find_stores(const uint8_t *code, size_t n, struct offsets *out)
{
	static const uint8_t three[4] = {ATTACHED, 0, 0, 0};

	for (size_t i = 0; i + 10 <= n && out->n < ARRAY_LEN(out->v); i++) {
		uint32_t disp;
		bool known = false;

		if (code[i] != 0xc7 || (code[i + 1] & 0xf8) != 0x80 || code[i + 1] == 0x84 ||
		    memcmp(code + i + 6, three, sizeof(three)) != 0)
			continue;
		memcpy(&disp, code + i + 2, sizeof(disp));
		for (size_t k = 0; k < out->n; k++)
			known |= out->v[k] == disp;
		if (!known)
			out->v[out->n++] = disp;
	}
}

static void scan_function(const struct hotspot *h, uint64_t vaddr, size_t bytes, struct offsets *out)
{
	uint8_t code[CODE_WINDOW_BYTES];

	find_stores(code, elf_read(h->libjvm, vaddr, code, bytes < sizeof(code) ? bytes : sizeof(code)), out);
}

/* attach_current_thread() (JDK: prims/jni.cpp) by its symbol, under the names GCC gives to a part of it. */
static bool stores_by_symbol(const struct hotspot *h, struct offsets *out)
{
	struct elf_wanted w[] = {{.name = "attach_current_thread"},
				 {.name = "attach_current_thread.part.0"},
				 {.name = "attach_current_thread.constprop.0"},
				 {.name = "attach_current_thread.isra.0"}};
	bool found = false;

	if (elf_find_symbols(h->libjvm, ELF_SYMTAB, w, ARRAY_LEN(w)) <= 0)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(w); i++) {
		if (w[i].vaddr == 0)
			continue;
		scan_function(h, w[i].vaddr, w[i].size_bytes, out);
		found = true;
	}
	return found;
}

/* The same without a symbol: AttachCurrentThread of the invocation table, and what it calls. */
#define VM_SLOT_ATTACH 4
static void stores_by_table(struct hotspot *h, struct offsets *out)
{
	struct jni_tables tables;
	uint8_t code[256];
	uint64_t at;
	size_t n;

	if (hotspot_jni_tables(h, &tables, NULL) < 0 || tables.vm[VM_SLOT_ATTACH] == 0)
		return;
	at = tables.vm[VM_SLOT_ATTACH] - h->bias;
	n = elf_read(h->libjvm, at, code, sizeof(code));
	scan_function(h, at, CODE_WINDOW_BYTES, out);
	for (size_t i = 0; i + 5 <= n; i++) {
		int32_t rel;

		if (code[i] != 0xe8 && code[i] != 0xe9)
			continue;
		memcpy(&rel, code + i + 1, sizeof(rel));
		if (elf_is_code(h->libjvm, at + i + 5 + (uint64_t)(int64_t)rel))
			scan_function(h, at + i + 5 + (uint64_t)(int64_t)rel, CODE_WINDOW_BYTES, out);
	}
}

/* The word that is one of the states in every thread; it must be the only one of those in the code. */
static uint32_t find_attach_state(struct hotspot *h, const struct thread_layout *l,
				  const struct vm_threads *threads)
{
	struct offsets stores = {0};
	uint32_t found = 0;
	size_t left = 0;

	if (!stores_by_symbol(h, &stores))
		stores_by_table(h, &stores);
	for (size_t i = 0; i < stores.n; i++) {
		bool fits = stores.v[i] % 4 == 0 && stores.v[i] >= 64 && stores.v[i] + 4 <= l->thread_bytes;

		for (size_t t = 0; t < threads->n && t < 256 && fits; t++) {
			uint32_t state;

			if (proc_read(h->pid, threads->v[t].addr + stores.v[i], &state, sizeof(state)) == 0)
				fits = state >= NOT_ATTACHING && state <= ATTACHED;
		}
		if (!fits)
			continue;
		found = stores.v[i];
		left++;
	}
	return left == 1 ? found : 0;
}

/* threads: all of them; it is looked for once. */
static uint32_t attach_state_of(struct hotspot *h, const struct thread_layout *l,
				const struct vm_threads *threads)
{
	if (!h->attach_state_known && threads->n)
		h->attach_state = find_attach_state(h, l, threads);
	h->attach_state_known |= threads->n > 0;
	return h->attach_state;
}

uint32_t hotspot_attach_state(struct hotspot *h, const struct thread_layout *l)
{
	struct vm_threads threads = {0};

	if (!h->attach_state_known && hotspot_thread_list(h, &threads) == 0)
		attach_state_of(h, l, &threads);
	free(threads.v);
	return h->attach_state;
}

/* --- critical sections --- */

#define MOST_CRITICALS 0xffff /* of one thread; more is no count */

/*
 * JavaThread::_jni_active_critical, which no table names. It is an int behind
 * _exception_pc, _exception_handler_pc and, until JDK 25, int _is_method_handle_return (JDK:
 * runtime/javaThread.hpp, before 19 runtime/thread.hpp). Collectors that need not wait for critical sections
 * do not count them (JDK: gc/shared/collectedHeap.hpp, pin_object). 0: not known.
 */
static uint64_t find_critical(const struct hotspot *h, const struct thread_layout *l)
{
	uint64_t at;

	if (hotspot_field_offset(h, "JavaThread", "_is_method_handle_return", &at))
		at += sizeof(int32_t);
	else if (h->feature >= 26 && hotspot_field_offset(h, "JavaThread", "_exception_pc", &at))
		at += 2 * sizeof(uint64_t);
	else
		return 0;
	return at % 4 == 0 && at + 4 <= l->thread_bytes ? at : 0;
}

/* A VM has one collector from its beginning on; until it is chosen it cannot be told. */
static uint64_t critical_offset(struct hotspot *h, const struct thread_layout *l)
{
	int waits = h->critical_known ? 0 : hotspot_gc_waits(h);

	if (waits == 1)
		h->critical = find_critical(h, l);
	h->critical_known |= waits >= 0;
	return h->critical;
}

/* --- all of it --- */

struct thread_words {
	uint64_t *addr;
	uint64_t *osthread, *handles;
	uint32_t *tid, *state; /* state: any of 32 bits */
	bool *ok;
};

/* One word of every thread. */
static int read_column(const struct hotspot *h, struct vm_threads *out, struct thread_words *w,
		       const uint64_t *base, uint64_t offset, size_t bytes, void *column)
{
	for (size_t i = 0; i < out->n; i++)
		w->addr[i] = (base ? base[i] : out->v[i].addr) + offset;
	return scatter_read(h->pid, w->addr, out->n, bytes, column, w->ok);
}

static int fill_criticals(struct hotspot *h, const struct thread_layout *l, struct vm_threads *out,
			  struct thread_words *w)
{
	uint64_t at = critical_offset(h, l);
	int rc = at ? read_column(h, out, w, NULL, at, sizeof(uint32_t), w->state) : 0;

	for (size_t i = 0; i < out->n && at && rc == 0; i++)
		if (w->ok[i] && w->state[i] > MOST_CRITICALS)
			at = 0;
	for (size_t i = 0; i < out->n && at && rc == 0; i++)
		if (w->ok[i])
			out->v[i].criticals = w->state[i];
	return rc;
}

/* all: every thread could be read; one that could not has no id. */
static int fill_threads(struct hotspot *h, const struct thread_layout *l, struct vm_threads *out,
			struct thread_words *w, bool *all)
{
	uint32_t budget = MAX_CHAIN_BLOCKS;
	int rc = read_column(h, out, w, NULL, l->handles, sizeof(uint64_t), w->handles);

	for (size_t i = 0; i < out->n && rc == 0; i++)
		if (w->ok[i])
			out->v[i].local_refs = count_locals(h, l, w->handles[i], &budget);
	if (rc == 0 && attach_state_of(h, l, out)) {
		rc = read_column(h, out, w, NULL, h->attach_state, sizeof(uint32_t), w->state);
		for (size_t i = 0; i < out->n && rc == 0; i++)
			if (w->ok[i] && w->state[i] >= NOT_ATTACHING && w->state[i] <= ATTACHED)
				out->v[i].native_attached = w->state[i] != NOT_ATTACHING;
	}
	rc = rc ?: fill_criticals(h, l, out, w);
	if (rc == 0)
		rc = read_column(h, out, w, NULL, l->osthread, sizeof(uint64_t), w->osthread);
	*all = true;
	for (size_t i = 0; i < out->n && rc == 0; i++)
		*all &= w->ok[i];
	if (rc == 0)
		rc = read_column(h, out, w, w->osthread, l->tid, sizeof(uint32_t), w->tid);
	for (size_t i = 0; i < out->n && rc == 0; i++) {
		if (w->ok[i] && w->tid[i] <= INT32_MAX)
			out->v[i].tid = (pid_t)w->tid[i];
		*all &= w->ok[i] || !w->osthread[i]; /* it has none before it starts */
	}
	return rc;
}

static int read_threads(struct hotspot *h, const struct thread_layout *l, struct vm_threads *out, bool *all)
{
	struct thread_words w = {0};
	int rc;

	memset(out, 0, sizeof(*out));
	*all = true;
	rc = hotspot_thread_list(h, out);
	if (rc == 0 && out->n > 0) {
		w.addr = calloc(out->n, 3 * sizeof(uint64_t) + 2 * sizeof(uint32_t) + sizeof(bool));
		if (w.addr) {
			w.osthread = w.addr + out->n;
			w.handles = w.osthread + out->n;
			w.tid = (uint32_t *)(w.handles + out->n);
			w.state = w.tid + out->n;
			w.ok = (bool *)(w.state + out->n);
			rc = fill_threads(h, l, out, &w, all);
		} else {
			rc = -ENOMEM;
		}
	}
	free(w.addr);
	if (rc < 0) {
		free(out->v);
		memset(out, 0, sizeof(*out));
	}
	return rc;
}

int hotspot_threads(struct hotspot *h, struct vm_threads *out)
{
	struct thread_layout l;
	bool all = false;
	int rc = 0;

	memset(out, 0, sizeof(*out));
	if (!hotspot_thread_layout(h, &l))
		return -EPROTO;
	/* One that ended while it was read is listed no more. */
	for (int i = 0; i < THREADS_TRIES && rc == 0 && !all; i++) {
		free(out->v);
		rc = read_threads(h, &l, out, &all);
	}
	return rc;
}

/* --- the thread with most ---------------------------------------------------------------------------- */

/* The words of a block behind its slots. */
struct block_end {
	uint32_t top, pad;
	uint64_t next, last, outer;
};
struct pile_words {
	uint64_t *addr, *handles;
	struct block_end *end;
	bool *ok;
};

/* May there be more than one block, or one frame? */
static bool may_be_piled(const struct block_end *end)
{
	return end->top == JNI_BLOCK_SLOTS || (end->outer && end->top < JNI_BLOCK_SLOTS);
}

static int find_pile(struct hotspot *h, const struct thread_layout *l, const struct vm_threads *threads,
		     struct pile_words *w, struct vm_pile *out)
{
	uint32_t budget = PILE_BLOCKS;
	int rc;

	for (size_t i = 0; i < threads->n; i++)
		w->addr[i] = threads->v[i].addr + l->handles;
	rc = scatter_read(h->pid, w->addr, threads->n, sizeof(*w->handles), w->handles, w->ok);
	for (size_t i = 0; i < threads->n; i++)
		w->addr[i] = w->ok[i] ? w->handles[i] + l->top : 0;
	rc = rc ?: scatter_read(h->pid, w->addr, threads->n, sizeof(*w->end), w->end, w->ok);
	for (size_t i = 0; i < threads->n && rc == 0; i++) {
		uint64_t frames;
		int64_t n;

		if (!w->ok[i] || !may_be_piled(&w->end[i]))
			continue;
		n = count_frames(h, l, w->handles[i], &budget, &frames);
		if (n < 0 || ((uint64_t)n <= out->refs && frames <= out->frames))
			continue;
		*out = (struct vm_pile){
		    .thread = threads->v[i].addr, .refs = (uint64_t)n, .frames = frames, .more = !budget};
	}
	return rc;
}

static pid_t tid_of(const struct hotspot *h, const struct thread_layout *l, uint64_t thread)
{
	uint64_t os;
	uint32_t tid = 0;

	if (proc_read(h->pid, thread + l->osthread, &os, sizeof(os)) ||
	    proc_read(h->pid, os + l->tid, &tid, sizeof(tid)) || tid > INT32_MAX)
		return 0;
	return (pid_t)tid;
}

int hotspot_pile(struct hotspot *h, struct vm_pile *out)
{
	struct vm_threads threads = {0};
	struct pile_words w = {0};
	struct thread_layout l;
	int rc;

	*out = (struct vm_pile){0};
	if (!hotspot_thread_layout(h, &l) || l.next != l.top + 8)
		return -EPROTO;
	rc = hotspot_thread_list(h, &threads);
	if (rc == 0 && threads.n > 0) {
		w.addr = calloc(threads.n, 2 * sizeof(uint64_t) + sizeof(*w.end) + sizeof(bool));
		rc = w.addr ? 0 : -ENOMEM;
	}
	if (rc == 0 && threads.n > 0) {
		w.handles = w.addr + threads.n;
		w.end = (struct block_end *)(w.handles + threads.n);
		w.ok = (bool *)(w.end + threads.n);
		rc = find_pile(h, &l, &threads, &w, out);
	}
	if (rc == 0 && out->thread)
		out->tid = tid_of(h, &l, out->thread);
	free(w.addr);
	free(threads.v);
	return rc;
}
