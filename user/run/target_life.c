/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A target from when it is found to its end. See target.h. */
#include "run/target_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "bpf/border/unwind.h"
#include "judge/findings.h"
#include "proc/foreign.h"
#include "proc/linker.h"
#include "run/env_owners.h"
#include "view/format.h"

#define MAX_ANCHORS (1 << 14) /* as there is room for (bpf/books/pins.bpf.h) */
/* Times the mappings are read at once, when libraries are closed meanwhile. */
#define MAX_CODE_READS 4

int target_new(pid_t pid, bool asked_for, const struct target_shared *shared, struct target **out,
	       struct error *err)
{
	struct target *t = calloc(1, sizeof(*t));
	char what[64];
	int rc;

	snprintf(what, sizeof(what), "trace PID %d", pid);
	if (!t)
		return error_set(err, -ENOMEM, EXIT_FAILED, what, NULL, "out of memory");
	t->pidfd = t->target_id = -1;
	t->asked_for = asked_for;
	t->shared = shared;
	t->o = shared->options;
	t->plan.families = shared->families;
	t->report.catalog = t->o->catalog;
	t->report.count_only = t->o->count_only;
	/* The fd first: if the pid still is the same process afterwards, it was all along. */
	t->pidfd = syscall(SYS_pidfd_open, pid, 0);
	rc = t->pidfd < 0 ? -errno : proc_id_read(pid, &t->id);
	rc = rc ?: share_new(shared->budget, &t->share);
	if (rc) {
		target_free(t);
		return error_set(err, rc, EXIT_NO_TARGET, what, "see jps or pgrep java", "%s",
				 rc == -ESRCH || rc == -ENOENT ? "no such process" : strerror(-rc));
	}
	for (int f = 0; f < NR_FAMILIES; f++)
		t->report.families[f].vm_total = -1;
	*out = t;
	return 0;
}

void target_free(struct target *t)
{
	if (!t)
		return;
	if (t->pidfd >= 0)
		close(t->pidfd);
	sites_free(&t->sites);
	ref_classes_free(&t->classes);
	weak_objects_free(&t->weak);
	ref_classes_free(&t->kept.classes);
	strset_free(&t->kept.names);
	account_free(t->account);
	local_refs_free(&t->locals);
	left_books_free(t->left);
	free(t->inside.v);
	vm_locals_free(&t->local_look.vm);
	vm_locals_free(&t->push_look.vm);
	symbols_free(t->symbols);
	code_free(t->code);
	target_pairs_close(t);
	opening_close(&t->at);
	aggregate_free(t->aggregate);
	naming_free(t->naming);
	share_put(t->share);
	free(t->report.sites.v);
	free(t->report.libraries.v);
	free(t->report.refusals.v);
	findings_free(&t->report);
	foreign_forget(t->id.pid);
	free(t);
}

static void fill_report(struct target *t)
{
	const struct vm_file *file = t->at.file.runtime ? &t->at.file : t->pair_files;

	t->report.target = (struct report_target){
	    .pid = t->id.pid,
	    .start_time_ticks = t->id.start_time_ticks,
	    .comm = t->id.comm,
	    .vm = t->at.file.runtime ? t->at.file.runtime->shown : NULL,
	    .vm_version = vm_version(t->at.vm),
	    .library = file->mapping.path,
	    .build_id = elf_build_id(file->elf),
	};
	who_tell(&t->who, &t->report.target);
}

/* Those that are in other files than the runtime's. 0 or -ENOMEM. */
static int add_pairs(struct probe_sites *to, const struct probe_sites *from)
{
	for (size_t i = 0; i < from->n; i++) {
		struct probe_site *place = from->v[i].file ? VEC_ADD(to) : NULL;

		if (place)
			*place = from->v[i];
		else if (from->v[i].file)
			return -ENOMEM;
	}
	return 0;
}

/* Sites also of families of its runtime that may be switched on; what none of the others has is no loss. */
static void resolve_switchable(struct target *t, struct site_request *req)
{
	struct probe_sites all = {0};
	struct error ignored = {0};

	req->families |= t->shared->switchable & runtime_families(t->at.file.runtime, t->o->catalog);
	if (sites_resolve(req, &all, &ignored))
		return;
	if (add_pairs(&all, &t->sites)) {
		sites_free(&all);
		return;
	}
	all.missing = t->sites.missing;
	all.whole = t->sites.whole;
	all.catalog = t->o->catalog;
	sites_free(&t->sites);
	t->sites = all;
}

