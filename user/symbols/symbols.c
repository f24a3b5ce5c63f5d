/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Native frames by name. An address is looked up in the mappings, which gives a module and a link-time
 * address; that pair is symbolized once and kept, whatever happens to the mapping or the process.
 */
#include "symbols/symbols.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/strset.h"
#include "elf/elf.h"
#include "elf/elf_cfi.h"
#include "elf/elf_functions.h"
#include "elf/elf_lines.h"
#include "runtime/hotspot/frames.h"
#include "symbols/demangle.h"

#define MAX_MODULES       4096 /* files with code in one target; further ones stay nameless */
#define MAX_RETIRED       4096 /* mappings that are gone and still resolve */
#define MAX_FRAMES_OF_PC  32   /* a function and what is inlined in it */
#define IDLE_REFRESHES    30   /* DWARF not asked for that long is closed; it can be 500 MiB */
#define REASON_BYTES      192
#define MODULE_NAME_BYTES 128
#define FIRST_CACHE_SLOTS 1024 /* a power of two */

/* DWARF register numbers, by the psABIs */
#define DWARF_RBP      6
#define DWARF_X29      29
#define DWARF_ARM64_SP 31
#define PROLOGUE_INSNS 256 /* arm64 instructions looked at for the one that sets the frame pointer */

/* Can the caller of a function be found through the frame pointer? */
enum link { LINK_PROVEN, LINK_NO_FP, LINK_NO_TABLE, LINK_NO_FILE, NR_LINKS };
static const char *const link_reasons[NR_LINKS] = {
    [LINK_NO_FP] = "no frame pointer in",
    [LINK_NO_TABLE] = "no unwind table in",
    [LINK_NO_FILE] = "cannot read",
};

/* A file with code, as long as symbols live. */
struct module {
	uint64_t dev, ino;
	char *path;       /* as the target sees it */
	const char *name; /* base name, cleaned */
	enum frame_type type;
	bool opened;      /* was tried; image is NULL when that failed */
	off_t file_bytes; /* with changed: the file, should it come back after its mapping went */
	struct timespec changed;
	struct elf_image *image;
	struct elf_image *debug; /* separate debug file; NULL: none */
	const char *build_id;    /* NULL: none */
	struct elf_functions functions;
	struct elf_cfi_table *cfi; /* NULL: no image */
	struct elf_lines *lines;
	bool no_lines;
	unsigned int lines_idle; /* refreshes since they were asked */
};

struct range {
	uint64_t start, end, offset; /* bytes; offset in the file */
	uint64_t base;               /* lowest address of this file's group of mappings */
	struct module *module;
};
struct ranges {
	struct range *v;
	size_t n, cap;
};

/* A symbolized address. */
struct cached {
	const struct module *module; /* NULL: free slot */
	uint64_t vaddr;
	uint32_t first, n; /* in frames */
	enum link link;
};

struct symbols {
	struct proc_id id;
	int root_fd;   /* its root directory; -1: could not be opened */
	bool own_root; /* the target's root is ours: its files are reached without it */
	struct strset strings;
	struct java_symbols *java; /* not owned; NULL: Java frames stay nameless */
	bool hidden;               /* Java's hidden frames are shown */
	struct {
		struct module **v;
		size_t n, cap;
	} modules;
	struct ranges now;     /* mapped code, by address */
	struct ranges retired; /* what was, oldest first */
	struct frames frames;  /* of all cached addresses */
	struct cached *cache;  /* open addressing */
	size_t nr_cached, cache_slots;
};

int symbols_new(const struct proc_id *id, struct symbols **out)
{
	struct symbols *s = calloc(1, sizeof(*s));
	struct stat theirs, ours;

	*out = s;
	if (!s)
		return -ENOMEM;
	s->id = *id;
	s->root_fd = proc_root_open(id->pid);
	s->own_root = s->root_fd >= 0 && !fstat(s->root_fd, &theirs) && !stat("/", &ours) &&
		      theirs.st_dev == ours.st_dev && theirs.st_ino == ours.st_ino;
	return 0;
}

