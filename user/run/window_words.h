/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the agent and a tracer of its windows tell each other, through a socket: one of these at a time. */
#ifndef JNITRACE_WINDOW_WORDS_H
#define JNITRACE_WINDOW_WORDS_H

#include <stdint.h>
#include <sys/types.h>

enum window_word {
	WORD_OPEN,  /* by the agent: trace this process for length_s; with a file, for the recording */
	WORD_END,   /* by the agent: that is enough */
	WORD_BEGUN, /* by the tracer: from here on each of its calls counts */
	WORD_ENDED, /* by the tracer: the recording is whole; or why says why there is none */
};
struct window_message {
	enum window_word word;
	uint64_t number; /* of the window: the agent's */
	pid_t pid;
	uint64_t start_time_ticks;
	double length_s;
	double cpu_s;  /* of the tracer, for this window */
	char why[256]; /* cleaned */
};

#endif
