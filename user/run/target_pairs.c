/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The part of a target that --pair asks for: files with functions, beside its runtime or without one. */
#include <errno.h>
#include <string.h>

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

/* A function that was named is not there, or is another name of one that is. */
static int check_all(const struct target *t, const struct pair_lib *lib, const struct vm_file *file,
		     const struct probe_sites *sites, struct error *err)
{
	const struct catalog *c = t->o->catalog;
	char near[128], advice[160];

	for (uint32_t f = NR_JNI_FUNCS; f < c->nr_funcs && lib->must_have && sites->missing; f++) {
		if (!c->funcs[f].api || strcmp(c->funcs[f].api, lib->api) || has_site(sites, (int)f))
			continue;
		if (sites->notes.n && !strstr(sites->notes.p, c->funcs[f].name))
			continue;
		pairs_near(file, c->funcs[f].name, near, sizeof(near));
		snprintf(advice, sizeof(advice), "%s%s", near[0] ? "near it: " : "nm -D shows what it has",
			 near);
		return error_set(err, -ENOENT, EXIT_FAILED, "--pair", advice, "%s: no function '%s' to probe",
				 file->mapping.path, c->funcs[f].name);
	}
	return 0;
}

/* Add to the target's sites those of this file, which become empty. */
static int add_sites(struct target *t, struct probe_sites *of, const char *path)
{
	int rc = 0;

	for (size_t i = 0; i < of->n && !rc; i++) {
		struct probe_site *s = VEC_ADD(&t->sites);

		rc = s ? 0 : -ENOMEM;
		if (!s)
			break;
		*s = of->v[i];
		s->path = path;
		s->file = (uint8_t)t->nr_pair_files; /* 0 is the runtime's */
	}
	if (of->notes.n)
		buf_add(&t->sites.notes, of->notes.p, of->notes.n);
	sites_free(of);
	return rc;
}

static int resolve(struct target *t, const struct pair_lib *lib, const struct vm_file *file,
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
	if (rc == -ENOENT)
		sites = (struct probe_sites){.missing = 1};
	else if (rc) {
		*err = why;
		return rc;
	}
	rc = check_all(t, lib, file, &sites, err);
	if (rc) {
		sites_free(&sites);
		return rc;
	}
	if (lib->must_have)
		t->sites.missing += sites.missing;
	return add_sites(t, &sites, file->mapping.path);
}

/* None of its libraries is there. */
static int none_mapped(const struct target *t, struct error *err)
{
	char what[64], near[128], advice[192];

	snprintf(what, sizeof(what), "trace PID %d", t->id.pid);
	pairs_near_libs(&t->o->pairs->lib[0], &t->at.maps, near, sizeof(near));
	if (near[0])
		snprintf(advice, sizeof(advice), "near it: %s", near);
	else
		snprintf(advice, sizeof(advice), "/proc/%d/maps shows what it maps", (int)t->id.pid);
	return error_set(err, -ENOENT, EXIT_NO_TARGET, what, advice, "it maps no %s",
			 t->o->pairs->lib[0].name);
}

int target_pairs_resolve(struct target *t, struct error *err)
{
	const struct pairs *p = t->o->pairs;
	int rc = 0;

	t->sites.catalog = t->o->catalog;
	for (size_t i = 0; p && i < p->n && !rc; i++) {
		struct vm_file *file = &t->pair_files[t->nr_pair_files];

		rc = pairs_open(&p->lib[i], &t->at.maps, t->shared->images, file);
		if (rc == -ENOENT) {
			if (p->lib[i].must_have && p->n > 1)
				warn("PID %d maps no %s: its functions are not traced", t->id.pid,
				     p->lib[i].name);
			rc = 0;
			continue;
		}
		t->nr_pair_files++;
		rc = rc ?: resolve(t, &p->lib[i], file, err);
	}
	if (!rc && p && !t->sites.n)
		rc = none_mapped(t, err);
	return rc;
}

void target_pairs_close(struct target *t)
{
	while (t->nr_pair_files > 0)
		vm_file_close(&t->pair_files[--t->nr_pair_files]);
}
