/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The books of threads: families monitor and thread. Only the thread itself writes its own, so no access
 * races; the loader takes out what a life that has ended left behind (user/kernel/snapshot_threads.c).
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
#include "walk/java.bpf.h"

#define MAX_THREAD_CALLS (1 << 13) /* threads inside a function of these families at one moment */

MAP_HASH(threads, JT_MAX_THREADS, struct books_key, struct thread_books);
MAP_HASH(held_monitors, JT_MAX_HELD, struct monitor_key, struct held_monitor);
MAP_HASH(life_ends, JT_MAX_THREADS, struct life_key, struct life_end);
MAP_HASH(churns, JT_MAX_CHURNS, u32, struct churn); /* by site */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_THREAD_CALLS);
	__type(key, u64); /* call_key() */
	__type(value, struct thread_call);
} thread_calls SEC(".maps");
u32 threads_gone, lives_begun;

static __always_inline u32 life_begin(void)
{
	return __sync_fetch_and_add(&lives_begun, 1);
}

/* Of the running thread. */
static __always_inline struct thread_books *books_of(const struct rule *r, bool make)
{
	struct books_key key = {.target_id = r->target_id, .tid = current_tid()};
	struct thread_books *b = bpf_map_lookup_elem(&threads, &key), fresh = {.since = r->since};

	if (b &&
	    b->since != r->since) { /* monitors were switched off meanwhile, and are not followed any more */
		b->since = r->since;
		b->nr_held = 0;
		b->life = life_begin();
	}
	if (b || !make)
		return b;
	fresh.life = life_begin();
	if (bpf_map_update_elem(&threads, &key, &fresh, BPF_NOEXIST))
		drop(r->target_id, DROP_THREADS_FULL);
	return bpf_map_lookup_elem(&threads, &key);
}

/* --- monitors ------------------------------------------------------------------------------------ */

/* JDK: oops/markWord.hpp: two bits of lock, and what differs by VM: the object's age, and whether it may move
 * in its class's header. No two ObjectMonitors are as near to each other. */
#define MARK_LOCK_BITS  3
#define MARK_INFLATED   2
#define MARK_OTHER_BITS 0x7fULL

/* What tells the monitor behind a handle from others, as long as it is held; 0: it cannot be read just now.
 */
static __always_inline u64 monitor_identity(u32 target_id, u64 handle)
{
	const struct java_config *j = bpf_map_lookup_elem(&java_configs, &target_id);
	u64 at = handle & ~HANDLE_TAG_BITS, object = 0, mark = 0;

	if (j && j->oops == OOPS_ZGC)
		object = oop_at(j, at);
	else
		bpf_probe_read_user(&object, sizeof(object), (void *)at);
	if (!object || bpf_probe_read_user(&mark, sizeof(mark), (void *)object) ||
	    (mark & MARK_LOCK_BITS) != MARK_INFLATED)
		return 0;
	return (mark & ~MARK_OTHER_BITS) & ~MONITOR_BY_HANDLE;
}

/* false: no room. */
static __always_inline bool monitor_push(const struct rule *r, u64 handle, u32 site)
{
	struct thread_books *b = books_of(r, true);
	u32 target_id = r->target_id;
	struct held_monitor m = {.handle = handle, .site = site, .tick = now_tick()}, *first;
	struct monitor_key key = {.target_id = target_id};

	if (!b || !site)
		return false;
	key.life = b->life;
	key.identity = monitor_identity(target_id, handle) ?: handle | MONITOR_BY_HANDLE;
	first = bpf_map_lookup_elem(&held_monitors, &key);
	if (first)
		key.depth = first->entered;
	else
		m.entered = 1;
	if (bpf_map_update_elem(&held_monitors, &key, &m, BPF_ANY)) {
		drop(target_id, DROP_MONITORS_FULL);
		return false;
	}
	if (first)
		first->entered++;
	b->nr_held++;
	return true;
}

/* Take the last entry of this monitor out. Its site, or 0: there is none. */
static __always_inline u32 monitor_take(u32 target_id, u32 life, u64 identity)
{
	struct monitor_key key = {.target_id = target_id, .life = life, .identity = identity};
	struct held_monitor *first = bpf_map_lookup_elem(&held_monitors, &key), *last = first;
	u32 site;

	if (!first)
		return 0;
	if (first->entered > 1) {
		key.depth = first->entered - 1;
		last = bpf_map_lookup_elem(&held_monitors, &key);
		first->entered--;
	}
	if (!last)
		return 0;
	site = last->site;
	bpf_map_delete_elem(&held_monitors, &key);
	return site;
}

/*
 * The site that entered it, or 0: it was entered before attach, or there was no room. What was read at the
 * entry of MonitorExit is from before the monitor may be taken down again; what is read now, from when no
 * collection moves the object.
 */
static __always_inline u32 monitor_pop(const struct rule *r, const struct thread_call *call)
{
	struct thread_books *b = books_of(r, false);
	u32 target_id = r->target_id;
	u64 now;
	u32 site;

	if (!b || !b->nr_held)
		return 0;
	site = call->identity ? monitor_take(target_id, b->life, call->identity) : 0;
	if (!site) {
		now = monitor_identity(target_id, call->argument);
		site = now ? monitor_take(target_id, b->life, now) : 0;
	}
	site = site ?: monitor_take(target_id, b->life, call->argument | MONITOR_BY_HANDLE);
	b->nr_held -= site != 0;
	return site;
}

