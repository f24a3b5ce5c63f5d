/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "runtime/ruby/shape.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "elf/elf_cfi.h"
#include "elf/elf_frames.h"

#define MIN_INSNS          150
#define MAX_DATA_BYTES     (32 << 20)
#define MAX_CODE_BYTES     (64 << 20)
#define CALL_BYTES         5 /* call rel32 */
#define CALL_OPCODE        0xe8
#define MOV_ESI_BYTES      5 /* mov $imm32, %esi: the second argument */
#define MOV_ESI_OPCODE     0xbe
#define MAX_ARGUMENT_BYTES 48 /* from there to the call */

/* The longest run of words that point into one function. */
struct run {
	size_t n;
	uint64_t lowest, highest; /* of the words */
	uint64_t function;        /* link-time */
};

static void longest_run(struct elf_cfi_table *cfi, const struct vm_file *file, const uint64_t *word, size_t n,
			struct run *best)
{
	uint64_t begin = 0, end = 0;
	uint64_t lo, hi;
	struct run now = {0};

	if (!elf_code_extent(file->elf, &lo, &hi))
		return;
	for (size_t i = 0; i < n; i++) {
		uint64_t w = word[i], at = w - file->bias;

		if (at < begin || at >= end) {
			now = (struct run){.lowest = w};
			if (at < lo || at >= hi || !elf_cfi_function(cfi, at, &begin, &end))
				begin = end = 0;
			now.function = begin;
		}
		now.n += end != 0;
		now.lowest = w < now.lowest ? w : now.lowest;
		now.highest = w > now.highest ? w : now.highest;
		if (now.n > best->n)
			*best = now;
	}
}

/* The table in the file's data, as it is in memory, where all its addresses are filled in. */
static int find_table(const struct vm_file *file, const struct proc_maps *maps, struct elf_cfi_table *cfi,
		      struct run *out)
{
	int rc = 0;

	*out = (struct run){0};
	for (size_t i = 0; i < maps->n && !rc; i++) {
		const struct mapping *m = &maps->v[i];
		uint64_t bytes = m->end - m->start;
		uint64_t *word;

		if (m->dev != file->mapping.dev || m->ino != file->mapping.ino || m->executable ||
		    !m->readable || bytes > MAX_DATA_BYTES)
			continue;
		word = malloc(bytes);
		rc = word ? proc_read(maps->pid, m->start, word, bytes) : -ENOMEM;
		if (!rc)
			longest_run(cfi, file, word, bytes / sizeof(*word), out);
		free(word);
		rc = rc == -EFAULT ? 0 : rc; /* behind the file's end */
	}
	return rc ?: out->n >= MIN_INSNS ? 0 : -ENOENT;
}

/* The file's code, as one piece. */
struct code {
	uint8_t *p;
	size_t n;
	uint64_t vaddr;
};

static int read_code(const struct vm_file *file, struct code *out)
{
	uint64_t lo, hi;

	*out = (struct code){0};
	if (!elf_code_extent(file->elf, &lo, &hi) || hi - lo > MAX_CODE_BYTES)
		return -ENOENT;
	out->p = malloc(hi - lo);
	if (!out->p)
		return -ENOMEM;
	out->n = elf_read(file->elf, lo, out->p, hi - lo);
	out->vaddr = lo;
	return 0;
}

static bool is_call(const struct code *c, size_t at, uint64_t *target)
{
	int32_t distance;

	if (at + CALL_BYTES > c->n || c->p[at] != CALL_OPCODE)
		return false;
	memcpy(&distance, c->p + at + 1, sizeof(distance));
	*target = c->vaddr + at + CALL_BYTES + (uint64_t)(int64_t)distance;
	return true;
}

/* Where calls of a function return to. */
static int find_calls(const struct code *c, uint64_t bias, uint64_t function, struct ruby_interpreter *out)
{
	uint64_t target;

	for (size_t i = 0; i < c->n; i++) {
		if (!is_call(c, i, &target) || target != function)
			continue;
		if (out->nr_returns < SCRIPT_RETURNS)
			out->returns[out->nr_returns] = c->vaddr + i + CALL_BYTES + bias;
		out->nr_returns++;
	}
	return out->nr_returns && out->nr_returns <= SCRIPT_RETURNS ? 0 : -ENOENT;
}

/* Is the function at target this one, or a jump to it through a word that the dynamic linker has filled in?
 */
static bool leads_to(const struct code *c, const struct vm_file *file, pid_t pid, uint64_t target,
		     uint64_t function)
{
	static const uint8_t jump[] = {0xff, 0x25};
	uint64_t at = target - c->vaddr, word;
	int32_t distance;

	if (target == function)
		return true;
	if (at >= c->n || c->n - at < sizeof(jump) + sizeof(distance) ||
	    memcmp(c->p + at, jump, sizeof(jump)) != 0)
		return false;
	memcpy(&distance, c->p + at + sizeof(jump), sizeof(distance));
	word = target + sizeof(jump) + sizeof(distance) + (uint64_t)(int64_t)distance;
	return !proc_read(pid, word + file->bias, &word, sizeof(word)) && word == function + file->bias;
}

/*
 * A finalizer is an object whose method `call` is called, if it has one: by rb_check_funcall(object, idCall,
 * ...), which nothing else does (ruby: gc.c, run_single_final()). Where it is called so from one place, that
 * is the one.
 */
static uint64_t find_finalizer(const struct code *c, const struct vm_file *file, pid_t pid, uint32_t id_call)
{
	struct elf_wanted function = {.name = "rb_check_funcall"};
	uint64_t found = 0, target;

	elf_find_symbols(file->elf, ELF_DYNSYM, &function, 1);
	for (size_t i = 0; function.vaddr && i + CALL_BYTES < c->n; i++) {
		if (c->p[i] != MOV_ESI_OPCODE || memcmp(c->p + i + 1, &id_call, sizeof(id_call)) != 0)
			continue;
		for (size_t k = i + MOV_ESI_BYTES; k < i + MAX_ARGUMENT_BYTES; k++) {
			if (!is_call(c, k, &target) || !leads_to(c, file, pid, target, function.vaddr))
				continue;
			if (found)
				return 0;
			found = c->vaddr + k + CALL_BYTES + file->bias;
			break;
		}
	}
	return found;
}

int ruby_find_interpreter(const struct vm_file *file, const struct proc_maps *maps, uint32_t id_call,
			  struct ruby_interpreter *out)
{
	struct elf_cfi_table *cfi;
	struct code code = {0};
	struct run table;
	int rc = elf_cfi_open(file->elf, &cfi);

	*out = (struct ruby_interpreter){0};
	if (rc)
		return rc;
	rc = find_table(file, maps, cfi, &table);
	elf_cfi_close(cfi);
	rc = rc ?: read_code(file, &code);
	rc = rc ?: find_calls(&code, file->bias, table.function, out);
	if (!rc)
		out->finalizer = find_finalizer(&code, file, maps->pid, id_call);
	free(code.p);
	out->insns_start = table.lowest;
	out->insns_end = table.highest + 1;
	return rc;
}
