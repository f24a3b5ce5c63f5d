/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The chains of JNIHandleBlocks that are alive (JDK: runtime/jniHandles.hpp). A thread names the chain of its
 * innermost native frame (Thread::_active_handles); PushLocalFrame puts a chain before it that names it
 * (_pop_frame_link); a call from native code into Java saves it in a JavaCallWrapper on the stack
 * (JDK: runtime/javaCalls.cpp) together with the thread's frame anchor, which says where the next such
 * wrapper can be. A thread that goes on meanwhile is read again; what any reading found alive counts.
 */
#include "runtime/hotspot/locals.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/hotspot/chains.h"
#include "runtime/hotspot/jni.h"
#include "runtime/hotspot/layout.h"
#include "runtime/hotspot/threads.h"

#define LIST_TRIES       4
#define THREAD_TRIES     8
#define MAX_CHAIN_BLOCKS (1u << 18)  /* of all threads: 8 M references */
#define MAX_WRAPPERS     4096        /* calls into Java, nested */
#define MAX_STACK_BYTES  (16u << 20) /* of one thread, in use */
#define MAX_ALL_STACKS   (256u << 20)
#define MAX_FIELD_BYTES  4096    /* where a field is in its object */
#define HANDLES_WORD     1       /* JavaCallWrapper: JavaThread *_thread; JNIHandleBlock *_handles; ... */
#define NO_OOP           0x10000 /* null, coloured as generational ZGC does it, or a small number */

/* JavaThreadState (JDK: utilities/globalDefinitions.hpp): it may have Java frames that no anchor names */
enum { IN_JAVA = 8, IN_JAVA_TRANSITION = 9 };

struct reader {
	const struct hotspot *h;
	struct thread_layout l;
	uint64_t anchor, base, size, state; /* fields of JavaThread */
	uint64_t wrapper_anchor;            /* JavaCallWrapper::_anchor */
	uint32_t blocks_left;
	uint64_t stack_left;
	struct vm_locals *out;
	bool maybe;               /* what is found now is not certain to be alive */
	struct local_frame frame; /* as its thread has those that are found now */
};

static bool reader_init(struct reader *r, struct hotspot *h, struct vm_locals *out)
{
	uint64_t sp;

	*r = (struct reader){
	    .h = h, .blocks_left = MAX_CHAIN_BLOCKS, .stack_left = MAX_ALL_STACKS, .out = out};
	return hotspot_thread_layout(h, &r->l) && hotspot_thread_field(h, "_anchor", &r->anchor) &&
	       hotspot_thread_field(h, "_stack_base", &r->base) &&
	       hotspot_thread_field(h, "_stack_size", &r->size) &&
	       hotspot_thread_field(h, "_thread_state", &r->state) &&
	       hotspot_field_offset(h, "JavaFrameAnchor", "_last_Java_sp", &sp) && sp == 0 &&
	       hotspot_field_offset(h, "JavaCallWrapper", "_anchor", &r->wrapper_anchor) &&
	       r->wrapper_anchor % 8 == 0 && r->wrapper_anchor >= 16 && r->wrapper_anchor <= 256;
}

/* As hotspot_list_at(). */
static bool find_list(const struct hotspot *h, struct thread_config *out)
{
	struct java_thread_list list;

	if (!hotspot_list_at(h, &list))
		return false;
	out->list = list.at;
	out->list_length = list.length;
	out->list_threads = list.threads;
	out->list_next = list.next;
	return true;
}

/* What tells whose a handle is: the threads and their stacks, the tables. What is not known stays 0. */
static void find_owners(const struct hotspot *h, const struct thread_layout *l, struct thread_config *out)
{
	uint64_t base, size;

	if (hotspot_thread_field(h, "_stack_base", &base) && hotspot_thread_field(h, "_stack_size", &size) &&
	    base < l->thread_bytes && size == base + 8 && find_list(h, out))
		out->stack_base = (int32_t)base - out->env;
	else
		out->list = 0;
	/* that the tables have blocks of this form is proven when their array is found */
	if (!h->counters.started ||
	    !hotspot_read_static(h, "JNIHandles", "_global_handles", &out->storage_global) ||
	    !hotspot_read_static(h, "JNIHandles", "_weak_global_handles", &out->storage_weak))
		out->storage_global = out->storage_weak = 0;
	if (!hotspot_has_chains(h) ||
	    !hotspot_read_static(h, "JNIHandles", "_global_handles", &out->chain_global))
		out->chain_global = 0;
}

