/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Assertions. See assert.h. */
#include "judge/assert.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

static const char *const counts[NR_ASSERT_COUNTS] = {"outstanding", "acquired", "released"};
/* The longer of two that begin alike comes first. */
static const struct {
	const char *text;
	enum assert_compare compare;
} compares[] = {{"<=", CMP_LE}, {"<", CMP_LT}, {"==", CMP_EQ}, {"!=", CMP_NE}, {">=", CMP_GE}, {">", CMP_GT}};

/* --- parsing ------------------------------------------------------------------------------------- */

struct parser {
	const char *text, *at;
	const struct catalog *catalog;
	char *why; /* of the first error */
	const char *wrong_at;
};

static int fail_at(struct parser *p, const char *at, const char *fmt, ...) JT_PRINTF(3, 4);

static int fail_at(struct parser *p, const char *at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(p->why, ASSERT_MAX_WHY, fmt, ap);
	va_end(ap);
	p->wrong_at = at;
	return -EINVAL;
}

static void skip_blanks(struct parser *p)
{
	while (*p->at == ' ' || *p->at == '\t')
		p->at++;
}

static bool take(struct parser *p, const char *text)
{
	skip_blanks(p);
	if (strncmp(p->at, text, strlen(text)) != 0)
		return false;
	p->at += strlen(text);
	return true;
}

/* Letters, digits and dashes. Returns its length; 0: there is none. */
static size_t take_word(struct parser *p, char *out, size_t cap)
{
	size_t n = 0;

	skip_blanks(p);
	while (isalnum((unsigned char)p->at[n]) || p->at[n] == '-' || p->at[n] == '_')
		n++;
	snprintf(out, cap, "%.*s", (int)(n < cap ? n : cap - 1), p->at);
	p->at += n;
	return n;
}

static int take_count(struct parser *p, enum assert_count *out)
{
	const char *at;
	char word[32];

	if (!take(p, "."))
		return fail_at(p, p->at, "expected .outstanding, .acquired or .released");
	skip_blanks(p);
	at = p->at;
	take_word(p, word, sizeof(word));
	for (int i = 0; i < NR_ASSERT_COUNTS; i++)
		if (!strcmp(word, counts[i])) {
			*out = (enum assert_count)i;
			return 0;
		}
	return fail_at(p, at, "expected outstanding, acquired or released");
}

/* A text in quotes, in parentheses. */
static int take_text(struct parser *p, char out[ASSERT_MAX_TEXT])
{
	const char *from, *end;
	char quote;

	if (!take(p, "("))
		return fail_at(p, p->at, "expected ( and a text in quotes");
	skip_blanks(p);
	quote = *p->at;
	if (quote != '"' && quote != '\'')
		return fail_at(p, p->at, "expected a text in quotes");
	from = p->at + 1;
	end = strchr(from, quote);
	if (!end)
		return fail_at(p, p->at, "this quote has no end");
	if (end == from)
		return fail_at(p, from, "the text is empty");
	if (end - from >= ASSERT_MAX_TEXT)
		return fail_at(p, from, "the text is too long");
	snprintf(out, ASSERT_MAX_TEXT, "%.*s", (int)(end - from), from);
	p->at = end + 1;
	return take(p, ")") ? 0 : fail_at(p, p->at, "expected )");
}

/* An optional name in quotes and parentheses, which must be one of those. */
static int take_name(struct parser *p, char out[ASSERT_MAX_TEXT], const char *what,
		     const char *(*names)(size_t i))
{
	const char *at;
	int rc;

	skip_blanks(p);
	if (*p->at != '(')
		return 0;
	at = p->at + 1;
	rc = take_text(p, out);
	for (size_t i = 0; !rc && names(i); i++)
		if (!strcmp(names(i), out))
			return 0;
	return rc ?: fail_at(p, at + strspn(at, " \t") + 1, "there is no %s '%.64s'", what, out);
}

static const char *finding_name(size_t i)
{
	return i < NR_FINDINGS ? finding_rows[i].name : NULL;
}

static const char *drop_name(size_t i)
{
	return i < NR_DROPS ? drop_rows[i].name : NULL;
}

