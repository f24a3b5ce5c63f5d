/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Load the BPF programs, attach and detach targets. */
#include <bpf/bpf.h>
#include <bpf/libbpf_version.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel/tracer_priv.h"
#include "model/report.h"

/* Most of what compiling unwind tables may add to the start; the other tables are made when they are needed.
 */
#define UNWIND_PRELOAD_NS 60000000

/* Blocks of local references and stretches of stack whose thread is remembered, with --check. */
#define MAX_OWNERS (1 << 16)

#define HAVE_UPROBE_MULTI (LIBBPF_MAJOR_VERSION > 1 || LIBBPF_MINOR_VERSION >= 3)

static int libbpf_print(enum libbpf_print_level level, const char *fmt, va_list args)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, fmt, args) : 0;
}

static int libbpf_quiet(enum libbpf_print_level level, const char *fmt, va_list args)
{
	(void)level, (void)fmt, (void)args;
	return 0;
}

static uint32_t round_up_pow2(uint64_t n)
{
	uint32_t p = 1;

	while (p < n && p < 1U << 30)
		p <<= 1;
	return p;
}

/* Is a family of these kinds traced? */
static bool traces(const struct tracer_opts *o, unsigned kinds)
{
	return catalog_families(o->catalog, kinds) & o->families;
}

static int set_sizes(struct tracer *t, const struct tracer_opts *o)
{
	struct jnitrace_bpf *s = t->skel;
	int rc;

	/* Half full at the wanted number: one reference in a thousand then needs its second bucket. */
	t->nr_buckets = round_up_pow2((o->max_refs * 2 + JT_BUCKET_WAYS - 1) / JT_BUCKET_WAYS);
	/* Beside the sites with stacks, one without for each function that acquires. */
	t->max_sites = o->max_stacks + 1 + JT_MAX_TARGETS * 4;
	s->rodata->bucket_mask = t->nr_buckets - 1;
	s->rodata->nr_funcs = o->catalog->nr_funcs;
	s->rodata->max_stacks = o->max_stacks;
	s->rodata->max_sites = t->max_sites - 1;
	s->rodata->max_depth = o->depth;
	s->rodata->by_frame = traces(o, KIND_BIT(KIND_LOCAL));
	s->rodata->count_only = o->count_only;
	t->by_thread = s->rodata->by_thread = o->by_thread;
	s->rodata->checking = o->check;
	s->rodata->criticals_traced = traces(o, KIND_BIT(KIND_CRITICAL));
	s->rodata->memo_mode = o->memo;
	rc = bpf_map__set_max_entries(s->maps.buckets, t->nr_buckets);
	rc = rc ?: bpf_map__set_max_entries(s->maps.func_counts, JT_MAX_TARGETS * o->catalog->nr_funcs);
	rc = rc ?: bpf_map__set_max_entries(s->maps.overflow, o->max_refs);
	rc = rc ?: bpf_map__set_max_entries(s->maps.stacks, o->max_stacks);
	rc = rc ?: bpf_map__set_max_entries(s->maps.site_ids, t->max_sites);
	rc = rc ?: bpf_map__set_max_entries(s->maps.sites, t->max_sites);
	rc = rc ?: bpf_map__set_max_entries(s->maps.site_counts, t->max_sites);
	rc = rc ?: bpf_map__set_max_entries(s->maps.thread_sites, t->by_thread ? t->max_sites : 1);
	rc = rc ?: bpf_map__set_max_entries(s->maps.site_threads, t->by_thread ? t->max_sites : 1);
	rc = rc ?: bpf_map__set_max_entries(s->maps.free_sites, t->max_sites);
	rc = rc ?: bpf_map__set_max_entries(s->maps.pin_stats, t->max_sites);
	rc = rc ?: bpf_map__set_max_entries(s->maps.use_counts, o->check ? JT_MAX_TARGETS * NR_USE_FUNCS : 1);
	rc = rc ?: bpf_map__set_max_entries(s->maps.owners, o->check ? MAX_OWNERS : 1);
	return rc;
}

int tracer_hello(struct tracer *t, struct hello *out)
{
	LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = out, .ctx_size_in = sizeof(*out));

	memset(out, 0, sizeof(*out));
	return bpf_prog_test_run_opts(bpf_program__fd(t->skel->progs.jt_hello), &run);
}

