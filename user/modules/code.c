/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "modules/code.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/strset.h"
#include "base/util.h"
#include "bpf/border/unwind.h"
#include "proc/foreign.h"

#define MAX_PLACEMENTS (2 * CODE_MAX_MODULES) /* of one process, whose maps may have any number */
#define MAX_HISTORY    4096                   /* mappings that are gone and still known, */
#define MAX_SAME       512                    /* each of them once when it comes and goes with fewer others */
#define MAX_VDSO_BYTES (1 << 20)              /* it has 8 KiB */
#define MAX_BUILD_IDS  65536 /* different build-ids of opened libraries that are kept; others have none */
#define USER_END       (1ULL << 47) /* above lies what the kernel shows of itself */
#define MAX_OPENED     1024         /* libraries told by the dynamic linker, the last of them */

struct code {
	struct modules *book;
	struct share *payer; /* not owned */
	struct proc_id id;
	int root_fd;    /* its root directory; -1: it is ours, or could not be opened */
	bool own_root;  /* what is at a path for us is that for it, too */
	dev_t root_dev; /* for modules_find() */
	ino_t root_ino;
	struct layout *now;
	struct {
		struct placement *v; /* mappings that are gone, oldest first; each once */
		size_t n, cap;
	} history;
	struct {
		struct opened *v; /* oldest first */
		size_t n, cap;
	} opened;
	uint32_t opened_last;
	uint64_t keeps_fp_start, keeps_fp_end; /* of code_set_runtime() */
	struct module *generated;              /* NULL: code is not generated, or none was found yet */
	bool generates;
	struct strset build_ids; /* of those: copies of a placement may outlive it */
};

/* A library told by the dynamic linker. */
struct opened {
	uint32_t number;
	struct placement at;
};

/* --- layouts -------------------------------------------------------------------------------------- */

void layout_get(struct layout *l)
{
	l->references++;
}

void layout_put(struct layout *l)
{
	if (!l || --l->references)
		return;
	for (size_t i = 0; i < l->n; i++)
		module_put(l->v[i].module);
	free(l->v);
	free(l);
}

static const struct placement *layout_find(const struct layout *l, uint64_t addr)
{
	size_t lo = 0, hi = l->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (addr >= l->v[mid].end)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < l->n && addr >= l->v[lo].start ? &l->v[lo] : NULL;
}

uint32_t placement_code(const struct placement *p)
{
	uint32_t code = (uint32_t)mix64(placement_origin(p) ^ (uint64_t)p->module->what << 32);

	return code ?: 1;
}

bool layout_has(const struct layout *l, const struct placement *p)
{
	const struct placement *same = layout_find(l, p->start);

	return same && same->start == p->start && same->offset == p->offset && same->module == p->module;
}

/* --- the code of a process ------------------------------------------------------------------------ */

/* Do both processes see the same file systems? */
static bool same_mounts(pid_t pid)
{
	struct stat theirs, ours;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", pid);
	return !stat(path, &theirs) && !stat("/proc/self/ns/mnt", &ours) && theirs.st_ino == ours.st_ino;
}

static void read_root(struct code *c)
{
	struct stat theirs, ours;

	c->root_fd = proc_root_open(c->id.pid);
	if (c->root_fd < 0 || foreign_stat(c->root_fd, &theirs) || stat("/", &ours))
		return;
	c->own_root = theirs.st_dev == ours.st_dev && theirs.st_ino == ours.st_ino;
	if (!c->own_root) {
		c->root_dev = theirs.st_dev;
		c->root_ino = theirs.st_ino;
	} else if (same_mounts(c->id.pid)) {
		close(c->root_fd);
		c->root_fd = -1;
	}
}

int code_new(struct modules *book, const struct proc_id *id, struct share *payer, struct code **out)
{
	struct code *c = calloc(1, sizeof(*c));

	*out = c;
	if (!c)
		return -ENOMEM;
	c->book = book;
	c->payer = payer;
	c->id = *id;
	c->now = calloc(1, sizeof(*c->now));
	if (!c->now) {
		free(c);
		*out = NULL;
		return -ENOMEM;
	}
	layout_get(c->now);
	read_root(c);
	return 0;
}

static void opened_free(struct opened *o)
{
	if (o->at.module)
		module_put(o->at.module);
}

