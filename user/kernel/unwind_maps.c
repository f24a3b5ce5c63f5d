/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Modules whose tables are equal, word by word, share one; a module has its table as long as some target has
 * it mapped.
 *
 * BPF walks while we write: a target's ranges are replaced as a whole, by one store, and the place of the
 * old ones is not used again for a while; a table appears in a range by one store.
 */
#include "kernel/unwind_maps.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/util.h"
#include "proc/foreign.h"
#include "unwind/unwind_table.h"

#define MAX_REGIONS     (4 * JT_MAX_TARGETS)
#define RANK_REST       INT_MAX       /* of a file that is at the bottom of few stacks */
#define REGION_REST_NS  1000000000ULL /* a walk that began in a region has ended, even if it was preempted */
#define TICK_BUDGET_NS  20000000ULL   /* CPU time for what a target lacks, between two readings */
#define MAX_TOTAL_WORDS (1U << 24)    /* 128 MiB of kernel memory; a JVM's libraries take 2 to 3 MiB */

struct table {
	bool used;
	bool dirty;    /* BPF does not see it yet, or still sees what was here */
	int fd;        /* of its map, while dirty; then the map of tables holds it */
	uint32_t id;   /* of its map */
	uint32_t refs; /* modules */
	size_t nr_words, nr_rows;
	uint64_t hash;
};

/* What is known of a module that is mapped: its part MODULE_UNWIND. */
struct compiled {
	struct module *module; /* a reference */
	uint32_t refs;         /* placements */
	uint32_t table;        /* UNWIND_TABLE_NONE: not compiled yet */
	uint64_t base;         /* of the table, link-time */
	bool fresh;            /* not shown in the ranges yet */
	bool refused;          /* there was no room for its table */
	bool failed;           /* to be compiled: tried again when a frame lies in it */
	int rank;              /* tables are compiled in this order, then by size */
};

struct region {
	uint32_t first, n;
	uint64_t retired_ns; /* 0: in use */
};

struct unwinder {
	int tables_fd;
	uint32_t nr_spaces, nr_ranges;
	const char *const *bottom;   /* not owned */
	int empty_fd;                /* stands where a table was */
	struct unwind_space *spaces; /* mapped, nr_spaces */
	struct unwind_range *ranges; /* mapped, nr_ranges */
	uint32_t generation;
	struct table tables[JT_UNWIND_TABLES]; /* 0 is not used */
	struct {
		struct compiled **v;
		size_t n, cap;
	} modules;
	struct {
		struct region *v;
		size_t n, cap;
	} regions;
	struct target_code {
		const struct code *code; /* borrowed */
		struct layout *layout;   /* NULL: none yet; the first n of it are in the ranges */
		uint32_t first, n;       /* in ranges */
		uint64_t shown;          /* what BPF sees of it: UNWIND_LAYOUT() */
		bool lacks;              /* some of its modules were not compiled for want of time */
	} traced[JT_MAX_TARGETS];
	size_t nr_words; /* of all tables */
	bool made_room;  /* since no table was refused */
	uint64_t build_ns;
};

static void *map_array(int fd, size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* A BPF map with these words in it. Its fd, or -errno. */
static int table_create(const uint64_t *words, size_t n)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE | BPF_F_INNER_MAP);
	int fd =
	    bpf_map_create(BPF_MAP_TYPE_ARRAY, "unwind_words", sizeof(u32), sizeof(u64), (uint32_t)n, &opts);
	uint64_t *dst;

	if (fd < 0)
		return fd;
	dst = map_array(fd, n * sizeof(*words));
	if (!dst) {
		int rc = -errno;

		close(fd);
		return rc;
	}
	memcpy(dst, words, n * sizeof(*words));
	munmap(dst, n * sizeof(*words));
	return fd;
}

