/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Findings of pairs that take more than the books of one handle: rules of OP_WATCH (enum watch) keep and
 *judge them. They are rules of their own, so that what is not asked for costs nothing.
 *
 *	Loans	A callback is lent objects that their finalizers will free, and makes work for another thread.
 *		While that work is pending none of these objects may be freed. Whether the work uses one is
 *		not known: that would be a plain load. A callback is known by its question what it was given,
 *		which is an object on the stack of its caller: while that is there, as it was, the callback
 *		runs. What is lent or made otherwise is nobody's.
 *	Owners	A handle belongs to the environment of the thread that made it, and has to be released before
 *		that ends.
 *	Scopes	Scopes of one thread are closed in the reverse of the order in which they are opened.
 */
#ifndef JNITRACE_WATCH_BPF_H
#define JNITRACE_WATCH_BPF_H

#include "books/pair_calls.bpf.h"
#include "border/threads.h"

#define WATCH_LENT_MAX 64 /* objects lent to one callback; a power of two, like the next */
#define WATCH_SCOPES   32 /* scopes open in one thread */

/* Node.js 18 to 26, CallbackWrapper: this, arguments, data, the function's bundle; before 24 behind a vtable
 */
#define WATCH_GIVEN_WORDS 6

struct watch_thread {
	u32 target_id;
	u32 nr_lent, nr_open;
	u32 pad;
	u64 given,
	    given_hash; /* what the callback was given, and what is there; 0: none runs that is known */
	u64 lent[WATCH_LENT_MAX];
	u64 open[WATCH_SCOPES]; /* the innermost last */
};
/* The oldest give way, as in pair_threads. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1); /* (loader) */
	__type(key, u64);
	__type(value, struct watch_thread);
} watch_threads SEC(".maps");
/* To begin with: too large for a program's stack. */
MAP_ARRAY(watch_thread_none, BPF_MAP_TYPE_ARRAY, 1, struct watch_thread);

/* By pair_tag(). */
MAP_HASH(watch_works, 1, u64, struct watch_work);  /* (loader) */
MAP_HASH(watch_loans, 1, u64, struct watch_loans); /* (loader) */
MAP_HASH(watch_owned, 1, u64, u64);                /* (loader) handle -> owner */
/* By ref_tag() of the owner. */
MAP_HASH(watch_owners, 1, u64, struct watch_owner); /* (loader) */
MAP_ARRAY(watch_owner_none, BPF_MAP_TYPE_ARRAY, 1, struct watch_owner);

static __always_inline u64 watch_tag(const struct rule *r, u64 handle)
{
	return pair_tag(r->target_id, r->family, handle);
}

static __always_inline struct watch_thread *watch_thread_of(const struct rule *r, bool create)
{
	u64 key = bpf_get_current_pid_tgid();
	struct watch_thread *t = bpf_map_lookup_elem(&watch_threads, &key), *none;
	u32 zero = 0;

	if (!t && create) {
		none = bpf_map_lookup_elem(&watch_thread_none, &zero);
		if (!none || bpf_map_update_elem(&watch_threads, &key, none, BPF_NOEXIST)) {
			drop(r->target_id, DROP_WATCH_FULL);
			return NULL;
		}
		t = bpf_map_lookup_elem(&watch_threads, &key);
	}
	if (t && t->target_id != r->target_id) {
		t->target_id = r->target_id;
		t->nr_lent = t->nr_open = 0;
		t->given = 0;
	}
	return t;
}

/* --- loans --------------------------------------------------------------------------------------- */

static __always_inline u64 watch_given_hash(u64 given)
{
	u64 word[WATCH_GIVEN_WORDS] = {0}, hash = 0;

	if (bpf_probe_read_user(word, sizeof(word), (void *)given))
		return 0;
	for (int i = 0; i < WATCH_GIVEN_WORDS; i++)
		hash = hash_add(hash, word[i]);
	return hash;
}

