/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Types that cross the border between the BPF programs and the loader. Fixed
 * width only; every size is asserted, so both sides see the same bytes.
 */
#ifndef JNITRACE_SHARED_H
#define JNITRACE_SHARED_H

#ifndef __bpf__
#include <stdint.h>
typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t s32;
typedef int64_t s64;
#endif

#define JT_MAX_TARGETS   256   /* targets of one run; a target's number is below it */
#define JT_MAX_RULES     32768 /* probe sites of one run */
#define JT_ARRAY_KLASSES 8     /* classes of arrays of primitive types that a target has */
#define JT_MAX_FRAMES    128   /* frames kept of one stack */
/* Room for what is no JNI function: rows that another runtime, or the command line, brings (model/catalog.h).
 */
#define JT_ADDED_FUNCS    128
#define JT_ADDED_FAMILIES 20
#define JT_BUCKET_WAYS    4
#define JT_STORE_PARTS    8192 /* of the pairing store, a power of two: see parts_used */
#define JT_TICK_SHIFT     2    /* a tick is 4 jiffies: 4 to 40 ms, 32 bits last half a year and more */

enum family_id {
	FAMILY_GLOBAL,
	FAMILY_WEAK,
	FAMILY_LOCAL,
	FAMILY_STRING,
	FAMILY_ARRAY,
	FAMILY_CRITICAL,
	FAMILY_MONITOR,
	FAMILY_THREAD,
	NR_JNI_FAMILIES,
	NR_FAMILIES = NR_JNI_FAMILIES + JT_ADDED_FAMILIES,
	FAMILY_CHECK = NR_FAMILIES, /* no family: functions that only use references, probed with --check */
	FAMILY_NONE
};
_Static_assert(FAMILY_NONE < 32, "a set of families is a bit mask of 32 bits");

enum operation {
	OP_ACQUIRE,
	OP_RELEASE,
	OP_FRAME_PUSH,
	OP_FRAME_POP,
	OP_FRAME_ENSURE,
	OP_COUNT,
	OP_USE,
	OP_INVOKE,
	OP_REF,     /* pairs: one reference more to a handle */
	OP_UNREF,   /* one less: the last one releases it */
	OP_REPLACE, /* releases the handle it is given, and acquires the one it returns (realloc) */
	OP_WATCH,   /* pairs: neither, but findings are made of it, see enum watch */
	NR_OPERATIONS
};
enum jni_table { TABLE_ENV, TABLE_VM };
enum handle_where {
	HANDLE_NONE,
	HANDLE_RETURN,
	HANDLE_ARG0,
	HANDLE_ARG1,
	HANDLE_ARG2,
	HANDLE_ARG3,
	HANDLE_ARG11 = HANDLE_ARG3 + 8, /* those in between likewise; on the stack where registers end */
};
/* Pairs: is that the handle itself, or the address of it, or of an array of them, when the call returns? */
enum handle_form { HANDLE_ITSELF, HANDLE_POINTEE, HANDLE_ARRAY };
/* Pairs: what the argument is that a row calls count. */
enum count_says {
	COUNT_NUMBER, /* of references, or of handles */
	COUNT_NEEDED, /* of an acquisition: where it is 0 nobody will release the handle, and it is none */
	COUNT_ALL,    /* of an OP_UNREF: where it is not 0 all references end */
	COUNT_BYTES   /* of an acquisition: how large the handle is, or what a second argument times it is */
};
/* Pairs: what an OP_WATCH says (books/watch.bpf.h). */
enum watch {
	WATCH_NONE,
	WATCH_CALLBACK,    /* the thread begins a callback, or asks what that was given */
	WATCH_LENT,        /* the callback is lent this handle, which is another's */
	WATCH_WORK_MADE,   /* work for another thread is made */
	WATCH_WORK_QUEUED, /* now it may begin */
	WATCH_WORK_DONE,   /* it is over; another callback may follow */
	WATCH_FINALIZED,   /* what was lent is freed */
	WATCH_OWNED,       /* the handle is one of the thread's environment */
	WATCH_OWNER_ENDS,
	WATCH_SCOPE_OPENED,
	WATCH_SCOPE_CLOSED,
	WATCH_SCOPE_ESCAPED, /* a second time, where the result says so */
	WATCH_ASSERTED,      /* the runtime is about to end: why is in a text */
};
/* Pairs: which results say that the call has succeeded. */
enum success {
	SUCCESS_NOT_NULL,     /* nor -1 */
	SUCCESS_ZERO,         /* 32 bits */
	SUCCESS_ZERO_OR,      /* likewise, or what the row says */
	SUCCESS_NOT_NEGATIVE, /* 32 bits */
	SUCCESS_ANY
};

