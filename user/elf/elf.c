/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Open an ELF file that may lie: headers, segments, build-id, symbols. */
#include "elf/elf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"
#include "elf/elf_internal.h"
#include "proc/foreign.h"

#define MAX_NAMES_BYTES  (1ULL << 20)   /* section names */
#define MAX_NOTES_BYTES  (1ULL << 20)   /* one note section or segment looked at for a build-id, */
#define MAX_ALL_NOTES    (4ULL << 20)   /* and all */
#define MAX_SYMTAB_BYTES (256ULL << 20) /* .symtab; a debug build of a JVM has 10 MiB */
#define MAX_STRTAB_BYTES (64ULL << 20)  /* .strtab */
#define LOAD_BYTES       (1U << 20)     /* read at once */
#define SYMBOLS_AT_ONCE  2048
#define MAX_MANGLED      1024  /* bytes of a name that begins as one that is wanted */
#define MAX_LIKE_PREFIX  65536 /* symbols that begin so; a VM has a thousand */

_Static_assert(BUILD_ID_HEX_BYTES == 2 * BUILD_ID_MAX + 1, "in elf_internal.h");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "headers are copied as they lie in the file");

int elf_pread(int fd, void *dst, size_t n, uint64_t offset)
{
	while (n) {
		ssize_t got;

		if (offset > INT64_MAX)
			return -EIO;
		got = foreign_pread(fd, dst, n, offset);
		if (got == -EINTR)
			continue;
		if (got < 0)
			return (int)got;
		if (!got)
			return -EIO;
		dst = (char *)dst + got;
		n -= got;
		offset += got;
	}
	return 0;
}

int elf_get(const struct elf_image *e, void *dst, size_t n, uint64_t offset)
{
	int rc = budget_read(e->budget, n);

	return rc ?: elf_pread(e->fd, dst, n, offset);
}

/* Do [offset, offset + n) lie in the file? */
static bool in_file(const struct elf_image *e, uint64_t offset, uint64_t n)
{
	return n <= e->file_bytes && offset <= e->file_bytes - n;
}

int elf_load(const struct elf_image *e, uint64_t offset, uint64_t n, uint64_t max_bytes, struct elf_blob *out)
{
	int rc;

	*out = (struct elf_blob){0};
	if (!n)
		return -ENOENT;
	if (n > max_bytes)
		return -E2BIG;
	if (!in_file(e, offset, n))
		return -EPROTO;
	if (n > budget_room(e->budget))
		return -EDQUOT;
	out->p = malloc(n);
	if (!out->p)
		return -ENOMEM;
	out->n = n;
	rc = 0;
	for (uint64_t at = 0; !rc && at < n; at += LOAD_BYTES)
		rc = elf_get(e, out->p + at, n - at < LOAD_BYTES ? n - at : LOAD_BYTES, offset + at);
	if (rc) {
		free(out->p);
		*out = (struct elf_blob){0};
	}
	return rc;
}

int elf_section_load(const struct elf_image *e, const Elf64_Shdr *sh, uint64_t max_bytes,
		     struct elf_blob *out)
{
	*out = (struct elf_blob){0};
	if (sh->sh_type == SHT_NOBITS)
		return -ENOENT; /* left in the other file when debug symbols were split off */
	if (sh->sh_flags & SHF_COMPRESSED)
		return -EPROTO;
	return elf_load(e, sh->sh_offset, sh->sh_size, max_bytes, out);
}

int elf_section_place(const struct elf_image *e, const Elf64_Shdr *sh, uint64_t max_bytes, uint64_t *offset,
		      uint64_t *n)
{
	if (sh->sh_type == SHT_NOBITS || !sh->sh_size)
		return -ENOENT;
	if (sh->sh_size > max_bytes)
		return -E2BIG;
	if (sh->sh_flags & SHF_COMPRESSED || !in_file(e, sh->sh_offset, sh->sh_size))
		return -EPROTO;
	*offset = sh->sh_offset;
	*n = sh->sh_size;
	return 0;
}

