/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What was seen of one target, as plain data: no fd, no map, no live process needed. Every view is
 * made from this alone. Unknown numbers are -1 and shown as null.
 */
#ifndef JNITRACE_REPORT_H
#define JNITRACE_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/border/pins.h"
#include "bpf/border/shared.h"
#include "model/catalog.h"
#include "model/vm.h"

struct drop_row {
	const char *name, *meaning, *advice;
};
extern const struct drop_row drop_rows[NR_DROPS];
struct stack_end_row {
	const char *name, *meaning, *advice; /* NULL: the stack is complete */
};
extern const struct stack_end_row stack_end_rows[NR_ENDS];

enum finding_severity { SEVERITY_ERROR, SEVERITY_WARNING, NR_SEVERITIES };
extern const char *const finding_severity_names[NR_SEVERITIES]; /* "error", "warning" */
enum finding_evidence { EVIDENCE_VM, EVIDENCE_BOOKS };
struct finding_row {
	const char *word; /* of the row alone, never changed: ids are made of it */
	const char *name; /* kinds may share one */
	enum finding_severity severity;
	enum finding_evidence evidence;
	const char *wrong, *todo; /* a sentence each */
};
extern const struct finding_row finding_rows[NR_FINDINGS];
/* Found by the history of a site, and told in its row as well. */
static inline bool finding_is_leak(enum finding_kind kind)
{
	return kind == FINDING_LEAK || kind == FINDING_MONITOR_LEAK || kind == FINDING_THREAD_LEAK;
}

enum frame_type { FRAME_NATIVE, FRAME_JAVA, FRAME_VM, FRAME_SCRIPT /* of another managed language */ };
struct frame {
	enum frame_type type;
	const char *symbol; /* NULL: unknown */
	const char *module; /* base name; NULL: not in a file */
	const char *path;   /* of the module, as the target sees it; NULL: unknown */
	uint64_t
	    offset; /* link-time address in the module of the call, or the address itself without a module */
	const char *build_id; /* hex; NULL: unknown */
	const char *file;     /* NULL: unknown */
	int line;             /* 0: unknown */
	bool inlined;
	bool
	    tail_call; /* it left no frame: it ended by jumping to what is above; offset is where it begins */
	bool native_of_vm;  /* a native method whose function is the VM's own */
	bool native_method; /* of Java: a native method, whose function stands before it */
	bool hidden;        /* Java itself does not show it: adapters of lambdas and method handles */
	const struct later
	    *later;           /* who will say more of a native frame (symbols/natives.h); NULL: all is said */
	enum stack_end lacks; /* no frame, or one without a name: what is missing here; END_NONE: nothing */
};
struct frames {
	struct frame *v;
	size_t n, cap;
};
/* Is it known by its names, as it lies in no file's code? */
static inline bool frame_is_managed(const struct frame *f)
{
	return f->type == FRAME_JAVA || f->type == FRAME_SCRIPT;
}
/* Does this function only hand the call on to JNI: an inline method of jni.h, or the like? */
bool frame_is_wrapper(const struct frame *f);
/*
 * The frame that a call site is named after: the innermost outside the VM that is no such wrapper, nor of a
 * library that calls what a script names. A wrapper whose caller is not known stands for it; so does a frame
 * of the VM when there are none else. NULL: there is no frame.
 */
const struct frame *frames_caller(const struct frames *frames);
/*
 * The Java method that called: the innermost that is no native method; where all are, the innermost of them.
 * NULL: there is none.
 */
const struct frame *frames_java_caller(const struct frames *frames);
/*
 * Hash of a function's name (NULL: none) and of those of its callers: equal for two builds of one library, as
 * there are no offsets and lines in it. A frame without a name counts by its file.
 */
uint64_t frames_name_key(const char *func, const struct frames *frames);

/* Which class objects of java.lang.Class stand for. One name may be a class of each of several loaders. */
struct report_of {
	const char *name;
	const char *loader; /* class of the loader; NULL: the bootstrap loader, several, or unknown */
	uint64_t loader_id; /* 0: several, or unknown */
	uint64_t loaders;   /* different ones; 0: not known how many */
	uint64_t count;     /* references */
};
/*
 * Rows of one loader each, in any order, whose loaders need not be set: put those of one name together, the
 * most references first. How many are left.
 */