/* Its sites, by the runtime's file and, where it could be understood, its memory. */
static int resolve_sites(struct target *t, struct error *err)
{
	const struct options *o = t->o;
	struct site_request req = {
	    .pid = t->id.pid,
	    .catalog = o->catalog,
	    .file = &t->at.file,
	    .vm = t->at.vm,
	    .families = t->plan.families,
	    .no_releases = o->count_only,
	    .only_strategy = o->strategy,
	};
	int rc = 0;

	if (!o->pairs || target_traces_runtime(t))
		rc = sites_resolve(&req, &t->sites, err);
	rc = rc ?: target_pairs_resolve(t, err);
	if (!rc && o->verbose && t->sites.notes.n)
		fputs(t->sites.notes.p, stderr);
	if (!rc && t->shared->switchable && t->at.file.runtime)
		resolve_switchable(t, &req);
	return rc;
}

int target_find(struct target *t, struct error *err)
{
	const struct options *o = t->o;
	char what[64];
	int rc;

	snprintf(what, sizeof(what), "trace PID %d", t->id.pid);
	target_pairs_close(t);
	opening_close(&t->at);
	budget_pay(t->shared->budget, t->share);
	if (o->pairs && !o->runtime)
		rc = opening_look_at_any(&t->at, &t->id, t->shared->images, t->held, what, err);
	else
		rc = opening_look(&t->at, &t->id, runtime_by_name(o->runtime), t->shared->images, t->held,
				  what, err);
	if (rc == -EAGAIN)
		return 0; /* it may load a runtime yet */
	if (rc)
		return rc;
	if (!t->at.vm && t->at.file.runtime && o->verbose && !t->at.starting)
		error_print(&t->at.vm_why); /* its symbols may still serve */
	t->plan.families = t->shared->families & runtime_families(t->at.file.runtime, o->catalog);
	rc = t->at.starting ? -EAGAIN : resolve_sites(t, err);
	t->lacks_libraries = rc == -ENXIO;
	if (rc == -ENXIO) {
		sites_free(&t->sites);
		*err = (struct error){0};
		return 0; /* it may load one of them yet */
	}
	if (rc == -EAGAIN && process_age(&t->id) != AGE_SETTLED) /* its VM is just starting */
		return 0;
	if (rc == -EAGAIN)
		return error_set(err, rc, EXIT_NO_TARGET, what, "-v tells more", "%s",
				 t->at.vm_why.why[0] ? t->at.vm_why.why : "its VM has no Java thread");
	if (rc) {
		target_pairs_close(t);
		return error_set(err, rc, EXIT_FAILED, what, NULL, "%s", strerror(-rc));
	}
	proc_id_read(t->id.pid, &t->id); /* exec gave it another name */
	who_read(t->id.pid, t->o->podinfo, &t->who);
	t->root = owners_root(t->id.pid);
	fill_report(t);
	t->state = TARGET_FOUND;
	return 0;
}

/* Classes unloaded until now, as the probes saw: for struct vm_unloads. */
static int unloads_now(void *target, uint64_t class_id, uint64_t *n, uint64_t *last)
{
	const struct target *t = target;

	return tracer_unloads(t->tracer, t->target_id, class_id, n, last);
}

/* Get managed frames walked and named, when the VM is known and far enough; else stacks have native frames
 * only.
 */
static void plan_walk(struct target *t)
{
	const struct vm_unloads unloads = {unloads_now, t};
	struct plan_walk *p = &t->plan.walk;
	enum plan_state before = p->state;
	struct error why = {0};

	vm_plan_walk(t->at.vm, &t->plan);
	if (before == PLAN_NOT_YET && p->state == PLAN_READY) {
		int rc = vm_name_frames(t->at.vm, p, &unloads, &why);

		if (rc) {
			p->state = PLAN_NEVER;
			snprintf(p->why, sizeof(p->why), "%s", why.why[0] ? why.why : strerror(-rc));
		} else {
			symbols_set_vm(t->symbols, t->at.vm, t->o->hidden_frames);
		}
	}
}