static int map_buckets(struct tracer *t)
{
	void *p;

	t->buckets_bytes = (size_t)t->nr_buckets * sizeof(struct bucket);
	/* Written only to free what a dead target left, see tracer_forget(). */
	p = mmap(NULL, t->buckets_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
		 bpf_map__fd(t->skel->maps.buckets), 0);
	if (p == MAP_FAILED)
		return -errno;
	t->buckets = p;
	return 0;
}

/*
 * The programs on functions, one row each: which kinds of family and operation it serves, and whether at the
 * function's entry or return. Releases stand first: an acquisition must not be counted before its release can
 * be seen.
 */
#define LOCAL         KIND_BIT(KIND_LOCAL)
#define REFS          (KIND_BIT(KIND_REFERENCE) | LOCAL)
#define HELD          (KIND_BIT(KIND_MONITOR) | KIND_BIT(KIND_THREAD))
#define CHECK         KIND_BIT(KIND_USE)
#define ENDS          (HELD | KIND_BIT(KIND_CRITICAL)) /* what a thread may take with it when it ends */
#define PROGRAM(name) offsetof(struct jnitrace_bpf, progs.name)
static const struct program_row {
	size_t at;      /* of the struct bpf_program * in the skeleton */
	unsigned kinds; /* KIND_BIT()s */
	enum jni_operation operation;
	bool entry;
} programs[] = {
    /* clang-format off */
    {PROGRAM(jt_call),          REFS,         OP_RELEASE,    true},
    {PROGRAM(jt_call),          REFS,         OP_ACQUIRE,    false},
    {PROGRAM(jt_call),          LOCAL,        OP_FRAME_POP,  false}, /* acquires one in the frame below */
    {PROGRAM(jt_count),         LOCAL,        OP_FRAME_PUSH, true},
    {PROGRAM(jt_count),         LOCAL,        OP_COUNT,      true},
    {PROGRAM(jt_unpin),         KINDS_OF_PINS, OP_RELEASE,    true},
    {PROGRAM(jt_pin_enter),     KINDS_OF_PINS, OP_ACQUIRE,    true},
    {PROGRAM(jt_pin),           KINDS_OF_PINS, OP_ACQUIRE,    false},
    {PROGRAM(jt_thread_return), HELD,         OP_RELEASE,    false},
    {PROGRAM(jt_thread_enter),  HELD,         OP_RELEASE,    true},
    {PROGRAM(jt_thread_return), HELD,         OP_ACQUIRE,    false},
    {PROGRAM(jt_thread_enter),  HELD,         OP_ACQUIRE,    true},
    {PROGRAM(jt_use),           CHECK,        OP_USE,        true},
    /* clang-format on */
};

static struct bpf_program *program_at(const struct tracer *t, const struct program_row *row)
{
	return *(struct bpf_program *const *)((const char *)t->skel + row->at);
}

static bool serves(const struct tracer *t, const struct program_row *row, const struct probe_site *s)
{
	const struct func_row *f = &t->catalog->funcs[s->func];

	return row->kinds & KIND_BIT(t->catalog->families[f->family].kind) &&
	       row->operation == f->operation && row->entry == (s->point == POINT_ENTRY);
}

/* Verifying costs start-up time: a program no chosen family needs is not loaded. */
static void choose_programs(struct tracer *t, const struct tracer_opts *o)
{
	struct bpf_program *p;

	for (size_t i = 0; i < ARRAY_LEN(programs); i++)
		bpf_program__set_autoload(program_at(t, &programs[i]), false);
	for (size_t i = 0; i < ARRAY_LEN(programs); i++)
		if (traces(o, programs[i].kinds) && !(o->count_only && programs[i].operation == OP_RELEASE))
			bpf_program__set_autoload(program_at(t, &programs[i]), true);
	bpf_program__set_autoload(t->skel->progs.jt_thread_end, traces(o, ENDS));
	bpf_program__set_autoload(t->skel->progs.jt_stall_begin, traces(o, KIND_BIT(KIND_CRITICAL)));
	bpf_program__set_autoload(t->skel->progs.jt_stall_end, traces(o, KIND_BIT(KIND_CRITICAL)));
#if HAVE_UPROBE_MULTI
	/* Not by SEC("uprobe.multi"): libbpf before 1.3 does not know that name. */
	bpf_object__for_each_program (p, t->skel->obj)
		if (t->use_multi && bpf_program__type(p) == BPF_PROG_TYPE_KPROBE)
			bpf_program__set_expected_attach_type(p, ATTACH_UPROBE_MULTI);
#else
	(void)p;
#endif
}

