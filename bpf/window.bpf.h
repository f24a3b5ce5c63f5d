/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A window onto the target's stack: one helper call (75 ns, whatever its length) serves several frames. */
#ifndef JNITRACE_WINDOW_BPF_H
#define JNITRACE_WINDOW_BPF_H

#ifndef WINDOW_WORDS
#define WINDOW_WORDS 32 /* a power of two; on the BPF stack, which has 64 */
#endif

struct window {
	u64 base;  /* address in the target */
	u64 bytes; /* valid; 0: none */
	u64 word[WINDOW_WORDS];
};

/* Read the window anew, from base upwards. 0, or -1 when not even two words are there. */
static __always_inline int window_move(struct window *win, u64 base)
{
	win->base = base;
	win->bytes = sizeof(win->word);
	if (!bpf_probe_read_user(win->word, sizeof(win->word), (void *)base))
		return 0;
	win->bytes = 2 * sizeof(u64); /* near the end of what is mapped */
	if (!bpf_probe_read_user(win->word, 2 * sizeof(u64), (void *)base))
		return 0;
	win->bytes = 0;
	return -1;
}

/* The word at addr. 0, or -1 when it cannot be read without a fault. */
static __always_inline int window_word(struct window *win, u64 addr, u64 *out)
{
	u64 at = addr - win->base;

	/* not one that lies across two of the window's, either: it may have been read at an odd address */
	if (at >= win->bytes || win->bytes - at < sizeof(u64) || at % sizeof(u64)) {
		if (window_move(win, addr))
			return -1;
		at = 0;
	}
	*out = win->word[at / sizeof(u64) & (WINDOW_WORDS - 1)];
	return 0;
}

#endif
