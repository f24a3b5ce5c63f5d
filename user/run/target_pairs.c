/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The part of a target that --pair asks for: files with functions, beside its runtime or without one. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "proc/foreign.h"
#include "run/pair_symbols.h"
#include "run/target_priv.h"

bool target_traces_runtime(const struct target *t)
{
	const struct catalog *c = t->o->catalog;
	const struct runtime *runtime = t->at.file.runtime;

	for (int f = 1; runtime && f < NR_ALL_FUNCS; f++)
		if (c->funcs[f].api && !strcmp(c->funcs[f].api, runtime->api) &&
		    t->o->families >> c->funcs[f].family & 1)
			return true;
	return false;
}

static bool has_site(const struct probe_sites *sites, int func)
{
	for (size_t i = 0; i < sites->n; i++)
		if ((int)sites->v[i].func == func)
			return true;
	return false;
}

/* Why a function that is there is not to be probed, of the notes; false: it is not there. */
static bool why_refused(const struct probe_sites *sites, const char *name, char *why, size_t cap)
{
	size_t n = strlen(name);

	for (const char *at = sites->notes.n ? sites->notes.p : ""; *at;
	     at += strcspn(at, "\n"), at += *at == '\n') {
		if (strncmp(at, name, n) || strncmp(at + n, ": ", 2))
			continue;
		at += n + 2;
		snprintf(why, cap, "%.*s", (int)strcspn(at, "\n"), at);
		return strcmp(why, "not found in the library");
	}
	return false;
}

/* A function that was named is not there, or is another name of one that is. */
static int check_all(const struct target *t, const struct pair_lib *lib, const struct vm_file *file,
		     const struct probe_sites *sites, struct error *err)
{
	const struct catalog *c = t->o->catalog;
	char near[512], advice[544], why[256];

	for (uint32_t f = NR_JNI_FUNCS; f < c->nr_funcs && lib->must_have && sites->missing; f++) {
		if (!c->funcs[f].api || strcmp(c->funcs[f].api, lib->api) || has_site(sites, (int)f))
			continue;
		if (sites->notes.n && !strstr(sites->notes.p, c->funcs[f].name))
			continue;
		if (why_refused(sites, c->funcs[f].name, why, sizeof(why)))
			return error_set(err, -ENOENT, EXIT_FAILED, "--pair", NULL, "column %u: %s: '%s': %s",
					 t->o->pairs->column[f], file->mapping.path, c->funcs[f].name, why);
		pair_symbols_near(file, c->funcs[f].name, near, sizeof(near));
		snprintf(advice, sizeof(advice), "%s%s", near[0] ? "near it: " : "nm -D shows what it has",
			 near);
		return error_set(err, -ENOENT, EXIT_FAILED, "--pair", advice,
				 "column %u: %s: no function '%s' to probe", t->o->pairs->column[f],
				 file->mapping.path, c->funcs[f].name);
	}
	return 0;
}

/* Likewise of one more file of that name, which may be another version: named and counted. */
static void tell_lacking(struct target *t, const struct pair_lib *lib, const struct vm_file *file,
			 const struct probe_sites *sites)
{
	const struct catalog *c = t->o->catalog;
	struct buf names = {0};
	char why[256];

	for (uint32_t f = NR_JNI_FUNCS; f < c->nr_funcs; f++) {
		if (!c->funcs[f].api || strcmp(c->funcs[f].api, lib->api) || has_site(sites, (int)f))
			continue;
		if (!why_refused(sites, c->funcs[f].name, why, sizeof(why)))
			snprintf(why, sizeof(why), "not found");
		buf_printf(&names, "%s'%s': %s", names.n ? ", " : "", c->funcs[f].name, why);
		t->sites.missing++;
	}
	if (names.n)
		warn("PID %d: %s: not traced in this file: %s", t->id.pid, file->mapping.path, names.p);
	buf_free(&names);
}

int target_pairs_add_sites(struct target *t, struct probe_sites *of, size_t file)
{
	int rc = 0;

	for (size_t i = 0; i < of->n && !rc; i++) {
		struct probe_site *s = VEC_ADD(&t->sites);

		rc = s ? 0 : -ENOMEM;
		if (!s)
			break;
		*s = of->v[i];
		s->path = t->pair_files[file].mapping.path;
		s->file = (uint8_t)(file + 1); /* 0 is the runtime's */
	}
	if (of->notes.n)
		buf_add(&t->sites.notes, of->notes.p, of->notes.n);
	sites_free(of);
	return rc;
}