/* Functions by number: none; those that are counted, JNI's first; those that only use references. */
enum func_id {
	FUNC_NONE,
#define JNI_FUNC(name, table, target_id, family, operation, handle) FUNC_##name,
#include "border/jni_funcs.def"
#undef JNI_FUNC
	NR_JNI_FUNCS,
	NR_FUNCS = NR_JNI_FUNCS + JT_ADDED_FUNCS,
	FUNC_BEFORE_USES = NR_FUNCS - 1,
#define JNI_USE(name, target_id, args, when) FUNC_USE_##name,
#include "border/jni_uses.def"
#undef JNI_USE
	NR_ALL_FUNCS,
	NR_USE_FUNCS = NR_ALL_FUNCS - NR_FUNCS
};

enum drop_id {
#define DROP(id, name, meaning, advice) DROP_##id,
#include "border/drops.def"
#undef DROP
	NR_DROPS
};

enum finding_kind {
#define FINDING(id, name, severity, evidence, wrong, todo) FINDING_##id,
#include "border/findings.def"
#undef FINDING
	NR_FINDINGS
};

/* MEMO_CHECK: stacks are walked although the memo has them, and must come to the same site. */
enum memo_mode { MEMO_ON, MEMO_OFF, MEMO_CHECK };

/* Why a stack has no further frames, or lacks some in between. */
enum stack_end {
#define STACK_END(id, name, meaning, advice) END_##id,
#include "border/stack_ends.def"
#undef STACK_END
	NR_ENDS
};

/*
 * A frame as kept in a stack. The kind is in the top byte of a, an address in the rest: user addresses
 * have at most 56 bits.
 */
enum frame_kind {
	RAW_NONE,
	RAW_NATIVE,       /* a: return address; found by unwind tables, or by the rule */
	RAW_NATIVE_FP,    /* a: return address; found by the frame pointer, which the loader has to prove */
	RAW_INTERPRETED,  /* a: Method*, b: address of the bytecode (0: a native method), and see below */
	RAW_COMPILED,     /* a: CodeBlob*, b: compile id << 32 | return address - CodeBlob* */
	RAW_DEOPTIMIZED,  /* the same, of a frame that waits for its deoptimization */
	RAW_GAP,          /* native frames are missing here; a: enum stack_end, why */
	RAW_SCRIPT,       /* a: return address, b: what the script engine has of the function it is in */
	RAW_OPENED,       /* a: return address, b: id << 32 | what of the library that it is in (unwind.h) */
	RAW_METHOD,       /* a: the runtime's record of a method, b: where it executes, see below */
	RAW_SCRIPT_WORDS, /* a: what an interpreter has of the code, b: where in it, and see scripts.h */
};
#define RAW_KIND_SHIFT 56
#define RAW_ADDR_MASK  ((1ULL << RAW_KIND_SHIFT) - 1)
/* b of RAW_INTERPRETED: in its upper bits the lowest of the count of unloaded classes, as it was then. */
#define RAW_UNLOADS_SHIFT 48
#define RAW_BCP_MASK      ((1ULL << RAW_UNLOADS_SHIFT) - 1)
/*
 * b of RAW_METHOD: 0, a native method; with METHOD_BY_INDEX in its upper bits the number of an instruction;
 * else the address of one, and in the upper bits how many words its frame has: the loader has to prove that.
 */
#define RAW_METHOD_SHIFT 48
#define METHOD_BY_INDEX  0xffffULL
struct raw_frame {
	u64 a, b;
};