static int on_code_change(void *arg, void *data, size_t n)
{
	struct tracer *t = arg;
	uint32_t slot;

	if (n < sizeof(slot))
		return 0;
	memcpy(&slot, data, sizeof(slot));
	if (slot < JT_MAX_TARGETS)
		t->slots[slot].code_changed = true;
	return 0;
}

int tracer_open(const struct tracer_opts *o, const struct features *f, struct tracer **out, struct error *err)
{
	struct tracer *t = calloc(1, sizeof(*t));
	int rc;

	if (!t)
		return error_set(err, -ENOMEM, EXIT_FAILED, "start", NULL, "out of memory");
	t->features = *f;
	t->families = o->families;
	t->catalog = o->catalog;
	t->use_multi = o->attach == ATTACH_MULTI || (o->attach == ATTACH_AUTO && f->uprobe_multi);
	t->share = o->share && t->use_multi;
	if (t->use_multi && !f->uprobe_multi) {
		free(t);
		return error_set(err, -EOPNOTSUPP, EXIT_FAILED, "attach by uprobe_multi", "use --attach perf",
				 "this kernel or this build's libbpf does not have it");
	}
	libbpf_set_print(o->verbose ? libbpf_print : libbpf_quiet);
	t->skel = jnitrace_bpf__open();
	rc = t->skel ? set_sizes(t, o) : -errno;
	if (!rc)
		choose_programs(t, o);
	t->load_ns = clock_ns(CLOCK_MONOTONIC);
	rc = rc ?: jnitrace_bpf__load(t->skel);
	t->load_ns = clock_ns(CLOCK_MONOTONIC) - t->load_ns;
	rc = rc ?: map_buckets(t);
	rc = rc
		 ?: unwinder_new(bpf_map__fd(t->skel->maps.unwind_spaces),
				 bpf_map__fd(t->skel->maps.unwind_ranges),
				 bpf_map__fd(t->skel->maps.unwind_tables), o->bottom, &t->unwinder);
	rc = rc ?: tracer_hello(t, &t->started);
	rc = rc ?: overhead_new(t->skel->obj, t->skel->progs.jt_nothing, t->use_multi, &t->overhead);
	if (!rc) {
		t->code_changes =
		    ring_buffer__new(bpf_map__fd(t->skel->maps.code_changes), on_code_change, t, NULL);
		rc = t->code_changes ? 0 : -errno;
	}
	if (!rc) {
		t->stacks = calloc(t->max_sites, sizeof(*t->stacks));
		t->buried = calloc(t->max_sites, sizeof(*t->buried));
		rc = t->stacks && t->buried ? 0 : -ENOMEM;
	}
	if (!rc) {
		t->skel->links.jt_exec = bpf_program__attach(t->skel->progs.jt_exec);
		rc = t->skel->links.jt_exec ? 0 : -errno;
	}
	if (!rc && traces(o, ENDS)) {
		t->skel->links.jt_thread_end = bpf_program__attach(t->skel->progs.jt_thread_end);
		rc = t->skel->links.jt_thread_end ? 0 : -errno;
	}
	if (rc) {
		tracer_close(t);
		return error_set(err, rc, rc == -EPERM ? EXIT_PERMISSION : EXIT_FAILED,
				 "load the BPF programs", "-v shows what the kernel said", "%s",
				 strerror(-rc));
	}
	*out = t;
	return 0;
}

void tracer_close(struct tracer *t)
{
	if (!t)
		return;
	for (int i = 0; i < JT_MAX_TARGETS; i++) {
		if (t->slots[i].attached)
			tracer_detach(t, &i, 1);
		free(t->slots[i].links.v);
		free(t->slots[i].rules);
	}
	for (uint32_t i = 0; t->stacks && i < t->max_sites; i++)
		free(t->stacks[i]);
	free(t->stacks);
	free(t->buried);
	if (t->buckets)
		munmap(t->buckets, t->buckets_bytes);
	unwinder_free(t->unwinder);
	ring_buffer__free(t->code_changes);
	overhead_free(t->overhead);
	jnitrace_bpf__destroy(t->skel);
	free(t);
}

