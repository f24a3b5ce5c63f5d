/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The books of threads: families monitor and thread. Only the thread itself writes its own, so no access
 * races.
 *
 * What a call has done is known when it returns. MonitorExit of a monitor that the thread does not own fails:
 * the VM's own proof that one was exited that had not been entered.
 */
#ifndef JNITRACE_THREADS_BPF_H
#define JNITRACE_THREADS_BPF_H

#include "books/findings.bpf.h"
#include "books/handles.bpf.h"
#include "books/rule.bpf.h"
#include "books/sites.bpf.h"
#include "border/threads.h"

#define MAX_THREAD_CALLS (1 << 13) /* threads inside a function of these families at one moment */

MAP_HASH(threads, JT_MAX_THREADS, struct books_key, struct thread_books);
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_THREAD_CALLS);
	__type(key, u64);   /* call_key() */
	__type(value, u64); /* the argument: a monitor's handle, or where the JNIEnv is stored; 0: none */
} thread_calls SEC(".maps");
u32 threads_gone;

static const struct thread_books no_books;

static __always_inline struct thread_books *books_of(u32 target_id, u32 tid, bool make)
{
	struct books_key key = {.target_id = target_id, .tid = tid};
	struct thread_books *b = bpf_map_lookup_elem(&threads, &key);

	if (b || !make)
		return b;
	if (bpf_map_update_elem(&threads, &key, &no_books, BPF_NOEXIST))
		drop(target_id, DROP_THREADS_FULL);
	return bpf_map_lookup_elem(&threads, &key);
}

/* --- monitors ------------------------------------------------------------------------------------ */

/* false: no room. */
static __always_inline bool monitor_push(u32 target_id, u32 tid, u64 handle, u32 site)
{
	struct thread_books *b = books_of(target_id, tid, true);
	struct held_monitor *m;

	if (!b || !site)
		return false;
	if (b->nr_held >= JT_MAX_HELD) {
		b->too_deep++;
		drop(target_id, DROP_MONITORS_DEEP);
		return false;
	}
	m = &b->held[b->nr_held++ & (JT_MAX_HELD - 1)];
	m->handle = handle;
	m->oop = 0;
	bpf_probe_read_user(&m->oop, sizeof(m->oop), (void *)(handle & ~HANDLE_TAG_BITS));
	m->site = site;
	m->tick = now_tick();
	return true;
}

/* The last one but n. Never out of bounds, and the verifier finds nothing in it to tell turns of a loop
 * apart. */
static __always_inline u32 held_from_top(const struct thread_books *b, u32 n)
{
	return (b->nr_held - 1 - n) & (JT_MAX_HELD - 1);
}

/*
 * Which of those held is it? The same object by another handle, or the same handle of an object that was
 * moved; else the last one.
 */
static __always_inline u32 monitor_find(const struct thread_books *b, u64 handle)
{
	u64 oop = 0;

	bpf_probe_read_user(&oop, sizeof(oop), (void *)(handle & ~HANDLE_TAG_BITS));
	for (u32 n = 0; oop && n < JT_MAX_HELD && n < b->nr_held; n++)
		if (b->held[held_from_top(b, n)].oop == oop)
			return held_from_top(b, n);
	for (u32 n = 0; n < JT_MAX_HELD && n < b->nr_held; n++)
		if (b->held[held_from_top(b, n)].handle == handle)
			return held_from_top(b, n);
	return held_from_top(b, 0);
}

/* The site that entered it, or 0: it was entered before attach, or too deep. */
static __always_inline u32 monitor_pop(u32 target_id, u32 tid, u64 handle)
{
	struct thread_books *b = books_of(target_id, tid, false);
	u32 at, site;

	if (!b)
		return 0;
	if (b->too_deep) {
		b->too_deep--;
		return 0;
	}
	if (!b->nr_held)
		return 0;
	at = monitor_find(b, handle);
	site = b->held[at].site;
	for (u32 n = 1; n < JT_MAX_HELD && at + n < b->nr_held; n++)
		b->held[(at + n - 1) & (JT_MAX_HELD - 1)] = b->held[(at + n) & (JT_MAX_HELD - 1)];
	b->nr_held--;
	return site;
}

/* --- attached threads ---------------------------------------------------------------------------- */

/* Where the library that holds pc is mapped; 0: not known. */
static __always_inline u64 module_of(u32 target_id, u64 pc)
{
	struct unwind_space *s = bpf_map_lookup_elem(&unwind_spaces, &target_id);
	u32 at = s ? unwind_range_of(*(volatile u64 *)&s->layout, pc) : ~0U;
	struct unwind_range *range = bpf_map_lookup_elem(&unwind_ranges, &at);

	return range ? range->base : 0;
}

static __always_inline bool is_vm_code(u32 target_id, u64 pc)
{
	const struct thread_config *c = bpf_map_lookup_elem(&thread_configs, &target_id);

	return c && pc >= c->vm_start && pc < c->vm_end;
}

/* Has this thread Java frames? Then Java made it, or it was attached before: the attach did nothing. */
static __always_inline bool has_java_frames(u32 target_id, u64 env)
{
	const struct thread_config *c = bpf_map_lookup_elem(&thread_configs, &target_id);
	u64 sp = 0;

	if (c && c->known)
		bpf_probe_read_user(&sp, sizeof(sp), (void *)(env + (s64)c->anchor));
	return sp != 0;
}

#endif