const char *target_frames_refused(const struct target *t)
{
	if (t->plan.walk.state == PLAN_NEVER)
		return t->plan.walk.why;
	return t->plan.scripts.state == PLAN_NEVER ? t->plan.scripts.why : NULL;
}

const char *target_language(const struct target *t)
{
	return (t->at.file.runtime ? t->at.file.runtime->language : NULL) ?: "Java";
}

/* As target_touch(), for the places of the plan. */
static int touch_places(pid_t pid, const struct target_plan *plan, int fd)
{
	const struct vm_places *all[] = {&plan->walk.frees, &plan->walk.unloads, &plan->waits.places};
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		for (size_t k = 0; !rc && k < all[i]->n; k++)
			rc = foreign_touch(pid, fd, all[i]->at[k]);
	return rc;
}

/* Hand to the kernel what has become known. */
static int apply_plan(struct target *t)
{
	char path[PROC_HELD_BYTES] = "";
	int fd = -1, rc;

	if (t->plan.walk.state == PLAN_READY || t->plan.waits.state == PLAN_READY) {
		fd = proc_hold_mapping(t->id.pid, &t->at.file.mapping, path, sizeof(path));
		if (fd < 0)
			return fd;
	}
	rc = (fd < 0 ? 0 : touch_places(t->id.pid, &t->plan, fd))
		 ?: tracer_apply(t->tracer, t->target_id, t->id.pid, path, &t->plan);
	if (fd >= 0)
		close(fd);
	return rc;
}

/*
 * Tell the probes what they must know of the runtime, as far as it is known now. What is not known yet is
 * tried again when the mappings are read anew.
 */
int target_tell_plan(struct target *t)
{
	const char *refused = target_frames_refused(t), *why;
	int rc;

	plan_walk(t);
	if (t->o->pairs)
		vm_plan_scripts(t->at.vm, &t->plan);
	if (t->plan.families & catalog_families(t->report.catalog, KINDS_OF_PINS))
		vm_plan_objects(t->at.vm, &t->plan);
	if (t->plan.families >> FAMILY_CRITICAL & 1)
		vm_plan_waits(t->at.vm, &t->plan);
	rc = apply_plan(t);
	why = target_frames_refused(t);
	if (!refused && why) {
		symbols_set_refused(t->symbols,
				    t->plan.walk.state == PLAN_NEVER ? END_JAVA_OFF : END_SCRIPT_OFF);
		if (t->o->verbose)
			warn("PID %d: %s frames are not shown: %s", t->id.pid, target_language(t), why);
	}
	return rc;
}

/* Have the tracer told when libraries come and go. */
static void watch_linker(struct target *t)
{
	struct linker linker = {0};
	const struct mapping *m = NULL;
	char path[PROC_HELD_BYTES];
	int rc = linker_find(t->id.pid, &linker), fd = -1;

	if (!rc)
		m = proc_maps_find(&t->at.maps, linker.call_at);
	if (!rc && (!m || !m->executable || !m->ino))
		rc = -ENOENT;
	if (!rc) {
		fd = proc_hold_mapping(t->id.pid, m, path, sizeof(path));
		rc = fd < 0 ? fd : foreign_touch(t->id.pid, fd, linker.call_at - m->start + m->offset);
	}
	rc = rc
		 ?: tracer_set_linker(t->tracer, t->target_id, t->id.pid, path,
				      linker.call_at - m->start + m->offset, linker.debug_at);
	if (fd >= 0)
		close(fd);
	if (rc && t->o->verbose)
		warn("PID %d: cannot watch its dynamic linker (%s): when a library is unloaded and another "
		     "is loaded in its place, native frames may be wrong until the next interval",
		     t->id.pid, strerror(-rc));
}

/*
 * Read where the code is, for the walker and for names. 0, -ESRCH (it is gone), -EAGAIN (libraries were
 * closed meanwhile) or -errno.
 */
static int read_code(struct target *t, const struct unwind_moment *now)
{
	struct proc_maps maps = {0};
	struct layout *layout = NULL;
	int rc = proc_id_alive(&t->id) ? proc_maps_read(t->id.pid, &maps) : -ESRCH;

	if (!rc && (!maps.n || tracer_execed(t->tracer, t->target_id))) /* gone, or another program's */
		rc = -ESRCH;
	rc = rc ?: code_read(t->code, &maps, unwind_moment_closed(now), &layout);
	rc = rc ?: tracer_set_code(t->tracer, t->target_id, t->code, layout, now);
	if (rc) {
		layout_put(layout);
		proc_maps_free(&maps);
		return rc;
	}
	rc = code_take(t->code, layout);
	symbols_tidy(t->symbols);
	proc_maps_free(&t->at.maps);
	t->at.maps = maps;
	return rc;
}

