/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How one interpreter keeps the frames of its functions; its runtime fills it in. Offsets are in bytes, words
 *are numbers of words of 8 bytes, addresses are the target's.
 *
 *	thread state    found by the running thread's own memory, or in a list of all
 *	frames          innermost first: side by side in an array that the state names, or each names the next
 *	a frame         its code (what tells function and file), and where in it the function is
 *
 * The interpreter is a native function that runs some frames, until it calls another one, which may call the
 * interpreter again: so the frames come in groups, one for each native frame of that function.
 */
#ifndef JNITRACE_SCRIPTS_H
#define JNITRACE_SCRIPTS_H

#include "border/shared.h"

#define SCRIPT_FRAME_WORDS 16 /* of a frame, less one, can be read */
#define SCRIPT_RETURNS     4
#define SCRIPT_TLS_WORDS   8

struct script_config {
	u8 on;
	/* The state by the thread's own memory: the module's block there, and in it the first of these words
	 * that looks like one. tls_words 0: by the list. */
	u8 tls_words;
	u8 frame_words;  /* of each frame: what is read */
	u8 stride_words; /* from a frame to the next; 0: previous_word has its address */
	u64 tls_module;  /* number of the module, as the dynamic linker has it; 0: the program, without a
			    linker's  table */
	s64 tls_offset;  /* of the first word in the module's block */
	u64 list_head;   /* address of a pointer to the first state */
	u32 list_next,
	    list_thread; /* in a state: the next one, and the thread's own address (pthread_self()) */
	/* In the state: where the innermost frame is; or, with a holder, what has it, in the native frame of
	 * the interpreter. */
	u32 state_frame;
	u32 holder_frame, holder_next; /* in a holder; both 0: there are none */
	u32 state_stack; /* in the state: address and words of the array of frames; counts if there is a
			    stride */
	/* Words of a frame. */
	u8 code_word, pc_word, previous_word;
	u8 flags_by_pointer; /* that word is the address of the flags */
	u32 flags_offset;    /* in the frame, 32 bits */
	u32 code_field;      /* what code_word points to has the code at this offset; 0: it is the code */
	/* Of the flags: two kinds of frames that are not shown, and those that are the last of their group.
	 * mask 0: none. */
	struct script_flags {
		u32 mask, bits;
	} hidden[2], last;
	/* Two fields of the code, 32 bits each, that tell it from another one at the same address. */
	u32 check_at[2];
	/* How the native frame of a group is known: its callee, the interpreter, returns to one of these; all
	 * 0: the holder lies in it, or, without holders, the last frame of the group. */
	u64 returns[SCRIPT_RETURNS];
};

/* b of RAW_SCRIPT_WORDS: the place in the code, and above it what the two fields say. */
#define SCRIPT_CHECK_SHIFT 48
#define SCRIPT_PC_MASK     ((1ULL << SCRIPT_CHECK_SHIFT) - 1)
static inline __attribute__((always_inline)) u64 script_check(u32 a, u32 b)
{
	return mix(a + ((u64)b << 32)) & 0xffff;
}

JT_ASSERT_SIZE(struct script_config, 136);

#endif