int unwinder_new(const struct unwind_fds *fds, const char *const *bottom, struct unwinder **out)
{
	struct unwinder *u = calloc(1, sizeof(*u));
	int rc = 0;

	*out = NULL;
	if (!u)
		return -ENOMEM;
	for (size_t i = 0; i < JT_UNWIND_TABLES; i++)
		u->tables[i].fd = -1;
	u->tables_fd = fds->tables;
	u->nr_spaces = fds->nr_spaces;
	u->nr_ranges = fds->nr_ranges;
	u->bottom = bottom;
	u->empty_fd = table_create((const uint64_t[]){0}, 1);
	if (u->empty_fd < 0) {
		rc = u->empty_fd;
		free(u);
		return rc;
	}
	u->spaces = map_array(fds->spaces, u->nr_spaces * sizeof(*u->spaces));
	u->ranges = u->spaces ? map_array(fds->ranges, u->nr_ranges * sizeof(*u->ranges)) : NULL;
	if (!u->ranges) {
		rc = -errno;
		unwinder_free(u);
		return rc;
	}
	*out = u;
	return 0;
}

/* --- tables --------------------------------------------------------------------------------------- */

/* Is the table that BPF has the same as t? */
static bool table_is(const struct table *have, const uint64_t *words, size_t n)
{
	int fd = have->fd >= 0 ? have->fd : bpf_map_get_fd_by_id(have->id);
	uint64_t *theirs = fd < 0 ? NULL : map_array(fd, n * sizeof(*words));
	bool same = theirs && !memcmp(theirs, words, n * sizeof(*words));

	if (theirs)
		munmap(theirs, n * sizeof(*words));
	if (fd >= 0 && fd != have->fd)
		close(fd);
	return same;
}

static uint32_t table_find(const struct unwinder *u, const uint64_t *words, size_t n, uint64_t hash)
{
	for (uint32_t i = 1; i < JT_UNWIND_TABLES; i++) {
		const struct table *have = &u->tables[i];

		if (have->used && have->nr_words == n && have->hash == hash && table_is(have, words, n))
			return i;
	}
	return 0;
}

/* A new table with these words in it, which tables_commit() shows to BPF. Its index, or -errno. */
static int table_add(struct unwinder *u, const uint64_t *words, size_t n, size_t nr_rows, uint64_t hash)
{
	struct bpf_map_info info = {0};
	uint32_t i = 1, info_bytes = sizeof(info);
	int fd;

	while (i < JT_UNWIND_TABLES && (u->tables[i].used || u->tables[i].dirty))
		i++;
	if (i == JT_UNWIND_TABLES || n > MAX_TOTAL_WORDS - u->nr_words)
		return -ENOSPC;
	fd = table_create(words, n);
	if (fd < 0)
		return fd;
	if (bpf_obj_get_info_by_fd(fd, &info, &info_bytes)) {
		int rc = -errno;

		close(fd);
		return rc;
	}
	u->nr_words += n;
	u->tables[i] = (struct table){.used = true,
				      .dirty = true,
				      .fd = fd,
				      .id = info.id,
				      .nr_words = n,
				      .nr_rows = nr_rows,
				      .hash = hash};
	return (int)i;
}

static int tables_update(struct unwinder *u, const uint32_t *keys, const int *fds, uint32_t n)
{
	LIBBPF_OPTS(bpf_map_batch_opts, opts);
	uint32_t done = n;
	int rc = bpf_map_update_batch(u->tables_fd, keys, fds, &done, &opts);

	/* for arrays of maps since Linux 5.14 (9263dddc7b6f) */
	if (rc == -EINVAL || rc == -ENOTSUP || rc == -524 /* the kernel's ENOTSUPP */) {
		rc = 0;
		for (uint32_t i = 0; !rc && i < n; i++)
			rc = bpf_map_update_elem(u->tables_fd, &keys[i], &fds[i], BPF_ANY);
	}
	for (uint32_t i = 0; !rc && i < n; i++) {
		struct table *t = &u->tables[keys[i]];

		if (t->fd >= 0)
			close(t->fd);
		t->fd = -1;
		t->dirty = false;
	}
	return rc;
}