/*
 * JDK 8: how a slot shows that its reference was deleted (JDK 8: runtime/jniHandles.cpp, destroy_global,
 * rebuild_free_list). Objects move, the one that stands for deleted references too: but for where a
 * collection can be seen nothing is believed.
 */
static void find_deleted(const struct hotspot *h, struct thread_config *out)
{
	uint64_t heap, reserved, start, words, active, collections, region[2];

	if (!hotspot_has_chains(h) ||
	    !hotspot_static_addr(h, "JNIHandles", "_deleted_handle", &out->deleted_at))
		return;
	if (!hotspot_read_static(h, "Universe", "_collectedHeap", &heap) || !heap ||
	    !hotspot_field_offset(h, "CollectedHeap", "_reserved", &reserved) ||
	    !hotspot_field_offset(h, "MemRegion", "_start", &start) ||
	    !hotspot_field_offset(h, "MemRegion", "_word_size", &words) || start || words != 8 ||
	    !hotspot_field_offset(h, "CollectedHeap", "_is_gc_active", &active) ||
	    !hotspot_field_offset(h, "CollectedHeap", "_total_collections", &collections) ||
	    proc_read(h->pid, heap + reserved, region, sizeof(region)) < 0 || !region[1] ||
	    region[1] > UINT64_MAX / 8) {
		out->deleted_at = 0;
		return;
	}
	out->heap_start = region[0];
	out->heap_bytes = region[1] * 8;
	out->collecting_at = heap + active;
	out->collected_at = heap + collections;
}

/* Whose a JNIEnv is, and what is pending: what the VM's tables do not name stays unknown. */
static void find_thread_state(const struct hotspot *h, const struct thread_layout *l,
			      struct thread_config *out)
{
	uint64_t os_thread, pending, file;

	if (hotspot_thread_field(h, "_osthread", &os_thread) && os_thread < l->thread_bytes) {
		out->os_thread = (int32_t)os_thread - out->env;
		out->os_thread_id = (uint32_t)l->tid;
		out->knows_owner = 1;
	}
	if (hotspot_field_offset(h, "ThreadShadow", "_pending_exception", &pending) &&
	    hotspot_field_offset(h, "ThreadShadow", "_exception_file", &file) && file == pending + 8 &&
	    file < l->thread_bytes) {
		out->pending = (int32_t)pending - out->env;
		out->knows_pending = 1;
	}
}

/* The last version whose jmethodID is the address of a Method* (JDK: oops/method.hpp, make_jmethod_id). */
#define LAST_ADDRESSES 25

/* Where a method's signature is. */
static void find_signature(const struct hotspot *h, struct thread_config *out)
{
	static const struct {
		const char *type, *name, *other;
		size_t at;
	} fields[] = {
	    {"Method", "_constMethod", NULL, offsetof(struct thread_config, constmethod)},
	    {"ConstMethod", "_constants", NULL, offsetof(struct thread_config, constants)},
	    {"ConstMethod", "_signature_index", NULL, offsetof(struct thread_config, signature_index)},
	    {"Symbol", "_length", NULL, offsetof(struct thread_config, symbol_length)},
	    {"Symbol", "_body", "_body[0]", offsetof(struct thread_config, symbol_body)},
	};
	uint64_t v;
	uint16_t at;

	if (h->feature > LAST_ADDRESSES || !hotspot_type_size(h, "ConstantPool", &v) || v >= MAX_FIELD_BYTES)
		return;
	out->pool_bytes = (uint16_t)v;
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		if ((!hotspot_field_offset(h, fields[i].type, fields[i].name, &v) &&
		     !(fields[i].other && hotspot_field_offset(h, fields[i].type, fields[i].other, &v))) ||
		    v >= MAX_FIELD_BYTES) {
			out->symbol_body = 0;
			return;
		}
		at = (uint16_t)v;
		memcpy((char *)out + fields[i].at, &at, sizeof(at));
	}
}