static int take_value(struct parser *p, struct assert_term *t)
{
	const char *at;
	char word[32];
	int rc;

	skip_blanks(p);
	at = p->at;
	if (!take_word(p, word, sizeof(word)))
		return fail_at(p, at, "expected a value: a family, site, class, findings, leak or drops");
	if (!strcmp(word, "findings")) {
		t->kind = ASSERT_FINDINGS;
		return take_name(p, t->text, "kind of finding", finding_name);
	}
	if (!strcmp(word, "drops")) {
		t->kind = ASSERT_DROPS;
		return take_name(p, t->text, "reason for a drop", drop_name);
	}
	if (!strcmp(word, "leak")) {
		t->kind = ASSERT_GROWING;
		return take(p, ".") && take(p, "growing") ? 0 : fail_at(p, p->at, "expected leak.growing");
	}
	if (!strcmp(word, "site") || !strcmp(word, "class")) {
		t->kind = *word == 's' ? ASSERT_SITE : ASSERT_CLASS;
		rc = take_text(p, t->text);
		at = p->at;
		rc = rc ?: take_count(p, &t->count);
		if (!rc && t->kind == ASSERT_CLASS && t->count != COUNT_OUTSTANDING)
			return fail_at(p, at, "of a class only .outstanding is known");
		return rc;
	}
	t->kind = ASSERT_FAMILY;
	t->family = catalog_find_family(p->catalog, word);
	if (t->family == FAMILY_NONE || t->family == FAMILY_CHECK)
		return fail_at(p, at,
			       "unknown value '%s': expected a family, site, class, findings, leak or "
			       "drops",
			       word);
	return take_count(p, &t->count);
}

static int take_comparison(struct parser *p, struct assert_term *t)
{
	const char *at;
	size_t i = 0;

	while (i < ARRAY_LEN(compares) && !take(p, compares[i].text))
		i++;
	if (i == ARRAY_LEN(compares))
		return fail_at(p, p->at, "expected one of < <= == != >= >");
	t->compare = compares[i].compare;
	skip_blanks(p);
	at = p->at;
	for (; *p->at >= '0' && *p->at <= '9'; p->at++)
		if (__builtin_mul_overflow(t->number, 10, &t->number) ||
		    __builtin_add_overflow(t->number, (uint64_t)(*p->at - '0'), &t->number))
			return fail_at(p, at, "the number is too large");
	return p->at > at ? 0 : fail_at(p, at, "expected a whole number");
}

int assert_parse(const char *text, const struct catalog *catalog, struct assertion *out, size_t *column,
		 char why[ASSERT_MAX_WHY])
{
	struct parser p = {.text = text, .at = text, .catalog = catalog, .why = why};
	int rc = 0;

	*out = (struct assertion){.text = text};
	do {
		struct assert_term *t = &out->term[out->n];

		if (out->n == ASSERT_MAX_TERMS) {
			rc = fail_at(&p, p.at, "more than 16 comparisons");
			break;
		}
		skip_blanks(&p);
		t->from = (size_t)(p.at - text);
		rc = take_value(&p, t);
		rc = rc ?: take_comparison(&p, t);
		t->to = (size_t)(p.at - text);
		out->n++;
	} while (!rc && take(&p, "&&"));
	skip_blanks(&p);
	if (!rc && *p.at)
		rc = fail_at(&p, p.at, "expected && or the end");
	*column = rc ? (size_t)(p.wrong_at - text) + 1 : 0;
	return rc;
}

bool assert_needs_classes(const struct assertion *a)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->term[i].kind == ASSERT_CLASS)
			return true;
	return false;
}

/* --- of one JVM ---------------------------------------------------------------------------------- */

/* The JDK's folder of libraries: that of the VM's own, without its last part ("server"). */
static bool is_of_jdk(const struct report *r, const struct frame *f)
{
	const char *library = r->target.library, *end = library ? strrchr(library, '/') : NULL;
	size_t n = 0;

	if (f->type == FRAME_VM)
		return true;
	if (!end || !f->path)
		return false;
	for (n = (size_t)(end - library); n && library[n - 1] != '/'; n--)
		;
	return n > 1 && !strncmp(f->path, library, n);
}

bool assert_is_own(const struct report *r, const struct report_site *s)
{
	const struct frame *f = s->no_stack ? NULL : frames_caller(&s->frames);

	/* what other families count is no matter of the VM's own code, wherever their library is */
	return f && func_family(r->catalog, s->func) < NR_JNI_FAMILIES && is_of_jdk(r, f);
}

