/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Java frames of OpenJDK's VM, from the thread's frame anchor upwards (JDK: runtime/frame_x86.cpp,
 * frame::sender). Every address is checked to lie in the thread's own stack, above the one before, so the
 * walk ends and what is no frame ends it with a reason. What the VM's layout is: struct java_config, by the
 * loader.
 */
#ifndef JNITRACE_JAVA_BPF_H
#define JNITRACE_JAVA_BPF_H

#define JAVA_CODES              (1 << 14)
#define MAX_FRAME_WORDS         (1 << 16)
#define MAX_SEGMENT_HOPS        48   /* a step back in the segment map is at most 254 segments of 128 bytes */
#define MAX_SEARCHES            16   /* for the register that holds the JNIEnv, at one site, in vain */
#define SEARCH_EVERY            1024 /* calls, after those */
#define INTERPRETER_WORDS_BELOW 8    /* of fp, that are read */
#define MAX_EMPTY_CHUNKS        4

MAP_ARRAY(java_configs, BPF_MAP_TYPE_ARRAY, JT_MAX_TARGETS, struct java_config);
MAP_ARRAY(unloaded, BPF_MAP_TYPE_ARRAY, UNLOADED_PLACES, u64);
MAP_ARRAY(java_codes, BPF_MAP_TYPE_ARRAY, JAVA_CODES, struct java_code);

/* Where no register tells a return probe its JNIEnv: what the entry was given. By thread; it never changes.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1 << 14);
	__type(key, u64);
	__type(value, u64);
} thread_envs SEC(".maps");

/*
 * The same of those that called last, as a hash lookup costs 25 ns: env, and in its upper 16 bits those of
 * the thread's id that do not choose the place. One word, as threads may write here at once.
 */
#define THREAD_PLACE_BITS 12
MAP_ARRAY(threads_at_hand, BPF_MAP_TYPE_ARRAY, 1 << THREAD_PLACE_BITS, u64);

static __always_inline u64 *thread_at_hand(u32 tid)
{
	u32 at = tid & ((1 << THREAD_PLACE_BITS) - 1);

	return bpf_map_lookup_elem(&threads_at_hand, &at);
}

static __always_inline u64 thread_env_known(void)
{
	u64 thread = bpf_get_current_pid_tgid(), *known, *at_hand = thread_at_hand(thread);
	u64 word = at_hand ? *(volatile u64 *)at_hand : 0;

	if (word && word >> 48 == (u32)thread >> THREAD_PLACE_BITS)
		return word << 16 >> 16;
	known = bpf_map_lookup_elem(&thread_envs, &thread);
	return known ? *known : 0;
}

/* The JNIEnv of the running thread, for the walks to come. */
static __always_inline void thread_env_keep(u64 env)
{
	u64 thread = bpf_get_current_pid_tgid(), *known, *at_hand = thread_at_hand(thread);
	u64 word = env | (u64)((u32)thread >> THREAD_PLACE_BITS) << 48;

	if (at_hand && *at_hand == word)
		return;
	known = bpf_map_lookup_elem(&thread_envs, &thread);
	if (!known || *known != env)
		bpf_map_update_elem(&thread_envs, &thread, &env, BPF_ANY);
	if (at_hand && !(env >> 48))
		*(volatile u64 *)at_hand = word;
}

#define READ_USER(dst, addr) bpf_probe_read_user(&(dst), sizeof(dst), (void *)(addr))

static __always_inline int java_end(struct scratch *sc, enum stack_end end)
{
	sc->end = end;
	return 1;
}

/* --- the thread --------------------------------------------------------------------------------- */

/* A signal handler may have another stack than its thread. */
static __always_inline bool on_stack(const struct scratch *sc, u64 sp)
{
	return sc->top - sp <= sc->stack_bytes;
}

/* Does the JavaThread around env know the running thread as its own? A global function: verified once. */
__noinline int is_current_thread(const struct java_config *j, u64 env)
{
	u64 os_thread = 0;
	u32 tid = 0;

	return j && j->os_thread_from_env && !READ_USER(os_thread, env + (s64)j->os_thread_from_env) &&
	       !READ_USER(tid, os_thread + j->os_thread_id) && tid && tid == current_tid_inside();
}

