/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where a handle lies, by the VM's own memory: whose it is and whether it is valid follows from that, and
 * references from before attach are no exception.
 *
 * A local reference is a slot in a JNIHandleBlock of its thread, or, an argument of a native method, a word
 * on its stack. A block stays its thread's until that ends (JDK: runtime/jniHandles.cpp). A global or weak
 * one is an entry of a block of an OopStorage, whose bitmap tells which are in use (JDK:
 * gc/shared/oopStorage.cpp).
 */
#ifndef JNITRACE_HANDLES_BPF_H
#define JNITRACE_HANDLES_BPF_H

#include "border/threads.h"
#include "maps.bpf.h"

/* A JVM marks the kind of a handle in its lowest bits (JDK: runtime/jniHandles.hpp). */
#define HANDLE_TAG_BITS 7ULL

MAP_ARRAY(thread_configs, BPF_MAP_TYPE_ARRAY, JT_MAX_TARGETS, struct thread_config);

/* --- entries of the global and weak tables ------------------------------------------------------------ */

enum entry { ENTRY_NONE, ENTRY_FREE, ENTRY_IN_USE };
enum storage { STORAGE_GLOBAL, STORAGE_WEAK };

/* An OopStorage::Block: oop _data[64]; uintx _allocated_bitmask; its storage. 64 bytes aligned. */
#define ENTRY_BLOCK_ALIGN 64
#define ENTRIES           64
struct entry_block_end {
	u64 in_use, owner;
};

/* As OopStorage::Block::block_for_ptr() finds it: what lies behind a block names its storage. */
__noinline int storage_entry(u32 target_id, u32 storage, u64 handle)
{
	const struct thread_config *c = bpf_map_lookup_elem(&thread_configs, &target_id);
	u64 at = handle & ~HANDLE_TAG_BITS, block = at & ~(ENTRY_BLOCK_ALIGN - 1ULL), owner;
	struct entry_block_end end;

	owner = !c ? 0 : storage == STORAGE_WEAK ? c->storage_weak : c->storage_global;
	if (!owner)
		return ENTRY_NONE;
	for (int i = 0; i < ENTRIES * 8 / ENTRY_BLOCK_ALIGN; i++, block -= ENTRY_BLOCK_ALIGN) {
		if (bpf_probe_read_user(&end, sizeof(end), (void *)(block + ENTRIES * 8)) ||
		    end.owner != owner)
			continue;
		return end.in_use >> (at - block) / 8 % ENTRIES & 1 ? ENTRY_IN_USE : ENTRY_FREE;
	}
	return ENTRY_NONE;
}

/* --- blocks of local references ----------------------------------------------------------------------- */

#define BLOCK_SLOTS 32
/* JNIHandleBlock behind its slots; _last and _pop_frame_link are the first block's of a frame */
struct block_end {
	u32 top, pad;
	u64 next, last, outer;
};

static __always_inline int block_end_read(const struct thread_config *c, u64 block, struct block_end *end)
{
	return bpf_probe_read_user(end, sizeof(*end), (void *)(block + c->block_top));
}

/* The innermost native frame of a thread, by its first block. 0, or -1: not known. */
struct local_frame {
	u64 block;
	struct block_end end;
};
static __always_inline int local_frame_read(const struct thread_config *c, u64 env, struct local_frame *f)
{
	if (!c || !c->known ||
	    bpf_probe_read_user(&f->block, sizeof(f->block), (void *)(env + (s64)c->handles)) || !f->block)
		return -1;
	return block_end_read(c, f->block, &f->end);
}

/*
 * Does the frame have this handle in its blocks? They are used anew by each call, so what lies in them above
 * their top is of an earlier one, and behind an empty first block nothing is valid.
 */
enum place { PLACE_ELSEWHERE, PLACE_IN_USE, PLACE_OVER };
#define MAX_BLOCKS 8
__noinline int frame_place(u32 target_id, const struct local_frame *f, u64 handle)
{
	const struct thread_config *c = bpf_map_lookup_elem(&thread_configs, &target_id);
	struct block_end end;
	u64 block;

	if (!c || !f)
		return PLACE_ELSEWHERE;
	block = f->block;
	end = f->end;
	for (int i = 0; i < MAX_BLOCKS; i++) {
		u64 at = handle - block - c->block_slots;

		if (at < BLOCK_SLOTS * sizeof(u64))
			return !f->end.top || at / sizeof(u64) >= end.top ? PLACE_OVER : PLACE_IN_USE;
		block = end.next;
		if (!block || block_end_read(c, block, &end))
			break;
	}
	return PLACE_ELSEWHERE;
}

/*
 * Is the handle in a block that the thread keeps for frames to come? Those of PopLocalFrame, and of calls
 * into Java that have returned, go on its free list: a field behind that of its innermost frame (JDK:
 * runtime/thread.hpp, later javaThread.hpp, _active_handles, _free_handle_block), the youngest first, and
 * all of a frame's chained (JNIHandleBlock::release_block()). Only the thread itself changes that.
 */