uint64_t tracer_map_bytes(const struct tracer *t)
{
	const struct bpf_map *m;
	uint64_t sum = 0;

	bpf_object__for_each_map (m, t->skel->obj) {
		uint64_t value_bytes = bpf_map__value_size(m), n = bpf_map__max_entries(m);

		if (bpf_map__type(m) == BPF_MAP_TYPE_PERCPU_ARRAY)
			sum += n * ((value_bytes + 7) & ~7ULL) * t->features.nr_cpus;
		else if (bpf_map__type(m) == BPF_MAP_TYPE_ARRAY || bpf_map__type(m) == BPF_MAP_TYPE_STACK)
			sum += n * ((value_bytes + 7) & ~7ULL);
	}
	return sum;
}

/* What is attached where, and what its probes are to know. */
struct attaching {
	struct tracer *t;
	struct links *links;
	pid_t pid; /* -1: every process that maps the file */
	const char *path;
	const struct probe_sites *sites;
	const uint32_t *rules; /* of a target, by site; NULL: */
	uint32_t file;         /* see COOKIE_FILE */
};

static uint64_t cookie_of(const struct attaching *a, size_t site)
{
	return a->rules ? a->rules[site] : COOKIE_FILE(a->file, site);
}

static int add_link(struct links *links, struct bpf_link *link)
{
	if (!link)
		return -errno;
	links->v[links->n++] = link;
	return 0;
}

static int attach_multi(const struct attaching *a, const struct program_row *row, bool uretprobe)
{
#if HAVE_UPROBE_MULTI
	const struct probe_sites *sites = a->sites;
	unsigned long *offsets = calloc(sites->n, sizeof(*offsets));
	__u64 *cookies = calloc(sites->n, sizeof(*cookies));
	LIBBPF_OPTS(bpf_uprobe_multi_opts, o, .offsets = offsets, .cookies = cookies, .retprobe = uretprobe);
	int rc = offsets && cookies ? 0 : -ENOMEM;

	for (size_t i = 0; !rc && i < sites->n; i++) {
		if (!serves(a->t, row, &sites->v[i]) || (sites->v[i].point == POINT_URETPROBE) != uretprobe)
			continue;
		offsets[o.cnt] = sites->v[i].offset;
		cookies[o.cnt++] = cookie_of(a, i);
	}
	if (!rc && o.cnt)
		rc = add_link(a->links, bpf_program__attach_uprobe_multi(program_at(a->t, row), a->pid,
									 a->path, NULL, &o));
	free(offsets);
	free(cookies);
	return rc;
#else
	(void)a, (void)row, (void)uretprobe;
	return -EOPNOTSUPP;
#endif
}

static int attach_perf(const struct attaching *a, const struct program_row *row, bool uretprobe)
{
	const struct probe_sites *sites = a->sites;
	int rc = 0;

	for (size_t i = 0; !rc && i < sites->n; i++) {
		LIBBPF_OPTS(bpf_uprobe_opts, o, .bpf_cookie = cookie_of(a, i), .retprobe = uretprobe);

		if (serves(a->t, row, &sites->v[i]) && (sites->v[i].point == POINT_URETPROBE) == uretprobe)
			rc = add_link(a->links,
				      bpf_program__attach_uprobe_opts(program_at(a->t, row), a->pid, a->path,
								      sites->v[i].offset, &o));
	}
	return rc;
}

static int set_target(struct tracer *t, int slot, const struct target_state *state)
{
	uint32_t key = slot;

	return bpf_map_update_elem(bpf_map__fd(t->skel->maps.targets), &key, state, BPF_ANY);
}

static int free_slot(const struct tracer *t)
{
	for (int i = 0; i < JT_MAX_TARGETS; i++)
		if (!t->slots[i].used)
			return i;
	return -ENOSPC;
}

static struct bpf_link *attach_one(struct tracer *t, struct bpf_program *p, pid_t pid, const char *path,
				   unsigned long offset, __u64 cookie, bool at_return)
{
	LIBBPF_OPTS(bpf_uprobe_opts, perf, .bpf_cookie = cookie, .retprobe = at_return);
#if HAVE_UPROBE_MULTI
	LIBBPF_OPTS(bpf_uprobe_multi_opts, multi, .offsets = &offset, .cookies = &cookie, .cnt = 1,
		    .retprobe = at_return);

	if (t->use_multi)
		return bpf_program__attach_uprobe_multi(p, pid, path, NULL, &multi);
#endif
	return bpf_program__attach_uprobe_opts(p, pid, path, offset, &perf);
}

/*
 * A return probe's program needs what only the function's entry knows: the JNIEnv. Functions that have a
 * program at both ends see to that themselves.
 */
