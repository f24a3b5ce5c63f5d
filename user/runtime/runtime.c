/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Asking a runtime: what it cannot do, and a VM that is not there, answered at one place. */
#include "runtime/runtime.h"

#include <errno.h>
#include <string.h>

/* Hand the question on, or answer that it cannot be answered. */
#define ASK(vm, question, ...)                                                                               \
	((vm) && (vm)->runtime->question ? (vm)->runtime->question((vm), ##__VA_ARGS__) : -EOPNOTSUPP)
#define TELL(vm, what, ...)                                                                                  \
	do {                                                                                                 \
		if ((vm) && (vm)->runtime->what)                                                             \
			(vm)->runtime->what((vm), ##__VA_ARGS__);                                            \
	} while (0)

int vm_open(pid_t pid, const struct vm_file *file, const struct proc_maps *maps, bool early, struct vm **out,
	    struct error *err)
{
	return file->runtime->open(pid, file, maps, early, out, err);
}

void vm_close(struct vm *vm)
{
	TELL(vm, close);
}

const char *vm_version(const struct vm *vm)
{
	return vm && vm->runtime->version ? vm->runtime->version(vm) : "";
}

/* --- what the probes must know --- */

void vm_plan_walk(struct vm *vm, struct target_plan *p)
{
	if (p->walk.state == PLAN_NOT_YET)
		TELL(vm, plan_walk, &p->walk);
}

void vm_plan_scripts(struct vm *vm, struct target_plan *p)
{
	if (p->scripts.state == PLAN_NOT_YET)
		TELL(vm, plan_scripts, &p->scripts);
}

void vm_plan_objects(struct vm *vm, struct target_plan *p)
{
	if (p->objects.state == PLAN_NOT_YET)
		TELL(vm, plan_objects, &p->objects);
}

void vm_plan_waits(struct vm *vm, struct target_plan *p)
{
	if (p->waits.state != PLAN_NOT_YET)
		return;
	if (vm && vm->runtime->plan_waits) {
		vm->runtime->plan_waits(vm, &p->waits);
		return;
	}
	p->waits.state = PLAN_NEVER;
	p->waits.collector = -1;
	p->waits.why = "the VM's tables could not be read";
}

void vm_plan_threads(struct vm *vm, struct target_plan *p)
{
	if (p->threads.state == PLAN_NOT_YET || (p->threads.state == PLAN_DONE && !p->threads.whole))
		TELL(vm, plan_threads, &p->threads);
}

size_t vm_anchors(const struct vm *vm, const struct plan_walk *walk, struct frame_anchor *out, size_t cap)
{
	return vm && vm->runtime->anchors ? vm->runtime->anchors(vm, walk, out, cap) : 0;
}

/* --- names of frames --- */

void vm_code(const struct vm *vm, struct vm_code *out)
{
	*out = (struct vm_code){0};
	TELL(vm, code, out);
}

int vm_name_frames(struct vm *vm, const struct plan_walk *walk, const struct vm_unloads *unloads,
		   struct error *err)
{
	return ASK(vm, name_frames, walk, unloads, err);
}

void vm_frames_refresh(struct vm *vm)
{
	TELL(vm, frames_refresh);
}

int vm_frames_add(struct vm *vm, const struct raw_frame *raw, struct frames *out)
{
	return ASK(vm, frames_add, raw, out);
}

int vm_frames_native(struct vm *vm, const struct raw_frame *raw, uint64_t *addr)
{
	*addr = 0;
	return ASK(vm, frames_native, raw, addr);
}

int vm_frames_script(struct vm *vm, uint64_t function, uint64_t pc, struct frames *out)
{
	return vm && vm->runtime->frames_script ? vm->runtime->frames_script(vm, function, pc, out) : 0;
}

int vm_frames_remark(struct vm *vm, uint64_t pc, struct frames *out)
{
	return vm && vm->runtime->frames_remark ? vm->runtime->frames_remark(vm, pc, out) : 0;
}

uint64_t vm_frames_unnamed(const struct vm *vm)
{
	return vm && vm->runtime->frames_unnamed ? vm->runtime->frames_unnamed(vm) : 0;
}

/* --- references --- */

void vm_limits(const struct vm *vm, struct vm_limit out[NR_FAMILIES])
{
	memset(out, 0, NR_FAMILIES * sizeof(*out));
	TELL(vm, limits, out);
}

uint64_t vm_slot_of(const struct vm *vm, uint64_t handle)
{
	return vm && vm->runtime->slot_of ? vm->runtime->slot_of(vm, handle) : handle;
}

int vm_counts(struct vm *vm, struct vm_counts *out)
{
	memset(out, 0, sizeof(*out));
	return ASK(vm, counts, out);
}

int vm_blocks(struct vm *vm, enum vm_table table, struct handle_blocks *out)
{
	memset(out, 0, sizeof(*out));
	return ASK(vm, blocks, table, out);
}

int vm_threads(struct vm *vm, struct vm_threads *out)
{
	memset(out, 0, sizeof(*out));
	return ASK(vm, threads, out);
}

int vm_pile(struct vm *vm, struct vm_pile *out)
{
	memset(out, 0, sizeof(*out));
	return ASK(vm, pile, out);
}

int vm_locals(struct vm *vm, struct vm_locals *out)
{
	memset(out, 0, sizeof(*out));
	return ASK(vm, locals, out);
}

int vm_open_objects(struct vm *vm, struct error *err)
{
	return ASK(vm, open_objects, err);
}

int vm_read_refs(struct vm *vm, struct vm_ref *refs, size_t n)
{
	return ASK(vm, read_refs, refs, n);
}

void vm_forget_classes(struct vm *vm)
{
	TELL(vm, forget_classes);
}

int vm_collections(struct vm *vm, uint64_t *out)
{
	*out = 0;
	return ASK(vm, collections, out);
}