/* Where one word is when a probe fires: a register (DWARF number), or memory at register + offset. */
enum loc_kind { LOC_NONE, LOC_REG, LOC_MEM, LOC_SEARCH /* env only: in some callee-saved register */ };
struct loc {
	u8 kind; /* enum loc_kind */
	u8 reg;  /* DWARF register number of the target's architecture */
	u16 pad;
	s32 offset_bytes; /* LOC_MEM only */
};

/* What one probe site does. The probe's cookie is an index into the array of these. */
struct rule {
	u16 target_id; /* target */
	u16 func;      /* enum func_id */
	u8 valid;
	u8 operation; /* enum operation */
	u8 family;    /* enum family_id */
	u8 in_vm;     /* the thread is inside the VM there: no object moves */
	/* A release: a handle of its kind has these of its lowest bits (mask 0: nothing is known). */
	u8 kind_mask, kind_bits;
	u8 by_books; /* those bits do not tell a global from a local one: the books may, */
	u8 by_place; /* or where it lies */
	/* a use: which arguments are references, bit per argument (OP_WATCH, SUCCESS_ZERO_OR: a result), */
	u8 refs;
	u8 nulls;    /* and which of those may be null */
	u8 weak_bit; /* a use: set in the handles of weak references; 0: nothing is known */
	u8 others; /* a return probe: its events reach all who have one in the file, whatever their filter */
	struct loc handle;
	struct loc object;     /* pins: handle of the string or array */
	struct loc extra;      /* pins: jboolean* of a Get*, mode of a Release* */
	struct loc caller_pc;  /* return address of the JNI function */
	struct loc caller_fp;  /* the caller's frame pointer */
	struct loc caller_cfa; /* LOC_REG: the stack pointer after return = reg + offset_bytes */
	struct loc finalizer;  /* pairs, an acquisition: the address of the function that releases */
	struct loc
	    env; /* LOC_REG: the thread's JNIEnv* = reg + offset_bytes; the program fills in what it finds */
	u8 allowed; /* a use: ALLOWED_ bits */
	u8 has_use; /* a function that is counted: its use is probed, too */
	/* A call of a method that may return no object, whatever the function: no reference has these bits;
	 * 0: another function, or nothing is known. */
	u8 never_bits;
	u8 is_shared;  /* a Get function to which others jump: its Release may be theirs */
	u8 method_arg; /* a call of a method, --check: which argument the jmethodID is; 0: it is none */
	u8 args;       /* enum call_args: how those of the method are passed, behind it */
	/* Pairs: */
	u8 form;        /* enum handle_form */
	u8 success;     /* enum success */
	u8 narrow;      /* a handle has 32 bits, and may be 0 */
	u8 counted;     /* an acquisition: a live handle that comes again counts once more */
	u8 has_more;    /* of the family some handle may: see struct pair_more */
	u8 both_ends;   /* the return is probed, too */
	u8 by_argument; /* an acquisition: its handle is not the result */
	u8 counts;      /* enum count_says: what extra is */
	u8 maybe;       /* a release, if the handle is live; else it is somebody else's */
	u8 whole;       /* a release: each handle that the family's functions have ever given was seen */
	u32 since; /* pairs, monitors, threads: how often that was switched off; what began before is over */
	u8 watch;  /* enum watch */
	u8 by_finalizer; /* an acquisition: a function at an address that it is given releases */
	u8 owns;         /* an acquisition: what calls inside it acquire is nobody else's */
	u8 by_kernel;    /* the kernel puts an address of its own in the place of the return address */
	u8 may_fail;     /* what it is given: then the handle stays as it was */
	u32 also;        /* a release: by the same function, of these families, too */
};
enum call_args { ARGS_VARIABLE, ARGS_LIST, ARGS_ARRAY }; /* ..., va_list, jvalue* */
#define ALLOWED_PENDING  1                               /* to be called while an exception is pending */
#define ALLOWED_CRITICAL 2                               /* inside a critical section */

/* A target is open when all its probes are live, and closed before they are removed. GATE_OVER: by the
 * programs. */