int hotspot_thread_config(struct hotspot *h, struct thread_config *out)
{
	struct thread_layout l;
	struct jni_env env;
	uint64_t anchor, sp;
	int rc = hotspot_jni_env(h, &env, NULL);

	*out = (struct thread_config){0};
	if (rc)
		return rc == -EAGAIN ? rc : -EPROTO;
	if (!hotspot_thread_layout(h, &l) || l.next != l.top + 8 ||
	    !hotspot_thread_field(h, "_anchor", &anchor) ||
	    !hotspot_field_offset(h, "JavaFrameAnchor", "_last_Java_sp", &sp) || anchor + sp > l.thread_bytes)
		return -EPROTO;
	*out = (struct thread_config){
	    .known = 1,
	    .vm_start = h->nr_code ? h->code[0].start : 0,
	    .vm_end = h->nr_code ? h->code[h->nr_code - 1].end : 0,
	    .env = (int32_t)env.offset_bytes,
	    .anchor = (int32_t)(anchor + sp) - (int32_t)env.offset_bytes,
	    .handles = (int32_t)l.handles - (int32_t)env.offset_bytes,
	    .block_slots = (uint32_t)l.slots,
	    .block_top = (uint32_t)l.top,
	};
	if (!hotspot_static_addr(h, "JNIHandles", "_deleted_handle", &out->deleted_local_at))
		out->deleted_local_at = 0; /* JDK 9 and later: null */
	if (hotspot_attach_state(h, &l))
		out->attach_state = (int32_t)h->attach_state - (int32_t)env.offset_bytes;
	find_owners(h, &l, out);
	find_deleted(h, out);
	find_thread_state(h, &l, out);
	find_signature(h, out);
	return 0;
}

static bool read_word(const struct reader *r, uint64_t addr, uint64_t *out)
{
	return proc_read(r->h->pid, addr, out, sizeof(*out)) == 0;
}

/* --- one chain ------------------------------------------------------------------------------------ */

static int add_block(struct reader *r, uint64_t addr, const uint64_t *word, uint32_t top, uint32_t *live)
{
	struct local_block *b = VEC_ADD(r->out);
	uint32_t used = 0;

	if (!b)
		return -ENOMEM;
	/* deleted ones are null, or on the list of free slots, whose entries are tagged in bit 0 */
	for (uint32_t i = 0; i < top; i++)
		if (word[i] >= NO_OOP && !(word[i] & 1) && word[i] != r->l.deleted)
			used |= 1u << i;
	*live += (uint32_t)__builtin_popcount(used);
	*b = (struct local_block){.addr = addr + r->l.slots, .live = r->maybe ? 0 : used, .maybe = used};
	return 0;
}

static int add_frame(struct reader *r, uint64_t block, uint64_t outer, uint32_t live)
{
	struct local_frame *f = VEC_ADD(&r->out->frames);

	if (!f)
		return -ENOMEM;
	*f = r->frame;
	f->block = block;
	f->outer = outer;
	f->live = live;
	f->maybe = r->maybe;
	return 0;
}

/* One frame's chain; outer becomes the one it was pushed upon. -EAGAIN: it is none, or no more. */
static int read_chain(struct reader *r, uint64_t addr, uint64_t *outer)
{
	uint64_t word[JNI_BLOCK_MAX_BYTES / 8], last = 0, head = addr;
	bool first = true, proven = false;
	uint32_t live = 0;
	int rc = 0;

	while (addr && rc == 0) {
		uint32_t top;

		if (addr % 8 || r->blocks_left == 0)
			return -EAGAIN;
		r->blocks_left--;
		if (proc_read(r->h->pid, addr, word, r->l.block_bytes))
			return -EAGAIN;
		memcpy(&top, (const uint8_t *)word + r->l.top, sizeof(top));
		if (top > JNI_BLOCK_SLOTS)
			return -EAGAIN;
		if (first) {
			last = word[(r->l.next + JNI_BLOCK_LAST_AFTER_NEXT) / 8];
			*outer = word[(r->l.next + JNI_BLOCK_POP_AFTER_NEXT) / 8];
			proven = top == 0; /* the other fields are of the frame before */
		}
		first = false;
		proven |= addr == last;
		rc = add_block(r, addr, word + r->l.slots / 8, top, &live);
		if (top < JNI_BLOCK_SLOTS)
			break;
		addr = word[r->l.next / 8];
	}
	rc = rc ?: proven ? 0 : -EAGAIN;
	return rc ?: add_frame(r, head, *outer, live);
}

