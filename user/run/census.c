/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is in the reference tables of a JVM. See census.h. */
#include "run/census.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "reconcile/census_classes.h"
#include "run/count_note.h"
#include "run/opening.h"
#include "run/who.h"

#define PAUSE_NS      2000000 /* between two tries to read a busy VM */
#define LATER_WAIT_MS 80      /* a VM that was read before is tried again so long */

struct census_vm {
	struct proc_id id;
	struct who who;
	struct opening at;
	struct error refused; /* why objects cannot be read */
	uint64_t first_ns;
	bool read_once;       /* all that was asked for */
	bool namespace_known; /* that is: */
	int renumbered;       /* 1: it has other ids in its own pid namespace, which it never leaves */
};

int census_open(pid_t pid, const struct runtime *only, const char *podinfo, struct elf_cache *libraries,
		struct census_vm **out, const char **kind, struct error *err)
{
	struct census_vm *vm = calloc(1, sizeof(*vm));
	struct vm_counts counts;
	char what[64];
	int rc = vm ? proc_id_read(pid, &vm->id) : -ENOMEM;

	snprintf(what, sizeof(what), "census of PID %d", (int)pid);
	if (rc < 0)
		error_set(err, rc, rc == -ESRCH ? EXIT_NO_TARGET : EXIT_FAILED, what,
			  rc == -ESRCH ? "see jps or pgrep java" : NULL, "%s",
			  rc == -ESRCH ? "no such process" : strerror(-rc));
	else
		rc = opening_look(&vm->at, &vm->id, only, libraries, false, what, err);
	*kind = vm && vm->at.file.runtime ? vm->at.file.runtime->shown : "?";
	if (rc == 0 && !vm->at.vm) {
		*err = vm->at.vm_why;
		rc = vm->at.starting ? -EAGAIN : -EPROTO; /* not starting: lying */
	} else if (rc == 0 && vm_counts(vm->at.vm, &counts) == -EOPNOTSUPP) {
		rc = error_set(err, -EPROTO, EXIT_FAILED, what, NULL, "%s has no reference tables", *kind);
	} else if (rc == -EAGAIN) {
		error_set(err, rc, EXIT_NO_TARGET, what, "see jps or pgrep java", "it has not loaded a VM");
	}
	if (rc < 0) {
		census_close(vm);
		return rc;
	}
	who_read(pid, podinfo, &vm->who);
	*out = vm;
	return 0;
}

void census_close(struct census_vm *vm)
{
	if (!vm)
		return;
	opening_close(&vm->at);
	free(vm);
}

static void census_clear(struct census *c)
{
	for (size_t i = 0; i < c->classes.n; i++)
		free(c->classes.v[i].of.v);
	for (size_t i = 0; i < c->names.n; i++)
		free(c->names.v[i]);
	c->classes.n = c->names.n = c->threads.n = 0;
}

void census_free(struct census *c)
{
	census_clear(c);
	free(c->classes.v);
	free(c->names.v);
	free(c->threads.v);
	memset(c, 0, sizeof(*c));
}

/* Where the VM counts must first be proven, which takes several readings while it is busy. */
static int read_counts(struct census_vm *vm, struct census *out)
{
	struct vm_counts counts;
	int rc = vm_counts(vm->at.vm, &counts);

	if (rc < 0)
		return rc;
	out->refs_known = counts.known;
	memcpy(out->refs, counts.n, sizeof(out->refs));
	memset(out->count_note, 0, sizeof(out->count_note));
	for (int t = 0; t < NR_VM_TABLES && counts.by_marks; t++)
		count_note_marks(out->count_note[t]);
	return counts.known ? 0 : -EAGAIN;
}

static void thread_name(pid_t pid, struct census_thread *t)
{
	char text[PROC_THREAD_NAME_MAX];

	text_clean(t->name, sizeof(t->name), text, proc_thread_name(pid, (pid_t)t->tid, text));
}

static bool is_listed(const struct vm_threads *threads, const struct vm_thread *t)
{
	for (size_t i = 0; i < threads->n; i++)
		if (threads->v[i].addr == t->addr && threads->v[i].tid == t->tid)
			return true;
	return false;
}

/* Attached by native code, as far as is known, and not to be found by its id as it is here. */
static bool may_be_gone(pid_t pid, const struct vm_thread *t)
{
	char path[64];

	if (t->tid <= 0 || t->native_attached == 0)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/task/%d", (int)pid, (int)t->tid);
	return access(path, F_OK) != 0;
}