/*
 * Show BPF all tables as they are now, in one call: each waits for an RCU grace period (13 ms here;
 * maybe_wait_bpf_programs() in kernel/bpf/syscall.c), even when only one changes.
 */
static int tables_commit(struct unwinder *u)
{
	uint32_t keys[128], n = 0;
	int fds[128], rc = 0;

	for (uint32_t i = 1; !rc && i <= JT_UNWIND_TABLES; i++) {
		if (i < JT_UNWIND_TABLES && u->tables[i].dirty) {
			keys[n] = i;
			fds[n++] = u->tables[i].used ? u->tables[i].fd : u->empty_fd;
		}
		if (n == ARRAY_LEN(keys) || (n && i == JT_UNWIND_TABLES)) {
			rc = tables_update(u, keys, fds, n);
			n = 0;
		}
	}
	return rc;
}

/* The table that says what t says, made if there is none. Its index, or -errno. */
static int table_of(struct unwinder *u, const struct unwind_table *t)
{
	size_t n = unwind_table_words(t);
	uint64_t *words = malloc(n * sizeof(*words)), hash = FNV64_INIT;
	int at;

	if (!words)
		return -ENOMEM;
	unwind_table_write(t, words);
	for (size_t i = 0; i < n; i++)
		hash = mix64(hash ^ words[i]);
	at = (int)table_find(u, words, n, hash);
	if (!at)
		at = table_add(u, words, n, t->rows.n, hash);
	free(words);
	return at;
}

static void table_put(struct unwinder *u, uint32_t table)
{
	if (table != UNWIND_TABLE_NONE && table != UNWIND_TABLE_EMPTY)
		u->tables[table].refs--;
}

static void collect_tables(struct unwinder *u)
{
	for (uint32_t i = 1; i < JT_UNWIND_TABLES; i++) {
		struct table *t = &u->tables[i];

		if (!t->used || t->refs)
			continue;
		if (t->fd >= 0)
			close(t->fd);
		u->nr_words -= t->nr_words;
		*t = (struct table){.fd = -1, .dirty = true};
		u->made_room = true;
	}
}

/* --- modules -------------------------------------------------------------------------------------- */

static struct compiled *part_of(const struct module *m)
{
	return m->part[MODULE_UNWIND];
}

/*
 * What is at the bottom of every stack comes first: a runtime, which starts most threads and is below every
 * call back into managed code, and what started it. Then by size.
 */
static int rank_of(const struct unwinder *u, const char *path)
{
	static const char *const c_library[] = {"libc.so.6", "libpthread.so.0"};
	const char *slash = path ? strrchr(path, '/') : NULL;
	int rank = 0;

	for (; slash && u->bottom[rank]; rank++)
		if (!strcmp(slash + 1, u->bottom[rank]))
			return rank;
	for (size_t i = 0; slash && i < ARRAY_LEN(c_library); i++)
		if (!strcmp(slash + 1, c_library[i]))
			return rank + (int)i;
	return RANK_REST;
}

static struct compiled *part_make(struct unwinder *u, struct module *m)
{
	struct compiled *c = part_of(m), **place;

	if (c)
		return c;
	c = calloc(1, sizeof(*c));
	place = c ? VEC_ADD(&u->modules) : NULL;
	if (!place) {
		free(c);
		return NULL;
	}
	*place = m->part[MODULE_UNWIND] = c;
	c->module = m;
	c->rank = rank_of(u, m->path);
	module_get(m);
	return c;
}

static void part_free(struct unwinder *u, struct compiled *c)
{
	table_put(u, c->table);
	c->module->part[MODULE_UNWIND] = NULL;
	module_put(c->module);
	free(c);
}

static void collect_modules(struct unwinder *u)
{
	size_t kept = 0;

	for (size_t i = 0; i < u->modules.n; i++) {
		if (u->modules.v[i]->refs)
			u->modules.v[kept++] = u->modules.v[i];
		else
			part_free(u, u->modules.v[i]);
	}
	u->modules.n = kept;
}