void symbols_set_java(struct symbols *s, struct java_symbols *java, bool hidden)
{
	s->java = java;
	s->hidden = hidden;
}

static void module_close_lines(struct module *m)
{
	elf_lines_close(m->lines);
	m->lines = NULL;
}

static void module_free(struct module *m)
{
	module_close_lines(m);
	elf_functions_free(&m->functions);
	elf_cfi_close(m->cfi);
	elf_close(m->debug);
	elf_close(m->image);
	free(m->path);
	free(m);
}

void symbols_free(struct symbols *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->modules.n; i++)
		module_free(s->modules.v[i]);
	free(s->modules.v);
	free(s->now.v);
	free(s->retired.v);
	free(s->frames.v);
	free(s->cache);
	strset_free(&s->strings);
	if (s->root_fd >= 0)
		close(s->root_fd);
	free(s);
}

/* The last part of a path, cleaned and kept. */
static const char *base_name(struct symbols *s, const char *path)
{
	const char *slash = strrchr(path, '/');
	char clean[MODULE_NAME_BYTES];

	path = slash ? slash + 1 : path;
	return strset_add(&s->strings, text_clean(clean, sizeof(clean), path, strlen(path)));
}

static struct module *module_new(struct symbols *s, const struct mapping *map)
{
	struct module *m, **slot;

	if (s->modules.n == MAX_MODULES)
		return NULL;
	m = calloc(1, sizeof(*m));
	slot = m ? VEC_ADD(&s->modules) : NULL;
	if (!slot) {
		free(m);
		return NULL;
	}
	*slot = m;
	m->dev = map->dev;
	m->ino = map->ino;
	m->path = strdup(map->path);
	m->name = base_name(s, map->path);
	for (size_t i = 0; m->name && vm_libraries[i]; i++)
		if (!strcmp(m->name, vm_libraries[i]))
			m->type = FRAME_VM;
	return m;
}

/*
 * The open file of a mapping. When the process is gone its paths are still good under the root it had.
 */
static int open_mapping(const struct symbols *s, const struct mapping *map)
{
	int fd = -ESRCH;

	if (proc_id_alive(&s->id))
		fd = proc_open_mapping(s->id.pid, map);
	if (fd < 0 && s->root_fd >= 0)
		fd = proc_open_mapped_file(s->root_fd, map);
	return fd;
}

/* Is the file mapped now what m was read from? Its inode number may have been given to another one. */
static bool is_same_file(const struct symbols *s, const struct module *m, const struct mapping *map)
{
	struct stat st;
	bool same;
	int fd;

	if (!m->opened)
		return true;
	fd = open_mapping(s, map);
	if (fd < 0)
		return false;
	same = !fstat(fd, &st) && st.st_size == m->file_bytes && st.st_ctim.tv_sec == m->changed.tv_sec &&
	       st.st_ctim.tv_nsec == m->changed.tv_nsec;
	close(fd);
	return same;
}

static bool has_code(const struct mapping *map)
{
	return map->executable && map->ino && map->path;
}

static bool range_is(const struct range *r, const struct mapping *map)
{
	return r->start == map->start && r->end == map->end && r->offset == map->offset &&
	       r->module->dev == map->dev && r->module->ino == map->ino &&
	       !strcmp(r->module->path, map->path);
}

static bool nothing_changed(const struct symbols *s, const struct proc_maps *maps)
{
	size_t n = 0;

	for (size_t i = 0; i < maps->n; i++) {
		if (!has_code(&maps->v[i]))
			continue;
		if (n == s->now.n || !range_is(&s->now.v[n], &maps->v[i]))
			return false;
		n++;
	}
	return n == s->now.n;
}

/* The lowest mapping of the group of the same file that map i belongs to. */
static uint64_t base_of(const struct proc_maps *maps, size_t i)
{
	uint64_t base = maps->v[i].start;

	for (size_t k = i; k-- > 0;) {
		const struct mapping *m = &maps->v[k];

		if (m->ino != maps->v[i].ino || m->dev != maps->v[i].dev || m->offset > maps->v[i].offset)
			break;
		base = m->start;
	}
	return base;
}