const Elf64_Shdr *elf_section_find(const struct elf_image *e, uint32_t type, const char *name)
{
	size_t len = name ? strlen(name) + 1 : 0;

	for (size_t i = 0; i < e->nr_sh; i++) {
		const Elf64_Shdr *sh = &e->sh[i];

		if (type != SHT_NULL && sh->sh_type != type)
			continue;
		if (!name || (sh->sh_name <= e->sh_names.n && len <= e->sh_names.n - sh->sh_name &&
			      !memcmp(e->sh_names.p + sh->sh_name, name, len)))
			return sh;
	}
	return NULL;
}

bool elf_note_next(struct elf_note_iter *it, struct elf_note *out)
{
	Elf64_Nhdr h;
	uint64_t desc_at, end;

	if (it->n < sizeof(h))
		goto stop;
	memcpy(&h, it->p, sizeof(h));
	desc_at = sizeof(h) + (((uint64_t)h.n_namesz + 3) & ~3ULL);
	end = desc_at + h.n_descsz;
	if (end > it->n)
		goto stop;
	*out = (struct elf_note){
	    .type = h.n_type,
	    .name = (const char *)it->p + sizeof(h),
	    .name_bytes = h.n_namesz,
	    .desc = it->p + desc_at,
	    .desc_bytes = h.n_descsz,
	};
	end = (end + 3) & ~3ULL;
	if (end > it->n)
		end = it->n; /* the last one may lack its padding */
	it->p += end;
	it->n -= end;
	return true;
stop:
	it->n = 0;
	return false;
}

size_t elf_note_build_id(const void *notes, size_t n, uint8_t *out)
{
	struct elf_note_iter it = {notes, n};
	struct elf_note note;

	while (elf_note_next(&it, &note)) {
		if (note.type != NT_GNU_BUILD_ID || note.name_bytes != sizeof(ELF_NOTE_GNU) ||
		    memcmp(note.name, ELF_NOTE_GNU, sizeof(ELF_NOTE_GNU)))
			continue;
		if (!note.desc_bytes || note.desc_bytes > BUILD_ID_MAX)
			continue;
		memcpy(out, note.desc, note.desc_bytes);
		return note.desc_bytes;
	}
	return 0;
}

static bool find_build_id(struct elf_image *e, uint64_t offset, uint64_t n, uint64_t *left)
{
	uint8_t id[BUILD_ID_MAX];
	struct elf_blob notes;
	size_t len;

	if (elf_load(e, offset, n, *left < MAX_NOTES_BYTES ? *left : MAX_NOTES_BYTES, &notes))
		return false;
	*left -= notes.n;
	len = elf_note_build_id(notes.p, notes.n, id);
	hex_encode(e->build_id, id, len);
	free(notes.p);
	return len > 0;
}

/* Sections first: in a separate debug file they are right, and segments describe the other file. */
static void read_build_id(struct elf_image *e)
{
	uint64_t left = MAX_ALL_NOTES;

	for (size_t i = 0; i < e->nr_sh; i++)
		if (e->sh[i].sh_type == SHT_NOTE &&
		    find_build_id(e, e->sh[i].sh_offset, e->sh[i].sh_size, &left))
			return;
	for (size_t i = 0; i < e->nr_ph; i++)
		if (e->ph[i].p_type == PT_NOTE &&
		    find_build_id(e, e->ph[i].p_offset, e->ph[i].p_filesz, &left))
			return;
}

static int read_segments(struct elf_image *e, const Elf64_Ehdr *eh)
{
	struct elf_blob table;
	int rc;

	if (!eh->e_phnum)
		return 0;
	/* PN_XNUM: 65535 segments or more, which no linker makes of a program */
	if (eh->e_phnum == PN_XNUM || eh->e_phentsize != sizeof(*e->ph))
		return -ENOEXEC;
	rc = elf_load(e, eh->e_phoff, eh->e_phnum * sizeof(*e->ph), UINT32_MAX, &table);
	if (rc)
		return rc == -ENOMEM || rc == -EDQUOT || rc == -EINTR ? rc : -ENOEXEC;
	e->ph = (Elf64_Phdr *)table.p;
	e->nr_ph = eh->e_phnum;
	return 0;
}

