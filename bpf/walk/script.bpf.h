/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Frames of an interpreter, as struct script_config says that they lie, put between the native ones: those
 * that one native frame of the interpreter runs, behind that. What is read is believed only as far as it is
 * in the array of frames, or on a chain that ends; the loader proves what it names.
 *
 * Nothing of it is on the native stack, so such a walk is not kept by the memo.
 */
#ifndef JNITRACE_SCRIPT_BPF_H
#define JNITRACE_SCRIPT_BPF_H

#define SCRIPT_STEPS       16
#define SCRIPT_GROUPS      16 /* of steps: more frames than a stack keeps, with those that are hidden */
#define SCRIPT_STATES      16 /* of a list, in one step */
#define SCRIPT_LIST_STEPS  16
#define SCRIPT_STACK_WORDS (1ULL << 24)
#define DTV_ENTRY_BYTES    16 /* C library: sysdeps/generic/dl-dtv.h */

MAP_ARRAY(script_configs, BPF_MAP_TYPE_ARRAY, JT_MAX_TARGETS, struct script_config);

static __always_inline u64 script_word(u64 addr)
{
	u64 word = 0;

	bpf_probe_read_user(&word, sizeof(word), (void *)addr);
	return word;
}

/* Is this a state, by where its innermost frame is? Then the frames begin there. */
static __always_inline bool script_is_state(struct script_walk *s, const struct script_config *c, u64 state)
{
	u64 stack[2] = {0, 0};

	if (!state || state & 7)
		return false;
	s->holder = c->holder_frame || c->holder_next ? script_word(state + c->state_frame) : 0;
	s->frame = s->holder ? script_word(s->holder + c->holder_frame) : script_word(state + c->state_frame);
	if (!c->stride_words)
		return s->frame && !(s->frame & 7);
	if (bpf_probe_read_user(stack, sizeof(stack), (void *)(state + c->state_stack)) ||
	    stack[1] > SCRIPT_STACK_WORDS)
		return false;
	s->low = stack[0];
	s->high = stack[0] + stack[1] * 8;
	return s->low && !(s->frame & 7) && s->frame >= s->low && s->frame < s->high;
}

/* Where the module's block of the running thread is. Of the C library: the table of blocks is the second
 * word. */
static __always_inline u64 script_tls_block(const struct script_config *c, u64 thread)
{
	if (!c->tls_module)
		return thread;
	return script_word(script_word(thread + 8) + c->tls_module * DTV_ENTRY_BYTES);
}

/* The next states of the list: the running thread's? It goes on at *state, 0 at the end. */
__noinline int script_in_list(struct script_walk *s, const struct script_config *c, u64 thread)
{
	if (!s || !c)
		return 1;
	for (int i = 0; i < SCRIPT_STATES; i++) {
		u64 state = s->state;

		if (!state)
			return 1;
		if (script_word(state + c->list_thread) == thread) {
			if (!script_is_state(s, c, state))
				s->frame = 0;
			return 1;
		}
		s->state = script_word(state + c->list_next);
	}
	return 0;
}

/* The running thread's innermost frame, if it has one. A global function: verified once. */
__noinline int script_find(struct scratch *sc, const struct script_config *c)
{
	u64 thread, block;

	if (!sc || !c)
		return 0;
	sc->w.notes.lost = 1;
	thread = thread_pointer();
	sc->script.state = c->tls_words || !c->list_head ? 0 : script_word(c->list_head);
	for (int i = 0; i < SCRIPT_LIST_STEPS; i++)
		if (!sc->script.state || script_in_list(&sc->script, c, thread))
			break;
	if (!c->tls_words)
		return 0;
	block = script_tls_block(c, thread) + c->tls_offset;
	for (u32 i = 0; i < SCRIPT_TLS_WORDS && i < c->tls_words; i++)
		if (script_is_state(&sc->script, c, script_word(block + i * 8)))
			return 0;
	sc->script.frame = 0;
	return 0;
}

static __always_inline u64 script_frame_word(const struct script_walk *s, u32 word)
{
	return word < SCRIPT_FRAME_WORDS ? s->word[word] : 0;
}

static __always_inline u32 script_flags(const struct script_walk *s, const struct script_config *c)
{
	u64 at = script_frame_word(s, c->flags_offset / 8);

	return c->flags_by_pointer ? script_word(at) : at >> c->flags_offset % 8 * 8;
}

static __always_inline bool script_flags_are(u32 flags, const struct script_flags *f)
{
	return f->mask && (flags & f->mask) == f->bits;
}

static __always_inline void script_emit(struct scratch *sc, const struct script_config *c)
{
	u64 code = script_frame_word(&sc->script, c->code_word),
	    pc = script_frame_word(&sc->script, c->pc_word);
	u32 check[2] = {0, 0};

	if (c->code_field)
		code = script_word(code + c->code_field);
	bpf_probe_read_user(&check[0], sizeof(u32), (void *)(code + c->check_at[0]));
	bpf_probe_read_user(&check[1], sizeof(u32), (void *)(code + c->check_at[1]));
	emit(sc, RAW_SCRIPT_WORDS, code,
	     (pc & SCRIPT_PC_MASK) | script_check(check[0], check[1]) << SCRIPT_CHECK_SHIFT);
}

