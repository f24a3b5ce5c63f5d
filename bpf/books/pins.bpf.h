/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The store of pins and what the probes of the families string, array and critical do with it.
 *
 * A JVM copies the contents for Get<Type>ArrayElements, GetStringChars and GetStringUTFChars: the pointer
 * is malloc's, unlike any other while it is held, and any thread may release it. Get*Critical gives a pointer
 * into the object, and arrays without elements share one bad address: there a pointer is held several
 * times, and the thread tells whose it is. (JDK: prims/jni.cpp.)
 */
#ifndef JNITRACE_PINS_BPF_H
#define JNITRACE_PINS_BPF_H

#include "books/critical.bpf.h"
#include "books/findings.bpf.h"
#include "books/objects.bpf.h"
#include "books/pairs.bpf.h"
#include "books/pin_graves.bpf.h"
#include "books/rule.bpf.h"
#include "border/pins.h"

#define TEXT_CHUNK 1024
#define PAGE_BYTES 4096
#define NS_PER_US  1000

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, JT_MAX_PIN_CALLS);
	__type(key, u64); /* call_key() */
	__type(value, struct pin_call);
} pin_calls SEC(".maps");
MAP_HASH(pins, JT_MAX_PINS, struct pin_key, struct pin);
MAP_HASH(pin_stats, 1, u32, struct pin_stats); /* (loader) by site */

static const struct pin_stats no_pin_stats;
MAP_HASH(before_native, 1 << 14, struct before_key, u64); /* -> pc of the last Java frame */

/* --- the call under way ------------------------------------------------------------------------- */

/* At the entry of Get*: what its return does not know any more. */
static __always_inline void pin_call_begin(struct pt_regs *ctx, const struct rule *r)
{
	u64 key = call_key(ctx, r);
	struct pin_call call = {0};

	if (loc_read(ctx, &r->object, &call.object) || loc_read(ctx, &r->extra, &call.is_copy_at))
		return;
	if (bpf_map_update_elem(&pin_calls, &key, &call, BPF_ANY))
		drop(r->target_id, DROP_PIN_CALLS_FULL);
}

static __always_inline void pin_call_end(struct pt_regs *ctx, const struct rule *r, struct pin_call *out)
{
	u64 key = call_key(ctx, r);
	struct pin_call *call = bpf_map_lookup_elem(&pin_calls, &key);

	if (!call)
		return; /* entered before the gate was opened */
	*out = *call;
	bpf_map_delete_elem(&pin_calls, &key);
}

/* --- what is pinned ----------------------------------------------------------------------------- */

/*
 * Bytes of the modified UTF-8 text at addr, without its end; -1: longer than is looked at, or unread. A
 * global function: verified once.
 */
__noinline s64 text_bytes(u64 addr, struct scratch *sc)
{
	s64 sum = 0;

	if (!sc)
		return -1;
	for (int i = 0; i < JT_MAX_STRING_BYTES / TEXT_CHUNK; i++) {
		/*
		 * A full chunk ends in a 0 of the helper's own: the next one begins two bytes before its end,
		 * with a byte of the text, for of an empty text older kernels say that it has 0 bytes.
		 */
		long n = bpf_probe_read_user_str(sc->w.win.word, TEXT_CHUNK, (void *)(addr + sum));

		if (n < 0)
			return -1;
		if (n < TEXT_CHUNK)
			return n ? sum + n - 1 : sum;
		sum += TEXT_CHUNK - 2;
	}
	return -1;
}

static __always_inline s64 pin_text_bytes(u32 target_id, u64 addr)
{
	struct scratch *sc = scratch_take(target_id);
	s64 n;

	if (!sc) {
		drop(target_id, DROP_WALKERS_BUSY);
		return -1;
	}
	n = text_bytes(addr, sc);
	scratch_release(sc);
	return n;
}

/* Was the pointer a copy? As the VM told the caller, or by where it is. */
static __always_inline u8 pin_copy(u64 pointer, const struct pin_call *call, const struct object *o)
{
	u8 told = 0;

	if (call->is_copy_at && !bpf_probe_read_user(&told, sizeof(told), (void *)call->is_copy_at))
		return told ? PIN_COPIED : PIN_DIRECT;
	if (!o->identity || o->bytes == 0)
		return PIN_COPY_UNKNOWN;
	return pointer - o->content < o->bytes ? PIN_DIRECT : PIN_COPIED;
}

/* Describe what Get* has returned. */
static __always_inline void pin_describe(const struct rule *r, u64 pointer, const struct pin_call *call,
					 struct pin *p)
{
	struct object o = {0};

	object_read(r->target_id, call->object, r->in_vm || r->family == FAMILY_CRITICAL, &o);
	p->object = call->object;
	p->identity = o.identity;
	p->sure = o.sure;
	p->address = o.settled ? o.address : 0;
	p->collections = o.collections;
	p->bytes = o.identity ? (s64)o.bytes : JT_BYTES_UNKNOWN;
	p->copy = pin_copy(pointer, call, &o);
	if (r->func == FUNC_GetStringUTFChars)
		p->bytes = pin_text_bytes(r->target_id, pointer);
}