/* As many as there are blocks for: PushLocalFrame has no limit either. */
static int read_frames(struct reader *r, uint64_t addr)
{
	int rc = 0;

	while (addr && rc == 0) {
		uint64_t outer = 0;

		rc = read_chain(r, addr, &outer);
		addr = outer;
	}
	return rc;
}

/* --- frames further out ----------------------------------------------------------------------------- */

struct stack_copy {
	uint64_t from, *word;
	size_t n;
};

static uint64_t at(const struct stack_copy *s, size_t i)
{
	return i < s->n ? s->word[i] : 0;
}

/*
 * Is word i the start of the wrapper of a call that is going on? It names its thread, a chain, and an anchor
 * that lies above it; and the stub that calls Java, further in, names it.
 */
static bool is_wrapper(const struct reader *r, const struct stack_copy *s, size_t first, size_t i,
		       uint64_t thread)
{
	uint64_t addr = s->from + i * 8, end = s->from + s->n * 8, sp = at(s, i + r->wrapper_anchor / 8);

	if (s->word[i] != thread || !at(s, i + HANDLES_WORD) || at(s, i + HANDLES_WORD) % 8 ||
	    (sp && (sp <= addr || sp >= end || sp % 8)))
		return false;
	for (size_t k = i; k-- > first;)
		if (s->word[k] == addr)
			return true;
	return false;
}

/* All wrappers from the anchor sp upwards; at the last one there is no Java further out. */
static int read_wrappers(struct reader *r, const struct stack_copy *s, uint64_t thread, uint64_t sp)
{
	size_t i = (sp - s->from) / 8, first = i;
	int rc = 0;

	for (int n = 0; n < MAX_WRAPPERS && rc == 0; n++) {
		while (i < s->n && !is_wrapper(r, s, first, i, thread))
			i++;
		if (i >= s->n)
			return -EAGAIN;
		sp = at(s, i + r->wrapper_anchor / 8);
		r->frame =
		    (struct local_frame){.anchor_sp = sp, .anchor_pc = at(s, i + r->wrapper_anchor / 8 + 1)};
		rc = read_frames(r, s->word[i + HANDLES_WORD]);
		if (!sp)
			return rc;
		i = first = (sp - s->from) / 8;
	}
	return rc ?: -EAGAIN;
}

/* A thread that runs Java code: its stack in use is not known, and may have remains of former calls. */
static void read_possible(struct reader *r, const struct stack_copy *s, uint64_t thread)
{
	r->maybe = true;
	for (size_t i = 0; i < s->n; i++)
		if (is_wrapper(r, s, 0, i, thread))
			read_frames(r, s->word[i + HANDLES_WORD]);
	r->maybe = false;
}

static int copy_stack(struct reader *r, uint64_t from, uint64_t base, struct stack_copy *out)
{
	uint64_t bytes = base - from;
	int rc;

	*out = (struct stack_copy){.from = from};
	if (from % 8 || base <= from || bytes > MAX_STACK_BYTES || bytes > r->stack_left)
		return -EAGAIN;
	r->stack_left -= bytes;
	out->word = malloc(bytes);
	if (!out->word)
		return -ENOMEM;
	rc = proc_read(r->h->pid, from, out->word, bytes);
	out->n = bytes / 8;
	return rc ? -EAGAIN : 0;
}

/* The lowest address of a thread's stack from which on it can be read: below are guard pages. */
static uint64_t readable_from(const struct reader *r, uint64_t base, uint64_t size)
{
	uint64_t from = base - size, page = 4096, word;

	while (from < base && !read_word(r, from, &word))
		from += page;
	return from;
}