/* Section headers are optional: where they are missing or lie outside the file there are none. */
static int read_sections(struct elf_image *e, const Elf64_Ehdr *eh)
{
	struct elf_blob table;
	int rc;

	if (eh->e_shentsize != sizeof(*e->sh))
		return 0;
	rc = elf_load(e, eh->e_shoff, eh->e_shnum * sizeof(*e->sh), UINT32_MAX, &table);
	if (rc)
		return rc == -ENOMEM || rc == -EDQUOT || rc == -EINTR ? rc : 0;
	e->sh = (Elf64_Shdr *)table.p;
	e->nr_sh = eh->e_shnum;
	if (eh->e_shstrndx >= e->nr_sh)
		return 0;
	rc = elf_section_load(e, &e->sh[eh->e_shstrndx], MAX_NAMES_BYTES, &e->sh_names);
	return rc == -ENOMEM || rc == -EDQUOT || rc == -EINTR ? rc : 0;
}

static int read_headers(struct elf_image *e)
{
	Elf64_Ehdr eh;
	struct stat st;
	int rc;

	rc = foreign_stat(e->fd, &st);
	if (rc)
		return rc;
	if (!S_ISREG(st.st_mode) || st.st_size < (off_t)sizeof(eh))
		return -ENOEXEC;
	e->file_bytes = st.st_size;
	e->written = st.st_mtim;
	e->dev = st.st_dev;
	e->ino = st.st_ino;
	rc = elf_pread(e->fd, &eh, sizeof(eh), 0);
	if (rc)
		return rc;
	if (memcmp(eh.e_ident, ELFMAG, SELFMAG) || eh.e_ident[EI_CLASS] != ELFCLASS64 ||
	    eh.e_ident[EI_DATA] != ELFDATA2LSB || eh.e_ident[EI_VERSION] != EV_CURRENT ||
	    (eh.e_machine != EM_X86_64 && eh.e_machine != EM_AARCH64))
		return -ENOEXEC;
	e->machine = eh.e_machine;
	rc = read_segments(e, &eh);
	if (!rc)
		rc = read_sections(e, &eh);
	rc = rc
		 ?: budget_take(e->budget,
				e->nr_ph * sizeof(*e->ph) + e->nr_sh * sizeof(*e->sh) + e->sh_names.n,
				&e->held);
	if (!rc)
		read_build_id(e);
	return rc;
}

int elf_open(int fd, struct elf_image **out)
{
	return elf_open_within(NULL, fd, out);
}

struct budget *elf_budget(const struct elf_image *e)
{
	return e->budget;
}

int elf_open_within(struct budget *b, int fd, struct elf_image **out)
{
	struct elf_image *e = calloc(1, sizeof(*e));
	int rc;

	*out = NULL;
	if (!e) {
		close(fd);
		return -ENOMEM;
	}
	e->fd = fd;
	e->budget = b;
	e->references = e->readers = 1;
	e->found = calloc(1, sizeof(*e->found));
	rc = e->found ? budget_take_file(b, &e->open) : -ENOMEM;
	rc = rc ?: read_headers(e);
	if (rc) {
		elf_close(e);
		return rc;
	}
	*out = e;
	return 0;
}

void elf_rest(struct elf_image *e)
{
	if (--e->readers)
		return;
	close(e->fd);
	e->fd = -1;
	budget_give(&e->open);
}

int elf_wake(struct elf_image *e, int fd)
{
	struct stat st;

	if (e->fd < 0) {
		int rc = foreign_stat(fd, &st) ?: budget_take_file(e->budget, &e->open);

		if (rc) {
			close(fd);
			return rc;
		}
		if (st.st_dev != e->dev || st.st_ino != e->ino || (uint64_t)st.st_size != e->file_bytes ||
		    st.st_mtim.tv_sec != e->written.tv_sec || st.st_mtim.tv_nsec != e->written.tv_nsec) {
			close(fd);
			budget_give(&e->open);
			return -ESTALE;
		}
		e->fd = fd;
	} else {
		close(fd);
	}
	e->readers++;
	return 0;
}

void elf_put(struct elf_image *e)
{
	if (--e->references)
		return;
	if (e->found)
		free(e->found->v);
	free(e->found);
	free(e->ph);
	free(e->sh);
	free(e->sh_names.p);
	budget_give(&e->held);
	free(e);
}

