/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* HotSpot behind struct runtime: each question handed to the file that can answer it. */
#include "runtime/hotspot/row.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/hotspot/blocks.h"
#include "runtime/hotspot/counts.h"
#include "runtime/hotspot/events.h"
#include "runtime/hotspot/frames.h"
#include "runtime/hotspot/jni.h"
#include "runtime/hotspot/klass.h"
#include "runtime/hotspot/layout.h"
#include "runtime/hotspot/locals.h"
#include "runtime/hotspot/oops.h"
#include "runtime/hotspot/perf.h"
#include "runtime/hotspot/plan.h"
#include "runtime/hotspot/threads.h"
#include "runtime/hotspot/walk.h"

#define MARKED_SINCE_8U 200 /* of earlier ones it is not known which have it */

struct instance {
	struct vm vm;
	struct hotspot *h;
	const struct vm_file *file; /* not owned */
	bool checked;               /* it runs with -Xcheck:jni */
	struct oop_reader *oops;    /* NULL: not needed yet, or: */
	bool oops_refused;          /* how objects name their class can never be proven */
	struct error oops_why;
	struct java_symbols *frames; /* NULL: name_frames was not called */
	struct vm_unloads unloads;   /* what that was given */
	uint64_t unloads_at;         /* where the VM counts them itself; 0: the probes do */
	bool collectors_found;
	uint64_t collectors[HOTSPOT_COLLECTORS]; /* where the VM counts what they did */
};

static struct instance *of(struct vm *vm)
{
	return (struct instance *)vm;
}

static const struct instance *of_const(const struct vm *vm)
{
	return (const struct instance *)vm;
}

/* --- an instance --- */

static int open(pid_t pid, const struct vm_file *file, const struct proc_maps *maps, bool early,
		struct vm **out, struct error *err)
{
	struct instance *i = calloc(1, sizeof(*i));
	int rc;

	if (!i)
		return -ENOMEM;
	rc = hotspot_open(pid, file->elf, file->bias, maps, early, &i->h, err);
	if (rc == 0 && early)
		rc = hotspot_jni_begins(i->h, err);
	if (rc) {
		hotspot_close(i->h);
		free(i);
		return rc;
	}
	i->vm.runtime = &hotspot_runtime;
	i->file = file;
	i->checked = hotspot_checks_jni(i->h);
	*out = &i->vm;
	return 0;
}

static void close(struct vm *vm)
{
	struct instance *i = of(vm);

	java_symbols_free(i->frames);
	oop_reader_free(i->oops);
	hotspot_close(i->h);
	free(i);
}

static const char *version(const struct vm *vm)
{
	return of_const(vm)->h->version;
}

/* --- functions --- */

/*
 * With -Xcheck:jni the program's calls arrive at checked_jni_*, which call jni_*: that is where they are
 * counted. But of strings they hand out a copy of their own and free the inner function's, so that Get and
 * Release only meet in the outer ones (JDK: prims/jniCheck.cpp).
 */
static bool is_outer(const struct vm *vm, const struct func_row *row)
{
	return vm && of_const(vm)->checked && row->family == FAMILY_STRING;
}

static bool symbol(const struct vm *vm, const struct func_row *row, unsigned nth, char *name, size_t cap)
{
	snprintf(name, cap, "%sjni_%s", is_outer(vm, row) ? "checked_" : "", row->name);
	return nth == 0;
}

static const char *symbol_only(const struct vm *vm, const struct func_row *row)
{
	return is_outer(vm, row) ? "with -Xcheck:jni it needs a symbol, checked_jni_*" : NULL;
}

/*
 * Get<Type>Field of the primitive types: HotSpot generates code that reads the field and puts it into the
 * function table; only when a collection comes in between does that call the function (JDK: prims/jni.cpp,
 * quicken_jni_functions()).
 */
static bool may_be_replaced(const struct func_row *row)
{
	return row->operation == OP_USE && row->index >= 96 && row->index <= 103;
}

static int function_table(struct vm *vm, struct function_table *out, struct error *err)
{
	struct jni_tables t;
	int rc = hotspot_jni_tables(of(vm)->h, &t, err);

	memset(out, 0, sizeof(*out));
	for (int f = 0; f < NR_ALL_FUNCS && rc == 0; f++) {
		const struct func_row *row = &jni_catalog.funcs[f];

		if (!row->name)
			continue;
		out->at[0][f] = row->table == TABLE_VM ? t.vm[row->index] : t.env[row->index];
		out->absent[f] = row->table == TABLE_ENV && row->index >= t.nr_env;
	}
	return rc;
}

