/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One finding, put together. See finding.h. */
#include "judge/finding.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"

/* Drops that mean that a call went unseen, so that the books are not complete. */
static const enum drop_id calls_missed[] = {DROP_PROG_MISSED,     DROP_HANDLE_UNREAD, DROP_RELEASE_MISSED,
					    DROP_SITES_MISSING,   DROP_PINS_FULL,     DROP_CALLS_FULL,
					    DROP_FINALIZER_UNSEEN};

const char *finding_doubt(const struct report *r, enum finding_kind kind)
{
	if (finding_rows[kind].evidence == EVIDENCE_VM)
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(calls_missed); i++)
		if (r->drops[calls_missed[i]])
			return drop_rows[calls_missed[i]].meaning;
	return NULL;
}

/* The first is the name, or what it begins with. */
static const char *const system_files[] = {"libc.so.", "libc-", "libpthread.so.", "libpthread-", "ld-linux",
					   "ld-musl-", "ld-2.", "ld.so.",         "libc.musl-"};

bool finding_is_system(const char *module)
{
	for (size_t i = 0; i < ARRAY_LEN(system_files); i++)
		if (!strncmp(module, system_files[i], strlen(system_files[i])))
			return true;
	return false;
}

bool finding_is_system_own(const struct report_finding *f)
{
	const struct frames *frames = &f->stack.frames;

	if ((f->kind != FINDING_DOUBLE_RELEASE && f->kind != FINDING_NEVER_ACQUIRED) || !f->stack.known ||
	    f->stack.truncated || !frames->n)
		return false;
	for (size_t i = 0; i < frames->n; i++)
		if (frames->v[i].type != FRAME_NATIVE || !frames->v[i].module ||
		    !finding_is_system(frames->v[i].module))
			return false;
	return true;
}

void finding_add_text(struct report_finding *f, const char *s)
{
	size_t n = strlen(f->text);

	snprintf(f->text + n, sizeof(f->text) - n, "%s%s", n > 0 ? " " : "", s);
}

void finding_set_text(const struct findings_input *in, struct report_finding *f)
{
	const struct finding_row *row = &finding_rows[f->kind];

	f->text[0] = '\0';
	finding_add_text(f, row->wrong);
	finding_add_text(f, row->todo);
	if (f->kind == FINDING_RELEASED_TWICE && !f->release.known && !in->checking)
		finding_add_text(
		    f, "Where it was released first is shown when it happens again, and with --check.");
	if (!f->acquire.known && (f->kind == FINDING_DOUBLE_DELETE || f->kind == FINDING_KIND_MISMATCH))
		finding_add_text(f, "Its acquisition was not seen.");
	if (f->kind == FINDING_DOUBLE_DELETE && !f->release.known && !in->checking)
		finding_add_text(
		    f, "Where it was deleted first is shown when it happens again, and with --check.");
}

uint64_t finding_site(const struct findings_input *in, uint32_t number, struct report_stack *out,
		      enum func_id *func)
{
	const struct named_site *site = number ? named_site_of(in->names, number) : NULL;

	if (!site)
		return 0;
	*out = (struct report_stack){true, site->frames, site->truncated};
	if (func)
		*func = site->func;
	return site->id;
}

uint64_t finding_id(enum finding_kind kind, const uint64_t ids[3])
{
	const char *word = finding_rows[kind].word;

	return fnv64(fnv64(FNV64_INIT, word, strlen(word)), ids, 3 * sizeof(ids[0]));
}

/* Several sites may be one to the reader: a Java method compiled anew. Who threw is best known by its stack.
 */
static void merge(struct report_finding *into, const struct report_finding *f)
{
	if (into->kind == FINDING_PENDING_EXCEPTION &&
	    (f->acquire.known > into->acquire.known ||
	     (f->acquire.known == into->acquire.known && f->first_s < into->first_s))) {
		into->acquire = f->acquire;
		into->thrown_by = f->thrown_by;
		memcpy(into->text, f->text, sizeof(into->text));
	}
	if (f->first_s < into->first_s) {
		into->first_s = f->first_s;
		into->handle = f->handle;
	}
	if (f->last_s > into->last_s)
		into->last_s = f->last_s;
	into->count += f->count;
	if (f->kind == FINDING_UNPOPPED_FRAME)
		into->local_refs += f->local_refs;
	else if (f->local_refs > into->local_refs)
		into->local_refs = f->local_refs;
}

int finding_add(struct report *r, const struct report_finding *f)
{
	struct report_finding *place;

	for (size_t k = 0; k < r->findings.n; k++)
		if (r->findings.v[k].id == f->id) {
			merge(&r->findings.v[k], f);
			return 0;
		}
	place = VEC_ADD(&r->findings);
	if (!place)
		return -ENOMEM;
	*place = *f;
	return 0;
}

/* Who made the call; NULL: not known. */
static const struct frame *caller_of(const struct report_finding *f)
{
	return f->stack.known ? frames_caller(&f->stack.frames) : NULL;
}

static bool same_library(const struct report_finding *a, const struct report_finding *b)
{
	const struct frame *x = caller_of(a), *y = caller_of(b);

	return a->kind == b->kind && x && y && x->module && y->module && !strcmp(x->module, y->module);
}

/* The place that is shown stays the one of most calls. */
static void group(struct report_finding *into, const struct report_finding *f, uint64_t *shown)
{
	struct report_finding was = *into;

	if (f->count > *shown) {
		*shown = f->count;
		*into = *f;
	}
	into->count = was.count + f->count;
	into->first_s = was.first_s < f->first_s ? was.first_s : f->first_s;
	into->last_s = was.last_s > f->last_s ? was.last_s : f->last_s;
}

/* The same in every process that uses this build. */
static uint64_t library_finding_id(const struct report_finding *f)
{
	const struct frame *caller = caller_of(f);
	const char *library = caller->build_id ? caller->build_id : caller->module;
	const uint64_t ids[3] = {fnv64(FNV64_INIT, library, strlen(library))};

	return finding_id(f->kind, ids);
}

/* All of a's library into a. *places: how many there are. */
static void gather(struct report *r, size_t a, size_t *places)
{
	uint64_t shown = r->findings.v[a].count;
	size_t kept = a + 1;

	*places = 1;
	for (size_t i = a + 1; i < r->findings.n; i++) {
		if (!same_library(&r->findings.v[a], &r->findings.v[i])) {
			r->findings.v[kept++] = r->findings.v[i];
			continue;
		}
		group(&r->findings.v[a], &r->findings.v[i], &shown);
		++*places;
	}
	r->findings.n = kept;
}

void findings_group(struct report *r, enum finding_kind kind)
{
	for (size_t i = 0; i < r->findings.n; i++) {
		struct report_finding *f = &r->findings.v[i];
		const struct frame *caller = caller_of(f);
		char s[192];
		size_t places;

		if (f->kind != kind || !caller || !caller->module)
			continue;
		gather(r, i, &places);
		f->id = library_finding_id(f);
		if (places < 2)
			continue;
		snprintf(s, sizeof(s), "%.100s does so at %zu call sites; the one of most calls is shown.",
			 caller_of(f)->module, places);
		finding_add_text(f, s);
	}
}
