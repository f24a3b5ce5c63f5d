/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The whole stack of a JNI call, native and Java frames, to the thread's start: native frames from the JNI
 * function's caller up to where the thread's frame anchor says that Java begins, the Java frames, and when
 * those were called by native code (call_stub) its frames up to the anchor saved there, and so on. Without
 * JNI (java.lang.foreign) there may be no anchor: the native frames themselves lead to Java, or to the
 * thread's start.
 *
 * A walk needs more memory than the BPF stack has and must not share it: uprobe programs can be preempted by
 * others on the same CPU. So each takes a place and marks it busy: its CPU's, or, when somebody holds that
 * and was preempted, one of those that are there for all. Where the kernel preempts itself that can be as
 * many threads as are ready to run.
 */
#ifndef JNITRACE_STACK_BPF_H
#define JNITRACE_STACK_BPF_H

#include "border/scripts.h"
#include "maps.bpf.h"
#include "walk/arch.bpf.h"
#include "walk/task.bpf.h"

#define WINDOW_WORDS 2048 /* in map memory: most stacks whole */
#include "walk/unwind.bpf.h"
/* after the size of the window */
#include "walk/opened.bpf.h"

#define JAVA_BLOCK_WORDS 64
#define JAVA_STEPS       4 /* by one call: calls cost more than they seem to, where returns are not predicted */
#define WALK_STEPS       16
#define SCRATCH_TRIES    16
#define SCRATCH_NONE     (~0U)
/* Frames lie above each other, closer than the largest stack a thread gets. */
#define STACK_SPAN_BYTES (64ULL << 20)
/*
 * A native frame whose caller lies in the code heaps, that near to the last Java frame, has been called by
 * it: the interpreter calls the VM from a little subroutine, and aligns the stack (JDK:
 * macroAssembler_x86.cpp, call_VM); a native method that ends in a JNI call leaves no frame of its own.
 */
#define VM_CALL_BYTES 64

/* What the walk of a stack depends on beside the stack: equal, and the words noted of it are, and so is the
 * site. */
struct memo_key {
	u64 layout, generation, unloads; /* of the tables: they change when a table does */
	u32 closings, added;             /* as in struct unwind_space */
	u32 id;                          /* target, function */
	u64 pc, start_fp;
	struct memo_anchor {
		u64 sp, pc,
		    fp; /* as in struct scratch, addresses as distances from the first word; sp 0: none */
		u64 no_java; /* enum stack_end */
	} anchor;
};
struct memo {
	struct memo_key key;
	struct memo_anchor wanted; /* the anchor of the entry found, if uses says that it counts */
	u64 uses;
	u64 top;   /* as in struct memo_root */
	u64 hash;  /* of the root */
	u64 pick;  /* of the hint */
	u64 tried; /* the number of an entry with another word, in a group of words; 0: none */
	u64 differing;
	u32 group;
	u32 differs; /* as in notes.where: the word in which the entry tried differs, MEMO_NOWHERE */
};

/* The words of an interpreter frame that tell the method and the caller (JDK: frame_x86.hpp,
 * frame_aarch64.hpp). */
struct interpreter_frame {
	u64 method, bcp, sender_sp, return_pc;
};

/*
 * What a thread keeps of a run of managed frames when it leaves them (Android: runtime/managed_stack.h): of
 * compiled ones where the last has its method, in the lowest bits how it left; the next fragment, of frames
 * further out; the last frame of the interpreter in C++.
 */
struct fragment {
	u64 quick, link, shadow;
};

/* The interpreter's frames of the running thread, see script.bpf.h. */
struct script_walk {
	u64 state;                    /* in hand, while it is looked for in a list */
	u64 frame;                    /* the next one; 0: there are none, or no more */
	u64 holder;                   /* what has it in the native frame; 0: nothing has */
	u64 mark;                     /* lies in the native frame that runs the next group; 0: not known */
	u64 low, high;                /* of the array of frames */
	u64 word[SCRIPT_FRAME_WORDS]; /* of a frame */
};