#define MAX_FREE_BLOCKS 64
__noinline int is_in_free_block(u32 target_id, u64 env, u64 handle)
{
	const struct thread_config *c = bpf_map_lookup_elem(&thread_configs, &target_id);
	struct block_end end;
	u64 block = 0;

	if (!c || !c->known ||
	    bpf_probe_read_user(&block, sizeof(block), (void *)(env + (s64)c->handles + (s64)sizeof(u64))))
		return 0;
	for (int i = 0; i < MAX_FREE_BLOCKS && block; i++) {
		u64 at = handle - block - c->block_slots;

		if (block & 7 || block_end_read(c, block, &end) || end.top > BLOCK_SLOTS)
			return 0; /* no block */
		if (at < BLOCK_SLOTS * sizeof(u64))
			return 1;
		block = end.next;
	}
	return 0;
}

/* JDK 8: has the table of global references, a chain of such blocks, this handle? */
#define MAX_CHAINED_BLOCKS 128
__noinline int is_in_chain(u32 target_id, u64 handle)
{
	const struct thread_config *c = bpf_map_lookup_elem(&thread_configs, &target_id);
	struct block_end end;
	u64 block;

	if (!c || !c->known)
		return 0;
	block = c->chain_global;
	for (int i = 0; i < MAX_CHAINED_BLOCKS && block; i++) {
		u64 at = handle - block - c->block_slots;

		if (block & 7 || block_end_read(c, block, &end) || end.top > BLOCK_SLOTS)
			return 0; /* no block */
		if (at < BLOCK_SLOTS * sizeof(u64))
			return at / sizeof(u64) < end.top;
		block = end.next;
	}
	return 0;
}

/*
 * Who was last seen with a block, or with a stretch of stack. Only a hint of whom to look at: what it says is
 * never believed.
 */
struct owner {
	u64 env;
	u64 block; /* 0: a stretch of stack */
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1); /* (loader) */
	__type(key, u64);       /* of a block: see owner_key() of its first slot; no two can have the same */
	__type(value, struct owner);
} owners SEC(".maps");

enum { OWNED_BLOCK_SHIFT = 8, OWNED_STACK_SHIFT = 16 };
static __always_inline u64 owner_key(u32 target_id, u64 at, u32 shift)
{
	return ref_tag(target_id, at >> shift | (u64)shift << 40);
}

/* Global functions, here and below: what they need of the stack is not their callers'. */
__noinline int owner_note(u64 key, u64 env, u64 block)
{
	struct owner *known = bpf_map_lookup_elem(&owners, &key), o = {env, block};

	if (!known)
		bpf_map_update_elem(&owners, &key, &o, BPF_ANY);
	else if (known->env != env || known->block != block)
		*known = o;
	return 0;
}

/* What a thread has at hand when it calls a JNI function: its stack, its frame's first block and the one it
 * fills. */
static __always_inline void owner_seen(const struct thread_config *c, u32 target_id, u64 env, u64 sp,
				       const struct local_frame *f)
{
	owner_note(owner_key(target_id, sp, OWNED_STACK_SHIFT), env, 0);
	owner_note(owner_key(target_id, f->block + c->block_slots, OWNED_BLOCK_SHIFT), env, f->block);
	if (f->end.top && f->end.last && f->end.last != f->block)
		owner_note(owner_key(target_id, f->end.last + c->block_slots, OWNED_BLOCK_SHIFT), env,
			   f->end.last);
}

/* --- another thread's --------------------------------------------------------------------------------- */

/* Is it a thread of the VM's? LISTED_UNKNOWN: the list changed meanwhile, or is too long. */
enum listed { LISTED_UNKNOWN, LISTED, LISTED_NOT };

/* Before JDK 12 the VM's tables name a list of threads only (JDK: runtime/thread.hpp). */
#define MAX_LINKED 512
static __always_inline enum listed in_list(const struct thread_config *c, u64 thread)
{
	u64 at = c->list;

	for (int i = 0; i <= MAX_LINKED; i++) {
		if (bpf_probe_read_user(&at, sizeof(at), (void *)at))
			return LISTED_UNKNOWN;
		if (!at)
			return LISTED_NOT;
		if (at == thread)
			return LISTED;
		at += c->list_next;
	}
	return LISTED_UNKNOWN;
}

#define THREADS_AT_ONCE 8
static __always_inline bool has_word(const u64 *words, u64 word)
{
	for (u32 i = 0; i < THREADS_AT_ONCE; i++)
		if (words[i] == word)
			return true;
	return false;
}