/* Some frames of a group. 0: it goes on, 1: that was the last one, or no more can be read. */
__noinline int script_step(struct scratch *sc, const struct script_config *c)
{
	struct script_walk *s;

	if (!sc || !c)
		return 1;
	s = &sc->script;
	for (int i = 0; i < SCRIPT_STEPS; i++) {
		u32 bytes = (c->frame_words & (SCRIPT_FRAME_WORDS - 1)) * 8, flags;

		if (!s->frame)
			return 1;
		if (sc->stack.n >= max_depth || sc->stack.n >= JT_MAX_FRAMES)
			return 1;
		if (s->frame & 7 || bpf_probe_read_user(s->word, bytes, (void *)s->frame)) {
			s->frame = 0;
			return 1;
		}
		flags = script_flags(s, c);
		if (!script_flags_are(flags, &c->hidden[0]) && !script_flags_are(flags, &c->hidden[1]))
			script_emit(sc, c);
		if (c->stride_words)
			s->frame += c->stride_words * 8;
		else
			s->frame = script_frame_word(s, c->previous_word);
		if (c->stride_words && (s->frame < s->low || s->frame + bytes > s->high))
			s->frame = 0;
		if (script_flags_are(flags, &c->last))
			return 1;
	}
	return 0;
}

/* The last frames of groups that lie in native frames: the next one, some frames on. 0: it is further. */
__noinline int script_ahead(struct script_walk *s, const struct script_config *c)
{
	if (!s || !c)
		return 1;
	for (int i = 0; i < SCRIPT_STEPS; i++) {
		u32 bytes = (c->frame_words & (SCRIPT_FRAME_WORDS - 1)) * 8;

		if (!s->mark || s->mark & 7 || bpf_probe_read_user(s->word, bytes, (void *)s->mark)) {
			s->mark = 0;
			return 1;
		}
		if (script_flags_are(script_flags(s, c), &c->last))
			return 1;
		s->mark = script_frame_word(s, c->previous_word);
	}
	return 0;
}

/* What lies in the native frame that runs the next group. */
static __always_inline void script_mark(struct script_walk *s, const struct script_config *c)
{
	bool found = false;

	if (c->holder_next) {
		s->mark = s->holder;
		return;
	}
	s->mark = c->stride_words ? 0 : s->frame;
	for (int i = 0; i < SCRIPT_GROUPS && s->mark && !found; i++)
		found = script_ahead(s, c);
	if (!found)
		s->mark = 0;
}

/* The frames of a group. */
static __always_inline void script_group(struct scratch *sc, const struct script_config *c)
{
	struct script_walk *s = &sc->script;

	for (int i = 0; i < SCRIPT_GROUPS; i++)
		if (script_step(sc, c))
			break;
	if (s->holder)
		s->holder = script_word(s->holder + c->holder_next);
	script_mark(s, c);
}

static __always_inline bool script_is_return(const struct script_config *c, u64 pc)
{
	bool is = false;

	for (int i = 0; i < SCRIPT_RETURNS; i++)
		is |= c->returns[i] == pc;
	return is && pc;
}

/*
 * A native frame was kept, from this stack pointer up to that of its caller, which is in hand. Where it is
 * the interpreter's, the frames that it runs follow. A global function: verified once.
 */
__noinline int script_called(struct scratch *sc, u64 sp)
{
	u32 target_id = sc ? sc->target_id : 0;
	const struct script_config *c = bpf_map_lookup_elem(&script_configs, &target_id);

	if (!sc || !c || !c->on)
		return 0;
	if (script_is_return(c, sc->w.pc)) {
		if (!sc->script.frame)
			emit(sc, RAW_GAP, END_SCRIPT, 0);
		script_group(sc, c);
	} else if (sc->script.mark && sc->script.mark - sp < sc->w.sp - sp) {
		script_group(sc, c);
	}
	return 0;
}

/* The walk begins. A global function: verified once. */
__noinline int script_begin(struct scratch *sc)
{
	u32 target_id = sc ? sc->target_id : 0;
	const struct script_config *c = bpf_map_lookup_elem(&script_configs, &target_id);

	if (!sc || !c || !c->on)
		return 0;
	script_find(sc, c);
	script_mark(&sc->script, c);
	return 0;
}

/* The walk is at its end; frames that are left were run by native ones that were not found. */
__noinline int script_rest(struct scratch *sc)
{
	u32 target_id = sc ? sc->target_id : 0, n;
	const struct script_config *c = bpf_map_lookup_elem(&script_configs, &target_id);

	if (!sc || !c || !c->on)
		return 0;
	n = sc->stack.n;
	if (!sc->script.frame || sc->end == END_DEPTH || n + 1 >= max_depth)
		return 0;
	emit(sc, RAW_GAP, sc->end == END_BOTTOM ? END_BAD_FRAME : sc->end, 0);
	for (int i = 0; i < SCRIPT_GROUPS && sc->script.frame; i++)
		script_group(sc, c);
	if (sc->stack.n == n + 1) /* none that is shown */
		sc->stack.n = n;
	else
		sc->end = sc->script.frame ? END_DEPTH : END_BOTTOM;
	return 0;
}

#endif
