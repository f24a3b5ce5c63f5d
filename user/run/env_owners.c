/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* See env_owners.h. */
#include "run/env_owners.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proc/proc.h"

/* The thread that the target knows by this number. NULL: it has ended. */
static const struct proc_thread *find_thread(const struct proc_threads *all, pid_t own_tid)
{
	for (size_t i = 0; i < all->n; i++)
		if (all->v[i].own_tid == own_tid)
			return &all->v[i];
	return NULL;
}

static size_t fill(pid_t pid, const struct vm_threads *vm, const struct proc_threads *all,
		   const struct thread_config *c, uint64_t *envs, struct env_owner *owners)
{
	size_t n = 0;

	for (size_t i = 0; i < vm->n; i++) {
		const struct proc_thread *thread = find_thread(all, vm->v[i].tid);
		char name[PROC_THREAD_NAME_MAX];
		size_t bytes;

		if (!thread)
			continue;
		bytes = proc_thread_name(pid, thread->tid, name);
		owners[n] = (struct env_owner){.tid = (uint32_t)thread->tid};
		memcpy(owners[n].name, name, bytes < sizeof(owners[n].name) ? bytes : sizeof(owners[n].name));
		envs[n++] = vm->v[i].addr + (uint64_t)(int64_t)c->env;
	}
	return n;
}

int env_owners_tell(struct tracer *t, int target_id, pid_t pid, struct vm *vm, const struct thread_config *c)
{
	struct proc_threads all = {0};
	struct vm_threads threads = {0};
	struct env_owner *owners;
	uint64_t *envs;
	int rc;

	if (!c->knows_owner || vm_threads(vm, &threads) < 0)
		return 0;
	rc = proc_threads(pid, &all);
	envs = calloc(threads.n + 1, sizeof(*envs));
	owners = calloc(threads.n + 1, sizeof(*owners));
	if (!rc && (!envs || !owners))
		rc = -ENOMEM;
	if (!rc)
		rc = tracer_set_env_owners(t, target_id, envs, owners,
					   fill(pid, &threads, &all, c, envs, owners));
	free(owners);
	free(envs);
	free(all.v);
	free(threads.v);
	return rc;
}
