/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A managed runtime as the rest of the loader sees it: a row of names and functions.
 *
 * Three things, as they live:
 *	struct runtime   the row. One per kind of runtime, constant, linked into the tool.
 *	struct vm_file   the runtime's file as one process has it mapped. The image behind it is shared by all
 *	                 processes that map the same build, so what is read of the file is read once.
 *	struct vm        an instance: the runtime in one process, whose memory is read.
 *
 * To add a runtime: a folder runtime/NAME/ that defines a struct runtime and its table of functions, and a
 * line in runtimes.c. Nothing else learns its name. A function that a row leaves NULL is one that the runtime
 * does not have: the calls below then return -EOPNOTSUPP, so no caller checks the pointers. They return the
 * same for a vm that is NULL (its memory could not be understood; its functions may still be found in its
 * file).
 *
 * Whatever is read of a process is hostile: a runtime bounds time, memory and loops, and proves what it
 * answers. It never calls the tracer: what the kernel has to know goes into a struct target_plan.
 *
 * Errors of all calls: 0, or -ESRCH the process is gone, -ENOMEM, -EAGAIN not proven yet or too busy: ask
 * again later, -EPROTO it never will be, -EOPNOTSUPP this runtime has no such thing.
 */
#ifndef JNITRACE_RUNTIME_H
#define JNITRACE_RUNTIME_H

#include "base/util.h"
#include "elf/elf_cache.h"
#include "model/catalog.h"
#include "model/plan.h"
#include "model/report.h"
#include "model/vm.h"
#include "proc/proc.h"

struct runtime;
/* The first member of each runtime's own struct. */
struct vm {
	const struct runtime *runtime;
};

/* The file that has the runtime's functions, as one process maps it. */
struct vm_file {
	const struct runtime *runtime;
	struct mapping mapping; /* of the image's first bytes; path: as the target sees it, owned */
	struct elf_image *elf;
	uint64_t bias; /* run-time minus link-time address */
};

/*
 * Classes unloaded until now, as the probes count them, and how many when this class may have been unloaded
 * last; not known: *last is *n. Given to a runtime that names frames, whose plan says that they count.
 */
struct vm_unloads {
	int (*now)(void *of, uint64_t class_id, uint64_t *n, uint64_t *last);
	void *of;
};

/*
 * A function may be there more than once, of which a process calls one or another: a probe is set on each,
 * and none of them calls another.
 */
#define FUNC_VARIANTS 2
/* Functions of a function table that a process calls through. */
struct function_table {
	uint64_t at[FUNC_VARIANTS]
		   [NR_ALL_FUNCS]; /* run-time address; 0: not known, or outside the file; the first first */
	bool absent[NR_ALL_FUNCS]; /* this version of the runtime has no such function */
};

struct runtime {
	const char *name;     /* of its folder, and what --runtime takes */
	const char *shown;    /* target.vm of reports */
	const char *language; /* whose frames it has, as in "Java frames are not shown"; NULL: Java */

	/* --- what can be traced: rows of the catalog --- */
	const char *api; /* whose functions it has: those with this api in their rows; "jni" */
	/* It has no functions to trace, only frames: found for those who trace other functions (--pair). */
	bool frames_only;
	/* Add its families and functions, once, when the tool starts; NULL: they are JNI's, which are there.
	 */
	int (*add_rows)(struct catalog *c);

	/* --- discovery, by what /proc shows --- */
	/* Base names of files that have its functions, NULL-terminated; "name.*": all that begin so. */
	const char *const *libraries;
	/*
	 * A symbol that such a file exports: one of these names that does not is another program's, and a
	 * process whose executable does is one of this runtime's, whatever it is called. NULL: names tell.
	 */
	const char *exports;
	const char *const *launchers; /* of executables that load one of them when they start; likewise */
	/* Of files at the bottom of most of its stacks, whose unwind tables are compiled first; likewise. */
	const char *const *bottom;
	/*
	 * Files that it opens as it starts, as seen from the folder of its launcher; in all layouts that are
	 * known, NULL-terminated. When it opens one its library is loaded, and none of its functions was
	 * called yet; at one at least open() understands it.
	 */
	const char *const *start_files;
	const char *absent, *absent_advice; /* an error's words: why a process that maps none is refused */

