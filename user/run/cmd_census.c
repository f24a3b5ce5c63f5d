/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* jnitrace census. See cmd_census.h. */
#include "run/cmd_census.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "judge/census_watch.h"
#include "run/census.h"
#include "run/discover.h"
#include "run/loop.h"
#include "run/privileges.h"
#include "run/who.h"
#include "screen/output.h"
#include "view/census.h"
#include "view/format.h"

#define START_LOOK_MS 50
/* A busy VM is tried again so long before it is said to be too busy: one that was named, one of all. */
#define PATIENCE_MS     3000
#define PATIENCE_ALL_MS 80

struct jvm {
	pid_t pid;
	struct census_vm *vm; /* NULL: not open yet, or refused */
	bool refused, gone;
	bool fresh; /* census is of this interval */
	struct census census;
	struct who who; /* of one that is refused; those that are open tell it themselves */
	struct census_watch *watch;
	uint64_t first_refs;
	double first_s;
	bool first_known;
	bool known; /* anything of its tables, at any time */
};

struct censuses {
	const struct options *o;
	struct discovery *discovery; /* --all */
	struct budget *budget;       /* of what is read of libraries */
	struct elf_cache *libraries;
	struct {
		struct jvm **v;
		size_t n, cap;
	} jvms;
	struct output out;
	struct loop *loop;
	int tick;
	long done; /* readings */
	bool seen; /* at least one JVM was read */
	bool told; /* that there may be others */
};

static void jvm_free(struct jvm *j)
{
	if (!j)
		return;
	census_close(j->vm);
	census_free(&j->census);
	census_watch_free(j->watch);
	free(j);
}

static int jvm_add(struct censuses *s, pid_t pid)
{
	struct jvm *j = calloc(1, sizeof(*j)), **place;
	int rc = j ? 0 : -ENOMEM;

	if (rc == 0 && s->o->watch)
		rc = census_watch_new(&j->watch);
	place = rc == 0 ? VEC_ADD(&s->jvms) : NULL;
	if (!place) {
		jvm_free(j);
		return -ENOMEM;
	}
	j->pid = pid;
	*place = j;
	return 0;
}

/* What is known of a JVM that is refused: who it is, and why. */
static void refuse(struct jvm *j, const char *kind, const struct error *why)
{
	j->refused = true;
	j->census.target = (struct report_target){.pid = j->pid, .comm = "", .vm = kind, .vm_version = "?"};
	who_read(j->pid, &j->who);
	who_tell(&j->who, &j->census.target);
	j->census.local_refs = j->census.native_attached = j->census.gone = -1;
	j->census.growth_per_min = NAN;
	j->census.time_unix_s = (double)clock_ns(CLOCK_REALTIME) / 1e9;
	snprintf(j->census.refused, sizeof(j->census.refused), "%s", why->why);
}

/* 0: open, or waited for, or refused (with --all). */
static int jvm_open(struct censuses *s, struct jvm *j, struct error *err)
{
	struct error why = {0};
	const char *kind;
	int rc = census_open(j->pid, runtime_by_name(s->o->runtime), s->libraries, &j->vm, &kind, &why);

	if (rc == 0)
		return 0;
	if (s->o->all) {
		if (rc == -EPROTO || rc == -ENOEXEC)
			refuse(j, kind, &why);
		j->gone = !j->refused && rc != -EAGAIN;
		return rc == -ENOMEM ? rc : 0;
	}
	*err = why;
	return rc;
}

/* Of a process that is starting its VM, as long as its age lets it (run/opening.c). */
static int jvm_open_waiting(struct censuses *s, struct jvm *j, struct error *err)
{
	int rc;

	do {
		*err = (struct error){0};
		rc = jvm_open(s, j, err);
	} while (rc == -EAGAIN && !loop_pause(s->loop, START_LOOK_MS));
	return rc;
}

