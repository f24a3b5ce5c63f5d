// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The probes. One program serves all JNI functions, so that the stack walk in it is verified once; the cookie
 * (an index into the rules) tells it which function of which target fired, what that does, and where its
 * handle and its caller are.
 */
#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "books/call_args.bpf.h"
#include "books/frames.bpf.h"
#include "books/misuse.bpf.h"
#include "books/pair_calls.bpf.h"
#include "books/pin_calls.bpf.h"
#include "books/refs.bpf.h"
#include "books/spending.bpf.h"
#include "books/thread_calls.bpf.h"
#include "books/watch.bpf.h"
#include "border/shared.h"
#include "maps.bpf.h"
#include "program.bpf.h"
#include "walk/hold.bpf.h"
#include "walk/libraries.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

UPROBE(jt_call)
{
	struct rule *r = rule_of(ctx);
	struct call c = {0};
	u32 site = 0;

	if (!r || !call_begin(ctx, r, &c))
		return 0;
	if (r->operation == OP_RELEASE)
		c.env = env_of(ctx, r);
	else
		site = site_known(ctx, r);
	if (r->operation != OP_RELEASE || !release_begin(r, &c)) {
		site = site ?: site_of((void *)ctx, r);
		if (is_no_reference(r, c.handle)) {
			no_reference(r, &c, site);
			return 0;
		}
		call_end(r, &c, site);
	}

	if (by_frame && r->family == FAMILY_LOCAL) {
		if (r->operation != OP_RELEASE)
			frame_acquire(ctx, r, c.handle, site);
		else if (c.acquired_at)
			frame_release(ctx, r, c.acquired_at);
	}
	return 0;
}

/*
 * --check: what a function is given, and when it is called. Of references the first bad one of a call is what
 * is told; with another thread's JNIEnv nothing else is.
 */
UPROBE(jt_use)
{
	struct use u = {.env = PT_REGS_PARM1(ctx), .sp = PT_REGS_SP(ctx)};
	struct use_verdict v = {.kind = NR_FINDINGS};
	struct rule *r = rule_of(ctx);
	u32 site = 0, inside;

	if (!r)
		return 0;
	count_use(r);
	use_begin(r, &u);
	if (u.whose == ENV_OTHERS) {
		env_restore();
		wrong_env(r, u.env, site_of((void *)ctx, r));
		return 0;
	}
#pragma unroll
	for (int i = 1; i <= 3; i++) {
		u64 arg = i == 1 ? PT_REGS_PARM2(ctx) : i == 2 ? PT_REGS_PARM3(ctx) : PT_REGS_PARM4(ctx);

		if (!(r->refs >> i & 1) || !arg || arg >> HANDLE_BITS || v.kind != NR_FINDINGS)
			continue;
		v.handle = arg;
		v.kind = misuse(r, &u, arg, r->nulls >> i & 1);
	}
	if (r->method_arg && v.kind == NR_FINDINGS)
		args_judge((void *)ctx, r, &u, &v);
	if (u.whose == ENV_OWN)
		moment_begin((void *)ctx, r, u.env, &v);
	inside = r->allowed & ALLOWED_CRITICAL ? 0 : critical_site();
	if (v.kind != NR_FINDINGS || inside || v.pending || v.may_throw)
		site = site_of((void *)ctx, r);
	use_tell(r, &v, site, inside);
	if (v.kind == FINDING_KIND_MISMATCH)
		released_anyhow(r->target_id, v.handle, site);
	return 0;
}

/* --check: a function of the invocation interface, which is given no JNIEnv, and may be called by any thread.
 */
UPROBE(jt_invoke)
{
	struct rule *r = rule_of(ctx);
	u32 inside;

	if (!r)
		return 0;
	count_use(r);
	inside = critical_site();
	if (inside)
		finding(r->target_id, FINDING_CALL_IN_CRITICAL, site_of((void *)ctx, r), inside, 0, 0);
	return 0;
}

/* A call that gives and takes nothing. */
UPROBE(jt_count)
{
	struct rule *r = rule_of(ctx);
	struct func_counts *fc = r ? counts_of(r) : NULL;

	if (fc)
		count_call(r, &fc->calls);
	return 0;
}