/*
 * Is env the JNIEnv* of the running thread? It names a JNI function table of this VM, and the thread around
 * it has the stack we are on, or is the one that runs. If so take over its anchor.
 */
static __always_inline bool java_thread(struct scratch *sc, const struct java_config *j, u64 env)
{
	u64 *word = sc->thread, base, size, table;
	u32 bytes = j->thread_bytes;

	if (by_fragments && j->on == MANAGED_BY_FRAGMENTS)
		return fragments_begin(sc, j, env);
	if (env & 7 || !env || bytes > JAVA_THREAD_WORDS * 8 ||
	    bpf_probe_read_user(word, bytes, (void *)(env + j->thread_from)))
		return false;
	table = word[j->env_word & (JAVA_THREAD_WORDS - 1)];
	if (!table || (table != j->env_table[0] && table != j->env_table[1]))
		return false;
	base = word[j->stack_base_word & (JAVA_THREAD_WORDS - 1)];
	size = word[j->stack_size_word & (JAVA_THREAD_WORDS - 1)];
	if (base & 7 || (base - sc->w.sp > size && !is_current_thread(j, env)))
		return false;
	sc->env = env;
	sc->stack_bytes = size;
	sc->top = sc->w.win.end = base;
	sc->java.sp = word[j->anchor_word & (JAVA_THREAD_WORDS - 1)];
	sc->java.pc = word[(j->anchor_word + 1) & (JAVA_THREAD_WORDS - 1)];
	sc->java.fp = word[(j->anchor_word + 2) & (JAVA_THREAD_WORDS - 1)];
	sc->java.fp_at = USES_ANCHOR_FP;
	return true;
}

/* The same as a global function: verified once. */
__noinline int java_thread_try(struct scratch *sc, const struct java_config *j, u64 env)
{
	return sc && j && java_thread(sc, j, env);
}

/* One word: programs may find it at once. */
union loc_word {
	struct loc loc;
	u64 word;
};

static __always_inline struct loc rule_env(const struct rule *r)
{
	union loc_word w = {.word = *(const volatile u64 *)&r->env};

	return w.loc;
}

static __always_inline void rule_env_set(struct rule *r, struct loc found)
{
	union loc_word w = {.loc = found};

	*(volatile u64 *)&r->env = w.word;
}

/* A pair's function is given no JNIEnv. Its caller may have one in a register. */
static __always_inline bool given_none(const struct rule *r)
{
	return r->family >= NR_JNI_FAMILIES;
}

/*
 * Which register holds the JNIEnv or the JavaThread is the compiler's choice: try, and keep what is proven.
 * Where none does this is not tried with every call.
 */
static __noinline bool java_thread_search(const struct pt_regs *ctx, struct rule *r, struct scratch *sc,
					  const struct java_config *j)
{
	if (r->env.kind == LOC_SEARCH && ++r->env.pad > MAX_SEARCHES && r->env.pad % SEARCH_EVERY)
		return false;
	for (u32 reg = FIRST_SAVED_REG; reg <= LAST_SAVED_REG; reg++) {
		u64 v = IS_SAVED_REG(reg) ? reg_read(ctx, reg) : 0;
		struct loc found = {.kind = LOC_REG, .reg = reg};

		if (v < 4096 || v & 7)
			continue;
		if (!java_thread_try(sc, j, v)) {
			found.offset_bytes = j->env_in_thread;
			if (!java_thread_try(sc, j, v + (s64)j->env_in_thread))
				continue;
		}
		if (given_none(r)) /* of other callers it says nothing, but of the thread */
			thread_env_keep(sc->env);
		else
			rule_env_set(r, found);
		return true;
	}
	return false;
}

/* The next threads of the VM's list, into sc->block. How many; 0: no more. A global function: verified once.
 */
