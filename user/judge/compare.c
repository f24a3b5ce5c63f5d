/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Two reports, matched and compared. See compare.h. */
#include "judge/compare.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/util.h"
#include "model/sample.h"

#define TWICE 2.0 /* what comes and goes has changed beyond this factor */

const char *const fail_on_change_names[NR_FAIL_ON_CHANGE] = {
    [FAIL_ON_GROWTH] = "growth", [FAIL_ON_NEW] = "new", [FAIL_ON_NEW_FINDING] = "finding"};

/* --- matching ------------------------------------------------------------------------------------ */

/* Something of one report that may be found in the other. */
struct item {
	const void *of; /* site or finding */
	uint64_t id, key;
	uint64_t next_key; /* when there is none of that; see site_items() */
	uint64_t place;    /* in the code of its build */
	bool matched;
};
struct items {
	struct item *v;
	size_t n;
};
/* Items of both sides are one: n_a and n_b of them, one of both at least. 0 or -ENOMEM. */
typedef int take_fn(struct comparison *c, const struct item *a, size_t n_a, const struct item *b, size_t n_b,
		    enum matched how);

#define LESS(x, y) (((x) > (y)) - ((x) < (y)))

static int by_id(const void *va, const void *vb)
{
	const struct item *a = va, *b = vb;

	return LESS(a->id, b->id);
}

/* Those that are matched already last. */
static int by_key(const void *va, const void *vb)
{
	const struct item *a = va, *b = vb;
	int c = a->matched - b->matched;

	c = c ?: LESS(a->key, b->key);
	c = c ?: LESS(a->place, b->place);
	return c ?: LESS(a->id, b->id);
}

static void sort(struct items *items, int (*compare)(const void *a, const void *b))
{
	if (items->n > 1)
		qsort(items->v, items->n, sizeof(*items->v), compare);
}

static int match_ids(struct comparison *c, struct items *a, struct items *b, take_fn *take)
{
	int rc = 0;

	sort(a, by_id);
	sort(b, by_id);
	for (size_t i = 0, k = 0; !rc && i < a->n && k < b->n;) {
		int order = by_id(&a->v[i], &b->v[k]);

		if (!order) {
			rc = take(c, &a->v[i], 1, &b->v[k], 1, MATCHED_ID);
			a->v[i].matched = b->v[k].matched = true;
		}
		i += order <= 0;
		k += order >= 0;
	}
	return rc;
}

static size_t same_key(const struct items *items, size_t from)
{
	size_t n = from;

	while (n < items->n && !items->v[n].matched && items->v[n].key == items->v[from].key)
		n++;
	return n - from;
}

/* Those of one key. */
static int match_group(struct comparison *c, struct item *a, size_t n_a, struct item *b, size_t n_b,
		       enum matched how, take_fn *take)
{
	int rc = 0;

	for (size_t i = 0; i < n_a; i++)
		a[i].matched = true;
	for (size_t i = 0; i < n_b; i++)
		b[i].matched = true;
	if (n_a && n_b && n_a != n_b)
		return take(c, a, n_a, b, n_b, how);
	for (size_t i = 0; !rc && i < (n_a ?: n_b); i++)
		rc = take(c, n_a ? a + i : NULL, n_a > 0, n_b ? b + i : NULL, n_b > 0, how);
	return rc;
}

/* how: MATCHED_NOT: take those that are left. Else these are left as they are. */
static int match_keys(struct comparison *c, struct items *a, struct items *b, enum matched how, take_fn *take)
{
	size_t i = 0, k = 0;
	int rc = 0;

	sort(a, by_key);
	sort(b, by_key);
	while (!rc) {
		bool in_a = i < a->n && !a->v[i].matched, in_b = k < b->n && !b->v[k].matched;
		size_t n_a, n_b;

		if (!in_a && !in_b)
			break;
		n_a = in_a && (!in_b || a->v[i].key <= b->v[k].key) ? same_key(a, i) : 0;
		n_b = in_b && (!in_a || b->v[k].key <= a->v[i].key) ? same_key(b, k) : 0;
		if ((n_a && n_b) || how == MATCHED_NOT)
			rc =
			    match_group(c, n_a ? &a->v[i] : NULL, n_a, n_b ? &b->v[k] : NULL, n_b, how, take);
		i += n_a;
		k += n_b;
	}
	return rc;
}

