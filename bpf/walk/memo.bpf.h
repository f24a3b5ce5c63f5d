/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The memo: sites of stacks that were walked before, without the walk.
 *
 * A walk is a function of what it starts from (registers, the thread's frame anchor), of tables (unwind
 * tables, the code cache), and of the words of the stack it read. An entry keeps all of these: the numbers
 * that change whenever a table does, and each word (struct notes). It is believed only when every one of
 * them is the same again, so it cannot be wrong; that takes one read of the stack, and one of the thread
 * where the stack does not tell its anchor (anchor_proven()).
 *
 * Which entry to try is a guess, and a wrong one costs no more than time:
 * - a root, by where the stack begins, says how much of it to read and which words tell apart the stacks that
 *   were seen from there;
 * - a hint, by these words, is the number of the entry.
 *
 * Programs of all CPUs use and replace entries without a lock: each writing has a number of its own, and what
 * was read while that changed is not believed.
 */
#ifndef JNITRACE_MEMO_BPF_H
#define JNITRACE_MEMO_BPF_H

#define MEMO_PICKS   12
#define MEMO_CHUNK   48 /* of NOTES: more than most stacks have */
#define MEMO_GROUP   4  /* words compared without a branch between them */
#define MEMO_BUSY    1ULL
#define MEMO_FIRST   2ULL
#define MEMO_PRIME   0x9e3779b97f4a7c15ULL
#define MEMO_NOWHERE 0xffff

/* Ends that follow from what is noted: no memory was unreadable, no table still to come. */
#define MEMO_ENDS                                                                                            \
	(1U << END_DEPTH | 1U << END_BOTTOM | 1U << END_NOT_CODE | 1U << END_NO_CFI | 1U << END_RICH_CFI |   \
	 1U << END_VIRTUAL | 1U << END_NO_ENV | 1U << END_JAVA_OFF)

struct memo_entry {
	u64 number;          /* of this writing; 0: never written, MEMO_BUSY: just being written */
	struct memo_key key; /* of which unloads, start_fp and the anchor count if they were used */
	u64 hash;            /* of all that is compared, and of the site */
	u32 site;
	u32 n, links, words, uses; /* as in struct notes, the first two rounded up to whole groups */
	u32 pad;
	u64 value[NOTES];
	u16 where[NOTES];
};
MAP_ARRAY(memo_entries, BPF_MAP_TYPE_ARRAY, 1, struct memo_entry); /* (loader) */

struct memo_root {
	u32 tag;   /* the rest of the hash that chose this place */
	u16 words; /* the longest entry's */
	u16 n;
	u16 where[MEMO_PICKS]; /* as in struct notes: the words that tell its entries apart */
	u64 top;               /* the end of the stack then: not worth a read beyond */
};
MAP_ARRAY(memo_roots, BPF_MAP_TYPE_ARRAY, 1, struct memo_root); /* (loader) */

/* By the hash of the root and its words, or of a whole entry: a number. */
MAP_ARRAY(memo_hints, BPF_MAP_TYPE_ARRAY, 1, u64); /* (loader) as many as roots */

u64 memo_next = MEMO_FIRST;

static __always_inline u32 memo_tag(const struct memo *m)
{
	return m->hash >> 32 | 1;
}

static __always_inline struct memo_root *memo_root_of(const struct memo *m)
{
	u32 at = m->hash & memo_place_mask;

	return bpf_map_lookup_elem(&memo_roots, &at);
}

/* The state of all tables. Read before the walk: what changes meanwhile leaves an entry that is never
 * believed.
 */
static __always_inline void memo_tables(const struct scratch *sc, const struct java_config *j,
					struct memo_key *k)
{
	u32 target_id = sc->target_id;
	struct unwind_space *s = bpf_map_lookup_elem(&unwind_spaces, &target_id);

	k->layout = s ? *(volatile u64 *)&s->layout : 0;
	k->closings = s ? s->closings : 0;
	k->added = s ? s->added : 0;
	k->generation = *(volatile const u64 *)&j->generation;
	k->unloads = *(volatile const u64 *)&j->unloads;
}

