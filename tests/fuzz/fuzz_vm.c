/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A VM whose memory lies. The VM is a real one, the process JNITRACE_FUZZ_PID; what is read of it is changed
 * on the way by the input: its first byte chooses the questions, then come lies of 8 bytes each (struct lie).
 */
#include "fuzz.h"

#include <sanitizer/asan_interface.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "elf/elf_cache.h"
#include "proc/foreign.h"
#include "proc/linker.h"
#include "runtime/runtime.h"

#define LIES_MAX   32
#define REFS_MAX   4096
#define FRAMES     512
#define HEAP_STEP  (1 << 7)
#define PLAN_TRIES 3

struct lie {
	uint32_t read; /* which of all reads, counted from 0 */
	uint32_t at;   /* which byte of it, modulo its length */
	uint8_t how;
	uint16_t value;
};
static struct {
	pid_t pid;
	struct proc_maps maps;
	struct elf_cache *images;
	struct vm_file file; /* is no lie: the same for all inputs */
	struct lie lie[LIES_MAX];
	size_t nr_lies;
	uint32_t reads;
} fuzz;

static void lie_in(const struct lie *l, const struct iovec *to, unsigned long n)
{
	size_t bytes = 0, at;
	uint8_t *p = NULL;
	uint64_t word;

	for (unsigned long i = 0; i < n; i++)
		bytes += to[i].iov_len;
	at = bytes ? l->at % bytes : 0;
	for (unsigned long i = 0; i < n && !p; i++) {
		if (at < to[i].iov_len) {
			p = to[i].iov_base;
			bytes = to[i].iov_len;
		} else {
			at -= to[i].iov_len;
		}
	}
	if (!p)
		return;
	switch (l->how % 6) {
	case 0:
		p[at] ^= l->value;
		return;
	case 1:
		p[at] = (uint8_t)l->value;
		return;
	case 2:
		memset(p, (uint8_t)l->value, bytes);
		return;
	}
	at &= ~(size_t)7;
	if (at + sizeof(word) > bytes)
		return;
	memcpy(&word, p + at, sizeof(word));
	word = l->how % 6 == 3   ? word + (uint64_t)(int16_t)l->value
	       : l->how % 6 == 4 ? (uint64_t)l->value << 48 | l->value
				 : UINT64_MAX - l->value;
	memcpy(p + at, &word, sizeof(word));
}

/* In place of libc's: all of the tool reads a process's memory by this. */
ssize_t process_vm_readv(pid_t pid, const struct iovec *to, unsigned long nr_to, const struct iovec *from,
			 unsigned long nr_from, unsigned long flags)
{
	ssize_t got;

	for (unsigned long i = 0; i < nr_to; i++)
		if (__asan_region_is_poisoned(to[i].iov_base, to[i].iov_len))
			abort(); /* the kernel writes there without asking */
	got = syscall(SYS_process_vm_readv, pid, to, nr_to, from, nr_from, flags);
	for (size_t i = 0; i < fuzz.nr_lies && got > 0; i++)
		if (fuzz.lie[i].read == fuzz.reads)
			lie_in(&fuzz.lie[i], to, nr_to);
	fuzz.reads++;
	return got;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *pid = getenv("JNITRACE_FUZZ_PID");
	struct error err = {0};

	(void)argc, (void)argv;
	foreign_in_place(); /* what is read is made up here */
	fuzz.pid = pid ? atoi(pid) : 0;
	if (fuzz.pid <= 0 || proc_maps_read(fuzz.pid, &fuzz.maps) != 0 ||
	    elf_cache_new(NULL, &fuzz.images) != 0 ||
	    vm_file_open(&fuzz.maps, NULL, fuzz.images, "fuzz", &fuzz.file, &err) != 0) {
		fprintf(stderr, "JNITRACE_FUZZ_PID names no JVM: %s\n", err.why);
		exit(1);
	}
	return 0;
}

static int no_unloads(void *of, uint64_t class_id, uint64_t *n, uint64_t *last)
{
	(void)of, (void)class_id;
	*n = *last = 0;
	return 0;
}