struct scratch {
	u32 busy;
	u32 target_id;
	struct walk w;
	u64 hash;
	enum stack_end end;
	u32 native_kind; /* enum frame_kind of the next native frame */
	u32 in_java, in_chunk;
	u32 no_java; /* enum stack_end: why Java frames cannot be found */
	u32 closing; /* libraries were closed: no native address can be believed */
	u64 env;
	u64 unloads;                   /* classes unloaded when the walk began */
	u64 thread[JAVA_THREAD_WORDS]; /* a piece of the JavaThread */
	struct {
		u64 sp, pc, fp; /* the next Java frames; sp 0: there are none */
		u64 fp_at;      /* as in struct walk */
	} java;
	u64 top; /* the end of the stack, or of the chunk; 0: not known */
	u64 stack_bytes;
	u64 unextended_sp, chunk;
	struct fragment fragment;    /* what is left of the one in hand; all 0: there are none */
	struct java_code code;       /* of the frame in hand, when it was not known yet */
	u64 block[JAVA_BLOCK_WORDS]; /* its block in the code heap, the beginning; or some of the VM's threads
				      */
	struct {
		u64 list, at; /* where the next ones are, */
		u32 left;     /* and how many; */
		u32 n, i;     /* of those in block, the next to be looked at */
	} threads;
	struct interpreter_frame frame;
	struct script_walk script;
	struct memo memo;
	struct stack stack;
};
MAP_ARRAY(scratch, BPF_MAP_TYPE_ARRAY, 1, struct scratch); /* (loader) one for each CPU, and scratch_shared */

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
	sc->hash = hash_add(sc->hash, a + b * 0xc2b2ae3d27d4eb4fULL);
}

#include "walk/fragments.bpf.h"
#include "walk/java.bpf.h"
#include "walk/memo.bpf.h"
#include "walk/script.bpf.h"

/* A word of the caller's: in a register, or just below its stack pointer, in the window. */
static __always_inline int start_word(struct walk *w, const struct pt_regs *ctx, const struct loc *l,
				      u64 *out)
{
	u64 v = reg_read(ctx, l->reg) + (s64)l->offset_bytes;

	if (l->kind == LOC_MEM)
		return window_word(&w->win, v, out);
	*out = v;
	return 0;
}

/*
 * By the frame pointer, where there is no unwind table: only while it looks sane. The loader proves each
 * such link afterwards, or cuts it. limit: a stack pointer at which Java begins.
 */
static __always_inline enum stack_end walk_up_by_fp(struct walk *w, u32 target_id, u64 limit)
{
	u64 record[2]; /* the caller's frame pointer, the return address */

	if (w->fp < w->sp || (w->fp & 7) || w->fp - w->sp > STACK_SPAN_BYTES ||
	    (limit && w->fp + 16 >= limit))
		return END_NO_FP;
	if (bpf_probe_read_user(record, sizeof(record), (void *)w->fp))
		return END_UNREAD;
	if (!unwind_is_code(target_id, record[1]))
		return END_NOT_CODE;
	w->notes.lost = 1; /* nothing proves these words to be a frame */
	w->sp = w->fp + 16;
	w->fp = record[0];
	w->pc = record[1];
	return END_NONE;
}

/* Over native frames that cannot be known. */
static __always_inline int native_skip(struct scratch *sc, const struct java_config *j, enum stack_end why)
{
	sc->w.notes.lost = 1;
	if (!sc->java.sp)
		return java_end(sc, why);
	emit(sc, RAW_GAP, why, 0);
	return java_enter(sc, j);
}

/*
 * Return addresses led from frame to frame to a call in Java's code, and to the stack pointer of the anchor.
 * The code that makes this call has set the anchor just before (JDK: set_last_Java_frame(), in the
 * interpreter's native entry and in each native wrapper), so as long as the code is the same the words that
 * were read tell the anchor too. The fp there is likewise the one that native code has to preserve, if it is
 * one.
 */
static __always_inline void anchor_proven(struct scratch *sc)
{
	if (sc->java.fp_at != USES_ANCHOR_FP) /* one that an upcall left on the stack, and so noted */
		return;
	sc->w.notes.uses &= ~(1U << USES_ANCHOR);
	if (sc->w.fp == sc->java.fp)
		sc->java.fp_at = sc->w.fp_at;
}

/*
 * Libraries were closed: what the loader knows of code is not believed. But who made the call is there, and
 * may be one that was opened just before.
 */
static __always_inline void native_opened(struct scratch *sc)
{
	u64 opened = sc->stack.n ? 0 : opened_at(sc->target_id, sc->w.pc - 1);

	if (!opened)
		return;
	emit(sc, RAW_OPENED, sc->w.pc, (u32)opened); /* its number may be another one the next time */
	sc->stack.frame[0].b = opened;
}

/* The frame at hand is kept, and the loader may not know yet whose its pc is. */
static __always_inline void native_unknown(struct scratch *sc, u64 pc)
{
	u64 opened = opened_at(sc->target_id, pc - 1);
	u32 at = sc->stack.n - 1;

	sc->hash ^= mix(opened ? opened << 32 : unwind_closings(sc->target_id));
	if (!opened || at >= JT_MAX_FRAMES || sc->stack.frame[at].a >> RAW_KIND_SHIFT != RAW_NATIVE ||
	    sc->stack.frame[at].b)
		return;
	sc->stack.frame[at].a = (pc & RAW_ADDR_MASK) | (u64)RAW_OPENED << RAW_KIND_SHIFT;
	sc->stack.frame[at].b = opened;
}

