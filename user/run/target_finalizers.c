/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Functions that release what a target has acquired, and whose addresses it tells only then (docs/pairs.md).
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "bpf/border/unwind.h"
#include "proc/foreign.h"
#include "run/target_priv.h"

/* Of a target: one that names a new one each time is to find an end. */
#define MAX_FINALIZERS 256
#define MAX_REFUSED    256 /* from there on nobody looks, and nothing is said: finalizer_unseen counts */

/*
 * The file of the target that this is, or another one at the end; a library that was closed and opened again
 * is what it was, wherever it is now: probes are the file's. -ENOSPC, or as pairs_open_at().
 */
static int file_at(struct target *t, uint64_t address, const struct proc_maps *maps, size_t *number)
{
	/* Libraries of the rules that may come yet have their places. */
	size_t kept = t->o->pairs->n - (size_t)__builtin_popcount(t->pair_opened);
	struct vm_file file;
	int rc = pairs_open_at(address, maps, t->shared->images, &file);

	for (*number = 0; !rc && *number < t->nr_pair_files; ++*number) {
		struct vm_file *known = &t->pair_files[*number];

		if (known->mapping.dev != file.mapping.dev || known->mapping.ino != file.mapping.ino)
			continue;
		known->mapping.start = file.mapping.start;
		known->mapping.end = file.mapping.end;
		known->bias = file.bias;
		vm_file_close(&file);
		return 0;
	}
	if (!rc && t->nr_pair_files + kept >= PAIRS_MAX_FILES)
		rc = -ENOSPC;
	if (rc)
		vm_file_close(&file);
	else
		t->pair_files[t->nr_pair_files++] = file;
	return rc;
}

static struct probe_site *known_site(const struct target *t, const struct probe_site *s, size_t file)
{
	for (size_t i = 0; i < t->sites.n; i++)
		if (t->sites.v[i].func == s->func && t->sites.v[i].file == file + 1 &&
		    t->sites.v[i].offset == s->offset)
			return &t->sites.v[i];
	return NULL;
}

/* The sites from number first on; what is not probed now is not taken for probed later. */
static int attach(struct target *t, size_t file, size_t first, char *why, size_t cap)
{
	int rc = target_pairs_attach(t, file, first);

	if (!rc) {
		t->nr_finalizers++;
		return 0;
	}
	snprintf(why, cap, "%s", foreign_why_untouched(rc));
	for (size_t i = first; i < t->sites.n; i++)
		t->sites.v[i].refused = true;
	return rc;
}

/* why: a line of the notes, "0x1234: ..." mostly; as large as an error's. */
static int probe(struct target *t, const struct finalizer_asked *asked, const struct proc_maps *maps,
		 char *why, size_t cap)
{
	struct probe_sites sites = {0};
	struct pair_place place;
	struct site_request req = {.pid = t->id.pid,
				   .catalog = t->o->catalog,
				   .file = &place.file,
				   .families = 1U << asked->key.family,
				   .only_strategy = t->o->strategy};
	struct error err = {0};
	const struct probe_site *known;
	size_t file, first = t->sites.n;
	int rc = file_at(t, asked->key.address, maps, &file);

	if (rc) {
		snprintf(why, cap, "%s", rc == -ENOENT ? "it is in no file" : strerror(-rc));
		return rc;
	}
	place = (struct pair_place){.file = t->pair_files[file]};
	place.vaddr = asked->key.address - place.file.bias;
	place.file.runtime = pairs_at_addresses();
	rc = sites_resolve(&req, &sites, &err);
	if (rc) {
		snprintf(why, cap, "%s", err.why);
		return rc;
	}
	known = known_site(t, &sites.v[0], file);
	if (known) { /* of a library that has been closed, and opened again */
		sites_free(&sites);
		if (known->refused)
			snprintf(why, cap, "it could not be probed before");
		return known->refused ? -EAGAIN : 0;
	}
	return target_pairs_add_sites(t, &sites, file) ?: attach(t, file, first, why, cap);
}

static void tell(const struct target *t, const struct finalizer_asked *asked, int rc, const char *why)
{
	const char *family = family_name(t->o->catalog, (enum family_id)asked->key.family);

	if (rc)
		warn("PID %d: the function at 0x%" PRIx64
		     ", which releases what %s has acquired, is not traced: %s",
		     t->id.pid, asked->key.address, family, why);
	else if (t->o->verbose)
		warn("PID %d: the function at 0x%" PRIx64
		     ", which releases what %s has acquired, is traced from here on",
		     t->id.pid, asked->key.address, family);
}

static void take_finalizers(struct target *t)
{
	struct finalizer_asked asked;
	struct proc_maps maps = {0};
	bool read = false;

	while (tracer_finalizer_asked(t->tracer, t->target_id, &asked)) {
		char why[256] = "";
		int rc;

		if (t->nr_refused > MAX_REFUSED) {
			tracer_finalizer_known(t->tracer, &asked, false);
			continue;
		}
		rc = read ? 0 : proc_maps_read(t->id.pid, &maps);
		read = true;
		if (!rc && t->nr_finalizers >= MAX_FINALIZERS) {
			rc = -ENOSPC;
			snprintf(why, sizeof(why), "%d others are", MAX_FINALIZERS);
		}
		rc = rc ?: probe(t, &asked, &maps, why, sizeof(why));
		if (rc && t->nr_refused++ == MAX_REFUSED)
			snprintf(why, sizeof(why), "nor is any other new one: %d could not be", MAX_REFUSED);
		tracer_finalizer_known(t->tracer, &asked, !rc);
		if (proc_id_alive(&t->id))
			tell(t, &asked, rc, why[0] ? why : strerror(-rc));
	}
	proc_maps_free(&maps);
	t->report.nr_probes = tracer_probes(t->tracer, t->target_id);
}

void target_pairs_more(struct target *t)
{
	if (!t->o->pairs || t->state != TARGET_TRACED || tracer_execed(t->tracer, t->target_id))
		return;
	target_pairs_load(t);
	take_finalizers(t);
}
