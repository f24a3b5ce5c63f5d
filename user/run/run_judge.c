/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "run/run_judge.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/strset.h"
#include "export/checks.h"
#include "judge/assert.h"
#include "run/baseline.h"
#include "view/findings.h"
#include "view/text.h"
#include "view/view_opts.h"

#define CULPRITS_OF_JVM  3         /* sites that are shown, those that count for most; */
#define CULPRITS_BYTES   (1 << 16) /* and how long the text of all may become */
#define SUPPRESSIONS_MAX (1 << 20) /* bytes of the file */
#define GRACE_MS         2000      /* for a reader of a result that takes nothing */

/* How one check turned out, of all JVMs or of one: an assertion; or the baseline, whose values are sites and
 * findings. */
struct outcome {
	struct buf message, culprits;
	uint64_t value[ASSERT_MAX_TERMS];
	bool not_known[ASSERT_MAX_TERMS];
	const char *file; /* of the first culprit */
	int line;
};
struct jvm {
	char name[128];
	double time_s;
	struct outcome *v; /* of each check */
};
struct result_file {
	const char *path;
	int fd; /* -1: not open */
};
struct run_judge {
	const struct options *o;
	struct assertion *asserts; /* o->nr_asserts */
	struct suppressions *suppressions;
	struct baseline *baseline; /* NULL: none */
	char baseline_name[256];   /* of its check, which comes after those of the assertions */
	struct outcome *all;       /* of each check */
	struct {
		struct jvm *v;
		size_t n, cap;
	} jvms;
	struct strset names; /* of files */
	struct result_file junit, tap;
	const char *doubt; /* NULL: none */
};

/* --- opening ------------------------------------------------------------------------------------- */

static int parse_asserts(struct run_judge *j, struct error *err)
{
	const struct options *o = j->o;

	for (size_t i = 0; i < o->nr_asserts; i++) {
		char why[ASSERT_MAX_WHY], what[64], advice[192];
		size_t column;

		if (!assert_parse(o->asserts[i], o->catalog, &j->asserts[i], &column, why))
			continue;
		snprintf(what, sizeof(what), "--assert, column %zu", column);
		snprintf(advice, sizeof(advice), "as in 'global.outstanding<=7'; see man jnitrace");
		return error_set(err, -EINVAL, EXIT_USAGE, what, advice, "%s, in '%.160s'", why,
				 o->asserts[i]);
	}
	return 0;
}

/* A text file of at most max bytes; the caller frees *out. 0 or -errno. */
static int read_file(const char *path, size_t max, char **out, size_t *n)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc = fd < 0 ? -errno : 0;
	char *text = rc ? NULL : malloc(max + 1);
	ssize_t got = 1;

	rc = rc ?: text ? 0 : -ENOMEM;
	for (*n = 0; !rc && *n <= max && got > 0; *n += (size_t)got) {
		got = read(fd, text + *n, max + 1 - *n);
		if (got < 0)
			rc = -errno;
		if (got < 0)
			break;
	}
	if (!rc && *n > max)
		rc = -EFBIG;
	if (fd >= 0)
		close(fd);
	if (rc)
		free(text);
	else
		*out = text;
	return rc;
}

static int read_suppressions(struct run_judge *j, struct error *err)
{
	const char *path = j->o->suppressions, *why = NULL;
	size_t n, line;
	char *text = NULL;
	int rc = path ? read_file(path, SUPPRESSIONS_MAX, &text, &n) : 0;

	if (rc)
		return error_set(err, rc, EXIT_USAGE, "--suppressions", NULL, "%s: %s", path, strerror(-rc));
	if (text)
		rc = suppressions_parse(text, n, &j->suppressions, &line, &why);
	free(text);
	if (!rc)
		return 0;
	return error_set(err, rc, EXIT_USAGE, "--suppressions", "as in leak:*Foo_bar", "%s:%zu: %s", path,
			 line, why ?: strerror(-rc));
}

static int read_baseline(struct run_judge *j, struct error *err)
{
	if (!j->o->baseline)
		return 0;
	snprintf(j->baseline_name, sizeof(j->baseline_name), "nothing new since %s", j->o->baseline);
	return baseline_new(j->o->baseline, j->o->limit_bytes, &j->baseline, err);
}

static size_t nr_checks(const struct run_judge *j)
{
	return j->o->nr_asserts + (j->baseline != NULL);
}

