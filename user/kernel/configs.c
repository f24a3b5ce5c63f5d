/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the probes are told of a target: where its code and its threads are, how its VM keeps its data. */
#include "kernel/configs.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bpf/border/scripts.h"
#include "bpf/border/threads.h"
#include "bpf/border/unwind.h"

/*
 * CPU time for unwind tables. At the start all should be there before the first call counts: a JVM's own take
 * 20 ms, a hundred libraries more 200 ms; the limit is for a process that maps what takes for ever. When
 * libraries are loaded later others wait meanwhile, and what is left is made in the next ticks.
 */
#define UNWIND_START_NS 3000000000ULL
#define UNWIND_LATER_NS 60000000ULL
#define MAX_OPENED      512 /* libraries of one target between two looks */

/* Watch all of these places, or none can be relied on. */
static int watch_vm(struct tracer *t, int target_id, pid_t pid, const char *path, struct bpf_program *prog,
		    const struct vm_places *places, bool at_return)
{
	const struct uprobe_where where = {pid, path, at_return, t->use_multi};
	struct traced *s = &t->traced[target_id];

	for (size_t i = 0; i < places->n && s->nr_vm_links < ARRAY_LEN(s->vm_links); i++) {
		struct bpf_link *link = uprobe_attach(prog, &where, places->at[i], (uint64_t)target_id);

		if (!link)
			return -errno;
		s->vm_links[s->nr_vm_links++] = link;
	}
	return 0;
}

static int set_walk(struct tracer *t, int target_id, pid_t pid, const char *path, const struct plan_walk *p)
{
	struct java_config config = p->java;
	uint32_t key = target_id;
	int rc = watch_vm(t, target_id, pid, path, t->skel->progs.jt_code_freed, &p->frees, false);

	rc = rc ?: watch_vm(t, target_id, pid, path, t->skel->progs.jt_class_unloaded, &p->unloads, false);
	if (rc)
		return rc;
	config.generation = config.unloads = ++t->java_epochs << 32;
	config.unloads_class = p->unloads.at_entry;
	config.cache = p->frees.n > 0;
	return bpf_map_update_elem(bpf_map__fd(t->skel->maps.java_configs), &key, &config, BPF_ANY);
}

static int set_waits(struct tracer *t, int target_id, pid_t pid, const char *path,
		     const struct vm_places *places)
{
	int rc = watch_vm(t, target_id, pid, path, t->skel->progs.jt_stall_end, places, true);

	return rc ?: watch_vm(t, target_id, pid, path, t->skel->progs.jt_stall_begin, places, false);
}

int tracer_apply(struct tracer *t, int target_id, pid_t pid, const char *path, struct target_plan *p)
{
	uint32_t key = target_id;
	int rc = 0;

	if (p->walk.state == PLAN_READY) {
		rc = set_walk(t, target_id, pid, path, &p->walk);
		p->walk.state = rc ? PLAN_NEVER : PLAN_DONE;
		snprintf(p->walk.why, sizeof(p->walk.why), "%s", rc ? strerror(-rc) : "");
	}
	if (p->scripts.state == PLAN_READY && !bpf_map_update_elem(bpf_map__fd(t->skel->maps.script_configs),
								   &key, &p->scripts.config, BPF_ANY))
		p->scripts.state = PLAN_DONE;
	if (p->objects.state == PLAN_READY && !bpf_map_update_elem(bpf_map__fd(t->skel->maps.object_configs),
								   &key, &p->objects.config, BPF_ANY))
		p->objects.state = PLAN_DONE;
	if (p->waits.state == PLAN_READY) {
		rc = set_waits(t, target_id, pid, path, &p->waits.places);
		p->waits.state = rc ? PLAN_NEVER : PLAN_DONE;
		if (rc)
			p->waits.why = "the places where threads wait could not be probed";
	}
	if (p->threads.state != PLAN_READY)
		return 0;
	rc =
	    bpf_map_update_elem(bpf_map__fd(t->skel->maps.thread_configs), &key, &p->threads.config, BPF_ANY);
	if (!rc)
		p->threads.state = PLAN_DONE;
	return rc;
}

