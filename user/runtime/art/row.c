/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Android's ART behind struct runtime: each question handed to the file that can answer it. */
#include "runtime/art/row.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/art/art.h"
#include "runtime/art/classes.h"
#include "runtime/art/frames.h"
#include "runtime/art/jni.h"
#include "runtime/art/layout.h"
#include "runtime/art/threads.h"

#define OBJECTS_TRIED   64
#define MAX_LOCAL_BYTES (128u << 20)

static struct art *of(struct vm *vm)
{
	return (struct art *)vm;
}

/* --- an instance --- */

static int open(pid_t pid, const struct vm_file *file, const struct proc_maps *maps, bool early,
		struct vm **out, struct error *err)
{
	struct art *a = calloc(1, sizeof(*a));
	int rc;

	(void)early;
	if (!a)
		return -ENOMEM;
	a->vm.runtime = &art_runtime;
	a->pid = pid;
	a->file = file;
	rc = art_find_tables(a, maps, &a->tables);
	if (rc) {
		if (rc != -ENOMEM)
			rc = art_error(a, err, rc,
				       rc == -EAGAIN ? "its library has no table of JNI functions yet"
						     : "the data of its library cannot be read");
		free(a);
		return rc;
	}
	art_prove_layout(a); /* for the version; what it cannot prove yet is asked again */
	*out = &a->vm;
	return 0;
}

static void close(struct vm *vm)
{
	art_frames_free(of(vm)->frames);
	art_classes_free(of(vm)->classes);
	free(of(vm));
}

/* The text comes when the layout is proven. */
static const char *version(const struct vm *vm)
{
	return ((const struct art *)vm)->version;
}

/* --- functions --- */

static bool symbol(const struct vm *vm, const struct func_row *row, unsigned nth, char *name, size_t cap)
{
	(void)vm;
	return art_symbol(row, nth, name, cap);
}

static int function_table(struct vm *vm, struct function_table *out, struct error *err)
{
	return art_function_table(of(vm), out, err);
}

/*
 * ART: IndirectRefKind, in the lowest bits of a handle: 1 of local references, which are tables' too, or an
 * address of the object's (transition frames of native methods), 2 global, 3 weak.
 */
static void handle_kinds(const struct vm *vm, struct handle_kinds *out)
{
	(void)vm;
	*out = (struct handle_kinds){.of = {[FAMILY_GLOBAL] = {.mask = 3, .bits = 2},
					    [FAMILY_WEAK] = {.mask = 3, .bits = 3},
					    [FAMILY_LOCAL] = {.mask = 2, .bits = 0}}};
}

/* --- references --- */

/*
 * ART: runtime/jni/java_vm_ext.cc, kGlobalsMax and kWeakGlobalsMax. Tables of local references grow up to 128
 * MiB, by 16 bytes an entry in Android 10 and 11, by 4 since 14 (runtime/indirect_reference_table.h and
 * jni/local_reference_table.h, kMaxTableSizeInBytes).
 */
static void limits(const struct vm *vm, struct vm_limit out[NR_FAMILIES])
{
	const struct art *a = (const struct art *)vm;
	struct vm_limit whole = {.known = true,
				 .most = ART_TABLE_MAX,
				 .then = "the VM aborts",
				 .slot_bytes = a->layout.entry_bytes};

	out[FAMILY_GLOBAL] = out[FAMILY_WEAK] = whole;
	if (!a->layout.local_entry_bytes)
		return;
	out[FAMILY_LOCAL] = (struct vm_limit){.known = true,
					      .most = MAX_LOCAL_BYTES / a->layout.local_entry_bytes,
					      .then = "the VM aborts",
					      .per_thread = true,
					      .slot_bytes = a->layout.local_entry_bytes};
}

static uint64_t slot_of(const struct vm *vm, uint64_t handle)
{
	return art_slot_of((const struct art *)vm, handle);
}

static int counts(struct vm *vm, struct vm_counts *out)
{
	int rc = art_prove_layout(of(vm));

	if (rc) /* not yet: known stays false */
		return rc == -EAGAIN ? 0 : rc;
	for (int t = 0; t < NR_VM_TABLES; t++) {
		struct art_count n;

		rc = art_count(of(vm), t, &n);
		if (rc)
			return rc == -EAGAIN ? 0 : rc;
		out->n[t] = n.live;
	}
	out->known = true;
	return 0;
}

static int blocks(struct vm *vm, enum vm_table table, struct handle_blocks *out)
{
	struct art *a = of(vm);
	struct art_entries e;
	int rc = art_prove_layout(a);

	rc = rc ?: art_read_entries(a, table, &e);
	if (rc)
		return rc;
	for (size_t i = 0; i < e.n && rc == 0; i += HANDLES_PER_BLOCK_MAX) {
		struct handle_block *b = VEC_ADD(out);

		if (!b) {
			rc = -ENOMEM;
			break;
		}
		b->addr = art_slot(table, i);
		for (size_t k = 0; k < HANDLES_PER_BLOCK_MAX && i + k < e.n; k++)
			b->in_use |= (uint64_t) !!e.ref[i + k] << k;
		out->in_use += (uint64_t)__builtin_popcountll(b->in_use);
	}
	out->slots = e.n;
	out->bytes = e.n * a->layout.entry_bytes;
	out->stable = true; /* the table stays where it is */
	free(e.ref);
	if (rc) {
		free(out->v);
		*out = (struct handle_blocks){0};
	}
	return rc;
}