/* Of a file, and what is known of it besides. */
static int build_of_file(const struct module *m, struct unwind_table *t)
{
	int rc = unwind_table_build(m->image, t);
	uint64_t start, last;

	if (rc || m->keeps_fp.end <= m->keeps_fp.start ||
	    !elf_offset_to_vaddr(m->image, m->keeps_fp.start, &start) ||
	    !elf_offset_to_vaddr(m->image, m->keeps_fp.end - 1, &last) ||
	    last - start != m->keeps_fp.end - 1 - m->keeps_fp.start)
		return rc;
	return unwind_table_add_fp(m->image, start, last + 1, t);
}

static int build_table(const struct code *code, const struct placement *p, struct unwind_table *t)
{
	int rc;

	*t = (struct unwind_table){0};
	if (p->module->generated)
		return unwind_table_all_fp(t);
	rc = code_use(code, p);
	if (!rc) {
		rc = build_of_file(p->module, t);
		module_rest(p->module);
	}
	if (rc == -EDQUOT)
		budget_refuse(module_budget(p->module), p->module->path,
			      "to unwind through it takes too much");
	if (rc == -ETIMEDOUT)
		budget_refuse(module_budget(p->module), p->module->path, FOREIGN_NO_ANSWER);
	return rc;
}

/* Compile a module, through any target that maps it. 0 or -errno; what cannot be compiled is empty. */
static int module_load(struct unwinder *u, const struct code *code, const struct placement *p)
{
	uint64_t started = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	struct compiled *c = part_of(p->module);
	struct unwind_table t;
	int rc = build_table(code, p, &t);
	bool later = rc == -ETIMEDOUT; /* it is read when its file system answers */

	if (!rc) {
		c->base = t.base;
		rc = table_of(u, &t);
		c->table = rc > 0 ? (uint32_t)rc : UNWIND_TABLE_NONE;
		if (rc > 0)
			u->tables[rc].refs++;
		unwind_table_free(&t);
	} else if (rc == -EINTR || later) { /* a signal ends the trace: nothing will ask for it */
		rc = 0;
	} else if (rc != -ENOMEM && rc != -ESRCH && rc != -EMFILE && rc != -ENFILE) {
		c->table = UNWIND_TABLE_EMPTY;
		rc = 0;
	}
	c->refused = rc == -ENOSPC;
	c->failed = rc < 0 || later;
	c->fresh = rc >= 0 && !later;
	u->build_ns += clock_ns(CLOCK_THREAD_CPUTIME_ID) - started;
	return rc < 0 ? rc : 0;
}

/* --- ranges --------------------------------------------------------------------------------------- */

static bool overlaps(const struct unwinder *u, uint32_t first, uint32_t n, uint32_t *behind)
{
	for (size_t i = 0; i < u->regions.n; i++) {
		const struct region *r = &u->regions.v[i];

		if (first < r->first + r->n && r->first < first + n) {
			*behind = r->first + r->n;
			return true;
		}
	}
	return false;
}

/* A place for n ranges: the lowest that is free. */
static int region_alloc(struct unwinder *u, uint32_t n, uint32_t *first)
{
	struct region *r;

	*first = 0;
	while (overlaps(u, *first, n, first))
		;
	if (*first + n > u->nr_ranges || u->regions.n >= MAX_REGIONS)
		return -ENOSPC;
	r = VEC_ADD(&u->regions);
	if (!r)
		return -ENOMEM;
	*r = (struct region){.first = *first, .n = n};
	return 0;
}

static void region_retire(struct unwinder *u, const struct target_code *t)
{
	for (size_t i = 0; t->n && i < u->regions.n; i++)
		if (u->regions.v[i].first == t->first)
			u->regions.v[i].retired_ns = clock_ns(CLOCK_MONOTONIC);
}

static void collect_regions(struct unwinder *u)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	size_t kept = 0;

	for (size_t i = 0; i < u->regions.n; i++)
		if (!u->regions.v[i].retired_ns || now - u->regions.v[i].retired_ns < REGION_REST_NS)
			u->regions.v[kept++] = u->regions.v[i];
	u->regions.n = kept;
}

