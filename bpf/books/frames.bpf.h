/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Native frames and their local references: how many a call site has alive in one frame at most, whether a
 * frame has more than were provided for, and which frames were pushed and not popped.
 *
 * A frame is a chain of JNIHandleBlocks, named by its first; when it begins, be it a native method or
 * PushLocalFrame, the block is empty, so the first reference of a frame is the one after which the block has
 * one (JDK: runtime/jniHandles.cpp, JNIHandleBlock::allocate_handle). PushLocalFrame puts a block before that
 * of the frame below and PopLocalFrame takes it away; a native method that returns empties the first block
 * only, so frames that were not popped stay (JDK: prims/jni.cpp; sharedRuntime_x86_64.cpp,
 * generate_native_wrapper()).
 */
#ifndef JNITRACE_FRAMES_BPF_H
#define JNITRACE_FRAMES_BPF_H

#include "books/sites.bpf.h"
#include "books/threads.bpf.h"

#define MAX_FRAMES_SEEN (1 << 16) /* blocks that begin a frame, all targets; memory as it is used */
#define MAX_FRAME_SITES (1 << 18) /* places in them */
#define MAX_PUSHES      (1 << 16) /* frames pushed and not popped yet, all targets */

/* The thread's last Java frame: a native method that was called by another one, or at another place, is
 * another call. */
struct java_anchor {
	u64 sp, pc;
};
struct frame {
	u32 number;   /* frames that the block has begun */
	u32 live;     /* references; too many when some were deleted unseen, until they are counted anew */
	u32 capacity; /* that was ensured for this frame; 0: none */
	u32 ensured;  /* the same before its first reference, for a frame called by ensured_by */
	u32 most;     /* live, as told */
	u32 told_at;  /* site of the finding; 0: none */
	struct java_anchor ensured_by;
};
struct frame_site_key {
	u64 frame; /* ref_tag() the first block */
	u64 place; /* see native_place() */
};
struct frame_site {
	u32 number; /* of the frame; another one's are dead */
	u32 live;
};
MAP_HASH(frames, MAX_FRAMES_SEEN, u64, struct frame); /* by ref_tag() of the first block */
MAP_HASH(frame_sites, MAX_FRAME_SITES, struct frame_site_key, struct frame_site);
MAP_HASH(pushes, MAX_PUSHES, u64, struct push);

static const struct frame no_frame;

/* The running thread's JNIEnv, or something else, or 0. */
static __always_inline u64 env_of(const struct pt_regs *ctx, const struct rule *r)
{
	struct loc env = rule_env(r);

	if (env.kind == LOC_REG)
		return reg_read(ctx, env.reg) + (s64)env.offset_bytes;
	return env.kind == LOC_NONE ? thread_env_known() : 0;
}

static __always_inline void anchor_read(const struct thread_config *c, u64 env, struct java_anchor *a)
{
	if (bpf_probe_read_user(a, sizeof(*a), (void *)(env + (s64)c->anchor)))
		a->sp = a->pc = 0;
}

/* The running thread's innermost frame, and where the VM keeps such. NULL: not known. */
static __always_inline const struct thread_config *frame_here(const struct pt_regs *ctx, const struct rule *r,
							      u64 *env, struct local_frame *f)
{
	u32 target_id = r->target_id;
	const struct thread_config *c = bpf_map_lookup_elem(&thread_configs, &target_id);

	*env = env_of(ctx, r);
	if (!*env || local_frame_read(c, *env, f) || f->block & 7 || f->block >> HANDLE_BITS ||
	    f->end.top > BLOCK_SLOTS)
		return NULL;
	return c;
}

static __always_inline struct frame *frame_of(u32 target_id, u64 block)
{
	u64 key = ref_tag(target_id, block);
	struct frame *f = bpf_map_lookup_elem(&frames, &key);

	if (f)
		return f;
	bpf_map_update_elem(&frames, &key, &no_frame, BPF_NOEXIST);
	f = bpf_map_lookup_elem(&frames, &key);
	if (!f)
		drop(target_id, DROP_FRAMES_FULL);
	return f;
}

/* --- how many are alive ------------------------------------------------------------------------------- */

#define LIVE_AT_ONCE 8
#define LIVE_BLOCKS  32
#define LIVE_STEPS   64 /* 64 x 32 blocks: what a VM ensures at most (JDK: MaxJNILocalCapacity) */
struct live_count {
	u64 block;   /* the next; 0: that was all */
	u64 before;  /* slots of the one before */
	u64 deleted; /* JDK 8: what a deleted one holds; else 0 */
	u64 n;
};

/*
 * Does a slot hold a reference? It may be deleted, or on the list of free slots, whose entries are tagged in
 * bit 0. In JDK 8 they are addresses of slots: of the free one before, in this block or the one before.
 */