static void use_next_keys(struct items *items)
{
	for (size_t i = 0; i < items->n; i++)
		items->v[i].key = items->v[i].next_key;
}

/* Frees the items. */
static int match(struct comparison *c, struct items *a, struct items *b, take_fn *take)
{
	int rc = (a->v || !a->n) && (b->v || !b->n) ? 0 : -ENOMEM;

	rc = rc ?: match_ids(c, a, b, take);
	rc = rc ?: match_keys(c, a, b, MATCHED_NAMES, take);
	if (!rc) {
		use_next_keys(a);
		use_next_keys(b);
	}
	rc = rc ?: match_keys(c, a, b, MATCHED_CALLER, take);
	rc = rc ?: match_keys(c, a, b, MATCHED_NOT, take);
	free(a->v);
	free(b->v);
	return rc;
}

/* --- what has changed ---------------------------------------------------------------------------- */

static uint64_t acquired(const struct report *r)
{
	uint64_t n = 0;

	for (size_t i = 0; i < NR_FAMILIES; i++)
		n = add_capped(n, r->families[i].acquired);
	return n;
}

static double ratio(double b, double a)
{
	return a > 0 && b > 0 ? b / a : 1;
}

/* What A's numbers are multiplied with; calls of a and b: where calls are what counts. */
static double scale_of(const struct comparison *c, uint64_t calls_a, uint64_t calls_b)
{
	if (!c->a.report || !c->b.report || c->per == PER_RUN)
		return 1;
	return c->per == PER_SECOND ? ratio(c->b.report->elapsed_s, c->a.report->elapsed_s)
				    : ratio((double)calls_b, (double)calls_a);
}

static double scale_of_all(const struct comparison *c)
{
	return c->a.report && c->b.report ? scale_of(c, acquired(c->a.report), acquired(c->b.report)) : 1;
}

/* Exact where nothing was multiplied. */
static int64_t delta_of(uint64_t a, uint64_t b, double scale)
{
	double d = (double)b - (double)a * scale;

	if (scale == 1 && (b > a ? b - a : a - b) <= INT64_MAX)
		return b > a ? (int64_t)(b - a) : -(int64_t)(a - b);
	if (isnan(d))
		return 0;
	return d >= 0x1p62 ? INT64_MAX : d <= -0x1p62 ? -INT64_MAX : llround(d);
}

/* has_a, has_b: which sides have it. */
static void judge(struct compared *is, bool has_a, bool has_b, double scale)
{
	is->delta = is->unknown ? 0 : delta_of(is->a, is->b, scale);
	if (!has_a || !has_b)
		is->change = has_b ? CHANGE_NEW : CHANGE_GONE;
	else
		is->change = is->delta > 0 ? CHANGE_GROWN : is->delta < 0 ? CHANGE_SHRUNK : CHANGE_SAME;
	is->growth = is->delta > 0;
}

static bool comes_and_goes(const struct report_site *s)
{
	return s->verdict.kind == VERDICT_BOUNDED || s->verdict.kind == VERDICT_CLEAN;
}

/* How far what a side knows of a site may be off, where it is sampled; without a site: of none there. */
static double noise_of(const struct report *r, enum func_id func, uint64_t outstanding)
{
	return r ? (double)sample_error(outstanding, report_one_in(r, func)) : 0;
}

/* By less than chance alone may do. */
static bool is_chance(const struct comparison *c, const struct compared_site *s, double scale)
{
	enum func_id func = s->b ? s->b->func : s->a->func;
	double noise =
	    hypot(noise_of(c->a.report, func, s->is.a) * scale, noise_of(c->b.report, func, s->is.b));

	return noise > 0 && fabs((double)s->is.delta) <= noise;
}