/* Likewise, when there are no stacks that speak of what was before. */
static int read_code_anew(struct target *t)
{
	int rc = -EAGAIN;

	for (int i = 0; rc == -EAGAIN && i < MAX_CODE_READS; i++) {
		struct unwind_moment now = tracer_code_now(t->tracer, t->target_id);

		rc = read_code(t, &now);
	}
	t->code_changed |= rc == -EAGAIN; /* it goes on closing libraries: when it is looked at next */
	return rc == -EAGAIN ? 0 : rc;
}

/* Can objects be read now? */
bool target_reads_objects(struct target *t)
{
	struct error why = {0};

	return proc_id_alive(&t->id) && !vm_open_objects(t->at.vm, &why);
}

/* What a thread got in a native method that runs already we have not seen. */
void target_note_before(struct target *t)
{
	struct frame_anchor *anchors;
	size_t n;

	if (!(t->plan.families >> FAMILY_CRITICAL & 1) || t->plan.walk.state != PLAN_DONE)
		return;
	anchors = calloc(MAX_ANCHORS, sizeof(*anchors));
	n = anchors ? vm_anchors(t->at.vm, &t->plan.walk, anchors, MAX_ANCHORS) : 0;
	if (n > 0 && n < MAX_ANCHORS) /* else they are not all, or not known */
		tracer_set_before(t->tracer, t->target_id, anchors, n);
	free(anchors);
}

/* What only the runtime knows of its code, before the mappings are read. */
static void tell_code(struct target *t)
{
	struct vm_code known;

	vm_code(t->at.vm, &known);
	code_set_runtime(t->code, known.keeps_fp_start, known.keeps_fp_end, known.generates);
}

static void tell_scripts(struct target *t)
{
	struct vm_code known;

	vm_code(t->at.vm, &known);
	tracer_set_script(t->tracer, t->target_id, known.function_info, known.generates);
}

int target_hold_files(const struct target *t, bool may_lack, struct held_files *h)
{
	size_t n = 1 + t->nr_pair_files;
	int rc = 0;

	for (h->n = 0; h->n < n && !rc; h->n += !rc) {
		const struct vm_file *file = h->n                 ? &t->pair_files[h->n - 1]
					     : t->at.file.runtime ? &t->at.file
								  : t->pair_files;

		h->fd[h->n] =
		    proc_hold_mapping(t->id.pid, &file->mapping, h->path[h->n], sizeof(h->path[h->n]));
		h->paths[h->n] = h->fd[h->n] < 0 ? NULL : h->path[h->n];
		rc = h->fd[h->n] < 0 && !(may_lack && h->n) ? h->fd[h->n] : 0;
	}
	return rc;
}

void target_let_files(struct held_files *h)
{
	for (; h->n > 0; h->n--)
		if (h->fd[h->n - 1] >= 0)
			close(h->fd[h->n - 1]);
}

/* Attach to all files that have functions of the sites. Returns its number, or -errno with err. */
static int attach_files(struct target *t, const char *what, struct error *err)
{
	struct held_files h;
	int rc = target_hold_files(t, false, &h);

	for (size_t i = 0; !rc && i < h.n; i++)
		rc = target_touch(t, i, h.fd[i]);
	rc = rc ? error_set(err, rc, EXIT_FAILED, what, NULL, "%s", foreign_why_untouched(rc))
		: tracer_attach(t->tracer, &t->id, h.paths, h.n, &t->sites,
				catalog_with_needed(t->plan.families), err);
	target_let_files(&h);
	return rc;
}

