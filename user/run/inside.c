/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "run/inside.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void read_name(pid_t pid, struct vm_inside *in)
{
	char path[64], text[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/comm", (int)pid, (int)in->tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text));
	if (fd >= 0)
		close(fd);
	if (n > 0 && text[n - 1] == '\n')
		n--;
	text_clean(in->name, sizeof(in->name), text, n > 0 ? (size_t)n : 0);
}

void inside_begin(struct vm *vm, const struct proc_id *id, struct vm_insides *out)
{
	struct proc_threads own = {0};
	struct vm_threads threads = {0};

	if (vm_threads(vm, &threads) < 0)
		return;
	for (size_t i = 0; i < threads.n; i++) {
		struct vm_inside *in = threads.v[i].criticals > 0 ? VEC_ADD(out) : NULL;

		if (in)
			*in = (struct vm_inside){.addr = threads.v[i].addr, .own_tid = threads.v[i].tid};
	}
	free(threads.v);
	if (!out->n || proc_threads(id->pid, &own))
		return;
	for (size_t i = 0; i < out->n; i++) {
		out->v[i].tid = proc_tid_here(&own, out->v[i].own_tid);
		if (out->v[i].tid)
			read_name(id->pid, &out->v[i]);
	}
	free(own.v);
}

static bool is_inside(const struct vm_threads *threads, const struct vm_inside *in)
{
	for (size_t i = 0; i < threads->n; i++)
		if (threads->v[i].addr == in->addr && threads->v[i].tid == in->own_tid)
			return threads->v[i].criticals > 0;
	return false;
}

static bool began_another(const struct snapshot *s, const struct vm_inside *in)
{
	for (size_t i = 0; i < s->criticals.n; i++)
		if (s->criticals.v[i].critical.tid == (uint32_t)in->tid)
			return true;
	return false;
}

void inside_look(struct vm *vm, const struct snapshot *s, double elapsed_s, struct vm_insides *in)
{
	struct vm_threads threads = {0};
	bool all_left = true;

	for (size_t i = 0; i < in->n; i++)
		all_left &= in->v[i].left;
	if (all_left || vm_threads(vm, &threads) < 0)
		return; /* nothing is known of the time since the last look */
	for (size_t i = 0; i < in->n; i++) {
		in->v[i].left |= !is_inside(&threads, &in->v[i]) || began_another(s, &in->v[i]);
		if (!in->v[i].left)
			in->v[i].until_s = elapsed_s;
	}
	free(threads.v);
}