int tracer_unloads(const struct tracer *t, int target_id, uint64_t klass, uint64_t *n, uint64_t *last)
{
	struct java_config config = {0};
	uint32_t key = target_id, place = unloaded_place(target_id, klass);
	int rc = bpf_map_lookup_elem(bpf_map__fd(t->skel->maps.java_configs), &key, &config);

	*n = *last = config.unloads;
	if (!rc && klass && config.unloads_class)
		rc = bpf_map_lookup_elem(bpf_map__fd(t->skel->maps.unloaded), &place, last);
	return rc;
}

int tracer_set_before(struct tracer *t, int target_id, const struct frame_anchor *anchors, size_t n)
{
	struct before_key known = {.sp = JT_BEFORE_KNOWN, .target_id = (uint32_t)target_id};
	int fd = bpf_map__fd(t->skel->maps.before_native), rc = 0;

	for (size_t i = 0; i < n && !rc; i++) {
		struct before_key key = {.sp = anchors[i].sp, .target_id = (uint32_t)target_id};

		rc = bpf_map_update_elem(fd, &key, &anchors[i].pc, BPF_ANY);
	}
	return rc ?: bpf_map_update_elem(fd, &known, &(uint64_t){0}, BPF_ANY);
}

int tracer_set_attached(struct tracer *t, int target_id, const pid_t *tids, size_t n)
{
	int rc = 0;

	for (size_t i = 0; i < n && !rc; i++) {
		struct books_key key = {.target_id = (uint32_t)target_id, .tid = (uint32_t)tids[i]};
		struct thread_books b = {
		    .attached = 1,
		    .since = t->traced[target_id].monitors_since,
		    .life = __atomic_fetch_add(&t->skel->bss->lives_begun, 1, __ATOMIC_SEQ_CST),
		};

		rc = bpf_map_update_elem(bpf_map__fd(t->skel->maps.threads), &key, &b, BPF_ANY);
	}
	return rc;
}

int tracer_set_env_owners(struct tracer *t, int target_id, const uint64_t *envs,
			  const struct env_owner *owners, size_t n)
{
	int rc = 0;

	for (size_t i = 0; i < n && !rc; i++) {
		uint64_t key = ref_tag((uint32_t)target_id, envs[i]);

		rc = bpf_map_update_elem(bpf_map__fd(t->skel->maps.env_owners), &key, &owners[i], BPF_ANY);
	}
	return rc;
}

void tracer_set_script(struct tracer *t, int target_id, uint32_t function_info, bool generates)
{
	unwinder_set_script(t->unwinder, (uint32_t)target_id, function_info, generates);
}

int tracer_set_linker(struct tracer *t, int target_id, pid_t pid, const char *path, uint64_t offset,
		      uint64_t debug_at)
{
	struct vm_places place = {.at = {offset}, .n = 1};

	unwinder_set_link_debug(t->unwinder, (uint32_t)target_id, debug_at);
	return watch_vm(t, target_id, pid, path, t->skel->progs.jt_libraries, &place, false);
}

/* Keep what a target has opened. Of more than are ever asked for at once the oldest go: their frames have no
 * name, and what is opened again has a new number, which is told. */
static void keep_opened(struct tracer *t, uint32_t target_id, const struct code_opened *o)
{
	struct traced *s = &t->traced[target_id];
	struct code_opened *place;

	if (s->opened.n == MAX_OPENED) {
		s->opened.n--;
		memmove(s->opened.v, s->opened.v + 1, s->opened.n * sizeof(*o));
		unwinder_renumber_opened(t->unwinder, target_id);
	}
	place = VEC_ADD(&s->opened);
	if (place) {
		*place = *o;
		place->path[sizeof(place->path) - 1] = '\0';
	}
}

static void keep_held(struct tracer *t, const struct code_held *held)
{
	pid_t *place = VEC_ADD(&t->held);

	if (place)
		*place = (pid_t)held->pid;
}

pid_t tracer_held(struct tracer *t)
{
	pid_t first = t->held.n ? t->held.v[0] : 0;

	if (first)
		memmove(t->held.v, t->held.v + 1, --t->held.n * sizeof(*t->held.v));
	return first;
}