int run_judge_new(const struct options *o, struct run_judge **out, struct error *err)
{
	struct run_judge *j = calloc(1, sizeof(*j));
	int rc = -ENOMEM;

	if (j) {
		j->o = o;
		j->junit = (struct result_file){o->junit, -1};
		j->tap = (struct result_file){o->tap, -1};
		j->asserts = calloc(o->nr_asserts + 1, sizeof(*j->asserts));
		j->all = calloc(o->nr_asserts + 1, sizeof(*j->all));
		rc = j->asserts && j->all ? 0 : -ENOMEM;
	}
	rc = rc ?: parse_asserts(j, err);
	rc = rc ?: read_suppressions(j, err);
	rc = rc ?: read_baseline(j, err);
	if (rc) {
		run_judge_free(j);
		return error_set(err, rc, EXIT_FAILED, "run", NULL, "%s", strerror(-rc));
	}
	*out = j;
	return 0;
}

static void free_outcomes(const struct run_judge *j, struct outcome *v)
{
	for (size_t i = 0; v && i < nr_checks(j); i++) {
		buf_free(&v[i].message);
		buf_free(&v[i].culprits);
	}
	free(v);
}

void run_judge_free(struct run_judge *j)
{
	if (!j)
		return;
	for (size_t i = 0; i < j->jvms.n; i++)
		free_outcomes(j, j->jvms.v[i].v);
	free(j->jvms.v);
	free_outcomes(j, j->all);
	free(j->asserts);
	suppressions_free(j->suppressions);
	baseline_free(j->baseline);
	strset_free(&j->names);
	if (j->junit.fd >= 0)
		close(j->junit.fd);
	if (j->tap.fd >= 0)
		close(j->tap.fd);
	free(j);
}

bool run_judge_needs_classes(const struct run_judge *j)
{
	for (size_t i = 0; i < j->o->nr_asserts; i++)
		if (assert_needs_classes(&j->asserts[i]))
			return true;
	return false;
}

static int open_result(struct result_file *f, const char *option, struct error *err)
{
	if (!f->path)
		return 0;
	f->fd = io_open_output(f->path, 0666, -1);
	return f->fd < 0 ? error_set(err, f->fd, EXIT_FAILED, option, "choose another file", "%s: %s",
				     f->path, strerror(-f->fd))
			 : 0;
}

int run_judge_open(struct run_judge *j, struct error *err)
{
	int rc = open_result(&j->junit, "--junit", err);

	return rc ?: open_result(&j->tap, "--tap", err);
}

/* --- a JVM --------------------------------------------------------------------------------------- */

static void show_all(struct view_opts *v)
{
	static const struct view_request all = {.width = 0, .depth = JT_MAX_FRAMES};

	view_opts_init(v, &all, 0, 0, VIEW_LAST);
	v->color = false;
}

static bool counts(const struct run_judge *j, const struct assert_term *t, const struct report *r,
		   const struct report_site *s)
{
	return assert_counts_site(t, r, s) && !suppresses_site(j->suppressions, s) &&
	       (t->kind == ASSERT_GROWING || t->count != COUNT_OUTSTANDING || s->outstanding);
}

/* Where it is in the sources, as far as that is known. */
static void note_place(struct run_judge *j, struct outcome *o, const struct frames *frames)
{
	const struct frame *f = frames_caller(frames);

	if (o->file || !f || !f->file)
		return;
	o->file = strset_add(&j->names, f->file);
	o->line = f->line;
}

static void put_site(struct run_judge *j, struct outcome *o, const struct report *r,
		     const struct report_site *s)
{
	struct view_opts v;

	show_all(&v);
	buf_printf(&o->culprits, "PID %d: %s: %llu outstanding, of %llu acquired\n", r->target.pid,
		   func_name(r->catalog, s->func), (unsigned long long)s->outstanding,
		   (unsigned long long)s->acquired);
	view_frames(&o->culprits, &s->frames, s->truncated, NULL, &v, v.width);
	note_place(j, o, &s->frames);
}

/* The worst, which are not in `shown` yet. */
static const struct report_site *next_worst(const struct run_judge *j, const struct assert_term *t,
					    const struct report *r, const struct report_site *const *shown,
					    size_t n)
{
	const struct report_site *worst = NULL;

	for (size_t i = 0; i < r->sites.n; i++) {
		const struct report_site *s = &r->sites.v[i];
		bool is_shown = false;

		for (size_t k = 0; k < n; k++)
			is_shown |= shown[k] == s;
		if (!is_shown && counts(j, t, r, s) && (!worst || s->outstanding > worst->outstanding))
			worst = s;
	}
	return worst;
}

