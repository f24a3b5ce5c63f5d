/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Attach and detach targets. */
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel/programs.h"
#include "proc/foreign.h"

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

/* The probes of one program. */
struct batch {
	unsigned long *offsets;
	uint64_t *cookies;
	size_t n;
};

static int attach_batch(const struct attaching *a, const struct bpf_program *p, const struct batch *b,
			size_t file, bool at_return)
{
	const struct uprobe_where where = {a->pid, a->paths[file], at_return, a->t->use_multi};
	int rc = 0;

	if (where.multi && b->n)
		return add_link(a->links, uprobe_attach_multi(p, &where, b->offsets, b->cookies, b->n));
	for (size_t i = 0; !rc && i < b->n; i++)
		rc = add_link(a->links, uprobe_attach(p, &where, b->offsets[i], b->cookies[i]));
	return rc;
}

static int attach_row(const struct attaching *a, const struct program_row *row, size_t file, bool uretprobe)
{
	const struct probe_sites *sites = a->sites;
	struct batch b = {.offsets = calloc(sites->n, sizeof(*b.offsets)),
			  .cookies = calloc(sites->n, sizeof(*b.cookies))};
	int rc = b.offsets && b.cookies ? 0 : -ENOMEM;

	for (size_t i = 0; !rc && i < sites->n; i++) {
		if (func_family(a->t->catalog, sites->v[i].func) != a->family ||
		    !program_serves(a->t, row, &sites->v[i]) || sites->v[i].file != file ||
		    (sites->v[i].point == POINT_URETPROBE) != uretprobe)
			continue;
		b.offsets[b.n] = sites->v[i].offset;
		b.cookies[b.n++] = cookie_of(a, i);
	}
	rc = rc ?: attach_batch(a, program_of(a->t, row), &b, file, uretprobe);
	free(b.offsets);
	free(b.cookies);
	return rc;
}

static int set_target(struct tracer *t, int target_id, const struct target_state *state)
{
	uint32_t key = target_id;

	return bpf_map_update_elem(bpf_map__fd(t->skel->maps.targets), &key, state, BPF_ANY);
}

static int free_target_id(const struct tracer *t)
{
	for (int i = 0; i < (int)t->max_targets; i++)
		if (!t->traced[i].used)
			return i;
	return -ENOSPC;
}

/*
 * A return probe's program needs what only the function's entry knows: the JNIEnv. Functions that have a
 * program at both ends see to that themselves.
 */
static int attach_entries(const struct attaching *a)
{
	struct uprobe_where where = {.pid = a->pid, .multi = a->t->use_multi};
	const struct bpf_program *p = a->t->skel->progs.jt_enter;
	const struct probe_sites *sites = a->sites;
	int rc = 0;

	for (size_t i = 0; !rc && i < sites->n; i++) {
		where.path = a->paths[sites->v[i].file];
		if (where.path && func_family(a->t->catalog, sites->v[i].func) == a->family &&
		    sites->v[i].point == POINT_URETPROBE &&
		    !func_at_both_ends(a->t->catalog, sites->v[i].func))
			rc =
			    add_link(a->links, uprobe_attach(p, &where, sites->v[i].offset, cookie_of(a, i)));
	}
	return rc;
}

/* Those of one family, releases first. */
static int attach_family(const struct attaching *a)
{
	struct bpf_link **v =
	    realloc(a->links->v, (a->links->n + 2 * a->sites->n + 1) * sizeof(*a->links->v));
	int rc;

	if (!v)
		return -ENOMEM;
	a->links->v = v;
	rc = attach_entries(a);
	for (size_t i = 0; !rc && i < 2 * NR_PROGRAM_ROWS; i++)
		for (size_t file = 0; !rc && file < a->nr_paths; file++)
			rc = a->paths[file] ? attach_row(a, &program_rows[i / 2], file, i % 2) : 0;
	return rc;
}

