/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which thread has which JNIEnv when tracing begins: later ones are seen when they call. */
#ifndef JNITRACE_ENV_OWNERS_H
#define JNITRACE_ENV_OWNERS_H

#include "kernel/tracer.h"
#include "runtime/runtime.h"

/*
 * Tell the tracer, for the names in findings; c: where the runtime's threads have what is theirs. Threads
 * that come or go meanwhile are left out. 0 or -errno.
 */
int env_owners_tell(struct tracer *t, int target_id, pid_t pid, struct vm *vm, const struct thread_config *c);

#endif