static void put_finding(struct run_judge *j, struct outcome *o, const struct report *r,
			const struct report_finding *f)
{
	struct report_finding copy = *f;
	struct report part = *r;
	const struct report *one = &part;
	struct view_opts v;

	show_all(&v);
	part.findings.v = &copy;
	part.findings.n = 1;
	part.libraries.n = 0;
	view_findings(&o->culprits, &one, 1, 0, &v, v.width);
	note_place(j, o, &f->stack.frames);
}

static void put_findings(struct run_judge *j, struct outcome *o, const struct report *r,
			 const struct assert_term *t)
{
	for (size_t i = 0; i < r->findings.n; i++) {
		const struct report_finding *f = &r->findings.v[i];

		if (assert_counts_finding(t, f) && !suppresses_finding(j->suppressions, f) &&
		    o->culprits.n <= CULPRITS_BYTES)
			put_finding(j, o, r, f);
	}
}

/* Who is to blame, should it not hold. */
static void put_culprits(struct run_judge *j, struct outcome *o, const struct report *r,
			 const struct assert_term *t)
{
	const struct report_site *shown[CULPRITS_OF_JVM];
	size_t n = 0;

	if (t->kind == ASSERT_FINDINGS)
		put_findings(j, o, r, t);
	while (n < CULPRITS_OF_JVM && o->culprits.n < CULPRITS_BYTES &&
	       (shown[n] = next_worst(j, t, r, shown, n)))
		put_site(j, o, r, shown[n++]);
	if (t->kind != ASSERT_DROPS)
		return;
	for (int i = 0; i < NR_DROPS; i++)
		if (r->drops[i])
			buf_printf(&o->culprits, "PID %d: %s %llu: %s\n", r->target.pid, drop_rows[i].name,
				   (unsigned long long)r->drops[i], drop_rows[i].meaning);
}

static void add_culprits(struct outcome *all, const struct outcome *o)
{
	if (o->culprits.p && all->culprits.n < CULPRITS_BYTES)
		buf_add(&all->culprits, o->culprits.p, o->culprits.n);
	if (!all->file) {
		all->file = o->file;
		all->line = o->line;
	}
}

static void put_news(struct buf *out, const struct outcome *o)
{
	buf_printf(out, "%llu %s more outstanding, %llu %s new%s", (unsigned long long)o->value[0],
		   o->value[0] == 1 ? "site has" : "sites have", (unsigned long long)o->value[1],
		   o->value[1] == 1 ? "finding is" : "findings are",
		   *o->not_known ? ", but something was lost" : "");
}

/* What one JVM says of an assertion. */
static void take_one(struct run_judge *j, struct assertion *a, struct outcome *o, struct outcome *all,
		     const struct report *r)
{
	for (size_t i = 0; i < a->n; i++) {
		struct assert_part p;

		assert_part(&a->term[i], r, j->suppressions, &p);
		assert_add(&a->term[i], &p);
		o->value[i] = p.value;
		o->not_known[i] = *p.not_known;
		if (p.value)
			put_culprits(j, o, r, &a->term[i]);
		buf_printf(&o->message, "%s%.*s is %llu%s%s", i ? ", " : "",
			   (int)(a->term[i].to - a->term[i].from), a->text + a->term[i].from,
			   (unsigned long long)p.value, *p.not_known ? ", but " : "", p.not_known);
	}
	add_culprits(all, o);
}

/* What one JVM says of the baseline. */
static int take_news(struct run_judge *j, struct outcome *o, struct outcome *all, const struct report *r)
{
	size_t shown = 0;
	struct news news = {0};
	int rc = baseline_compare(j->baseline, r, &news);

	for (size_t i = 0; !rc && i < news.findings.n; i++) {
		if (suppresses_finding(j->suppressions, news.findings.v[i]))
			continue;
		o->value[1]++;
		if (o->culprits.n < CULPRITS_BYTES)
			put_finding(j, o, r, news.findings.v[i]);
	}
	for (size_t i = 0; !rc && i < news.sites.n; i++) {
		if (suppresses_site(j->suppressions, news.sites.v[i]))
			continue;
		o->value[0]++;
		if (shown++ < CULPRITS_OF_JVM && o->culprits.n < CULPRITS_BYTES)
			put_site(j, o, r, news.sites.v[i]);
	}
	for (int i = 0; i < NR_DROPS; i++)
		o->not_known[0] |= r->drops[i] != 0;
	put_news(&o->message, o);
	if (!news.likes)
		buf_printf(&o->message, " (it has no process of this name)");
	all->value[0] += o->value[0];
	all->value[1] += o->value[1];
	all->not_known[0] |= o->not_known[0];
	add_culprits(all, o);
	news_free(&news);
	return rc;
}