int links_attach(const struct attaching *what, struct family_links *links, uint32_t families)
{
	struct attaching a = *what;
	int rc = 0;

	for (unsigned f = 0; !rc && f < NR_LINK_GROUPS; f++) {
		if (!(families >> f & 1) || (links->of[f].v && !a.more))
			continue;
		a.family = f;
		a.links = &links->of[f];
		rc = attach_family(&a);
	}
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

/* May they have to be removed from one process, and not from others? See tracer_endangers(). */
static bool may_endanger(const struct tracer *t, const struct probe_sites *sites)
{
	for (size_t i = 0; i < sites->n; i++)
		if (sites->v[i].point == POINT_URETPROBE &&
		    catalog_families(t->catalog, KIND_BIT(KIND_PAIR)) >>
			    func_family(t->catalog, sites->v[i].func) &
			1)
			return true;
	return false;
}

/*
 * The probes of this file with these sites, for all processes, attached on first use. With a process filter
 * each event would ask every target of the file, 30 ns each. 0: out is a user of them, or -errno.
 */
static int file_links_get(struct tracer *t, const char *path, const struct probe_sites *sites,
			  uint32_t families, struct file_links **out)
{
	struct attaching a = {.t = t, .pid = -1, .paths = &path, .nr_paths = 1, .sites = sites};
	uint64_t hash = hash_sites(sites);
	struct file_links *f = NULL;
	int fd = open(path, O_PATH | O_CLOEXEC), rc;
	struct stat st;

	if (fd < 0)
		return -errno;
	rc = foreign_stat(fd, &st);
	close(fd);
	if (rc)
		return rc;
	for (size_t i = 0; i < ARRAY_LEN(t->files); i++) {
		struct file_links *known = &t->files[i];

		if (known->users && known->dev == st.st_dev && known->ino == st.st_ino &&
		    known->sites_hash == hash) {
			known->users++;
			*out = known;
			a.file = (uint32_t)(known - t->files) + 1;
			return links_attach(&a, &known->links, families);
		}
		if (!known->users && !f)
			f = known;
	}
	if (!f)
		return -ENOSPC;
	*f = (struct file_links){.dev = st.st_dev, .ino = st.st_ino, .sites_hash = hash, .users = 1};
	*out = f;
	a.file = (uint32_t)(f - t->files) + 1;
	return links_attach(&a, &f->links, families);
}

static int attach_all(struct tracer *t, int target_id, pid_t pid, const char *const *paths, size_t nr_paths,
		      const struct probe_sites *sites, uint32_t families)
{
	struct traced *s = &t->traced[target_id];
	struct target_state state = {.tgid = pid, .gate = GATE_CLOSED};
	struct attaching a = {.t = t, .pid = pid, .paths = paths, .nr_paths = nr_paths, .sites = sites};
	uint32_t tgid = pid, key = target_id;
	int rc, first;

	s->rules = calloc(sites->n, sizeof(*s->rules));
	if (!s->rules)
		return -ENOMEM;
	s->families = families;
	t->families_seen |= families;
	first = rules_make(t, target_id, sites);
	if (first < 0)
		return first;
	__atomic_store_n(&t->skel->bss->families_off[target_id], ~families, __ATOMIC_RELEASE);
	/* of several files, each would say which process it is for */
	rc = t->share && nr_paths == 1 && !may_endanger(t, sites)
		 ? file_links_get(t, paths[0], sites, families, &s->file)
		 : 0;
	if (rc)
		return rc;
	state.first_rule = (uint32_t)first;
	state.file = s->file ? (uint32_t)(s->file - t->files) + 1 : 0;
	rc = set_target(t, target_id, &state);
	rc = rc ?: bpf_map_update_elem(bpf_map__fd(t->skel->maps.target_ids), &tgid, &key, BPF_ANY);
	a.rules = s->rules;
	return rc ?: s->file ? 0 : links_attach(&a, &s->links, families);
}

int tracer_attach(struct tracer *t, const struct proc_id *id, const char *const *paths, size_t nr_paths,
		  const struct probe_sites *sites, uint32_t families, struct error *err)
{
	const struct probe_site *lost = programs_lack(t, sites);
	int target_id = free_target_id(t), rc;
	char what[64];

	snprintf(what, sizeof(what), "attach to PID %d", id->pid);
	if (lost)
		return error_set(err, -EOPNOTSUPP, EXIT_FAILED, what, "trace other families, and report it",
				 "no program counts %s at its %s", func_name(t->catalog, lost->func),
				 probe_site_operation(lost));
	if (target_id < 0)
		return error_set(err, target_id, EXIT_FAILED, what, "trace fewer processes",
				 "all %u target slots are in use", t->max_targets);
	t->traced[target_id].used = t->traced[target_id].attached = true;
	t->traced[target_id].sites_missing = sites->missing;
	rc = attach_all(t, target_id, id->pid, paths, nr_paths, sites, families);
	if (!rc)
		return target_id;
	tracer_detach(t, &target_id, 1);
	tracer_forget(t, target_id);
	if (rc == -ESRCH)
		return error_set(err, rc, EXIT_NO_TARGET, what, NULL, "it has exited");
	return error_set(err, rc, rc == -EPERM || rc == -EACCES ? EXIT_PERMISSION : EXIT_FAILED, what,
			 "-v shows what the kernel said", "%s", strerror(-rc));
}

int tracer_attach_more(struct tracer *t, int target_id, const struct proc_id *id, const char *const *paths,
		       size_t nr_paths, const struct probe_sites *sites, size_t first)
{
	struct traced *s = &t->traced[target_id];
	struct probe_sites added = *sites;
	struct attaching a = {
	    .t = t, .pid = id->pid, .paths = paths, .nr_paths = nr_paths, .sites = &added, .more = true};
	uint32_t *rules = realloc(s->rules, (sites->n + 1) * sizeof(*s->rules));
	int rc;

	if (!rules)
		return -ENOMEM;
	s->rules = rules;
	added.v += first;
	added.n -= first;
	if (programs_lack(t, &added))
		return -EOPNOTSUPP;
	a.rules = s->rules + s->nr_sites;
	rc = rules_make(t, target_id, &added);
	return rc < 0 ? rc : links_attach(&a, &s->links, s->families);
}

void tracer_tell_missing(struct tracer *t, int target_id, size_t missing)
{
	t->traced[target_id].sites_missing = missing;
}

static int state_of(const struct tracer *t, int target_id, struct target_state *state)
{
	uint32_t key = target_id;

	return bpf_map_lookup_elem(bpf_map__fd(t->skel->maps.targets), &key, state);
}

int tracer_open_gate(struct tracer *t, int target_id)
{
	struct target_state state;
	int rc = state_of(t, target_id, &state);

	if (rc || state.gate == GATE_EXECED)
		return rc;
	state.gate = GATE_OPEN;
	rc = set_target(t, target_id, &state);
	t->traced[target_id].counts = !rc;
	overhead_start(t->overhead, t->single_step);
	return rc;
}

void tracer_close_gate(struct tracer *t, int target_id)
{
	struct target_state state;

	if (state_of(t, target_id, &state) || state.gate != GATE_OPEN)
		return;
	state.gate = GATE_CLOSED;
	set_target(t, target_id, &state);
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

void links_destroy(struct bpf_link **links, size_t n)
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
static void forget_tgid(struct tracer *t, int target_id, uint32_t tgid)
{
	int fd = bpf_map__fd(t->skel->maps.target_ids);
	uint32_t owner;

	if (!bpf_map_lookup_elem(fd, &tgid, &owner) && owner == (uint32_t)target_id)
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

static void take_families(struct links *to, struct family_links *from)
{
	for (size_t f = 0; f < NR_LINK_GROUPS; f++)
		take_links(to, &from->of[f]);
}

static size_t count_links(const struct family_links *l)
{
	size_t n = 0;

	for (size_t f = 0; f < NR_LINK_GROUPS; f++)
		n += l->of[f].n;
	return n;
}

void tracer_settle(void)
{
	/* synchronize_rcu() in the kernel (kernel/sched/membarrier.c), which programs on uprobes run under.
	 */
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0))
		usleep(200000); /* not with nohz_full */
}

/* No new events of this target; its links are to go, unless others use them. Returns whether others do. */
static bool release_target(struct tracer *t, int target_id, struct links *gone)
{
	struct traced *s = &t->traced[target_id];
	struct file_links *file = s->file;

	for (size_t i = 0; i < s->nr_vm_links; i++)
		gone->v[gone->n++] = s->vm_links[i];
	s->nr_vm_links = 0;
	take_families(gone, &s->links);
	s->attached = false;
	s->file = NULL;
	if (!file)
		return false;
	if (--file->users)
		return true;
	take_families(gone, &file->links);
	return false;
}

static size_t links_of(const struct traced *s)
{
	return count_links(&s->links) + s->nr_vm_links + (s->file ? count_links(&s->file->links) : 0);
}

void tracer_detach(struct tracer *t, const int *target_ids, size_t n)
{
	struct links gone = {0};
	bool shared = false;
	size_t most = 1;

	for (size_t i = 0; i < n; i++) {
		struct target_state state;

		if (!t->traced[target_ids[i]].attached)
			continue;
		tracer_close_gate(t, target_ids[i]);
		if (!state_of(t, target_ids[i], &state))
			forget_tgid(t, target_ids[i], state.tgid);
		most += links_of(&t->traced[target_ids[i]]);
	}
	gone.v = calloc(most, sizeof(*gone.v));
	if (!gone.v)
		return; /* all goes with the process */
	for (size_t i = 0; i < n; i++)
		if (t->traced[target_ids[i]].attached)
			shared |= release_target(t, target_ids[i], &gone);
	links_destroy(gone.v, gone.n);
	free(gone.v);
	if (shared)
		tracer_settle(); /* a shared probe stays */
}

bool tracer_execed(struct tracer *t, int target_id)
{
	struct target_state state;

	return !state_of(t, target_id, &state) && state.gate == GATE_EXECED;
}

size_t tracer_probes(const struct tracer *t, int target_id)
{
	const struct traced *s = &t->traced[target_id];
	size_t n = 0;

	for (unsigned f = 0; f < NR_LINK_GROUPS; f++)
		n += s->families >> f & 1 ? s->sites_of[f] : 0;
	return n;
}
