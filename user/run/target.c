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
#include "runtime/hotspot/blocks.h"
#include "runtime/hotspot/objects.h"
#include "runtime/hotspot/walk.h"
#include "view/format.h"

/* A process younger than this may still be on its way to exec java, or to load the VM. */
#define YOUNG_S 3.0
/* A VM that is older and whose tables make no sense is not starting any more. */
#define STARTING_S  30.0
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
	proc_maps_free(&t->maps);
	sites_free(&t->sites);
	ref_classes_free(&t->classes);
	account_free(t->account);
	local_refs_free(&t->locals);
	vm_locals_free(&t->local_look.vm);
	oop_reader_free(t->oops);
	elf_close(t->elf);
	symbols_free(t->symbols);
	java_symbols_free(t->java);
	hotspot_close(t->vm);
	aggregate_free(t->aggregate);
	free(t->report.sites.v);
	free(t->report.libraries.v);
	findings_free(&t->report);
	free(t->library_path);
	free(t);
}

/* Will a VM appear? A java launcher always loads one; any process may exec one while it is young. */
static bool may_become_jvm(const struct target *t)
{
	char link[64], exe[PATH_MAX];
	double age_s = proc_age_s(&t->id);
	const char *base;
	ssize_t n;

	if (age_s < YOUNG_S)
		return true;
	snprintf(link, sizeof(link), "/proc/%d/exe", t->id.pid);
	n = readlink(link, exe, sizeof(exe) - 1);
	if (n < 0)
		return false;
	exe[n] = 0;
	base = strrchr(exe, '/');
	/* A launcher that has not loaded its VM after a minute runs something else (java -version of a stub).
	 */
	return base && !strcmp(base + 1, "java") && age_s < 60;
}

static int not_a_target(struct error *err, const char *what, int rc, const char *advice, const char *why)
{
	return error_set(err, rc, EXIT_NO_TARGET, what, advice, "%s", why);
}

static int open_library(struct target *t, const struct mapping *m, const char *what, struct error *err)
{
	uint64_t vaddr;
	int rc, fd;

	t->library = *m;
	t->library_path = strdup(m->path);
	if (!t->library_path)
		return error_set(err, -ENOMEM, EXIT_FAILED, what, NULL, "out of memory");
	t->library.path = t->library_path;
	fd = proc_open_mapping(t->id.pid, m);
	rc = fd < 0 ? fd : elf_cache_open(t->libraries, fd, &t->elf);
	if (rc)
		return error_set(err, rc, EXIT_FAILED, what, NULL, "cannot read %s as mapped: %s",
				 t->library_path, strerror(-rc));
	if (!elf_offset_to_vaddr(t->elf, m->offset, &vaddr))
		return error_set(err, -ENOEXEC, EXIT_FAILED, what, NULL,
				 "%s has no segment at its mapped offset", t->library_path);
	t->bias = m->start - vaddr;
	return 0;
}

/* Forget what a look that came too early has found. */
static void reset(struct target *t)
{
	hotspot_close(t->vm);
	t->vm = NULL;
	elf_close(t->elf);
	t->elf = NULL;
	free(t->library_path);
	t->library_path = NULL;
}

static void fill_report(struct target *t)
{
	t->report.target = (struct report_target){
	    .pid = t->id.pid,
	    .start_time_ticks = t->id.start_time_ticks,
	    .comm = t->id.comm,
	    .vm = "HotSpot",
	    .vm_version = t->vm ? hotspot_version(t->vm) : "",
	    .library = t->library_path,
	    .build_id = elf_build_id(t->elf),
	};
}

/* Its sites, by the library t->elf and, where they could be read, the VM's tables. */
static int resolve_sites(struct target *t, const struct options *o, struct error *err)
{
	struct site_request req = {
	    .pid = t->id.pid,
	    .catalog = o->catalog,
	    .library = t->elf,
	    .library_path = t->library_path,
	    .bias = t->bias,
	    .vm = t->vm,
	    .families = o->families,
	    .no_releases = o->count_only,
	    .only_strategy = o->strategy,
	};
	int rc = sites_resolve(&req, &t->sites, err);

	if (!rc && o->verbose && t->sites.notes.n)
		fputs(t->sites.notes.p, stderr);
	return rc;
}