void elf_close(struct elf_image *e)
{
	if (!e)
		return;
	elf_rest(e);
	elf_put(e);
}

uint16_t elf_machine(const struct elf_image *e)
{
	return e->machine;
}

const char *elf_build_id(const struct elf_image *e)
{
	return e->build_id;
}

/* The segment whose bytes in the file hold vaddr, or NULL. */
static const Elf64_Phdr *segment_of_vaddr(const struct elf_image *e, uint64_t vaddr)
{
	for (size_t i = 0; i < e->nr_ph; i++) {
		const Elf64_Phdr *ph = &e->ph[i];

		if (ph->p_type == PT_LOAD && vaddr >= ph->p_vaddr && vaddr - ph->p_vaddr < ph->p_filesz)
			return ph;
	}
	return NULL;
}

uint64_t elf_segment_left(const struct elf_image *e, uint64_t vaddr, uint64_t *offset)
{
	const Elf64_Phdr *ph = segment_of_vaddr(e, vaddr);
	uint64_t at, left;

	*offset = 0;
	if (!ph || __builtin_add_overflow(ph->p_offset, vaddr - ph->p_vaddr, &at) || at >= e->file_bytes)
		return 0;
	*offset = at;
	left = ph->p_filesz - (vaddr - ph->p_vaddr);
	return left < e->file_bytes - at ? left : e->file_bytes - at;
}

bool elf_vaddr_to_offset(const struct elf_image *e, uint64_t vaddr, uint64_t *offset)
{
	uint64_t at;

	if (!elf_segment_left(e, vaddr, &at))
		return false;
	*offset = at;
	return true;
}

bool elf_offset_to_vaddr(const struct elf_image *e, uint64_t offset, uint64_t *vaddr)
{
	if (offset >= e->file_bytes)
		return false;
	for (size_t i = 0; i < e->nr_ph; i++) {
		const Elf64_Phdr *ph = &e->ph[i];

		if (ph->p_type == PT_LOAD && offset >= ph->p_offset && offset - ph->p_offset < ph->p_filesz)
			return !__builtin_add_overflow(ph->p_vaddr, offset - ph->p_offset, vaddr);
	}
	return false;
}

bool elf_is_code(const struct elf_image *e, uint64_t vaddr)
{
	const Elf64_Phdr *ph = segment_of_vaddr(e, vaddr);

	return ph && (ph->p_flags & PF_X);
}

size_t elf_read(const struct elf_image *e, uint64_t vaddr, void *dst, size_t n)
{
	uint64_t offset, left = elf_segment_left(e, vaddr, &offset);

	if (n > left)
		n = left;
	return elf_pread(e->fd, dst, n, offset) ? 0 : n;
}

/* How sure a match is: a global name is one thing, a local one may exist twice. */
enum rank { RANK_NONE, RANK_LOCAL, RANK_AMBIGUOUS, RANK_GLOBAL };
struct match {
	uint64_t vaddr, size_bytes;
	enum rank rank;
};
/* Wanted names by hash, open addressing; slot = index + 1, 0 = free. */
struct name_table {
	uint32_t *slot;
	size_t mask;
	struct match *match; /* one per wanted name */
	struct elf_wanted *wanted;
	size_t n;
	size_t longest; /* name, in bytes */
	size_t nr_prefixes;
	size_t common_bytes; /* with which all prefixes begin, as wanted[prefix] does */
	size_t prefix;
	size_t nr_like_prefix; /* symbols held against all of them */
};

/* Length and last bytes: mangled names differ most there, and 58,000 long names need not be read whole. */
static uint64_t name_hash(const char *s, size_t len)
{
	uint64_t tail = 0;
	size_t n = len < sizeof(tail) ? len : sizeof(tail);

	memcpy(&tail, s + len - n, n);
	return mix64(tail + len * 0x9e3779b97f4a7c15ULL);
}

/* Few symbols begin as all prefixes do: the others are held against none of them. */
static void add_prefix(struct name_table *t, size_t i)
{
	const char *name = t->wanted[i].name, *common = t->wanted[t->prefix].name;
	size_t n = 0;

	if (t->nr_prefixes++ == 0) {
		t->prefix = i;
		t->common_bytes = strlen(name);
		return;
	}
	while (n < t->common_bytes && name[n] == common[n])
		n++;
	t->common_bytes = n;
}