/* more: it is not the first file of that name. What the first one lacks is an error. */
static int resolve(struct target *t, const struct pair_lib *lib, const struct vm_file *file, bool more,
		   struct error *err)
{
	const struct options *o = t->o;
	struct site_request req = {
	    .pid = t->id.pid,
	    .catalog = o->catalog,
	    .file = file,
	    .families = o->families,
	    .no_releases = o->count_only,
	    .only_strategy = o->strategy,
	};
	struct probe_sites sites;
	struct error why = {0};
	int rc = sites_resolve(&req, &sites, &why);

	if (rc == -ENOENT && !lib->must_have)
		return 0;
	if (rc == -ENOENT) {
		sites = (struct probe_sites){.missing = 1};
		buf_printf(&sites.notes, "%s\n", why.why); /* the first of them */
	}
	if (rc && rc != -ENOENT) {
		*err = why;
		return rc;
	}
	rc = more ? 0 : check_all(t, lib, file, &sites, err);
	if (rc) {
		sites_free(&sites);
		return rc;
	}
	if (lib->must_have && more)
		tell_lacking(t, lib, file, &sites);
	else if (lib->must_have)
		t->sites.missing += sites.missing;
	return target_pairs_add_sites(t, &sites, (size_t)(file - t->pair_files));
}

int target_pairs_none(const struct target *t, struct error *err)
{
	char what[64], near[128], advice[192];

	snprintf(what, sizeof(what), "trace PID %d", t->id.pid);
	pairs_near_libs(&t->o->pairs->lib[0], &t->at.maps, near, sizeof(near));
	if (near[0])
		snprintf(advice, sizeof(advice), "near it: %s", near);
	else
		snprintf(advice, sizeof(advice), "/proc/%d/maps shows what it maps", (int)t->id.pid);
	return error_set(err, -ENXIO, EXIT_NO_TARGET, what, advice, "it maps no %s",
			 t->o->pairs->lib[0].name);
}

/* Is there room for one file more? Libraries of which there is none yet have their places. */
static bool has_room(const struct target *t, bool more)
{
	size_t kept = more ? t->o->pairs->n - (size_t)__builtin_popcount(t->pair_opened) : 0;

	return t->nr_pair_files + kept < PAIRS_MAX_FILES;
}

/*
 * The files of the library that the process maps, and that are not open yet: by another path, or in the place
 * of one that was closed. 0, or -errno with err.
 */
static int open_library(struct target *t, size_t i, const struct proc_maps *maps, struct error *err)
{
	const struct pair_lib *lib = &t->o->pairs->lib[i];
	int rc = 0;

	while (!rc) {
		struct vm_file file;
		bool more = t->pair_opened >> i & 1;

		rc = pairs_open(lib, maps, t->shared->images, t->pair_files, t->nr_pair_files, &file);
		if (rc == -ENOENT || rc == -ESTALE) { /* there is none, or it has just been closed */
			vm_file_close(&file);
			return 0;
		}
		if (!has_room(t, more)) {
			if (!t->pairs_refused) {
				t->sites.missing++;
				warn("PID %d maps more than %d files that rules name: %s is not traced",
				     t->id.pid, PAIRS_MAX_FILES,
				     file.mapping.path ? file.mapping.path : lib->name);
			}
			t->pairs_refused = true;
			vm_file_close(&file);
			return 0;
		}
		t->pair_opened |= 1U << i;
		t->pair_files[t->nr_pair_files++] = file;
		rc = rc ?: resolve(t, lib, &t->pair_files[t->nr_pair_files - 1], more, err);
	}
	return rc;
}

/* The i-th, of which nothing is probed: what is mapped from here on may be that file, too. */
static void forget_file(struct target *t, size_t i)
{
	const struct runtime *functions = t->pair_files[i].runtime;
	size_t kept = 0;

	for (size_t k = 0; k < t->sites.n; k++) {
		struct probe_site s = t->sites.v[k];

		if (s.file == i + 1)
			continue;
		s.file -= s.file > i + 1;
		t->sites.v[kept++] = s;
	}
	t->sites.n = kept;
	vm_file_close(&t->pair_files[i]);
	memmove(&t->pair_files[i], &t->pair_files[i + 1],
		(--t->nr_pair_files - i) * sizeof(t->pair_files[0]));
	for (i = 0; i < t->nr_pair_files && t->pair_files[i].runtime != functions; i++)
		;
	for (size_t l = 0; l < t->o->pairs->n && i == t->nr_pair_files; l++)
		if (functions == &t->o->pairs->lib[l].functions)
			t->pair_opened &= ~(1U << l);
}

/*
 * Before they are attached to, those from the first on: while their functions were looked for, files may have
 * been closed, and be gone. Told once, as what they were called has not been counted. false: none was.
 */