enum gate { GATE_CLOSED, GATE_OPEN, GATE_EXECED, GATE_OVER };
struct target_state {
	u32 tgid;       /* as seen in the tracer's pid namespace */
	u32 gate;       /* enum gate */
	u32 first_rule; /* its rules, in the order of its probe sites */
	u32 file;       /* whose probes are its, see COOKIE_FILE; 0: it has its own */
};

/*
 * With --budget: what the probes have taken of a target. What they take is earned again in time, at the share
 * that they may have. No more may be left to be earned than takes window_ns, or the gate is closed.
 */
#define CHARGED_CALLS 64                   /* of a function on a CPU: are charged together */
#define JT_OVER_SPENT (JT_MAX_TARGETS + 2) /* a message of code_changes: look at over_ns */
struct spending {
	u64 until_ns; /* when all will be earned again; these are of CLOCK_MONOTONIC */
	u64 window_ns;
	u64 since_ns; /* since when there has always been something to be earned */
	u64 over_ns;  /* when it was too much; 0: never */
};

/*
 * A probe's cookie: the number of its rule, or, where one link serves all processes that map a file, the
 * number of that file and of the site in it; which process it is tells whose rule that is. Two files (of
 * overlayfs) may be one to the kernel: an event then comes by both, and counts by the target's.
 */
#define COOKIE_FILE(file, site) ((u64)(file) << 32 | (site))
#define COOKIE_FILE_OF(cookie)  ((u32)((cookie) >> 32))

struct stack {
	u32 n;
	u32 end;                               /* enum stack_end */
	struct raw_frame frame[JT_MAX_FRAMES]; /* innermost first */
};

/*
 * How one JVM keeps its Java frames; the runtime fills it in. Addresses are the target's, offsets
 * bytes, unless they are called words. A JavaThread is read by one piece that holds all words of interest.
 */
#define JAVA_MAX_HEAPS    4
#define JAVA_THREAD_WORDS 32
enum managed_frames {
	MANAGED_OFF,          /* are not walked */
	MANAGED_BY_ANCHORS,   /* of a JavaThread, see java.bpf.h */
	MANAGED_BY_FRAGMENTS, /* of a stack, see fragments.bpf.h */
};
enum java_oops { OOPS_WIDE, OOPS_NARROW, OOPS_ZGC /* generational ZGC's coloured pointers */ };
struct java_heap {
	u64 start, end, segmap;
};
/* Where a VM keeps its threads. */
struct java_thread_list {
	u64 at;              /* the address of an array's, or of the first one's; 0: not known */
	u32 length, threads; /* JDK 12 and later: ThreadsList::_length, _threads, an array of JavaThread* */
	u32 next;            /* earlier: JavaThread::_next; 0: an array */
	u32 pad;
};
struct java_config {
	u64 generation; /* changes when code is freed (jt_code_freed) */
	u64 unloads;    /* classes unloaded so far (jt_class_unloaded): a Method* may be another one since */
	u64 unloads_at; /* where the VM itself counts them, if that cannot be probed; 0: it can */
	u64 env_table[2]; /* JNI function tables, one of which a JNIEnv names */
	u8 on;            /* enum managed_frames */
	u8 unloads_class; /* jt_class_unloaded is at a function's entry, whose first argument is the class */
	u8 cache;         /* what an address of code belongs to may be kept: frees are seen */
	u8 deopt_is_offset; /* CodeBlob::deopt* hold offsets from the CodeBlob; else addresses */
	u8 nr_heaps;
	u8 segment_shift;
	u8 oops, oop_shift;
	u8 bcp_words;    /* interpreter frame: the bytecode's address is at fp - this */
	s32 thread_from; /* the piece of the JavaThread begins at JNIEnv* + this */
	u32 thread_bytes;
	u8 env_word, anchor_word, stack_base_word, stack_size_word; /* in the piece */
	s32 env_in_thread;                                          /* JNIEnv* - JavaThread* */
	s32 cont_entry_from_env;
	s32 wrapper_words;    /* call_stub frame: its JavaCallWrapper* is at fp + this */
	u32 wrapper_anchor;   /* JavaCallWrapper::_anchor */
	u32 heap_block_bytes; /* HeapBlock, before each CodeBlob */
	u32 block_used;       /* HeapBlock::Header::_used, a byte */
	u32 blob_size, blob_name, frame_size, compile_id, deopt, deopt_mh,
	    orig_pc; /* CodeBlob's and nmethod's fields; blob_name, deopt_mh 0: none */
	u32 chunk_sp, chunk_pc, chunk_bottom, chunk_parent,
	    chunk_stack;           /* fields of StackChunk; stack 0: not known */
	u32 cont_tail, entry_cont; /* Continuation.tail, ContinuationEntry::_cont */
	u32 os_thread_id;          /* OSThread::_thread_id */
	s32 os_thread_from_env;    /* Thread::_osthread; 0: not known */
	u64 oop_base;
	u64 interpreter_start, interpreter_end;
	u64 call_stub_return;
	u64 enter_special_pc_at; /* ContinuationEntry::_return_pc, an address in enterSpecial's code; 0: no
				    virtual threads */
	u64 return_barrier;
	struct java_heap heap[JAVA_MAX_HEAPS];
	struct java_thread_list list;
	/* MANAGED_BY_FRAGMENTS: in the thread that a JNIEnv names, its first fragment and the JNIEnv. */
	u32 fragment_in_thread, env_at_in_thread;
};