int run_judge_take(struct run_judge *j, const struct report *r)
{
	struct jvm *jvm = VEC_ADD(&j->jvms);

	if (!jvm)
		return -ENOMEM;
	*jvm = (struct jvm){.time_s = r->elapsed_s, .v = calloc(j->o->nr_asserts + 1, sizeof(*jvm->v))};
	if (!jvm->v) {
		j->jvms.n--;
		return -ENOMEM;
	}
	snprintf(jvm->name, sizeof(jvm->name), "PID %d: %s", r->target.pid, target_name_of(&r->target));
	suppressions_count(j->suppressions, r);
	for (size_t i = 0; i < j->o->nr_asserts; i++)
		take_one(j, &j->asserts[i], &jvm->v[i], &j->all[i], r);
	return j->baseline ? take_news(j, &jvm->v[j->o->nr_asserts], &j->all[j->o->nr_asserts], r) : 0;
}

void run_judge_doubt(struct run_judge *j, const char *why)
{
	j->doubt = j->doubt ?: why;
}

/* --- the end ------------------------------------------------------------------------------------- */

static void tell_suppressions(const struct run_judge *j)
{
	struct suppression_used u;

	for (size_t i = 0; suppression_used(j->suppressions, i, &u); i++) {
		if (u.sites || u.findings)
			warn("suppressed: %s: %llu references of %llu sites, %llu findings", u.text,
			     (unsigned long long)u.references, (unsigned long long)u.sites,
			     (unsigned long long)u.findings);
		else
			warn("suppression not used: %s (%s:%zu)", u.text, j->o->suppressions, u.line);
	}
}

static enum check_result result_of(enum assert_result r)
{
	return r == ASSERT_HOLDS ? CHECK_HOLDS : r == ASSERT_FAILS ? CHECK_FAILS : CHECK_NOT_KNOWN;
}

/* What each comparison came to, over all JVMs. */
static void put_message(const struct run_judge *j, const struct assertion *a, struct buf *out)
{
	for (size_t i = 0; i < a->n; i++) {
		const struct assert_term *t = &a->term[i];

		buf_printf(out, "%s", i ? "; " : "");
		if (a->n > 1)
			buf_printf(out, "%.*s: ", (int)(t->to - t->from), a->text + t->from);
		buf_printf(out, "it is %llu", (unsigned long long)t->value);
		if (*t->not_known)
			buf_printf(out, ", but that is not all that is to be known: %s", t->not_known);
	}
	if (j->doubt)
		buf_printf(out, "; %s", j->doubt);
}

static enum check_result judge_one(const struct run_judge *j, const struct assertion *a)
{
	enum check_result r = result_of(assert_judge(a));

	return r == CHECK_HOLDS && j->doubt ? CHECK_NOT_KNOWN : r;
}

static struct check check_of(const struct assertion *a, const struct outcome *o, enum check_result result)
{
	return (struct check){
	    .name = a->text,
	    .result = result,
	    .message = o->message.p ?: "",
	    .details = result == CHECK_HOLDS ? NULL : o->culprits.p,
	    .file = o->file,
	    .line = o->line,
	};
}

/* Has this JVM a part in what is wrong with the whole? */
static enum check_result part_of(const struct assertion *a, const struct outcome *o, enum check_result whole)
{
	enum check_result r = CHECK_HOLDS;

	for (size_t i = 0; i < a->n && whole != CHECK_HOLDS; i++) {
		if (o->value[i] && whole == CHECK_FAILS)
			return CHECK_FAILS;
		if (o->not_known[i])
			r = CHECK_NOT_KNOWN;
	}
	return r;
}

/* Of the baseline: of one JVM, or of all. */
static struct check check_of_news(const struct run_judge *j, const struct outcome *o, bool doubt)
{
	bool news = o->value[0] || o->value[1];

	return (struct check){
	    .name = j->baseline_name,
	    .result = news                     ? CHECK_FAILS
		      : doubt || *o->not_known ? CHECK_NOT_KNOWN
					       : CHECK_HOLDS,
	    .message = o->message.p ?: "",
	    .details = o->culprits.p,
	    .file = o->file,
	    .line = o->line,
	};
}

static int write_result(struct result_file *f, struct buf *text, const char *option, struct error *err)
{
	int rc = text->failed ? -ENOMEM : io_write(f->fd, text->p, text->n, -1, GRACE_MS);

	buf_free(text);
	return rc ? error_set(err, rc, EXIT_FAILED, option, "choose another file", "%s: %s", f->path,
			      strerror(-rc))
		  : 0;
}

