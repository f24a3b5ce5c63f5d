/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the probes keep of a thread: whether native code attached it, and the monitors it entered by JNI. */
#ifndef JNITRACE_THREADS_H
#define JNITRACE_THREADS_H

#include "border/shared.h"

#define JT_MAX_THREADS                                                                                       \
	(1 << 16)                 /* of which there is something to keep, all targets; memory as it is used  \
				   */
#define JT_MAX_HELD    16         /* monitors entered by one thread, one in another; a power of two */
#define JT_THREAD_GONE (1U << 31) /* the thread has ended; the rest of tid is a number of ours */

/* Where a JVM keeps what belongs to a thread, and its references. Offsets in bytes; of a JavaThread's
 * fields from its JNIEnv. */
struct thread_config {
	u64 vm_start, vm_end;             /* its library's code */
	u64 storage_global, storage_weak; /* OopStorage of the references; 0: not known */
	u64 list;                         /* where the threads are found; 0: not known */
	u32 list_length, list_threads;    /* ThreadsList::_length, _threads; list is of its address */
	u32 list_next; /* JavaThread::_next; list is of the first one's address. 0: an array */
	u32 known;
	s32 env;                    /* the JNIEnv in a JavaThread */
	s32 anchor;                 /* JavaThread::_anchor._last_Java_sp */
	s32 handles;                /* Thread::_active_handles */
	s32 stack_base;             /* Thread::_stack_base; then _stack_size */
	u32 block_slots, block_top; /* JNIHandleBlock::_handles, _top; then _next, _last, _pop_frame_link */
	s32 os_thread;              /* Thread::_osthread; where knows_owner */
	u32 os_thread_id;           /* OSThread::_thread_id */
	s32 pending; /* ThreadShadow::_pending_exception, then _exception_file; where knows_pending */
	u8 knows_owner, knows_pending;
	u16 pad;
};
/* Whose JNIEnv it is, by its address; what was seen of that last. */
struct env_owner {
	u32 tid; /* as the tracer sees it */
	char name[16];
};

struct books_key {
	u32 target_id;
	u32 tid; /* as the tracer's pid namespace numbers it */
};
struct held_monitor {
	u64 handle; /* it was entered by */
	u64 oop;    /* what that pointed to then; the collector may move it */
	u32 site;
	u32 tick;
};
struct thread_books {
	u32 attached;   /* by AttachCurrentThread */
	u32 site, tick; /* where, and when; site 0: before the tracer came */
	u32 by_vm;      /* DestroyJavaVM attaches its thread, and leaves it so */
	u64 module;     /* whose code that was: where it is mapped; 0: unknown */
	u64 too_deep;   /* monitors entered beyond those in held */
	u32 nr_held;
	u32 pad2;
	struct held_monitor held[JT_MAX_HELD];
};
JT_ASSERT_SIZE(struct thread_config, 96);
JT_ASSERT_SIZE(struct env_owner, 20);
JT_ASSERT_SIZE(struct books_key, 8);
JT_ASSERT_SIZE(struct held_monitor, 24);
JT_ASSERT_SIZE(struct thread_books, 40 + 24 * JT_MAX_HELD);

#endif