static int attach_entries(const struct attaching *a)
{
	const struct probe_sites *sites = a->sites;
	int rc = 0;

	for (size_t i = 0; !rc && i < sites->n; i++)
		if (sites->v[i].point == POINT_URETPROBE &&
		    !func_at_both_ends(a->t->catalog, sites->v[i].func))
			rc = add_link(a->links, attach_one(a->t, a->t->skel->progs.jt_enter, a->pid, a->path,
							   sites->v[i].offset, cookie_of(a, i), false));
	return rc;
}

static int attach_sites(const struct attaching *a)
{
	int rc;

	a->links->v = calloc(2 * a->sites->n, sizeof(*a->links->v));
	rc = a->links->v ? attach_entries(a) : -ENOMEM;
	for (size_t i = 0; !rc && i < 2 * ARRAY_LEN(programs); i++)
		rc = (a->t->use_multi ? attach_multi : attach_perf)(a, &programs[i / 2], i % 2);
	return rc;
}

static uint64_t hash_sites(const struct probe_sites *sites)
{
	uint64_t h = FNV64_INIT;

	for (size_t i = 0; i < sites->n; i++) {
		const struct probe_site *s = &sites->v[i];
		uint64_t id[] = {s->func, s->point, s->offset};

		h = fnv64(h, id, sizeof(id));
	}
	return h;
}

/*
 * The probes of this file with these sites, for all processes, attached on first use. With a process filter
 * each event would ask every target of the file, 30 ns each. 0: out is a user of them, or -errno.
 */
static int file_links_get(struct tracer *t, const char *path, const struct probe_sites *sites,
			  struct file_links **out)
{
	struct attaching a = {.t = t, .pid = -1, .path = path, .sites = sites};
	uint64_t hash = hash_sites(sites);
	struct file_links *f = NULL;
	struct stat st;
	int rc;

	if (stat(path, &st))
		return -errno;
	for (size_t i = 0; i < ARRAY_LEN(t->files); i++) {
		struct file_links *known = &t->files[i];

		if (known->users && known->dev == st.st_dev && known->ino == st.st_ino &&
		    known->sites_hash == hash) {
			known->users++;
			*out = known;
			return 0;
		}
		if (!known->users && !f)
			f = known;
	}
	if (!f)
		return -ENOSPC;
	*f = (struct file_links){.dev = st.st_dev, .ino = st.st_ino, .sites_hash = hash, .users = 1};
	*out = f;
	a.links = &f->links;
	a.file = (uint32_t)(f - t->files) + 1;
	rc = attach_sites(&a);
	return rc;
}

static int attach_all(struct tracer *t, int slot, pid_t pid, const char *path,
		      const struct probe_sites *sites)
{
	struct slot *s = &t->slots[slot];
	struct target_state state = {.tgid = pid, .gate = GATE_CLOSED};
	struct attaching a = {.t = t, .links = &s->links, .pid = pid, .path = path, .sites = sites};
	uint32_t tgid = pid, key = slot;
	int rc, first;

	s->rules = calloc(sites->n, sizeof(*s->rules));
	if (!s->rules)
		return -ENOMEM;
	first = rules_make(t, slot, sites);
	if (first < 0)
		return first;
	rc = t->share ? file_links_get(t, path, sites, &s->file) : 0;
	if (rc)
		return rc;
	state.first_rule = (uint32_t)first;
	state.file = s->file ? (uint32_t)(s->file - t->files) + 1 : 0;
	rc = set_target(t, slot, &state);
	rc = rc ?: bpf_map_update_elem(bpf_map__fd(t->skel->maps.slots), &tgid, &key, BPF_ANY);
	a.rules = s->rules;
	return rc ?: s->file ? 0 : attach_sites(&a);
}

int tracer_attach(struct tracer *t, const struct proc_id *id, const char *path,
		  const struct probe_sites *sites, struct error *err)
{
	int slot = free_slot(t), rc;
	char what[64];

	snprintf(what, sizeof(what), "attach to PID %d", id->pid);
	if (slot < 0)
		return error_set(err, slot, EXIT_FAILED, what, "trace fewer processes",
				 "all %d places are taken", JT_MAX_TARGETS);
	t->slots[slot].used = t->slots[slot].attached = true;
	t->slots[slot].sites_missing = sites->missing;
	rc = attach_all(t, slot, id->pid, path, sites);
	if (!rc)
		return slot;
	tracer_detach(t, &slot, 1);
	tracer_forget(t, slot);
	if (rc == -ESRCH)
		return error_set(err, rc, EXIT_NO_TARGET, what, NULL, "it has exited");
	return error_set(err, rc, rc == -EPERM || rc == -EACCES ? EXIT_PERMISSION : EXIT_FAILED, what,
			 "-v shows what the kernel said", "%s", strerror(-rc));
}