__noinline u32 threads_next(struct scratch *sc, const struct java_config *j)
{
	u32 n = 0;

	if (!sc || !j)
		return 0;
	sc->threads.n = sc->threads.i = 0;
	if (!j->list.next) { /* JDK 12 and later: an array that is replaced, never changed */
		n = sc->threads.left;
		n = n < JAVA_BLOCK_WORDS ? n : JAVA_BLOCK_WORDS;
		if (bpf_probe_read_user(sc->block, n * sizeof(u64), (void *)sc->threads.at))
			return 0;
		sc->threads.left -= n;
		sc->threads.at += n * sizeof(u64);
		sc->threads.n = n;
		return n;
	}
	for (; n < JAVA_BLOCK_WORDS; n++) {
		if (READ_USER(sc->block[n], sc->threads.at) || !sc->block[n])
			break;
		sc->threads.at = sc->block[n] + j->list.next;
	}
	sc->threads.n = n;
	return n;
}

/* Of these, from sc->threads.i on: one that may be the running one, by its stack. Its JNIEnv; 0: none.
 * Likewise. */
__noinline u64 thread_nearby(struct scratch *sc, const struct java_config *j)
{
	if (!sc || !j)
		return 0;
	for (u32 i = 0; i < JAVA_BLOCK_WORDS && sc->threads.i < sc->threads.n; i++) {
		u64 env = sc->block[sc->threads.i++ & (JAVA_BLOCK_WORDS - 1)] + (s64)j->env_in_thread,
		    base = 0;

		if (!READ_USER(base, env + (s64)j->thread_from + (u64)j->stack_base_word * 8) &&
		    base - sc->w.sp < STACK_SPAN_BYTES)
			return env;
	}
	return 0;
}

/* As a global function, whose stack is its own. */
__noinline int thread_env_note(u64 env)
{
	thread_env_keep(env);
	return 0;
}

/*
 * Native frames led to Java's code, so the running thread is one of the VM's, but no register and no earlier
 * call has told its JNIEnv: look for it. Likewise. Nothing here calls deeper than it must: with what called
 * this all stacks have exactly the 512 bytes that a kernel before 6.13 allows.
 */
#define MAX_THREADS_LISTED 4096
#define MAX_THREADS_TRIED  64
#define IN_VAIN_SHIFT      34 /* of nanoseconds: a walk looks for one that was not found again after 17 s */
__noinline int java_thread_find(struct scratch *sc, const struct java_config *j)
{
	u64 in_vain = bpf_ktime_get_ns() >> IN_VAIN_SHIFT << 3 | 1; /* no JNIEnv has this bit */

	if (!sc || !j || !j->list.at || thread_env_known() == in_vain)
		return 0;
	sc->threads.at = j->list.at;
	sc->threads.n = sc->threads.i = 0;
	if (!j->list.next && (READ_USER(sc->threads.list, j->list.at) ||
			      READ_USER(sc->threads.left, sc->threads.list + j->list.length) ||
			      READ_USER(sc->threads.at, sc->threads.list + j->list.threads)))
		return 0;
	for (u32 i = 0; i < MAX_THREADS_LISTED / JAVA_BLOCK_WORDS + MAX_THREADS_TRIED; i++) {
		u64 env = thread_nearby(sc, j);

		if (!env && !threads_next(sc, j))
			break;
		if (env && java_thread_try(sc, j, env)) {
			thread_env_note(sc->env);
			sc->no_java = END_NONE;
			sc->w.notes.lost = 1; /* the stack alone does not tell this */
			return 1;
		}
	}
	thread_env_note(in_vain);
	return 0;
}

/* How many classes were unloaded until now. 0, or -1: not to be read. */
static __always_inline int java_unloads(const struct java_config *j, u64 *n)
{
	*n = *(volatile const u64 *)&j->unloads;
	return j->unloads_at && bpf_probe_read_user(n, sizeof(*n), (void *)j->unloads_at) ? -1 : 0;
}

/*
 * Metaspace gives the addresses of an unloaded class to the next one: the same Method* and bytecode after an
 * unload are another site. The class of a frame is not unloaded while the frame is there: any count from the
 * time of the walk will do.
 */
static __always_inline void emit_interpreted(struct scratch *sc, u64 method, u64 bcp)
{
	sc->hash ^= mix(sc->unloads);
	sc->w.notes.uses |= 1U << USES_CLASSES;
	emit(sc, RAW_INTERPRETED, method, (bcp & RAW_BCP_MASK) | sc->unloads << RAW_UNLOADS_SHIFT);
}