int target_attach(struct target *t, struct tracer *tracer, struct error *err)
{
	char what[64];
	int rc, target_id;

	snprintf(what, sizeof(what), "attach to PID %d", t->id.pid);
	rc = code_new(t->shared->modules, &t->id, t->share, &t->code);
	if (!rc)
		tell_code(t);
	rc = rc ?: symbols_new(t->code, &t->symbols);
	if (!rc && t->at.vm && (t->at.file.runtime->frames_script || t->at.file.runtime->plan_scripts))
		symbols_set_vm(t->symbols, t->at.vm, t->o->hidden_frames);
	rc = rc ?: naming_new(t->report.catalog, t->symbols, &t->naming);
	rc = rc ?: aggregate_new(t->report.catalog, t->shared->histories, &t->aggregate);
	if (rc)
		return error_set(err, rc, EXIT_FAILED, what, NULL, "%s", strerror(-rc));
	t->tracer = tracer;
	target_id = attach_files(t, what, err);
	if (target_id < 0)
		return target_id;
	t->target_id = target_id;
	tell_scripts(t);
	rc = target_tell_plan(t);
	watch_linker(t);
	rc = rc ?: read_code_anew(t);
	return rc ? error_set(err, rc, EXIT_FAILED, what, NULL, "%s", strerror(-rc)) : 0;
}

/* Where the VM keeps its threads and references. What cannot be proven yet is told later. */
static int tell_threads(struct target *t)
{
	vm_plan_threads(t->at.vm, &t->plan);
	return apply_plan(t);
}

void target_look(struct target *t)
{
	uint64_t cpu_ns;
	uint32_t tick;

	/* What happened since the programs closed the gate went unseen: the tables would say that it was the
	 * VM's. */
	if (!t->at.vm || tracer_execed(t->tracer, t->target_id) || target_has_overspent(t))
		return;
	vm_counts(t->at.vm, &t->vm_counts);
	tell_threads(t);
	t->tables_looked_at = !t->shared->drawn || seldom_is_due(&t->looking_at_tables);
	if (!t->account || !t->tables_looked_at || tracer_tick(t->tracer, &tick))
		return;
	seldom_begin(&t->looking_at_tables);
	cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	account_look(t->account, tick); /* what could not be seen stays as it was known */
	seldom_took(&t->looking_at_tables, clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_ns, &tables_rule);
}

/*
 * Tell the probes which threads native code has attached already, so that their detaching is no news. Where
 * the VM does not say who attached a thread, it may be any.
 */
int target_tell_attached(struct target *t)
{
	struct proc_threads own = {0};
	struct vm_threads vm = {0};
	pid_t *tids;
	size_t n = 0;
	int rc;

	if (!(t->plan.families >> FAMILY_THREAD & 1) || vm_threads(t->at.vm, &vm) < 0)
		return 0;
	rc = proc_threads(t->id.pid, &own);
	tids = calloc(own.n + 1, sizeof(*tids));
	for (size_t i = 0; tids && i < own.n; i++)
		for (size_t k = 0; k < vm.n; k++)
			if (vm.v[k].tid == own.v[i].own_tid && vm.v[k].native_attached != 0) {
				tids[n++] = own.v[i].tid;
				break;
			}
	rc = rc ?: tids ? tracer_set_attached(t->tracer, t->target_id, tids, n) : -ENOMEM;
	free(tids);
	free(own.v);
	free(vm.v);
	return rc;
}

int target_start(struct target *t, struct error *err)
{
	int rc;

	vm_counts(t->at.vm, &t->vm_counts); /* where the tables are is proven now, and only read below */
	rc = tell_threads(t);
	rc = rc ?: target_tell_attached(t);
	if (t->o->check)
		rc = rc
			 ?: env_owners_tell(t->tracer, t->target_id, t->id.pid, t->at.vm,
					    &t->plan.threads.config);
	if (t->plan.families >> FAMILY_CRITICAL & 1)
		inside_begin(t->at.vm, &t->id, &t->inside);
	target_may_spend(t);
	rc = rc ?: tracer_open_gate(t->tracer, t->target_id);
	target_note_before(t);
	if (!rc && t->plan.families >> FAMILY_LOCAL & 1)
		rc = left_books_new(&t->left);
	if (!rc && t->at.vm && !t->report.count_only)
		rc = account_new(t->at.vm, t->held, &t->account);
	if (rc)
		return error_set(err, rc, EXIT_FAILED, "start counting", NULL, "%s", strerror(-rc));
	t->started_ns = clock_ns(CLOCK_MONOTONIC);
	target_look(t);
	t->looking_at_tables = (struct seldom){0}; /* and again with the first snapshot */
	t->report.nr_probes = tracer_probes(t->tracer, t->target_id);
	t->report.map_bytes = tracer_map_bytes(t->tracer);
	t->state = TARGET_TRACED;
	return 0;
}