/*
 * By a hash of target and class (InstanceKlass*), which several may share: what `unloads` was when one of
 * them was unloaded last. A class whose place has a lower number than some time ago is still the same.
 */
#define UNLOADED_PLACES (1 << 16)
/* What an address of code belongs to, kept while the generation stays. Filled and read without a lock: check
 * tells. */
struct java_code {
	u64 pc, blob;
	u64 generation;
	u32 frame_words, compile_id; /* frame_words: or one of these */
#define CODE_ENTER_SPECIAL 0         /* the first frame of a virtual thread */
#define CODE_UPCALL_STUB   1         /* by which native code calls Java without JNI; fp tells its frame */
	s32 orig_pc;                 /* >= 0: pc is a deoptimization handler, the true one is at sp + this */
	u32 target_id;
	u64 check;
};

/* A site: one function of one target, called from one stack. */
struct site {
	u64 stack_id; /* hash of the frames and the target; 0 = entry not in use */
	u64 made_of;  /* the same, from before the entry is in use: others may have its number already */
	u16 target_id;
	u16 func;
	union {
		struct {
			u8 family; /* enum family_id, of func */
			u8 has_stack;
			u8 suspect; /* references of it were released twice: where they are first is kept from
				       now on */
			u8 level;   /* see struct level_key */
		};
		u32 word; /* the same, to be made suspect by one program only */
	};
#define SITE_SUSPECT (1U << 16) /* of the word: both architectures are little-endian */
};
/*
 * With --group-by thread each thread that acquires at a site has a site of its own beside it, with the same
 * stack. A thread is its id and when it started: ids are used again.
 */
struct thread_key {
	u32 site; /* that of the stack; 0: no thread's */
	u32 tid;  /* in the first pid namespace */
	u64 start_ns;
};
/*
 * Of what is sampled one handle in N is followed, and N may be doubled, so often, while a target is traced.
 * What is acquired at a higher level than 0 has a site of its own beside it, with the same stack: each handle
 * stands for as many as when it was acquired, whatever N is when it is released.
 */
#define JT_SAMPLE_LEVELS 7
struct level_key {
	u32 site; /* that of level 0 */
	u32 level;
};
struct site_thread {
	struct thread_key key;
	u32 tid; /* as the tracer sees it */
	u32 pad;
	char name[16]; /* when it first came by */
};
struct site_counts { /* per CPU */
	u64 acquired;
	u64 released;
	u64 unpaired; /* of acquired: never in the pairing store, or found there when the handle came again */
	u64 died; /* of acquired: local references whose slot was given out again, after their frame's end */
	u64 peak; /* local references: most that were alive in one native frame */
};