static __always_inline bool is_live(const struct live_count *w, u64 slots, u64 word)
{
	if (!word || word & 1)
		return false;
	return !w->deleted || (word != w->deleted && word - slots >= BLOCK_SLOTS * sizeof(u64) &&
			       word - w->before >= BLOCK_SLOTS * sizeof(u64));
}

__noinline int block_live(struct live_count *w, u64 slots, u32 top)
{
	u64 word[LIVE_AT_ONCE];

	if (!w)
		return 0;
	for (u32 from = 0; from < BLOCK_SLOTS; from += LIVE_AT_ONCE) {
		if (from >= top ||
		    bpf_probe_read_user(word, sizeof(word), (void *)(slots + from * sizeof(u64))))
			break;
		for (u32 i = 0; i < LIVE_AT_ONCE; i++)
			w->n += from + i < top && is_live(w, slots, word[i]);
	}
	w->before = slots;
	return 0;
}

__noinline int blocks_live(u32 target_id, struct live_count *w)
{
	const struct thread_config *c = bpf_map_lookup_elem(&thread_configs, &target_id);
	struct block_end end;

	if (!c || !w)
		return 0;
	for (int i = 0; i < LIVE_BLOCKS && w->block; i++) {
		if (block_end_read(c, w->block, &end) || end.top > BLOCK_SLOTS) {
			w->block = 0;
			break;
		}
		block_live(w, w->block + c->block_slots, end.top);
		w->block = end.top == BLOCK_SLOTS ? end.next : 0;
	}
	return 0;
}

/* In the whole chain, as the VM has it; more than it can be asked for counts as no number. */
__noinline u32 frame_live(u32 target_id, u64 block)
{
	const struct thread_config *c = bpf_map_lookup_elem(&thread_configs, &target_id);
	struct live_count w = {.block = block};

	if (c && c->deleted_local_at)
		bpf_probe_read_user(&w.deleted, sizeof(w.deleted), (void *)c->deleted_local_at);
	for (int i = 0; i < LIVE_STEPS && w.block; i++)
		blocks_live(target_id, &w);
	return w.block ? ~0U : w.n;
}

/* --- frames that begin and end ------------------------------------------------------------------------ */

static __always_inline struct push *push_upon(u32 target_id, u64 outer)
{
	u64 key = ref_tag(target_id, outer);

	return outer && !(outer >> HANDLE_BITS) ? bpf_map_lookup_elem(&pushes, &key) : NULL;
}

/*
 * A call of a thread whose innermost frame was pushed upon outer. Calls into Java begin a chain of their own,
 * so while the frame is in this one the thread's last Java frame is that of the push, or another native
 * method runs and the one that pushed has returned.
 */
static __always_inline struct push *push_seen(const struct thread_config *c, u32 target_id, u64 env,
					      u64 outer)
{
	struct push *p = push_upon(target_id, outer);
	struct java_anchor now;

	if (!p || p->returned)
		return p;
	anchor_read(c, env, &now);
	if (now.sp != p->java_sp || (now.pc && p->java_pc && now.pc != p->java_pc)) /* pc may be set later */
		p->returned = 1;
	return p;
}

/* The first reference of a frame was made. p: as it was pushed; NULL: a native method's. */
static __always_inline void frame_begins(const struct thread_config *c, u64 env, struct frame *f,
					 struct push *p)
{
	struct java_anchor now;

	f->number++; /* only the thread whose frame it is comes here */
	f->live = f->most = f->told_at = 0;
	f->capacity = 0;
	if (f->ensured) {
		anchor_read(c, env, &now);
		if (now.sp == f->ensured_by.sp && now.pc == f->ensured_by.pc)
			f->capacity = f->ensured;
		f->ensured = 0;
	}
	if (!p)
		return;
	if (p->begun) /* and begins again: a native method uses what another one left */
		p->returned = 1;
	else if (!p->returned && p->capacity > f->capacity)
		f->capacity = p->capacity;
	p->begun = 1;
}

/*
 * More than were provided for? The count is put right first, if it may be wrong. One finding for each frame,
 * at the site that made the first too many.
 */
static __always_inline void frame_overflow(u32 target_id, u64 block, struct frame *f, u32 site, u64 handle)
{
	u32 known;

	if (!f->told_at) {
		known = frame_live(target_id, block);
		if (known < f->live)
			f->live = known;
		if (f->live <= local_capacity || f->live <= f->capacity)
			return;
		f->told_at = site;
		finding(target_id, FINDING_LOCAL_OVERFLOW, site, 0, 0, handle);
	}
	f->most = f->live;
	finding_most(target_id, FINDING_LOCAL_OVERFLOW, f->told_at, f->live);
}

/* --- calls -------------------------------------------------------------------------------------------- */