static int read_outer(struct reader *r, uint64_t thread, uint64_t sp, uint32_t state)
{
	struct stack_copy s = {0};
	uint64_t base, size;
	int rc;

	if (!sp && state != IN_JAVA && state != IN_JAVA_TRANSITION)
		return 0; /* native code that no Java called, or a thread of the VM's own */
	if (!read_word(r, thread + r->base, &base) || !read_word(r, thread + r->size, &size) || size > base ||
	    base % 8 || (sp && base - sp > size))
		return -EAGAIN;
	if (!sp && size > MAX_STACK_BYTES)
		size = MAX_STACK_BYTES;
	rc = copy_stack(r, sp ? sp : readable_from(r, base, size), base, &s);
	if (rc == 0 && sp)
		rc = read_wrappers(r, &s, thread, sp);
	else if (rc == 0)
		read_possible(r, &s, thread);
	free(s.word);
	return rc;
}

/* --- threads ---------------------------------------------------------------------------------------- */

/* 0: as the thread was at one moment; -EAGAIN: it went on meanwhile, or ended. */
static int read_thread(struct reader *r, uint64_t thread)
{
	uint64_t handles, sp, pc, again, sp_again;
	uint32_t state;
	int rc;

	if (!read_word(r, thread + r->l.handles, &handles) || !read_word(r, thread + r->anchor, &sp) ||
	    !read_word(r, thread + r->anchor + 8, &pc) ||
	    proc_read(r->h->pid, thread + r->state, &state, sizeof(state)))
		return -EAGAIN;
	r->frame = (struct local_frame){.anchor_sp = sp, .anchor_pc = pc, .in_java = !sp && state == IN_JAVA};
	rc = read_frames(r, handles);
	rc = rc ?: read_outer(r, thread, sp, state);
	if (rc)
		return rc;
	if (!read_word(r, thread + r->l.handles, &again) || !read_word(r, thread + r->anchor, &sp_again))
		return -EAGAIN;
	return again == handles && sp_again == sp ? 0 : -EAGAIN;
}

static int compare_blocks(const void *a, const void *b)
{
	const struct local_block *x = a, *y = b;

	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

/* Sorted, each block once. */
static void merge_blocks(struct vm_locals *l)
{
	size_t n = 0;

	if (l->n > 1)
		qsort(l->v, l->n, sizeof(*l->v), compare_blocks);
	for (size_t i = 0; i < l->n; i++) {
		if (n > 0 && l->v[n - 1].addr == l->v[i].addr) {
			l->v[n - 1].live |= l->v[i].live;
			l->v[n - 1].maybe |= l->v[i].maybe;
		} else {
			l->v[n++] = l->v[i];
		}
	}
	l->n = n;
	for (size_t i = 0; i < n; i++)
		l->live += (uint64_t)__builtin_popcount(l->v[i].live);
}

static int read_all(struct reader *r)
{
	struct vm_threads threads = {0};
	int rc = hotspot_thread_list(r->h, &threads);
	size_t frames = 0;

	r->out->complete = true;
	for (size_t i = 0; i < threads.n && rc == 0; i++) {
		rc = -EAGAIN;
		for (int n = 0; n < THREAD_TRIES && rc == -EAGAIN; n++) {
			r->out->frames.n = frames; /* those of a try that failed are not its */
			rc = read_thread(r, threads.v[i].addr);
		}
		frames = rc ? frames : r->out->frames.n;
		r->out->complete &= rc == 0;
		rc = rc == -EAGAIN ? 0 : rc;
	}
	r->out->frames.n = frames;
	free(threads.v);
	return rc;
}

static int compare_frames(const void *a, const void *b)
{
	const struct local_frame *x = a, *y = b;

	return x->block < y->block ? -1 : x->block > y->block;
}

int hotspot_locals(struct hotspot *h, struct vm_locals *out)
{
	struct reader r;
	int rc;

	*out = (struct vm_locals){0};
	if (!reader_init(&r, h, out))
		return -EPROTO;
	rc = read_all(&r);
	if (rc < 0)
		vm_locals_free(out);
	else
		merge_blocks(out);
	if (rc == 0 && out->frames.n > 1)
		qsort(out->frames.v, out->frames.n, sizeof(*out->frames.v), compare_frames);
	return rc;
}