/* A callback asks what it was given; 0: another one begins that has not asked yet. */
static __always_inline void watch_callback(const struct rule *r, u64 given)
{
	struct watch_thread *t = watch_thread_of(r, given != 0);

	if (!t)
		return;
	t->nr_lent = 0;
	t->given = given;
	t->given_hash = given ? watch_given_hash(given) : 0;
}

/* Does the callback that asked last still run? A global function: verified once. */
__noinline int watch_in_callback(struct rule *r, u64 sp)
{
	struct watch_thread *t = r ? watch_thread_of(r, false) : NULL;

	if (!t || !t->given)
		return 0;
	if (sp < t->given && watch_given_hash(t->given) == t->given_hash)
		return 1;
	t->given = 0;
	t->nr_lent = 0;
	return 0;
}

static __always_inline void watch_lent(const struct rule *r, u64 handle)
{
	struct watch_thread *t = watch_thread_of(r, true);
	u32 n;

	if (!t)
		return;
	n = t->nr_lent;
	if (n >= WATCH_LENT_MAX) {
		drop(r->target_id, DROP_WATCH_FULL);
		return;
	}
	t->lent[n & (WATCH_LENT_MAX - 1)] = handle;
	t->nr_lent = n + 1;
}

/* Has the running callback anything on loan? */
static __always_inline bool watch_lends(const struct rule *r)
{
	struct watch_thread *t = watch_thread_of(r, false);

	return t && t->nr_lent;
}

static __always_inline bool watch_is_pending(const struct watch_loan *l)
{
	u64 work = l->work;
	struct watch_work *w = work ? bpf_map_lookup_elem(&watch_works, &work) : NULL;

	return w && w->id == l->id;
}

/* Of one object more to this work. A global function: verified once. */
__noinline int watch_lend(u64 tag, u64 work, u64 id)
{
	struct watch_loans *l = bpf_map_lookup_elem(&watch_loans, &tag), first = {0};

	if (!l) {
		first.to[0].work = work;
		first.to[0].id = id;
		return bpf_map_update_elem(&watch_loans, &tag, &first, BPF_NOEXIST);
	}
	for (int i = 0; i < WATCH_WORKS; i++) {
		if (watch_is_pending(&l->to[i]))
			continue;
		l->to[i].work = work;
		l->to[i].id = id;
		return 0;
	}
	return -1;
}

/* Work was made by a callback that has something on loan: at this site. */
__noinline int watch_work_made(struct rule *r, u64 handle, u32 site)
{
	struct watch_work w = {.id = bpf_ktime_get_ns(), .site = site};
	struct watch_thread *t = r ? watch_thread_of(r, false) : NULL;
	bool failed = false;
	u64 work;

	if (!t)
		return 0;
	work = watch_tag(r, handle);
	failed |= bpf_map_update_elem(&watch_works, &work, &w, BPF_ANY) != 0;
	for (u32 i = 0; i < WATCH_LENT_MAX; i++) {
		if (i >= t->nr_lent)
			break;
		failed |= watch_lend(watch_tag(r, t->lent[i]), work, w.id) != 0;
	}
	if (failed)
		drop(r->target_id, DROP_WATCH_FULL);
	return 0;
}

/* It may run now, or is over. */
static __always_inline void watch_work(const struct rule *r, u64 handle)
{
	u64 tag = watch_tag(r, handle);
	struct watch_work *w;

	if (r->watch == WATCH_WORK_QUEUED) {
		w = bpf_map_lookup_elem(&watch_works, &tag);
		if (w)
			w->queued = 1;
		return;
	}
	bpf_map_delete_elem(&watch_works, &tag);
	if (r->maybe) /* of any kind: its callback follows */
		watch_callback(r, 0);
}