/* The process's mappings, if it can be traced at all. */
static int read_process(struct target *t, const char *what, struct error *err)
{
	int rc;

	proc_maps_free(&t->maps);
	rc = proc_id_alive(&t->id) ? proc_maps_read(t->id.pid, &t->maps) : -ESRCH;
	if (rc == -ESRCH)
		return not_a_target(err, what, rc, NULL, "it has exited");
	if (rc)
		return error_set(err, rc, rc == -EACCES || rc == -EPERM ? EXIT_PERMISSION : EXIT_FAILED, what,
				 "run as root", "cannot read its mappings: %s", strerror(-rc));
	if (t->maps.n && proc_elf_class(t->id.pid) == 1)
		return not_a_target(err, what, -ENOEXEC, "trace a 64-bit JVM",
				    "a 32-bit process, which is not supported");
	return 0;
}

int target_find(struct target *t, const struct options *o, struct error *err)
{
	bool may_wait = proc_age_s(&t->id) < STARTING_S;
	struct error vm_err = {0};
	const struct mapping *m;
	char what[64];
	int rc;

	t->verbose = o->verbose;
	t->hidden_frames = o->hidden_frames;
	t->report.count_only = o->count_only;
	t->report.catalog = o->catalog;
	t->families = o->families;
	snprintf(what, sizeof(what), "trace PID %d", t->id.pid);
	rc = read_process(t, what, err);
	if (rc)
		return rc;
	m = proc_maps_find_library(&t->maps, vm_libraries);
	if (!m && may_become_jvm(t))
		return 0;
	if (!m)
		return not_a_target(err, what, -ENOENT,
				    "name the process that runs Java: see jps or pgrep java",
				    "not a JVM, it maps no libjvm.so");
	rc = open_library(t, m, what, err);
	if (rc)
		return rc;
	rc = hotspot_open(t->id.pid, t->elf, t->bias, &t->maps, &t->vm, &vm_err);
	if (rc && o->verbose && !(rc == -EAGAIN && may_wait))
		error_print(&vm_err); /* its symbols may still serve */
	if (rc != -EAGAIN || !may_wait)
		rc = resolve_sites(t, o, err);
	if (rc == -EAGAIN && may_wait) { /* its VM is just starting */
		reset(t);
		return 0;
	}
	if (rc == -EAGAIN)
		return error_set(err, rc, EXIT_NO_TARGET, what, "-v tells more", "%s",
				 vm_err.why[0] ? vm_err.why : "its VM has no Java thread");
	if (rc)
		return rc;
	proc_id_read(t->id.pid, &t->id); /* exec gave it another name */
	fill_report(t);
	t->state = TARGET_FOUND;
	return 0;
}

/* Where in the library's file an event passes. */
static void find_places(const struct target *t, enum vm_event event, struct vm_places *out)
{
	out->n = hotspot_event_places(t->vm, event, out->at, ARRAY_LEN(out->at), &out->at_entry);
	for (size_t i = 0; i < out->n; i++)
		if (!elf_vaddr_to_offset(t->elf, out->at[i], &out->at[i]))
			out->n = 0;
}

/* Classes unloaded until now: a java_unloads_fn. */
static int unloads_now(void *target, uint64_t klass, uint64_t *n, uint64_t *last)
{
	const struct target *t = target;
	int rc;

	if (!t->java_config.unloads_at)
		return tracer_unloads(t->tracer, t->slot, klass, n, last);
	rc = proc_read(t->id.pid, t->java_config.unloads_at, n, sizeof(*n));
	*last = *n; /* nothing tells which ones they were */
	return rc;
}

/* Get Java frames walked and named, when the VM is known and far enough; else stacks have native frames only.
 */
static void start_java(struct target *t, struct tracer *tracer, const char *path)
{
	struct vm_places frees, unloads;
	struct java_config config;
	struct error why = {0};
	int rc;

	if (!t->vm || t->java || t->java_refused)
		return;
	rc = hotspot_walk(t->vm, &config, &why);
	if (!rc) {
		find_places(t, VM_CODE_FREED, &frees);
		find_places(t, VM_CLASS_UNLOADED, &unloads);
		/* An interpreted frame is known by an address that the next class may get. */
		config.unloads_at = unloads.n ? 0 : hotspot_unloads_counter(t->vm);
		if (!unloads.n && !config.unloads_at)
			rc = error_set(
			    &why, -ENOENT, EXIT_FAILED, "walk Java frames",
			    "run it without -XX:-UsePerfData, or install its debug symbols",
			    "no way to see when a class is unloaded: no symbol, no USDT probe and no "
			    "performance counters");
	}
	rc = rc ?: java_symbols_new(t->vm, unloads_now, t, &t->java, &why);
	if (!rc) {
		t->java_config = config;
		t->tracer = tracer;
		symbols_set_java(t->symbols, t->java, t->hidden_frames);
		rc = tracer_set_java(tracer, t->slot, t->id.pid, path, &config, &frees, &unloads);
	}
	t->java_refused = rc && rc != -EAGAIN;
	if (t->java_refused && t->verbose)
		warn("PID %d: %s", t->id.pid, why.why[0] ? why.why : strerror(-rc));
}