/* Find the running thread's anchor. END_NONE: sc->java is it (sp 0: no Java frames), else why not. */
static __always_inline enum stack_end java_start(const struct pt_regs *ctx, struct rule *r,
						 struct scratch *sc, const struct java_config *j)
{
	struct loc at = rule_env(r);
	u64 env = 0;

	sc->unloads = 0;
	if (!j->on)
		return END_JAVA_OFF;
	if (java_unloads(j, &sc->unloads))
		return END_UNREAD;
	if (at.kind == LOC_REG)
		env = reg_read(ctx, at.reg) + (s64)at.offset_bytes;
	else if (at.kind == LOC_NONE)
		env = thread_env_known();
	if (java_thread(sc, j, env))
		return END_NONE;
	return (at.kind != LOC_NONE || given_none(r)) && java_thread_search(ctx, r, sc, j) ? END_NONE
											   : END_NO_ENV;
}

/* Does the anchor name a frame on the thread's stack, above sp if that lies there? */
static __always_inline bool anchor_ok(const struct scratch *sc, u64 sp)
{
	u64 at = sc->java.sp;

	return !at || (!(at & 7) && at < sc->top && on_stack(sc, at) && (at >= sp || !on_stack(sc, sp)));
}

/* Go on with the Java frames the anchor names. */
static __always_inline int java_enter(struct scratch *sc, const struct java_config *j)
{
	struct walk *w = &sc->w;

	w->sp = sc->unextended_sp = sc->java.sp;
	w->fp = sc->java.fp;
	w->fp_at = sc->java.fp_at;
	w->pc = sc->java.pc;
	sc->in_java = 1;
	if (!j->cache)
		w->notes.lost = 1; /* code may go without our knowing */
	if (!w->pc && walk_word(w, w->sp - 8, &w->pc))
		return java_end(sc, END_UNREAD);
	return 0;
}

/* --- code --------------------------------------------------------------------------------------- */

static __always_inline u64 code_check(const struct java_code *c)
{
	u64 h = c->pc * 0x9e3779b97f4a7c15ULL + c->blob * 0xc2b2ae3d27d4eb4fULL;

	h += c->generation * 0x165667b19e3779f9ULL;
	h += ((u64)c->frame_words << 32 | c->compile_id) * 0x85ebca77c2b2ae63ULL;
	return h + ((u64)c->target_id << 32 | (u32)c->orig_pc) * 0x27d4eb2f165667c5ULL;
}

/* Likewise. */
__noinline int in_code_heaps(const struct java_config *j, u64 pc)
{
	for (u32 i = 0; j && i < JAVA_MAX_HEAPS; i++)
		if (i < j->nr_heaps && pc >= j->heap[i].start && pc < j->heap[i].end)
			return 1;
	return 0;
}

/* The CodeBlob that pc lies in, by the code heap's map of segments: each tag is a distance back, 0 the start.
 */
static __always_inline u64 blob_of(const struct java_config *j, u64 pc)
{
	u64 start = 0, map = 0, segment;
	u8 tag = 1;

	for (u32 i = 0; i < JAVA_MAX_HEAPS; i++)
		if (i < j->nr_heaps && pc >= j->heap[i].start && pc < j->heap[i].end) {
			start = j->heap[i].start;
			map = j->heap[i].segmap;
		}
	if (!start)
		return 0;
	segment = (pc - start) >> (j->segment_shift & 31);
	for (int i = 0; i < MAX_SEGMENT_HOPS && tag; i++) {
		if (READ_USER(tag, map + segment) || tag == 0xff || tag > segment)
			return 0;
		segment -= tag;
	}
	return tag ? 0 : start + (segment << (j->segment_shift & 31)) + j->heap_block_bytes;
}

static __always_inline bool is_deopt_handler(const struct java_config *j, u64 blob, u64 pc)
{
	u64 at = 0, at_mh = 0;

	if (j->deopt_is_offset) {
		u32 offset = 0;

		if (!READ_USER(offset, blob + j->deopt))
			at = blob + offset;
		if (j->deopt_mh && !READ_USER(offset, blob + j->deopt_mh))
			at_mh = blob + offset;
	} else {
		READ_USER(at, blob + j->deopt);
		if (j->deopt_mh)
			READ_USER(at_mh, blob + j->deopt_mh);
	}
	return pc == at || pc == at_mh;
}