bool target_catch_up(struct target *t)
{
	const struct target_plan *p = &t->plan;

	if (t->state != TARGET_TRACED || !t->at.vm || !t->held || t->caught_up ||
	    tracer_execed(t->tracer, t->target_id))
		return false;
	target_look(t);
	if (p->walk.state == PLAN_NOT_YET)
		target_tell_plan(t);
	t->caught_up =
	    (p->walk.state != PLAN_NOT_YET && t->vm_counts.known) || process_age(&t->id) == AGE_SETTLED;
	return !t->caught_up;
}

static bool is_held(const void *store, const struct snapshot_ref *ref)
{
	return tracer_holds(store, ref);
}

/* Look at the VM's local references. still: the gate is closed. */
void target_look_at_locals(struct target *t, bool still)
{
	struct local_look *look = &t->local_look;
	int rc;

	vm_locals_free(&look->vm);
	*look = (struct local_look){.of = t->at.vm, .still = still, .holds = is_held, .store = t->tracer};
	if (!(t->plan.families >> FAMILY_LOCAL & 1) || !t->at.vm || t->locals_refused ||
	    tracer_tick(t->tracer, &look->tick))
		return;
	rc = vm_locals(t->at.vm, &look->vm);
	look->known = rc == 0;
	t->locals_refused = rc == -EPROTO || rc == -EOPNOTSUPP;
	if (t->locals_refused && t->o->verbose)
		warn("PID %d: local references that are alive are not known: cannot find them in the VM's "
		     "tables",
		     t->id.pid);
}

void target_stop(struct target *t, enum end_reason reason)
{
	bool over = target_has_overspent(t); /* the programs closed the gate: then it is as it was then */
	uint64_t over_ns;

	if (over && !end_is_gone(reason))
		reason = END_OVER_BUDGET;
	/* Now: what is released when the gate is closed goes unseen, and removing the probes takes long. */
	t->looking_at_tables = (struct seldom){0};
	if (!end_is_gone(reason))
		target_look(t);
	/* And what is popped then likewise: what is left behind must be known before. */
	if (!end_is_gone(reason) && !over) {
		target_look_at_locals(t, false);
		t->push_look = t->local_look;
		t->local_look.vm = (struct vm_locals){0};
	}
	t->stopped_ns = clock_ns(CLOCK_MONOTONIC);
	if (over && tracer_spends_since(t->tracer, t->target_id, &over_ns))
		t->stopped_ns = over_ns;
	if (t->target_id >= 0)
		tracer_close_gate(t->tracer, t->target_id);
	/* Which local references are alive now, before others take their slots unseen. */
	if (!end_is_gone(reason))
		target_look_at_locals(t, true);
	t->end_reason = reason;
	t->state = TARGET_ENDED;
}

/* Keep the walker and the symbols up to date while the process lives. */
void target_refresh_maps(struct target *t)
{
	struct unwind_moment now = tracer_code_now(t->tracer, t->target_id);

	/* What was closed is still needed to name stacks: target_code() will come. */
	if (!proc_id_alive(&t->id) || unwind_moment_closed(&now) || read_code(t, &now))
		return;
	vm_frames_refresh(t->at.vm);
	target_tell_plan(t);
}

/* Learn which libraries it has opened, before a stack in them is named. */
static int take_opened(struct target *t)
{
	const struct code_opened *v;
	size_t n = tracer_opened(t->tracer, t->target_id, &v);
	int rc = 0;

	for (size_t i = 0; i < n && !rc; i++)
		rc = code_opened(t->code, &v[i]);
	return rc;
}

bool target_code_changed(struct target *t)
{
	if (t->target_id >= 0 && tracer_code_changed(t->tracer, t->target_id))
		t->code_changed = true;
	return t->code_changed;
}

