/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A walk: the frame in hand, and a note of each word of the stack that led to it. The memo (memo.bpf.h)
 * proves by these notes that another walk would come to the same frames; so nothing on the stack may be used
 * without a note of it, and what has none (other memory, frames by guess) makes the walk one not to be kept.
 */
#ifndef JNITRACE_WALK_BPF_H
#define JNITRACE_WALK_BPF_H

#include "walk/window.bpf.h"

#define NOTES            192
#define NOTES_FILL       6  /* of them: room for memo_fill() */
#define NOTE_BELOW_BYTES 16 /* of the first frame's stack pointer: its return address, a saved fp */
#define NOTE_RELATIVE    1  /* the word is an address of the stack: kept as a distance from base */
#define NOTE_AT(where)   ((where) & (WINDOW_WORDS - 1) * sizeof(u64))

/* Plain words from the front, links (NOTE_RELATIVE) from the back: nobody need ask which kind one is. */
struct notes {
	u64 base; /* address of word 0: NOTE_BELOW_BYTES below the first frame's sp */
	u32 n, links;
	u32 words; /* from base on: as far as the walk looked */
	u32 uses;  /* 1 << enum note_use: what else it depends on */
	u32 lost;  /* the walk used something that is not in here */
	u64 value[NOTES];
	u16 where[NOTES]; /* distance in bytes from base, NOTE_RELATIVE */
};

enum note_use {
	USES_NONE,
	USES_START_FP,  /* the frame pointer of the first frame */
	USES_ANCHOR_FP, /* the one in the thread's anchor */
	USES_ANCHOR,  /* where the thread's anchor points, when nothing on the stack tells (native_frame()) */
	USES_CLASSES, /* a Method*, which may be another's when classes have been unloaded */
	NR_USES
};

struct walk {
	u64 pc, fp, sp; /* of the frame in hand */
	u64 fp_at;      /* address of the word fp was read from, or enum note_use; noted when fp is used */
	u64 lr;         /* arm64: the return address while it is still in its register */
	u64 function;   /* of the frame in hand, when its caller was found: see script_function(); 0: none */
	u64 executes;   /* of that, when it is a method: b of RAW_METHOD; else 0 */
	u64 key;        /* unwind_find()'s own: the stack has no room for it */
	u32 exact;      /* pc is an interrupted instruction, no return address */
	u32 code;       /* of the frame in hand, when its caller was looked for: see struct unwind_range */
	struct notes notes;
	struct window win;
};

static __always_inline void walk_begin(struct walk *w, u64 sp)
{
	w->sp = sp;
	w->lr = 0;
	w->exact = 0;
	w->function = w->executes = 0;
	w->notes.base = sp - NOTE_BELOW_BYTES;
	w->notes.n = w->notes.links = w->notes.words = 0;
	w->notes.uses = 1U << USES_ANCHOR;
	w->notes.lost = sp & 7;
}

/* The walk depends on whether the stack reaches addr. */
static __always_inline void note_reach(struct walk *w, u64 addr)
{
	u64 words = (addr - w->notes.base + 7) / 8;

	if (words > WINDOW_WORDS)
		w->notes.lost = 1;
	else if (words > w->notes.words)
		w->notes.words = words;
}

static __always_inline void note(struct walk *w, u64 addr, u64 value, u16 relative)
{
	u64 at = addr - w->notes.base, word = at / 8;
	u32 n = w->notes.n, links = w->notes.links, i = relative ? NOTES - 1 - links : n;

	if (at & 7 || word >= WINDOW_WORDS || n + links >= NOTES - NOTES_FILL || i >= NOTES) {
		w->notes.lost = 1;
		return;
	}
	w->notes.value[i] = relative ? value - w->notes.base : value;
	w->notes.where[i] = at | relative;
	if (relative)
		w->notes.links = links + 1;
	else
		w->notes.n = n + 1;
	if (word >= w->notes.words)
		w->notes.words = word + 1;
}

/* The word at addr, which is used as it is. 0, or -1 when it cannot be read. */
static __always_inline int walk_word(struct walk *w, u64 addr, u64 *out)
{
	if (window_word(&w->win, addr, out))
		return -1;
	note(w, addr, *out, 0);
	return 0;
}

/* The word at addr, an address of the stack: threads may share what follows from it. */
static __always_inline int walk_link(struct walk *w, u64 addr, u64 *out)
{
	if (window_word(&w->win, addr, out))
		return -1;
	note(w, addr, *out, NOTE_RELATIVE);
	return 0;
}

/* The caller's fp from addr. Most frames never use theirs: it is noted only when one does. */
static __always_inline int walk_fp(struct walk *w, u64 addr)
{
	if (window_word(&w->win, addr, &w->fp))
		return -1;
	w->fp_at = addr;
	return 0;
}

/* A caller's fp and, above it, return address. */
static __always_inline int walk_record(struct walk *w, u64 addr)
{
	u64 at = addr - w->win.base;

	if (at % 8 || at >= w->win.bytes || w->win.bytes - at < 16) {
		if (window_move(&w->win, addr) || w->win.bytes < 16)
			return -1;
		at = addr - w->win.base; /* see window_word() */
	}
	w->fp = w->win.word[at / 8 & (WINDOW_WORDS - 1)];
	w->fp_at = addr;
	w->pc = w->win.word[(at / 8 + 1) & (WINDOW_WORDS - 1)];
	note(w, addr + 8, w->pc, 0);
	return 0;
}

static __always_inline void fp_used(struct walk *w)
{
	if (w->fp_at >= NR_USES)
		note(w, w->fp_at, w->fp, NOTE_RELATIVE);
	else
		w->notes.uses |= 1U << (w->fp_at & 7);
	w->fp_at = USES_NONE;
}

#endif