static bool forget_gone(struct target *t, size_t first)
{
	size_t before = t->nr_pair_files;
	char path[PROC_HELD_BYTES];

	for (size_t i = first; i < t->nr_pair_files;) {
		int fd = proc_hold_mapping(t->id.pid, &t->pair_files[i].mapping, path, sizeof(path));

		if (fd >= 0)
			close(fd);
		if (fd != -ENOENT && fd != -ESTALE) {
			i++;
			continue;
		}
		if (!t->pairs_gone && proc_id_alive(&t->id))
			warn("PID %d has closed %s before its functions were traced: what was called there "
			     "is not "
			     "counted",
			     t->id.pid, t->pair_files[i].mapping.path);
		t->pairs_gone = true;
		forget_file(t, i);
	}
	return t->nr_pair_files < before;
}

int target_pairs_resolve(struct target *t, struct error *err)
{
	const struct pairs *p = t->o->pairs;
	int rc = 0;

	t->sites.catalog = t->o->catalog;
	for (size_t i = 0; p && i < p->n && !rc; i++)
		rc = open_library(t, i, &t->at.maps, err);
	if (rc || !p)
		return rc;
	forget_gone(t, 0);
	if (!t->sites.n)
		return target_pairs_none(t, err);
	t->sites.whole = t->stops;
	for (size_t i = 0; i < p->n && !t->stops; i++)
		if (p->lib[i].must_have && !(t->pair_opened >> i & 1))
			warn("PID %d maps no %s: its functions are traced from when it is loaded on",
			     t->id.pid, p->lib[i].name);
	return 0;
}

/* Of the sites from the first on. */
static void tell_all_loaded(const struct target *t, size_t first)
{
	const struct pairs *p = t->o->pairs;

	for (size_t i = 0; i < p->n; i++) {
		size_t n = 0;

		for (size_t k = first; k < t->sites.n; k++)
			n += !strcmp(t->o->catalog->funcs[t->sites.v[k].func].api, p->lib[i].api);
		if (n)
			warn("PID %d has loaded %s: %zu probes of its functions, which count from here on",
			     t->id.pid, p->lib[i].name, n);
	}
}

void target_tell_loaded(const struct target *t)
{
	tell_all_loaded(t, 0);
}

int target_pairs_attach(struct target *t, size_t file, size_t first)
{
	const char *paths[1 + PAIRS_MAX_FILES] = {NULL};
	char path[1 + PAIRS_MAX_FILES][PROC_HELD_BYTES];
	int fd[PAIRS_MAX_FILES], rc = 0;
	size_t held = file;

	for (size_t i = 0; i <= file; i++) /* no site is there; number 0 is the runtime's */
		paths[i] = "";
	for (; held < t->nr_pair_files && !rc; held++) {
		fd[held] = proc_hold_mapping(t->id.pid, &t->pair_files[held].mapping, path[held + 1],
					     sizeof(path[held + 1]));
		paths[held + 1] = path[held + 1];
		rc = fd[held] < 0 ? fd[held] : target_touch(t, held + 1, fd[held]);
	}
	rc = rc
		 ?: tracer_attach_more(t->tracer, t->target_id, &t->id, paths, t->nr_pair_files + 1,
				       &t->sites, first);
	while (held > file)
		if (fd[--held] >= 0)
			close(fd[held]);
	return rc;
}

void target_pairs_load(struct target *t)
{
	const struct pairs *p = t->o->pairs;
	size_t first = t->nr_pair_files, site = t->sites.n;
	struct proc_maps maps = {0};
	int rc;

	rc = proc_maps_read(t->id.pid, &maps);
	for (size_t i = 0; i < p->n && !rc; i++) {
		struct error why = {0};

		if (open_library(t, i, &maps, &why) && proc_id_alive(&t->id)) {
			t->sites.missing++;
			error_print(&why);
		}
	}
	proc_maps_free(&maps);
	forget_gone(t, first);
	if (t->sites.n > site)
		rc = target_pairs_attach(t, first, site);
	while ((rc == -ENOENT || rc == -ESTALE) && forget_gone(t, first))
		rc = t->sites.n > site ? target_pairs_attach(t, first, site) : 0;
	if (!rc && !t->sites.whole)
		tell_all_loaded(t, site);
	t->report.nr_probes = tracer_probes(t->tracer, t->target_id);
	if (rc && proc_id_alive(&t->id)) {
		t->sites.missing++;
		warn("PID %d: the functions of a library that it has loaded are not traced: %s", t->id.pid,
		     foreign_why_untouched(rc));
	}
	tracer_tell_missing(t->tracer, t->target_id, t->sites.missing);
}

void target_pairs_close(struct target *t)
{
	while (t->nr_pair_files > 0)
		vm_file_close(&t->pair_files[--t->nr_pair_files]);
	t->pair_opened = 0;
}