static int jvm_read(struct censuses *s, struct jvm *j, struct error *err)
{
	const struct census_request req = {
	    .threads = s->o->view.format->needs & FORMAT_THREADS || !s->o->all,
	    .classes = s->o->classes,
	    .budget_ms = s->o->budget_ms,
	    .patience_ms = s->o->all ? PATIENCE_ALL_MS : PATIENCE_MS,
	};
	struct error why = {0};
	int rc;

	j->fresh = false;
	if (!j->vm)
		rc = s->o->all ? jvm_open(s, j, err) : jvm_open_waiting(s, j, err);
	else
		rc = 0;
	if (rc < 0 || !j->vm) {
		j->fresh = j->refused;
		return rc;
	}
	rc = census_read(j->vm, &req, &j->census, &why);
	if (rc == -ESRCH) {
		j->gone = true;
		return 0;
	}
	if (rc == 0 && j->watch)
		rc = census_watch_add(j->watch, &j->census);
	if (rc < 0) {
		*err = why;
		return rc;
	}
	j->known |= j->census.refs_known || j->census.classes_known;
	j->fresh = s->seen = true;
	if (j->census.refs_known && !j->first_known) {
		j->first_known = true;
		j->first_refs = j->census.refs[VM_GLOBAL] + j->census.refs[VM_WEAK];
		j->first_s = j->census.elapsed_s;
	}
	return 0;
}

static int find_new_jvms(struct censuses *s)
{
	struct pid_list pids = {0};
	int rc = s->discovery ? discovery_scan(s->discovery, &pids) : 0;

	for (size_t i = 0; i < pids.n && rc == 0; i++)
		rc = jvm_add(s, pids.v[i]);
	free(pids.v);
	return rc;
}

/* --- output --- */

static double growth_per_min(const struct jvm *j)
{
	const struct census *c = &j->census;
	double span_s = c->elapsed_s - j->first_s;

	if (!j->first_known || !c->refs_known || span_s <= 0)
		return NAN;
	return ((double)(c->refs[VM_GLOBAL] + c->refs[VM_WEAK]) - (double)j->first_refs) / span_s * 60;
}

/* Fastest growing first, then those with most. */
static int compare_items(const void *a, const void *b)
{
	const struct census *x = *(const struct census *const *)a, *y = *(const struct census *const *)b;
	double gx = isnan(x->growth_per_min) ? -INFINITY : x->growth_per_min;
	double gy = isnan(y->growth_per_min) ? -INFINITY : y->growth_per_min;
	uint64_t nx = x->refs_known ? x->refs[VM_GLOBAL] + x->refs[VM_WEAK] : 0;
	uint64_t ny = y->refs_known ? y->refs[VM_GLOBAL] + y->refs[VM_WEAK] : 0;

	if (gx != gy)
		return gx < gy ? 1 : -1;
	if (nx != ny)
		return nx < ny ? 1 : -1;
	return x->target.pid - y->target.pid;
}

static int write_items(struct censuses *s, const struct census *const *items, size_t n, struct error *err)
{
	struct view_opts v;
	struct buf b = {0};

	output_view_opts(&s->out, &s->o->view, false, &v);
	s->o->view.format->census(&b, items, n, &v);
	return output_write(&s->out, &b, false, err);
}

static int show_fresh(struct censuses *s, struct error *err)
{
	const struct census **items = calloc(s->jvms.n + 1, sizeof(*items));
	size_t n = 0;
	int rc = 0;

	if (!items)
		return -ENOMEM;
	for (size_t i = 0; i < s->jvms.n; i++) {
		struct jvm *j = s->jvms.v[i];

		if (!j->fresh)
			continue;
		j->census.classes_wanted = s->o->classes;
		j->census.growth_per_min = growth_per_min(j);
		if (j->watch)
			census_watch_judge(j->watch, (double)s->o->limit, &j->census);
		items[n++] = &j->census;
	}
	qsort(items, n, sizeof(*items), compare_items);
	if (n == 0 && s->discovery && !s->told && !proc_reads_all()) {
		warn("no JVM found that this user may read (%s)", proc_access_advice());
		s->told = true;
	}
	/* an empty table of no JVM is also an answer */
	if (n > 0 || s->discovery)
		rc = write_items(s, items, n, err);
	free(items);
	return rc;
}

/* --- the loop --- */

static bool repeats(const struct options *o)
{
	return o->watch || o->interval_given || o->count > 0 || o->duration_s >= 0;
}