/* Watch all of these places, or none can be relied on. */
static int watch_vm(struct tracer *t, int slot, pid_t pid, const char *path, struct bpf_program *prog,
		    const struct vm_places *places, bool at_return)
{
	struct slot *s = &t->slots[slot];

	for (size_t i = 0; i < places->n && s->nr_vm_links < ARRAY_LEN(s->vm_links); i++) {
		struct bpf_link *link = attach_one(t, prog, pid, path, places->at[i], (__u64)slot, at_return);

		if (!link)
			return -errno;
		s->vm_links[s->nr_vm_links++] = link;
	}
	return 0;
}

int tracer_set_java(struct tracer *t, int slot, pid_t pid, const char *path, const struct java_config *c,
		    const struct vm_places *frees, const struct vm_places *unloads)
{
	struct java_config config = *c;
	uint32_t key = slot;
	int rc = watch_vm(t, slot, pid, path, t->skel->progs.jt_code_freed, frees, false);

	rc = rc ?: watch_vm(t, slot, pid, path, t->skel->progs.jt_class_unloaded, unloads, false);
	if (rc)
		return rc;
	config.generation = config.unloads = ++t->java_epochs << 32;
	config.unloads_class = unloads->at_entry;
	config.cache = frees->n > 0;
	return bpf_map_update_elem(bpf_map__fd(t->skel->maps.java_configs), &key, &config, BPF_ANY);
}

int tracer_unloads(const struct tracer *t, int slot, uint64_t klass, uint64_t *n, uint64_t *last)
{
	struct java_config config = {0};
	uint32_t key = slot, place = unloaded_place(slot, klass);
	int rc = bpf_map_lookup_elem(bpf_map__fd(t->skel->maps.java_configs), &key, &config);

	*n = *last = config.unloads;
	if (!rc && klass && config.unloads_class)
		rc = bpf_map_lookup_elem(bpf_map__fd(t->skel->maps.unloaded), &place, last);
	return rc;
}

int tracer_set_stalls(struct tracer *t, int slot, pid_t pid, const char *path, const struct vm_places *waits)
{
	int rc = watch_vm(t, slot, pid, path, t->skel->progs.jt_stall_end, waits, true);

	return rc ?: watch_vm(t, slot, pid, path, t->skel->progs.jt_stall_begin, waits, false);
}

int tracer_set_before(struct tracer *t, int slot, const struct frame_anchor *anchors, size_t n)
{
	struct before_key known = {.sp = JT_BEFORE_KNOWN, .slot = (uint32_t)slot};
	int fd = bpf_map__fd(t->skel->maps.before_native), rc = 0;

	for (size_t i = 0; i < n && !rc; i++) {
		struct before_key key = {.sp = anchors[i].sp, .slot = (uint32_t)slot};

		rc = bpf_map_update_elem(fd, &key, &anchors[i].pc, BPF_ANY);
	}
	return rc ?: bpf_map_update_elem(fd, &known, &(uint64_t){0}, BPF_ANY);
}

int tracer_set_objects(struct tracer *t, int slot, const struct object_config *c)
{
	uint32_t key = slot;

	return bpf_map_update_elem(bpf_map__fd(t->skel->maps.object_configs), &key, c, BPF_ANY);
}

static int state_of(const struct tracer *t, int slot, struct target_state *state)
{
	uint32_t key = slot;

	return bpf_map_lookup_elem(bpf_map__fd(t->skel->maps.targets), &key, state);
}

int tracer_open_gate(struct tracer *t, int slot)
{
	struct target_state state;
	int rc = state_of(t, slot, &state);

	if (rc || state.gate == GATE_EXECED)
		return rc;
	state.gate = GATE_OPEN;
	rc = set_target(t, slot, &state);
	overhead_start(t->overhead, t->single_step);
	return rc;
}

void tracer_close_gate(struct tracer *t, int slot)
{
	struct target_state state;

	if (state_of(t, slot, &state) || state.gate != GATE_OPEN)
		return;
	state.gate = GATE_CLOSED;
	set_target(t, slot, &state);
}