/*
 * Which threads have ended without being detached? The VM lists them before and after the kernel was asked,
 * which knows them no more: one that is detached leaves the list before it ends.
 */
static int find_gone(struct census_vm *vm, const struct vm_threads *threads, bool *gone)
{
	struct vm_threads after = {0};
	struct proc_threads own = {0};
	size_t n = 0;
	int rc;

	for (size_t i = 0; i < threads->n; i++)
		n += gone[i] = may_be_gone(vm->id.pid, &threads->v[i]);
	if (n == 0)
		return 0;
	rc = proc_threads(vm->id.pid, &own);
	rc = rc ?: vm_threads(vm->at.vm, &after);
	for (size_t i = 0; i < threads->n && rc == 0; i++)
		gone[i] =
		    gone[i] && !proc_tid_here(&own, threads->v[i].tid) && is_listed(&after, &threads->v[i]);
	free(own.v);
	free(after.v);
	return rc;
}

static int compare_threads(const void *a, const void *b)
{
	const struct census_thread *x = a, *y = b;

	if (x->local_refs != y->local_refs)
		return x->local_refs < y->local_refs ? 1 : -1;
	return x->tid < y->tid ? -1 : x->tid > y->tid;
}

static int64_t add_known(int64_t sum, int64_t n)
{
	return sum < 0 || n < 0 ? -1 : sum + n;
}

static bool is_renumbered(struct census_vm *vm)
{
	if (!vm->namespace_known)
		vm->renumbered = proc_is_renumbered(vm->id.pid);
	vm->namespace_known = vm->renumbered >= 0;
	return vm->renumbered > 0;
}

/* The VM has the ids that the process itself sees; a person looks for those of this host. */
static void renumber(struct census_vm *vm, struct census *out)
{
	struct proc_threads own = {0};

	if (out->threads.n && is_renumbered(vm) && !proc_threads(vm->id.pid, &own))
		for (size_t i = 0; i < out->threads.n; i++)
			out->threads.v[i].tid =
			    proc_tid_here(&own, out->threads.v[i].tid) ?: out->threads.v[i].tid;
	free(own.v);
}

/* Those that have an id; the others have not started yet. gone: by their place in threads. */
static int fill_threads(struct census_vm *vm, const struct vm_threads *threads, const bool *gone, bool names,
			struct census *out)
{
	for (size_t i = 0; i < threads->n; i++) {
		const struct vm_thread *from = &threads->v[i];
		struct census_thread *t = from->tid > 0 ? VEC_ADD(&out->threads) : NULL;

		if (from->tid > 0 && !t)
			return -ENOMEM;
		if (from->local_refs > 0)
			out->local_refs += from->local_refs;
		out->native_attached = add_known(out->native_attached, from->native_attached);
		out->gone = add_known(out->gone, gone[i]);
		if (!t)
			continue;
		*t = (struct census_thread){.tid = from->tid,
					    .local_refs = from->local_refs,
					    .native_attached = from->native_attached,
					    .criticals = from->criticals,
					    .gone = gone[i]};
	}
	renumber(vm, out);
	for (size_t i = 0; i < out->threads.n && names; i++)
		if (!out->threads.v[i].gone)
			thread_name(vm->id.pid, &out->threads.v[i]);
	if (out->threads.n > 1)
		qsort(out->threads.v, out->threads.n, sizeof(*out->threads.v), compare_threads);
	return 0;
}

static int read_threads(struct census_vm *vm, bool names, struct census *out)
{
	struct vm_threads threads;
	int rc = vm_threads(vm->at.vm, &threads);
	bool *gone;

	out->local_refs = out->native_attached = out->gone = -1;
	if (rc < 0)
		return rc == -ESRCH || rc == -ENOMEM ? rc : 0;
	out->threads_known = true;
	out->local_refs = out->native_attached = 0;
	gone = calloc(threads.n + 1, sizeof(*gone));
	rc = gone ? find_gone(vm, &threads, gone) : -ENOMEM;
	out->gone = rc == 0 ? 0 : -1;
	if (rc != 0 && rc != -ENOMEM)
		memset(gone, 0, threads.n * sizeof(*gone)); /* it cannot be told just now */
	if (rc != -ENOMEM)
		rc = fill_threads(vm, &threads, gone, names, out);
	free(gone);
	free(threads.v);
	return rc;
}