int tracer_hold(struct tracer *t, const char *path, uint64_t offset, int64_t debug_bytes)
{
	const struct uprobe_where where = {-1, path, false, t->use_multi};

	t->skel->data->hold_debug = (uint64_t)debug_bytes;
	t->hold_link = uprobe_attach(t->skel->progs.jt_hold, &where, offset, 0);
	return t->hold_link ? 0 : -errno;
}

void tracer_end_hold(struct tracer *t)
{
	const struct jnitrace_bpf *s = t->skel;

	/* What could not be loaded has no memory that both sides see, or but a part of it. */
	if (!s || !s->rodata || !s->bss || !s->rodata->holds || !s->bss->hold_root)
		return;
	__atomic_store_n(&t->skel->bss->hold_root, 0,
			 __ATOMIC_RELEASE); /* from here on nobody stops: is_held() */
	bpf_link__destroy(t->hold_link);
	t->hold_link = NULL;
	tracer_settle(); /* programs that run may have seen it as it was */
	tracer_code_drain(t);
}

static void keep_asked(struct tracer *t, const struct finalizer_asked *asked)
{
	struct traced *s = &t->traced[asked->key.target_id % JT_MAX_TARGETS];
	struct finalizer_asked *place = VEC_ADD(&s->asked);

	if (place)
		*place = *asked;
	s->code_changed = true;
}

bool tracer_finalizer_asked(struct tracer *t, int target_id, struct finalizer_asked *out)
{
	struct traced *s = &t->traced[target_id];

	if (!s->asked.n)
		return false;
	*out = s->asked.v[--s->asked.n];
	return true;
}

void tracer_finalizer_known(struct tracer *t, const struct finalizer_asked *asked, bool is_probed)
{
	struct finalizer f = {.closings = asked->closings,
			      .state = is_probed ? FINALIZER_PROBED : FINALIZER_REFUSED};

	bpf_map_update_elem(bpf_map__fd(t->skel->maps.finalizers), &asked->key, &f, BPF_EXIST);
}

int configs_code_changed(void *arg, void *data, size_t n)
{
	struct tracer *t = arg;
	uint32_t target_id;

	if (n < sizeof(target_id))
		return 0;
	memcpy(&target_id, data, sizeof(target_id));
	if (target_id == JT_MAX_TARGETS && n >= sizeof(struct code_held))
		keep_held(t, data);
	if (target_id == JT_FINALIZER_ASKED && n >= sizeof(struct finalizer_asked))
		keep_asked(t, data);
	if (target_id >= JT_MAX_TARGETS)
		return 0;
	if (n >= sizeof(struct code_opened))
		keep_opened(t, target_id, data);
	else
		t->traced[target_id].code_changed = true;
	return 0;
}

size_t tracer_opened(struct tracer *t, int target_id, const struct code_opened **v)
{
	size_t n = t->traced[target_id].opened.n;

	*v = t->traced[target_id].opened.v;
	t->traced[target_id].opened.n = 0;
	return n;
}

int tracer_code_fd(const struct tracer *t)
{
	return ring_buffer__epoll_fd(t->code_changes);
}

void tracer_code_drain(struct tracer *t)
{
	ring_buffer__consume(t->code_changes);
}

bool tracer_code_changed(struct tracer *t, int target_id)
{
	bool changed = t->traced[target_id].code_changed;

	t->traced[target_id].code_changed = false;
	return changed;
}

struct unwind_moment tracer_code_now(const struct tracer *t, int target_id)
{
	return unwinder_now(t->unwinder, (uint32_t)target_id);
}

int tracer_set_code(struct tracer *t, int target_id, const struct code *code, struct layout *layout,
		    const struct unwind_moment *when)
{
	uint64_t budget_ns = t->traced[target_id].counts ? UNWIND_LATER_NS : UNWIND_START_NS;
	int rc = unwinder_set_code(t->unwinder, (uint32_t)target_id, code, layout, when, budget_ns);

	return rc == -ENOSPC ? 0 : rc; /* what has no place ends its stacks, which say so */
}

void tracer_print_unwind(const struct tracer *t)
{
	struct unwind_stats s;

	unwinder_stats(t->unwinder, &s);
	warn("unwind tables of %u of %u libraries: %llu rows, %.1f MB, made in %.0f ms of CPU time", s.loaded,
	     s.modules, (unsigned long long)s.rows, (double)s.bytes / 1e6, (double)s.build_ns / 1e6);
}