/*
 * The entry of a pair's function. What it is given is released, or used, before it runs: a second release is
 * told before it does harm, and nobody has the handle anew yet.
 */
UPROBE(jt_pair_enter)
{
	struct rule *r = rule_of(ctx);
	struct func_counts *fc = r ? counts_of(r) : NULL;
	struct pair_call call = {0};
	u32 inside;

	if (!fc)
		return 0;
	count_call(r, &fc->calls);
	inside = pair_call_begin(ctx, r, &call);
	call.later = r->both_ends && !call.unread && pair_waits(r, call.argument);
	if (r->operation != OP_ACQUIRE && r->form == HANDLE_ITSELF && !call.unread && !call.later) {
		if (pair_wants_site(r, &call, inside))
			call.site = site_of((void *)ctx, r);
		if (r->counts == COUNT_ALL && call.count)
			inside |= PAIR_ALL;
		if (r->may_fail && r->both_ends)
			inside |= PAIR_UNDER_WAY;
		if (r->operation == OP_REPLACE || r->may_fail)
			call.old_bytes = pair_bytes(r, call.argument);
		pair_taken(r, &call, call.site, inside, (void *)ctx);
	}
	if (r->finalizer.kind != LOC_NONE && !count_only)
		finalizer_given(r, call.finalizer);
	if (r->both_ends)
		pair_call_push(r, &call);
	return 0;
}

/* The return of a pair's function. */
UPROBE(jt_pair)
{
	struct rule *r = rule_of(ctx);
	struct pair_call call = {0};
	u64 result = 0;
	u32 inside;

	if (!r || !pair_call_end(ctx, r, &call, &inside))
		return 0; /* entered before the gate was opened */
	if (r->form == HANDLE_ITSELF && r->operation != OP_ACQUIRE && r->operation != OP_REPLACE &&
	    !r->may_fail)
		return 0; /* was done at the entry */
	loc_read(ctx, &r->handle, &result);
	if (!pair_succeeded(r, result)) {
		pair_failed(r, &call);
		return 0;
	}
	call.result = result;
	call.inside = inside;
	if (r->operation != OP_ACQUIRE && r->operation != OP_REPLACE) {
		pair_given_back(ctx, r, &call);
		return 0;
	}
	if (pair_is_owned(inside))
		return 0;
	call.site = pair_follows(r, &call) ? site_of((void *)ctx, r) : 0;
	if (is_sampled(r))
		call.site = level_site(r->target_id, call.site, call.level);
	pair_given(r, &call);
	return 0;
}

/* The entry of a function of which findings are made: of what it is given. */
UPROBE(jt_watch_enter)
{
	struct rule *r = rule_of(ctx);
	struct func_counts *fc = r ? counts_of(r) : NULL;
	struct pair_call call = {0};
	u64 given = 0;
	u32 what;

	if (!fc)
		return 0;
	count_call(r, &fc->calls);
	if (r->both_ends) {
		pair_call_begin(ctx, r, &call);
		call.family = FAMILY_NONE; /* another rule's call at the same place is not inside it */
		pair_call_push(r, &call);
		return 0;
	}
	if (r->handle.kind != LOC_NONE && loc_read(ctx, &r->handle, &given))
		return 0;
	barrier_var(given);
	what = given >> HANDLE_BITS ? 0 : watch_given(r, given);
	if (what)
		watch_tell(r, given, site_of((void *)ctx, r), what);
	return 0;
}

/* Its return: of what it has done. */
UPROBE(jt_watch)
{
	struct rule *r = rule_of(ctx);
	struct pair_call call = {0};
	u64 result = 0, handle = 0;
	u32 inside;

	if (!r || !pair_call_end(ctx, r, &call, &inside))
		return 0; /* entered before the gate was opened */
	loc_read(ctx, &r->handle, &result);
	if (r->watch == WATCH_OWNER_ENDS) {
		watch_owner_ends(r, current_tid());
		return 0;
	}
	if (r->watch == WATCH_SCOPE_ESCAPED) {
		u32 opened_at = (u32)result == r->refs ? watch_live(r, call.argument) : 0;

		if (opened_at)
			finding(r->target_id, FINDING_ESCAPED_TWICE, site_of((void *)ctx, r), opened_at, 0,
				call.argument);
		return 0;
	}
	if (!pair_succeeded(r, result) || !pair_read(r, call.argument, &handle) || handle >> HANDLE_BITS)
		return 0;
	switch (r->watch) {
	case WATCH_LENT:
		if (watch_in_callback(r, PT_REGS_SP(ctx)))
			watch_lent(r, handle);
		break;
	case WATCH_WORK_MADE:
		if (watch_in_callback(r, PT_REGS_SP(ctx)) && watch_lends(r))
			watch_work_made(r, handle, site_of((void *)ctx, r));
		break;
	case WATCH_OWNED:
		watch_owned_by(r, handle, current_tid());
		break;
	case WATCH_SCOPE_OPENED:
		watch_scope_opened(r, handle);
		break;
	default:
		break;
	}
	return 0;
}