/* murmur3's finalizer: every bit of x reaches every bit of the result. */
static inline __attribute__((always_inline)) u64 mix(u64 x)
{
	x ^= x >> 33;
	x *= 0xff51afd7ed558ccdULL;
	x ^= x >> 33;
	x *= 0xc4ceb9fe1a85ec53ULL;
	x ^= x >> 33;
	return x;
}

static inline __attribute__((always_inline)) u32 unloaded_place(u32 target_id, u64 klass)
{
	return mix(klass + target_id) & (UNLOADED_PLACES - 1);
}

/* One word more in a hash. Cheaper than mix(), whose every step waits for the one before. */
static inline __attribute__((always_inline)) u64 hash_add(u64 h, u64 word)
{
	h = (h ^ word) * 0x9e3779b97f4a7c15ULL;
	return h ^ h >> 32;
}

/* The key of a site in the index of sites. */
static inline __attribute__((always_inline)) u64 site_key(u64 stack_id, u16 func)
{
	return mix(stack_id + func + 1);
}

/*
 * Counts of one function of one target, per CPU. A call is one of nulls, unpaired (acquire: store full;
 * release: acquired before attach, or never paired), kept, or else paired: that is not counted, as nearly all
 * are. Of a function of a pair, which may acquire several or none, what it did is counted: in kept.
 */
struct func_counts {
	u64 calls;
	union {
		u64 nulls;
		u64 moved; /* OP_REPLACE: handles released; of the acquired ones: kept */
	};
	u64 unpaired;
	u64 replaced; /* acquire: of its references, those whose handle came again without a release seen */
	union {
		u64 kept;    /* release: calls that release nothing (JNI_COMMIT) */
		u64 handles; /* a pair's: acquired, or released since they were acquired */
	};
};

/*
 * A tag: a handle, or another address of a target, together with the target's number, so that all targets'
 * can lie in one table. A handle that is wider than HANDLE_BITS has none. Families of pairs know nothing of
 * one another, and one address may be a handle of several (a FILE is memory, too): each has tags of its own.
 */
#define HANDLE_BITS      48
#define TAG_FAMILY_SHIFT 57
#define TAG_TARGET_MASK  ((1U << (TAG_FAMILY_SHIFT - HANDLE_BITS)) - 1)
_Static_assert(JT_MAX_TARGETS <= TAG_TARGET_MASK && FAMILY_NONE < 32, "a tag has room for both");
#define TAG_DEAD (1ULL << 63) /* see struct bucket */
#define TAG_TOLD (1ULL << 62)
static inline __attribute__((always_inline)) u64 ref_tag(u32 target_id, u64 handle)
{
	return handle | (u64)(target_id + 1) << HANDLE_BITS;
}

static inline __attribute__((always_inline)) u32 ref_target_id(u64 tag)
{
	return ((u32)(tag >> HANDLE_BITS) & TAG_TARGET_MASK) - 1;
}

static inline __attribute__((always_inline)) u64 pair_tag(u32 target_id, u32 family, u64 handle)
{
	return ref_tag(target_id, handle) | (u64)family << TAG_FAMILY_SHIFT;
}

static inline __attribute__((always_inline)) u64 ref_handle(u64 tag)
{
	return tag & ((1ULL << HANDLE_BITS) - 1);
}

/*
 * The pairing store: live references, found by their tags. One bucket is one cache line. A tag of 0 is a free
 * place, TAG_BUSY one that is being filled. With TAG_DEAD its reference was released: the place is free, and
 * until it is taken it tells whose release a second one is; with TAG_TOLD too, tick is the site of the
 * release.
 */
#define TAG_BUSY 1ULL
struct bucket {
	u64 tag[JT_BUCKET_WAYS];
	u32 site[JT_BUCKET_WAYS];
	u32 tick[JT_BUCKET_WAYS]; /* when acquired: jiffies >> JT_TICK_SHIFT; dead: site of the release, or 0
				   */
};
/* Where a reference is looked for, before the overflow map. A JVM's handles are addresses of slots that lie
 * side by side: the first needs no hash. */
static inline __attribute__((always_inline)) u32 first_bucket(u64 tag, u32 mask)
{
	return ((tag >> 5) ^ (tag >> HANDLE_BITS) * 0x9e3779b1) & mask;
}