/* An array that is replaced, never changed (JDK: runtime/threadSMR.hpp). */
#define MAX_THREAD_READS 256
static __always_inline enum listed in_array(const struct thread_config *c, u64 thread)
{
	u64 list = 0, again = 0, array = 0, threads[THREADS_AT_ONCE] = {0};
	u32 n = 0, some;

	if (bpf_probe_read_user(&list, sizeof(list), (void *)c->list) ||
	    bpf_probe_read_user(&n, sizeof(n), (void *)(list + c->list_length)) ||
	    bpf_probe_read_user(&array, sizeof(array), (void *)(list + c->list_threads)))
		return LISTED_UNKNOWN;
	some = n % THREADS_AT_ONCE;
	if (bpf_probe_read_user(threads, some * sizeof(u64), (void *)array))
		return LISTED_UNKNOWN;
	if (has_word(threads, thread))
		return LISTED;
	array += some * sizeof(u64);
	for (u32 i = 0; i < MAX_THREAD_READS && i < n / THREADS_AT_ONCE; i++, array += sizeof(threads)) {
		if (bpf_probe_read_user(threads, sizeof(threads), (void *)array))
			return LISTED_UNKNOWN;
		if (has_word(threads, thread))
			return LISTED;
	}
	if (n / THREADS_AT_ONCE > MAX_THREAD_READS ||
	    bpf_probe_read_user(&again, sizeof(again), (void *)c->list) || again != list)
		return LISTED_UNKNOWN;
	return LISTED_NOT;
}

/* Returns enum listed. As long as it is listed, its memory is its own. */
__noinline int thread_listed(u32 target_id, u64 thread)
{
	const struct thread_config *c = bpf_map_lookup_elem(&thread_configs, &target_id);

	if (!c || !c->list)
		return LISTED_UNKNOWN;
	return c->list_next ? in_list(c, thread) : in_array(c, thread);
}

/* Is the block in use by, or kept for, the thread's innermost native frame, or one that PushLocalFrame left?
 */
#define MAX_FOREIGN_BLOCKS 32
static __always_inline bool has_block(const struct thread_config *c, u64 env, u64 wanted)
{
	struct block_end end;
	u64 block = 0, outer = 0;
	bool first = true;

	bpf_probe_read_user(&block, sizeof(block), (void *)(env + (s64)c->handles));
	for (int i = 0; i < MAX_FOREIGN_BLOCKS && block; i++) {
		if (block == wanted)
			return true;
		if (block_end_read(c, block, &end))
			return false;
		if (first)
			outer = end.outer;
		first = !end.next;
		block = end.next ? end.next : outer;
	}
	return false;
}

/* Is this address on the thread's stack? */
static __always_inline bool on_stack_of(const struct thread_config *c, u64 env, u64 at)
{
	struct {
		u64 base, size;
	} stack;

	return !bpf_probe_read_user(&stack, sizeof(stack), (void *)(env + (s64)c->stack_base)) &&
	       stack.base - at - 1 < stack.size;
}

/* Has a thread that is alive, and is not this one, the handle in its blocks, or on its stack? */
__noinline int is_owned(u32 target_id, u64 key, u64 env, u64 handle)
{
	const struct thread_config *c = bpf_map_lookup_elem(&thread_configs, &target_id);
	const struct owner *o = bpf_map_lookup_elem(&owners, &key);
	u64 other, block;

	if (!c || !o || o->env == env)
		return 0;
	other = o->env;
	block = o->block;
	if (block && handle - block - c->block_slots >= BLOCK_SLOTS * sizeof(u64))
		return 0;
	if (thread_listed(target_id, other - (s64)c->env) != LISTED ||
	    !(block ? has_block(c, other, block) : on_stack_of(c, other, handle)))
		return 0;
	return thread_listed(target_id, other - (s64)c->env) == LISTED;
}

enum { NOT_FOREIGN, FOREIGN_THREAD, FOREIGN_CALL };
/*
 * A handle that is not in the thread's innermost blocks: is it another thread's, or an argument of a native
 * method of this one that has ended, below all frames on its stack? A thread that is on a stack that is not
 * Java's tells nothing by its stack pointer.
 */
__noinline int foreign_local(u32 target_id, u64 env, u64 sp, u64 handle)
{
	const struct thread_config *c = bpf_map_lookup_elem(&thread_configs, &target_id);

	if (!c || !c->known || !c->list)
		return NOT_FOREIGN;
	if (on_stack_of(c, env, handle))
		return handle < sp && on_stack_of(c, env, sp) ? FOREIGN_CALL : NOT_FOREIGN;
	for (u32 i = 0; i < 2; i++)
		if (is_owned(target_id,
			     owner_key(target_id, handle - (i << OWNED_BLOCK_SHIFT), OWNED_BLOCK_SHIFT), env,
			     handle) ||
		    is_owned(target_id,
			     owner_key(target_id, handle - (i << OWNED_STACK_SHIFT), OWNED_STACK_SHIFT), env,
			     handle))
			return FOREIGN_THREAD;
	return NOT_FOREIGN;
}

#endif