static const struct range *ranges_find(const struct ranges *r, uint64_t addr)
{
	size_t lo = 0, hi = r->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (addr >= r->v[mid].end)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < r->n && addr >= r->v[lo].start ? &r->v[lo] : NULL;
}

/* Keep what is in s->now and not, as the same file at the same place, in next. */
static int retire(struct symbols *s, const struct ranges *next)
{
	for (size_t i = 0; i < s->now.n; i++) {
		const struct range *r = &s->now.v[i], *same = ranges_find(next, r->start);
		struct range *old;

		if (same && same->start == r->start && same->offset == r->offset && same->module == r->module)
			continue;
		if (s->retired.n == MAX_RETIRED) {
			s->retired.n /= 2;
			memmove(s->retired.v, s->retired.v + s->retired.n, s->retired.n * sizeof(*old));
		}
		old = VEC_ADD(&s->retired);
		if (!old)
			return -ENOMEM;
		*old = *r;
	}
	return 0;
}

/*
 * The module of a mapping. One that was already there is the same file; for a new one, a known device, inode
 * and path are not enough: the file may have been removed and another one got its inode.
 */
static struct module *module_of(struct symbols *s, const struct mapping *map, bool closed)
{
	const struct range *before = closed ? NULL : ranges_find(&s->now, map->start);

	for (size_t i = s->modules.n; i-- > 0;) {
		struct module *m = s->modules.v[i];

		if (m->ino == map->ino && m->dev == map->dev && m->path && !strcmp(m->path, map->path) &&
		    ((before && before->module == m) || is_same_file(s, m, map)))
			return m;
	}
	return module_new(s, map);
}

static int read_ranges(struct symbols *s, const struct proc_maps *maps, bool closed, struct ranges *out)
{
	for (size_t i = 0; i < maps->n; i++) {
		const struct mapping *map = &maps->v[i];
		struct module *m;
		struct range *r;

		if (!has_code(map))
			continue;
		m = module_of(s, map, closed);
		if (!m && s->modules.n == MAX_MODULES)
			continue;
		if (!m || !m->path || !m->name)
			return -ENOMEM;
		r = VEC_ADD(out);
		if (!r)
			return -ENOMEM;
		*r = (struct range){map->start, map->end, map->offset, base_of(maps, i), m};
	}
	return 0;
}

static void close_idle_lines(struct symbols *s)
{
	for (size_t i = 0; i < s->modules.n; i++) {
		struct module *m = s->modules.v[i];

		if (m->lines && m->lines_idle++ >= IDLE_REFRESHES)
			module_close_lines(m);
	}
}

int symbols_refresh(struct symbols *s, const struct proc_maps *maps, bool closed)
{
	struct ranges next = {0};
	int rc;

	close_idle_lines(s);
	if (!closed && nothing_changed(s, maps))
		return 0;
	rc = read_ranges(s, maps, closed, &next);
	if (!rc)
		rc = retire(s, &next);
	if (rc) {
		free(next.v);
		return rc;
	}
	free(s->now.v);
	s->now = next;
	return 0;
}

static const struct range *range_at(const struct symbols *s, uint64_t addr)
{
	const struct range *r = ranges_find(&s->now, addr);

	for (size_t i = s->retired.n; !r && i-- > 0;)
		if (addr >= s->retired.v[i].start && addr < s->retired.v[i].end)
			r = &s->retired.v[i];
	return r;
}