/* The entry of a function that changes frames. Where it asks for a capacity that is the rule's handle, a
 * jint. */
UPROBE(jt_frame)
{
	struct rule *r = rule_of(ctx);
	struct func_counts *fc = r ? counts_of(r) : NULL;
	u64 asked = 0;
	s32 capacity;

	if (!fc)
		return 0;
	if (r->operation == OP_FRAME_POP) {
		frame_pop(ctx, r);
		return 0; /* is counted when it returns */
	}
	count_call(r, &fc->calls);
	loc_read(ctx, &r->handle, &asked);
	capacity = asked;
	if (capacity < 0)
		return 0; /* is refused */
	if (r->operation == OP_FRAME_PUSH)
		frame_push(ctx, r, capacity);
	else
		frame_ensure(ctx, r, capacity);
	return 0;
}

/* The entry of a function whose return is probed: its JNIEnv is in no register any more by then. */
UPROBE(jt_enter)
{
	thread_env_keep(
	    PT_REGS_PARM1(ctx)); /* before the gate opens, too: it may be open when this returns */
	return 0;
}

/* The entry of a Get function whose return is probed too. */
UPROBE(jt_pin_enter)
{
	struct rule *r = rule_of(ctx);

	if (!r)
		return 0;
	thread_env_keep(PT_REGS_PARM1(ctx));
	if (r->family == FAMILY_CRITICAL)
		critical_get();
	pin_call_begin(ctx, r);
	return 0;
}

/* The return of a Get function. */
UPROBE(jt_pin)
{
	struct rule *r = rule_of(ctx);
	struct got got = {0};
	u32 inside;

	if (!r)
		return 0;
	pin_call_end(ctx, r, &got.begun);
	if (!call_begin(ctx, r, &got.call))
		return 0;
	got.call.fc = NULL; /* a pointer of the kernel's side is not handed on */
	got.site = site_of((void *)ctx, r);
	inside = r->family == FAMILY_CRITICAL || is_used(r) ? 0 : critical_site();
	if (inside)
		finding(r->target_id, FINDING_CALL_IN_CRITICAL, got.site, inside, 0, got.call.handle);
	pin_got((void *)ctx, &got);
	return 0;
}

/* The entry of a Release function. */
UPROBE(jt_unpin)
{
	struct rule *r = rule_of(ctx);
	struct unpin u = {.now = bpf_ktime_get_ns()};
	struct call c = {0};

	if (!r || !call_begin(ctx, r, &c))
		return 0;
	u.pointer = c.handle;
	u.tag = c.tag;
	unpin_judge((void *)ctx, &u);
	if (u.watched)
		u.site = site_of((void *)ctx, r);
	if (u.wrong != NR_FINDINGS) {
		finding(r->target_id, u.wrong, u.site, u.got_at, u.released_at, u.pointer);
		suspect(u.got_at);
	}
	if (u.inside && !is_used(r))
		finding(r->target_id, FINDING_CALL_IN_CRITICAL, u.site, u.inside, 0, u.pointer);
	unpin_count((void *)ctx, &u);
	return 0;
}

/* A thread waits for critical sections to end, so that it can have a collection. The cookie is the target. */
UPROBE(jt_stall_begin)
{
	u32 target_id = bpf_get_attach_cookie(ctx);

	if (target_is_open(target_id, true))
		stall_begin(target_id, current_tid());
	return 0;
}

UPROBE(jt_stall_end)
{
	if (target_is_open(bpf_get_attach_cookie(ctx), true))
		stall_end();
	return 0;
}