static __always_inline void frame_acquire(const struct pt_regs *ctx, const struct rule *r, u64 handle,
					  u32 site)
{
	u32 target_id = r->target_id;
	struct frame_site_key key = {.frame = 0};
	struct frame_site *fs, none = {0};
	const struct thread_config *c;
	struct local_frame here = {0};
	struct push *p = NULL;
	struct site_counts *sc;
	struct frame *f;
	u64 env, *place;

	c = frame_here(ctx, r, &env, &here);
	if (!c || !here.end.top)
		return;
	f = frame_of(target_id, here.block);
	if (!f)
		return;
	if (here.end.outer)
		p = push_seen(c, target_id, env, here.end.outer);
	if (here.end.top == 1 && handle == here.block + c->block_slots)
		frame_begins(c, env, f, p);
	place = bpf_map_lookup_elem(&site_places, &site);
	sc = site_counts_of(site);
	key.frame = ref_tag(target_id, here.block);
	key.place = place ? *place : 0;
	fs = bpf_map_lookup_elem(&frame_sites, &key);
	if (!fs) {
		bpf_map_update_elem(&frame_sites, &key, &none, BPF_NOEXIST);
		fs = bpf_map_lookup_elem(&frame_sites, &key);
	}
	if (!fs || !sc) {
		drop(target_id, DROP_FRAMES_FULL);
		return;
	}
	if (fs->number != f->number) {
		fs->number = f->number;
		fs->live = 0;
	}
	raise_to(&sc->peak, ++fs->live);
	if (++f->live > local_capacity && f->live > f->capacity && f->live > f->most)
		frame_overflow(target_id, here.block, f, site, handle);
}

static __always_inline void frame_release(const struct pt_regs *ctx, const struct rule *r, u32 site)
{
	u32 target_id = r->target_id;
	struct frame_site_key key = {.frame = 0};
	struct local_frame here = {0};
	struct frame_site *fs;
	struct frame *f;
	u64 env, *place = bpf_map_lookup_elem(&site_places, &site);

	if (!place || !frame_here(ctx, r, &env, &here))
		return;
	key.frame = ref_tag(target_id, here.block);
	key.place = *place;
	f = bpf_map_lookup_elem(&frames, &key.frame);
	fs = bpf_map_lookup_elem(&frame_sites, &key);
	if (!f || !fs || fs->number != f->number || !fs->live)
		return;
	fs->live--;
	if (f->live)
		f->live--;
}

/* The entry of PushLocalFrame. */
static __always_inline void frame_push(struct pt_regs *ctx, struct rule *r, u32 capacity)
{
	u32 target_id = r->target_id, site = site_of((void *)ctx, r);
	struct push p = {.site = site, .tick = now_tick(), .capacity = capacity}, *known;
	const struct thread_config *c;
	struct local_frame here = {0};
	struct java_anchor now;
	u64 key;

	c = frame_here(ctx, r, &p.env, &here);
	if (!c || !site)
		return;
	anchor_read(c, p.env, &now);
	p.java_sp = now.sp;
	p.java_pc = now.pc;
	p.sp = reg_read(ctx, r->caller_cfa.reg) + (s64)r->caller_cfa.offset_bytes;
	if (here.end.outer)
		push_seen(c, target_id, p.env, here.end.outer);
	key = ref_tag(target_id, here.block);
	known = bpf_map_lookup_elem(&pushes, &key);
	if (known) /* the VM took that frame away, as it does when Java returns */
		finding(target_id, FINDING_UNPOPPED_FRAME, known->site, 0, 0, 0);
	if (bpf_map_update_elem(&pushes, &key, &p, BPF_ANY))
		drop(target_id, DROP_PUSHES_FULL);
}

/* The entry of PopLocalFrame. */
static __always_inline void frame_pop(struct pt_regs *ctx, struct rule *r)
{
	struct local_frame here = {0};
	u64 env, key;

	if (!frame_here(ctx, r, &env, &here) || !here.end.outer || here.end.outer >> HANDLE_BITS)
		return;
	key = ref_tag(r->target_id, here.end.outer);
	bpf_map_delete_elem(&pushes, &key);
}

/* The entry of EnsureLocalCapacity: so many more than there are. */
static __always_inline void frame_ensure(struct pt_regs *ctx, struct rule *r, u32 more)
{
	struct local_frame here = {0};
	const struct thread_config *c;
	struct frame *f;
	u64 env;

	c = frame_here(ctx, r, &env, &here);
	f = c ? frame_of(r->target_id, here.block) : NULL;
	if (!f)
		return;
	if (here.end.top) {
		if (f->live + more > f->capacity)
			f->capacity = f->live + more;
		return;
	}
	if (more > f->ensured)
		f->ensured = more;
	anchor_read(c, env, &f->ensured_by);
}

#endif