/* Was a JVM too busy, each time it was looked at? */
static int check_known(const struct censuses *s, struct error *err)
{
	for (size_t i = 0; i < s->jvms.n && !s->o->all; i++)
		if (!s->jvms.v[i]->known)
			return error_set(err, -EPROTO, EXIT_FAILED, "census",
					 "try again when it is less busy",
					 "PID %d: where its VM counts references could not be proven",
					 (int)s->jvms.v[i]->pid);
	return 0;
}

static int take_census(struct censuses *s, struct error *err)
{
	size_t kept = 0;
	int rc;

	/* what it reads is lost with it, and that alone */
	loop_may_abandon(s->loop, !s->o->view.format->end);
	rc = find_new_jvms(s);
	for (size_t i = 0; i < s->jvms.n && rc == 0; i++)
		rc = jvm_read(s, s->jvms.v[i], err);
	loop_may_abandon(s->loop, false);
	for (size_t i = 0; i < s->jvms.n; i++) {
		struct jvm *j = s->jvms.v[i];

		if (j->gone)
			jvm_free(j);
		else
			s->jvms.v[kept++] = j;
	}
	s->jvms.n = kept;
	if (rc == 0 && !repeats(s->o))
		rc = check_known(s, err); /* nothing to show */
	return rc < 0 ? rc : show_fresh(s, err);
}

/* A reading; ends the loop when it was the last. */
static int on_tick(void *censuses, void *what, struct error *err)
{
	struct censuses *s = censuses;
	int rc = take_census(s, err);

	(void)what;
	s->done++;
	if (rc == 0 && !s->seen && !s->discovery && s->jvms.n == 0)
		return error_set(err, -ESRCH, EXIT_NO_TARGET, "census", "see jps or pgrep java",
				 "the process has exited");
	if (!repeats(s->o) || s->done == s->o->count || (!s->discovery && s->jvms.n == 0))
		loop_end(s->loop);
	loop_skip(s->tick); /* what is late is left out, not made up for */
	return rc;
}

static int start(struct censuses *s, struct error *err)
{
	int rc;

	rc = privileges_keep(PRIVILEGES_READ, s->o->view.output, err);
	rc = rc ?: loop_open(&s->loop, s);
	rc = rc ?: output_open(&s->out, &s->o->view, repeats(s->o), false, loop_stop_fd(s->loop), err);
	if (!rc && s->out.terminal)
		loop_on_leave(s->loop, terminal_leave, s->out.terminal);
	rc = rc ?: budget_new(s->o->limit_bytes, loop_stop_fd(s->loop), &s->budget);
	rc = rc ?: elf_cache_new(s->budget, &s->libraries);
	for (size_t i = 0; i < s->o->nr_pids && rc == 0; i++)
		rc = jvm_add(s, s->o->pids[i]);
	if (rc == 0 && s->o->all)
		rc = discovery_new(runtime_by_name(s->o->runtime), &s->discovery);
	if (rc == 0)
		s->tick = rc = loop_timer(s->loop, s->o->interval_s, on_tick);
	if (rc < 0)
		return rc;
	loop_end_in(s->loop, s->o->duration_s);
	return 0;
}

enum exit_code cmd_census(const struct options *o, struct error *err)
{
	struct censuses s = {.o = o};
	int rc = start(&s, err);

	rc = rc ?: on_tick(&s, NULL, err);
	rc = rc ?: loop_run(s.loop, NULL, err);
	if (rc == 0)
		rc = check_known(&s, err);
	rc = rc ?: output_end(&s.out, err);
	for (size_t i = 0; i < s.jvms.n; i++)
		jvm_free(s.jvms.v[i]);
	free(s.jvms.v);
	elf_cache_free(s.libraries);
	budget_free(s.budget);
	discovery_free(s.discovery);
	if (s.loop)
		loop_on_leave(s.loop, NULL, NULL);
	output_close(&s.out);
	loop_close(s.loop);
	if (rc < 0 && !err->what[0])
		error_set(err, rc, EXIT_FAILED, "census", NULL, "%s", strerror(-rc));
	return rc < 0 ? err->exit_code : EXIT_OK;
}