/* The number of the update, from "1.8.0_452-b09"; 0: it does not say. */
static int update_of(const struct hotspot *h)
{
	const char *number = strchr(h->version, '_');

	return number ? atoi(number + 1) : 0;
}

/*
 * JDK: runtime/jniHandles.hpp. Since 21 local 0, weak 1, global 2; from 9 on, and in updates of 8 (8166188),
 * only weak ones are marked, in bit 0; before nothing is.
 */
static void handle_kinds(const struct vm *vm, struct handle_kinds *out)
{
	static const struct handle_kinds all = {
	    .of = {[FAMILY_GLOBAL] = {.mask = 3, .bits = 2},
		   [FAMILY_WEAK] = {.mask = 3, .bits = 1},
		   [FAMILY_LOCAL] = {.mask = 3, .bits = 0}},
	    .weak_bit = true,
	};
	static const struct handle_kinds weak = {
	    .of = {[FAMILY_GLOBAL] = {.mask = 1, .bits = 0, .by_place = true, .by_books = true},
		   [FAMILY_WEAK] = {.mask = 1, .bits = 1},
		   [FAMILY_LOCAL] = {.mask = 1, .bits = 0, .by_place = true, .by_books = true}},
	    .weak_bit = true,
	};
	int feature = vm ? of_const(vm)->h->feature : 0;
	bool marked = feature >= 9 || (feature == 8 && update_of(of_const(vm)->h) >= MARKED_SINCE_8U);

	*out = feature >= 21 ? all : marked ? weak : (struct handle_kinds){0};
	out->never_bits = JNI_HANDLE_KIND_BITS; /* local references are marked by none of them */
}

/* --- references --- */

/*
 * None has a limit: storage grows until there is no memory. Each takes an entry of 8 bytes, not compressed,
 * beside which blocks have little more (JDK: gc/shared/oopStorage.inline.hpp; before 11, and of local
 * references, runtime/jniHandles.hpp). MaxJNILocalCapacity limits what may be asked for, not what there is.
 */
static void limits(const struct vm *vm, struct vm_limit out[NR_FAMILIES])
{
	static const struct vm_limit entry = {.known = true, .slot_bytes = 8};

	(void)vm;
	out[FAMILY_GLOBAL] = out[FAMILY_WEAK] = out[FAMILY_LOCAL] = entry;
}

static uint64_t slot_of(const struct vm *vm, uint64_t handle)
{
	(void)vm;
	return handle & ~JNI_HANDLE_KIND_BITS;
}

static int counts(struct vm *vm, struct vm_counts *out)
{
	return hotspot_counts(of(vm)->h, out);
}

static int blocks(struct vm *vm, enum vm_table table, struct handle_blocks *out)
{
	return hotspot_handle_blocks(of(vm)->h, table, out);
}

static int threads(struct vm *vm, struct vm_threads *out)
{
	return hotspot_threads(of(vm)->h, out);
}

static int locals(struct vm *vm, struct vm_locals *out)
{
	return hotspot_locals(of(vm)->h, out);
}

static int open_objects(struct vm *vm, struct error *err)
{
	struct instance *i = of(vm);
	int rc;

	if (i->oops)
		return 0;
	if (i->oops_refused) {
		*err = i->oops_why;
		return -EPROTO;
	}
	rc = oop_reader_new(i->h, &i->oops, err);
	if (rc == -EPROTO) {
		i->oops_refused = true;
		i->oops_why = *err;
	}
	return rc;
}

static int read_refs(struct vm *vm, struct vm_ref *refs, size_t n)
{
	return of(vm)->oops ? oop_read(of(vm)->oops, refs, n) : -EAGAIN;
}

/* JDK: gc/shared/collectorCounters.hpp. The first collector looks at young objects only, where there are
 * others. */
static int collections(struct vm *vm, uint64_t *out)
{
	struct instance *i = of(vm);
	uint64_t n;

	if (!i->collectors_found)
		hotspot_collectors(i->h, i->collectors);
	i->collectors_found = true;
	*out = 0;
	if (!i->collectors[0])
		return -EOPNOTSUPP;
	for (size_t k = 0; k < HOTSPOT_COLLECTORS && i->collectors[k]; k++) {
		int rc = proc_read(i->h->pid, i->collectors[k], &n, sizeof(n));

		if (rc)
			return rc;
		*out += n;
	}
	return 0;
}

static void forget_classes(struct vm *vm)
{
	if (of(vm)->oops)
		oop_reader_forget(of(vm)->oops);
}

/* --- what the probes must know --- */

static void plan_walk(struct vm *vm, struct plan_walk *out)
{
	hotspot_plan_walk(of(vm)->h, of(vm)->file, out);
}

