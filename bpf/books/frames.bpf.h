/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How many local references a site has alive in one native frame, at most: what tells a loop that fills the
 * table from many calls that make a few each. A frame is a chain of JNIHandleBlocks, named by its first; when
 * it begins, be it a native method or PushLocalFrame, the block is empty, so the first reference of a frame
 * is the one after which the block has one (JDK: runtime/jniHandles.cpp, JNIHandleBlock::allocate_handle).
 */
#ifndef JNITRACE_FRAMES_BPF_H
#define JNITRACE_FRAMES_BPF_H

#include "books/threads.bpf.h"

#define MAX_FRAMES_SEEN (1 << 16) /* blocks that begin a frame, all targets; memory as it is used */
#define MAX_FRAME_SITES (1 << 18) /* sites in them */

struct frame_site_key {
	u64 frame; /* ref_tag() the first block */
	u32 site;
	u32 pad;
};
struct frame_site {
	u32 number; /* of the frame; another one's are dead */
	u32 live;
};
MAP_HASH(frames, MAX_FRAMES_SEEN, u64, u32); /* first block -> how many frames it has begun */
MAP_HASH(frame_sites, MAX_FRAME_SITES, struct frame_site_key, struct frame_site);

/* The running thread's JNIEnv, or something else, or 0. */
static __always_inline u64 env_of(const struct pt_regs *ctx, const struct rule *r)
{
	struct loc env = rule_env(r);

	if (env.kind == LOC_REG)
		return reg_read(ctx, env.reg) + (s64)env.offset_bytes;
	return env.kind == LOC_NONE ? thread_env_known() : 0;
}

/* The first block of the running thread's frame; 0: not known. */
static __always_inline u64 frame_block(const struct pt_regs *ctx, const struct rule *r,
				       const struct thread_config *c)
{
	u64 env = env_of(ctx, r), block = 0;

	if (!env || bpf_probe_read_user(&block, sizeof(block), (void *)(env + (s64)c->handles)) ||
	    block & 7 || block >> HANDLE_BITS)
		return 0;
	return block;
}

static __always_inline void frame_acquire(const struct pt_regs *ctx, const struct rule *r, u64 handle,
					  u32 site)
{
	u32 target_id = r->target_id, top = 0, *number, first = 0;
	const struct thread_config *c = bpf_map_lookup_elem(&thread_configs, &target_id);
	u64 block = c && c->known ? frame_block(ctx, r, c) : 0;
	struct frame_site_key key = {.frame = ref_tag(target_id, block), .site = site};
	struct frame_site *f, none = {0};
	struct site_counts *sc;

	if (!block || bpf_probe_read_user(&top, sizeof(top), (void *)(block + c->block_top)) || !top ||
	    top > BLOCK_SLOTS)
		return;
	number = bpf_map_lookup_elem(&frames, &key.frame);
	if (!number) {
		bpf_map_update_elem(&frames, &key.frame, &first, BPF_NOEXIST);
		number = bpf_map_lookup_elem(&frames, &key.frame);
	}
	f = bpf_map_lookup_elem(&frame_sites, &key);
	if (!f) {
		bpf_map_update_elem(&frame_sites, &key, &none, BPF_NOEXIST);
		f = bpf_map_lookup_elem(&frame_sites, &key);
	}
	sc = bpf_map_lookup_elem(&site_counts, &site);
	if (!number || !f || !sc) {
		drop(target_id, DROP_FRAMES_FULL);
		return;
	}
	if (top == 1 && handle == block + c->block_slots)
		++*number; /* only the thread whose frame it is comes here */
	if (f->number != *number) {
		f->number = *number;
		f->live = 0;
	}
	raise_to(&sc->peak, ++f->live);
}

static __always_inline void frame_release(const struct pt_regs *ctx, const struct rule *r, u32 site)
{
	u32 target_id = r->target_id, *number;
	const struct thread_config *c = bpf_map_lookup_elem(&thread_configs, &target_id);
	u64 block = c && c->known ? frame_block(ctx, r, c) : 0;
	struct frame_site_key key = {.frame = ref_tag(target_id, block), .site = site};
	struct frame_site *f = block ? bpf_map_lookup_elem(&frame_sites, &key) : NULL;

	number = bpf_map_lookup_elem(&frames, &key.frame);
	if (f && number && f->number == *number && f->live)
		f->live--;
}

#endif