	/* --- an instance --- */
	/*
	 * file and what it has stay open as long as the result; maps: only used during the call. -EAGAIN with
	 * err: the runtime has not begun to run, or its memory is no longer as it should be. -EPROTO with
	 * err: it cannot be understood. early: the process is held at a point where its file is loaded and
	 * nothing was called yet; what is not there then is -EAGAIN when it is asked for.
	 */
	int (*open)(pid_t pid, const struct vm_file *file, const struct proc_maps *maps, bool early,
		    struct vm **out, struct error *err);
	void (*close)(struct vm *vm);
	const char *(*version)(const struct vm *vm); /* cleaned; "": unknown */

	/* --- functions: where to probe. vm may be NULL in all of these --- */
	const char *usdt_provider; /* its probes are NAME__entry and NAME__return; NULL: it has none */
	/*
	 * The nth symbol that a function of its api may have; those that are found are its variants. false:
	 * there is no nth. A name that ends in * is that of a C++ function, whose parameters would follow.
	 */
	bool (*symbol)(const struct vm *vm, const struct func_row *row, unsigned nth, char *name, size_t cap);
	bool guards_exceptions; /* its functions may be thrown through: see sites/returns.h */
	/*
	 * Where a function is that no plain symbol tells, link-time; NULL: there are none such. 0; -ENOENT:
	 * ask symbols; else why it is not to be probed.
	 */
	int (*locate)(const struct vm_file *file, const struct func_row *row, uint64_t *vaddr, char *why,
		      size_t cap);
	/*
	 * Why calls to this function can only be told apart at its symbol, neither at USDT probes nor by the
	 * function table: one function calls another of the same name. NULL: they can.
	 */
	const char *(*symbol_only)(const struct vm *vm, const struct func_row *row);
	/* May calls come to generated code instead, when the function table does not name the file's? */
	bool (*may_be_replaced)(const struct func_row *row);
	/* -ENOENT with err when it cannot be proven; -EAGAIN, err untouched: not yet. */
	int (*function_table)(struct vm *vm, struct function_table *out, struct error *err);
	void (*handle_kinds)(const struct vm *vm, struct handle_kinds *out);

	/* --- what the probes must know --- */
	/*
	 * Move parts of the plan on that are PLAN_NOT_YET, as far as they can be proven now. Called again
	 * and again until each part is settled.
	 */
	void (*plan_walk)(struct vm *vm, struct plan_walk *out);
	void (*plan_scripts)(struct vm *vm, struct plan_scripts *out);
	void (*plan_objects)(struct vm *vm, struct plan_objects *out);
	void (*plan_waits)(struct vm *vm, struct plan_waits *out);
	void (*plan_threads)(struct vm *vm, struct plan_threads *out);
	/* The anchors of all threads that have one now, at most cap; walk: as planned. Returns their number.
	 */
	size_t (*anchors)(const struct vm *vm, const struct plan_walk *walk, struct frame_anchor *out,
			  size_t cap);

