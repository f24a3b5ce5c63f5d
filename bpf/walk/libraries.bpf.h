/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the dynamic linker adds to its list is written down before any code of it runs: see opened.bpf.h. Its
 * headers are in memory then, as the linker has just looked for its symbol table beside them.
 */
#ifndef JNITRACE_LIBRARIES_BPF_H
#define JNITRACE_LIBRARIES_BPF_H

#include "walk/opened.bpf.h"

#define LINK_RUN      32 /* entries of the list, and */
#define LINK_RUNS     32 /* as many of these: libraries of a process; with more the new ones are not known */
#define LINKS_AT_ONCE 16 /* an old one, a library, and what it needs */
#define MAX_PHDRS     16 /* a library has about 10 */
#define EHDR_BYTES    64
#define PT_LOAD       1
#define PT_NOTE       4
#define PF_X          1

/* An ELF header (elf.h, Elf64_Ehdr) and program header. */
struct elf_head {
	u32 magic, ident[3];
	u16 type, machine;
	u32 version;
	u64 entry, phoff, shoff;
	u32 flags;
	u16 ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
struct elf_phdr {
	u32 type, flags;
	u64 offset, vaddr, paddr, filesz, memsz, align;
};
_Static_assert(sizeof(struct elf_head) == EHDR_BYTES, "as in the file");
_Static_assert(EHDR_BYTES + MAX_PHDRS * sizeof(struct elf_phdr) <= JT_OPENED_HEAD, "both are read at once");

/*
 * Some entries of the list: returns where the next one is, or 0 at its end, with the one before the last in
 * *last, or where it cannot be read. A global function, here and below: verified once; of the whole list at
 * once each turn would.
 */
__noinline u64 link_run(u64 at, u64 *last)
{
	struct link_map link;

	if (!last)
		return 0;
	for (int i = 0; i < LINK_RUN; i++) {
		if (!at || bpf_probe_read_user(&link, sizeof(link), (void *)at))
			return 0;
		if (!link.next) {
			*last = link.prev;
			return 0;
		}
		at = link.next;
	}
	return at;
}

/*
 * The entry before the last one, or 0: glibc 2.36 says that it is going to add a library when the first one
 * is in the list, others before it is.
 */
__noinline u64 link_before_last(u64 at)
{
	u64 last = 0;

	for (int i = 0; i < LINK_RUNS && at; i++)
		at = link_run(at, &last);
	return last;
}

/*
 * Where its code is, by the program headers. False: it has none, or they are not where linkers put them.
 * Global functions, this and those below, are verified once, not for each way that leads to them.
 */
__noinline int opened_range(const struct code_opened *m, struct opened_code *o)
{
	const struct elf_head *e;
	const struct elf_phdr *ph;
	u64 start = ~0ULL, end = 0;

	if (!m || !o)
		return false;
	e = (const void *)m->head;
	ph = (const void *)(m->head + EHDR_BYTES);
	if (e->magic != ELF_MAGIC || e->phoff != EHDR_BYTES || e->phentsize != sizeof(*ph))
		return false;
	for (int i = 0; i < MAX_PHDRS; i++) {
		if (i >= e->phnum)
			break;
		if (ph[i].type != PT_LOAD || !(ph[i].flags & PF_X))
			continue;
		start = ph[i].vaddr < start ? ph[i].vaddr : start;
		end = ph[i].vaddr + ph[i].memsz > end ? ph[i].vaddr + ph[i].memsz : end;
	}
	o->start = o->bias + start;
	o->end = o->bias + end;
	return start < end;
}

/* The first note of a segment (elf.h, Elf64_Nhdr), when it is a build-id; those of linkers have 8 to 32
 * bytes. */
#define BUILD_ID_WORDS 8
struct build_id_note {
	u32 name_bytes, bytes, type, name;
	u32 id[BUILD_ID_WORDS];
};
#define NT_GNU_BUILD_ID 3
#define NAME_GNU        0x00554e47

/*
 * A hash of the build-id among the first bytes of a library; 0: there is none.
 */
__noinline u64 head_build(const struct code_opened *m)
{
	const struct build_id_note *note = NULL;
	const struct elf_phdr *ph;
	u64 h = 0;

	if (!m)
		return 0;
	ph = (const void *)(m->head + EHDR_BYTES);
	for (int i = 0; i < MAX_PHDRS && i < ((const struct elf_head *)m->head)->phnum; i++) {
		u64 at = ph[i].vaddr;

		if (ph[i].type != PT_NOTE || at > JT_OPENED_HEAD - sizeof(*note) || at % 4)
			continue;
		note = (const void *)(m->head + at);
		if (note->type == NT_GNU_BUILD_ID && note->name_bytes == 4 && note->name == NAME_GNU)
			break;
		note = NULL;
	}
	for (u32 k = 0; note && k < BUILD_ID_WORDS && k * 4 < note->bytes; k++)
		h = hash_add(h, note->id[k] + 1ULL);
	return h;
}

/* With the path, of n bytes. */
__noinline u64 add_path(u64 h, const struct code_opened *m, u32 n)
{
	const u64 *words;
	u32 whole = n / 8;

	if (!m)
		return h;
	words = (const void *)m->path;
	/* The rest: behind it is what was in this memory before. Of a path that fills it the mask leaves
	 * nothing. */
	barrier_var(whole);
	h = hash_add(h, words[whole % (JT_OPENED_PATH / 8)] & ((1ULL << n % 8 * 8) - 1));
	for (u32 i = 0; i < JT_OPENED_PATH / 8 && i < whole; i++)
		h = hash_add(h, words[i]);
	return h;
}

/* What a library is that was opened: build, path of n bytes, place. 0: it has no build-id to tell it by. */
static __always_inline u64 opened_what(const struct code_opened *m, u32 n, u32 target_id, u64 bias)
{
	u64 h = head_build(m);

	return h ? hash_add(hash_add(add_path(h, m, n), bias), target_id) ?: 1 : 0;
}

/* Of the libraries that were opened; the loader is told only of those that get one. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 2 * JT_OPENED_KNOWN);
	__type(key, u64); /* opened_what() */
	__type(value, u32);
} opened_numbers SEC(".maps");

