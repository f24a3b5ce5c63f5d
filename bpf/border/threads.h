/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the probes keep of a thread: whether native code attached it, and the monitors it entered by JNI. */
#ifndef JNITRACE_THREADS_H
#define JNITRACE_THREADS_H

#include "border/shared.h"

#define JT_MAX_THREADS                                                                                       \
	(1 << 16)                     /* of which there is something to keep, all targets; memory as it is   \
				       * used                                                                \
				       */
#define JT_PAIR_THREADS (1 << 14)     /* that are in calls of pairs at one moment, all targets */
#define JT_OWNERS       (1 << 12)     /* environments that have or had threadsafe functions, likewise */
#define JT_WATCHED      (1 << 16)     /* works, loans and owned handles at one moment, of each, all targets */
#define JT_MAX_HELD     (1 << 20)     /* monitors held at one moment, all targets; memory as it is used */
#define JT_FEW_HELD     (1 << 16)     /* likewise, where monitors may be switched on later */
#define JT_MAX_CHURNS   4096          /* sites that attach threads again and again */
#define JT_THREAD_GONE  (1U << 31)    /* the thread has ended; the rest of tid is a number of ours */
#define JT_CHURN_NS     1000000000ULL /* see thread_books.since_ns */

/* Where a JVM keeps what belongs to a thread, and its references. Offsets in bytes; of a JavaThread's
 * fields from its JNIEnv. */
struct thread_config {
	u64 vm_start, vm_end;             /* its library's code */
	u64 storage_global, storage_weak; /* OopStorage of the references; 0: not known */
	u64 chain_global;     /* JDK 8: the first JNIHandleBlock of the global references; 0: there is none */
	u64 deleted_local_at; /* where the object is that the slot of a deleted local reference holds; 0: null
			       */
	u64 list;             /* where the threads are found; 0: not known */
	u32 list_length, list_threads; /* ThreadsList::_length, _threads; list is of its address */
	u32 list_next; /* JavaThread::_next; list is of the first one's address. 0: an array */
	u32 known;
	s32 env;                    /* the JNIEnv in a JavaThread */
	s32 anchor;                 /* JavaThread::_anchor._last_Java_sp */
	s32 attach_state;           /* JavaThread::_jni_attach_state; 0: not known */
	s32 handles;                /* Thread::_active_handles */
	s32 stack_base;             /* Thread::_stack_base; then _stack_size */
	u32 block_slots, block_top; /* JNIHandleBlock::_handles, _top; then _next, _last, _pop_frame_link */
	s32 os_thread;              /* Thread::_osthread; where knows_owner */
	u32 os_thread_id;           /* OSThread::_thread_id */
	s32 pending; /* ThreadShadow::_pending_exception, then _exception_file; where knows_pending */
	u8 knows_owner, knows_pending;
	/* Method::_constMethod, ConstMethod::_constants, _signature_index, the size of a ConstantPool, behind
	 * which its entries are, Symbol::_length, _body (0: not known, or a jmethodID is no address). */
	u16 constmethod, constants, signature_index, pool_bytes, symbol_length, symbol_body;
	u16 pad;
	/* Of a VM that stores an object of its own in the slot of a deleted reference; 0: it stores null. */
	u64 deleted_at;             /* where that object is named */
	u64 heap_start, heap_bytes; /* what else lies in a slot is of the list of free ones */
	u64 collecting_at,
	    collected_at; /* whether the collector moves objects now (u8), and how often it has (u32) */
	/* Where handles are numbers of entries in tables (books/indirect.bpf.h): those of global and weak
	 * ones, */
	u64 entries[2], tops[2]; /* and where the number of their entries is */
	/* The same of local ones, from the JNIEnv; local_entries 0: their handles are addresses of entries.
	 */
	u32 local_entries, local_top;
	u8 entry_bytes, serial_bits; /* 0: not known, or no handles are numbers */
	u16 pad2[3];
};
/* Whose JNIEnv it is, by its address; what was seen of that last. */
struct env_owner {
	u32 tid; /* as the tracer sees it */
	char name[16];
};
#define JT_NOT_ATTACHING 1 /* _jni_attach_state: the VM made the thread, or the thread made the VM */

/*
 * A frame that PushLocalFrame was called for and no PopLocalFrame yet, by ref_tag() of the first block of the
 * frame that it was pushed upon: that has one frame pushed upon it at a time.
 */