static int read_sizes(struct census_vm *vm, struct census *out)
{
	for (int t = 0; t < NR_VM_TABLES; t++) {
		struct handle_blocks blocks;
		int rc = vm_blocks(vm->at.vm, (enum vm_table)t, &blocks);

		out->table_bytes_known[t] = rc == 0;
		out->table_bytes[t] = rc == 0 ? blocks.bytes : 0;
		out->tables[t].in_use = rc == 0 ? blocks.in_use : 0;
		free(blocks.v);
		if (rc == 0 && out->refs_known && out->refs[t] != blocks.in_use)
			rc = count_note(vm->at.vm, (enum vm_table)t, out->count_note[t]);
		if (rc == -ESRCH || rc == -ENOMEM)
			return rc;
	}
	return 0;
}

static int read_classes(struct census_vm *vm, uint64_t budget_ms, struct census *out)
{
	int rc;

	vm->refused = (struct error){0};
	rc = vm_open_objects(vm->at.vm, &vm->refused);
	if (rc == 0)
		rc = census_classes(vm->at.vm, budget_ms, out);
	out->classes_known = rc == 0;
	if (rc < 0)
		snprintf(out->refused, sizeof(out->refused), "%s",
			 vm->refused.why[0] ? vm->refused.why
					    : "its tables changed faster than they could be read");
	return rc == -ESRCH || rc == -ENOMEM || rc == -EAGAIN ? rc : 0;
}

/* One try. -EAGAIN: something could not be read while the VM is so busy; the rest is there. */
static int try_all(struct census_vm *vm, const struct census_request *req, struct census *out)
{
	bool busy;
	int rc;

	census_clear(out);
	out->refs_known = out->threads_known = out->classes_known = false;
	out->refused[0] = '\0';
	memset(out->tables, 0, sizeof(out->tables));
	memset(out->table_bytes, 0, sizeof(out->table_bytes));
	rc = read_counts(vm, out);
	busy = rc == -EAGAIN;
	if (rc == 0 || busy)
		rc = read_sizes(vm, out);
	if (rc == 0)
		rc = read_threads(vm, req->threads, out);
	if (rc == 0 && req->classes)
		rc = read_classes(vm, req->budget_ms, out);
	return rc == 0 && busy ? -EAGAIN : rc;
}

static int read_all(struct census_vm *vm, const struct census_request *req, struct census *out)
{
	uint64_t wait_ms = vm->read_once ? LATER_WAIT_MS : req->patience_ms;
	uint64_t end_ns = clock_ns(CLOCK_MONOTONIC) + wait_ms * 1000000;
	const struct timespec pause = {.tv_nsec = PAUSE_NS};
	int rc;

	while ((rc = try_all(vm, req, out)) == -EAGAIN && clock_ns(CLOCK_MONOTONIC) < end_ns)
		nanosleep(&pause, NULL);
	vm->read_once |= rc == 0;
	/* the same process to the end? */
	if (!proc_id_alive(&vm->id))
		return -ESRCH;
	return rc == -EAGAIN ? 0 : rc;
}

int census_read(struct census_vm *vm, const struct census_request *req, struct census *out, struct error *err)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	char what[64];
	int rc;

	vm->first_ns = vm->first_ns ? vm->first_ns : now;
	out->time_unix_s = (double)clock_ns(CLOCK_REALTIME) / 1e9;
	out->elapsed_s = (double)(now - vm->first_ns) / 1e9;
	out->target = (struct report_target){
	    .pid = vm->id.pid,
	    .start_time_ticks = vm->id.start_time_ticks,
	    .comm = vm->id.comm,
	    .vm = vm->at.file.runtime->shown,
	    .vm_version = vm_version(vm->at.vm),
	    .library = vm->at.file.mapping.path,
	    .build_id = elf_build_id(vm->at.file.elf),
	};
	who_tell(&vm->who, &out->target);
	rc = read_all(vm, req, out);
	out->read_ms = (double)(clock_ns(CLOCK_MONOTONIC) - now) / 1e6;
	if (rc == 0)
		return 0;
	snprintf(what, sizeof(what), "census of PID %d", (int)vm->id.pid);
	return error_set(err, rc, rc == -ESRCH ? EXIT_NO_TARGET : EXIT_FAILED, what, NULL, "%s",
			 rc == -ESRCH ? "it has exited" : strerror(-rc));
}