static int write_junit(struct run_judge *j, const struct check_suite *all, struct error *err)
{
	struct check_suite *suites = calloc(j->jvms.n + 1, sizeof(*suites));
	struct check *checks = calloc((j->jvms.n + 1) * (all->n + 1), sizeof(*checks));
	struct buf text = {0};
	int rc = suites && checks ? 0 : -ENOMEM;

	if (!rc) {
		suites[0] = *all;
		for (size_t i = 0; i < j->jvms.n; i++) {
			struct check *own = checks + i * all->n;

			for (size_t k = 0; k < j->o->nr_asserts; k++)
				own[k] =
				    check_of(&j->asserts[k], &j->jvms.v[i].v[k],
					     part_of(&j->asserts[k], &j->jvms.v[i].v[k], all->v[k].result));
			if (j->baseline)
				own[j->o->nr_asserts] =
				    check_of_news(j, &j->jvms.v[i].v[j->o->nr_asserts], false);
			suites[i + 1] =
			    (struct check_suite){j->jvms.v[i].name, j->jvms.v[i].time_s, own, all->n};
		}
		checks_junit(&text, suites, j->jvms.n + 1);
		rc = write_result(&j->junit, &text, "--junit", err);
	}
	free(suites);
	free(checks);
	return rc;
}

/* What is traced, in a message. */
static const char *traced_word(const struct run_judge *j, bool many)
{
	return j->o->pairs ? many ? "processes" : "process" : many ? "JVMs" : "JVM";
}

static void tell_checks(const struct run_judge *j, const struct check_suite *all)
{
	size_t held = 0;

	for (size_t i = 0; i < all->n; i++) {
		const struct check *c = &all->v[i];

		held += c->result == CHECK_HOLDS;
		if (c->result == CHECK_HOLDS)
			continue;
		fprintf(stderr, "jnitrace: assertion %s: %s: %s\n%s",
			c->result == CHECK_FAILS ? "failed" : "not known to hold", c->name, c->message,
			c->details ?: "");
	}
	if (all->n)
		fprintf(stderr, "jnitrace: %zu of %zu assertions hold, of %zu %s\n", held, all->n, j->jvms.n,
			traced_word(j, j->jvms.n != 1));
}

/* Where a workflow of GitHub's runs this. */
static bool is_github(void)
{
	const char *value = getenv("GITHUB_ACTIONS");

	return value && !strcmp(value, "true");
}

static int write_results(struct run_judge *j, const struct check_suite *all, struct error *err)
{
	struct buf text = {0};
	int rc = 0;

	tell_checks(j, all);
	if (is_github()) {
		checks_github(&text, all);
		if (text.p)
			fputs(text.p, stderr);
		buf_free(&text);
	}
	if (j->junit.fd >= 0)
		rc = write_junit(j, all, err);
	if (!rc && j->tap.fd >= 0) {
		checks_tap(&text, all);
		rc = write_result(&j->tap, &text, "--tap", err);
	}
	return rc;
}

static struct check check_baseline(struct run_judge *j)
{
	struct outcome *o = &j->all[j->o->nr_asserts];

	put_news(&o->message, o);
	if (j->doubt)
		buf_printf(&o->message, "; %s", j->doubt);
	return check_of_news(j, o, j->doubt != NULL);
}

enum exit_code run_judge_end(struct run_judge *j, struct error *err)
{
	struct check *checks = calloc(nr_checks(j) + 1, sizeof(*checks));
	struct check_suite all = {.name = "jnitrace", .v = checks, .n = nr_checks(j)};
	bool failed = false;
	int rc = checks ? 0 : error_set(err, -ENOMEM, EXIT_FAILED, "judge", NULL, "out of memory");

	tell_suppressions(j);
	if (!j->jvms.n) {
		run_judge_doubt(j, j->o->pairs ? "no process was traced" : "no JVM was traced");
		if (!all.n)
			warn("no %s was traced", traced_word(j, false));
	}
	for (size_t i = 0; i < j->jvms.n; i++)
		all.time_s = j->jvms.v[i].time_s > all.time_s ? j->jvms.v[i].time_s : all.time_s;
	for (size_t i = 0; !rc && i < j->o->nr_asserts; i++) {
		put_message(j, &j->asserts[i], &j->all[i].message);
		checks[i] = check_of(&j->asserts[i], &j->all[i], judge_one(j, &j->asserts[i]));
	}
	if (!rc && j->baseline)
		checks[j->o->nr_asserts] = check_baseline(j);
	for (size_t i = 0; !rc && i < all.n; i++)
		failed |= checks[i].result != CHECK_HOLDS;
	rc = rc ?: write_results(j, &all, err);
	free(checks);
	return rc ? EXIT_FAILED : failed ? EXIT_ASSERT : EXIT_OK;
}
