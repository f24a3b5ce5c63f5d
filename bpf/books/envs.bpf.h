/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * --check: whose JNIEnv is a function given, and has the thread a pending exception? Both by the VM's own
 * memory: a JNIEnv is a part of a JavaThread, which names its thread of the operating system, loses its local
 * references when it is detached (JDK: runtime/javaThread.cpp, JavaThread::exit()), and begins with the
 * exception that is pending (JDK: utilities/exceptions.hpp, class ThreadShadow).
 */
#ifndef JNITRACE_ENVS_BPF_H
#define JNITRACE_ENVS_BPF_H

#include "books/findings.bpf.h"
#include "books/handles.bpf.h"
#include "books/sites.bpf.h"
#include "walk/task.bpf.h"

#define MAP_LRU(name, key_type, value_type)                                                                  \
	struct {                                                                                             \
		__uint(type, BPF_MAP_TYPE_LRU_HASH);                                                         \
		__uint(max_entries, 1); /* (loader) */                                                       \
		__type(key, key_type);                                                                       \
		__type(value, value_type);                                                                   \
	} name SEC(".maps")

MAP_HASH(finding_details, MAX_FINDINGS, struct finding_key, struct finding_detail);

/* --- whose JNIEnv ------------------------------------------------------------------------------------- */

MAP_LRU(env_owners, u64, struct env_owner); /* by ref_tag() of the JNIEnv; a hint of the names */
MAP_LRU(own_envs, u64, u64);                /* by thread: the last one that was its own */

enum whose { ENV_UNKNOWN, ENV_OWN, ENV_OTHERS };

/* The thread of the operating system behind a JNIEnv, as the target numbers it; 0: not to be read. */
static __always_inline u32 env_tid_inside(const struct thread_config *c, u64 env)
{
	u64 os_thread = 0;
	u32 tid = 0;

	if (bpf_probe_read_user(&os_thread, sizeof(os_thread), (void *)(env + (s64)c->os_thread)) ||
	    bpf_probe_read_user(&tid, sizeof(tid), (void *)(os_thread + c->os_thread_id)))
		return 0;
	return tid;
}

/* handles: its JavaThread has local references, so it is attached. A global function: verified once. */
__noinline int env_whose(u32 target_id, u64 env, u32 handles)
{
	const struct thread_config *c = bpf_map_lookup_elem(&thread_configs, &target_id);
	u32 tid;

	if (!c || !c->known || !c->knows_owner)
		return ENV_UNKNOWN;
	tid = env_tid_inside(c, env);
	if (tid)
		return handles && tid == current_tid_inside() ? ENV_OWN : ENV_OTHERS;
	return thread_listed(target_id, env - (s64)c->env) == LISTED_NOT ? ENV_OTHERS : ENV_UNKNOWN;
}

/* Remember who owns it. Likewise. */
__noinline int env_own(u32 target_id, u64 env)
{
	u64 key = ref_tag(target_id, env), thread = bpf_get_current_pid_tgid(), *last;
	struct env_owner *known = bpf_map_lookup_elem(&env_owners, &key), o = {.tid = current_tid()};

	if (!known || known->tid != o.tid) {
		bpf_get_current_comm(o.name, sizeof(o.name));
		bpf_map_update_elem(&env_owners, &key, &o, BPF_ANY);
	}
	last = bpf_map_lookup_elem(&own_envs, &thread);
	if (!last || *last != env)
		bpf_map_update_elem(&own_envs, &thread, &env, BPF_ANY);
	thread_env_keep(env);
	return 0;
}

/*
 * Another's JNIEnv tells nothing of the running thread's stack. Its own does, if it has been seen; else the
 * frames of native code lead on.
 */
static __always_inline void env_restore(void)
{
	u64 thread = bpf_get_current_pid_tgid(), *own = bpf_map_lookup_elem(&own_envs, &thread);

	thread_env_keep(own ? *own : 0);
}

/* site: of the call. A global function: verified once. */
__noinline int wrong_env(const struct rule *r, u64 env, u32 site)
{
	struct finding_key key = {.site = site, .kind = FINDING_WRONG_ENV};
	struct finding_detail d = {.tid = current_tid()};
	const struct thread_config *c;
	const struct env_owner *o;
	u64 tag;
	u32 target_id;

	if (!r)
		return 0;
	key.target_id = target_id = r->target_id;
	tag = ref_tag(target_id, env);
	c = bpf_map_lookup_elem(&thread_configs, &target_id);
	o = bpf_map_lookup_elem(&env_owners, &tag);
	if (c && !bpf_map_lookup_elem(&finding_details, &key)) {
		bpf_get_current_comm(d.name, sizeof(d.name));
		if (o) {
			d.owner_tid = o->tid;
			__builtin_memcpy(d.owner_name, o->name, sizeof(d.owner_name));
		}
		if (thread_listed(target_id, env - (s64)c->env) == LISTED)
			d.owner_tid_inside = env_tid_inside(c, env);
		bpf_map_update_elem(&finding_details, &key, &d, BPF_NOEXIST);
	}
	finding(target_id, FINDING_WRONG_ENV, site, 0, 0, env);
	return 0;
}