/* Links to destroy, shared by the threads that do it. */
struct undertaker {
	struct bpf_link **links;
	size_t n, next;
};

static void *destroy_links(void *arg)
{
	struct undertaker *u = arg;
	size_t i;

	while ((i = __atomic_fetch_add(&u->next, 1, __ATOMIC_RELAXED)) < u->n)
		bpf_link__destroy(u->links[i]);
	return NULL;
}

/* Every link takes the kernel a grace period, about 0.1 s: wait for many at a time. */
#define MAX_UNDERTAKERS 64

static void destroy_all(struct bpf_link **links, size_t n)
{
	struct undertaker u = {.links = links, .n = n};
	pthread_t threads[MAX_UNDERTAKERS];
	size_t started = 0;

	while (started + 1 < n && started < MAX_UNDERTAKERS &&
	       !pthread_create(&threads[started], NULL, destroy_links, &u))
		started++;
	destroy_links(&u);
	while (started)
		pthread_join(threads[--started], NULL);
}

/* Unless the pid belongs to the next target already. */
static void forget_tgid(struct tracer *t, int slot, uint32_t tgid)
{
	int fd = bpf_map__fd(t->skel->maps.slots);
	uint32_t owner;

	if (!bpf_map_lookup_elem(fd, &tgid, &owner) && owner == (uint32_t)slot)
		bpf_map_delete_elem(fd, &tgid);
}

/* Move links to the end of others, which has room. */
static void take_links(struct links *to, struct links *from)
{
	for (size_t i = 0; i < from->n; i++)
		to->v[to->n++] = from->v[i];
	free(from->v);
	*from = (struct links){0};
}

void tracer_settle(void)
{
	/* synchronize_rcu() in the kernel (kernel/sched/membarrier.c), which programs on uprobes run under.
	 */
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0))
		usleep(200000); /* not with nohz_full */
}

/* No new events of this slot; its links are to go, unless others use them. Returns whether others do. */
static bool release_slot(struct tracer *t, int slot, struct links *gone)
{
	struct slot *s = &t->slots[slot];
	struct file_links *file = s->file;

	for (size_t i = 0; i < s->nr_vm_links; i++)
		gone->v[gone->n++] = s->vm_links[i];
	s->nr_vm_links = 0;
	take_links(gone, &s->links);
	s->attached = false;
	s->file = NULL;
	if (!file)
		return false;
	if (--file->users)
		return true;
	take_links(gone, &file->links);
	return false;
}

static size_t links_of(const struct slot *s)
{
	return s->links.n + s->nr_vm_links + (s->file ? s->file->links.n : 0);
}

void tracer_detach(struct tracer *t, const int *slots, size_t n)
{
	struct links gone = {0};
	bool shared = false;
	size_t most = 1;

	for (size_t i = 0; i < n; i++) {
		struct target_state state;

		if (!t->slots[slots[i]].attached)
			continue;
		tracer_close_gate(t, slots[i]);
		if (!state_of(t, slots[i], &state))
			forget_tgid(t, slots[i], state.tgid);
		most += links_of(&t->slots[slots[i]]);
	}
	gone.v = calloc(most, sizeof(*gone.v));
	if (!gone.v)
		return; /* all goes with the process */
	for (size_t i = 0; i < n; i++)
		if (t->slots[slots[i]].attached)
			shared |= release_slot(t, slots[i], &gone);
	destroy_all(gone.v, gone.n);
	free(gone.v);
	if (shared)
		tracer_settle(); /* a shared probe stays */
}

bool tracer_execed(struct tracer *t, int slot)
{
	struct target_state state;

	return !state_of(t, slot, &state) && state.gate == GATE_EXECED;
}

size_t tracer_probes(const struct tracer *t, int slot)
{
	return t->slots[slot].nr_sites;
}

int tracer_set_linker(struct tracer *t, int slot, pid_t pid, const char *path, uint64_t offset,
		      uint64_t debug_at)
{
	struct vm_places place = {.at = {offset}, .n = 1};

	unwinder_set_link_debug(t->unwinder, (uint32_t)slot, debug_at);
	return watch_vm(t, slot, pid, path, t->skel->progs.jt_libraries, &place, false);
}

int tracer_code_fd(const struct tracer *t)
{
	return ring_buffer__epoll_fd(t->code_changes);
}

void tracer_code_drain(struct tracer *t)
{
	ring_buffer__consume(t->code_changes);
}