/* Read the symbols of a module, once, and find its DWARF. */
static int module_read(struct symbols *s, struct module *m, int fd)
{
	struct stat st;
	int rc;

	if (fstat(fd, &st)) {
		close(fd);
		return 0;
	}
	m->file_bytes = st.st_size;
	m->changed = st.st_ctim;
	rc = elf_open(fd, &m->image);
	if (rc)
		return rc == -ENOMEM ? rc : 0;
	if (elf_build_id(m->image)[0]) {
		m->build_id = strset_add(&s->strings, elf_build_id(m->image));
		if (!m->build_id)
			return -ENOMEM;
	}
	rc = elf_cfi_open(m->image, &m->cfi);
	if (rc) {
		elf_close(m->image);
		m->image = NULL;
		return rc;
	}
	rc = elf_functions_add(&m->functions, m->image, ELF_SYMTAB);
	if (!rc || !elf_lines_present(m->image))
		elf_open_debug(m->image, s->own_root ? getpid() : s->id.pid, m->path, &m->debug);
	if (!rc) {
		rc = elf_functions_add(&m->functions, m->image, ELF_DYNSYM);
		if (rc >= 0 && m->debug)
			rc = elf_functions_add(&m->functions, m->debug, ELF_SYMTAB);
	}
	elf_functions_sort(&m->functions);
	if (m->debug && !elf_lines_present(m->debug)) { /* only its symbols were of use */
		elf_close(m->debug);
		m->debug = NULL;
	}
	return rc < 0 ? rc : 0;
}

static int module_open(struct symbols *s, const struct range *r)
{
	struct module *m = r->module;
	const struct mapping map = {.start = r->start,
				    .end = r->end,
				    .offset = r->offset,
				    .dev = m->dev,
				    .ino = m->ino,
				    .path = m->path};
	int fd;

	if (m->opened)
		return 0;
	m->opened = true;
	fd = open_mapping(s, &map);
	return fd < 0 ? 0 : module_read(s, m, fd);
}

static struct elf_lines *module_lines(struct symbols *s, struct module *m)
{
	const struct elf_image *e = elf_lines_present(m->image) ? m->image : m->debug;

	m->lines_idle = 0;
	if (m->lines || m->no_lines)
		return m->lines;
	m->no_lines = !e || elf_lines_open(e, s->own_root ? getpid() : s->id.pid, &m->lines);
	return m->lines;
}

/*
 * gcc for arm64 (12 at least) keeps the CFA relative to sp, so its rules tell where the frame record is and
 * not that x29 points there. Then the code must say so: before the call, `add x29, sp, #offset_bytes`,
 * which is `mov x29, sp` for 0 (Arm ARM C6.2, ADD immediate).
 */
static bool arm64_points_fp(const struct elf_image *e, const struct elf_function *fn, uint64_t call,
			    int64_t offset_bytes)
{
	uint32_t code[PROLOGUE_INSNS];
	uint64_t bytes;
	size_t n;

	if (!fn || offset_bytes < 0 || offset_bytes > 0xfff)
		return false;
	bytes = call - fn->start;
	n = elf_read(e, fn->start, code, bytes < sizeof(code) ? bytes : sizeof(code));
	for (size_t i = 0; i < n / sizeof(code[0]); i++)
		if (code[i] == (0x910003fd | (uint32_t)offset_bytes << 10))
			return true;
	return false;
}

/*
 * Is the caller's frame record {frame pointer, return address} where the frame pointer points, at this
 * call? The frame pointer saved at fp + 0, the return address at fp + 8: on both machines the same (x86-64
 * psABI 3.2.2, AAPCS64 6.4.6), the CFA being fp + 16 on the one and anything on the other.
 */
static enum link prove_link(const struct module *m, const struct elf_function *fn, uint64_t call)
{
	bool x86 = elf_machine(m->image) == EM_X86_64;
	struct elf_cfi cfi;

	if (elf_cfi_at(m->cfi, call, &cfi))
		return LINK_NO_TABLE;
	if (!cfi.fp_saved || cfi.ra_offset != cfi.fp_offset + 8)
		return LINK_NO_FP;
	if (cfi.cfa_reg == (x86 ? DWARF_RBP : DWARF_X29))
		return cfi.fp_offset == -cfi.cfa_offset ? LINK_PROVEN : LINK_NO_FP;
	if (!x86 && cfi.cfa_reg == DWARF_ARM64_SP &&
	    arm64_points_fp(m->image, fn, call, (int64_t)cfi.cfa_offset + cfi.fp_offset))
		return LINK_PROVEN;
	return LINK_NO_FP;
}