/* Let BPF use the module's table in this range. */
static void publish(struct unwind_range *r, const struct placement *p)
{
	const struct compiled *c = part_of(p->module);
	uint32_t table = c->table;

	if (p->module->generated)
		r->base = p->start;
	else if (table != UNWIND_TABLE_NONE && table != UNWIND_TABLE_EMPTY &&
		 !unwind_table_place(p->module->image, c->base, p->start, p->end, p->offset, &r->base))
		table = UNWIND_TABLE_EMPTY;
	__atomic_store_n(&r->table, (uint16_t)table, __ATOMIC_RELEASE);
}

/* Show the module's table in every range of every target that has it. */
static void publish_everywhere(struct unwinder *u, const struct compiled *c)
{
	for (size_t s = 0; s < JT_MAX_TARGETS; s++)
		for (size_t i = 0; i < u->traced[s].n; i++)
			if (u->traced[s].layout->v[i].module == c->module)
				publish(&u->ranges[u->traced[s].first + i], &u->traced[s].layout->v[i]);
}

/* Show BPF the tables that were made, and where they belong. */
static int show_tables(struct unwinder *u)
{
	int rc = tables_commit(u);

	for (size_t i = 0; !rc && i < u->modules.n; i++) {
		if (u->modules.v[i]->fresh)
			publish_everywhere(u, u->modules.v[i]);
		u->modules.v[i]->fresh = false;
	}
	return rc;
}

static bool same_layout(const struct layout *a, const struct layout *b)
{
	if (a == b || !a || a->n != b->n)
		return a == b;
	for (size_t i = 0; i < a->n; i++)
		if (a->v[i].start != b->v[i].start || a->v[i].end != b->v[i].end ||
		    a->v[i].offset != b->v[i].offset || a->v[i].module != b->v[i].module)
			return false;
	return true;
}