static int name_table_init(struct name_table *t, struct elf_wanted *wanted, size_t n)
{
	size_t slots = 16;

	while (slots < 4 * n)
		slots *= 2;
	*t = (struct name_table){.mask = slots - 1, .wanted = wanted, .n = n};
	t->slot = calloc(slots, sizeof(*t->slot));
	t->match = calloc(n ? n : 1, sizeof(*t->match));
	if (!t->slot || !t->match)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(wanted[i].name), at = name_hash(wanted[i].name, len) & t->mask;

		if (wanted[i].is_prefix) {
			add_prefix(t, i);
			continue;
		}
		if (len > t->longest)
			t->longest = len;
		while (t->slot[at])
			at = (at + 1) & t->mask;
		t->slot[at] = i + 1;
	}
	return 0;
}

static void match_add(struct match *m, const Elf64_Sym *sym)
{
	bool local = ELF64_ST_BIND(sym->st_info) == STB_LOCAL;

	if (m->rank == RANK_GLOBAL || (local && m->rank == RANK_AMBIGUOUS))
		return;
	if (local && m->rank == RANK_LOCAL) {
		if (m->vaddr != sym->st_value)
			m->rank = RANK_AMBIGUOUS;
		return;
	}
	*m = (struct match){sym->st_value, sym->st_size, local ? RANK_LOCAL : RANK_GLOBAL};
}

/* name: left bytes, perhaps not terminated. What a compiler has split off has a dot in its name. */
static void match_prefixes(struct name_table *t, const Elf64_Sym *sym, const char *name, size_t left)
{
	if (t->nr_prefixes == 0 || left < t->common_bytes ||
	    memcmp(name, t->wanted[t->prefix].name, t->common_bytes) || t->nr_like_prefix == MAX_LIKE_PREFIX)
		return;
	t->nr_like_prefix++;
	left = strnlen(name, left < MAX_MANGLED ? left : MAX_MANGLED);
	for (size_t i = 0; i < t->n; i++) {
		size_t len = strlen(t->wanted[i].name);

		if (t->wanted[i].is_prefix && len <= left && !memcmp(name, t->wanted[i].name, len) &&
		    !memchr(name, '.', left))
			match_add(&t->match[i], sym);
	}
}

static void match_symbols(struct name_table *t, const Elf64_Sym *syms, size_t n, const struct elf_blob *names)
{
	for (size_t i = 0; i < n; i++) {
		Elf64_Sym sym = syms[i];
		const char *name;
		size_t left, len;

		if ((ELF64_ST_TYPE(sym.st_info) != STT_FUNC && ELF64_ST_TYPE(sym.st_info) != STT_OBJECT) ||
		    !sym.st_value || sym.st_shndx == SHN_UNDEF || sym.st_shndx >= SHN_LORESERVE ||
		    sym.st_name >= names->n)
			continue;
		name = (const char *)names->p + sym.st_name;
		left = names->n - sym.st_name;
		match_prefixes(t, &sym, name, left);
		/* no further: one text that all symbols point into may be as long as the table */
		len = strnlen(name, left <= t->longest ? left : t->longest + 1);
		if (len == left || len > t->longest)
			continue; /* not terminated, or none that is wanted */
		for (size_t at = name_hash(name, len) & t->mask; t->slot[at]; at = (at + 1) & t->mask) {
			size_t w = t->slot[at] - 1;

			if (!strcmp(t->wanted[w].name, name))
				match_add(&t->match[w], &sym);
		}
	}
}

