/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "run/target.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "judge/findings.h"
#include "proc/linker.h"
#include "view/format.h"

#define MAX_ANCHORS (1 << 14) /* as there is room for (bpf/books/pins.bpf.h) */
/* To read the classes of what was there at attach, in each report until all are read. */
#define CLASS_BUDGET_MS 50
/* Times the mappings are read at once, when libraries are closed meanwhile. */
#define MAX_CODE_READS 4

int target_new(pid_t pid, struct target **out, struct error *err)
{
	struct target *t = calloc(1, sizeof(*t));
	char what[64];
	int rc;

	snprintf(what, sizeof(what), "trace PID %d", pid);
	if (!t)
		return error_set(err, -ENOMEM, EXIT_FAILED, what, NULL, "out of memory");
	t->pidfd = t->slot = -1;
	/* The fd first: if the pid still is the same process afterwards, it was all along. */
	t->pidfd = syscall(SYS_pidfd_open, pid, 0);
	rc = t->pidfd < 0 ? -errno : proc_id_read(pid, &t->id);
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
	account_free(t->account);
	local_refs_free(&t->locals);
	vm_locals_free(&t->local_look.vm);
	symbols_free(t->symbols);
	code_free(t->code);
	opening_close(&t->at);
	aggregate_free(t->aggregate);
	naming_free(t->naming);
	free(t->report.sites.v);
	free(t->report.libraries.v);
	findings_free(&t->report);
	free(t);
}

static void fill_report(struct target *t)
{
	t->report.target = (struct report_target){
	    .pid = t->id.pid,
	    .start_time_ticks = t->id.start_time_ticks,
	    .comm = t->id.comm,
	    .vm = t->at.file.runtime->shown,
	    .vm_version = vm_version(t->at.vm),
	    .library = t->at.file.mapping.path,
	    .build_id = elf_build_id(t->at.file.elf),
	};
}

/* Its sites, by the runtime's file and, where it could be understood, its memory. */
static int resolve_sites(struct target *t, const struct options *o, struct error *err)
{
	struct site_request req = {
	    .pid = t->id.pid,
	    .catalog = o->catalog,
	    .file = &t->at.file,
	    .vm = t->at.vm,
	    .families = o->families,
	    .no_releases = o->count_only,
	    .only_strategy = o->strategy,
	};
	int rc = sites_resolve(&req, &t->sites, err);

	if (!rc && o->verbose && t->sites.notes.n)
		fputs(t->sites.notes.p, stderr);
	return rc;
}

int target_find(struct target *t, const struct options *o, struct error *err)
{
	char what[64];
	int rc;

	t->verbose = o->verbose;
	t->hidden_frames = o->hidden_frames;
	t->report.count_only = o->count_only;
	t->plan.families = o->families;
	t->report.catalog = o->catalog;
	snprintf(what, sizeof(what), "trace PID %d", t->id.pid);
	opening_close(&t->at);
	rc = opening_look(&t->at, &t->id, NULL, t->libraries, what, err);
	if (rc == -EAGAIN)
		return 0; /* it may load a runtime yet */
	if (rc)
		return rc;
	if (!t->at.vm && o->verbose && !t->at.starting)
		error_print(&t->at.vm_why); /* its symbols may still serve */
	rc = t->at.starting ? -EAGAIN : resolve_sites(t, o, err);
	if (rc == -EAGAIN && process_age(&t->id) != AGE_SETTLED) /* its VM is just starting */
		return 0;
	if (rc == -EAGAIN)
		return error_set(err, rc, EXIT_NO_TARGET, what, "-v tells more", "%s",
				 t->at.vm_why.why[0] ? t->at.vm_why.why : "its VM has no Java thread");
	if (rc)
		return rc;
	proc_id_read(t->id.pid, &t->id); /* exec gave it another name */
	fill_report(t);
	t->state = TARGET_FOUND;
	return 0;
}

/* Classes unloaded until now, as the probes saw: for struct vm_unloads. */
static int unloads_now(void *target, uint64_t class_id, uint64_t *n, uint64_t *last)
{
	const struct target *t = target;

	return tracer_unloads(t->tracer, t->slot, class_id, n, last);
}

/* Get managed frames walked and named, when the VM is known and far enough; else stacks have native frames
 * only.
 */
static void plan_walk(struct target *t, struct tracer *tracer)
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
			t->tracer = tracer;
			symbols_set_vm(t->symbols, t->at.vm, t->hidden_frames);
		}
	}
}