/* A frame's names, foreign, kept as ours. function: what the symbol table says, or NULL. */
static int add_frame(struct symbols *s, const struct module *m, uint64_t vaddr, const char *function,
		     const struct elf_line *line)
{
	char text[ELF_LINE_SCOPE_BYTES + SYMBOL_NAME_BYTES], name[SYMBOL_NAME_BYTES];
	struct frame *f = VEC_ADD(&s->frames);

	if (!f)
		return -ENOMEM;
	f->type = m->type;
	f->module = m->name;
	f->offset = vaddr;
	f->build_id = m->build_id;
	f->line = line->line;
	if (!function && line->function) {
		snprintf(text, sizeof(text), "%s%s", line->scope, line->function);
		function = text;
	}
	if (function && !(f->symbol = strset_add(&s->strings, demangle(name, sizeof(name), function))))
		return -ENOMEM;
	if (line->file && !(f->file = base_name(s, line->file)))
		return -ENOMEM;
	return 0;
}

static int symbolize(struct symbols *s, struct module *m, uint64_t vaddr, struct cached *out)
{
	const struct elf_function *fn = elf_functions_find(&m->functions, vaddr - 1);
	struct elf_lines *dwarf = m->image ? module_lines(s, m) : NULL;
	struct elf_line lines[MAX_FRAMES_OF_PC];
	size_t n = 0;

	out->module = m;
	out->vaddr = vaddr;
	out->first = s->frames.n;
	out->link = m->image ? prove_link(m, fn, vaddr - 1) : LINK_NO_FILE;
	if (dwarf)
		n = elf_lines_at(dwarf, vaddr - 1, lines, ARRAY_LEN(lines));
	if (!n)
		lines[n++] = (struct elf_line){0};
	for (size_t i = 0; i < n; i++) {
		/* the outermost is the function itself, whose name its file has in the symbol table */
		bool inlined = i + 1 < n;
		const char *name = fn && !inlined ? elf_function_name(&m->functions, fn) : NULL;
		int rc = add_frame(s, m, vaddr, name, &lines[i]);

		if (rc)
			return rc;
		s->frames.v[s->frames.n - 1].inlined = inlined;
	}
	out->n = s->frames.n - out->first;
	return 0;
}

static struct cached *cache_slot(struct cached *cache, size_t slots, const struct module *m, uint64_t vaddr)
{
	size_t at = mix64(vaddr ^ mix64((uintptr_t)m)) & (slots - 1);

	while (cache[at].module && (cache[at].module != m || cache[at].vaddr != vaddr))
		at = (at + 1) & (slots - 1);
	return &cache[at];
}

static int cache_grow(struct symbols *s)
{
	size_t slots = s->cache_slots ? 2 * s->cache_slots : FIRST_CACHE_SLOTS;
	struct cached *cache = calloc(slots, sizeof(*cache));

	if (!cache)
		return -ENOMEM;
	for (size_t i = 0; i < s->cache_slots; i++) {
		const struct cached *c = &s->cache[i];

		if (c->module)
			*cache_slot(cache, slots, c->module, c->vaddr) = *c;
	}
	free(s->cache);
	s->cache = cache;
	s->cache_slots = slots;
	return 0;
}

/* Where in its file; when the file cannot be read: as most libraries are linked, from 0. */
static uint64_t link_time(const struct range *r, uint64_t addr)
{
	uint64_t vaddr;

	/* the call is what lies in this mapping: a return address may be the first byte behind it */
	if (r->module->image &&
	    elf_offset_to_vaddr(r->module->image, addr - 1 - r->start + r->offset, &vaddr))
		return vaddr + 1;
	return addr - r->base;
}

/* The symbolized pc, from the cache or made; NULL in *out: pc is in no file. */
static int lookup(struct symbols *s, uint64_t pc, const struct cached **out)
{
	const struct range *r = range_at(s, pc - 1);
	struct cached *slot, fresh = {0};
	uint64_t vaddr;
	int rc;

	*out = NULL;
	if (!r)
		return 0;
	rc = module_open(s, r);
	if (!rc && 2 * s->nr_cached >= s->cache_slots)
		rc = cache_grow(s);
	if (rc)
		return rc;
	vaddr = link_time(r, pc);
	slot = cache_slot(s->cache, s->cache_slots, r->module, vaddr);
	if (!slot->module) {
		rc = symbolize(s, r->module, vaddr, &fresh);
		if (rc)
			return rc;
		*slot = fresh;
		s->nr_cached++;
	}
	*out = slot;
	return 0;
}