/* After the layout of tables is known, which is that of local ones up to Android 13. */
static int threads(struct vm *vm, struct vm_threads *out)
{
	int rc = art_prove_layout(of(vm));

	return rc == -EPROTO || rc == 0 ? art_threads(of(vm), out) : rc;
}

static void plan_threads(struct vm *vm, struct plan_threads *out)
{
	struct art *a = of(vm);

	if (art_prove_layout(a))
		return;
	art_plan_entries(a, &out->config);
	out->state = PLAN_READY;
	out->whole = true;
}

/* With the first object that tells. */
static int open_objects(struct vm *vm, struct error *err)
{
	struct art *a = of(vm);
	int rc = a->classes ? 0 : art_prove_layout(a);

	for (int t = 0; t < NR_VM_TABLES && rc == 0 && !a->classes; t++) {
		struct art_entries e;

		rc = art_read_entries(a, t, &e);
		for (size_t i = 0, tried = 0; rc == 0 && i < e.n && tried < OBJECTS_TRIED && !a->classes;
		     i++) {
			tried += !!e.ref[i];
			if (e.ref[i] && art_classes_new(a, e.ref[i], &a->classes) == -ENOMEM)
				rc = -ENOMEM;
		}
		free(e.ref);
	}
	if (rc == 0 && !a->classes)
		rc = -EAGAIN;
	return rc == -ENOMEM || rc == 0
		   ? rc
		   : art_error(a, err, rc,
			       rc == -EAGAIN ? "no object tells yet where classes are named"
					     : "its tables of references could not be understood");
}

static int read_refs(struct vm *vm, struct vm_ref *refs, size_t n)
{
	struct art *a = of(vm);
	struct art_window window = {0};
	int rc = a->classes ? 0 : -EAGAIN;

	for (size_t i = 0; i < n && rc == 0; i++) {
		uint64_t slot = refs[i].slot;
		uint32_t object;

		refs[i] = (struct vm_ref){.slot = slot, .state = REF_UNREADABLE};
		rc = art_read_slot(a, slot, &window, &object);
		if (rc == 0 && !object)
			refs[i].state = REF_NULL;
		else if (rc == 0)
			rc = art_classes_read(a->classes, object, &refs[i]);
		if (rc && rc != -ESRCH && rc != -ENOMEM)
			rc = 0;
	}
	return rc;
}

static void forget_classes(struct vm *vm)
{
	if (of(vm)->classes)
		art_classes_forget(of(vm)->classes);
}

/* --- frames --- */

/* Their names need what the names of classes do. */
static void plan_walk(struct vm *vm, struct plan_walk *out)
{
	struct error why = {0};
	int rc = out->state == PLAN_NOT_YET ? art_plan_fragments(of(vm), &out->java) : 0;

	if (out->state != PLAN_NOT_YET)
		return;
	rc = rc ?: open_objects(vm, &why);
	if (rc == -EAGAIN)
		return;
	out->state = rc ? PLAN_NEVER : PLAN_READY;
	if (rc)
		snprintf(out->why, sizeof(out->why), "%s",
			 why.why[0] ? why.why : "its threads are not as they are in versions that are known");
}

static int name_frames(struct vm *vm, const struct plan_walk *walk, const struct vm_unloads *unloads,
		       struct error *err)
{
	struct art *a = of(vm);

	(void)walk;
	(void)unloads;
	(void)err;
	a->frames = a->frames ?: art_frames_new(a, a->classes);
	return a->frames ? 0 : -ENOMEM;
}

static int frames_add(struct vm *vm, const struct raw_frame *raw, struct frames *out)
{
	return of(vm)->frames ? art_frames_add(of(vm)->frames, raw, out) : -EOPNOTSUPP;
}

/* A native method's function always has a frame: the runtime calls it, and has work to do when it returns. */
static int frames_native(struct vm *vm, const struct raw_frame *raw, uint64_t *addr)
{
	(void)vm;
	(void)raw;
	*addr = 0;
	return 0;
}

static uint64_t frames_unnamed(const struct vm *vm)
{
	const struct art *a = (const struct art *)vm;

	return a->frames ? art_frames_unnamed(a->frames) : 0;
}

/* --- the row --- */

static const char *const libraries[] = {"libart.so", "libartd.so", "libart.so.0", "libartd.so.0", NULL};
static const char *const launchers[] = {"app_process64", "app_process", "dalvikvm64", "dalvikvm", NULL};

const struct runtime art_runtime = {
    .name = "art",
    .shown = "ART",
    .api = "jni",
    .libraries = libraries,
    .launchers = launchers,
    .bottom = libraries,
    .absent = "it maps no libart.so",
    .absent_advice = "name the process of an app: see ps -A",
    .open = open,
    .close = close,
    .version = version,
    .symbol = symbol,
    .function_table = function_table,
    .handle_kinds = handle_kinds,
    .by_fragments = true,
    .plan_walk = plan_walk,
    .plan_threads = plan_threads,
    .name_frames = name_frames,
    .frames_add = frames_add,
    .frames_native = frames_native,
    .frames_unnamed = frames_unnamed,
    .limits = limits,
    .slot_of = slot_of,
    .counts = counts,
    .blocks = blocks,
    .threads = threads,
    .open_objects = open_objects,
    .read_refs = read_refs,
    .forget_classes = forget_classes,
};