bool assert_counts_site(const struct assert_term *t, const struct report *r, const struct report_site *s)
{
	const struct frame *f;

	switch (t->kind) {
	case ASSERT_FAMILY:
		return func_family(r->catalog, s->func) == t->family && !assert_is_own(r, s);
	case ASSERT_GROWING:
		return s->verdict.kind == VERDICT_GROWING;
	case ASSERT_SITE:
		f = s->no_stack ? NULL : frames_caller(&s->frames);
		return f && ((f->module && pattern_matches(t->text, f->module)) ||
			     (f->path && pattern_matches(t->text, f->path)) ||
			     (f->symbol && pattern_matches(t->text, f->symbol)));
	case ASSERT_CLASS:
		for (size_t i = 0; i < s->classes.n; i++)
			if (pattern_matches(t->text, s->classes.v[i].name))
				return true;
		return false;
	case ASSERT_FINDINGS:
	case ASSERT_DROPS:
		break;
	}
	return false;
}

bool assert_counts_finding(const struct assert_term *t, const struct report_finding *f)
{
	return t->kind == ASSERT_FINDINGS && (!*t->text || !strcmp(t->text, finding_rows[f->kind].name));
}

static void not_known(struct assert_part *p, const char *fmt, ...) JT_PRINTF(2, 3);

/* The first reason stays. */
static void not_known(struct assert_part *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (!*p->not_known)
		vsnprintf(p->not_known, sizeof(p->not_known), fmt, ap);
	va_end(ap);
}

/* Losses after which a number is only near the truth. */
static void note_losses(struct assert_part *p, const struct report *r, bool by_site)
{
	static const enum drop_id counted[] = {DROP_START_MISSED, DROP_REFS_FULL,     DROP_RELEASE_MISSED,
					       DROP_HANDLE_RANGE, DROP_HANDLE_UNREAD, DROP_RULE_BAD,
					       DROP_PROG_MISSED,  DROP_SITES_MISSING, DROP_FINALIZER_UNSEEN,
					       DROP_SIGNAL_STACK};
	static const enum drop_id sites[] = {DROP_STACKS_FULL, DROP_CALLER_UNREAD, DROP_WALKERS_BUSY};

	for (size_t i = 0; i < ARRAY_LEN(counted); i++)
		if (r->drops[counted[i]])
			not_known(p, "PID %d: %s", r->target.pid, drop_rows[counted[i]].meaning);
	for (size_t i = 0; by_site && i < ARRAY_LEN(sites); i++)
		if (r->drops[sites[i]])
			not_known(p, "PID %d: %s", r->target.pid, drop_rows[sites[i]].meaning);
}

static uint64_t count_of(const struct report_site *s, enum assert_count count)
{
	return count == COUNT_ACQUIRED ? s->acquired : count == COUNT_RELEASED ? s->released : s->outstanding;
}

/* By the family's totals, so that what has no site counts too. */
static void add_family(const struct assert_term *t, const struct report *r,
		       const struct suppressions *suppressed, struct assert_part *p)
{
	const struct report_family *f = &r->families[t->family];
	uint64_t own = 0;

	if (!f->traced) {
		not_known(p, "PID %d: references of this family were not traced (-e)", r->target.pid);
		return;
	}
	if (t->count == COUNT_OUTSTANDING && f->life_unknown)
		not_known(p, "PID %d: which of them are alive is not known", r->target.pid);
	p->value = t->count == COUNT_ACQUIRED   ? f->acquired
		   : t->count == COUNT_RELEASED ? f->released
						: f->outstanding;
	for (size_t i = 0; i < r->sites.n; i++)
		if (func_family(r->catalog, r->sites.v[i].func) == t->family &&
		    (assert_is_own(r, &r->sites.v[i]) || suppresses_site(suppressed, &r->sites.v[i])))
			own = add_capped(own, count_of(&r->sites.v[i], t->count));
	p->value -= own < p->value ? own : p->value;
	note_losses(p, r, false);
}

static void add_sites(const struct assert_term *t, const struct report *r,
		      const struct suppressions *suppressed, struct assert_part *p)
{
	for (size_t i = 0; i < r->sites.n; i++) {
		const struct report_site *s = &r->sites.v[i];

		if (suppresses_site(suppressed, s))
			continue;
		if (t->kind == ASSERT_SITE && assert_counts_site(t, r, s) && t->count == COUNT_OUTSTANDING &&
		    s->life_unknown)
			not_known(p, "PID %d: which local references are alive is not known", r->target.pid);
		if (!assert_counts_site(t, r, s))
			continue;
		p->value = add_capped(p->value, t->kind == ASSERT_GROWING ? 1 : count_of(s, t->count));
	}
	note_losses(p, r, true);
}