/* The number that it had when it was opened before; 0: it was not, or that may be forgotten. */
static __always_inline u32 number_before(const struct unwind_space *s, u64 what)
{
	u32 *id = what ? bpf_map_lookup_elem(&opened_numbers, &what) : NULL;

	return id && s->opened - *id < JT_OPENED_KNOWN ? *id : 0;
}

static __always_inline void opened_place(struct unwind_space *s, struct opened_code *place,
					 const struct opened_code *o)
{
	*(volatile u32 *)&place->id = 0; /* no walk believes what is half written */
	barrier();
	place->start = o->start;
	place->end = o->end;
	place->bias = o->bias;
	place->opening = o->opening;
	place->what = o->what;
	barrier();
	*(volatile u32 *)&place->id = o->id;
	*(volatile u32 *)&s->openings = o->opening;
}

/* A library was added of which nothing is known, or nobody can be told: it may lie where one did that was. */
static __always_inline int opened_unknown(u32 target_id, struct unwind_space *s)
{
	struct opened_code o = {.end = ~0ULL, .opening = s->openings + 1};
	struct opened_code *place = opened_of(target_id, o.opening);

	if (place)
		opened_place(s, place, &o);
	return 0;
}

/* A library was added to the list. What the loader cannot be told of has no number. */
__noinline int opened_note(u32 target_id, const struct link_map *link)
{
	struct unwind_space *s = bpf_map_lookup_elem(&unwind_spaces, &target_id);
	struct opened_code *place, o = {0};
	struct code_opened *m;
	u64 what;
	long n;

	if (!s || !link)
		return 0;
	o.opening = s->openings + 1;
	place = opened_of(target_id, o.opening);
	m = place ? bpf_ringbuf_reserve(&code_changes, sizeof(*m), 0) : NULL;
	if (!m)
		return opened_unknown(target_id, s);
	o.bias = link->addr;
	n = bpf_probe_read_user_str(m->path, sizeof(m->path), (void *)link->name);
	if (bpf_probe_read_user(m->head, sizeof(m->head), (void *)o.bias) || !opened_range(m, &o) || n <= 1) {
		bpf_ringbuf_discard(m, 0);
		return n == 1 ? 0 : opened_unknown(target_id, s); /* the program itself has no name */
	}
	what = opened_what(m, n, target_id, o.bias);
	o.what = mix(what ?: s->opened + 1);
	o.id = number_before(s, what);
	if (o.id) {
		opened_place(s, place, &o);
		bpf_ringbuf_discard(m, 0);
		return 1;
	}
	o.id = s->opened + 1;
	m->target_id = target_id;
	m->pad = 0;
	m->code = o;
	opened_place(s, place, &o);
	*(volatile u32 *)&s->opened = o.id;
	if (what)
		bpf_map_update_elem(&opened_numbers, &what, &o.id, BPF_ANY);
	bpf_ringbuf_submit(m, 0);
	return 1;
}

/* The linker has added libraries behind this one; the first that is told may be an old one. */
static __always_inline void opened_behind(u32 target_id, struct unwind_space *s, u64 last)
{
	struct link_map link;
	bool known = last && !bpf_probe_read_user(&link, sizeof(link), (void *)last);

	for (int i = 0; i < LINKS_AT_ONCE && known && link.next; i++) {
		known = !bpf_probe_read_user(&link, sizeof(link), (void *)link.next);
		if (known)
			opened_note(target_id, &link);
	}
	if (!known || link.next)
		opened_unknown(target_id, s);
}

#endif
