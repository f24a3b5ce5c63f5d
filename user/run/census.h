/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is in the reference tables of a JVM now, read from outside its process: nothing is attached and
 * the JVM is never stopped.
 */
#ifndef JNITRACE_CENSUS_H
#define JNITRACE_CENSUS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/util.h"
#include "elf/elf_cache.h"
#include "model/census.h"
#include "runtime/runtime.h"

/* A JVM that is looked at again and again; opaque. */
struct census_vm;

struct census_request {
	bool threads, classes;
	uint64_t budget_ms; /* for the classes; 0: none */
	/* So long it is tried again while the VM is too busy to be read, the first time. Later: a moment. */
	uint64_t patience_ms;
};

/*
 * Open the JVM of a process. only: NULL, or the runtime that was asked for. podinfo: see who.h. libraries:
 * opened so far, outlives the result; NULL: none. -ESRCH no such process, -ENOENT no JVM, -EAGAIN its VM is
 * just starting, -EPROTO with the reason when it cannot be read. *kind: the shown name of its runtime, also
 * on failure; "?" where it has none.
 */
int census_open(pid_t pid, const struct runtime *only, const char *podinfo, struct elf_cache *libraries,
		struct census_vm **out, const char **kind, struct error *err);
void census_close(struct census_vm *vm);
/* A reading; out is overwritten, its memory used again. -ESRCH: the process is gone. */
int census_read(struct census_vm *vm, const struct census_request *req, struct census *out,
		struct error *err);
void census_free(struct census *c);

#endif
