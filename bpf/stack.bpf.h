/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The whole stack of a JNI call, native and Java frames, to the thread's start: native frames from the JNI
 * function's caller up to where the thread's frame anchor says that Java begins, the Java frames, and when
 * those were called by native code (call_stub) its frames up to the anchor saved there, and so on.
 *
 * A walk needs more memory than the BPF stack has and must not share it: uprobe programs can be preempted by
 * others on the same CPU. So each takes one of a few places of its CPU, marked busy.
 */
#ifndef JNITRACE_STACK_BPF_H
#define JNITRACE_STACK_BPF_H

#include "arch.bpf.h"
#include "maps.bpf.h"

#define WINDOW_WORDS 128 /* in map memory */
#include "window.bpf.h"

struct walk {
	u64 pc, fp, sp; /* of the frame in hand */
	u64 lr;         /* arm64: the return address while it is still in its register */
	u32 exact;      /* pc is an interrupted instruction, no return address */
	u32 pad;
	struct window win;
};

#include "unwind.bpf.h"

#define SCRATCH_PLACES 4 /* programs under way on one CPU at one moment */
/* Frames lie above each other, closer than the largest stack a thread gets. */
#define STACK_SPAN_BYTES (64ULL << 20)

struct scratch {
	u32 busy;
	u32 slot;
	struct walk w;
	u64 hash;
	enum stack_end end;
	u32 native_kind; /* enum frame_kind of the next native frame */
	u32 in_java, in_chunk;
	u32 no_java; /* enum stack_end: why Java frames cannot be found */
	u32 closing; /* libraries were closed: no native address can be believed */
	u64 env;
	struct {
		u64 sp, pc, fp; /* the next Java frames; sp 0: there are none */
	} java;
	u64 top; /* the end of the stack, or of the chunk; 0: not known */
	u64 unextended_sp, chunk;
	struct stack stack;
};
MAP_ARRAY(scratch, BPF_MAP_TYPE_PERCPU_ARRAY, SCRATCH_PLACES, struct scratch);

static __always_inline void emit(struct scratch *sc, enum frame_kind kind, u64 a, u64 b)
{
	u32 n = sc->stack.n;

	if (n >= JT_MAX_FRAMES)
		return;
	/* an address from the target may be anything, the kind must not */
	a = (a & RAW_ADDR_MASK) | (u64)kind << RAW_KIND_SHIFT;
	sc->stack.frame[n].a = a;
	sc->stack.frame[n].b = b;
	sc->stack.n = n + 1;
	sc->hash = mix(mix(sc->hash ^ a) + b);
}

#include "java.bpf.h"