/* Have the tracer told when libraries come and go. */
static void watch_linker(struct target *t, struct tracer *tracer)
{
	struct linker linker = {0};
	const struct mapping *m = NULL;
	char path[PATH_MAX];
	int rc = linker_find(t->id.pid, &linker);

	if (!rc)
		m = proc_maps_find(&t->maps, linker.call_at);
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
	int rc = proc_id_alive(&t->id) ? proc_maps_read(t->id.pid, &maps) : -ESRCH;

	if (!rc && (!maps.n || tracer_execed(tracer, t->slot))) /* gone, or another program's */
		rc = -ESRCH;
	rc = rc ?: tracer_set_code(tracer, t->slot, &maps, now);
	rc = rc ?: symbols_refresh(t->symbols, &maps, unwind_moment_closed(now));
	if (rc) {
		proc_maps_free(&maps);
		return rc;
	}
	proc_maps_free(&t->maps);
	t->maps = maps;
	return 0;
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

/* The reader of the VM's objects, made when it is first needed. NULL: not known, or the process is gone. */
static struct oop_reader *oop_reader_of(struct target *t)
{
	struct error why = {0};
	int rc;

	if (!t->vm || t->oops_refused || !proc_id_alive(&t->id))
		return NULL;
	if (!t->oops) {
		rc = oop_reader_new(t->vm, &t->oops, &why);
		t->oops_refused = rc < 0 && rc != -EAGAIN;
	}
	return t->oops;
}

/* Have the probes tell sizes of arrays and strings, when a traced family pins them. */
static void start_objects(struct target *t, struct tracer *tracer)
{
	struct object_config config;

	if (!(t->families & catalog_families(t->report.catalog, KINDS_OF_PINS)) || t->objects_set ||
	    !oop_reader_of(t))
		return;
	hotspot_objects(t->oops, &config);
	t->objects_set = !tracer_set_objects(tracer, t->slot, &config);
}

/* Have it seen who waits for critical sections. */
static void start_waits(struct target *t, struct tracer *tracer, const char *path)
{
	struct vm_places waits = {0};
	size_t n;
	int rc;

	if (!(t->families >> FAMILY_CRITICAL & 1) || t->waits_set)
		return;
	t->waits_set = true;
	t->no_waits = "the VM's tables could not be read";
	t->collector_waits = t->vm ? hotspot_gc_waits(t->vm) : -1;
	if (t->collector_waits == 0)
		t->no_waits = NULL;
	if (!t->vm || t->collector_waits == 0)
		return;
	n = hotspot_gc_wait_places(t->vm, t->library_path, waits.at, ARRAY_LEN(waits.at), &t->no_waits);
	for (size_t i = 0; i < n; i++)
		if (elf_vaddr_to_offset(t->elf, waits.at[i], &waits.at[waits.n]))
			waits.n++;
	rc = tracer_set_stalls(tracer, t->slot, t->id.pid, path, &waits);
	if (rc)
		t->no_waits = "the places where threads wait could not be probed";
}

/* What a thread got in a native method that runs already we have not seen. */
static void note_before(struct target *t, struct tracer *tracer)
{
	struct java_anchor *anchors;
	size_t n;

	if (!(t->families >> FAMILY_CRITICAL & 1) || !t->java)
		return;
	anchors = calloc(MAX_ANCHORS, sizeof(*anchors));
	n = anchors ? hotspot_anchors(t->vm, &t->java_config, anchors, MAX_ANCHORS) : 0;
	if (n > 0 && n < MAX_ANCHORS) /* else they are not all, or not known */
		tracer_set_before(tracer, t->slot, anchors, n);
	free(anchors);
}

int target_attach(struct target *t, struct tracer *tracer, struct error *err)
{
	char path[PATH_MAX], what[64];
	int rc, slot;

	snprintf(what, sizeof(what), "attach to PID %d", t->id.pid);
	rc = proc_mapping_path(t->id.pid, &t->library, path, sizeof(path));
	rc = rc ?: symbols_new(&t->id, &t->symbols);
	rc = rc ?: aggregate_new(t->report.catalog, &t->aggregate);
	if (rc)
		return error_set(err, rc, EXIT_FAILED, what, NULL, "%s", strerror(-rc));
	slot = tracer_attach(tracer, &t->id, path, &t->sites, err);
	if (slot < 0)
		return slot;
	t->slot = slot;
	start_java(t, tracer, path);
	watch_linker(t, tracer);
	start_objects(t, tracer);
	start_waits(t, tracer, path);
	rc = read_code_anew(t, tracer);
	return rc ? error_set(err, rc, EXIT_FAILED, what, NULL, "%s", strerror(-rc)) : 0;
}

/* Where the VM keeps its threads and references. What cannot be proven yet is told later. */
static int tell_threads(struct target *t, struct tracer *tracer)
{
	struct thread_config c;

	if (t->threads_told || !t->vm || hotspot_thread_config(t->vm, &c) < 0)
		return 0; /* they do without */
	t->threads_told = c.storage_global && c.storage_weak;
	return tracer_set_threads(tracer, t->slot, &c);
}

void target_look(struct target *t, struct tracer *tracer)
{
	uint32_t tick;

	if (!t->vm || tracer_execed(tracer, t->slot))
		return;
	hotspot_counts(t->vm, &t->vm_counts);
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

	if (!(t->families >> FAMILY_THREAD & 1) || !t->vm || hotspot_threads(t->vm, &vm) < 0)
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

	if (t->vm)
		hotspot_counts(t->vm,
			       &t->vm_counts); /* where the tables are is proven now, and only read below */
	rc = tell_threads(t, tracer);
	rc = rc ?: tell_attached(t, tracer);
	rc = rc ?: tracer_open_gate(tracer, t->slot);
	note_before(t, tracer);
	if (!rc && t->vm && !t->report.count_only)
		rc = account_new(t->vm, &t->account);
	if (rc)
		return error_set(err, rc, EXIT_FAILED, "start counting", NULL, "%s", strerror(-rc));
	t->started_ns = clock_ns(CLOCK_MONOTONIC);
	target_look(t, tracer);
	t->report.nr_probes = tracer_probes(tracer, t->slot);
	t->report.map_bytes = tracer_map_bytes(tracer);
	t->state = TARGET_TRACED;
	return 0;
}

/* Look at the VM's local references. still: the gate is closed. */
static void look_at_locals(struct target *t, struct tracer *tracer, bool still)
{
	struct local_look *look = &t->local_look;
	int rc;

	vm_locals_free(&look->vm);
	*look = (struct local_look){.still = still};
	if (!(t->families >> FAMILY_LOCAL & 1) || !t->vm || t->locals_refused ||
	    tracer_tick(tracer, &look->tick))
		return;
	rc = hotspot_locals(t->vm, &look->vm);
	look->known = rc == 0;
	t->locals_refused = rc == -EPROTO;
	if (t->locals_refused && t->verbose)
		warn("PID %d: which local references are alive is not known: its tables do not tell where "
		     "they are",
		     t->id.pid);
}

void target_stop(struct target *t, struct tracer *tracer, const char *reason)
{
	/* Now: what is released when the gate is closed goes unseen, and removing the probes takes long. */
	if (!strcmp(reason, "detached"))
		target_look(t, tracer);
	t->stopped_ns = clock_ns(CLOCK_MONOTONIC);
	if (t->slot >= 0)
		tracer_close_gate(tracer, t->slot);
	/* Which local references are alive now, before others take their slots unseen. */
	if (!strcmp(reason, "detached"))
		look_at_locals(t, tracer, true);
	t->end_reason = reason;
	t->state = TARGET_ENDED;
}

/* Keep the walker and the symbols up to date while the process lives. */
static void refresh_maps(struct target *t, struct tracer *tracer)
{
	struct unwind_moment now = tracer_code_now(tracer, t->slot);
	char path[PATH_MAX];

	/* What was closed is still needed to name stacks: target_code() will come. */
	if (!proc_id_alive(&t->id) || unwind_moment_closed(&now) || read_code(t, tracer, &now))
		return;
	start_objects(t, tracer);
	if (t->java)
		java_symbols_refresh(t->java);
	else if (!proc_mapping_path(t->id.pid, &t->library, path, sizeof(path)))
		start_java(t, tracer, path);
}

/* What the outstanding references point to; NULL: not looked at, or not known. */
static const struct ref_classes *read_classes(struct target *t, struct oop_reader *oops,
					      const struct snapshot *snapshot, const struct options *o)
{
	if (!oops || o->count_only ||
	    (!(o->view.format->needs & FORMAT_CLASSES) && o->view.group_by != GROUP_CLASS))
		return NULL;
	return ref_classes_read(oops, snapshot, &t->classes) == 0 ? &t->classes : NULL;
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
		if (t->java)
			java_symbols_refresh(t->java);
		rc = aggregate_name(t->aggregate, snapshot, t->symbols);
		rc = rc ?: read_code_anew(t, tracer);
	} else {
		rc = read_code(t, tracer, &now);
	}
	rc = rc == -ENOMEM ? rc : 0; /* what else fails is tried again */
	return rc ? error_set(err, rc, EXIT_FAILED, "name the call sites", NULL, "%s", strerror(-rc)) : 0;
}