/* What is known of stacks that begin here, or NULL. Two threads never stand at one address. */
static __always_inline struct memo_root *memo_start(struct scratch *sc, const struct rule *r,
						    const struct java_config *j)
{
	struct memo *m = &sc->memo;
	struct memo_root *root;

	m->hash = m->pick = 0;
	if (j->on == MANAGED_BY_ANCHORS && (!j->cache || j->unloads_at))
		return NULL; /* when code and classes go is not known: each walk has to look */
	memo_tables(sc, j, &m->key);
	m->key.id = sc->target_id | (u32)r->func << 16;
	m->tried = 0;
	m->hash = m->pick = mix(sc->w.sp ^ (u64)m->key.id << 32);
	root = memo_root_of(m);
	return root && root->tag == memo_tag(m) ? root : NULL;
}

/* The stack is read, the first frame is known. */
static __always_inline void memo_first(struct scratch *sc)
{
	struct memo *m = &sc->memo;

	m->key.pc = sc->w.pc;
	m->key.start_fp = sc->w.fp - sc->w.notes.base;
	if (m->pick == m->hash) /* memo_find() adds what the root wants */
		m->pick += sc->w.pc * MEMO_PRIME;
}

/* The thread is known. */
static __always_inline void memo_thread(struct scratch *sc)
{
	struct memo_anchor *a = &sc->memo.key.anchor;
	u64 base = sc->w.notes.base;

	a->sp = sc->java.sp ? sc->java.sp - base : 0;
	if (by_fragments)
		a->sp ^= fragments_key(sc);
	a->pc = sc->java.sp ? sc->java.pc : 0;
	a->fp = sc->java.sp ? sc->java.fp - base : 0;
	a->no_java = sc->no_java;
}

static __always_inline u64 memo_word(const struct scratch *sc, u64 where)
{
	u64 word = *(u64 *)((void *)sc->w.win.word + NOTE_AT(where));

	return word - (sc->w.notes.base & -(where & NOTE_RELATIVE));
}

/* A hash of the words that tell this root's entries apart, of the stack in the window. */
static __always_inline u64 memo_pick(const struct scratch *sc, const struct memo_root *root)
{
	u64 h = sc->memo.pick;

	for (u32 i = 0; i < MEMO_PICKS; i++) {
		if (i >= root->n)
			break;
		h = hash_add(h, memo_word(sc, root->where[i]));
	}
	return h;
}

static __always_inline u64 *memo_hint(u64 hash)
{
	u32 at = hash >> 32 & memo_place_mask;

	return bpf_map_lookup_elem(&memo_hints, &at);
}

/* The entry that was written under this number, if it still is there. */
static __always_inline struct memo_entry *memo_entry_of(u64 number)
{
	u32 at = number & memo_entry_mask;
	struct memo_entry *e = bpf_map_lookup_elem(&memo_entries, &at);

	return e && number >= MEMO_FIRST && *(volatile u64 *)&e->number == number ? e : NULL;
}

/* But for unloads, of which only some stacks depend. */
static __always_inline bool memo_tables_equal(const struct memo_key *a, const struct memo_key *b)
{
	return a->layout == b->layout && a->generation == b->generation && a->closings == b->closings &&
	       a->added == b->added;
}

static __always_inline bool memo_key_equal(const struct memo_entry *e, const struct scratch *sc)
{
	const struct memo_key *a = &e->key, *b = &sc->memo.key;

	return memo_tables_equal(a, b) && a->pc == b->pc && a->id == b->id &&
	       (!(e->uses & 1U << USES_CLASSES) || a->unloads == b->unloads) &&
	       (!(e->uses & 1U << USES_START_FP) || a->start_fp == b->start_fp);
}

static __always_inline bool memo_wants_thread(const struct memo *m)
{
	return m->uses & (1U << USES_ANCHOR | 1U << USES_ANCHOR_FP);
}

/* The thread has the anchor that the entry found wants. */
static __always_inline bool memo_anchor_equal(const struct memo *m)
{
	const struct memo_anchor *a = &m->wanted, *b = &m->key.anchor;

	return a->sp == b->sp && a->pc == b->pc && a->no_java == b->no_java &&
	       (!(m->uses & 1U << USES_ANCHOR_FP) || a->fp == b->fp);
}

