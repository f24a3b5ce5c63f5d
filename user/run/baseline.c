/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Held against an earlier recording. See baseline.h. */
#include "run/baseline.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "judge/assert.h"
#include "judge/compare.h"
#include "run/recorded.h"

struct baseline {
	struct recorded recorded;
};

int baseline_new(const char *name, uint64_t limit_bytes, struct baseline **out, struct error *err)
{
	struct baseline *b = calloc(1, sizeof(*b));
	int rc = b ? recorded_open(&b->recorded, name, -1, limit_bytes, err) : -ENOMEM;

	if (!rc)
		recorded_tell(name, &b->recorded.moments);
	for (size_t i = 0; !rc && i < b->recorded.n; i++)
		if (b->recorded.reports[i]->count_only)
			rc = error_set(err, -ENODATA, EXIT_FAILED, name, "record without --count-only",
				       "without releases nobody knows what is outstanding");
	for (size_t i = 0; !rc && i < b->recorded.n; i++)
		if (report_is_sampled(b->recorded.reports[i]))
			rc = error_set(err, -ENODATA, EXIT_FAILED, name, "record without --sample",
				       "its numbers are estimates, and a baseline needs exact ones");
	if (rc) {
		baseline_free(b);
		b = NULL;
	}
	*out = b;
	return rc;
}

void baseline_free(struct baseline *b)
{
	if (b)
		recorded_close(&b->recorded);
	free(b);
}

/* How often each site and finding of a report was more than before, in so many comparisons. */
struct hits {
	size_t *sites, *findings;
	size_t compared;
};

/*
 * What a caller holds, with all its stacks: those of a library that was loaded just now may end early, in one
 * run and not in another.
 */
static bool is_same_caller(const struct report *r, const struct report_site *s, const struct report *other,
			   const struct report_site *t)
{
	const struct frame *f = frames_caller(&s->frames), *g = frames_caller(&t->frames);

	return f && g && !strcmp(func_name(r->catalog, s->func), func_name(other->catalog, t->func)) &&
	       !strcmp(f->module ?: "", g->module ?: "") && !strcmp(f->symbol ?: "", g->symbol ?: "");
}

static uint64_t held_by_caller(const struct report *r, const struct report_site *s, const struct report *in)
{
	uint64_t n = 0;

	for (size_t i = 0; in && i < in->sites.n; i++)
		if (is_same_caller(r, s, in, &in->sites.v[i]))
			n += in->sites.v[i].outstanding;
	return n;
}

/* The site that holds most stands for its caller; of the JDK's own, and of one without a name, for none. */
static bool stands_for_caller(const struct report *r, const struct report_site *s)
{
	const struct frame *f = s->no_stack ? NULL : frames_caller(&s->frames);

	if (!s->outstanding || !f || !(f->module || f->symbol) || assert_is_own(r, s))
		return false;
	for (const struct report_site *t = r->sites.v; t < r->sites.v + r->sites.n; t++)
		if (t != s && is_same_caller(r, s, r, t) &&
		    (t->outstanding > s->outstanding || (t->outstanding == s->outstanding && t < s)))
			return false;
	return true;
}

static int compare_with(const struct report *like, const struct report *r, struct hits *hits)
{
	struct comparison c;
	int rc = compare_reports(like, r, PER_RUN, &c);

	for (size_t i = 0; !rc && i < r->sites.n; i++) {
		const struct report_site *s = &r->sites.v[i];

		if (stands_for_caller(r, s) && held_by_caller(r, s, r) > held_by_caller(r, s, like))
			hits->sites[i]++;
	}
	for (size_t i = 0; !rc && i < c.findings.n; i++)
		if (c.findings.v[i].is.change == CHANGE_NEW)
			hits->findings[c.findings.v[i].b - r->findings.v]++;
	hits->compared++;
	comparison_free(&c);
	return rc;
}

static int list_news(const struct report *r, const struct hits *hits, struct news *out)
{
	for (size_t i = 0; i < r->sites.n; i++) {
		const struct report_site **site =
		    hits->sites[i] == hits->compared ? VEC_ADD(&out->sites) : NULL;

		if (site)
			*site = &r->sites.v[i];
		else if (hits->sites[i] == hits->compared)
			return -ENOMEM;
	}
	for (size_t i = 0; i < r->findings.n; i++) {
		const struct report_finding **finding =
		    hits->findings[i] == hits->compared ? VEC_ADD(&out->findings) : NULL;

		if (finding)
			*finding = &r->findings.v[i];
		else if (hits->findings[i] == hits->compared)
			return -ENOMEM;
	}
	return 0;
}

int baseline_compare(const struct baseline *b, const struct report *r, struct news *out)
{
	struct hits hits = {.sites = calloc(r->sites.n + 1, sizeof(*hits.sites)),
			    .findings = calloc(r->findings.n + 1, sizeof(*hits.findings))};
	int rc = hits.sites && hits.findings ? 0 : -ENOMEM;

	for (size_t i = 0; !rc && i < b->recorded.n; i++) {
		const struct report *like = b->recorded.reports[i];

		if (strcmp(target_name_of(&like->target), target_name_of(&r->target)))
			continue;
		out->likes++;
		rc = compare_with(like, r, &hits);
	}
	if (!rc && !out->likes)
		rc = compare_with(NULL, r, &hits);
	rc = rc ?: list_news(r, &hits, out);
	free(hits.sites);
	free(hits.findings);
	return rc;
}

void news_free(struct news *n)
{
	free(n->sites.v);
	free(n->findings.v);
	*n = (struct news){0};
}
