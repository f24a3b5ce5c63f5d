/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Frames that PushLocalFrame was called for and PopLocalFrame never will be: the native method that pushed
 * has returned, its thread has ended, or one and the same place pushes again and again without an end.
 *
 * No event tells that a native method returns. But a frame stays in the VM's chain of its thread until it is
 * popped, and a native method that runs is known by the last Java frame below it: so a push whose frame is
 * found above another Java frame, or whose outer frame is found nowhere, was left behind. The pushes are read
 * first, the VM's chains after that, and then it is asked whether the push is still there.
 */
#ifndef JNITRACE_LEFT_FRAMES_H
#define JNITRACE_LEFT_FRAMES_H

#include "model/reconciled.h"
#include "reconcile/local_refs.h"

/* A place that pushes so many, by one thread and at one depth of its stack, pops none of them. */
#define LEFT_PILE 32

struct left_books;

int left_books_new(struct left_books **out);
void left_books_free(struct left_books *b);
/*
 * Judge the snapshot's pushes by a later look. holds: is it still pushed? bury: it is told, once; both of
 * store. What was left by each site, since attach: left_frames(). 0 or -ENOMEM.
 */
struct push_store {
	bool (*holds)(void *store, const struct snapshot_push *p);
	void (*bury)(void *store, const struct snapshot_push *p);
	void *store;
};
int left_books_update(struct left_books *b, const struct local_look *look, const struct snapshot *s,
		      const struct push_store *store);
/* Valid until the next update. */
const struct left_frames *left_frames(const struct left_books *b);

#endif