/* The return address at hand may be the kernel's own, in the place of the true one. Is it? */
static __always_inline bool return_is_probed(struct walk *w)
{
	u64 pc = w->pc % TRAMPOLINE_ALIGN ? 0 : probed_return(w->sp);

	if (pc)
		w->pc = pc;
	return pc != 0;
}

/* The frame that was kept last is a script's or a method's: say whose. A global function: verified once. */
__noinline int native_script(struct scratch *sc)
{
	u32 at;

	if (!sc || !sc->w.function)
		return 0;
	at = sc->stack.n - 1;
	if (by_fragments && sc->w.executes) {
		sc->stack.n = at;
		sc->native_kind = RAW_NATIVE;
		emit(sc, RAW_METHOD, sc->w.function, sc->w.executes);
		sc->w.executes = 0;
	} else if (at < JT_MAX_FRAMES) {
		u64 a = sc->stack.frame[at].a & RAW_ADDR_MASK;

		sc->stack.frame[at].a = a | (u64)RAW_SCRIPT << RAW_KIND_SHIFT;
		sc->stack.frame[at].b = sc->w.function;
		sc->hash = hash_add(sc->hash, sc->w.function);
	}
	sc->w.function = 0;
	return 0;
}

/* One native frame, and its caller, or the Java frames behind a gap of native ones that cannot be found. */
static __always_inline int native_frame(struct scratch *sc, const struct java_config *j)
{
	struct walk *w = &sc->w;
	u64 limit = sc->java.sp, pc, sp = w->sp;
	enum stack_end end;

	if (sc->closing) {
		native_opened(sc);
		return native_skip(sc, j, END_CLOSING);
	}
	if (limit && limit - w->sp <= VM_CALL_BYTES && in_code_heaps(j, w->pc))
		return java_enter(sc, j);
	pc = w->pc;
	emit(sc, sc->native_kind, pc, w->exact);
	sc->native_kind = RAW_NATIVE;
	end = native_step(w, sc->target_id);
	sc->hash = hash_add(sc->hash, w->code); /* the address may have meant other code, and may again */
	native_script(sc);
	if (end == END_NONE && return_is_probed(w))
		w->notes.lost = 1; /* the word on the stack does not tell it */
	if (end == END_NO_TABLE || end == END_NOT_CODE)
		native_unknown(sc, pc);
	if (end == END_NO_TABLE || end == END_UNREAD || end == END_CLOSING)
		w->notes.lost = 1;
	if (end == END_NO_TABLE) {
		sc->native_kind = RAW_NATIVE_FP;
		if (walk_up_by_fp(w, sc->target_id, limit) == END_NONE)
			end = END_NONE;
	}
	if (end == END_NONE && (!limit || w->sp < limit || !on_stack(sc, w->sp))) {
		java_called(sc, j);
		if (pairs_traced)
			script_called(sc, sp);
		return 0;
	}
	if (!limit) {
		sc->end = end == END_NOT_CODE && sc->no_java ? sc->no_java : end;
		return 1;
	}
	if (end != END_NONE || w->sp != limit)
		emit(sc, RAW_GAP, end == END_NONE || end == END_BOTTOM ? END_BAD_FRAME : end, 0);
	else if (in_code_heaps(j, w->pc))
		anchor_proven(sc);
	return java_enter(sc, j);
}

/*
 * A native frame, or some Java frames. 0: go on, 1: sc->end says why not. A global function: verified once,
 * not for each frame.
 */
__noinline int walk_step(struct scratch *sc, const struct java_config *j)
{
	if (!sc || !j)
		return 1;
	for (int i = 0; i < JAVA_STEPS; i++) {
		if (sc->stack.n >= max_depth || sc->stack.n >= JT_MAX_FRAMES)
			return java_end(sc, END_DEPTH);
		if (!sc->in_java)
			return i ? 0 : native_frame(sc, j);
		if (java_step(sc, j))
			return 1;
	}
	return 0;
}

/* Many of these. Likewise: the verifier goes through each turn of a loop, and so through two short ones. */
__noinline int walk_steps(struct scratch *sc, const struct java_config *j)
{
	for (int i = 0; i < WALK_STEPS; i++)
		if ((by_fragments && fragments_below(sc)) || walk_step(sc, j))
			return 1;
	return 0;
}