size_t class_of_group(struct report_of *v, size_t n);
struct report_class {
	const char *name;
	uint64_t outstanding;
	bool is_class; /* java.lang.Class itself */
	struct {
		const struct report_of *v; /* of which classes those are; their memory is the aggregate's */
		size_t n;
	} of;
};
/* What a site did with its pins. */
struct report_pins {
	uint64_t copied, direct, copy_unknown; /* acquired: got a copy, the contents themselves, not known */
	uint64_t committed, aborted; /* releases with JNI_COMMIT, which releases nothing; JNI_ABORT */
	/* Critical sections, see struct pin_stats. */
	uint64_t nested, inner;
	uint64_t holds, hold_ns, max_hold_ns; /* that have ended */
	uint64_t cpu_wait_ns, max_own_ns;     /* when cpu_waits_known */
	bool cpu_waits_known;
	uint64_t hold[JT_HOLD_BUCKETS]; /* of 0, 1, 2 to 3, 4 to 7, ... microseconds */
};
struct report_thread {
	int tid;           /* 0: not known */
	uint64_t start_ns; /* since boot; with tid: which thread */
	const char *name;  /* NULL: unknown */
	uint64_t acquired, released, outstanding;
	bool life_unknown; /* see report_site */
	bool paced;        /* this is known: */
	double rate_per_s; /* of outstanding: over the last half a minute, at the end over the whole run */
};
/* What becomes of a site's references, from its history (verdicts.c). The worst comes last. */
enum site_verdict {
	VERDICT_UNKNOWN, /* too early, or it grows but not steadily */
	VERDICT_CLEAN,   /* nothing is outstanding */
	VERDICT_CACHED,  /* acquired once and kept; none since */
	VERDICT_BOUNDED, /* it comes and goes */
	VERDICT_BURST,   /* there were many, once */
	VERDICT_GROWING, /* a leak */
	NR_VERDICTS
};
extern const char *const site_verdict_names[NR_VERDICTS]; /* "cached-once", ...; unknown: NULL */
enum confidence { CONFIDENCE_LOW, CONFIDENCE_MEDIUM, CONFIDENCE_HIGH };
extern const char *const confidence_names[CONFIDENCE_HIGH + 1];
struct report_verdict {
	enum site_verdict kind;
	enum confidence confidence;
	/* Growth of the survivors, with the uncertainty of 95 %; not a number: unknown. */
	double per_min, error_per_min;
	double span_s;      /* seen for so long */
	double ready_in_s;  /* until growth of one a second can be told, with readings as often as now; 0: it
			       can */
	uint64_t survivors; /* outstanding for some seconds already */
	double same_life_s; /* growing: it would look the same if each lived for so long and then went */
	bool slowed;        /* unknown: it was growing, and then slowed down, stalled or fell */
	bool waits;         /* unknown: it grows, but its objects wait to be collected */
};
struct buf;
/* Append what the verdict leaves open, as a part of a sentence; nothing: nothing. */
void verdict_not_known(struct buf *out, const struct report_verdict *v);
void growth_not_known(struct buf *out, double same_life_s);

/* What was found of the sites that one library calls from. */
struct report_library {
	const char *module, *path, *build_id;  /* NULL: not known */
	const char *package, *package_version; /* that its file came with; NULL: none, or not known */
	size_t sites, verdicts[NR_VERDICTS];
	bool judged; /* some of them are of a kind that can have a verdict */
	uint64_t outstanding;
};
struct report_site {
	uint64_t id; /* hash of what the frames are, equal on every host */
	enum func_id func;
	uint64_t acquired, released, outstanding;
	/* Local references: ended with their native frame; not known whether. acquired = released + died +
	 * outstanding + unverified, but for what could not be paired. */
	uint64_t died, unverified;
	int64_t peak_per_call; /* local references: most alive in one native frame; -1: unknown, or none */
	bool life_unknown;     /* how many have died and are outstanding is not known */
	double oldest_s;       /* -1: nothing outstanding */
	double rate_per_s;     /* acquired minus released per second, over the last interval; final: over the
				  whole run */
	double acquired_per_s;
	double recent_per_s; /* rate_per_s of the last interval that was no moment, in a final report too; not
				a number: unknown */
	struct frames frames;           /* innermost first */
	const char *truncated;          /* NULL: complete */
	bool no_stack;                  /* references whose stack could not be kept */
	int64_t outstanding_bytes;      /* contents of pinned strings and arrays; -1: unknown, or no pins */
	const struct report_pins *pins; /* NULL: not of a family of pins */
	struct report_verdict verdict;
	struct {
		const struct report_class *v;
		size_t n;
		bool known;
	} classes; /* of the outstanding objects, most first */
	struct {
		const struct report_thread *v;
		size_t n;
		bool known;
	} threads; /* that acquired; known with --group-by thread only */
};

