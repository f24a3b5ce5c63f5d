/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Functions that release, and whose addresses are known only when a handle is acquired: an argument tells.
 * The loader is asked for a probe when such an address comes for the first time. What is acquired until the
 * probe is there is counted, and not paired, as its release may go unseen; a process that jnitrace run has
 * started stops until it is there.
 */
#ifndef JNITRACE_FINALIZERS_BPF_H
#define JNITRACE_FINALIZERS_BPF_H

#include "books/rule.bpf.h"
#include "border/unwind.h"
#include "walk/hold.bpf.h"

MAP_HASH(finalizers, JT_FINALIZERS, struct finalizer_key, struct finalizer);

/* None was given, or a word that says what to do instead (SQLite's SQLITE_TRANSIENT is -1). */
static __always_inline bool is_no_finalizer(u64 address)
{
	return address + 1 <= 1;
}

/* Behind a library that was closed another function may be at the same address. */
static __always_inline u32 closings_of(u32 target_id)
{
	struct unwind_space *s = bpf_map_lookup_elem(&unwind_spaces, &target_id);

	return s ? *(volatile u32 *)&s->closings : 0;
}

/* As the return of the acquisition asks. */
static __always_inline bool finalizer_is_probed(const struct rule *r, u64 address)
{
	struct finalizer_key key = {.address = address, .target_id = r->target_id, .family = r->family};
	struct finalizer *f = bpf_map_lookup_elem(&finalizers, &key);

	return f && f->state == FINALIZER_PROBED && f->closings == closings_of(r->target_id);
}

/* The entry of an acquisition: is this one new? Where that cannot be kept the next one is. A global function:
 * verified once. */
__noinline int finalizer_given(struct rule *r, u64 address)
{
	struct finalizer asked = {.state = FINALIZER_ASKED}, *known;
	struct finalizer_key key = {0};
	struct finalizer_asked *m;

	if (!r || is_no_finalizer(address))
		return 0;
	key.address = address;
	key.target_id = r->target_id;
	key.family = r->family;
	asked.closings = closings_of(r->target_id);
	known = bpf_map_lookup_elem(&finalizers, &key);
	if (known && known->closings == asked.closings)
		return 0;
	if (bpf_map_update_elem(&finalizers, &key, &asked, BPF_ANY))
		return 0;
	m = bpf_ringbuf_reserve(&code_changes, sizeof(*m), 0);
	if (!m) {
		bpf_map_delete_elem(&finalizers, &key);
		return 0;
	}
	m->target_id = JT_FINALIZER_ASKED;
	m->closings = asked.closings;
	m->key = key;
	bpf_ringbuf_submit(m, 0);
	if (holds && is_held())
		hold_here();
	return 0;
}

#endif