/* The entry of a function of these families: the return does not know the argument any more. */
UPROBE(jt_thread_enter)
{
	struct rule *r = rule_of(ctx);

	if (!r)
		return 0;
	if (r->family == FAMILY_MONITOR) /* the others are called with a JavaVM */
		thread_env_keep(PT_REGS_PARM1(ctx));
	thread_call_begin(ctx, r);
	return 0;
}

/* The return of a function of these families. The handle of the rule is the result, a jint. */
UPROBE(jt_thread_return)
{
	struct rule *r = rule_of(ctx);
	struct func_counts *fc = r ? counts_of(r) : NULL;
	struct thread_books *b;
	struct thread_call call = {0};
	bool failed, is_monitor, wants_site;
	u64 result = 0;
	u32 site = 0;

	if (!fc)
		return 0;
	thread_call_end(ctx, r, &call);
	count_call(r, &fc->calls);
	loc_read(ctx, &r->handle, &result);
	failed = (u32)result != 0;
	is_monitor = r->family == FAMILY_MONITOR;
	b = books_of(r, false);
	if (is_monitor)
		wants_site = call.argument && (r->operation == OP_ACQUIRE) == !failed;
	else
		wants_site = !failed && thread_changes(r, call.argument, b);
	if (wants_site)
		site = site_of((void *)ctx, r);
	if (!wants_site && !(is_monitor && call.argument)) {
		__sync_fetch_and_add(&fc->nulls, 1); /* it has done nothing */
	} else if (!is_monitor) {
		if (r->operation == OP_ACQUIRE)
			thread_attached(ctx, r, site, &call, fc);
		else if (b)
			thread_detached(ctx, r, site, b, &call, fc);
	} else if (failed) {
		__sync_fetch_and_add(&fc->nulls, 1);
		if (r->operation == OP_RELEASE)
			finding(r->target_id, FINDING_MONITOR_IMBALANCE, site, 0, 0, call.argument);
	} else if (r->operation == OP_ACQUIRE) {
		count_acquired(site, fc, monitor_push(r, call.argument, site));
	} else {
		count_released(monitor_pop(r, &call), fc);
	}
	return 0;
}

/* A thread ends. If it is attached or holds monitors, for the VM it lives on, so that stays in the books. */
TRACEPOINT("sched_process_exit", jt_thread_end)
{
	u32 tgid = current_tgid(), *target_id = bpf_map_lookup_elem(&target_ids, &tgid);
	struct books_key key = {.tid = current_tid()}, gone;
	struct target_state *t;
	struct thread_books *b;

	if (!target_id)
		return 0;
	t = bpf_map_lookup_elem(&targets, target_id);
	key.target_id = *target_id;
	if (!t || t->gate != GATE_OPEN || t->tgid != tgid || !ends_alone())
		return 0;
	if (criticals_traced)
		critical_thread_end(key.target_id);
	b = bpf_map_lookup_elem(&threads, &key);
	if (!b || !family_is_open(key.target_id, FAMILY_THREAD, false))
		return 0;
	life_ends_with_monitors(key.target_id, b, 0, false);
	if (b->attached && !b->by_vm)
		finding(key.target_id, FINDING_ATTACHED_AT_END, 0, b->site, 0, 0);
	gone = key;
	gone.tid = JT_THREAD_GONE | __sync_fetch_and_add(&threads_gone, 1);
	if (b->attached && bpf_map_update_elem(&threads, &gone, b, BPF_ANY))
		drop(key.target_id, DROP_THREADS_FULL); /* it is not shown any more */
	bpf_map_delete_elem(&threads, &key);
	return 0;
}

/* The VM frees code, and may put other code in its place: nothing remembered of addresses holds any more. */
UPROBE(jt_code_freed)
{
	u32 target_id = bpf_get_attach_cookie(ctx);
	struct java_config *j = bpf_map_lookup_elem(&java_configs, &target_id);

	if (j)
		__sync_fetch_and_add(&j->generation, 1);
	return 0;
}

#define UNLOAD_TRIES 8