/* The VM makes enterSpecial's code when the first virtual thread starts. */
static __always_inline bool is_enter_special(const struct java_config *j, u64 blob)
{
	u64 pc = 0;
	u32 bytes = 0;

	return j->enter_special_pc_at && !READ_USER(pc, j->enter_special_pc_at) && pc > blob &&
	       !READ_USER(bytes, blob + j->blob_size) && pc - blob < bytes;
}

/* Such a stub has a name, and no size of its frame (JDK: prims/upcallLinker.cpp, code/codeBlob.cpp). */
static __always_inline bool is_upcall_stub(const struct java_config *j, u64 blob)
{
	static const char name[] = "upcall_stub";
	char text[sizeof(name)] = {0};
	u64 at = 0;

	if (!j->blob_name || READ_USER(at, blob + j->blob_name) || READ_USER(text, at))
		return false;
	for (u32 i = 0; i < sizeof(name) - 1; i++)
		if (text[i] != name[i])
			return false;
	return true;
}

/* What pc belongs to, into sc->code. 0, or -1: no code that could have a frame. A global function, as it is
 * long. */
__noinline int code_read(struct scratch *sc, const struct java_config *j, u64 pc)
{
	u32 words = 0, id = 0, orig = 0;
	struct java_code *c;

	if (!sc || !j)
		return -1;
	c = &sc->code;
	c->pc = pc;
	c->target_id = sc->target_id;
	c->generation = *(volatile const u64 *)&j->generation;
	c->blob = blob_of(j, c->pc);
	if (!c->blob || READ_USER(words, c->blob + j->frame_size) || READ_USER(id, c->blob + j->compile_id))
		return -1;
	c->compile_id = id;
	c->orig_pc = -1;
	c->frame_words = words;
	if (!words && is_upcall_stub(j, c->blob)) {
		c->frame_words = CODE_UPCALL_STUB;
		return 0;
	}
	if (words < 2 || words > MAX_FRAME_WORDS)
		return -1;
	if (is_enter_special(j, c->blob)) {
		c->frame_words = CODE_ENTER_SPECIAL;
		return 0;
	}
	if (is_deopt_handler(j, c->blob, c->pc)) {
		if (READ_USER(orig, c->blob + j->orig_pc) || orig >= words * 8)
			return -1;
		c->orig_pc = orig;
	}
	return 0;
}

/*
 * Does sc->code still hold, where it is not known when code is freed? Its block must begin where it did, be
 * in use, and have the compile id it had, which no other nmethod gets. A freed block keeps its contents, and
 * the next nmethod may be cut off its end: the id alone would prove nothing.
 */
__noinline int code_holds(struct scratch *sc, const struct java_config *j)
{
	u64 block, map = 0, segment = 0;
	u32 bytes, id;
	u8 tag = 1, used;

	if (!sc || !j)
		return 0;
	block = sc->code.blob - j->heap_block_bytes;
	bytes = j->heap_block_bytes + j->compile_id + sizeof(id);
	for (u32 i = 0; i < JAVA_MAX_HEAPS; i++)
		if (i < j->nr_heaps && block >= j->heap[i].start && block < j->heap[i].end) {
			segment = (block - j->heap[i].start) >> (j->segment_shift & 31);
			map = j->heap[i].segmap;
		}
	if (!map || bytes > sizeof(sc->block) || READ_USER(tag, map + segment) || tag ||
	    bpf_probe_read_user(sc->block, bytes, (void *)block))
		return 0;
	used = *((u8 *)sc->block + (j->block_used & (sizeof(sc->block) - 1)));
	id = *(u32 *)((void *)sc->block + ((bytes - sizeof(id)) & (sizeof(sc->block) - sizeof(id))));
	return used == 1 && id == sc->code.compile_id;
}

static __always_inline int code_of(struct scratch *sc, const struct java_config *j, u64 pc,
				   struct java_code *c)
{
	u64 generation = *(volatile u64 *)&j->generation;
	u32 at = (pc + sc->target_id) * 0x9e3779b97f4a7c15ULL >> 32 & (JAVA_CODES - 1);
	struct java_code *kept = bpf_map_lookup_elem(&java_codes, &at);