/* Is addr in code that comes from a file? A global function: verified once, not for each frame. */
__noinline int is_code(u32 slot, u64 addr)
{
	struct code_ranges *c = bpf_map_lookup_elem(&code, &slot);
	u32 lo = 0, hi;

	if (!c)
		return 0;
	hi = c->n;
	for (int i = 0; i < 9; i++) {                          /* 2^8 ranges */
		u32 mid = (lo + hi) / 2 & (JT_MAX_RANGES - 1); /* the mask is for verifiers before 6.2 */

		if (lo >= hi)
			break;
		if (addr >= c->range[mid].end)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < JT_MAX_RANGES && lo < c->n && addr >= c->range[lo].start;
}

/* The JNI function's caller. 0, or -1 when it cannot be read. */
static __always_inline int walk_start(struct walk *w, const struct pt_regs *ctx, const struct rule *r)
{
	w->sp = reg_read(ctx, r->caller_cfa.reg) + (s64)r->caller_cfa.offset_bytes;
	w->lr = 0;
	w->exact = 0;
	w->win.bytes = 0;
	if (r->caller_pc.kind == LOC_MEM && r->caller_fp.kind == LOC_MEM &&
	    r->caller_pc.reg == r->caller_fp.reg &&
	    r->caller_pc.offset_bytes == r->caller_fp.offset_bytes + 8) {
		u64 record[2], at = reg_read(ctx, r->caller_fp.reg) + (s64)r->caller_fp.offset_bytes;

		if (bpf_probe_read_user(record, sizeof(record), (void *)at)) /* one read for both */
			return -1;
		w->fp = record[0];
		w->pc = record[1];
		return 0;
	}
	if (loc_read(ctx, &r->caller_pc, &w->pc))
		return -1;
	return loc_read(ctx, &r->caller_fp, &w->fp);
}

/*
 * By the frame pointer, where there is no unwind table: only while it looks sane. The loader proves each
 * such link afterwards, or cuts it. limit: a stack pointer at which Java begins.
 */
static __always_inline enum stack_end walk_up_by_fp(struct walk *w, u32 slot, u64 limit)
{
	u64 record[2]; /* the caller's frame pointer, the return address */

	if (w->fp < w->sp || (w->fp & 7) || w->fp - w->sp > STACK_SPAN_BYTES ||
	    (limit && w->fp + 16 >= limit))
		return END_NO_FP;
	if (bpf_probe_read_user(record, sizeof(record), (void *)w->fp))
		return END_UNREAD;
	if (!is_code(slot, record[1]))
		return END_NOT_CODE;
	w->sp = w->fp + 16;
	w->fp = record[0];
	w->pc = record[1];
	return END_NONE;
}

/* Over native frames that cannot be known. */
static __always_inline int native_skip(struct scratch *sc, enum stack_end why)
{
	if (!sc->java.sp)
		return java_end(sc, why);
	emit(sc, RAW_GAP, why, 0);
	return java_enter(sc);
}

/* One native frame, and its caller, or the Java frames behind a gap of native ones that cannot be found. */
static __always_inline int native_frame(struct scratch *sc)
{
	struct walk *w = &sc->w;
	u64 limit = sc->java.sp;
	enum stack_end end;

	if (sc->closing)
		return native_skip(sc, END_CLOSING);
	/* A call as the last thing a native method does leaves no frame of it: its caller is Java's. */
	if (limit && w->sp == limit && !is_code(sc->slot, w->pc))
		return java_enter(sc);
	emit(sc, sc->native_kind, w->pc, w->exact);
	sc->native_kind = RAW_NATIVE;
	end = native_step(w, sc->slot);
	if (end == END_NO_TABLE || end == END_NOT_CODE)
		sc->hash ^= mix(unwind_closings(sc->slot)); /* the loader may not know yet whose pc was */
	if (end == END_NO_TABLE) {
		sc->native_kind = RAW_NATIVE_FP;
		if (walk_up_by_fp(w, sc->slot, limit) == END_NONE)
			end = END_NONE;
	}
	if (end == END_NONE && (!limit || w->sp < limit))
		return 0;
	if (!limit) {
		sc->end = end == END_NOT_CODE && sc->no_java ? sc->no_java : end;
		return 1;
	}
	if (end != END_NONE || w->sp != limit)
		emit(sc, RAW_GAP, end == END_NONE || end == END_BOTTOM ? END_BAD_FRAME : end, 0);
	return java_enter(sc);
}

/* One frame of either kind. A global function: verified once, not for each frame. */
__noinline int walk_step(struct scratch *sc, const struct java_config *j)
{
	if (!sc || !j)
		return 1;
	if (sc->stack.n >= max_depth || sc->stack.n >= JT_MAX_FRAMES) {
		sc->end = END_DEPTH;
		return 1;
	}
	return sc->in_java ? java_step(sc, j) : native_frame(sc);
}

static __always_inline struct scratch *scratch_take(u32 slot)
{
	for (u32 i = 0; i < SCRATCH_PLACES; i++) {
		u32 key = i;
		struct scratch *sc = bpf_map_lookup_elem(&scratch, &key);

		if (sc && !__sync_lock_test_and_set(&sc->busy, 1)) {
			sc->slot = slot;
			return sc;
		}
	}
	return NULL;
}

static __always_inline void scratch_release(struct scratch *sc)
{
	barrier();
	*(volatile u32 *)&sc->busy = 0;
}

/* Walk into sc->stack. Returns the hash of all frames and of why there are no more; 0: not even the caller is
 * known. */
static __always_inline u64 stack_walk(struct scratch *sc, const struct pt_regs *ctx, struct rule *r)
{
	u32 slot = r->slot;
	const struct java_config *j = bpf_map_lookup_elem(&java_configs, &slot);
	struct unwind_space *space = bpf_map_lookup_elem(&unwind_spaces, &slot);

	if (!space)
		return 0;
	sc->stack.n = 0;
	sc->hash = mix(slot + 1 + ((u64)space->replaced << 32));
	sc->closing = UNWIND_IS_CLOSED(*(volatile u64 *)&space->layout);
	sc->in_java = sc->in_chunk = 0;
	sc->native_kind = RAW_NATIVE;
	sc->java.sp = sc->top = 0;
	sc->end = END_DEPTH;
	if (!j || walk_start(&sc->w, ctx, r))
		return 0;
	sc->no_java = java_start(ctx, r, sc, j);
	if (sc->no_java == END_NONE && !anchor_ok(sc, sc->w.sp))
		sc->no_java = END_ANCHOR;
	if (sc->no_java != END_NONE)
		sc->java.sp = 0;
	for (int i = 0; i < 2 * JT_MAX_FRAMES; i++) /* a step from one kind to the other keeps no frame */
		if (walk_step(sc, j))
			break;
	sc->stack.end = sc->end;
	sc->hash = mix(sc->hash ^ sc->end);
	return sc->hash ? sc->hash : 1;
}

#endif