/* --- the store ---------------------------------------------------------------------------------- */

/* Whose pin is it: may the pointer be like that of another one? */
static __always_inline u32 pin_owner(const struct rule *r, u64 pointer, const struct pin *p)
{
	bool empty = p->identity ? !(u32)p->identity : !(pointer % PAGE_BYTES);

	if (r->family == FAMILY_CRITICAL || (r->family == FAMILY_ARRAY && empty))
		return thread_number();
	return JT_PIN_NOBODY;
}

/* A pin that was not released when its pointer was handed out again. */
struct replaced_pin {
	u32 site; /* 0: there was none */
	u8 copy;  /* enum pin_copy */
};

/*
 * 0; -1: no room. Only the owner's own thread touches the pins of a key that has an owner; of those that have
 * none there is one at a time: a second one says that a release went unseen, and takes its place.
 */
static __always_inline int pin_put(struct pin_key *key, const struct pin *p, struct replaced_pin *replaced)
{
	struct pin *first = bpf_map_lookup_elem(&pins, key);

	replaced->site = 0;
	if (first && key->owner == JT_PIN_NOBODY) {
		replaced->site = first->site;
		replaced->copy = first->copy;
	} else if (first) {
		key->nth = first->more + 1;
		if (bpf_map_update_elem(&pins, key, p, BPF_ANY))
			return -1;
		first->more++;
		return 0;
	}
	return bpf_map_update_elem(&pins, key, p, BPF_ANY) ? -1 : 0;
}

/* The pin that a release of this pointer by this thread means, and its key; NULL: there is none. */
static __always_inline struct pin *pin_find(u64 tag, struct pin_key *key)
{
	struct pin *p;

	key->tag = tag;
	key->owner = JT_PIN_NOBODY;
	key->nth = 0;
	p = bpf_map_lookup_elem(&pins, key);
	if (p)
		return p;
	key->owner = thread_number();
	p = bpf_map_lookup_elem(&pins, key);
	if (!p || !p->more)
		return p;
	key->nth = p->more;
	return bpf_map_lookup_elem(&pins, key);
}

/* Take it out. */
static __always_inline void pin_drop(const struct pin_key *key)
{
	struct pin_key first = {.tag = key->tag, .owner = key->owner};
	struct pin *p;

	bpf_map_delete_elem(&pins, key);
	if (!key->nth)
		return;
	p = bpf_map_lookup_elem(&pins, &first);
	if (p)
		p->more = key->nth - 1;
}

/* --- wrong releases ------------------------------------------------------------------------------- */

/*
 * Is the running thread's native method one that was called before the gate was opened, or is that not
 * known? Then it may hold what we did not see it get. *stack_top: the end of the thread's stack; 0: not
 * known. A global function: verified once.
 */
__noinline int began_before(struct bpf_user_pt_regs_t *regs, u64 *stack_top)
{
	struct pt_regs *ctx = (void *)regs;
	struct rule *r = rule_at(ctx);
	struct before_key key = {0};
	struct java_config *j;
	struct scratch *sc;
	u64 pc = 0, *before, *known;
	u32 target_id;

	if (!r || !stack_top)
		return true;
	*stack_top = 0;
	key.sp = JT_BEFORE_KNOWN;
	key.target_id = target_id = r->target_id;
	known = bpf_map_lookup_elem(&before_native, &key);
	j = bpf_map_lookup_elem(&java_configs, &target_id);
	sc = scratch_take(target_id);
	if (!sc) {
		drop(target_id, DROP_WALKERS_BUSY);
		return true;
	}
	sc->w.sp = reg_read(ctx, r->caller_cfa.reg) + (s64)r->caller_cfa.offset_bytes;
	if (j && java_start(ctx, r, sc, j) == END_NONE) {
		key.sp = sc->java.sp;
		pc = sc->java.pc;
		*stack_top = sc->top;
	}
	scratch_release(sc);
	if (!known || !key.sp)
		return true; /* without a Java frame it is a thread of native code's own */
	before = bpf_map_lookup_elem(&before_native, &key);
	return before && *before == pc;
}

/*
 * Is a release that fits no pin wrong for sure? What was got before attach is not, nor arrays without
 * elements, whose pointer says nothing.
 */