int target_code(struct target *t, const struct snapshot *snapshot, struct error *err)
{
	struct unwind_moment now;
	int rc = take_opened(t);

	if (rc)
		return error_set(err, rc, EXIT_FAILED, "name the call sites", NULL, "%s", strerror(-rc));
	if (!t->code_changed)
		return 0;
	t->code_changed = false;
	now = tracer_code_now(t->tracer, t->target_id);
	if (unwind_moment_closed(&now)) {
		vm_frames_refresh(t->at.vm);
		rc = naming_update(t->naming, snapshot);
		rc = rc ?: read_code_anew(t);
	} else {
		rc = read_code(t, &now);
	}
	rc = rc == -ENOMEM ? rc : 0; /* what else fails is tried again */
	target_pairs_more(t);
	return rc ? error_set(err, rc, EXIT_FAILED, "name the call sites", NULL, "%s", strerror(-rc)) : 0;
}

/*
 * What could not be named while the process lived is a drop. What it did in its last moments dies with it,
 * and is no fault of anybody: that is told by the stacks that are incomplete.
 */
void target_count_unnamed(struct target *t)
{
	if (proc_id_alive(&t->id))
		t->java_unnamed = vm_frames_unnamed(t->at.vm);
}

int target_name(struct target *t, const struct snapshot *snapshot, struct error *err)
{
	int rc;

	if (!naming_lacks(t->naming, snapshot)) /* the new ones are another target's */
		return 0;
	/* What waits for names was there when the mappings were read: of many libraries that takes long. */
	if (naming_has_new(t->naming, snapshot))
		target_refresh_maps(t);
	else
		vm_frames_refresh(t->at.vm);
	rc = naming_update(t->naming, snapshot);
	target_count_unnamed(t);
	return rc ? error_set(err, rc, EXIT_FAILED, "name the call sites", NULL, "%s", strerror(-rc)) : 0;
}

/* --- what is asked of a target ------------------------------------------------------------------- */

enum target_state_kind target_state(const struct target *t)
{
	return t->state;
}

const struct proc_id *target_id(const struct target *t)
{
	return &t->id;
}

int target_pidfd(const struct target *t)
{
	return t->pidfd;
}

void target_set_held(struct target *t, bool held)
{
	t->held = held;
}

void target_set_stops(struct target *t)
{
	t->stops = true;
}

bool target_stops(const struct target *t)
{
	return t->stops;
}

int target_lacks_libraries(const struct target *t, struct error *err)
{
	return t->state == TARGET_WAITING && t->lacks_libraries ? target_pairs_none(t, err) : 0;
}

bool target_held(const struct target *t)
{
	return t->held;
}

uint32_t target_switchable(const struct target *t)
{
	uint32_t families = 0;

	for (size_t i = 0; t->state == TARGET_TRACED && i < t->sites.n; i++)
		families |= 1U << func_family(t->o->catalog, t->sites.v[i].func);
	return families & t->shared->switchable;
}

bool target_asked_for(const struct target *t)
{
	return t->asked_for;
}

int target_number(const struct target *t)
{
	return t->target_id;
}

enum end_reason target_end_reason(const struct target *t)
{
	return t->end_reason;
}

struct report *target_report_of(struct target *t)
{
	return t->reported ? &t->report : NULL;
}

bool target_names_pending(const struct target *t)
{
	return t->naming && naming_pending(t->naming);
}

/* What --check cannot tell here, and why: else why is what is true of a VM whose threads are known. */
static void add_blind(struct probes_info *p, enum finding_kind kind, const struct plan_threads *threads,
		      bool known, const char *why)
{
	if (!known)
		p->blind[p->nr_blind++] = (struct probes_blind){
		    kind, threads->state == PLAN_NOT_YET
			      ? "where this VM keeps its threads is not known, or not yet"
			      : why};
}

struct probes_info target_probes(const struct target *t)
{
	struct probes_info p = {
	    .target = &t->report.target,
	    .library_file = t->report.target.library,
	    .sites = &t->sites,
	};
	static const char unnamed[] = "the VM's tables do not say where a thread has it";
	struct target_plan plan = {0};
	const struct thread_config *c = &plan.threads.config;

	if (!t->o->check)
		return p;
	vm_plan_threads(t->at.vm, &plan);
	add_blind(&p, FINDING_WRONG_ENV, &plan.threads, c->knows_owner, unnamed);
	add_blind(&p, FINDING_PENDING_EXCEPTION, &plan.threads, c->knows_owner && c->knows_pending, unnamed);
	add_blind(&p, FINDING_STALE_USE, &plan.threads, c->symbol_body,
		  "not among the arguments of methods, whose signatures this VM's jmethodIDs do not tell");
	return p;
}