/* A class goes, and the addresses of its methods will be another's. */
UPROBE(jt_class_unloaded)
{
	u32 target_id = bpf_get_attach_cookie(ctx), at = unloaded_place(target_id, PT_REGS_PARM1(ctx));
	struct java_config *j = bpf_map_lookup_elem(&java_configs, &target_id);
	u64 *place = bpf_map_lookup_elem(&unloaded, &at), number;

	if (!j)
		return 0;
	number = __sync_fetch_and_add(&j->unloads, 1) + 1;
	if (!j->unloads_class || !place)
		return 0;
	for (int i = 0; i < UNLOAD_TRIES; i++) { /* others may be unloading, too: the highest stays */
		u64 old = *(volatile u64 *)place;

		if (old >= number || __sync_val_compare_and_swap(place, old, number) == old)
			return 0;
	}
	*(volatile u64 *)place = ~0ULL; /* of the classes here nothing is known any more */
	return 0;
}

/*
 * The dynamic linker is about to map or unmap libraries, or has done so. What it unmaps nobody runs any more,
 * but another library may come to lie there at once: until the loader has read the mappings, no address in
 * code means anything. Libraries that are added change nothing of the others.
 */
UPROBE(jt_libraries)
{
	u32 target_id = bpf_get_attach_cookie(ctx), before;
	struct unwind_space *s = bpf_map_lookup_elem(&unwind_spaces, &target_id);
	struct link_debug debug;

	if (!s)
		return 0;
	if (bpf_probe_read_user(&debug, sizeof(debug), (void *)s->link_debug))
		debug.state = LINK_DELETE;
	before = s->linker;
	s->linker = debug.state;
	if (debug.state == LINK_ADD) {
		s->last_link = link_before_last(debug.map);
		return 0;
	}
	if (debug.state == LINK_CONSISTENT && before == LINK_ADD)
		opened_behind(target_id, s, s->last_link);
	s->last_link = 0;
	/* with more than one namespace this is the state of the first, whichever changes */
	if (debug.state == LINK_DELETE || before == LINK_DELETE || debug.version > 1) {
		__sync_fetch_and_add(&s->closings, 1);
		*(volatile u64 *)&s->layout = UNWIND_CLOSED(s->closings);
	} else {
		__sync_fetch_and_add(&s->added, 1);
	}
	bpf_ringbuf_output(&code_changes, &target_id, sizeof(target_id), 0);
	return 0;
}

/*
 * jnitrace run: the dynamic linker of one of the command's processes has changed its list of libraries. The
 * process stops, until the loader has set its probes and lets it go on.
 */
UPROBE(jt_hold)
{
	struct link_debug debug;

	if (is_held() &&
	    !bpf_probe_read_user(&debug, sizeof(debug), (void *)(PT_REGS_IP(ctx) + (s64)hold_debug)) &&
	    debug.state == LINK_CONSISTENT)
		hold_here();
	return 0;
}

/* exec keeps the pid and replaces the program: what was learned of the old one must not be used on the new.
 */
TRACEPOINT("sched_process_exec", jt_exec)
{
	u32 tgid = current_tgid(), *target_id = bpf_map_lookup_elem(&target_ids, &tgid);
	struct target_state *t;

	if (!target_id)
		return 0;
	t = bpf_map_lookup_elem(&targets, target_id);
	if (t && t->tgid == tgid)
		t->gate = GATE_EXECED;
	return 0;
}

/* What a probe costs before its program does anything: attached to a function of our own
 * (user/kernel/overhead.c).
 */
UPROBE(jt_nothing)
{
	return 0;
}

/* Run by the loader, before anything is attached: no probe finds its target without it. */
SEC("syscall")
int jt_setup(struct setup *out)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	struct pid *pid = BPF_CORE_READ(task, group_leader, thread_pid);

	pid_ns_level = BPF_CORE_READ(pid, level);
	pid_ns = pid_ns_of(pid, pid_ns_level);
	hold_not = BPF_CORE_READ(task, tgid);
	hold_root = BPF_CORE_READ(task, real_parent, tgid);
	out->cpu_waits = cpu_waits_known();
	return 0;
}

/* Run by the loader. */
SEC("syscall")
int jt_clock(struct clocks *out)
{
	out->jiffies = bpf_jiffies64();
	out->monotonic_ns = bpf_ktime_get_ns();
	return 0;
}