/* The stack of one call of a finding. */
struct report_stack {
	bool known;
	struct frames frames;  /* innermost first; empty when it could not be kept */
	const char *truncated; /* NULL: complete */
};
#define FINDING_TEXT_MAX 1024
struct report_holding {
	uint32_t tid;
	double ms; /* held until now */
};
/* A thread that waited for a collection while a critical section was held; added up. */
struct report_stalled {
	uint32_t tid;
	char name[64]; /* as the kernel has it; cleaned */
	uint64_t times;
	double ms, max_ms;
	double own_ms; /* of ms: without what the section's thread waited for a CPU */
};
/* Of the critical sections of one site. */
struct report_held {
	struct report_pins pins;
	double max_ms; /* of those that are held now, too */
	double own_ms; /* the longest without waiting for CPU or VM, those held now too; all, where unknown */
	int collector_waits; /* for sections to end: 1, 0: never; -1: unknown */
	uint64_t calls_inside;
	struct {
		struct report_holding *v;
		size_t n, cap;
	} now;
	const char *no_stalled; /* why it is not known who waited; NULL: it is */
	struct {
		struct report_stalled *v; /* longest first */
		size_t n, cap;
	} stalled;
};
/* A thread that a finding names. */
struct report_finding_thread {
	uint32_t tid;  /* 0: not known */
	char name[64]; /* as the kernel has it; cleaned; "": not known */
};
struct report_finding {
	enum finding_kind kind;
	uint64_t id;      /* hash of the kind and of what the frames are, equal on every host */
	uint64_t site_id; /* of the call; 0: not known */
	uint64_t count;
	enum func_id func;      /* that was called; FUNC_NONE: unknown */
	double first_s, last_s; /* when, since attach; -1: unknown */
	uint64_t handle;        /* of the first; 0: none */
	uint64_t local_refs;    /* see finding_has_locals() */
	/* Of the call itself, where the reference was acquired, and where it was (first) released. */
	struct report_stack stack, acquire, release;
	const char *doubt;              /* why it may not be true; NULL: it is */
	char text[FINDING_TEXT_MAX];    /* what is wrong, what to do, what is not known */
	const struct report_held *held; /* FINDING_HELD_CRITICAL only, else NULL */
	struct report_finding_thread caller,
	    owner;              /* FINDING_WRONG_ENV: who used whose JNIEnv, the first time */
	enum func_id thrown_by; /* FINDING_PENDING_EXCEPTION: whose call left it; else FUNC_NONE */
	double per_s;           /* FINDING_ATTACH_CHURN only: times a second, and what they took of it */
	double cost_ms_per_s;   /* not a number: not known */
};

/* Does local_refs count? Alive below frames that were not popped, or the most in one native call. */
static inline bool finding_has_locals(enum finding_kind kind)
{
	return kind == FINDING_UNPOPPED_FRAME || kind == FINDING_LOCAL_OVERFLOW;
}

/*
 * Are the stacks of all acquisitions whole, to the thread's start? One that lacks something for two reasons
 * counts with both.
 */
struct report_stacks {
	uint64_t complete, incomplete; /* acquisitions; together those of all sites */
	size_t complete_sites, incomplete_sites;
	uint64_t reasons[NR_ENDS]; /* acquisitions; 0 for ends that lack nothing */
};

struct report_family {
	bool traced;
	uint64_t acquired, released, outstanding, released_untracked;
	int64_t vm_total;    /* -1: unknown */
	const char *vm_note; /* why that is not what the VM's tables mark as in use; NULL: it is. Not owned */
	bool before_known;
	uint64_t before_attach; /* acquired before attach and still there; when before_known */
	uint64_t vm_own;        /* acquired since, by no call that was seen: by the VM for itself; likewise */
	double cost_ns_per_event, target_cpu_pct; /* as in struct report */
	uint64_t died, unverified;                /* see report_site */
	bool life_unknown;
	struct vm_limit limit; /* the runtime's */
	/* While the target was traced it was switched off, and on, the last time; since attach. 0: never. */
	double off_s, on_s;
	/* Held when it was switched off, each time; they count as acquired, not as outstanding. */
	uint64_t let_go;
	/* Sampled: one of so many handles is followed, and all numbers of them are estimates
	 * (model/sample.h), of its sites, too; how many were released untracked is not known. 0: each one is.
	 * one_in may change while the target is traced: this is the most that one handle stands for, by which
	 * errors are told, and now that of those which are acquired now.
	 */
	uint64_t one_in, one_in_now;
};

/* References of one class that were there at attach and still are. */
struct report_before {
	enum family_id family;
	const char *class; /* NULL: not read yet, or not readable */
	uint64_t outstanding;
	bool is_class; /* java.lang.Class itself */
	struct {
		const struct report_of *v; /* of which classes those are, as far as is known; not owned */
		size_t n;
	} of;
};