/* Are the words of this group the entry's? They are plain (base 0), or links. */
static __always_inline bool memo_group_equal(struct scratch *sc, const struct memo_entry *e, u32 group,
					     u64 base)
{
	u64 differ = 0;

	for (u32 j = 0; j < MEMO_GROUP; j++) {
		u64 at = NOTE_AT((u64)e->where[group + j]);

		differ |= (*(u64 *)((void *)sc->w.win.word + at) - base) ^ e->value[group + j];
	}
	if (differ)
		sc->memo.group = group;
	return !differ;
}

/*
 * The site of the stack in the window when it was walked before, or 0. Called before the walk, when sc->w is
 * as that begins. It may want to see the thread too.
 */
static __always_inline u32 memo_find(struct scratch *sc, const struct memo_root *root)
{
	struct memo *m = &sc->memo;
	struct memo_entry *e;
	u32 n, links, site;
	u64 *hint, number;

	if (sc->w.win.base != sc->w.notes.base || sc->w.notes.lost)
		return 0;
	m->pick = memo_pick(sc, root);
	hint = memo_hint(m->pick);
	number = hint ? *(volatile u64 *)hint : 0;
	e = memo_entry_of(number);
	if (!e)
		return 0;
	memory_fence();
	n = e->n;
	links = e->links;
	if (!memo_key_equal(e, sc) || (u64)e->words * 8 > sc->w.win.bytes)
		return 0;
	m->tried = number;
	for (u32 i = 0; i < NOTES && i < n; i += MEMO_GROUP)
		if (!memo_group_equal(sc, e, i, 0))
			return 0;
	for (u32 i = 0; i < NOTES && i < links; i += MEMO_GROUP)
		if (!memo_group_equal(sc, e, NOTES - MEMO_GROUP - i, sc->w.notes.base))
			return 0;
	m->tried = 0;
	site = e->site;
	m->uses = e->uses;
	if (memo_wants_thread(m))
		m->wanted = e->key.anchor;
	memory_fence();
	return *(volatile u64 *)&e->number == number ? site : 0;
}

/* A walk begins after a vain try: in which word did the entry differ? It may tell the stacks apart next time.
 */
static __always_inline void memo_differing(struct scratch *sc)
{
	struct memo *m = &sc->memo;
	const struct memo_entry *e = memo_entry_of(m->tried);
	u32 group = m->group;

	m->differs = MEMO_NOWHERE;
	if (!e || group > NOTES - MEMO_GROUP || sc->w.win.base != sc->w.notes.base)
		return;
	for (u32 j = 0; j < MEMO_GROUP; j++) {
		u32 where = e->where[group + j];
		u64 word = memo_word(sc, where);

		if (word != e->value[group + j]) {
			m->differs = where;
			m->differing = word;
			return;
		}
	}
}

/* A walk begins. */
static __always_inline void memo_walk(struct scratch *sc)
{
	memo_first(sc);
	memo_thread(sc);
	memo_differing(sc);
	sc->memo.top = sc->top;
}

/*
 * A hash of the words noted from this one on, up to another, but at most a chunk of them. A global function:
 * the verifier goes through each turn of a loop, so through those of one chunk only.
 */
__noinline u64 memo_hash(const struct scratch *sc, u64 h, u32 from, u32 to)
{
	if (!sc || from >= NOTES)
		return h;
	for (u32 k = 0; k < MEMO_CHUNK; k++) {
		u32 i = from + k;

		if (i >= to || i >= NOTES)
			break;
		h = hash_add(h, sc->w.notes.value[i] + ((u64)sc->w.notes.where[i] << 48));
	}
	return h;
}

static __always_inline u64 memo_content(const struct scratch *sc, u32 site)
{
	const struct memo_key *k = &sc->memo.key;
	u32 n = sc->w.notes.n, links = sc->w.notes.links;
	u64 h = k->id + site;

	/* the whole state of the tables: an entry of another one is never believed again */
	h = hash_add(hash_add(hash_add(h, k->layout), k->generation), k->unloads);
	h = hash_add(h, (u64)k->closings << 32 | k->added);
	h = hash_add(hash_add(hash_add(h, k->pc), k->anchor.pc), k->anchor.sp);
	for (u32 at = 0; at < NOTES && at < n; at += MEMO_CHUNK)
		h = memo_hash(sc, h, at, n);
	for (u32 at = 0; at < NOTES && at < links; at += MEMO_CHUNK)
		h = memo_hash(sc, h, NOTES - links + at, NOTES);
	return h;
}

