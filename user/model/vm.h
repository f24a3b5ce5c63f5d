/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a managed runtime answers when it is asked about itself: its tables of references, its threads, the
 * objects behind handles. Plain data; who reads it from where is a runtime's business (runtime/runtime.h).
 */
#ifndef JNITRACE_VM_H
#define JNITRACE_VM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The tables of references that belong to a whole process. */
enum vm_table { VM_GLOBAL, VM_WEAK, NR_VM_TABLES };

/* The runtime's own counts of references in use. */
struct vm_counts {
	bool known;    /* false: where it counts could not be proven (yet) */
	bool by_marks; /* where it counts could not be proven: those that its tables mark as in use */
	uint64_t n[NR_VM_TABLES];
};

/*
 * How many references of one family a runtime lets there be at a time, and what each takes. For when a growth
 * will hurt; what the objects behind the references take is on top, and is not known.
 */
struct vm_limit {
	bool known;       /* false: the runtime says nothing of this family */
	uint64_t most;    /* 0: it has no limit */
	const char *then; /* what happens to one more, as "the VM aborts"; NULL: nothing is said. Not owned */
	bool per_thread;  /* each thread may have as many */
	uint32_t
	    slot_bytes; /* of native memory that each takes at least, as long as it lives; 0: not known */
};

/*
 * A run of slots of a table. A slot is one word of 8 bytes at addr, addr + 8, ...: for runtimes whose handles
 * are no addresses, a number of the runtime's own. What counts is that it equals slot_of(handle).
 */
#define VM_SLOT_BYTES         8
#define HANDLES_PER_BLOCK_MAX 64
struct handle_block {
	uint64_t addr;   /* of the first slot */
	uint64_t in_use; /* bit per slot */
};
struct handle_blocks {
	struct handle_block *v;
	size_t n, cap;
	uint64_t slots;  /* room of all blocks */
	uint64_t bytes;  /* memory that they take */
	uint64_t in_use; /* bits set in all blocks */
	bool stable;     /* no block was moved or taken away while they were read: none is missing */
};

struct vm_thread {
	uint64_t addr; /* of the runtime's own record of the thread */
	pid_t tid;     /* in the process's own pid namespace; 0: unreadable */
	/*
	 * Local references of the thread's innermost native frames, up to the last call from native code
	 * into managed code; -1: unreadable. Of frames further out they are not found.
	 */
	int64_t local_refs;
	int native_attached; /* attached by native code: 0, 1; -1: unknown */
	int64_t criticals;   /* critical sections that it is inside, nested ones too; -1: unknown */
};
struct vm_threads {
	struct vm_thread *v;
	size_t n, cap;
};

/* The thread with most local references in its innermost native frames, of those that have many. */
struct vm_pile {
	uint64_t thread; /* the runtime's own record of it; 0: none has many */
	pid_t tid;       /* as in vm_thread */
	uint64_t refs, frames;
	bool more; /* there are more, for which the look had no time */
};

/* A thread that was inside a critical section before the tracer came. */
struct vm_inside {
	uint64_t addr;      /* as in struct vm_thread */
	pid_t own_tid, tid; /* in the process's own pid namespace; here */
	char name[64];      /* as the kernel knows it; cleaned */
	double until_s;     /* it was inside since attach, when it was last looked at */
	bool left;          /* it is no longer */
};
struct vm_insides {
	struct vm_inside *v;
	size_t n, cap;
};

/* Slots of local references, of all threads. */
#define LOCALS_PER_BLOCK_MAX 32
struct local_block {
	uint64_t addr;        /* of the first slot */
	uint32_t live, maybe; /* bit per slot; maybe: its thread runs managed code, so this is not known */
};
/* A frame of local references: of a native method, or pushed upon another one. */
struct local_frame {
	uint64_t block;     /* names it */
	uint64_t outer;     /* the frame that it was pushed upon; 0: none */
	uint64_t anchor_sp; /* its thread's last managed frame below it, or 0; not while in_java, maybe */
	uint64_t anchor_pc;
	uint32_t live; /* references */
	bool in_java;  /* its thread runs managed code: no native method uses it */
	bool maybe;    /* likewise, and this may be one that has ended */
};
struct vm_locals {
	struct local_block *v; /* sorted by address */
	size_t n, cap;
	bool complete; /* false: a thread went on faster than it could be read, what is not in here may be
			  alive */
	uint64_t live; /* all in use, made by probed functions or by the runtime itself; only if complete */
	struct {
		struct local_frame *v; /* sorted by block */
		size_t n, cap;
	} frames;
};
enum local_state {
	LOCAL_DEAD,
	LOCAL_LIVE,
	LOCAL_UNKNOWN, /* its thread runs managed code just now: what frames further out hold is not known */
};
/* The frame of this block; NULL: there is none. */
const struct local_frame *vm_locals_frame(const struct vm_locals *l, uint64_t block);
enum local_state vm_locals_state(const struct vm_locals *l, uint64_t slot);
void vm_locals_free(struct vm_locals *l);

struct vm_class {
	uint64_t id;        /* tells classes apart; may be used again when the class is unloaded */
	const char *name;   /* binary name, cleaned: "java.lang.String", "a.b.Outer$Inner", "byte[]" */
	const char *loader; /* class of the class loader; NULL: the bootstrap loader */
	uint64_t loader_id; /* tells two loaders of one class apart, as long as they live; 0: unknown */
	bool is_class;      /* the class of classes: java.lang.Class itself */
};

enum vm_ref_state {
	REF_READ,
	REF_NULL,       /* cleared by the collector, deleted, or just being made */
	REF_UNREADABLE, /* it moved at every try, or makes no sense */
};
/* The object behind a reference. */
struct vm_ref {
	uint64_t slot; /* in: slot_of(handle), or a slot of a block */
	enum vm_ref_state state;
	bool stale;      /* the collector may have moved the object since: the class is likely, not sure */
	uint64_t object; /* tells objects apart; may change with the next collection */
	const struct vm_class *class; /* valid until forget_classes */
	const struct vm_class *of; /* of a class object: which class; NULL: a primitive type or unreadable */
	const char *primitive;     /* of a class object: "int", ...; NULL: none */
};

#endif