static inline __attribute__((always_inline)) u32 second_bucket(u64 tag, u32 mask)
{
	return mix(tag) & mask;
}

struct overflow_ref {
	u32 site;
	u32 tick;
};

/*
 * A pair's handle at one site that acquired it: references to it beside the first, and acquisitions of the
 * same handle beside the one that is in the store.
 */
struct pair_more_key {
	u64 tag;
	u32 site;
	u32 pad;
};
struct pair_more {
	u32 refs, acquired;
	u64 bytes; /* of the handle, where an argument says how large it is */
};

/*
 * One finding: a kind of wrong use, told apart by where it was seen, where the reference was acquired and
 * where it was (first) released: site numbers, 0: not known.
 */
struct finding_key {
	u32 site, acquire_site, release_site;
	u16 target_id;
	u8 kind; /* enum finding_kind */
	u8 pad;
};
struct finding {
	u64 count;
	u64 handle; /* of the first */
	u64 most;   /* local references in one native frame; other kinds: 0 */
	u32 first_tick, last_tick;
};

/* More of the first of them, where there is more to say. */
struct finding_detail {
	u32 tid,
	    owner_tid; /* of a wrong JNIEnv: who used it, whose it is, as the tracer sees them; 0: unknown */
	u32 owner_tid_inside; /* the latter as the target sees it; 0: unknown */
	u32 func;             /* of a pending exception: whose call left it behind; FUNC_NONE: unknown */
	char name[16], owner_name[16]; /* of these threads, as the kernel has them; "": unknown */
};

/* A function that releases what this family has acquired, by its address in the target. */
#define JT_FINALIZERS 4096 /* of all targets */
struct finalizer_key {
	u64 address;
	u32 target_id;
	u32 family;
};
enum finalizer_state { FINALIZER_ASKED, FINALIZER_PROBED, FINALIZER_REFUSED };
struct finalizer {
	u32 closings; /* of the target, when it was asked for: another function may be there since */
	u32 state;    /* enum finalizer_state */
};

/* What jt_setup finds out of the kernel. */
struct setup {
	u64 cpu_waits; /* it counts how long threads wait for a CPU */
};
/* Its two clocks at one moment (jt_clock), to turn ticks into seconds. */
struct clocks {
	u64 jiffies;
	u64 monotonic_ns;
};

#define JT_ASSERT_SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), #type)
JT_ASSERT_SIZE(struct loc, 8);
JT_ASSERT_SIZE(struct rule, 112);
JT_ASSERT_SIZE(struct target_state, 16);
JT_ASSERT_SIZE(struct spending, 32);
JT_ASSERT_SIZE(struct raw_frame, 16);
JT_ASSERT_SIZE(struct stack, 8 + 16 * JT_MAX_FRAMES);
JT_ASSERT_SIZE(struct java_thread_list, 24);
JT_ASSERT_SIZE(struct java_config, 328);
JT_ASSERT_SIZE(struct java_code, 48);
JT_ASSERT_SIZE(struct site, 24);
JT_ASSERT_SIZE(struct thread_key, 16);
JT_ASSERT_SIZE(struct level_key, 8);
JT_ASSERT_SIZE(struct site_thread, 40);
JT_ASSERT_SIZE(struct site_counts, 40);
JT_ASSERT_SIZE(struct func_counts, 40);
JT_ASSERT_SIZE(struct bucket, 64);
JT_ASSERT_SIZE(struct overflow_ref, 8);
JT_ASSERT_SIZE(struct pair_more_key, 16);
JT_ASSERT_SIZE(struct pair_more, 16);
JT_ASSERT_SIZE(struct finding_key, 16);
JT_ASSERT_SIZE(struct finding, 32);
JT_ASSERT_SIZE(struct finding_detail, 48);
JT_ASSERT_SIZE(struct finalizer_key, 16);
JT_ASSERT_SIZE(struct finalizer, 8);
JT_ASSERT_SIZE(struct setup, 8);
JT_ASSERT_SIZE(struct clocks, 16);

#endif