void code_free(struct code *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->opened.n; i++)
		opened_free(&c->opened.v[i]);
	free(c->opened.v);
	strset_free(&c->build_ids);
	if (c->generated)
		module_put(c->generated);
	layout_put(c->now);
	for (size_t i = 0; i < c->history.n; i++)
		module_put(c->history.v[i].module);
	free(c->history.v);
	if (c->root_fd >= 0)
		close(c->root_fd);
	free(c);
}

/* --- files ---------------------------------------------------------------------------------------- */

/* A copy of the vdso in a file of our own. An fd, or -errno. */
static int copy_vdso(pid_t pid, const struct placement *p)
{
	uint64_t n = p->end - p->start;
	void *copy;
	int fd, rc;

	if (n > MAX_VDSO_BYTES)
		return -E2BIG;
	copy = malloc(n);
	if (!copy)
		return -ENOMEM;
	rc = proc_read(pid, p->start, copy, n);
	fd = rc ? rc : memfd_create("vdso", MFD_CLOEXEC);
	if (!rc && fd < 0)
		fd = -errno;
	if (fd >= 0 && write(fd, copy, n) != (ssize_t)n) {
		close(fd);
		fd = -EIO;
	}
	free(copy);
	return fd;
}

/* The open file of a mapping. When the process is gone its paths are still good under the root it had. */
static int open_mapping(const struct code *c, const struct mapping *map)
{
	int fd = -ESRCH, root_fd;

	if (proc_id_alive(&c->id))
		fd = proc_open_mapping(c->id.pid, map);
	if (fd >= 0)
		return fd;
	root_fd = c->root_fd >= 0 ? c->root_fd : c->own_root ? proc_root_open(getpid()) : -1;
	if (root_fd >= 0)
		fd = proc_open_mapped_file(root_fd, map);
	if (root_fd >= 0 && root_fd != c->root_fd)
		close(root_fd);
	return fd;
}

struct place_of {
	const struct code *code;
	const struct placement *placement;
};

/* A path under the root that the process has, or had. */
static int open_in_root(const struct code *c, const char *path)
{
	int root_fd = c->root_fd >= 0 ? c->root_fd : c->own_root ? proc_root_open(getpid()) : -ESRCH;
	int fd = root_fd < 0 ? root_fd : proc_open_under(root_fd, path);

	if (root_fd >= 0 && root_fd != c->root_fd)
		close(root_fd);
	return fd;
}

/* What is at a path now: it may be another file than was mapped, which its build-id tells. */
static int open_by_path(const struct code *c, const char *path, const char *build_id)
{
	if (path[0] != '/' || (!build_id[0] && !proc_id_alive(&c->id)))
		return -ENOENT;
	return proc_id_alive(&c->id) ? proc_open_in_root(c->id.pid, path) : open_in_root(c, path);
}

static int open_placement(const void *arg)
{
	const struct place_of *of = arg;
	const struct placement *p = of->placement;
	const struct mapping map = {.start = p->start,
				    .end = p->end,
				    .offset = p->offset,
				    .dev = p->dev,
				    .ino = p->ino,
				    .path = p->module->path};

	if (p->module->generated)
		return -ENOENT;
	if (p->build_id)
		return open_by_path(of->code, p->module->path, p->build_id);
	return map.path ? open_mapping(of->code, &map) : copy_vdso(of->code->id.pid, p);
}

int code_use(const struct code *c, const struct placement *p)
{
	const struct place_of of = {c, p};
	int rc;

	code_pay(c);
	rc = module_use(p->module, open_placement, &of);
	if (rc || !p->build_id || (p->build_id[0] && !strcmp(p->build_id, elf_build_id(p->module->image))))
		return rc;
	module_rest(p->module);
	return -ESTALE;
}

void code_pay(const struct code *c)
{
	budget_pay(modules_budget(c->book), c->payer);
}

struct budget *code_budget(const struct code *c)
{
	return modules_budget(c->book);
}

pid_t code_root_pid(const struct code *c)
{
	return c->own_root ? getpid() : c->id.pid;
}

/* --- reading a layout ----------------------------------------------------------------------------- */

static bool has_code(const struct mapping *map)
{
	return map->executable && map->ino && map->path;
}

static bool placement_is(const struct placement *p, const struct mapping *map)
{
	return p->start == map->start && p->end == map->end && p->offset == map->offset &&
	       p->dev == map->dev && p->ino == map->ino && p->module->path &&
	       !strcmp(p->module->path, map->path);
}