static void judge_site(const struct comparison *c, struct compared_site *s, double scale)
{
	judge(&s->is, s->a, s->b, scale);
	if (is_chance(c, s, scale)) {
		s->is.change = CHANGE_SAME;
		s->is.growth = false;
	}
	if (s->a && s->b && s->nr_a == 1 && s->nr_b == 1 && comes_and_goes(s->a) && comes_and_goes(s->b)) {
		uint64_t left_a = s->a->verdict.survivors, left_b = s->b->verdict.survivors;
		double old_a = (double)left_a * scale, old_b = (double)left_b;
		double noise = hypot(noise_of(c->a.report, s->b->func, left_a) * scale,
				     noise_of(c->b.report, s->b->func, left_b));

		s->is.change = noise > 0 && fabs(old_b - old_a) <= noise ? CHANGE_SAME
			       : old_b > TWICE * old_a                   ? CHANGE_GROWN
			       : old_b * TWICE < old_a                   ? CHANGE_SHRUNK
									 : CHANGE_SAME;
		s->is.growth = s->is.change == CHANGE_GROWN;
	}
	if (s->b && s->b->verdict.kind == VERDICT_GROWING &&
	    (!s->a || s->a->verdict.kind != VERDICT_GROWING)) {
		s->is.change = s->a ? CHANGE_GROWN : CHANGE_NEW;
		s->is.growth = true;
	}
}

/* --- sites --------------------------------------------------------------------------------------- */

static bool has_two_builds(const struct comparison *c, const char *module)
{
	for (size_t i = 0; module && i < c->modules.n; i++)
		if (c->modules.v[i].name && !strcmp(c->modules.v[i].name, module))
			return true;
	return false;
}

/* What is left of a stack in every build: see compare.h. */
static uint64_t caller_key(const char *func, const struct frame *caller, const struct frames *frames)
{
	const char *const texts[] = {func, caller->symbol, caller->module};
	uint64_t h = FNV64_INIT;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		h = texts[i] ? fnv64(h, texts[i], strlen(texts[i]) + 1) : h;
	for (size_t i = 0; i < frames->n; i++)
		if (frame_is_managed(&frames->v[i]) && frames->v[i].symbol)
			h = fnv64(h, frames->v[i].symbol, strlen(frames->v[i].symbol) + 1);
	return h;
}

static struct items site_items(const struct comparison *c, const struct report *r)
{
	struct items out = {.n = r ? r->sites.n : 0};

	out.v = calloc(out.n + 1, sizeof(*out.v));
	for (size_t i = 0; out.v && i < out.n; i++) {
		const struct report_site *s = &r->sites.v[i];
		const struct frame *f = frames_caller(&s->frames);
		const char *func = func_name(r->catalog, s->func);
		uint64_t key = frames_name_key(func, &s->frames);
		bool changed = f && f->symbol && has_two_builds(c, f->module);

		out.v[i] = (struct item){
		    .of = s,
		    .id = s->id,
		    .key = key,
		    .next_key = changed ? caller_key(func, f, &s->frames) : key,
		    .place = !f                    ? 0
			     : frame_is_managed(f) ? (uint64_t)f->line
						   : f->offset,
		};
	}
	return out;
}

/* Together: their numbers, and the one that stands for them. */
static const struct report_site *sum_up(const struct item *v, size_t n, uint64_t *outstanding,
					uint64_t *calls, bool *unknown)
{
	const struct report_site *most = NULL;

	for (size_t i = 0; i < n; i++) {
		const struct report_site *s = v[i].of;

		*outstanding = add_capped(*outstanding, s->outstanding);
		*calls = add_capped(*calls, s->acquired);
		*unknown |= s->life_unknown;
		if (!most || s->outstanding > most->outstanding)
			most = s;
	}
	return most;
}

static int take_sites(struct comparison *c, const struct item *a, size_t n_a, const struct item *b,
		      size_t n_b, enum matched how)
{
	struct compared_site *s = VEC_ADD(&c->sites);
	uint64_t calls_a = 0, calls_b = 0;

	if (!s)
		return -ENOMEM;
	s->is.matched = how;
	s->nr_a = n_a;
	s->nr_b = n_b;
	s->a = sum_up(a, n_a, &s->is.a, &calls_a, &s->is.unknown);
	s->b = sum_up(b, n_b, &s->is.b, &calls_b, &s->is.unknown);
	judge_site(c, s, scale_of(c, calls_a, calls_b));
	return 0;
}

/* --- findings ------------------------------------------------------------------------------------ */

