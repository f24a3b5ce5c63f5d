/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A window onto the target's stack: one helper call (75 ns, whatever its length) serves several frames. */
#ifndef JNITRACE_WINDOW_BPF_H
#define JNITRACE_WINDOW_BPF_H

#ifndef WINDOW_WORDS
#define WINDOW_WORDS 32 /* a power of two; on the BPF stack, which has 64 */
#endif
#define WINDOW_MOVE_BYTES 4096 /* read at a time, when it is not known how much will be needed */

struct window {
	u64 base;  /* address in the target */
	u64 bytes; /* valid; 0: none */
	u64 end;   /* of the stack: a read beyond costs a refused page fault (500 ns); 0: not known */
	u64 word[WINDOW_WORDS];
};

/* Read the window anew, from base upwards, at most max bytes. 0, or -1 when not even two words are there. */
static __always_inline int window_read(struct window *win, u64 base, u32 max)
{
	u64 bytes = win->end - base; /* unknown, or a base beyond it: more than any window */

	if (bytes > max)
		bytes = max;
	if (bytes > sizeof(win->word))
		bytes = sizeof(win->word);
	win->base = base;
	win->bytes = bytes;
	if (bytes >= 2 * sizeof(u64) && !bpf_probe_read_user(win->word, bytes, (void *)base))
		return 0;
	win->bytes = 2 * sizeof(u64); /* near the end of what is mapped */
	if (!bpf_probe_read_user(win->word, 2 * sizeof(u64), (void *)base))
		return 0;
	win->bytes = 0;
	return -1;
}

/* A global function: verified once, not wherever a word is read. It is called for few of them. */
__noinline int window_move(struct window *win, u64 base)
{
	return win ? window_read(win, base, WINDOW_MOVE_BYTES) : -1;
}

/* Make n bytes at addr readable by one read, where there are as many. */
static __always_inline void window_cover(struct window *win, u64 addr, u32 n)
{
	u64 at = addr - win->base;

	if (at >= win->bytes || at + n > win->bytes)
		window_move(win, addr);
}

/* The word at addr. 0, or -1 when it cannot be read without a fault. */
static __always_inline int window_word(struct window *win, u64 addr, u64 *out)
{
	u64 at = addr - win->base;

	/* not one that lies across two of the window's, either: it may have been read at an odd address */
	if (at >= win->bytes || win->bytes - at < sizeof(u64) || at % sizeof(u64)) {
		if (window_move(win, addr))
			return -1;
		at = addr - win->base; /* 0, and to the verifier any number, as without the move */
	}
	*out = win->word[at / sizeof(u64) & (WINDOW_WORDS - 1)];
	return 0;
}

#endif
