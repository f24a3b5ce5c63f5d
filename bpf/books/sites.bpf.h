/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which site a call belongs to: one function, called from one stack. A stack that was walked before is known
 * by the memo; another is walked, and kept with a number of its own when it is new.
 */
#ifndef JNITRACE_SITES_BPF_H
#define JNITRACE_SITES_BPF_H

#include "walk/stack.bpf.h"

/* A number for a new site: one of a target that is gone, or the next. 0: no more below limit. */
static __always_inline u32 site_number(u32 limit)
{
	u32 id = 0;

	if (!bpf_map_pop_elem(&free_sites, &id) && id)
		return id;
	if (*(volatile u32 *)&next_site > limit)
		return 0;
	id = __sync_fetch_and_add(&next_site, 1);
	return id <= limit ? id : 0;
}

/*
 * The place in a native method that calls: its function and the native frames down to Java. In one native
 * call this is the whole stack to us, for what is below stays as it is. A site's number does not tell: the
 * Java frames of one stack are written in another way when classes were unloaded or code was deoptimized.
 */
static __noinline u64 native_place(const struct stack *stack, u32 func)
{
	u64 h = func + 1;

	for (u32 i = 0; stack && i < JT_MAX_FRAMES && i < stack->n; i++) {
		u32 kind = stack->frame[i].a >> RAW_KIND_SHIFT;

		if (kind != RAW_NATIVE && kind != RAW_NATIVE_FP)
			break;
		h = hash_add(h, stack->frame[i].a & RAW_ADDR_MASK);
	}
	return h;
}

static __always_inline void place_set(u32 site, u64 place)
{
	u64 *known = bpf_map_lookup_elem(&site_places, &site);

	if (known)
		*known = place;
}

/* A site is new: give it a number and keep its stack. 0: no room. */
static __noinline u32 site_new(const struct rule *r, u64 stack_id, u64 key, const struct stack *stack)
{
	u32 id, *winner;
	struct site *s;

	id = site_number(stack ? max_stacks : max_sites);
	s = bpf_map_lookup_elem(&sites, &id);
	if (!id || !s)
		return 0;
	if (stack) {
		bpf_map_update_elem(&stacks, &stack_id, stack, BPF_NOEXIST);
		if (!bpf_map_lookup_elem(&stacks, &stack_id))
			goto undo;
	}
	s->target_id = r->target_id;
	s->func = r->func;
	s->family = r->family;
	s->has_stack = stack != NULL;
	s->level = 0; /* the number may have been another's, who came too late (level_site_new()) */
	s->made_of = stack_id;
	if (by_frame)
		place_set(id, native_place(stack, r->func));
	if (!bpf_map_update_elem(&site_ids, &key, &id, BPF_NOEXIST)) {
		s->stack_id = stack_id; /* the loader sees it only now */
		__sync_fetch_and_add(&sites_made, 1);
		return id;
	}
undo:
	bpf_map_push_elem(&free_sites, &id, 0);
	winner = bpf_map_lookup_elem(&site_ids, &key); /* another CPU was first */
	return winner ? *winner : 0;
}

/* The site of a stack that was walked before, or 0. */
static __always_inline u32 memo_site(struct scratch *sc, struct pt_regs *ctx, struct rule *r,
				     const struct java_config *j)
{
	struct memo_root *root = memo_start(sc, r, j);
	u32 site;

	if (!root)
		return 0;
	sc->w.win.end = root->top;
	if (stack_read(sc, ctx, r, root->words * 8))
		return 0;
	memo_first(sc);
	site = memo_find(sc, root);
	if (!site || !memo_wants_thread(&sc->memo))
		return site;
	stack_thread((void *)ctx, r, sc, j);
	memo_thread(sc);
	return memo_anchor_equal(&sc->memo) ? site : 0;
}

/* The site of this call by its stack, or 0 when that cannot be kept. */
static __always_inline u32 site_with_stack(struct pt_regs *ctx, struct rule *r, struct scratch *sc)
{
	u32 target_id = r->target_id, *known, id, hit = 0;
	const struct java_config *j = bpf_map_lookup_elem(&java_configs, &target_id);
	u64 stack_id, key;

	stack_begin(sc, ctx, r);
	if (j && memo_mode != MEMO_OFF)
		hit = memo_site(sc, ctx, r, j);
	if (hit && memo_mode == MEMO_ON)
		return hit;
	if (!j || stack_start(sc, ctx, r, j)) {
		drop(target_id, DROP_CALLER_UNREAD);
		return 0;
	}
	if (memo_mode != MEMO_OFF)
		memo_walk(sc);
	stack_id = stack_walk(sc, j);
	key = site_key(stack_id, r->func);
	known = bpf_map_lookup_elem(&site_ids, &key);
	id = known ? *known : site_new(r, stack_id, key, &sc->stack);
	if (!id)
		drop(target_id, DROP_STACKS_FULL);
	else if (memo_mode == MEMO_CHECK && hit)
		memo_check(sc, j, hit, id);
	else if (memo_mode != MEMO_OFF)
		memo_keep(sc, id);
	return id;
}