static void plan_objects(struct vm *vm, struct plan_objects *out)
{
	struct error why = {0};
	int rc = open_objects(vm, &why);

	if (rc == 0)
		hotspot_plan_objects(of(vm)->oops, out);
	else if (rc == -EPROTO)
		out->state = PLAN_NEVER;
}

static void plan_waits(struct vm *vm, struct plan_waits *out)
{
	hotspot_plan_waits(of(vm)->h, of(vm)->file, out);
}

static int pile(struct vm *vm, struct vm_pile *out)
{
	return hotspot_pile(of(vm)->h, out);
}

static void plan_threads(struct vm *vm, struct plan_threads *out)
{
	hotspot_plan_threads(of(vm)->h, out);
}

static size_t anchors(const struct vm *vm, const struct plan_walk *walk, struct frame_anchor *out, size_t cap)
{
	return hotspot_anchors(of_const(vm)->h, &walk->java, out, cap);
}

/* --- names of frames --- */

/* A java_unloads_fn. */
static int unloads_now(void *instance, uint64_t klass, uint64_t *n, uint64_t *last)
{
	const struct instance *i = instance;
	int rc;

	if (!i->unloads_at)
		return i->unloads.now(i->unloads.of, klass, n, last);
	rc = proc_read(i->h->pid, i->unloads_at, n, sizeof(*n));
	*last = *n; /* nothing tells which ones they were */
	return rc;
}

static int name_frames(struct vm *vm, const struct plan_walk *walk, const struct vm_unloads *unloads,
		       struct error *err)
{
	struct instance *i = of(vm);

	i->unloads = *unloads;
	i->unloads_at = walk->java.unloads_at;
	return i->frames ? 0 : java_symbols_new(i->h, unloads_now, i, &i->frames, err);
}

static void frames_refresh(struct vm *vm)
{
	if (of(vm)->frames)
		java_symbols_refresh(of(vm)->frames);
}

static int frames_add(struct vm *vm, const struct raw_frame *raw, struct frames *out)
{
	return of(vm)->frames ? java_symbols_add(of(vm)->frames, raw, out) : -EOPNOTSUPP;
}

static int frames_native(struct vm *vm, const struct raw_frame *raw, uint64_t *addr)
{
	return of(vm)->frames ? java_symbols_native(of(vm)->frames, raw, addr) : -EOPNOTSUPP;
}

static uint64_t frames_unnamed(const struct vm *vm)
{
	return of_const(vm)->frames ? java_symbols_unnamed(of_const(vm)->frames) : 0;
}

/* --- the row --- */

static const char *const libraries[] = {"libjvm.so", NULL};
static const char *const bottom[] = {"libjvm.so", "libjli.so", NULL};
/*
 * Libraries of the JDK that a VM opens when it has read its options and has its first JavaThread, but before
 * anything of Java runs: since 13 libjava.so (JDK: runtime/os.cpp, os::native_java_library()); before
 * libzip.so (classfile/classLoader.cpp, ClassLoader::initialize()), as libjava.so comes before the options
 * there. JDK 8 has its libraries in a folder for each machine.
 */
static const char *const start_files[] = {"../lib/libjava.so",
					  "../lib/libzip.so",
					  "../lib/amd64/libzip.so",
					  "../jre/lib/amd64/libzip.so",
					  "../lib/aarch64/libzip.so",
					  "../jre/lib/aarch64/libzip.so",
					  NULL};
static const char *const launchers[] = {"java", NULL};

const struct runtime hotspot_runtime = {
    .name = "hotspot",
    .shown = "HotSpot",
    .api = "jni",
    .libraries = libraries,
    .launchers = launchers,
    .bottom = bottom,
    .start_files = start_files,
    .absent = "not a JVM, it maps no libjvm.so",
    .absent_advice = "name the process that runs Java: see jps or pgrep java",
    .open = open,
    .close = close,
    .version = version,
    .usdt_provider = "hotspot_jni",
    .symbol = symbol,
    .symbol_only = symbol_only,
    .may_be_replaced = may_be_replaced,
    .function_table = function_table,
    .handle_kinds = handle_kinds,
    .plan_walk = plan_walk,
    .plan_objects = plan_objects,
    .plan_waits = plan_waits,
    .plan_threads = plan_threads,
    .anchors = anchors,
    .name_frames = name_frames,
    .frames_refresh = frames_refresh,
    .frames_add = frames_add,
    .frames_native = frames_native,
    .frames_unnamed = frames_unnamed,
    .limits = limits,
    .slot_of = slot_of,
    .counts = counts,
    .blocks = blocks,
    .threads = threads,
    .pile = pile,
    .locals = locals,
    .open_objects = open_objects,
    .read_refs = read_refs,
    .forget_classes = forget_classes,
    .collections = collections,
};