/* Which local references of the snapshot are alive; NULL: not known. */
static const struct local_refs *read_locals(struct target *t, struct tracer *tracer,
					    struct snapshot *snapshot)
{
	struct local_look *look = &t->local_look;
	int64_t *total = &t->report.families[FAMILY_LOCAL].vm_total;

	if (t->end_reason && strcmp(t->end_reason, "detached"))
		look->known = look->gone = true;
	else if (!t->stopped_ns)
		look_at_locals(t, tracer, false);
	/* Its total changes with every native call: of a process that has gone the last one says nothing. */
	*total = look->known && !look->gone && look->vm.complete ? (int64_t)look->vm.live : -1;
	if (local_refs_read(look, tracer, snapshot, &t->locals) < 0)
		return NULL;
	return look->known ? &t->locals : NULL;
}

/*
 * What could not be named while the process lived is a drop. What it did in its last moments dies with it,
 * and is no fault of anybody: that is told by the stacks that are incomplete.
 */
static void count_unnamed(struct target *t)
{
	if (t->java && proc_id_alive(&t->id))
		t->java_unnamed = java_symbols_unnamed(t->java);
}

int target_name(struct target *t, struct tracer *tracer, const struct snapshot *snapshot, struct error *err)
{
	int rc;

	if (!aggregate_lacks(t->aggregate, snapshot)) /* the new ones are another target's */
		return 0;
	refresh_maps(t, tracer);
	rc = aggregate_name(t->aggregate, snapshot, t->symbols);
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
	double elapsed_s = (clock_ns(CLOCK_MONOTONIC) - t->started_ns) / 1e9;
	struct target_counts counts;
	int rc = tracer_counts(tracer, t->slot, &counts, err);

	if (rc)
		return rc;
	if (t->account)
		rc = account_correct(t->account, snapshot, &counts);
	rc = rc ?: aggregate_reading(t->aggregate, snapshot, elapsed_s);
	return rc ? error_set(err, rc, EXIT_FAILED, "judge the call sites", NULL, "%s", strerror(-rc)) : 0;
}

