/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Managed frames of a runtime whose code lies in its library (Android's): unwind tables lead through all
 * frames, and those of its interpreter in assembler name their methods (unwind_spilled()). What is missing
 * are methods whose frames are the runtime's own: native ones, and those that the interpreter in C++ runs.
 * Each has a word on the stack, in a native frame; the thread's fragments (struct fragment), which lie on the
 * stack as well, lead to them. So a method is put where its word lies: below the native frames that lie
 * higher.
 *
 * Source: Android, runtime/managed_stack.h, interpreter/shadow_frame.h. Nothing is believed but what lies on
 * the stack above the frame in hand; names and instructions are proven by the loader.
 */
#ifndef JNITRACE_FRAGMENTS_BPF_H
#define JNITRACE_FRAGMENTS_BPF_H

#define FRAGMENT_STEPS   6 /* behind one native frame */
#define QUICK_TAG_BITS   3ULL
#define ENV_THREAD_BYTES 8 /* JNIEnvExt: functions, self */
/* ShadowFrame: link, method, result, instruction, instructions, locks, { registers, index } */
#define SHADOW_METHOD 8
#define SHADOW_AT     24
#define SHADOW_CODE   32
#define SHADOW_INDEX  48

/* The thread that env names, if that names env. A global function: verified once. */
__noinline int fragments_begin(struct scratch *sc, const struct java_config *j, u64 env)
{
	u64 thread = 0, own = 0;

	if (!sc || !j || env & 7 || !env)
		return 0;
	if (bpf_probe_read_user(&thread, sizeof(thread), (void *)(env + ENV_THREAD_BYTES)) || thread & 7 ||
	    bpf_probe_read_user(&own, sizeof(own), (void *)(thread + j->env_at_in_thread)) || own != env)
		return 0;
	sc->env = env;
	return !bpf_probe_read_user(&sc->fragment, sizeof(sc->fragment),
				    (void *)(thread + j->fragment_in_thread));
}

/* What the walk depends on that does not lie on the stack, equal in all threads with the same frames. */
static __always_inline u64 fragments_key(const struct scratch *sc)
{
	const struct fragment *f = &sc->fragment;
	u64 base = sc->w.notes.base, h = 0;

	if (!f->quick && !f->link && !f->shadow)
		return 0;
	h = hash_add(h, f->quick ? f->quick - base : 0);
	h = hash_add(h, f->link ? f->link - base : 0);
	return hash_add(h, f->shadow ? f->shadow - base : 0);
}

/* A word that is an address of the stack, or 0. */
static __always_inline int link_or_none(struct walk *w, u64 addr, u64 *out)
{
	if (window_word(&w->win, addr, out))
		return -1;
	note(w, addr, *out, *out ? NOTE_RELATIVE : 0);
	return 0;
}

/* A method that the interpreter in C++ runs. 0, or enum stack_end. A global function: verified once. */
__noinline int fragment_shadow(struct scratch *sc)
{
	u64 at, method, next, now, code, index;
	struct walk *w;

	if (!sc)
		return END_METHOD;
	w = &sc->w;
	at = sc->fragment.shadow;
	if (at & 7)
		return END_METHOD;
	if (link_or_none(w, at, &next) || walk_word(w, at + SHADOW_METHOD, &method) ||
	    walk_word(w, at + SHADOW_AT, &now) || walk_word(w, at + SHADOW_CODE, &code) ||
	    walk_word(w, at + SHADOW_INDEX, &index))
		return END_UNREAD;
	index = now ? (now - code) / 2 : index >> 32;
	if ((next && next <= at) || method & 7 || !method || index >> 32)
		return END_METHOD;
	emit(sc, RAW_METHOD, method, index | METHOD_BY_INDEX << RAW_METHOD_SHIFT);
	sc->fragment.shadow = next;
	return 0;
}

/* The method of a transition frame: native, or the runtime's own, which the loader knows. Likewise. */
__noinline int fragment_quick(struct scratch *sc)
{
	u64 at, method;

	if (!sc)
		return END_METHOD;
	at = sc->fragment.quick & ~QUICK_TAG_BITS;
	if (at & 7)
		return END_METHOD;
	if (walk_word(&sc->w, at, &method))
		return END_UNREAD;
	if (method & 7 || !method)
		return END_METHOD;
	emit(sc, RAW_METHOD, method, 0);
	sc->fragment.quick = 0;
	return 0;
}

/* On to the fragment of frames further out. Likewise. */
__noinline int fragment_next(struct scratch *sc)
{
	u64 at;

	if (!sc)
		return END_METHOD;
	at = sc->fragment.link;
	if (at & 7 || at < sc->w.notes.base)
		return END_METHOD;
	if (link_or_none(&sc->w, at, &sc->fragment.quick) ||
	    link_or_none(&sc->w, at + 8, &sc->fragment.link) ||
	    link_or_none(&sc->w, at + 16, &sc->fragment.shadow))
		return END_UNREAD;
	return sc->fragment.link && sc->fragment.link <= at ? END_METHOD : 0;
}

/* Emit the methods whose words lie below the frame in hand. 0, or 1: sc->end says why the stack ends.
 * Likewise.
 */
__noinline int fragments_below(struct scratch *sc)
{
	int end = 0;

	if (!sc)
		return 1;
	for (int i = 0; i < FRAGMENT_STEPS && !end; i++) {
		u64 sp = sc->w.sp, quick = sc->fragment.quick, shadow = sc->fragment.shadow;

		if (sc->stack.n >= JT_MAX_FRAMES)
			return 0;
		if (shadow && shadow < sp)
			end = fragment_shadow(sc);
		else if (quick && quick < sp)
			end = fragment_quick(sc);
		else if (!shadow && !quick && sc->fragment.link)
			end = fragment_next(sc);
		else
			return 0;
	}
	sc->end = end ?: END_METHOD;
	return 1;
}

#endif