/* Where work was made that is pending and has this object on loan; 0: there is none. */
static __always_inline u32 watch_borrower(const struct rule *r, u64 handle)
{
	u64 tag = watch_tag(r, handle);
	struct watch_loans *l = bpf_map_lookup_elem(&watch_loans, &tag);
	u32 site = 0;

	if (!l)
		return 0;
	for (int i = 0; i < WATCH_WORKS; i++) {
		u64 work = l->to[i].work;
		struct watch_work *w = work ? bpf_map_lookup_elem(&watch_works, &work) : NULL;

		if (w && w->id == l->to[i].id && w->queued)
			site = w->site;
	}
	bpf_map_delete_elem(&watch_loans, &tag);
	return site;
}

/* Where a handle was acquired, be it released meanwhile: two rules may be at one place. */
__noinline u32 watch_acquired_at(u64 tag)
{
	struct grave g = {0};
	u32 site = pair_live(tag);

	return site || !pair_grave(tag, &g) ? site : g.site;
}

/* Where a handle was acquired that lives; 0: it does not, or not that is known. */
static __always_inline u32 watch_live(const struct rule *r, u64 handle)
{
	return handle >> HANDLE_BITS ? 0 : pair_live(watch_tag(r, handle));
}

/* --- owners -------------------------------------------------------------------------------------- */

/* Does it live, and belong to this owner? A global function: verified once, as the next ones. */
__noinline int watch_owns(u64 tag, u64 owner)
{
	u64 *of = bpf_map_lookup_elem(&watch_owned, &tag);

	return of && *of == owner && pair_live(tag);
}

__noinline int watch_owned_by(struct rule *r, u64 handle, u64 owner)
{
	u64 key = r ? ref_tag(r->target_id, owner) : 0, none = 0;
	struct watch_owner *o = bpf_map_lookup_elem(&watch_owners, &key);
	u32 zero = 0;
	void *empty;

	if (!r)
		return 0;
	if (!o) {
		empty = bpf_map_lookup_elem(&watch_owner_none, &zero);
		if (empty)
			bpf_map_update_elem(&watch_owners, &key, empty, BPF_NOEXIST);
		o = bpf_map_lookup_elem(&watch_owners, &key);
		if (!o) {
			drop(r->target_id, DROP_WATCH_FULL);
			return 0;
		}
	}
	for (u32 i = 0; i < WATCH_OWNED_MAX; i++) {
		u64 tag = watch_tag(r, o->handle[i]);

		if (o->handle[i] == handle)
			break;
		if (o->handle[i] && watch_owns(tag, owner))
			continue;
		if (o->handle[i])
			bpf_map_update_elem(&watch_owned, &tag, &none, BPF_EXIST);
		o->handle[i] = handle;
		break;
	}
	key = watch_tag(r, handle);
	if (bpf_map_update_elem(&watch_owned, &key, &owner, BPF_ANY))
		drop(r->target_id, DROP_WATCH_FULL);
	return 0;
}

__noinline int watch_left(struct rule *r, u64 handle, u64 owner)
{
	u64 tag = r ? watch_tag(r, handle) : 0;

	if (!r || !handle)
		return 0;
	if (watch_owns(tag, owner))
		finding(r->target_id, FINDING_LEFT_AT_END, 0, watch_acquired_at(tag), 0, handle);
	bpf_map_delete_elem(&watch_owned, &tag);
	return 0;
}

__noinline int watch_owner_ends(struct rule *r, u64 owner)
{
	u64 key = r ? ref_tag(r->target_id, owner) : 0;
	struct watch_owner *o = bpf_map_lookup_elem(&watch_owners, &key);

	if (!r || !o)
		return 0;
	for (u32 i = 0; i < WATCH_OWNED_MAX; i++)
		watch_left(r, o->handle[i], owner);
	bpf_map_delete_elem(&watch_owners, &key);
	return 0;
}

/* --- scopes -------------------------------------------------------------------------------------- */

static __always_inline void watch_scope_opened(const struct rule *r, u64 handle)
{
	struct watch_thread *t = watch_thread_of(r, true);
	u32 n;

	if (!t)
		return;
	n = t->nr_open;
	if (n >= WATCH_SCOPES) {
		drop(r->target_id, DROP_WATCH_FULL);
		return;
	}
	t->open[n & (WATCH_SCOPES - 1)] = handle;
	t->nr_open = n + 1;
}