static int append(struct symbols *s, const struct cached *c, uint64_t pc, struct frames *out)
{
	const struct frame nowhere = {.type = FRAME_NATIVE, .offset = pc};

	for (size_t i = 0; i < (c ? c->n : 1); i++) {
		struct frame *f = VEC_ADD(out);

		if (!f)
			return -ENOMEM;
		*f = c ? s->frames.v[c->first + i] : nowhere;
	}
	return 0;
}

/* Why the stack ends at c, whose caller cannot be found through the frame pointer. */
static const char *link_reason(struct symbols *s, const struct cached *c)
{
	char reason[REASON_BYTES];

	if (!c)
		return "return address in no known file";
	snprintf(reason, sizeof(reason), "%s %s", link_reasons[c->link], c->module->name);
	return strset_add(&s->strings, reason);
}

/* Native frames are missing here. */
static int append_gap(struct symbols *s, enum stack_end lacks, const char *why, struct frames *out)
{
	char text[REASON_BYTES];
	struct frame *f = VEC_ADD(out);

	if (!f)
		return -ENOMEM;
	snprintf(text, sizeof(text), "[native frames missing: %s]", why);
	f->symbol = strset_add(&s->strings, text);
	f->lacks = lacks;
	return f->symbol ? 0 : -ENOMEM;
}

static int append_java(struct symbols *s, const struct raw_frame *raw, struct frames *out)
{
	const struct frame unknown = {.type = FRAME_JAVA, .symbol = "[Java frame]", .lacks = END_UNNAMED};
	size_t n = out->n, kept;
	struct frame *f;

	if (!s->java) {
		f = VEC_ADD(out);
		if (f)
			*f = unknown;
		return f ? 0 : -ENOMEM;
	}
	if (java_symbols_add(s->java, raw, out))
		return -ENOMEM;
	for (kept = n; n < out->n; n++)
		if (s->hidden || !out->v[n].hidden)
			out->v[kept++] = out->v[n];
	out->n = kept;
	return 0;
}

/* Are these frames, innermost first, the VM's own, and none is missing? */
static bool all_vm(const struct frames *frames)
{
	for (size_t i = 0; i < frames->n; i++)
		if (frames->v[i].type != FRAME_VM)
			return false;
	return true;
}

/*
 * A native method whose last act is a call leaves no frame: what it called returns to Java. The VM knows what
 * function it is, and that is believed if a function of a library's begins just there.
 */
static int append_tail_call(struct symbols *s, const struct raw_frame *raw, struct frames *out)
{
	char name[SYMBOL_NAME_BYTES];
	const struct elf_function *fn;
	const struct range *r;
	struct frame *f;
	uint64_t addr, vaddr;
	int rc = java_symbols_native(s->java, raw, &addr);

	r = rc ? NULL : ranges_find(&s->now, addr);
	if (!r || r->module->type == FRAME_VM)
		return rc;
	rc = module_open(s, r);
	if (rc || !r->module->image)
		return rc;
	vaddr = link_time(r, addr + 1) - 1;
	fn = elf_functions_find(&r->module->functions, vaddr);
	if (fn ? fn->start != vaddr : !elf_cfi_begins(r->module->cfi, vaddr))
		return 0;
	f = VEC_ADD(out);
	if (!f)
		return -ENOMEM;
	*f = (struct frame){.type = FRAME_NATIVE,
			    .module = r->module->name,
			    .build_id = r->module->build_id,
			    .offset = vaddr,
			    .tail_call = true};
	if (fn)
		f->symbol = strset_add(
		    &s->strings, demangle(name, sizeof(name), elf_function_name(&r->module->functions, fn)));
	return fn && !f->symbol ? -ENOMEM : 0;
}