static uint64_t finding_key(const struct report *r, const struct report_finding *f)
{
	const char *func = func_name(r->catalog, f->func);
	const uint64_t keys[] = {
	    frames_name_key(finding_rows[f->kind].word, &f->stack.frames),
	    frames_name_key(func, &f->acquire.frames),
	    frames_name_key(NULL, &f->release.frames),
	};

	return fnv64(FNV64_INIT, keys, sizeof(keys));
}

static struct items finding_items(const struct report *r)
{
	struct items out = {.n = r ? r->findings.n : 0};

	out.v = calloc(out.n + 1, sizeof(*out.v));
	for (size_t i = 0; out.v && i < out.n; i++) {
		const struct report_finding *f = &r->findings.v[i];
		const struct frame *place = frames_caller(&f->stack.frames);

		out.v[i] = (struct item){
		    .of = f, .id = f->id, .key = finding_key(r, f), .place = place ? place->offset : 0};
		out.v[i].next_key = out.v[i].key;
	}
	return out;
}

/* Of several the first stands for all. */
static int take_findings(struct comparison *c, const struct item *a, size_t n_a, const struct item *b,
			 size_t n_b, enum matched how)
{
	struct compared_finding *f = VEC_ADD(&c->findings);

	if (!f)
		return -ENOMEM;
	f->is.matched = how;
	f->a = n_a ? a->of : NULL;
	f->b = n_b ? b->of : NULL;
	for (size_t i = 0; i < n_a; i++)
		f->is.a = add_capped(f->is.a, ((const struct report_finding *)a[i].of)->count);
	for (size_t i = 0; i < n_b; i++)
		f->is.b = add_capped(f->is.b, ((const struct report_finding *)b[i].of)->count);
	judge(&f->is, f->a, f->b, scale_of_all(c));
	return 0;
}

/* --- classes ------------------------------------------------------------------------------------- */

/* The row of a class, by family; made when new. NULL: out of memory. */
static struct compared_class *class_row(struct comparison *c, struct hash *rows, const char *family,
					const char *name)
{
	uint64_t key_a = fnv64(FNV64_INIT, family, strlen(family)),
		 key_b = fnv64(FNV64_INIT, name, strlen(name));
	uint32_t known = hash_find(rows, key_a, key_b);
	struct compared_class *row = known ? &c->classes.v[known - 1] : VEC_ADD(&c->classes);

	if (!known && row && hash_set(rows, key_a, key_b, (uint32_t)c->classes.n))
		return NULL;
	if (!known && row)
		*row = (struct compared_class){.family = family, .name = name};
	return row;
}

/* The references of one side; known: their classes are. 0 or -ENOMEM. */
static int add_classes(struct comparison *c, struct hash *rows, const struct report *r, bool is_b,
		       bool *known)
{
	for (size_t i = 0; r && i < r->sites.n; i++) {
		const struct report_site *s = &r->sites.v[i];
		const char *family = family_name(r->catalog, func_family(r->catalog, s->func));

		*known |= s->classes.known;
		for (size_t k = 0; family && k < s->classes.n; k++) {
			struct compared_class *row = class_row(c, rows, family, s->classes.v[k].name);
			uint64_t *n = row ? is_b ? &row->is.b : &row->is.a : NULL;

			if (!n)
				return -ENOMEM;
			*n = add_capped(*n, s->classes.v[k].outstanding);
		}
	}
	return 0;
}

static int compare_classes(struct comparison *c)
{
	bool known_a = !c->a.report || !c->a.report->sites.n, known_b = !c->b.report || !c->b.report->sites.n;
	double scale = scale_of_all(c);
	struct hash rows = {0};
	int rc = add_classes(c, &rows, c->a.report, false, &known_a);

	rc = rc ?: add_classes(c, &rows, c->b.report, true, &known_b);
	hash_free(&rows);
	c->classes_known = known_a && known_b;
	if (!c->classes_known)
		c->classes.n = 0;
	for (size_t i = 0; i < c->classes.n; i++) {
		struct compared *is = &c->classes.v[i].is;

		is->matched = is->a && is->b ? MATCHED_NAMES : MATCHED_NOT;
		judge(is, is->a, is->b, scale);
	}
	return rc;
}

/* --- modules ------------------------------------------------------------------------------------- */

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