	/* --- frames --- */
	/* What plan_walk() plans is MANAGED_BY_FRAGMENTS, and handles are numbers of entries in tables. */
	bool by_fragments;
	/* *out is zeroed. */
	void (*code)(const struct vm *vm, struct vm_code *out);
	/* Get ready, once, for stacks that were walked as planned. -ENOENT with err: it lacks what it takes.
	 */
	int (*name_frames)(struct vm *vm, const struct plan_walk *walk, const struct vm_unloads *unloads,
			   struct error *err);
	/* Time has passed: what is remembered is compared with the process before it is used again. */
	void (*frames_refresh)(struct vm *vm);
	/*
	 * Append the frames of one managed raw frame, innermost first; none for stubs. Texts live as long as
	 * vm. 0 or -ENOMEM.
	 */
	int (*frames_add)(struct vm *vm, const struct raw_frame *raw, struct frames *out);
	/*
	 * *addr: the function behind a raw frame that is a native method's; 0: it is none, or it may have
	 * another function by now. Nothing is known of what lies there. 0 or -ENOMEM.
	 */
	int (*frames_native)(struct vm *vm, const struct raw_frame *raw, uint64_t *addr);
	/*
	 * Append the frame of a script's function, which was found like a native one: by what the engine has
	 * of it (0: not known), or else by a return address in code that it generated (0: it is in a file).
	 * 1; 0: it has no name; or -ENOMEM.
	 */
	int (*frames_script)(struct vm *vm, uint64_t function, uint64_t pc, struct frames *out);
	/*
	 * Append a frame, which is no function's, to say what a native function of the runtime is about, of
	 * which the name, if it has one, says nothing: by the return address of its frame. 0 or -ENOMEM.
	 */
	int (*frames_remark)(struct vm *vm, uint64_t pc, struct frames *out);
	uint64_t (*frames_unnamed)(
	    const struct vm *vm); /* frames that were gone when they were to be named */

	/* --- references --- */
	/*
	 * How many there may be of each family: what is not filled in is not known. By the version and the
	 * options, and cheap: nothing is read again.
	 */
	void (*limits)(const struct vm *vm, struct vm_limit out[NR_FAMILIES]);
	/* The slot behind a handle: the bits that tell its kind taken off. */
	uint64_t (*slot_of)(const struct vm *vm, uint64_t handle);
	int (*counts)(struct vm *vm, struct vm_counts *out);
	/* The caller frees out->v. -EAGAIN also while counts has not proven where they are. */
	int (*blocks)(struct vm *vm, enum vm_table table, struct handle_blocks *out);
	/* All threads the runtime knows; the caller frees out->v. */
	int (*threads)(struct vm *vm, struct vm_threads *out);
	/* At a low, bounded price, to be asked again and again. */
	int (*pile)(struct vm *vm, struct vm_pile *out);
	/*
	 * All local references in use at some moment of the call: what is alive from before the call until it
	 * returns is in it. The caller frees out->v.
	 */
	int (*locals)(struct vm *vm, struct vm_locals *out);
	/*
	 * Get ready to read objects; cheap when it is. -EPROTO and -EAGAIN with the reason in err.
	 * Then: read n references; forget the classes known so far, whose memory may be used anew (pointers
	 * to them become invalid).
	 */
	int (*open_objects)(struct vm *vm, struct error *err);
	int (*read_refs)(struct vm *vm, struct vm_ref *refs, size_t n);
	void (*forget_classes)(struct vm *vm);
	/*
	 * A number that grows, by one or more, when the collector has looked at the whole heap: what nobody
	 * holds is known then, and weak references to it are cleared.
	 */
	int (*collections)(struct vm *vm, uint64_t *out);
};

/*
 * Make a runtime known to the tool that this is linked into: runtimes.c has a line for each of the house, a
 * test program may bring its own. Of two runtimes in one process the first one in the order of the link is
 * traced.
 */
#define RUNTIME_ROW(row)                                                                                     \
	static const struct runtime *const runtime_row_##row                                                 \
	    __attribute__((used, retain, section("runtime_rows"))) = &(row)

/* --- runtimes.c: all rows --- */

/* Add the families and functions of all. 0 or -errno. */
int runtimes_add_rows(struct catalog *c);
/* What can be traced in a process of r's (NULL: without one), a bit mask: all families but other runtimes'.
 */
