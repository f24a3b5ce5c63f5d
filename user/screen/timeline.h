/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the keys want of the owner of a browser. */
#ifndef JNITRACE_TIMELINE_H
#define JNITRACE_TIMELINE_H

#include <stdbool.h>
#include <stddef.h>

/* What its owner is to do now. */
enum wish {
	WISH_NOTHING,
	WISH_DRAW,
	WISH_QUIT,
	WISH_SWITCH,  /* browser_take_families() */
	WISH_WRITE,   /* what is shown, to browser_file() */
	WISH_THREADS, /* to be told apart, from now on */
};
/* Where a recording is. Moments count from 1. */
struct timeline {
	size_t at, n; /* n: that are known, 0: it is live */
	double part;  /* of the file that was read, 0 to 1: all is known */
	double first_s, last_s;
	bool early;    /* it ends amid a moment, or nobody ended it: what came behind is not known */
	size_t wanted; /* which moment the keys want; the owner goes there and gives its reports */
	bool playing;
};

#endif
