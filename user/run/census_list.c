/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* JVMs that are read again and again. See census_list.h. */
#include "run/census_list.h"

#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "judge/census_watch.h"
#include "proc/foreign.h"
#include "run/census.h"
#include "run/discover.h"
#include "run/who.h"

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
	struct proc_id id; /* of one that is refused; those that are open tell it themselves */
	struct who who;    /* likewise */
	struct census_watch *watch;
	uint64_t first_refs;
	double first_s;
	bool first_known;
	bool known; /* anything of its tables, at any time */
	bool named; /* census.service says what the rules do */
};

struct census_list {
	const struct options *o;
	struct census_list_request req;
	struct loop *loop;
	struct discovery *discovery; /* of all; NULL: of those that were named */
	struct budget *budget;       /* of what is read of libraries */
	struct elf_cache *libraries;
	struct {
		struct jvm **v;
		size_t n, cap;
	} jvms;
	struct {
		const struct census **v;
		size_t n, cap;
	} fresh;
	bool seen;                            /* at least one JVM was read */
	const struct service_rules *services; /* NULL: nobody names them */
};

static void jvm_free(struct jvm *j)
{
	if (!j)
		return;
	census_close(j->vm);
	census_free(&j->census);
	census_watch_free(j->watch);
	foreign_forget(j->pid);
	free(j);
}

static int jvm_add(struct census_list *l, pid_t pid)
{
	struct jvm *j = calloc(1, sizeof(*j)), **place;
	int rc = j ? 0 : -ENOMEM;

	if (rc == 0 && l->req.judges)
		rc = census_watch_new(&j->watch);
	place = rc == 0 ? VEC_ADD(&l->jvms) : NULL;
	if (!place) {
		jvm_free(j);
		return -ENOMEM;
	}
	j->pid = pid;
	*place = j;
	return 0;
}

/* What is known of a JVM that is refused: who it is, and why. */
static void refuse(struct jvm *j, const char *podinfo, const char *kind, const struct error *why)
{
	j->refused = true;
	proc_id_read(j->pid, &j->id); /* or it is not known */
	j->census.target = (struct report_target){
	    .pid = j->pid, .comm = j->id.comm, .start_time_ticks = j->id.start_time_ticks, .vm = kind};
	who_read(j->pid, podinfo, &j->who);
	who_tell(&j->who, &j->census.target);
	j->census.local_refs = j->census.native_attached = j->census.gone = -1;
	j->census.growth_per_min = NAN;
	j->census.time_unix_s = (double)clock_ns(CLOCK_REALTIME) / 1e9;
	snprintf(j->census.refused, sizeof(j->census.refused), "%s", why->why);
}

/* 0: open, or waited for, or refused (with --all). */
static int jvm_open(struct census_list *l, struct jvm *j, struct error *err)
{
	struct error why = {0};
	const char *kind;
	int rc = census_open(j->pid, runtime_by_name(l->o->runtime), l->o->podinfo, l->libraries, &j->vm,
			     &kind, &why);

	if (rc == 0)
		return 0;
	if (l->o->all) {
		if (rc == -EPROTO || rc == -ENOEXEC)
			refuse(j, l->o->podinfo, kind, &why);
		j->gone = !j->refused && rc != -EAGAIN;
		return rc == -ENOMEM ? rc : 0;
	}
	*err = why;
	return rc;
}

/* Of a process that is starting its VM, as long as its age lets it (run/opening.c). */
static int jvm_open_waiting(struct census_list *l, struct jvm *j, struct error *err)
{
	int rc;

	do {
		*err = (struct error){0};
		rc = jvm_open(l, j, err);
	} while (rc == -EAGAIN && !loop_pause(l->loop, START_LOOK_MS));
	return rc;
}

static int jvm_read(struct census_list *l, struct jvm *j, struct error *err)
{
	const struct census_request req = {
	    .threads = l->req.threads || !l->o->all,
	    .classes = l->o->classes,
	    .budget_ms = l->o->budget_ms,
	    .patience_ms = l->o->all ? PATIENCE_ALL_MS : PATIENCE_MS,
	};
	struct error why = {0};
	int rc;

	j->fresh = false;
	if (!j->vm)
		rc = l->o->all ? jvm_open(l, j, err) : jvm_open_waiting(l, j, err);
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
	if (foreign_is_refused(j->pid))
		snprintf(j->census.refused, sizeof(j->census.refused), "memory: %s", FOREIGN_NO_ANSWER);
	if (rc == 0 && j->watch)
		rc = census_watch_add(j->watch, &j->census);
	if (rc < 0) {
		*err = why;
		return rc;
	}
	j->known |= j->census.refs_known || j->census.classes_known;
	j->fresh = l->seen = true;
	if (j->census.refs_known && !j->first_known) {
		j->first_known = true;
		j->first_refs = j->census.refs[VM_GLOBAL] + j->census.refs[VM_WEAK];
		j->first_s = j->census.elapsed_s;
	}
	return 0;
}