static void ask_frames(struct vm *vm, const struct target_plan *plan)
{
	const struct java_config *c = &plan->walk.java;
	const struct vm_unloads unloads = {.now = no_unloads};
	struct frames frames = {0};
	struct error err = {0};
	size_t asked = 0;
	uint64_t native;

	if (plan->walk.state != PLAN_READY || vm_name_frames(vm, &plan->walk, &unloads, &err) != 0)
		return;
	for (int i = 0; i < c->nr_heaps && i < JAVA_MAX_HEAPS; i++) {
		for (uint64_t at = c->heap[i].start; at < c->heap[i].end && asked < FRAMES; at += HEAP_STEP) {
			uint64_t blob = at + c->heap_block_bytes;
			uint32_t id = 0;

			if (proc_read(fuzz.pid, blob + c->compile_id, &id, sizeof(id)) != 0)
				break;
			if (!id || id > 20000)
				continue;
			for (uint64_t pc = 0; pc < 1024; pc += 67, asked++) {
				struct raw_frame raw = {(uint64_t)RAW_COMPILED << RAW_KIND_SHIFT | blob,
							(uint64_t)id << 32 | pc};

				vm_frames_add(vm, &raw, &frames);
				vm_frames_native(vm, &raw, &native);
			}
		}
	}
	for (size_t i = 0; i < frames.n; i++)
		if (frames.v[i].symbol && strlen(frames.v[i].symbol) > 100000)
			abort();
	vm_frames_refresh(vm);
	free(frames.v);
}

static void ask_objects(struct vm *vm)
{
	struct handle_blocks blocks[NR_VM_TABLES] = {0};
	struct vm_ref *refs = calloc(REFS_MAX, sizeof(*refs));
	struct error err = {0};
	size_t n = 0;

	if (!refs)
		abort();
	for (enum vm_table t = 0; t < NR_VM_TABLES; t++) {
		if (vm_blocks(vm, t, &blocks[t]) != 0)
			continue;
		for (size_t i = 0; i < blocks[t].n && n < REFS_MAX; i++)
			for (int bit = 0; bit < HANDLES_PER_BLOCK_MAX && n < REFS_MAX; bit++)
				if (blocks[t].v[i].in_use >> bit & 1)
					refs[n++].slot = blocks[t].v[i].addr + bit * VM_SLOT_BYTES;
		free(blocks[t].v);
	}
	if (vm_open_objects(vm, &err) == 0 && vm_read_refs(vm, refs, n) == 0) {
		for (size_t i = 0; i < n; i++)
			if (refs[i].class && !strlen(refs[i].class->name))
				abort();
		vm_forget_classes(vm);
	}
	free(refs);
}

static void ask_threads(struct vm *vm, const struct target_plan *plan)
{
	struct frame_anchor anchors[64];
	struct vm_threads threads = {0};
	struct vm_locals locals = {0};
	struct vm_counts counts = {0};
	struct linker linker;

	if (vm_threads(vm, &threads) == 0)
		free(threads.v);
	if (vm_locals(vm, &locals) == 0)
		vm_locals_free(&locals);
	vm_counts(vm, &counts);
	if (plan->walk.state == PLAN_READY)
		vm_anchors(vm, &plan->walk, anchors, 64);
	linker_find(fuzz.pid, &linker);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	uint8_t questions = (uint8_t)fuzz_number(&data, &n, 1);
	struct target_plan plan = {.families = (1U << NR_FAMILIES) - 1};
	struct vm *vm = NULL;
	struct error err = {0};

	fuzz.reads = 0;
	for (fuzz.nr_lies = 0; n >= 8 && fuzz.nr_lies < LIES_MAX; fuzz.nr_lies++)
		fuzz.lie[fuzz.nr_lies] = (struct lie){
		    .read = (uint32_t)fuzz_number(&data, &n, 2),
		    .at = (uint32_t)fuzz_number(&data, &n, 3),
		    .how = (uint8_t)fuzz_number(&data, &n, 1),
		    .value = (uint16_t)fuzz_number(&data, &n, 2),
		};
	if (vm_open(fuzz.pid, &fuzz.file, &fuzz.maps, false, &vm, &err) == 0) {
		for (int i = 0; i < PLAN_TRIES; i++) {
			vm_plan_walk(vm, &plan);
			vm_plan_objects(vm, &plan);
			vm_plan_waits(vm, &plan);
			vm_plan_threads(vm, &plan);
		}
		if (questions & 1)
			ask_threads(vm, &plan);
		if (questions & 2)
			ask_objects(vm);
		if (questions & 4)
			ask_frames(vm, &plan);
	}
	if (vm)
		vm_close(vm);
	return 0;
}