	if (kept) {
		*c = *kept;
		if (c->pc == pc && c->target_id == sc->target_id && c->generation == generation &&
		    c->check == code_check(c)) {
			if (j->cache)
				return 0;
			sc->code = *c;
			if (code_holds(sc, j))
				return 0;
		}
	}
	if (code_read(sc, j, pc))
		return -1;
	sc->code.check = code_check(&sc->code);
	*c = sc->code;
	if (kept)
		*kept = *c;
	return 0;
}

/* --- frames of virtual threads, in the heap ------------------------------------------------------- */

static __always_inline u64 oop_at(const struct java_config *j, u64 addr)
{
	u64 oop = 0;
	u32 narrow = 0, color;

	if (j->oops == OOPS_NARROW) {
		if (READ_USER(narrow, addr) || !narrow)
			return 0;
		return j->oop_base + ((u64)narrow << (j->oop_shift & 31));
	}
	if (READ_USER(oop, addr))
		return 0;
	if (j->oops ==
	    OOPS_ZGC) { /* JDK: gc/z/zAddress.hpp, one bit of four tells how far the address is shifted */
		color = oop >> 12 & 15;
		oop >>= color == 1 ? 13 : color == 2 ? 14 : color == 4 ? 15 : 16;
	}
	return oop;
}

/* Go on in the next StackChunk that has frames. */
__noinline int chunk_enter(struct scratch *sc, const struct java_config *j)
{
	u32 sp = 0, bottom = 0;
	struct walk *w;
	u64 stack, pc;

	if (!sc || !j)
		return 1;
	w = &sc->w;
	for (int i = 0; i < MAX_EMPTY_CHUNKS && sp >= bottom; i++) {
		if (!sc->chunk)
			return java_end(sc, END_VIRTUAL);
		if (i)
			sc->chunk = oop_at(j, sc->chunk + j->chunk_parent);
		if (!sc->chunk)
			return java_end(sc, END_VIRTUAL);
		if (READ_USER(sp, sc->chunk + j->chunk_sp) ||
		    READ_USER(bottom, sc->chunk + j->chunk_bottom) || READ_USER(pc, sc->chunk + j->chunk_pc))
			return java_end(sc, END_CHUNK);
	}
	stack = sc->chunk + j->chunk_stack;
	w->sp = sc->unextended_sp = stack + (u64)sp * 8;
	sc->in_chunk = w->notes.lost = 1;
	sc->top = w->win.end = stack + (u64)bottom * 8;
	/* an object that was moved or freed meanwhile does not agree with itself */
	if (sp >= bottom || READ_USER(w->pc, w->sp - 8) || w->pc != pc)
		return java_end(sc, END_CHUNK);
	return 0;
}

static __always_inline int chunk_next(struct scratch *sc, const struct java_config *j)
{
	sc->chunk = oop_at(j, sc->chunk + j->chunk_parent);
	return chunk_enter(sc, j);
}

/* The frames below a return barrier are in the chunks of the continuation that is mounted. */
__noinline int chunks_start(struct scratch *sc, const struct java_config *j)
{
	u64 entry = 0, cont = 0;

	if (!sc || !j)
		return 1;
	sc->w.notes.lost = 1; /* objects in the heap, that may move */
	/* the ContinuationEntry is in enterSpecial's frame, which follows on the stack, after arguments if
	 * there are any */
	entry = sc->unextended_sp;
	if (j->cont_entry_from_env && READ_USER(entry, sc->env + (s64)j->cont_entry_from_env))
		return java_end(sc, END_CHUNK);
	if (!j->chunk_stack || !entry || READ_USER(cont, entry + j->entry_cont) || !cont)
		return java_end(sc, END_CHUNK);
	sc->chunk = oop_at(j, cont + j->cont_tail);
	return chunk_enter(sc, j);
}

/* --- one frame ---------------------------------------------------------------------------------- */

static __always_inline int interpreter_frame(struct scratch *sc, const struct java_config *j, u64 fp,
					     struct interpreter_frame *f)
{
	struct walk *w = &sc->w;