/* Unless libraries were closed since. */
static int show_layout(struct unwinder *u, uint32_t target_id, uint64_t layout,
		       const struct unwind_moment *when)
{
	uint64_t expected = when->layout;

	if (!__atomic_compare_exchange_n(&u->spaces[target_id].layout, &expected, layout, false,
					 __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		return -EAGAIN;
	__atomic_store_n(&u->spaces[target_id].added_seen, when->added, __ATOMIC_RELEASE);
	return 0;
}

/* Put the placements where BPF sees them, at once. */
static int install(struct unwinder *u, uint32_t target_id, struct target_code *next,
		   const struct unwind_moment *when)
{
	int rc = next->n ? region_alloc(u, next->n, &next->first) : 0;

	if (rc)
		return rc;
	for (size_t i = 0; i < next->n; i++) {
		struct unwind_range *r = &u->ranges[next->first + i];
		const struct placement *p = &next->layout->v[i];

		*r = (struct unwind_range){.start = p->start, .end = p->end, .code = placement_code(p)};
		publish(r, p);
	}
	next->shown = UNWIND_LAYOUT(next->first, next->n, ++u->generation);
	rc = show_layout(u, target_id, next->shown, when);
	if (rc)
		region_retire(u, next);
	return rc;
}

static void target_put(struct target_code *t)
{
	for (size_t i = 0; i < t->n; i++)
		part_of(t->layout->v[i].module)->refs--;
	layout_put(t->layout);
	*t = (struct target_code){0};
}

static int target_get(struct unwinder *u, const struct code *code, struct layout *layout,
		      struct target_code *out)
{
	*out = (struct target_code){.code = code, .layout = layout};
	layout_get(layout);
	for (; out->n < layout->n && out->n < JT_UNWIND_RANGES_MAX; out->n++) {
		struct compiled *c = part_make(u, layout->v[out->n].module);

		if (!c) {
			target_put(out);
			return -ENOMEM;
		}
		c->refs++;
	}
	return 0;
}

static int compare_placements(const void *x, const void *y)
{
	const struct placement *const *a = x, *const *b = y;
	uint64_t bytes_a = (*a)->end - (*a)->start, bytes_b = (*b)->end - (*b)->start;
	int rank_a = part_of((*a)->module)->rank, rank_b = part_of((*b)->module)->rank;

	if (rank_a != rank_b)
		return rank_a < rank_b ? -1 : 1;
	return bytes_a < bytes_b ? -1 : bytes_a > bytes_b;
}

/* What is left to compile here that was not tried. */
static bool is_wanting(const struct placement *p)
{
	const struct compiled *c = part_of(p->module);

	return c->table == UNWIND_TABLE_NONE && !c->refused && !c->failed;
}

/*
 * Compile what is new while there is time, and note whether some is left. What fails, except for want of
 * memory, is tried again when a frame lies in it. 0, -ENOSPC (all the same the rest is done) or -errno.
 */
static int preload(struct unwinder *u, struct target_code *t, uint64_t budget_ns)
{
	const struct placement **order = calloc(t->n + 1, sizeof(*order));
	uint64_t started = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	size_t n = 0;
	int rc = 0, full = 0;

	if (!order)
		return -ENOMEM;
	for (size_t i = 0; i < t->n; i++)
		if (is_wanting(&t->layout->v[i]))
			order[n++] = &t->layout->v[i];
	qsort(order, n, sizeof(*order), compare_placements);
	t->lacks = false;
	for (size_t i = 0; rc != -ENOMEM && i < n; i++) {
		if (!is_wanting(order[i])) /* mapped in pieces */
			continue;
		t->lacks = part_of(order[i]->module)->rank == RANK_REST &&
			   clock_ns(CLOCK_THREAD_CPUTIME_ID) - started >= budget_ns;
		if (t->lacks)
			break;
		rc = module_load(u, t->code, order[i]);
		full = rc == -ENOSPC ? rc : full;
	}
	free(order);
	return rc == -ENOMEM ? rc : full;
}

struct unwind_moment unwinder_now(const struct unwinder *u, uint32_t target_id)
{
	return (struct unwind_moment){
	    .layout = __atomic_load_n(&u->spaces[target_id].layout, __ATOMIC_ACQUIRE),
	    .added = __atomic_load_n(&u->spaces[target_id].added, __ATOMIC_ACQUIRE),
	};
}

bool unwind_moment_closed(const struct unwind_moment *m)
{
	return UNWIND_IS_CLOSED(m->layout);
}

void unwinder_set_script(struct unwinder *u, uint32_t target_id, uint32_t function_info, bool generates)
{
	__atomic_store_n(&u->spaces[target_id].generates, generates, __ATOMIC_RELEASE);
	__atomic_store_n(&u->spaces[target_id].function_info, function_info, __ATOMIC_RELEASE);
}

void unwinder_set_link_debug(struct unwinder *u, uint32_t target_id, uint64_t addr)
{
	u->spaces[target_id].linker = 0;
	__atomic_store_n(&u->spaces[target_id].link_debug, addr, __ATOMIC_RELEASE);
}

int unwinder_set_code(struct unwinder *u, uint32_t target_id, const struct code *code, struct layout *layout,
		      const struct unwind_moment *when, uint64_t budget_ns)
{
	struct target_code *now = &u->traced[target_id], next;
	int rc, full;

	if (same_layout(now->layout, layout))
		return show_layout(u, target_id, now->shown, when);
	rc = target_get(u, code, layout, &next);
	if (rc)
		return rc;
	full = next.n < layout->n ? -ENOSPC : 0;
	rc = preload(u, &next, budget_ns);
	if (rc == -ENOSPC) {
		full = rc;
		rc = 0;
	}
	rc = rc ?: show_tables(u);
	rc = rc ?: install(u, target_id, &next, when);
	if (rc) {
		target_put(&next);
		return rc;
	}
	region_retire(u, now);
	target_put(now);
	*now = next;
	return full;
}

void unwinder_renumber_opened(struct unwinder *u, uint32_t target_id)
{
	__atomic_fetch_add(&u->spaces[target_id].opened, JT_OPENED_KNOWN, __ATOMIC_RELEASE);
}

void unwinder_forget(struct unwinder *u, uint32_t target_id)
{
	struct unwind_space *space = &u->spaces[target_id];

	__atomic_store_n(&space->layout, UNWIND_LAYOUT(0, 0, ++u->generation), __ATOMIC_RELEASE);
	__atomic_store_n(&space->added_seen, __atomic_load_n(&space->added, __ATOMIC_RELAXED),
			 __ATOMIC_RELEASE);
	__atomic_fetch_add(&space->turn, 1, __ATOMIC_RELEASE);
	/* None of those is the next target's. */
	__atomic_fetch_add(&space->openings, JT_OPENED, __ATOMIC_RELEASE);
	unwinder_renumber_opened(u, target_id);
	unwinder_set_script(u, target_id, 0, false);
	region_retire(u, &u->traced[target_id]);
	target_put(&u->traced[target_id]);
}

/* --- the loader's tick ---------------------------------------------------------------------------- */

/* Compile what walks in this target have asked for. */
static int load_wanted(struct unwinder *u, const struct target_code *t, int *loaded)
{
	int failed = 0;

	for (size_t i = 0; i < t->n; i++) {
		struct unwind_range *r = &u->ranges[t->first + i];
		const struct placement *p = &t->layout->v[i];
		struct compiled *c = part_of(p->module);
		int rc;

		if (!__atomic_load_n(&r->wanted, __ATOMIC_RELAXED))
			continue;
		r->wanted = 0;
		if (c->table != UNWIND_TABLE_NONE) { /* made for another target since */
			c->fresh = true;
			continue;
		}
		if (c->refused && !u->made_room)
			continue;
		rc = module_load(u, t->code, p);
		*loaded += !rc;
		failed = failed ?: rc;
	}
	return failed == -ESRCH ? 0 : failed;
}

/* Go on with what a target lacks. 0 or -errno. */
static int load_rest(struct unwinder *u, struct target_code *t)
{
	int rc = t->lacks ? preload(u, t, TICK_BUDGET_NS) : 0;

	return rc == -ENOSPC ? 0 : rc;
}

int unwinder_tick(struct unwinder *u)
{
	int loaded = 0, rc = 0, failed;

	collect_tables(u);
	collect_modules(u);
	collect_regions(u);
	for (size_t s = 0; s < JT_MAX_TARGETS; s++) {
		failed = load_wanted(u, &u->traced[s], &loaded);
		rc = rc ?: failed ?: load_rest(u, &u->traced[s]);
	}
	u->made_room = false;
	failed = show_tables(u);
	rc = rc ?: failed;
	return rc ?: loaded;
}

void unwinder_stats(const struct unwinder *u, struct unwind_stats *out)
{
	*out = (struct unwind_stats){.modules = (uint32_t)u->modules.n, .build_ns = u->build_ns};
	for (size_t i = 0; i < u->modules.n; i++)
		out->loaded += u->modules.v[i]->table != UNWIND_TABLE_NONE;
	for (size_t i = 1; i < JT_UNWIND_TABLES; i++) {
		if (!u->tables[i].used)
			continue;
		out->tables++;
		out->rows += u->tables[i].nr_rows;
		out->bytes += u->tables[i].nr_words * sizeof(uint64_t);
	}
}

void unwinder_free(struct unwinder *u)
{
	if (!u)
		return;
	for (size_t s = 0; s < JT_MAX_TARGETS; s++)
		target_put(&u->traced[s]);
	collect_modules(u);
	for (size_t i = 1; i < JT_UNWIND_TABLES; i++)
		if (u->tables[i].fd >= 0)
			close(u->tables[i].fd);
	close(u->empty_fd);
	if (u->spaces)
		munmap(u->spaces, u->nr_spaces * sizeof(*u->spaces));
	if (u->ranges)
		munmap(u->ranges, u->nr_ranges * sizeof(*u->ranges));
	free(u->modules.v);
	free(u->regions.v);
	free(u);
}