/* Hand to the kernel what has become known. */
static int apply_plan(struct target *t, struct tracer *tracer)
{
	char path[PATH_MAX] = "";
	int rc = 0;

	if (t->plan.walk.state == PLAN_READY || t->plan.waits.state == PLAN_READY)
		rc = proc_mapping_path(t->id.pid, &t->at.file.mapping, path, sizeof(path));
	return rc ?: tracer_apply(tracer, t->slot, t->id.pid, path, &t->plan);
}

/*
 * Tell the probes what they must know of the runtime, as far as it is known now. What is not known yet is
 * tried again when the mappings are read anew.
 */
static int tell_plan(struct target *t, struct tracer *tracer)
{
	bool refused = t->plan.walk.state == PLAN_NEVER;
	int rc;

	plan_walk(t, tracer);
	if (t->plan.families & catalog_families(t->report.catalog, KINDS_OF_PINS))
		vm_plan_objects(t->at.vm, &t->plan);
	if (t->plan.families >> FAMILY_CRITICAL & 1)
		vm_plan_waits(t->at.vm, &t->plan);
	rc = apply_plan(t, tracer);
	if (!refused && t->plan.walk.state == PLAN_NEVER && t->verbose)
		warn("PID %d: %s", t->id.pid, t->plan.walk.why);
	return rc;
}

/* Have the tracer told when libraries come and go. */
static void watch_linker(struct target *t, struct tracer *tracer)
{
	struct linker linker = {0};
	const struct mapping *m = NULL;
	char path[PATH_MAX];
	int rc = linker_find(t->id.pid, &linker);

	if (!rc)
		m = proc_maps_find(&t->at.maps, linker.call_at);
	if (!rc && (!m || !m->executable || !m->ino))
		rc = -ENOENT;
	rc = rc ?: proc_mapping_path(t->id.pid, m, path, sizeof(path));
	rc = rc
		 ?: tracer_set_linker(tracer, t->slot, t->id.pid, path, linker.call_at - m->start + m->offset,
				      linker.debug_at);
	if (rc && t->verbose)
		warn("PID %d: cannot watch its dynamic linker (%s): where a library is closed and another "
		     "comes in its place, native frames may be wrong until the next interval",
		     t->id.pid, strerror(-rc));
}

/*
 * Read where the code is, for the walker and for names. 0, -ESRCH (it is gone), -EAGAIN (libraries were
 * closed meanwhile) or -errno.
 */
