/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Pins: pointers to the contents of strings and arrays, from Get* to Release*. What the probes keep of them
 * and the loader reads. Unlike a handle, a pointer can be handed out again while it is held: a critical
 * section of the same array, an array without elements.
 */
#ifndef JNITRACE_PINS_H
#define JNITRACE_PINS_H

#include "border/shared.h"

#define JT_MAX_PINS      (1 << 20) /* held at one moment, all targets; memory as it is used */
#define JT_MAX_PIN_CALLS (1 << 13) /* threads that are inside a Get* at one moment */
#define JT_HOLD_BUCKETS  32        /* of powers of two of a microsecond: the last begins at 18 minutes */
#define JT_PIN_COMMIT    1         /* JNI_COMMIT, JNI_ABORT (jni.h) */
#define JT_PIN_ABORT     2
#define JT_PIN_NOBODY    0 /* owner of a pin whose pointer is like no other */
#define JT_BYTES_UNKNOWN (-1)
#define JT_IDENTITY_STRING                                                                                   \
	16 /* the type of an identity; less: the element type of an array (JDK: BasicType) */
#define JT_MAX_STRING_BYTES (64 * 1024) /* a longer modified UTF-8 text is not measured */

/*
 * How objects of one JVM tell their class and length; the runtime fills it in. Addresses are
 * the target's, offsets bytes.
 */
enum klass_where { KLASS_WIDE, KLASS_NARROW_WORD, KLASS_IN_MARK_WORD };
struct object_config {
	u8 on;         /* 0: objects are not looked at */
	u8 concurrent; /* the collector moves objects while the program runs: what is read is likely, not sure
			*/
	u8 klass_where;
	u8 mark_shift;     /* KLASS_IN_MARK_WORD */
	u8 narrow_shift;   /* of compressed class pointers */
	u8 oop_shift;      /* of compressed object pointers */
	u8 narrow_oops;    /* fields are compressed */
	u8 strings;        /* String's fields are known */
	u32 layout_helper; /* Klass::_layout_helper */
	u32 length;        /* of an array, in its object */
	u32 string_value, string_coder;
	u64 narrow_base, oop_base;
	u64 string_klass;
	u64 gc_active, collections; /* CollectedHeap's, to read around what must be sure; 0: not known */
};

/* A Get* under way. */
struct pin_call {
	u64 object;     /* handle of the string or array */
	u64 is_copy_at; /* jboolean*, or 0 */
};

struct pin_key {
	u64 tag;   /* pointer and target, as for a handle */
	u32 owner; /* thread_number(), where several pins may share a pointer; else JT_PIN_NOBODY */
	u32 nth;   /* of those of one owner: 0, 1, ...; the last one is released first */
};
enum pin_copy { PIN_COPY_UNKNOWN, PIN_COPIED, PIN_DIRECT };
struct pin {
	u64 start_ns; /* CLOCK_MONOTONIC */
	u64 object;   /* handle it was got by; 0: unknown */
	u64 identity; /* type << 32 | length of the object, neither of which ever changes; 0: unknown */
	u64 address;  /* of the object, as long as there is no other collection; 0: unknown. --check only */
	s64 bytes;    /* of its contents; JT_BYTES_UNKNOWN */
	u32 site;
	u32 tick;     /* start_ns as a tick */
	u32 more;     /* pins with a higher nth; of nth 0 only */
	u8 func;      /* enum func_id */
	u8 copy;      /* enum pin_copy */
	u8 sure;      /* identity is proven */
	u8 committed; /* released with JNI_COMMIT, which does not release */
	u8 family;    /* of func */
	u8 is_shared; /* func may be one that jumps to it, see struct rule */
	u16 pad;
	u32 collections; /* how many there had been; where address is known */
};

/* What became of the pins of one site. Shared by all CPUs: a pin costs more than that. */
struct pin_stats {
	u64 copied, direct, copy_unknown;
	u64 committed, aborted; /* releases with JNI_COMMIT, JNI_ABORT */
	/*
	 * Critical sections. What a thread gets while it is inside one is a part of that (the VM counts
	 * them by thread): nested were got so, inner were got inside the sections that began here.
	 */
	u64 nested, inner;
	u64 holds, hold_ns, max_hold_ns; /* of sections that have ended */
	u64 cpu_wait_ns;                 /* of hold_ns: ready to run, but without a CPU */
	u64 max_own_ns;                  /* the longest without that, and without critical.vm_ns */
	u64 hold[JT_HOLD_BUCKETS];
};

/* What was released, by pointer and owner, until something else takes its place or the pointer is got again.
 */
#define JT_PIN_GRAVES (1 << 14)
struct pin_grave {
	u64 key;
	u32 site, released_at; /* where it was got, and released (0: not kept) */
	u64 check;
};

#define JT_LONGEST_TICK_NS 10000000ULL /* of the kernel's timer */

/* A thread inside a critical section, from the first that it got to the last that it releases. */
struct critical {
	u64 start_ns;
	u64 cpu_wait_ns; /* cpu_wait_ns() of the thread then */
	u64 run_ns;      /* what it had run by then, as of the last timer tick */
	u64 vm_ns;       /* it slept in Get and Release functions, where the VM stops threads, for so long */
	/*
	 * At the entry of such a function that neither begins nor ends the section; 0: another event of the
	 * thread's has come since.
	 */
	u64 vm_since_ns, vm_cpu_wait_ns, vm_run_ns, vm_sleeps;
	u32 site; /* where the first was got */
	u32 tid;  /* as the tracer's pid namespace numbers it */
	u16 target_id;
	u16 depth;
	u32 pad;
};
/* A thread that waits for the sections of others to end, so that it can have a collection. */
#define JT_COMM_BYTES 16
struct stall {
	u64 since_ns;
	u32 tid;
	u16 target_id;
	u16 depth; /* functions that wait may call each other */
	char comm[JT_COMM_BYTES];
};
/* Who waited while sections of a site were held. */
struct stalled_key {
	u32 site, tid;
};
struct stalled {
	u64 times, ns, max_ns; /* up to the end of the section */
	u64 own_ns;            /* of ns: what is left when the section's cpu_wait_ns is taken off */
	char comm[JT_COMM_BYTES];
	u32 target_id;
	u32 pad;
};
/* A thread that was in native code when the gate was opened: there it may have got what we did not see. */
#define JT_BEFORE_KNOWN 0 /* no frame: present when all those threads are */
struct before_key {
	u64 sp; /* of its last Java frame, or JT_BEFORE_KNOWN */
	u32 target_id;
	u32 pad;
};

JT_ASSERT_SIZE(struct pin_grave, 24);
JT_ASSERT_SIZE(struct critical, 80);
JT_ASSERT_SIZE(struct stall, 32);
JT_ASSERT_SIZE(struct stalled_key, 8);
JT_ASSERT_SIZE(struct stalled, 56);
JT_ASSERT_SIZE(struct before_key, 16);
JT_ASSERT_SIZE(struct object_config, 64);
JT_ASSERT_SIZE(struct pin_call, 16);
JT_ASSERT_SIZE(struct pin_key, 16);
JT_ASSERT_SIZE(struct pin, 64);
JT_ASSERT_SIZE(struct pin_stats, 96 + 8 * JT_HOLD_BUCKETS);

#endif