static void add_classes(const struct assert_term *t, const struct report *r,
			const struct suppressions *suppressed, struct assert_part *p)
{
	uint64_t unread = 0, all = 0;

	for (size_t i = 0; i < r->sites.n; i++) {
		const struct report_site *s = &r->sites.v[i];
		uint64_t read = 0;

		if (suppresses_site(suppressed, s) || assert_is_own(r, s))
			continue;
		for (size_t k = 0; s->classes.known && k < s->classes.n; k++) {
			const struct report_class *c = &s->classes.v[k];

			read = add_capped(read, c->outstanding);
			if (pattern_matches(t->text, c->name))
				p->value = add_capped(p->value, c->outstanding);
		}
		unread = add_capped(unread, s->outstanding > read ? s->outstanding - read : 0);
		all = add_capped(all, s->outstanding);
	}
	if (unread)
		not_known(p,
			  "PID %d: the classes of %llu of %llu references could not be read before it ended",
			  r->target.pid, (unsigned long long)unread, (unsigned long long)all);
	note_losses(p, r, true);
}

static void add_findings(const struct assert_term *t, const struct report *r,
			 const struct suppressions *suppressed, struct assert_part *p)
{
	for (size_t i = 0; i < r->findings.n; i++)
		p->value += assert_counts_finding(t, &r->findings.v[i]) &&
			    !suppresses_finding(suppressed, &r->findings.v[i]);
	if (r->drops[DROP_FINDINGS_FULL])
		not_known(p, "PID %d: %s", r->target.pid, drop_rows[DROP_FINDINGS_FULL].meaning);
	note_losses(p, r, false);
}

void assert_part(const struct assert_term *t, const struct report *r, struct suppressions *suppressed,
		 struct assert_part *out)
{
	*out = (struct assert_part){0};
	switch (t->kind) {
	case ASSERT_FAMILY:
		add_family(t, r, suppressed, out);
		break;
	case ASSERT_GROWING:
		if (report_too_short(r) > 0)
			not_known(out,
				  "PID %d ran for too short a time to tell leaks: %.0f s more are needed",
				  r->target.pid, report_too_short(r));
		/* fallthrough */
	case ASSERT_SITE:
		add_sites(t, r, suppressed, out);
		break;
	case ASSERT_CLASS:
		add_classes(t, r, suppressed, out);
		break;
	case ASSERT_FINDINGS:
		add_findings(t, r, suppressed, out);
		break;
	case ASSERT_DROPS:
		for (int i = 0; i < NR_DROPS; i++)
			if (!*t->text || !strcmp(t->text, drop_rows[i].name))
				out->value = add_capped(out->value, r->drops[i]);
		break;
	}
}

void assert_add(struct assert_term *t, const struct assert_part *p)
{
	t->value = add_capped(t->value, p->value);
	if (!*t->not_known)
		memcpy(t->not_known, p->not_known, sizeof(t->not_known));
}

/* --- the judgement ------------------------------------------------------------------------------- */

static bool holds(enum assert_compare compare, uint64_t value, uint64_t number)
{
	switch (compare) {
	case CMP_LT:
		return value < number;
	case CMP_LE:
		return value <= number;
	case CMP_EQ:
		return value == number;
	case CMP_NE:
		return value != number;
	case CMP_GE:
		return value >= number;
	case CMP_GT:
		return value > number;
	case NR_ASSERT_COMPARES:
		break;
	}
	return false;
}

enum assert_result assert_compare(const struct assert_term *t, uint64_t value, const char *not_known)
{
	if (!holds(t->compare, value, t->number))
		return ASSERT_FAILS;
	return *not_known ? ASSERT_NOT_KNOWN : ASSERT_HOLDS;
}

enum assert_result assert_judge(const struct assertion *a)
{
	enum assert_result result = ASSERT_HOLDS;

	for (size_t i = 0; i < a->n; i++) {
		const struct assert_term *t = &a->term[i];
		enum assert_result one = assert_compare(t, t->value, t->not_known);

		if (one == ASSERT_FAILS)
			return one;
		if (one == ASSERT_NOT_KNOWN)
			result = one;
	}
	return result;
}