/* Of the probes of --check alone. */
struct report_check {
	bool on;
	uint64_t calls;
	double cost_ns_per_event, target_cpu_pct; /* as in struct report */
};

struct report;
/* Append the families that are traced, and local, as -e takes them. */
void report_with_locals(const struct report *r, struct buf *out);
/* How many seconds more would tell whether what is outstanding grows, where the whole run was too short; else
 * 0. */
double report_too_short(const struct report *r);

/*
 * The thread that was found with most local references, or most frames that were pushed, where such are not
 * traced.
 */
struct report_pile {
	bool found; /* there was one with many, since attach */
	int pid;
	int tid;       /* 0: not known */
	char name[64]; /* cleaned; "": not known */
	uint64_t refs, frames;
	bool more;    /* at least so many */
	bool now;     /* false: it has fewer now, or has ended */
	double per_s; /* how many more it gets; not a number: not known, or none */
};

struct report_target {
	int pid;
	uint64_t start_time_ticks;
	const char *comm, *vm, *vm_version, *library, *build_id;
	/* Who it is to a person; see run/who.h. NULL: not known. */
	const char *main, *command, *user, *container, *cgroup, *host;
	/* What was deployed; see run/deployed.h. NULL: it does not tell. */
	const char *service, *version, *image, *pod, *pod_namespace, *pod_uid;
};
/* What to call it: its main class or jar file, else its command. */
static inline const char *target_name_of(const struct report_target *t)
{
	return t->main ?: t->comm ?: "?";
}

/* Why a target's last report is its last. */
enum end_reason {
	NOT_ENDED,
	END_EXITED,
	END_EXECED,
	END_DETACHED,
	END_OVER_BUDGET,
	END_SIGNAL_STACK,
	NR_END_REASONS
};
extern const char *const end_reason_names[NR_END_REASONS]; /* "exited", ...; not ended: NULL */
/* Is the process that was traced gone? It ended, or runs another program now. */
static inline bool end_is_gone(enum end_reason reason)
{
	return reason == END_EXITED || reason == END_EXECED;
}

/* A file that was not read, or not whole. The first of them are told; a drop counts all. */
struct report_refusal {
	const char *text; /* its path and why. Not owned */
};

struct report {
	const struct catalog *catalog; /* what its numbers of functions and families mean; not owned */
	struct report_target target;
	double time_unix_s; /* wall clock */
	double elapsed_s;
	bool final;
	enum end_reason end_reason; /* NOT_ENDED unless final */
	bool probed[NR_ALL_FUNCS];  /* functions with a live probe */
	uint64_t calls[NR_ALL_FUNCS];
	struct report_family families[NR_FAMILIES];
	struct report_check check;
	struct report_pile pile;
	struct {
		struct report_site *v;
		size_t n, cap;
	} sites; /* merged by what their frames are; sorted by the session's key */
	struct {
		const struct report_before *v;
		size_t n;
	} before; /* of families whose before_known says so; most first */
	struct {
		struct report_finding *v;
		size_t n, cap;
	} findings;                   /* errors first, then the most frequent */
	size_t verdicts[NR_VERDICTS]; /* sites of each */
	struct {
		struct report_library *v;
		size_t n, cap;
	} libraries;
	struct {
		struct report_held **v;
		size_t n, cap;
	} held; /* of findings */
	struct report_stacks stacks;
	struct {
		struct report_refusal *v;
		size_t n, cap;
	} refusals;
	const char *no_java;  /* why managed frames are not shown; NULL: they are. Not owned */
	const char *language; /* whose frames those are; NULL: Java */
	uint64_t drops[NR_DROPS];
	uint64_t sites_pending; /* their names, or files and lines, are still looked for */
	size_t nr_probes;
	uint64_t events;
	bool count_only;     /* releases were not probed: what depends on them is unknown, and 0 here */
	double events_per_s; /* last interval */
	double probe_cost_ns_per_event; /* trap and program, lately; -1: unknown */
	double target_cpu_pct; /* of one CPU, what the target spent in probes in the last interval; final: in
				  the whole run; -1: unknown */
	double self_cpu_pct;   /* this process, of one CPU; -1: unknown */
	uint64_t map_bytes;    /* kernel memory of the maps */
};

/* Is any of its families? */
static inline bool report_is_sampled(const struct report *r)
{
	for (int i = 0; i < NR_FAMILIES; i++)
		if (r->families[i].one_in)
			return true;
	return false;
}

/* Of this function: one handle of so many is followed; 0: each one is. */
static inline uint64_t report_one_in(const struct report *r, enum func_id func)
{
	enum family_id family = func_family(r->catalog, func);

	return family < NR_FAMILIES ? r->families[family].one_in : 0;
}

#endif