static __always_inline enum finding_kind pin_judge_unknown(struct pt_regs *ctx, struct rule *r, u64 tag,
							   u64 pointer, struct pin_grave *g)
{
	u64 sp = reg_read(ctx, r->caller_cfa.reg) + (s64)r->caller_cfa.offset_bytes, top = 0;
	bool critical = r->family == FAMILY_CRITICAL, before;

	if (pin_grave(tag, critical ? thread_number() : JT_PIN_NOBODY, g) && !critical)
		return FINDING_RELEASED_TWICE;
	if (r->family == FAMILY_ARRAY && !(pointer % PAGE_BYTES))
		return NR_FINDINGS;
	before = began_before((void *)ctx, &top);
	if (critical && !before)
		return g->site ? FINDING_RELEASED_TWICE : FINDING_RELEASED_UNKNOWN;
	/* no Get gives memory of the caller's own stack */
	return pointer >= sp && pointer < top ? FINDING_RELEASED_UNKNOWN : NR_FINDINGS;
}

/*
 * Is this pin released as it should be? Neither class nor length of an object ever changes. shares: its
 * pointer may be that of several.
 */
static __always_inline enum finding_kind pin_judge(struct pt_regs *ctx, const struct rule *r,
						   const struct pin *p, u64 pointer, bool shares)
{
	struct object o;
	u64 object = 0;

	/* of arrays without elements nobody knows which one is meant */
	if (shares && p->family == FAMILY_ARRAY && r->family == FAMILY_ARRAY)
		return NR_FINDINGS;
	/* a Release stands behind its Get in jni_funcs.def */
	if (p->is_shared ? p->family != r->family : p->func + 1 != r->func)
		return FINDING_RELEASED_BY_OTHER;
	if (!p->identity || !p->sure || loc_read(ctx, &r->object, &object) || object == p->object)
		return NR_FINDINGS;
	if (object_read(r->target_id, object, r->in_vm, &o) || !o.sure)
		return NR_FINDINGS;
	if (o.identity != p->identity)
		return FINDING_RELEASED_FOR_OTHER;
	if (p->address && o.settled && o.collections == p->collections && o.address != p->address)
		return FINDING_RELEASED_FOR_OTHER;
	/* what is pinned where it is cannot be an object that is elsewhere */
	if (r->family == FAMILY_CRITICAL && p->copy == PIN_DIRECT && o.content != pointer)
		return FINDING_RELEASED_FOR_OTHER;
	return NR_FINDINGS;
}

/* --- the books of a site ------------------------------------------------------------------------ */

static __always_inline struct pin_stats *pin_stats_of(u32 site)
{
	struct pin_stats *s = bpf_map_lookup_elem(&pin_stats, &site);

	if (s || !site)
		return s;
	bpf_map_update_elem(&pin_stats, &site, &no_pin_stats, BPF_NOEXIST);
	return bpf_map_lookup_elem(&pin_stats, &site);
}

static __always_inline void pin_count_copy(struct pin_stats *s, u8 copy)
{
	if (copy == PIN_COPIED)
		__sync_fetch_and_add(&s->copied, 1);
	else if (copy == PIN_DIRECT)
		__sync_fetch_and_add(&s->direct, 1);
	else
		__sync_fetch_and_add(&s->copy_unknown, 1);
}

/* How many bits the microseconds have. Without a branch: the verifier would follow each. */
static __always_inline u32 hold_bucket(u64 ns)
{
	u64 us = ns / NS_PER_US;
	u32 bits = 0, step;

	us |= -(u64)(us >> (JT_HOLD_BUCKETS - 1) != 0); /* longer than the last: there */
	us &= (1ULL << (JT_HOLD_BUCKETS - 1)) - 1;
	step = (us > 0xffff) << 4, us >>= step, bits |= step;
	step = (us > 0xff) << 3, us >>= step, bits |= step;
	step = (us > 0xf) << 2, us >>= step, bits |= step;
	step = (us > 0x3) << 1, us >>= step, bits |= step;
	step = us > 1, us >>= step, bits |= step;
	return (bits + (u32)us) & (JT_HOLD_BUCKETS - 1);
}

static __always_inline void pin_count_hold(const struct section *c)
{
	struct pin_stats *s = pin_stats_of(c->site);
	u64 ns = c->now - c->start_ns, wait_ns = c->cpu_wait_ns < ns ? c->cpu_wait_ns : ns;
	u64 own_ns = ns - wait_ns;

	if (!s)
		return;
	__sync_fetch_and_add(&s->holds, 1);
	__sync_fetch_and_add(&s->hold_ns, ns);
	__sync_fetch_and_add(&s->cpu_wait_ns, wait_ns);
	__sync_fetch_and_add(&s->hold[hold_bucket(ns)], 1);
	raise_to(&s->max_hold_ns, ns);
	raise_to(&s->max_own_ns, own_ns - (c->vm_ns < own_ns ? c->vm_ns : own_ns));
}

static __always_inline void pin_count_nested(u32 site, u32 outer)
{
	struct pin_stats *s = pin_stats_of(site), *o = pin_stats_of(outer);

	if (s)
		__sync_fetch_and_add(&s->nested, 1);
	if (o)
		__sync_fetch_and_add(&o->inner, 1);
}

#endif
