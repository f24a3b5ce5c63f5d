/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Verdicts. See findings.h. */
#include "judge/findings_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Drops that mean that a call went unseen, so that the books are not complete. */
static const enum drop_id calls_missed[] = {DROP_PROG_MISSED, DROP_HANDLE_UNREAD, DROP_RELEASE_MISSED,
					    DROP_SITES_MISSING, DROP_PINS_FULL};

const char *finding_doubt(const struct report *r, enum finding_kind kind)
{
	if (finding_rows[kind].evidence == EVIDENCE_VM)
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(calls_missed); i++)
		if (r->drops[calls_missed[i]])
			return drop_rows[calls_missed[i]].meaning;
	return NULL;
}

/* Seconds since attach. A tick is coarse. */
static double when(const struct findings_input *in, const struct report *r, uint32_t tick)
{
	double s = r->elapsed_s - (uint32_t)(in->snapshot->now_tick - tick) * in->snapshot->tick_s;

	return s < 0 ? 0 : s > r->elapsed_s ? r->elapsed_s : s;
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
		      enum jni_func_id *func)
{
	struct aggregate_site site;

	if (!number || !aggregate_site(in->aggregate, number, &site))
		return 0;
	*out = site.stack;
	if (func)
		*func = site.func;
	return site.id;
}

/* Kinds may share a name; what is wrong tells them apart. */
uint64_t finding_id(enum finding_kind kind, const uint64_t ids[3])
{
	const struct finding_row *row = &finding_rows[kind];
	uint64_t h = fnv64(FNV64_INIT, row->name, strlen(row->name));

	h = fnv64(h, row->wrong, strlen(row->wrong));
	return fnv64(h, ids, 3 * sizeof(ids[0]));
}

static void make(const struct findings_input *in, const struct report *r, const struct snapshot_finding *s,
		 struct report_finding *out)
{
	uint64_t ids[3];

	*out = (struct report_finding){
	    .kind = s->key.kind,
	    .count = s->f.count,
	    .func = FUNC_NONE,
	    .first_s = when(in, r, s->f.first_tick),
	    .last_s = when(in, r, s->f.last_tick),
	    .handle = s->f.handle,
	};
	ids[0] = finding_site(in, s->key.site, &out->stack, &out->func);
	ids[1] = finding_site(in, s->key.acquire_site, &out->acquire, NULL);
	ids[2] = finding_site(in, s->key.release_site, &out->release, NULL);
	out->id = finding_id(out->kind, ids);
	out->doubt = finding_doubt(r, out->kind);
	finding_set_text(in, out);
}

/* Several sites may be one to the reader: a Java method compiled anew. */
static void merge(struct report_finding *into, const struct report_finding *f)
{
	if (f->first_s < into->first_s) {
		into->first_s = f->first_s;
		into->handle = f->handle;
	}
	if (f->last_s > into->last_s)
		into->last_s = f->last_s;
	into->count += f->count;
}

static int compare(const void *a, const void *b)
{
	const struct report_finding *x = a, *y = b;
	int severity = (int)finding_rows[x->kind].severity - (int)finding_rows[y->kind].severity;

	if (severity)
		return severity;
	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	return x->id < y->id ? -1 : x->id > y->id;
}

static void findings_clear(struct report *r)
{
	for (size_t i = 0; i < r->held.n; i++) {
		free(r->held.v[i]->now.v);
		free(r->held.v[i]->stalled.v);
		free(r->held.v[i]);
	}
	r->findings.n = r->held.n = 0;
}

/* Take it over, or add it to one that is the same to the reader. 0 or -ENOMEM. */
int findings_add(struct report *r, const struct report_finding *f)
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

/* A site whose references pile up is found by its history, not by a probe. */
static int add_leak(const struct report_site *s, struct report *r)
{
	const struct finding_row *row = &finding_rows[FINDING_LEAK];
	struct report_finding f;
	struct buf unknown = {0};

	if (s->verdict.kind != VERDICT_GROWING)
		return 0;
	f = (struct report_finding){
	    .kind = FINDING_LEAK,
	    .id = fnv64(fnv64(FNV64_INIT, row->name, strlen(row->name)), &s->id, sizeof(s->id)),
	    .count = s->outstanding,
	    .func = s->func,
	    .first_s = s->oldest_s < 0 || s->oldest_s > r->elapsed_s ? -1 : r->elapsed_s - s->oldest_s,
	    .last_s = -1,
	    .stack = {!s->no_stack, s->frames, s->truncated},
	    .acquire = {!s->no_stack, s->frames, s->truncated},
	    .doubt = finding_doubt(r, FINDING_LEAK),
	};
	verdict_not_known(&unknown, &s->verdict);
	snprintf(f.text, sizeof(f.text),
		 "%s %.3g a minute (+-%.2g) for %.0f s, %llu are outstanding. %s This is said with %s confidence: %s.",
		 row->wrong, s->verdict.per_min, s->verdict.error_per_min, s->verdict.same_life_s,
		 (unsigned long long)s->outstanding, row->todo, confidence_names[s->verdict.confidence],
		 unknown.p ?: "");
	buf_free(&unknown);
	return findings_add(r, &f);
}

int findings_update(const struct findings_input *in, struct report *r)
{
	const struct snapshot *s = in->snapshot;
	struct report_finding f;
	int rc = 0;

	findings_clear(r);
	for (size_t i = 0; i < s->findings.n && !rc; i++) {
		if (s->findings.v[i].key.kind >= NR_FINDINGS)
			continue;
		make(in, r, &s->findings.v[i], &f);
		rc = findings_add(r, &f);
	}
	for (size_t i = 0; i < r->sites.n && !rc; i++)
		rc = add_leak(&r->sites.v[i], r);
	rc = rc ?: findings_of_pins(in, r);
	if (r->findings.n > 1)
		qsort(r->findings.v, r->findings.n, sizeof(*r->findings.v), compare);
	return rc;
}

void findings_free(struct report *r)
{
	findings_clear(r);
	free(r->findings.v);
	free(r->held.v);
}