/* A life ends while monitors are held: which, the loader finds out. */
static __always_inline void life_ends_with_monitors(u32 target_id, const struct thread_books *b, u32 site,
						    bool released)
{
	struct life_key key = {.target_id = target_id, .life = b->life};
	struct life_end end = {.site = site, .released = released, .tick = now_tick()};

	if (b->nr_held && bpf_map_update_elem(&life_ends, &key, &end, BPF_ANY))
		drop(target_id, DROP_THREADS_FULL);
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

/*
 * Did the code before this return address call the function at that offset of the invocation interface? It
 * may as well have called one that left no frame: whose last act was to jump there. Then nothing is known of
 * who called.
 */
#define CODE_BYTES 32
#if defined(__TARGET_ARCH_x86)
static __always_inline bool calls_through(const u8 *code, u8 offset)
{
	/* call *offset(%reg), or (%r12) */
	if (code[29] == 0xff && (code[30] & 0xf8) == 0x50 && code[30] != 0x54)
		return code[31] == offset;
	if (code[28] == 0xff && code[29] == 0x54 && code[30] == 0x24)
		return code[31] == offset;
	/* call *%reg, behind mov offset(%any),%reg: not optimized */
	if (code[30] != 0xff || (code[31] & 0xf8) != 0xd0)
		return false;
	for (u32 i = 0; i < CODE_BYTES - 6; i++)
		if ((code[i] & 0xf8) == 0x48 && code[i + 1] == 0x8b && (code[i + 2] & 0xc0) == 0x40 &&
		    code[i + 3] == offset && (code[i + 2] >> 3 & 7) == (code[31] & 7))
			return true;
	return false;
}
#elif defined(__TARGET_ARCH_arm64)
static __always_inline bool calls_through(const u8 *code, u8 offset)
{
	const u32 *insn = (const u32 *)code;
	u32 last = CODE_BYTES / 4 - 1, reg = insn[last] >> 5 & 31;

	if ((insn[last] & 0xfffffc1f) != 0xd63f0000) /* blr reg, behind ldr reg, [any, #offset] */
		return false;
	for (u32 i = 0; i < last; i++)
		if ((insn[i] & 0xfffffc1f) == (0xf9400000 | (u32)offset / 8 << 10 | reg))
			return true;
	return false;
}
#endif

/* Where the library is mapped whose code made this call; 0: not proven. */
static __always_inline u64 calling_module(u32 target_id, u16 func, u64 pc)
{
	u8 code[CODE_BYTES] __attribute__((aligned(8)));
	u8 slot = func == FUNC_AttachCurrentThread ? 4 : func == FUNC_DetachCurrentThread ? 5 : 7;

	if (bpf_probe_read_user(code, sizeof(code), (void *)(pc - sizeof(code))) ||
	    !calls_through(code, slot * sizeof(u64)))
		return 0;
	return module_of(target_id, pc);
}

/*
 * Was this thread a thread of the VM's before it was attached? One with Java frames is, and one that the VM
 * itself says was never attached: it has made the VM (JDK: runtime/thread.cpp, create_vm;
 * runtime/javaThread.hpp, JNIAttachStates), or the VM has made it.
 */
static __always_inline bool is_vm_thread(u32 target_id, u64 env)
{
	const struct thread_config *c = bpf_map_lookup_elem(&thread_configs, &target_id);
	u32 state = 0;
	u64 sp = 0;

	if (!c || !c->known)
		return false;
	bpf_probe_read_user(&sp, sizeof(sp), (void *)(env + (s64)c->anchor));
	if (c->attach_state)
		bpf_probe_read_user(&state, sizeof(state), (void *)(env + (s64)c->attach_state));
	return sp != 0 || state == JT_NOT_ATTACHING;
}

/* --- threads that attach again and again --------------------------------------------------------- */

static const struct churn no_churn;

static __always_inline struct churn *churn_of(u32 target_id, u32 site)
{
	struct churn *c = bpf_map_lookup_elem(&churns, &site);

	if (c)
		return c;
	bpf_map_update_elem(&churns, &site, &no_churn, BPF_NOEXIST); /* or another CPU did */
	c = bpf_map_lookup_elem(&churns, &site);
	if (!c) {
		drop(target_id, DROP_FINDINGS_FULL);
	} else {
		c->target_id = target_id;
		c->first_ns = bpf_ktime_get_ns();
	}
	return c;
}

/* It has attached again, having been attached before. */
static __always_inline void churn_again(u32 target_id, struct thread_books *b)
{
	struct churn *c = churn_of(target_id, b->site);
	u64 now = bpf_ktime_get_ns();

	if (!c)
		return;
	if (now - b->since_ns > JT_CHURN_NS) {
		b->since_ns = now;
		b->again = 0;
	}
	b->again++;
	raise_to(&c->most, b->again);
	if (now - c->since_ns > JT_CHURN_NS) {
		c->since_ns = now;
		c->in_second = 0;
	}
	__sync_fetch_and_add(&c->in_second, 1);
	raise_to(&c->most_all, c->in_second);
	__sync_fetch_and_add(&c->again, 1);
	c->last_ns = now;
}

/* What attached so detaches. */
static __always_inline void churn_pair(const struct thread_books *b, u64 detach_ns)
{
	u32 site = b->site;
	struct churn *c = bpf_map_lookup_elem(&churns, &site);

	if (!b->lives || !c)
		return;
	__sync_fetch_and_add(&c->pairs, 1);
	__sync_fetch_and_add(&c->ns, b->call_ns + detach_ns);
}

#endif
