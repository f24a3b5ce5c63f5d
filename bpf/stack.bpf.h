/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The native stack: the caller of the JNI function, from where the rule says the
 * return address is, then the frame-pointer chain. A link is only followed while
 * it looks sane; the loader proves each link by the unwind tables afterwards and
 * cuts the stack at the first that is not proven.
 *
 * The usual case is a stack seen before, so the walk first only hashes the frames.
 * They are stored, by a second walk, when the hash is new: nothing but registers
 * is needed on the hot path, and no scratch memory that a preempting program
 * could share.
 */
#ifndef JNITRACE_STACK_BPF_H
#define JNITRACE_STACK_BPF_H

#include "arch.bpf.h"
#include "maps.bpf.h"

/* Frames lie above each other, closer than the largest stack a thread gets. */
#define STACK_SPAN_BYTES (64ULL << 20)

/* Is addr in code that comes from a file? A global function: verified once, not for each frame. */
__noinline int is_code(u32 slot, u64 addr)
{
	struct code_ranges *c = bpf_map_lookup_elem(&code, &slot);
	u32 lo = 0, hi;

	if (!c)
		return 0;
	hi = c->n;
	for (int i = 0; i < 9; i++) { /* 2^8 ranges */
		u32 mid = (lo + hi) / 2;

		if (lo >= hi || mid >= JT_MAX_RANGES)
			break;
		if (addr >= c->range[mid].end)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < JT_MAX_RANGES && lo < c->n && addr >= c->range[lo].start;
}

struct walk {
	u64 pc, fp, sp; /* of the frame in hand */
};

/* The JNI function's caller. 0, or -1 when it cannot be read. */
static __always_inline int walk_start(struct walk *w, const struct pt_regs *ctx, const struct rule *r)
{
	w->sp = reg_read(ctx, r->caller_cfa.reg) + (s64)r->caller_cfa.offset_bytes;
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

/* To the next frame up. END_NONE: there is one; else why not. */
static __always_inline enum stack_end walk_up(struct walk *w, u32 slot)
{
	u64 record[2]; /* the caller's frame pointer, the return address */

	if (w->fp < w->sp || (w->fp & 7) || w->fp - w->sp > STACK_SPAN_BYTES)
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

/* Hash of all frames and of why there are no more. 0: not even the caller could be read. */
static __always_inline u64 stack_hash(const struct pt_regs *ctx, const struct rule *r)
{
	struct walk w;
	u64 h = mix(r->slot + 1);
	enum stack_end end = END_DEPTH;

	if (walk_start(&w, ctx, r))
		return 0;
	h = mix(h ^ w.pc);
	for (u32 i = 1; i < JT_MAX_FRAMES && i < max_depth; i++) {
		end = walk_up(&w, r->slot);
		if (end != END_NONE)
			break;
		h = mix(h ^ w.pc);
		end = END_DEPTH;
	}
	h = mix(h ^ end);
	return h ? h : 1;
}

/* The same walk, kept. n is written last: a reader takes a stack with n == 0 for not yet there. */
static __always_inline void stack_store(struct stack *st, const struct pt_regs *ctx, const struct rule *r)
{
	struct walk w;
	u32 n = 1;
	enum stack_end end = END_DEPTH;

	if (walk_start(&w, ctx, r))
		return;
	st->pc[0] = w.pc;
	for (u32 i = 1; i < JT_MAX_FRAMES && i < max_depth; i++) {
		end = walk_up(&w, r->slot);
		if (end != END_NONE)
			break;
		st->pc[i] = w.pc;
		n = i + 1;
		end = END_DEPTH;
	}
	st->end = end;
	barrier();
	*(volatile u32 *)&st->n = n;
}

#endif