int target_report(struct target *t, struct tracer *tracer, struct snapshot *snapshot, const struct options *o,
		  struct error *err)
{
	struct oop_reader *oops = NULL;
	struct target_counts counts;
	double cost_ns[NR_ALL_FUNCS];
	struct aggregate_input in = {
	    .snapshot = snapshot,
	    .counts = &counts,
	    .symbols = t->symbols,
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
	if (o->families >> FAMILY_LOCAL & 1)
		in.locals = read_locals(t, tracer, snapshot);
	if (t->account)
		rc = account_correct(t->account, snapshot, &counts);
	keep_missed(&counts, r);
	if (t->end_reason == NULL || !strcmp(t->end_reason, "detached")) {
		refresh_maps(t, tracer);
		oops = oop_reader_of(t);
		in.classes = read_classes(t, oops, snapshot, o);
	}
	/* After the process has gone its last known totals stand. */
	if (t->vm_counts.known) {
		r->families[FAMILY_GLOBAL].vm_total = t->vm_counts.global;
		r->families[FAMILY_WEAK].vm_total = t->vm_counts.weak;
	}
	rc = rc ?: aggregate_update(t->aggregate, &in, r);
	if (!rc && t->account && account_report(t->account, oops, CLASS_BUDGET_MS, r) == -ENOMEM)
		rc = -ENOMEM;
	findings = (struct findings_input){
	    .aggregate = t->aggregate,
	    .snapshot = snapshot,
	    .checking = o->check,
	    .exited = in.final && t->end_reason && !strcmp(t->end_reason, "exited"),
	    .hold_s = o->hold_s,
	    .no_waits = t->no_waits,
	    .collector_waits = t->collector_waits,
	};
	rc = rc ?: findings_update(&findings, r);
	if (rc)
		return error_set(err, rc, EXIT_FAILED, "name the call sites", NULL, "%s", strerror(-rc));
	count_unnamed(t);
	r->drops[DROP_JAVA_UNNAMED] += t->java_unnamed;
	r->end_reason = in.final ? t->end_reason : NULL;
	r->time_unix_s = clock_ns(CLOCK_REALTIME) / 1e9;
	r->self_cpu_pct = -1;
	t->seen = true;
	return 0;
}