static __always_inline bool scratch_claim(u32 place)
{
	struct scratch *sc = bpf_map_lookup_elem(&scratch, &place);

	return sc && !__sync_lock_test_and_set(&sc->busy, 1);
}

/* One of those for all: each thread begins to look at another one. A global function: verified once. */
__noinline u32 scratch_claim_shared(void)
{
	u32 from = bpf_get_current_pid_tgid();

	for (u32 i = 0; i < SCRATCH_TRIES; i++) {
		u32 place = cpu_ids + (from + i) % scratch_shared;

		if (scratch_claim(place))
			return place;
	}
	return SCRATCH_NONE;
}

static __always_inline struct scratch *scratch_take(u32 target_id)
{
	u32 place = bpf_get_smp_processor_id();
	struct scratch *sc;

	if (!scratch_claim(place))
		place = scratch_claim_shared();
	sc = bpf_map_lookup_elem(&scratch, &place);
	if (sc)
		sc->target_id = target_id;
	return sc;
}

static __always_inline void scratch_release(struct scratch *sc)
{
	barrier();
	*(volatile u32 *)&sc->busy = 0;
}

/* What the probe's registers tell: where the caller's stack begins. */
static __always_inline void stack_begin(struct scratch *sc, const struct pt_regs *ctx, const struct rule *r)
{
	walk_begin(&sc->w, reg_read(ctx, r->caller_cfa.reg) + (s64)r->caller_cfa.offset_bytes);
	sc->w.win.end = sc->top = sc->stack_bytes = sc->java.sp = 0;
}

/* Read the stack, as much of it as may be of use. 0, or -1: not even the caller is known. */
static __always_inline int stack_read(struct scratch *sc, const struct pt_regs *ctx, const struct rule *r,
				      u32 bytes)
{
	struct walk *w = &sc->w;

	window_read(&w->win, w->notes.base, bytes);
	if (start_word(w, ctx, &r->caller_pc, &w->pc) || start_word(w, ctx, &r->caller_fp, &w->fp))
		return -1;
	return_is_probed(w);
	w->fp_at = USES_START_FP;
	return 0;
}

/*
 * The running thread, its stack and the next Java frames. A global function: verified once.
 */
__noinline int stack_thread(struct bpf_user_pt_regs_t *regs, struct rule *r, struct scratch *sc,
			    const struct java_config *j)
{
	struct walk *w;

	if (!r || !sc || !j)
		return 0;
	w = &sc->w;
	if (by_fragments)
		sc->fragment = (struct fragment){0};
	sc->no_java = java_start((void *)regs, r, sc, j);
	if (by_fragments && j->on == MANAGED_BY_FRAGMENTS)
		return 0;
	if (sc->no_java == END_NONE && !anchor_ok(sc, w->sp))
		sc->no_java = END_ANCHOR;
	if (sc->no_java != END_NONE)
		sc->java.sp = 0;
	else if (!on_stack(sc, w->sp))
		w->notes.lost = 1;
	return 0;
}

/* All that a walk starts from, after stack_begin(). 0, or -1: not even the caller is known. */
static __always_inline int stack_start(struct scratch *sc, struct pt_regs *ctx, struct rule *r,
				       const struct java_config *j)
{
	stack_thread((void *)ctx, r, sc, j);
	return stack_read(sc, ctx, r, WINDOW_MOVE_BYTES);
}

/* Walk into sc->stack. Returns the hash of all frames and of why there are no more. */
static __always_inline u64 stack_walk(struct scratch *sc, const struct java_config *j)
{
	u32 target_id = sc->target_id;
	struct unwind_space *space = bpf_map_lookup_elem(&unwind_spaces, &target_id);

	if (!space)
		return 0;
	sc->stack.n = 0;
	sc->hash = mix(target_id + 1 + ((u64)space->turn << 32));
	sc->closing = UNWIND_IS_CLOSED(*(volatile u64 *)&space->layout);
	sc->in_java = sc->in_chunk = 0;
	sc->native_kind = RAW_NATIVE;
	sc->end = END_DEPTH;
	sc->script.frame = sc->script.holder = sc->script.mark = 0;
	if (pairs_traced)
		script_begin(sc);
	/* a step from one kind to the other keeps no frame */
	for (int i = 0; i < 2 * JT_MAX_FRAMES / WALK_STEPS; i++)
		if (walk_steps(sc, j))
			break;
	if (pairs_traced)
		script_rest(sc);
	__sync_fetch_and_add(&stacks_walked, 1);
	sc->stack.end = sc->end;
	sc->hash = mix(sc->hash ^ sc->end);
	return sc->hash ? sc->hash : 1;
}

#endif
