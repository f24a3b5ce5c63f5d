/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* jnitrace diff. See cmd_diff.h. */
#include "run/cmd_diff.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "run/compare_targets.h"
#include "run/outcome.h"
#include "run/recorded.h"
#include "screen/output.h"

struct diff {
	const struct options *o;
	struct recorded a, b;
	struct comparisons found;
	struct format format; /* without what stands around reports */
	struct output out;
};

static int open_both(struct diff *d, struct error *err)
{
	const struct options *o = d->o;
	const char *other = o->other ?: o->file;
	int rc = recorded_open(&d->a, o->file, o->at_s >= 0 ? o->at_s : o->from_s, o->limit_bytes, err);

	return rc ?: recorded_open(&d->b, other, o->at_s >= 0 ? o->at_s : o->to_s, o->limit_bytes, err);
}

static int check_counts(const struct recorded *r, struct error *err)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->reports[i]->count_only)
			return error_set(err, -ENODATA, EXIT_FAILED, r->name, "record without --count-only",
					 "without releases nobody knows what is outstanding");
	return 0;
}

static int compare(struct diff *d, struct error *err)
{
	const struct options *o = d->o;
	int rc = check_counts(&d->a, err);

	rc = rc ?: check_counts(&d->b, err);
	rc = rc ?: compare_targets(o, d->a.reports, d->a.n, d->b.reports, d->b.n, o->per, &d->found);
	if (!rc && !d->found.n)
		return error_set(err, -ESRCH, EXIT_NO_TARGET, "--pid", "jnitrace report -g pid lists them",
				 "neither recording has such a process");
	for (size_t i = 0; !rc && i < d->found.n; i++) {
		struct comparison *c = &d->found.v[i];

		c->a.file = d->a.name;
		c->b.file = d->b.name;
		c->a.version = recording_made_by(d->a.recording);
		c->b.version = recording_made_by(d->b.recording);
	}
	return rc;
}

static int show(struct diff *d, struct error *err)
{
	const struct comparison **list = calloc(d->found.n + 1, sizeof(*list));
	struct view_opts v;
	struct buf text = {0};

	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < d->found.n; i++)
		list[i] = &d->found.v[i];
	output_view_opts(&d->out, &d->o->view, true, &v);
	d->format.diff(&text, list, d->found.n, &v);
	free(list);
	return output_write(&d->out, &text, true, err);
}

static int run(struct diff *d, struct error *err)
{
	struct view_request request = d->o->view;
	int rc = open_both(d, err);

	d->format = *request.format;
	d->format.begin = NULL;
	d->format.end = NULL;
	request.format = &d->format;
	rc = rc ?: compare(d, err);
	rc = rc ?: output_open(&d->out, &request, false, false, -1, err);
	rc = rc ?: show(d, err);
	return rc ?: output_end(&d->out, err);
}

/* By the reports that were compared, as jnitrace report has it; what was asked for comes first. */
static enum exit_code judge(const struct diff *d)
{
	struct outcome outcome = {0};

	outcome.losses += recorded_tell(d->a.name, &d->a.moments);
	if (d->o->other)
		outcome.losses += recorded_tell(d->b.name, &d->b.moments);
	for (size_t i = 0; i < d->found.n; i++) {
		const struct comparison *c = &d->found.v[i];

		if (c->a.report)
			outcome_add(&outcome, d->o, c->a.report);
		if (c->b.report)
			outcome_add(&outcome, d->o, c->b.report);
		if (d->o->fail_on_change >= 0)
			outcome.failed_on |= compare_fails(c, (enum fail_on_change)d->o->fail_on_change);
	}
	return outcome_code(&outcome, d->o);
}

enum exit_code cmd_diff(const struct options *o, struct error *err)
{
	struct diff d = {.o = o};
	enum exit_code code;
	int rc = run(&d, err);

	if (rc)
		error_set(err, rc, EXIT_FAILED, "diff", NULL, "%s", strerror(-rc));
	code = rc ? err->exit_code : judge(&d);
	output_close(&d.out);
	comparisons_free(&d.found);
	recorded_close(&d.a);
	recorded_close(&d.b);
	return code;
}