static int read_code(struct target *t, struct tracer *tracer, const struct unwind_moment *now)
{
	struct proc_maps maps = {0};
	struct layout *layout = NULL;
	int rc = proc_id_alive(&t->id) ? proc_maps_read(t->id.pid, &maps) : -ESRCH;

	if (!rc && (!maps.n || tracer_execed(tracer, t->slot))) /* gone, or another program's */
		rc = -ESRCH;
	rc = rc ?: code_read(t->code, &maps, unwind_moment_closed(now), &layout);
	rc = rc ?: tracer_set_code(tracer, t->slot, t->code, layout, now);
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
static int read_code_anew(struct target *t, struct tracer *tracer)
{
	int rc = -EAGAIN;

	for (int i = 0; rc == -EAGAIN && i < MAX_CODE_READS; i++) {
		struct unwind_moment now = tracer_code_now(tracer, t->slot);

		rc = read_code(t, tracer, &now);
	}
	t->code_changed |= rc == -EAGAIN; /* it goes on closing libraries: when it is looked at next */
	return rc == -EAGAIN ? 0 : rc;
}

/* Can objects be read now? */
static bool reads_objects(struct target *t)
{
	struct error why = {0};

	return proc_id_alive(&t->id) && !vm_open_objects(t->at.vm, &why);
}

/* What a thread got in a native method that runs already we have not seen. */
static void note_before(struct target *t, struct tracer *tracer)
{
	struct frame_anchor *anchors;
	size_t n;

	if (!(t->plan.families >> FAMILY_CRITICAL & 1) || t->plan.walk.state != PLAN_DONE)
		return;
	anchors = calloc(MAX_ANCHORS, sizeof(*anchors));
	n = anchors ? vm_anchors(t->at.vm, &t->plan.walk, anchors, MAX_ANCHORS) : 0;
	if (n > 0 && n < MAX_ANCHORS) /* else they are not all, or not known */
		tracer_set_before(tracer, t->slot, anchors, n);
	free(anchors);
}

int target_attach(struct target *t, struct tracer *tracer, struct error *err)
{
	char path[PATH_MAX], what[64];
	int rc, slot;

	snprintf(what, sizeof(what), "attach to PID %d", t->id.pid);
	rc = proc_mapping_path(t->id.pid, &t->at.file.mapping, path, sizeof(path));
	rc = rc ?: code_new(t->modules, &t->id, &t->code);
	rc = rc ?: symbols_new(t->code, &t->symbols);
	rc = rc ?: naming_new(t->report.catalog, t->symbols, &t->naming);
	rc = rc ?: aggregate_new(t->report.catalog, &t->aggregate);
	if (rc)
		return error_set(err, rc, EXIT_FAILED, what, NULL, "%s", strerror(-rc));
	slot = tracer_attach(tracer, &t->id, path, &t->sites, err);
	if (slot < 0)
		return slot;
	t->slot = slot;
	rc = tell_plan(t, tracer);
	watch_linker(t, tracer);
	rc = rc ?: read_code_anew(t, tracer);
	return rc ? error_set(err, rc, EXIT_FAILED, what, NULL, "%s", strerror(-rc)) : 0;
}

/* Where the VM keeps its threads and references. What cannot be proven yet is told later. */
static int tell_threads(struct target *t, struct tracer *tracer)
{
	vm_plan_threads(t->at.vm, &t->plan);
	return apply_plan(t, tracer);
}

void target_look(struct target *t, struct tracer *tracer)
{
	uint32_t tick;

	if (!t->at.vm || tracer_execed(tracer, t->slot))
		return;
	vm_counts(t->at.vm, &t->vm_counts);
	tell_threads(t, tracer);
	if (t->account && !tracer_tick(tracer, &tick))
		account_look(t->account, tick); /* what could not be seen stays as it was known */
}

/*
 * Tell the probes which threads native code has attached already, so that their detaching is no news. Where
 * the VM does not say who attached a thread, it may be any.
 */
static int tell_attached(struct target *t, struct tracer *tracer)
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
	rc = rc ?: tids ? tracer_set_attached(tracer, t->slot, tids, n) : -ENOMEM;
	free(tids);
	free(own.v);
	free(vm.v);
	return rc;
}

int target_start(struct target *t, struct tracer *tracer, struct error *err)
{
	int rc;

	vm_counts(t->at.vm, &t->vm_counts); /* where the tables are is proven now, and only read below */
	rc = tell_threads(t, tracer);
	rc = rc ?: tell_attached(t, tracer);
	rc = rc ?: tracer_open_gate(tracer, t->slot);
	note_before(t, tracer);
	if (!rc && t->at.vm && !t->report.count_only)
		rc = account_new(t->at.vm, &t->account);
	if (rc)
		return error_set(err, rc, EXIT_FAILED, "start counting", NULL, "%s", strerror(-rc));
	t->started_ns = clock_ns(CLOCK_MONOTONIC);
	target_look(t, tracer);
	t->report.nr_probes = tracer_probes(tracer, t->slot);
	t->report.map_bytes = tracer_map_bytes(tracer);
	t->state = TARGET_TRACED;
	return 0;
}

static bool is_held(const void *tracer, const struct snapshot_ref *ref)
{
	return tracer_holds(tracer, ref);
}

/* Look at the VM's local references. still: the gate is closed. */
static void look_at_locals(struct target *t, struct tracer *tracer, bool still)
{
	struct local_look *look = &t->local_look;
	int rc;

	vm_locals_free(&look->vm);
	*look = (struct local_look){.of = t->at.vm, .still = still, .holds = is_held, .store = tracer};
	if (!(t->plan.families >> FAMILY_LOCAL & 1) || !t->at.vm || t->locals_refused ||
	    tracer_tick(tracer, &look->tick))
		return;
	rc = vm_locals(t->at.vm, &look->vm);
	look->known = rc == 0;
	t->locals_refused = rc == -EPROTO || rc == -EOPNOTSUPP;
	if (t->locals_refused && t->verbose)
		warn("PID %d: which local references are alive is not known: its tables do not tell where "
		     "they are",
		     t->id.pid);
}

void target_stop(struct target *t, struct tracer *tracer, enum end_reason reason)
{
	/* Now: what is released when the gate is closed goes unseen, and removing the probes takes long. */
	if (!end_is_gone(reason))
		target_look(t, tracer);
	t->stopped_ns = clock_ns(CLOCK_MONOTONIC);
	if (t->slot >= 0)
		tracer_close_gate(tracer, t->slot);
	/* Which local references are alive now, before others take their slots unseen. */
	if (!end_is_gone(reason))
		look_at_locals(t, tracer, true);
	t->end_reason = reason;
	t->state = TARGET_ENDED;
}