/* The site of this call's stack. When that cannot be kept, the one site of its function that has no stack. */
static __always_inline u32 stack_site(struct pt_regs *ctx, struct rule *r)
{
	struct scratch *sc = scratch_take(r->target_id);
	u64 stack_id, key;
	u32 *known, id = 0;

	if (sc) {
		id = site_with_stack(ctx, r, sc);
		scratch_release(sc);
		if (id)
			return id;
	} else {
		drop(r->target_id, DROP_WALKERS_BUSY);
	}
	stack_id = mix(~(u64)r->target_id);
	key = site_key(stack_id, r->func);
	known = bpf_map_lookup_elem(&site_ids, &key);
	return known ? *known : site_new(r, stack_id, key, NULL);
}

/* A thread comes to a site for the first time: a site of its own. 0: no room. */
static __noinline u32 thread_site_new(const struct thread_key *key)
{
	u32 id = site_number(max_stacks), from = key->site;
	struct site *s = bpf_map_lookup_elem(&sites, &id), *of = bpf_map_lookup_elem(&sites, &from);
	struct site_thread *t = bpf_map_lookup_elem(&site_threads, &id);

	if (!id || !s || !of || !t)
		return 0;
	t->key = *key;
	t->tid = current_tid();
	bpf_get_current_comm(t->name, sizeof(t->name));
	s->target_id = of->target_id;
	s->func = of->func;
	s->family = of->family;
	s->has_stack = of->has_stack;
	s->level = 0;             /* as in site_new() */
	s->made_of = of->made_of; /* not stack_id: another CPU may be about to write that */
	if (by_frame) {
		u64 *place = bpf_map_lookup_elem(&site_places, &from);

		place_set(id, place ? *place : 0);
	}
	if (bpf_map_update_elem(&thread_sites, key, &id, BPF_NOEXIST)) {
		bpf_map_push_elem(&free_sites, &id, 0);
		return 0;
	}
	s->stack_id = s->made_of; /* the loader sees it only now */
	__sync_fetch_and_add(&sites_made, 1);
	return id;
}

static __always_inline bool is_by_thread(void)
{
	return may_tell_threads && *(volatile bool *)&by_thread;
}

/* The running thread's own part of a site; the site itself when there is no room. */
static __always_inline u32 thread_site(u32 target_id, u32 site)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct thread_key key = {
	    .site = site, .tid = bpf_get_current_pid_tgid(), .start_ns = task->start_time};
	u32 *known = bpf_map_lookup_elem(&thread_sites, &key), id;

	if (known || !site)
		return known ? *known : 0;
	id = thread_site_new(&key);
	if (!id)
		drop(target_id, DROP_STACKS_FULL);
	return id ?: site;
}

/*
 * The site of this call, by its stack and, where something is acquired, perhaps by thread. A global function:
 * verified once, not for each way to come there.
 */
__noinline int site_of(struct bpf_user_pt_regs_t *regs, struct rule *r)
{
	struct pt_regs *ctx = (void *)regs;
	u32 site;

	if (!r)
		return 0;
	site = stack_site(ctx, r);
	return is_by_thread() && r->operation == OP_ACQUIRE ? thread_site(r->target_id, site) : site;
}

/* The same without a call, where the stack is known; else 0. */
static __always_inline u32 site_known(struct pt_regs *ctx, struct rule *r)
{
	struct scratch *sc = memo_mode == MEMO_ON && !is_by_thread() ? scratch_take(r->target_id) : NULL;
	u32 target_id = r->target_id, site;
	const struct java_config *j;

	if (!sc)
		return 0;
	j = bpf_map_lookup_elem(&java_configs, &target_id);
	stack_begin(sc, ctx, r);
	site = j ? memo_site(sc, ctx, r, j) : 0;
	scratch_release(sc);
	return site;
}

/* On this CPU; NULL: there is no such site. */
static __always_inline struct site_counts *site_counts_of(u32 site)
{
	u32 place = bpf_get_smp_processor_id() * (max_sites + 1) + site;

	return site <= max_sites ? bpf_map_lookup_elem(&site_counts, &place) : NULL;
}

#endif