/* All symbols of the section, some at a time. */
static int match_section(struct name_table *t, const struct elf_image *e, const Elf64_Shdr *sh,
			 const struct elf_blob *names)
{
	Elf64_Sym *syms = malloc(SYMBOLS_AT_ONCE * sizeof(*syms));
	uint64_t offset, bytes, n;
	int rc = syms ? elf_section_place(e, sh, MAX_SYMTAB_BYTES, &offset, &bytes) : -ENOMEM;

	for (n = rc ? 0 : bytes / sizeof(*syms); !rc && n; offset += SYMBOLS_AT_ONCE * sizeof(*syms)) {
		size_t some = n < SYMBOLS_AT_ONCE ? n : SYMBOLS_AT_ONCE;

		rc = elf_get(e, syms, some * sizeof(*syms), offset);
		if (!rc)
			match_symbols(t, syms, some, names);
		n -= some;
	}
	free(syms);
	return rc;
}

static int matches_take(const struct name_table *t)
{
	int found = 0;

	for (size_t i = 0; i < t->n; i++) {
		const struct match *m = &t->match[i];

		if (m->rank != RANK_LOCAL && m->rank != RANK_GLOBAL)
			continue;
		t->wanted[i].vaddr = m->vaddr;
		t->wanted[i].size_bytes = m->size_bytes;
		found++;
	}
	return found;
}

static uint64_t found_key(enum elf_symtab which, const struct elf_wanted *wanted)
{
	return fnv64(FNV64_INIT + which + (wanted->is_prefix ? NR_ELF_SYMTABS : 0), wanted->name,
		     strlen(wanted->name));
}

/*
 * What was asked for before is remembered: the tables of a JVM are 4 MB, and its image may be shared by
 * many (elf_cache.h). The names asked for are the program's own, not more than a few hundred.
 */
static const struct symbol_found *found_before(const struct elf_image *e, enum elf_symtab which,
					       const struct elf_wanted *wanted)
{
	uint64_t key = found_key(which, wanted);

	for (size_t i = 0; i < e->found->n; i++)
		if (e->found->v[i].key == key)
			return &e->found->v[i];
	return NULL;
}

static bool all_found_before(const struct elf_image *e, enum elf_symtab which, struct elf_wanted *wanted,
			     size_t n, int *found)
{
	*found = 0;
	for (size_t i = 0; i < n; i++)
		if (!found_before(e, which, &wanted[i]))
			return false;
	for (size_t i = 0; i < n; i++) {
		const struct symbol_found *f = found_before(e, which, &wanted[i]);

		if (!f->vaddr)
			continue;
		wanted[i].vaddr = f->vaddr;
		wanted[i].size_bytes = f->size_bytes;
		++*found;
	}
	return true;
}

/* Without memory it is looked up again next time. */
static void remember_found(const struct elf_image *e, enum elf_symtab which, const struct name_table *t)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct match *m = &t->match[i];
		struct symbol_found *f = found_before(e, which, &t->wanted[i]) ? NULL : VEC_ADD(e->found);

		if (!f)
			continue;
		f->key = found_key(which, &t->wanted[i]);
		if (m->rank == RANK_LOCAL || m->rank == RANK_GLOBAL) {
			f->vaddr = m->vaddr;
			f->size_bytes = m->size_bytes;
		}
	}
}

int elf_find_symbols(const struct elf_image *e, enum elf_symtab which, struct elf_wanted *wanted, size_t n)
{
	const Elf64_Shdr *sh = elf_section_find(e, which == ELF_SYMTAB ? SHT_SYMTAB : SHT_DYNSYM, NULL);
	struct elf_blob names = {0};
	struct name_table t = {0};
	int rc;

	if (!sh || sh->sh_type == SHT_NOBITS)
		return 0;
	if (all_found_before(e, which, wanted, n, &rc))
		return rc;
	if (sh->sh_entsize != sizeof(Elf64_Sym) || sh->sh_link >= e->nr_sh ||
	    e->sh[sh->sh_link].sh_type != SHT_STRTAB)
		return -EPROTO;
	budget_begin_file(e->budget);
	rc = elf_section_load(e, &e->sh[sh->sh_link], MAX_STRTAB_BYTES, &names);
	if (!rc)
		rc = name_table_init(&t, wanted, n);
	if (!rc)
		rc = match_section(&t, e, sh, &names);
	budget_end_file(e->budget);
	if (!rc) {
		remember_found(e, which, &t);
		rc = matches_take(&t);
	}
	free(t.slot);
	free(t.match);
	free(names.p);
	return rc == -ENOENT ? 0 : rc; /* an empty table */
}