struct push {
	u64 env;              /* JNIEnv of its thread */
	u64 java_sp, java_pc; /* the thread's last Java frame then; 0: it had none */
	u64 sp;               /* the caller's stack pointer */
	u32 site, tick;
	u32 capacity; /* that was asked for */
	u8 begun;     /* references were made in it */
	u8 returned;  /* the native method that called has returned */
	u16 pad;
};

struct books_key {
	u32 target_id;
	u32 tid; /* as the tracer's pid namespace numbers it */
};
/* A thread, from when it is first seen, or has detached itself, until it detaches itself or ends. */
struct thread_books {
	u32 attached;   /* by AttachCurrentThread */
	u32 site, tick; /* where, and when; site 0: before the tracer came */
	u32 by_vm;      /* DestroyJavaVM attaches its thread, and leaves it so */
	u64 module;     /* whose code that was: where it is mapped; 0: not proven */
	u32 life;       /* the number of this life; no two have the same */
	u32 nr_held;    /* monitors that it holds, of those in the books */
	u32 lives;      /* attached lives that have ended: one that attaches again does so in vain */
	u32 again;      /* attached again in the second that began at since_ns */
	u64 since_ns;
	u64 call_ns; /* what its attaching took */
	u32 since;   /* of the rules (struct rule): of an earlier one no monitor is held any more */
	u32 pad;
};
/* A call of these families that is under way. */
struct thread_call {
	u64 argument; /* a monitor's handle, or where the JNIEnv is stored; 0: none */
	u64 identity; /* MonitorExit: of the monitor, as it was at the entry; 0: not known */
	u64 start_ns; /* attaching and detaching; else 0 */
	u64 took_ns;  /* the same, when it has returned; 0: not known */
};
JT_ASSERT_SIZE(struct push, 48);

/*
 * A monitor that is held, once for each time it was entered. It is known by what its object's mark word says,
 * the address of its ObjectMonitor, which neither a collection nor another handle changes (JDK:
 * oops/markWord.hpp; MonitorEnter always inflates: runtime/synchronizer.cpp, jni_enter). Where that cannot be
 * read it is known by its handle, with MONITOR_BY_HANDLE.
 */
#define MONITOR_BY_HANDLE (1ULL << 63)
struct monitor_key {
	u32 target_id;
	u32 life;
	u64 identity;
	u32 depth; /* entered so often before by the same thread, which is inside yet */
	u32 pad;
};
struct held_monitor {
	u64 handle; /* it was entered by */
	u32 site;
	u32 tick;
	u32 entered; /* at depth 0: so often */
	u32 told;    /* its thread's end is a finding already */
};
/* A life that ended with monitors held. */
struct life_key {
	u32 target_id;
	u32 life;
};
struct life_end {
	u32 site;     /* where; 0: nobody's call, the thread ended */
	u32 released; /* by the VM: who detaches leaves the monitors to it */
	u32 tick;
	u32 pad;
};

/* Threads that attach again and again at one site. */
struct churn {
	u64 again;             /* times a thread attached that had been attached before */
	u64 pairs, ns;         /* such attaching and its detaching, and what the calls took together */
	u64 first_ns, last_ns; /* when */
	u64 most, most_all;    /* times that one thread did so within a second, and that all did */
	u64 since_ns,
	    in_second; /* all threads' second, and times in it; others may begin it anew meanwhile */
	u32 target_id, pad;
};

JT_ASSERT_SIZE(struct thread_config, 216);
JT_ASSERT_SIZE(struct env_owner, 20);
JT_ASSERT_SIZE(struct books_key, 8);
JT_ASSERT_SIZE(struct thread_books, 64);
JT_ASSERT_SIZE(struct thread_call, 32);
JT_ASSERT_SIZE(struct monitor_key, 24);
JT_ASSERT_SIZE(struct held_monitor, 24);
JT_ASSERT_SIZE(struct life_key, 8);
JT_ASSERT_SIZE(struct life_end, 16);
JT_ASSERT_SIZE(struct churn, 80);

/* --- what is watched (books/watch.bpf.h) --- */

#define WATCH_OWNED_MAX 128 /* handles of one owner: of more nobody says that they are left */
#define WATCH_WORKS     4   /* pending works to which one object is lent */
/* Work that a callback has made for another thread. */
struct watch_work {
	u64 id; /* when it was made: others come to lie at the same place */
	u32 site;
	u32 queued;
};
/* To which works an object is lent. */
struct watch_loan {
	u64 work, id;
};
struct watch_loans {
	struct watch_loan to[WATCH_WORKS];
};
/* What an owner has had last. */
struct watch_owner {
	u64 handle[WATCH_OWNED_MAX];
};

#endif