/* Keep the walker and the symbols up to date while the process lives. */
static void refresh_maps(struct target *t, struct tracer *tracer)
{
	struct unwind_moment now = tracer_code_now(tracer, t->slot);

	/* What was closed is still needed to name stacks: target_code() will come. */
	if (!proc_id_alive(&t->id) || unwind_moment_closed(&now) || read_code(t, tracer, &now))
		return;
	vm_frames_refresh(t->at.vm);
	tell_plan(t, tracer);
}

/* What the outstanding references point to; NULL: not looked at, or not known. */
static const struct ref_classes *read_classes(struct target *t, const struct snapshot *snapshot,
					      const struct options *o)
{
	if (o->count_only || (!(o->view.format->needs & FORMAT_CLASSES) && o->view.group_by != GROUP_CLASS))
		return NULL;
	return ref_classes_read(t->at.vm, snapshot, &t->classes) == 0 ? &t->classes : NULL;
}

bool target_code_changed(struct target *t, struct tracer *tracer)
{
	if (t->slot >= 0 && tracer_code_changed(tracer, t->slot))
		t->code_changed = true;
	return t->code_changed;
}

int target_code(struct target *t, struct tracer *tracer, const struct snapshot *snapshot, struct error *err)
{
	struct unwind_moment now = tracer_code_now(tracer, t->slot);
	int rc = 0;

	t->code_changed = false;

	if (unwind_moment_closed(&now)) {
		vm_frames_refresh(t->at.vm);
		rc = naming_update(t->naming, snapshot);
		rc = rc ?: read_code_anew(t, tracer);
	} else {
		rc = read_code(t, tracer, &now);
	}
	rc = rc == -ENOMEM ? rc : 0; /* what else fails is tried again */
	return rc ? error_set(err, rc, EXIT_FAILED, "name the call sites", NULL, "%s", strerror(-rc)) : 0;
}

/* Which local references of the snapshot are alive; NULL: not known. */
static const struct local_refs *read_locals(struct target *t, struct tracer *tracer,
					    const struct snapshot *snapshot, struct corrections *found)
{
	struct local_look *look = &t->local_look;
	int64_t *total = &t->report.families[FAMILY_LOCAL].vm_total;

	if (end_is_gone(t->end_reason))
		look->known = look->gone = true;
	else if (!t->stopped_ns)
		look_at_locals(t, tracer, false);
	/* Its total changes with every native call: of a process that has gone the last one says nothing. */
	*total = look->known && !look->gone && look->vm.complete ? (int64_t)look->vm.live : -1;
	if (local_refs_read(look, snapshot, &t->locals, found) < 0)
		return NULL;
	return look->known ? &t->locals : NULL;
}

/* Free the places of dead local references: from the next snapshot on they are counted as died. */
static void bury(struct target *t, struct tracer *tracer, const struct snapshot *s,
		 const struct corrections *found)
{
	if (t->local_look.gone || t->local_look.still) /* nobody will ask again */
		return;
	for (size_t i = 0; i < found->n; i++) {
		const struct snapshot_ref *ref = &s->refs.v[found->v[i].ref];

		if (found->v[i].kind == REF_DEAD)
			tracer_bury(tracer, ref, snapshot_site_of(s, ref->site)->func);
	}
}

/* Hold the snapshot against the VM's tables, and put it right. Which local references are alive: see
 * read_locals(). 0 or -ENOMEM. */
static int reconcile(struct target *t, struct tracer *tracer, struct snapshot *s,
		     struct target_counts *counts, const struct local_refs **locals)
{
	struct corrections found = {0};
	int rc = 0;

	*locals = t->plan.families >> FAMILY_LOCAL & 1 ? read_locals(t, tracer, s, &found) : NULL;
	if (t->account)
		rc = account_compare(t->account, s, &found);
	bury(t, tracer, s, &found);
	corrections_apply(&found, s, counts);
	corrections_free(&found);
	return rc;
}

/*
 * What could not be named while the process lived is a drop. What it did in its last moments dies with it,
 * and is no fault of anybody: that is told by the stacks that are incomplete.
 */
static void count_unnamed(struct target *t)
{
	if (proc_id_alive(&t->id))
		t->java_unnamed = vm_frames_unnamed(t->at.vm);
}