static uint32_t nr_frames(const struct stack *st)
{
	return st->n < JT_MAX_FRAMES ? st->n : JT_MAX_FRAMES;
}

static enum frame_kind kind_of(const struct raw_frame *raw)
{
	return raw->a >> RAW_KIND_SHIFT;
}

static bool is_java(const struct raw_frame *raw)
{
	return kind_of(raw) == RAW_INTERPRETED || kind_of(raw) == RAW_COMPILED ||
	       kind_of(raw) == RAW_DEOPTIMIZED;
}

/* Ends that say something of the last frame's frame pointer, if it has one. */
static bool is_end_of_chain(u32 end)
{
	return end == END_NO_FP || end == END_UNREAD || end == END_NOT_CODE || end == END_NO_TABLE;
}

/*
 * A native frame. *next: the frame to go on with, which is not the next one when that was found by a frame
 * pointer which c does not keep: then all of that chain is cut. *cut: why, or NULL.
 */
static int append_native(struct symbols *s, const struct stack *st, uint32_t i, struct frames *out,
			 uint32_t *next, const char **cut)
{
	uint64_t pc = st->frame[i].a & RAW_ADDR_MASK;
	uint64_t exact = st->frame[i].b != 0; /* an interrupted instruction, not one before the return */
	size_t n = out->n;
	const struct cached *c;
	bool by_fp; /* what follows was found, or not found, by the frame pointer */
	int rc = lookup(s, pc + exact, &c);

	*next = i + 1;
	*cut = NULL;
	if (!rc)
		rc = append(s, c, pc + exact, out);
	for (; exact && n < out->n; n++)
		out->v[n].offset--;
	by_fp = *next < nr_frames(st) ? kind_of(&st->frame[*next]) == RAW_NATIVE_FP
				      : kind_of(&st->frame[i]) == RAW_NATIVE_FP && is_end_of_chain(st->end);
	if (rc || !by_fp || (c && c->link == LINK_PROVEN))
		return rc;
	*cut = link_reason(s, c);
	while (*next < nr_frames(st) && !is_java(&st->frame[*next]))
		++*next;
	return *cut ? 0 : -ENOMEM;
}

/* Why the walk ended, as the kernel side says. */
static enum stack_end end_of(uint64_t end)
{
	return end < NR_ENDS ? (enum stack_end)end : END_NONE;
}

static int append_stack(struct symbols *s, const struct stack *st, struct frames *out, enum stack_end *end,
			const char **truncated)
{
	uint32_t n = nr_frames(st), next;
	bool innermost = true; /* no Java frame yet */
	const char *cut;
	int rc = 0;

	*end = end_of(st->end);
	*truncated = stack_end_rows[*end].meaning;
	for (uint32_t i = 0; !rc && i < n; i = next) {
		const struct raw_frame *raw = &st->frame[i];
		enum stack_end gap = end_of(raw->a & RAW_ADDR_MASK);

		next = i + 1;
		cut = NULL;
		if (is_java(raw)) {
			if (innermost && s->java && all_vm(out))
				rc = append_tail_call(s, raw, out);
			rc = rc ?: append_java(s, raw, out);
			innermost = false;
		} else if (kind_of(raw) == RAW_GAP)
			rc = append_gap(s, gap, stack_end_rows[gap].meaning ?: "?", out);
		else
			rc = append_native(s, st, i, out, &next, &cut);
		if (!rc && cut && next < n) {
			rc = append_gap(s, END_UNPROVEN, cut, out);
		} else if (cut) {
			*end = END_UNPROVEN;
			*truncated = cut;
		}
	}
	return rc;
}

int symbols_stack(struct symbols *s, const struct stack *st, struct frames *out, const char **truncated,
		  uint32_t *lacks)
{
	enum stack_end end;
	int rc;

	out->n = 0;
	rc = append_stack(s, st, out, &end, truncated);
	*lacks = stack_end_rows[end].name ? 1U << end : 0;
	for (size_t i = 0; i < out->n; i++)
		if (out->v[i].lacks)
			*lacks |= 1U << out->v[i].lacks;
	return rc;
}