	if (fp & 7 || fp < w->sp || fp + 16 > sc->top)
		return -1;
	window_cover(&w->win, fp - INTERPRETER_WORDS_BELOW * 8, (INTERPRETER_WORDS_BELOW + 2) * 8);
	if (walk_word(w, fp - (u64)(j->bcp_words & 15) * 8, &f->bcp) || walk_word(w, fp - 24, &f->method) ||
	    walk_link(w, fp - 8, &f->sender_sp) || walk_word(w, fp + 8, &f->return_pc))
		return -1;
	return f->method & 7 || f->method < 4096 ? -1 : 0;
}

static __always_inline int java_interpreted(struct scratch *sc, const struct java_config *j)
{
	struct walk *w = &sc->w;
	struct interpreter_frame f;

	fp_used(w);
	if (interpreter_frame(sc, j, w->fp, &f))
		return java_end(sc, END_NOT_JAVA);
	emit_interpreted(sc, f.method, f.bcp);
	/* a method handle's linker takes its last argument off: the caller's sp may be at our return address
	 */
	if (f.sender_sp & 7 || f.sender_sp <= w->fp || f.sender_sp > sc->top)
		return java_end(sc, END_NOT_JAVA);
	note_reach(w, f.sender_sp);
	w->sp = sc->unextended_sp = f.sender_sp;
	w->pc = f.return_pc;
	return walk_fp(w, w->fp) ? java_end(sc, END_UNREAD) : 0;
}

/*
 * In a chunk the links are relative to fp, in words, so that the chunk may move. What is seldom met is a
 * global function: verified once.
 */
__noinline int java_interpreted_in_chunk(struct scratch *sc, const struct java_config *j)
{
	struct interpreter_frame *f;
	u64 relative = 0, fp, locals;
	struct walk *w;

	if (!sc || !j)
		return 1;
	w = &sc->w;
	f = &sc->frame;
	if (window_word(&w->win, w->sp - 16, &relative))
		return java_end(sc, END_UNREAD);
	fp = w->sp - 16 + relative * 8;
	if (interpreter_frame(sc, j, fp, f) || window_word(&w->win, fp - 56, &locals))
		return java_end(sc, END_NOT_JAVA);
	emit_interpreted(sc, f->method, f->bcp);
	sc->unextended_sp = fp + f->sender_sp * 8;
	if (fp + locals * 8 + 8 >= sc->top)
		return chunk_next(sc, j);
	if (sc->unextended_sp <= fp || sc->unextended_sp > sc->top)
		return java_end(sc, END_NOT_JAVA);
	w->sp = fp + 16;
	w->pc = f->return_pc;
	return 0;
}

/* Native code called Java: on with its frames, up to the Java frames that had called it. */
__noinline int java_upcall(struct scratch *sc, const struct java_config *j)
{
	u64 fp, wrapper, at;
	struct walk *w;

	if (!sc || !j)
		return 1;
	w = &sc->w;
	fp = w->fp;
	fp_used(w);
	if (fp & 7 || fp < w->sp || fp + 16 > sc->top ||
	    walk_link(w, fp + (s64)j->wrapper_words * 8, &wrapper))
		return java_end(sc, END_NOT_JAVA);
	at = wrapper + j->wrapper_anchor;
	if (at & 7 || at <= fp || at + 24 > sc->top)
		return java_end(sc, END_NOT_JAVA);
	if (walk_word(w, fp + 8, &w->pc) || walk_fp(w, fp))
		return java_end(sc, END_UNREAD);
	window_cover(&w->win, at, 24);
	if (window_word(&w->win, at, &sc->java.sp) || walk_word(w, at + 8, &sc->java.pc) ||
	    window_word(&w->win, at + 16, &sc->java.fp))
		return java_end(sc, END_UNREAD);
	note(w, at, sc->java.sp, sc->java.sp ? NOTE_RELATIVE : 0);
	note_reach(w, sc->java.sp ? sc->java.sp + 8 : at); /* anchor_ok() */
	sc->java.fp_at = at + 16;
	w->sp = fp + 16;
	sc->in_java = 0;
	sc->native_kind = RAW_NATIVE;
	return anchor_ok(sc, w->sp) ? 0 : java_end(sc, END_ANCHOR);
}