bool tracer_code_changed(struct tracer *t, int slot)
{
	bool changed = t->slots[slot].code_changed;

	t->slots[slot].code_changed = false;
	return changed;
}

struct unwind_moment tracer_code_now(const struct tracer *t, int slot)
{
	return unwinder_now(t->unwinder, (uint32_t)slot);
}

int tracer_set_code(struct tracer *t, int slot, const struct code *code, struct layout *layout,
		    const struct unwind_moment *when)
{
	int rc = unwinder_set_code(t->unwinder, (uint32_t)slot, code, layout, when, UNWIND_PRELOAD_NS);

	return rc == -ENOSPC ? 0 : rc; /* what has no place ends its stacks, which say so */
}

void tracer_print_unwind(const struct tracer *t)
{
	struct unwind_stats s;

	unwinder_stats(t->unwinder, &s);
	warn("unwind tables of %u of %u libraries: %llu rows, %.1f MB, made in %.0f ms of CPU time", s.loaded,
	     s.modules, (unsigned long long)s.rows, (double)s.bytes / 1e6, (double)s.build_ns / 1e6);
}

static double add_known(double a, double b)
{
	return a < 0 || b < 0 ? -1 : a + b;
}

/* Of one call of a function at one kind of place, without the trap. */
static double programs_ns(const struct tracer *t, const struct probe_site *site)
{
	double ns = 0;

	for (size_t i = 0; i < ARRAY_LEN(programs); i++)
		if (serves(t, &programs[i], site))
			ns = add_known(ns, overhead_run_ns(t->overhead, program_at(t, &programs[i])));
	if (site->point == POINT_URETPROBE &&
	    !func_at_both_ends(t->catalog, site->func)) /* see attach_entries() */
		ns = add_known(ns, overhead_run_ns(t->overhead, t->skel->progs.jt_enter));
	return ns;
}

static double traps_ns(const struct tracer *t, const struct slot *s, enum jni_func_id f)
{
	const struct overhead *o = t->overhead;
	double entry = overhead_trap_ns(o, TRAP_ENTRY), at_return = overhead_trap_ns(o, TRAP_RETURN), ns = 0;
	double here = s->single_step[f] ? overhead_trap_ns(o, TRAP_STEP) : entry;
	bool uretprobe = s->points[f] & 1U << POINT_URETPROBE;

	if (here < 0 || (uretprobe && (entry < 0 || at_return < 0)))
		return -1;
	if (s->trap_shared[f])
		return 0;
	/* A return probe traps at the entry too, once for all programs there. */
	if (uretprobe || s->points[f] & 1U << POINT_ENTRY)
		ns += here;
	if (s->points[f] & 1U << POINT_RETURN)
		ns += here;
	if (uretprobe && at_return > entry)
		ns += at_return - entry;
	return ns;
}

void tracer_costs(const struct tracer *t, int slot, double ns[NR_ALL_FUNCS])
{
	const struct slot *s = &t->slots[slot];

	for (int f = 0; f < NR_ALL_FUNCS; f++) {
		ns[f] = s->points[f] ? traps_ns(t, s, f) : -1;
		for (int point = 0; point < NR_POINTS; point++)
			if (s->points[f] & 1U << point)
				ns[f] = add_known(
				    ns[f], programs_ns(t, &(struct probe_site){.func = f, .point = point}));
	}
}

void tracer_poll(struct tracer *t)
{
	overhead_poll(t->overhead);
}

void tracer_print_walks(const struct tracer *t)
{
	const struct jnitrace_bpf *s = t->skel;

	if (s->rodata->memo_mode == MEMO_CHECK)
		warn("stacks: %llu walked, %llu of them found in the memo, too",
		     (unsigned long long)s->bss->stacks_walked, (unsigned long long)s->bss->stacks_checked);
	else
		warn("stacks: %llu walked", (unsigned long long)s->bss->stacks_walked);
}

void tracer_print_programs(const struct tracer *t)
{
	struct bpf_program *p;

	warn("programs loaded in %.0f ms", (double)t->load_ns / 1e6);
	bpf_object__for_each_program (p, t->skel->obj) {
		struct bpf_prog_info info = {0};
		__u32 n = sizeof(info);

		if (!bpf_obj_get_info_by_fd(bpf_program__fd(p), &info, &n))
			warn("program %s: %u verified instructions, %u bytes of machine code",
			     bpf_program__name(p), info.verified_insns, info.jited_prog_len);
	}
}