/*
 * Is another one open inside it? It is open no more: what is closed among others leaves a hole, and the last
 * one is none. A global function: verified once.
 */
__noinline int watch_scope_closed(struct rule *r, u64 handle)
{
	struct watch_thread *t = r ? watch_thread_of(r, false) : NULL;
	u32 n = t ? t->nr_open : 0, inside = 0;
	bool found = false;

	if (!t || !handle)
		return 0;
	for (; inside < WATCH_SCOPES && !found; inside++)
		found = inside < n && t->open[(n - 1 - inside) & (WATCH_SCOPES - 1)] == handle;
	if (!found)
		return 0; /* opened before, or closed already: the books know */
	barrier_var(inside);
	t->open[(n - inside) & (WATCH_SCOPES - 1)] = 0;
	for (u32 i = 0; i < WATCH_SCOPES; i++) {
		if (!n || t->open[(n - 1) & (WATCH_SCOPES - 1)])
			break;
		n--;
	}
	t->nr_open = n;
	return inside > 1;
}

/* What Node.js says when a callback returns with other scopes open than it was called with. */
const volatile char scopes_differ[] = "(open_handle_scopes) == (open_handle_scopes_before)";
struct assertion { /* node::AssertionInfo */
	u64 place, text, function;
};

/* assertion: where it is. */
static __always_inline bool watch_scopes_differ(u64 assertion)
{
	char text[sizeof(scopes_differ)] = {0};
	u64 at = 0;

	if (bpf_probe_read_user(&at, sizeof(at), (void *)(assertion + offsetof(struct assertion, text))) ||
	    bpf_probe_read_user_str(text, sizeof(text), (void *)at) != sizeof(text))
		return false;
	for (u32 i = 0; i < sizeof(scopes_differ); i++)
		if (text[i] != scopes_differ[i])
			return false;
	return true;
}

/* The innermost open scope of the running thread was opened there; 0: not known. */
static __always_inline u32 watch_open_scope(const struct rule *r)
{
	struct watch_thread *t = watch_thread_of(r, false);
	u32 n = t ? t->nr_open : 0;

	return n && n <= WATCH_SCOPES ? watch_acquired_at(watch_tag(r, t->open[(n - 1) & (WATCH_SCOPES - 1)]))
				      : 0;
}

/* --- what a call is given ------------------------------------------------------------------------ */

/*
 * Returns what watch_tell() is to be told with the site of the call; 0: nothing. Global functions: verified
 * once.
 */
__noinline u32 watch_given(struct rule *r, u64 given)
{
	if (!r)
		return 0;
	switch (r->watch) {
	case WATCH_CALLBACK:
		watch_callback(r, given);
		return 0;
	case WATCH_WORK_QUEUED:
	case WATCH_WORK_DONE:
		watch_work(r, given);
		return 0;
	case WATCH_FINALIZED:
		return watch_borrower(r, given);
	case WATCH_SCOPE_CLOSED:
		return watch_scope_closed(r, given);
	case WATCH_ASSERTED:
		return watch_scopes_differ(given);
	default:
		return 0;
	}
}

__noinline int watch_tell(struct rule *r, u64 given, u32 site, u32 what)
{
	if (!r)
		return 0;
	switch (r->watch) {
	case WATCH_FINALIZED:
		finding(r->target_id, FINDING_FINALIZED_IN_USE, what, watch_acquired_at(watch_tag(r, given)),
			site, given);
		return 0;
	case WATCH_SCOPE_CLOSED:
		finding(r->target_id, FINDING_SCOPE_ORDER, site, watch_acquired_at(watch_tag(r, given)), 0,
			given);
		return 0;
	case WATCH_ASSERTED:
		finding(r->target_id, FINDING_SCOPE_LEFT, site, watch_open_scope(r), 0, 0);
		return 0;
	default:
		return 0;
	}
}

#endif