static void name_service(const struct census_list *l, struct jvm *j)
{
	if (!l->services || j->named || !j->fresh)
		return;
	service_name(l->services, j->census.target.command, j->census.service, sizeof(j->census.service));
	j->named = true;
}

static int find_new_jvms(struct census_list *l)
{
	struct pid_list pids = {0};
	int rc = l->discovery ? discovery_scan(l->discovery, &pids) : 0;

	for (size_t i = 0; i < pids.n && rc == 0; i++)
		rc = jvm_add(l, pids.v[i]);
	free(pids.v);
	return rc;
}

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

/* --- the list --- */

int census_list_new(const struct options *o, struct loop *loop, const struct census_list_request *req,
		    struct census_list **out, struct error *err)
{
	struct census_list *l = calloc(1, sizeof(*l));
	int rc = l ? 0 : -ENOMEM;

	if (l)
		*l = (struct census_list){.o = o, .loop = loop, .req = *req};
	foreign_heed(loop_stop_fd(loop));
	if (req->ends)
		foreign_end_when_stopped();
	rc = rc ?: budget_new(o->limit_bytes, loop_stop_fd(loop), &l->budget);
	rc = rc ?: elf_cache_new(l->budget, &l->libraries);
	for (size_t i = 0; i < o->nr_pids && rc == 0; i++)
		rc = jvm_add(l, o->pids[i]);
	if (rc == 0 && o->all)
		rc = discovery_new(runtime_by_name(o->runtime), &l->discovery);
	if (rc) {
		census_list_free(l);
		return error_set(err, rc, EXIT_FAILED, "census", NULL, "%s", strerror(-rc));
	}
	*out = l;
	return 0;
}

void census_list_free(struct census_list *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < l->jvms.n; i++)
		jvm_free(l->jvms.v[i]);
	free(l->jvms.v);
	free(l->fresh.v);
	elf_cache_free(l->libraries);
	budget_free(l->budget);
	discovery_free(l->discovery);
	free(l);
}

static void drop_gone(struct census_list *l)
{
	size_t kept = 0;

	for (size_t i = 0; i < l->jvms.n; i++) {
		struct jvm *j = l->jvms.v[i];

		if (j->gone)
			jvm_free(j);
		else
			l->jvms.v[kept++] = j;
	}
	l->jvms.n = kept;
}

int census_list_read(struct census_list *l, struct error *err)
{
	int rc = find_new_jvms(l);

	for (size_t i = 0; i < l->jvms.n && rc == 0; i++) {
		rc = jvm_read(l, l->jvms.v[i], err);
		name_service(l, l->jvms.v[i]);
	}
	if (l->req.ends && loop_is_stopped(l->loop)) {
		*err = (struct error){0};
		return -EINTR;
	}
	drop_gone(l);
	return rc;
}

/* Without a look into /proc: it is asked often. A pid that is another process by now, or a zombie's, is found
 * out when it is read. */
static bool has_ended(pid_t pid)
{
	return getpgid(pid) < 0 && errno == ESRCH;
}

size_t census_list_drop_ended(struct census_list *l)
{
	size_t before = l->jvms.n;

	for (size_t i = 0; i < l->jvms.n; i++)
		l->jvms.v[i]->gone |= has_ended(l->jvms.v[i]->pid);
	drop_gone(l);
	return before - l->jvms.n;
}

void census_list_services(struct census_list *l, const struct service_rules *rules)
{
	l->services = rules;
	for (size_t i = 0; i < l->jvms.n; i++)
		l->jvms.v[i]->named = false;
}

size_t census_list_n(const struct census_list *l)
{
	return l->jvms.n;
}

bool census_list_has_read(const struct census_list *l)
{
	return l->seen;
}

pid_t census_list_unknown(const struct census_list *l)
{
	for (size_t i = 0; i < l->jvms.n && !l->o->all; i++)
		if (!l->jvms.v[i]->known)
			return l->jvms.v[i]->pid;
	return 0;
}

int census_list_fresh(struct census_list *l, const struct census *const **out, size_t *n)
{
	l->fresh.n = 0;
	for (size_t i = 0; i < l->jvms.n; i++) {
		struct jvm *j = l->jvms.v[i];
		const struct census **place = j->fresh ? VEC_ADD(&l->fresh) : NULL;

		if (!j->fresh)
			continue;
		if (!place)
			return -ENOMEM;
		j->census.classes_wanted = l->o->classes;
		j->census.growth_per_min = growth_per_min(j);
		if (j->watch)
			census_watch_judge(j->watch, (double)l->o->limit, &j->census);
		*place = &j->census;
	}
	if (l->fresh.n > 1)
		qsort(l->fresh.v, l->fresh.n, sizeof(*l->fresh.v), compare_items);
	*out = l->fresh.v;
	*n = l->fresh.n;
	return 0;
}

void census_list_curve(const struct census *fresh, enum vm_table table, struct curve *out)
{
	const struct jvm *j = (const void *)((const char *)fresh - offsetof(struct jvm, census));

	out->n = 0;
	if (j->watch)
		census_watch_curve(j->watch, table, out);
}