/* Fill up the last group of either kind with its first word. */
static __always_inline void memo_fill(struct notes *notes)
{
	u32 n = notes->n, links = notes->links;

	if (n > NOTES - MEMO_GROUP || links > NOTES - MEMO_GROUP)
		return;
	for (u32 i = 0; i < MEMO_GROUP - 1; i++) {
		notes->value[n + i] = notes->value[0];
		notes->where[n + i] = notes->where[0];
		notes->value[NOTES - 1 - links - i] = notes->value[NOTES - 1];
		notes->where[NOTES - 1 - links - i] = notes->where[NOTES - 1];
	}
	notes->n = (n + MEMO_GROUP - 1) / MEMO_GROUP * MEMO_GROUP;
	notes->links = (links + MEMO_GROUP - 1) / MEMO_GROUP * MEMO_GROUP;
}

/* Write an entry. Returns its number, or 0: another program is just writing there. */
static __always_inline u64 memo_write(struct scratch *sc, u32 site, u64 hash)
{
	struct notes *notes = &sc->w.notes;
	u64 number = __sync_fetch_and_add(&memo_next, 1), old;
	u32 at = number & memo_entry_mask;
	struct memo_entry *e = bpf_map_lookup_elem(&memo_entries, &at);

	if (!e)
		return 0;
	old = *(volatile u64 *)&e->number;
	if (old == MEMO_BUSY || __sync_val_compare_and_swap(&e->number, old, MEMO_BUSY) != old)
		return 0;
	e->key = sc->memo.key;
	e->hash = hash;
	e->site = site;
	memo_fill(notes);
	e->n = notes->n;
	e->links = notes->links;
	e->words = notes->words;
	e->uses = notes->uses;
	bpf_probe_read_kernel(e->value, sizeof(e->value), notes->value);
	bpf_probe_read_kernel(e->where, sizeof(e->where), notes->where);
	memory_fence();
	*(volatile u64 *)&e->number = number;
	return number;
}

/* Let the root lead to this entry. */
static __always_inline void memo_link(struct scratch *sc, u64 number)
{
	struct memo *m = &sc->memo;
	struct memo_root *root = memo_root_of(m);
	u64 *hint, pick = m->pick;
	u32 n;

	if (!root)
		return;
	if (root->tag != memo_tag(m)) {
		root->words = root->n = 0;
		root->tag = memo_tag(m);
	}
	if (root->words < sc->w.notes.words)
		root->words = sc->w.notes.words;
	root->top = sc->memo.top;
	n = root->n;
	if (m->differs != MEMO_NOWHERE && n < MEMO_PICKS) {
		/* where the hint led is another stack: from now on this word chooses, too */
		root->where[n] = m->differs;
		root->n = n + 1;
		pick = hash_add(pick, m->differing);
	}
	hint = memo_hint(pick);
	if (hint)
		*(volatile u64 *)hint = number;
}

/* Keep what the walk just made has noted. */
__noinline int memo_keep(struct scratch *sc, u32 site)
{
	struct memo_entry *e;
	u64 *known, hash, number;

	if (!sc || !sc->memo.hash || sc->w.notes.lost || !(MEMO_ENDS >> (sc->end & 31) & 1))
		return 0;
	if (!sc->memo.key.layout || UNWIND_IS_CLOSED(sc->memo.key.layout)) /* no layout of one target only */
		return 0;
	hash = memo_content(sc, site);
	known = memo_hint(hash); /* other threads come by other roots */
	if (!known)
		return 0;
	number = *(volatile u64 *)known;
	e = memo_entry_of(number);
	if (!e || e->hash != hash) {
		number = memo_write(sc, site, hash);
		*(volatile u64 *)known = number;
	}
	if (number)
		memo_link(sc, number);
	return 0;
}

/* A walk was made although there was a hit. They may differ only when a table changed meanwhile. */
static __always_inline void memo_check(const struct scratch *sc, const struct java_config *j, u32 hit,
				       u32 walked)
{
	const struct memo_key *before = &sc->memo.key;
	struct memo_key now;
	u64 unloads;

	__sync_fetch_and_add(&stacks_checked, 1);
	memo_tables(sc, j, &now);
	if (hit != walked && memo_tables_equal(before, &now) && !java_unloads(j, &unloads) &&
	    unloads == before->unloads)
		drop(sc->target_id, DROP_MEMO_WRONG);
}

#endif