/*
 * Native code called Java without JNI (java.lang.foreign): on with its frames. The stub in between keeps its
 * caller where fp tells (JDK: upcallLinker_x86.cpp). If Java had called that code in turn its frames lead
 * there, see java_called().
 */
__noinline int java_upcall_stub(struct scratch *sc)
{
	struct walk *w;
	u64 fp;

	if (!sc)
		return 1;
	w = &sc->w;
	fp = w->fp;
	fp_used(w);
	if (sc->in_chunk || fp & 7 || fp < w->sp || fp + 16 > sc->top || walk_word(w, fp + 8, &w->pc) ||
	    walk_fp(w, fp))
		return java_end(sc, END_NOT_JAVA);
	if (!sc->closing && !unwind_is_code(sc->target_id, w->pc))
		return java_end(sc, END_NOT_JAVA);
	w->sp = fp + 16;
	sc->java.sp = 0;
	sc->in_java = 0;
	sc->native_kind = RAW_NATIVE;
	return 0;
}

/*
 * Unwind tables led from native frames to the code heaps, where no anchor says that Java is: it has set none
 * (a critical call of java.lang.foreign), or it is beyond java_upcall_stub(). A return address is as good as
 * an anchor: the frame's size is its code's (interpreter: fp is preserved), and sp is where the call left it.
 */
static __always_inline void java_called(struct scratch *sc, const struct java_config *j)
{
	struct walk *w = &sc->w;

	if (sc->java.sp || !in_code_heaps(j, w->pc))
		return;
	if (pairs_traced && sc->no_java == END_NO_ENV && java_thread_find(sc, j)) {
		if (on_stack(sc, w->sp) && sc->java.sp - w->sp <= VM_CALL_BYTES && anchor_ok(sc, w->sp)) {
			java_enter(sc, j);
			return;
		}
		sc->java.sp = 0; /* of frames further out, whose callers' anchors will tell */
	}
	if (sc->no_java != END_NONE || !on_stack(sc, w->sp))
		return;
	sc->unextended_sp = w->sp;
	sc->in_java = 1;
	if (!j->cache)
		w->notes.lost = 1;
}

static __always_inline int java_compiled(struct scratch *sc, const struct java_config *j)
{
	struct walk *w = &sc->w;
	struct java_code c;
	enum frame_kind kind = RAW_COMPILED;
	u64 pc = w->pc, caller_sp;

	if (code_of(sc, j, pc, &c))
		return java_end(sc, END_NOT_JAVA);
	if (c.frame_words == CODE_ENTER_SPECIAL)
		return java_end(sc, END_VIRTUAL);
	if (c.frame_words == CODE_UPCALL_STUB)
		return java_upcall_stub(sc);
	if (c.orig_pc >= 0) {
		if (walk_word(w, sc->unextended_sp + c.orig_pc, &pc))
			return java_end(sc, END_UNREAD);
		kind = RAW_DEOPTIMIZED;
	}
	emit(sc, kind, c.blob, (u64)c.compile_id << 32 | (u32)(pc - c.blob));
	caller_sp = sc->unextended_sp + (u64)c.frame_words * 8;
	if (sc->in_chunk && caller_sp + 16 >= sc->top)
		return chunk_next(sc, j);
	if (caller_sp > sc->top)
		return java_end(sc, END_NOT_JAVA);
	if (walk_record(w, caller_sp - 16))
		return java_end(sc, END_UNREAD);
	w->sp = sc->unextended_sp = caller_sp;
	return 0;
}

/* The frame in hand, kept, and its caller. 0: go on, 1: sc->end says why not. */
static __always_inline int java_step(struct scratch *sc, const struct java_config *j)
{
	u64 pc = sc->w.pc;

	if (pc >= j->interpreter_start && pc < j->interpreter_end)
		return sc->in_chunk ? java_interpreted_in_chunk(sc, j) : java_interpreted(sc, j);
	if (pc == j->call_stub_return)
		return java_upcall(sc, j);
	if (pc == j->return_barrier && pc)
		return chunks_start(sc, j);
	return java_compiled(sc, j);
}

#endif