uint32_t runtime_families(const struct runtime *r, const struct catalog *c);
/* The base names of all rows' bottom, NULL-terminated. */
#define RUNTIMES_BOTTOM_MAX 32
void runtimes_bottom(const char *out[RUNTIMES_BOTTOM_MAX + 1]);
/* The i-th of all rows' start_files; NULL behind the last. */
const char *runtime_start_file(size_t i);
/* By its name; NULL: there is none, or name is NULL. */
const struct runtime *runtime_by_name(const char *name);
/* The name of the i-th; NULL behind the last. */
const char *runtime_name(size_t i);
/* Is this the base name of a file that has a runtime's functions? */
bool runtime_has_library(const char *base_name);
/* May a process that maps none become one, by the base name of its executable? only NULL: any runtime. */
bool runtime_has_launcher(const struct runtime *only, const char *exe_base_name);
/*
 * The runtime's file among the mappings of a process, opened. only: NULL, or the runtime that was asked for.
 * images: opened so far, may be NULL. -ENOENT with err when the process maps none; -ENOEXEC and others with
 * err. End with vm_file_close(), also on failure.
 */
int vm_file_open(const struct proc_maps *maps, const struct runtime *only, struct elf_cache *images,
		 const char *what, struct vm_file *out, struct error *err);
void vm_file_close(struct vm_file *f);
/* Does it map one, by name? vm_file_open() also finds an executable of another name. */
bool vm_file_is_mapped(const struct proc_maps *maps, const struct runtime *only);
/* Which one, of those too that only have frames; NULL: none. */
const struct runtime *runtime_mapped(const struct proc_maps *maps);

/* --- runtime.c: asking an instance. Each is the row's function of the same name --- */

int vm_open(pid_t pid, const struct vm_file *file, const struct proc_maps *maps, bool early, struct vm **out,
	    struct error *err);
void vm_close(struct vm *vm);
const char *vm_version(const struct vm *vm);
void vm_plan_walk(struct vm *vm, struct target_plan *p);
void vm_plan_scripts(struct vm *vm, struct target_plan *p);
void vm_plan_objects(struct vm *vm, struct target_plan *p);
void vm_plan_waits(struct vm *vm, struct target_plan *p);
void vm_plan_threads(struct vm *vm, struct target_plan *p);
size_t vm_anchors(const struct vm *vm, const struct plan_walk *walk, struct frame_anchor *out, size_t cap);
void vm_code(const struct vm *vm, struct vm_code *out);
int vm_name_frames(struct vm *vm, const struct plan_walk *walk, const struct vm_unloads *unloads,
		   struct error *err);
void vm_frames_refresh(struct vm *vm);
int vm_frames_add(struct vm *vm, const struct raw_frame *raw, struct frames *out);
int vm_frames_native(struct vm *vm, const struct raw_frame *raw, uint64_t *addr);
int vm_frames_script(struct vm *vm, uint64_t function, uint64_t pc, struct frames *out);
int vm_frames_remark(struct vm *vm, uint64_t pc, struct frames *out);
uint64_t vm_frames_unnamed(const struct vm *vm);
/* Zeros where the runtime says nothing. */
void vm_limits(const struct vm *vm, struct vm_limit out[NR_FAMILIES]);
uint64_t vm_slot_of(const struct vm *vm, uint64_t handle);
int vm_counts(struct vm *vm, struct vm_counts *out);
int vm_blocks(struct vm *vm, enum vm_table table, struct handle_blocks *out);
int vm_threads(struct vm *vm, struct vm_threads *out);
int vm_pile(struct vm *vm, struct vm_pile *out);
int vm_locals(struct vm *vm, struct vm_locals *out);
int vm_open_objects(struct vm *vm, struct error *err);
int vm_read_refs(struct vm *vm, struct vm_ref *refs, size_t n);
void vm_forget_classes(struct vm *vm);
int vm_collections(struct vm *vm, uint64_t *out);

#endif