/*
 * Memory without a file that a runtime generates code in: the mappings from the i-th on that are executable,
 * or reserved for more of it. *out: all of them as one. Returns how many, 0: it is no such.
 */
static size_t generated_at(const struct code *c, const struct proc_maps *maps, size_t i, uint64_t vdso,
			   struct mapping *out)
{
	bool executable = false;
	size_t n = 0;

	for (; c->generates && i + n < maps->n; n++) {
		const struct mapping *m = &maps->v[i + n];

		if (m->ino || m->path || (vdso && m->start == vdso) || m->end > USER_END ||
		    (m->readable && !m->executable) || (n && m->start != m[-1].end))
			break;
		executable |= m->executable;
	}
	if (!executable)
		return 0;
	*out = (struct mapping){.start = maps->v[i].start, .end = maps->v[i + n - 1].end};
	return n;
}

/* Not looked at is the vdso, which does not move. */
static bool nothing_changed(const struct code *c, const struct proc_maps *maps, uint64_t vdso)
{
	const struct layout *l = c->now;
	struct mapping run;
	size_t n = 0, more;

	for (size_t i = 0; i < maps->n; i++) {
		more = generated_at(c, maps, i, vdso, &run);
		if (!more && !has_code(&maps->v[i]))
			continue;
		n += n < l->n && !l->v[n].module->path;
		if (n == l->n)
			return false;
		if (more ? !l->v[n].module->generated || l->v[n].start != run.start || l->v[n].end != run.end
			 : !placement_is(&l->v[n], &maps->v[i]))
			return false;
		n++;
		i += more ? more - 1 : 0;
	}
	n += n < l->n && !l->v[n].module->path;
	return n == l->n;
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

/* The module of p, if that is of the file that map shows. */
static struct module *same_module(const struct placement *p, const struct mapping *map)
{
	if (!p || p->dev != map->dev || p->ino != map->ino || !p->module->path ||
	    strcmp(p->module->path, map->path) != 0)
		return NULL;
	module_get(p->module);
	return p->module;
}

/*
 * The module of a mapping, the next one of l. A file that was mapped here already is the same one, unless it
 * was closed meanwhile; of two mappings side by side that always holds.
 */
static struct module *module_of(const struct code *c, const struct layout *l, const struct mapping *map,
				bool closed)
{
	struct module *m = l->n ? same_module(&l->v[l->n - 1], map) : NULL;
	int fd;

	if (!m && !closed)
		m = same_module(layout_find(c->now, map->start), map);
	if (m)
		return m;
	fd = open_mapping(c, map);
	m = modules_find(c->book, fd, map->path, c->root_dev, c->root_ino);
	if (fd >= 0)
		close(fd);
	return m;
}

/* The vdso stays the same as long as the process runs the same program. */
static struct module *vdso_of(const struct code *c, const struct mapping *map)
{
	const struct placement *p = layout_find(c->now, map->start);

	if (!p || p->module->path)
		return modules_add_vdso(c->book);
	module_get(p->module);
	return p->module;
}

static int add_placement(struct layout *l, const struct mapping *map, uint64_t base, struct module *m)
{
	struct placement *p = m ? VEC_ADD(l) : NULL;

	if (!p) {
		if (m)
			module_put(m);
		return -ENOMEM;
	}
	*p = (struct placement){
	    .start = map->start,
	    .end = map->end,
	    .offset = map->offset,
	    .base = base,
	    .dev = map->dev,
	    .ino = map->ino,
	    .module = m,
	};
	return 0;
}

void code_set_runtime(struct code *c, uint64_t start, uint64_t end, bool generates)
{
	c->keeps_fp_start = start;
	c->keeps_fp_end = end;
	c->generates = generates;
}

/* Another reference to the module of all generated code; NULL: no memory. */
static struct module *generated_of(struct code *c)
{
	if (!c->generated)
		c->generated = modules_add_generated(c->book);
	if (c->generated)
		module_get(c->generated);
	return c->generated;
}

/* Tell the module of a placement what is known of its code. */
static void tell_module(const struct code *c, const struct placement *p)
{
	uint64_t before = p->offset - p->start;

	if (c->keeps_fp_end <= c->keeps_fp_start || c->keeps_fp_start < p->start || c->keeps_fp_end > p->end)
		return;
	p->module->keeps_fp.start = c->keeps_fp_start + before;
	p->module->keeps_fp.end = c->keeps_fp_end + before;
}

int code_read(struct code *c, const struct proc_maps *maps, bool closed, struct layout **out)
{
	size_t nr_modules = 0;
	uint64_t vdso = maps->n ? proc_auxv(c->id.pid, AT_SYSINFO_EHDR) : 0;
	struct mapping run;
	struct layout *l;
	int rc = 0;

	if (!closed && c->now->n && nothing_changed(c, maps, vdso)) {
		layout_get(c->now);
		*out = c->now;
		return 0;
	}
	*out = l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	layout_get(l);
	for (size_t i = 0; !rc && i < maps->n && !l->full; i++) {
		const struct mapping *map = &maps->v[i];
		size_t generated = generated_at(c, maps, i, vdso, &run);

		l->full = l->n == MAX_PLACEMENTS || nr_modules == CODE_MAX_MODULES;
		if (l->full)
			continue;
		if (generated) {
			rc = add_placement(l, &run, run.start, generated_of(c));
			i += generated - 1;
		} else if (has_code(map))
			rc = add_placement(l, map, base_of(maps, i), module_of(c, l, map, closed));
		else if (vdso && map->start == vdso && !map->ino)
			rc = add_placement(l, map, map->start, vdso_of(c, map));
		else
			continue;
		if (!rc)
			tell_module(c, &l->v[l->n - 1]);
		nr_modules += l->n < 2 || l->v[l->n - 1].module != l->v[l->n - 2].module;
	}
	if (rc) {
		layout_put(l);
		*out = NULL;
	}
	return rc;
}

bool code_full(const struct code *c)
{
	return c->now->full;
}

/* --- history -------------------------------------------------------------------------------------- */

static void forget_half(struct code *c)
{
	size_t gone = c->history.n / 2;

	for (size_t i = 0; i < gone; i++)
		module_put(c->history.v[i].module);
	c->history.n -= gone;
	memmove(c->history.v, c->history.v + gone, c->history.n * sizeof(*c->history.v));
}

/* The same mapping, if it went before, is no longer kept as of then: it is there as of now. */
static void forget_same(struct code *c, const struct placement *p)
{
	size_t i = c->history.n, end = i > MAX_SAME ? i - MAX_SAME : 0;

	while (i-- > end) {
		const struct placement *old = &c->history.v[i];

		if (old->start != p->start || old->end != p->end || old->offset != p->offset ||
		    old->module != p->module)
			continue;
		module_put(old->module);
		c->history.n--;
		memmove(c->history.v + i, c->history.v + i + 1, (c->history.n - i) * sizeof(*c->history.v));
		return;
	}
}

/* 0 or -ENOMEM. */
static int remember(struct code *c, const struct placement *p)
{
	struct placement *old;

	module_get(p->module);
	forget_same(c, p);
	if (c->history.n == MAX_HISTORY)
		forget_half(c);
	old = VEC_ADD(&c->history);
	if (!old) {
		module_put(p->module);
		return -ENOMEM;
	}
	*old = *p;
	return 0;
}

int code_take(struct code *c, struct layout *next)
{
	for (size_t i = 0; next != c->now && i < c->now->n; i++)
		if (!layout_has(next, &c->now->v[i]) && remember(c, &c->now->v[i])) {
			layout_put(next);
			return -ENOMEM;
		}
	layout_put(c->now);
	c->now = next;
	return 0;
}

const struct placement *code_at(const struct code *c, uint64_t addr)
{
	const struct placement *p = layout_find(c->now, addr);

	return p && p->module->path ? p : NULL;
}

const struct placement *code_once_at(const struct code *c, uint64_t addr)
{
	const struct placement *p = code_at(c, addr);

	for (size_t i = c->history.n; !p && i-- > 0;) {
		const struct placement *old = &c->history.v[i];

		if (addr >= old->start && addr < old->end && old->module->path)
			p = old;
	}
	return p;
}

/* --- libraries that were opened ------------------------------------------------------------------- */

/* The build-id among the notes in the first bytes of a library, as it lies in memory; "": there is none. */
static void head_build_id(const struct code_opened *o, char out[2 * BUILD_ID_MAX + 1])
{
	uint8_t id[BUILD_ID_MAX];
	size_t n = 0, nr_phdrs;
	Elf64_Ehdr e;

	memcpy(&e, o->head, sizeof(e));
	nr_phdrs = (sizeof(o->head) - sizeof(e)) / sizeof(Elf64_Phdr);
	nr_phdrs = e.e_phnum < nr_phdrs ? e.e_phnum : nr_phdrs;
	for (size_t i = 0; i < nr_phdrs && !n; i++) {
		Elf64_Phdr ph; /* opened_range() has seen that they are there */

		memcpy(&ph, o->head + sizeof(e) + i * sizeof(ph), sizeof(ph));
		if (ph.p_type != PT_NOTE || ph.p_vaddr >= sizeof(o->head))
			continue;
		if (ph.p_filesz > sizeof(o->head) - ph.p_vaddr)
			ph.p_filesz = sizeof(o->head) - ph.p_vaddr;
		n = elf_note_build_id(o->head + ph.p_vaddr, ph.p_filesz, id);
	}
	hex_encode(out, id, n);
}

/* Its module: by the file at its path, if that is it, else one that has no file. */
static int find_opened_module(struct code *c, struct opened *o, const char *path)
{
	int fd = open_by_path(c, path, o->at.build_id);

	o->at.module = modules_find(c->book, fd, path, c->root_dev, c->root_ino);
	if (fd < 0)
		return o->at.module ? 0 : -ENOMEM;
	close(fd);
	if (!o->at.module)
		return -ENOMEM;
	if (!code_use(c, &o->at)) {
		module_rest(o->at.module);
		return 0;
	}
	module_put(o->at.module);
	o->at.module = modules_find(c->book, -1, path, c->root_dev, c->root_ino);
	return o->at.module ? 0 : -ENOMEM;
}

static void forget_half_opened(struct code *c)
{
	size_t gone = c->opened.n / 2;

	for (size_t i = 0; i < gone; i++)
		opened_free(&c->opened.v[i]);
	c->opened.n -= gone;
	memmove(c->opened.v, c->opened.v + gone, c->opened.n * sizeof(*c->opened.v));
}

int code_opened(struct code *c, const struct code_opened *told)
{
	const struct opened_code *code = &told->code;
	char id[2 * BUILD_ID_MAX + 1];
	struct opened *o;

	c->opened_last = code->id;
	if (code->start >= code->end || strnlen(told->path, sizeof(told->path)) == sizeof(told->path))
		return 0;
	if (c->opened.n == MAX_OPENED)
		forget_half_opened(c);
	head_build_id(told, id);
	o = VEC_ADD(&c->opened);
	if (!o)
		return -ENOMEM;
	o->number = code->id;
	o->at = (struct placement){
	    .start = code->start,
	    .end = code->end,
	    .offset = code->start - code->bias,
	    .base = code->bias,
	    .build_id = c->build_ids.n < MAX_BUILD_IDS ? strset_add(&c->build_ids, id) : "",
	};
	if (o->at.build_id && !find_opened_module(c, o, told->path))
		return 0;
	opened_free(o);
	c->opened.n--;
	return -ENOMEM;
}

static const struct placement *code_opened_of(const struct code *c, uint32_t number)
{
	for (size_t i = c->opened.n; i-- > 0;)
		if (c->opened.v[i].number == number)
			return &c->opened.v[i].at;
	return NULL;
}

static bool same_name(const char *a, const char *b)
{
	const char *x = a ? strrchr(a, '/') : NULL, *y = b ? strrchr(b, '/') : NULL;

	a = x ? x + 1 : a;
	b = y ? y + 1 : b;
	return a && b && !strcmp(a, b);
}

/* Is this mapping of that library? A build-id tells, if it has one; else its name and place must do. */
static bool maps_it_yet(const struct code *c, const struct placement *now, const struct placement *opened)
{
	bool same;

	if (!now->ino || now->base != opened->base || now->start > opened->start || now->end < opened->end ||
	    !same_name(now->module->path, opened->module->path))
		return false;
	if (!opened->build_id[0])
		return true;
	if (code_use(c, now))
		return false;
	same = !strcmp(opened->build_id, elf_build_id(now->module->image));
	module_rest(now->module);
	return same;
}

const struct placement *code_opened_at(const struct code *c, uint32_t number, uint64_t addr)
{
	const struct placement *opened = code_opened_of(c, number), *now = code_at(c, addr);

	return opened && now && maps_it_yet(c, now, opened) ? now : opened;
}

uint32_t code_opened_last(const struct code *c)
{
	return c->opened_last;
}