int target_name(struct target *t, struct tracer *tracer, const struct snapshot *snapshot, struct error *err)
{
	int rc;

	if (!naming_lacks(t->naming, snapshot)) /* the new ones are another target's */
		return 0;
	refresh_maps(t, tracer);
	rc = naming_update(t->naming, snapshot);
	count_unnamed(t);
	return rc ? error_set(err, rc, EXIT_FAILED, "name the call sites", NULL, "%s", strerror(-rc)) : 0;
}

/* A release that is seen late, when its handle comes again, is in neither count for a moment. */
static void keep_missed(struct target_counts *counts, const struct report *last)
{
	if (counts->drops[DROP_RELEASE_MISSED] < last->drops[DROP_RELEASE_MISSED])
		counts->drops[DROP_RELEASE_MISSED] = last->drops[DROP_RELEASE_MISSED];
}

int target_reading(struct target *t, struct tracer *tracer, struct snapshot *snapshot, struct error *err)
{
	struct corrections found = {0};
	struct target_counts counts;
	struct aggregate_input in = {
	    .snapshot = snapshot,
	    .names = naming_sites(t->naming),
	    .elapsed_s = (clock_ns(CLOCK_MONOTONIC) - t->started_ns) / 1e9,
	};
	int rc = tracer_counts(tracer, t->slot, &counts, err);

	if (rc)
		return rc;
	if (t->account)
		rc = account_compare(t->account, snapshot, &found);
	corrections_apply(&found, snapshot, &counts);
	corrections_free(&found);
	rc = rc ?: aggregate_reading(t->aggregate, &in);
	return rc ? error_set(err, rc, EXIT_FAILED, "judge the call sites", NULL, "%s", strerror(-rc)) : 0;
}

int target_report(struct target *t, struct tracer *tracer, struct snapshot *snapshot, const struct options *o,
		  struct error *err)
{
	bool objects = false;
	struct target_counts counts;
	double cost_ns[NR_ALL_FUNCS];
	struct aggregate_input in = {
	    .snapshot = snapshot,
	    .counts = &counts,
	    .names = naming_sites(t->naming),
	    .families = o->families,
	    .cost_ns = cost_ns,
	    .final = t->state == TARGET_ENDED,
	    .elapsed_s = ((t->stopped_ns ?: clock_ns(CLOCK_MONOTONIC)) - t->started_ns) / 1e9,
	};
	struct findings_input findings;
	struct report *r = &t->report;
	int rc = tracer_counts(tracer, t->slot, &counts, err);

	if (rc)
		return rc;
	tracer_costs(tracer, t->slot, cost_ns);
	if (t->stopped_ns && snapshot->monotonic_ns > t->stopped_ns)
		in.late_s = (snapshot->monotonic_ns - t->stopped_ns) / 1e9;
	rc = reconcile(t, tracer, snapshot, &counts, &in.locals);
	keep_missed(&counts, r);
	if (!end_is_gone(t->end_reason)) {
		refresh_maps(t, tracer);
		objects = reads_objects(t);
		in.classes = objects ? read_classes(t, snapshot, o) : NULL;
	}
	/* After the process has gone its last known totals stand. */
	if (t->vm_counts.known) {
		r->families[FAMILY_GLOBAL].vm_total = t->vm_counts.n[VM_GLOBAL];
		r->families[FAMILY_WEAK].vm_total = t->vm_counts.n[VM_WEAK];
	}
	rc = rc ?: naming_update(t->naming, snapshot);
	rc = rc ?: aggregate_update(t->aggregate, &in, r);
	if (!rc && t->account && account_report(t->account, objects ? CLASS_BUDGET_MS : 0, r) == -ENOMEM)
		rc = -ENOMEM;
	findings = (struct findings_input){
	    .names = in.names,
	    .snapshot = snapshot,
	    .checking = o->check,
	    .exited = in.final && t->end_reason == END_EXITED,
	    .hold_s = o->hold_s,
	    .no_waits = t->plan.waits.why,
	    .collector_waits = t->plan.waits.collector,
	};
	rc = rc ?: findings_update(&findings, r);
	if (rc)
		return error_set(err, rc, EXIT_FAILED, "name the call sites", NULL, "%s", strerror(-rc));
	count_unnamed(t);
	r->drops[DROP_JAVA_UNNAMED] += t->java_unnamed;
	r->end_reason = in.final ? t->end_reason : NOT_ENDED;
	r->time_unix_s = clock_ns(CLOCK_REALTIME) / 1e9;
	r->self_cpu_pct = -1;
	t->seen = true;
	return 0;
}