/* --- pending exceptions ------------------------------------------------------------------------------- */

/*
 * The last call of a native frame before which no exception was pending: if one is now, that call left it
 * behind. Calls that nest are those of other frames, by other anchors. site: only where it was looked for.
 */
struct last_call {
	u64 caller_pc;
	u32 func, site;
};
MAP_LRU(last_calls, u64, struct last_call); /* by last_call_key() */
MAP_LRU(throwers, u64, u32); /* calls whose exceptions were misused: where they are is kept from now on */
u32 throwers_known;          /* while 0 there is no need to look */

static __always_inline bool exception_pending(const struct thread_config *c, u64 env)
{
	struct {
		u64 exception, file;
	} shadow;

	return c && c->knows_pending &&
	       !bpf_probe_read_user(&shadow, sizeof(shadow), (void *)(env + (s64)c->pending)) &&
	       shadow.exception && shadow.file; /* who throws names the place in the VM */
}

static __always_inline u64 last_call_key(const struct thread_config *c, u64 env)
{
	u64 anchor = 0;

	bpf_probe_read_user(&anchor, sizeof(anchor), (void *)(env + (s64)c->anchor));
	return mix(bpf_get_current_pid_tgid()) ^ anchor;
}

static __always_inline u64 thrower_key(const struct rule *r, u32 func, u64 caller_pc)
{
	return ref_tag(r->target_id, mix(caller_pc + func) & ((1ULL << HANDLE_BITS) - 1));
}

static __always_inline bool is_thrower(const struct rule *r, u64 caller_pc)
{
	u64 key = thrower_key(r, r->func, caller_pc);

	if (r->func == FUNC_USE_Throw || r->func == FUNC_USE_ThrowNew)
		return true;
	return *(volatile u32 *)&throwers_known && bpf_map_lookup_elem(&throwers, &key);
}

/* Of the functions that may be called while one is pending. */
static __always_inline bool allowed_throws(const struct rule *r)
{
	return r->func == FUNC_USE_MonitorExit || r->func == FUNC_USE_PushLocalFrame;
}

/* What is wrong with a call, and when it is made. */
struct use_verdict {
	u64 handle; /* of the first bad reference */
	u64 last_key, caller_pc;
	u8 kind;      /* enum finding_kind, what is bad with it; NR_FINDINGS: nothing */
	u8 pending;   /* an exception is, which is not allowed */
	u8 kept;      /* the call is to be kept as the frame's last one */
	u8 may_throw; /* its exception was misused before: where it is called is wanted */
	u32 pad;
};
_Static_assert(NR_FINDINGS < 256, "a finding is a byte");

/* env: the running thread's own. A global function, as all that jt_use calls: they share its stack in turn.
 */
__noinline int moment_begin(struct bpf_user_pt_regs_t *regs, const struct rule *r, u64 env,
			    struct use_verdict *v)
{
	const struct thread_config *c;
	bool allowed, pending;
	u32 target_id;

	if (!r || !v)
		return 0;
	target_id = r->target_id;
	c = bpf_map_lookup_elem(&thread_configs, &target_id);
	allowed = r->allowed & ALLOWED_PENDING;
	if (!c || !c->knows_pending || (allowed && !allowed_throws(r)))
		return 0;
	pending = exception_pending(c, env);
	v->pending = pending && !allowed;
	v->kept = !pending;
	v->last_key = last_call_key(c, env);
	if (!pending) {
		loc_read((void *)regs, &r->caller_pc, &v->caller_pc);
		v->may_throw = is_thrower(r, v->caller_pc);
	}
	return 0;
}

/* site: of the call; 0: not looked for. */
static __always_inline void call_keep(const struct rule *r, const struct use_verdict *v, u32 site)
{
	u64 key = v->last_key;
	struct last_call call = {v->caller_pc, r->func, site}, *last = bpf_map_lookup_elem(&last_calls, &key);

	if (last)
		*last = call;
	else
		bpf_map_update_elem(&last_calls, &key, &call, BPF_ANY);
}

/* site: of the call. A global function: verified once. */
__noinline int pending_exception(const struct rule *r, u64 last_key, u32 site)
{
	struct finding_key key = {.site = site, .kind = FINDING_PENDING_EXCEPTION};
	struct last_call *last = bpf_map_lookup_elem(&last_calls, &last_key), thrown = {0};
	struct finding_detail d = {0};
	u32 one = 1;
	u64 thrower;

	if (!r)
		return 0;
	if (last)
		thrown = *last;
	if (thrown.func && !thrown.site) {
		thrower = thrower_key(r, thrown.func, thrown.caller_pc);
		if (!bpf_map_lookup_elem(&throwers, &thrower) &&
		    !bpf_map_update_elem(&throwers, &thrower, &one, BPF_ANY))
			*(volatile u32 *)&throwers_known = 1;
	}
	key.target_id = r->target_id;
	key.acquire_site = thrown.site;
	d.func = thrown.func;
	bpf_map_update_elem(&finding_details, &key, &d, BPF_NOEXIST);
	finding(r->target_id, FINDING_PENDING_EXCEPTION, site, thrown.site, 0, 0);
	return 0;
}

#endif