static const struct report_library *library_of(const struct report *r, const char *module)
{
	for (size_t i = 0; i < r->libraries.n; i++)
		if (same_text(r->libraries.v[i].module, module))
			return &r->libraries.v[i];
	return NULL;
}

static int add_module(struct comparison *c, const char *name, const char *a, const char *b)
{
	struct compared_module *m = same_text(a, b) ? NULL : VEC_ADD(&c->modules);

	if (m)
		*m = (struct compared_module){name, a, b};
	return m || same_text(a, b) ? 0 : -ENOMEM;
}

/* The VM, and libraries that sites call from. */
static int compare_modules(struct comparison *c)
{
	const struct report *a = c->a.report, *b = c->b.report;
	int rc;

	if (!a || !b)
		return 0;
	rc = add_module(c, b->target.vm, a->target.build_id, b->target.build_id);
	for (size_t i = 0; !rc && i < b->libraries.n; i++) {
		const struct report_library *l = &b->libraries.v[i], *was = NULL;

		if (l->module)
			was = library_of(a, l->module);
		if (was)
			rc = add_module(c, l->module, was->build_id, l->build_id);
	}
	return rc;
}

/* --- all ----------------------------------------------------------------------------------------- */

/* Growth first, then the largest difference; what is equal stays in an order that ids alone make. */
static int compare_compared(const struct compared *a, const struct compared *b)
{
	int c = b->growth - a->growth;

	c = c ?: LESS(b->delta, a->delta);
	return c ?: LESS(a->change, b->change);
}

static int compare_sites(const void *va, const void *vb)
{
	const struct compared_site *a = va, *b = vb;
	const struct report_site *sa = a->b ?: a->a, *sb = b->b ?: b->a;

	return compare_compared(&a->is, &b->is) ?: LESS(sa->id, sb->id);
}

static int compare_class_rows(const void *va, const void *vb)
{
	const struct compared_class *a = va, *b = vb;
	int c = compare_compared(&a->is, &b->is);

	c = c ?: strcmp(a->name, b->name);
	return c ?: strcmp(a->family, b->family);
}

static int compare_findings(const void *va, const void *vb)
{
	const struct compared_finding *a = va, *b = vb;
	const struct report_finding *fa = a->b ?: a->a, *fb = b->b ?: b->a;

	return compare_compared(&a->is, &b->is) ?: LESS(fa->id, fb->id);
}

#define SORT(list, compare)                                                                                  \
	do {                                                                                                 \
		if ((list).n > 1)                                                                            \
			qsort((list).v, (list).n, sizeof(*(list).v), compare);                               \
	} while (0)

int compare_reports(const struct report *a, const struct report *b, enum per per, struct comparison *out)
{
	struct items sites_a, sites_b, findings_a, findings_b;
	int rc;

	*out = (struct comparison){.a.report = a, .b.report = b, .per = per};
	rc = compare_modules(out);
	if (rc)
		return rc;
	sites_a = site_items(out, a);
	sites_b = site_items(out, b);
	rc = match(out, &sites_a, &sites_b, take_sites);
	if (rc)
		return rc;
	findings_a = finding_items(a);
	findings_b = finding_items(b);
	rc = match(out, &findings_a, &findings_b, take_findings);
	rc = rc ?: compare_classes(out);
	SORT(out->sites, compare_sites);
	SORT(out->classes, compare_class_rows);
	SORT(out->findings, compare_findings);
	return rc;
}

void comparison_free(struct comparison *c)
{
	free(c->sites.v);
	free(c->classes.v);
	free(c->findings.v);
	free(c->modules.v);
	*c = (struct comparison){0};
}

static bool has_new_finding(const struct comparison *c)
{
	for (size_t i = 0; i < c->findings.n; i++)
		if (c->findings.v[i].is.change == CHANGE_NEW)
			return true;
	return false;
}

bool compare_fails(const struct comparison *c, enum fail_on_change on)
{
	for (size_t i = 0; i < c->sites.n && on != FAIL_ON_NEW_FINDING; i++)
		if (on == FAIL_ON_GROWTH ? c->sites.v[i].is.growth : c->sites.v[i].is.change == CHANGE_NEW)
			return true;
	return on != FAIL_ON_GROWTH && has_new_finding(c);
}
