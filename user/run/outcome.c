/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What reports come to. See outcome.h. */
#include "run/outcome.h"

#include <math.h>

#include "view/format.h"

static void note_losses(struct outcome *out, const struct options *o, const struct report *r)
{
	for (int i = 0; i < NR_DROPS; i++) {
		out->losses = add_capped(out->losses, r->drops[i]);
		if (r->drops[i] && !o->view.format->losses)
			warn("PID %d: %s %llu: %s (%s)", r->target.pid, drop_rows[i].name,
			     (unsigned long long)r->drops[i], drop_rows[i].meaning, drop_rows[i].advice);
	}
}

/* By name, what takes too much to be read. */
static void note_refusals(const struct report *r)
{
	for (size_t i = 0; i < r->refusals.n; i++)
		warn("PID %d: %s (raise --limit-memory)", r->target.pid, r->refusals.v[i].text ?: "a file");
}

static bool fails(const struct options *o, enum finding_kind kind)
{
	if (o->fail_on == FAIL_ON_LEAK)
		return finding_is_leak(kind) || finding_rows[kind].severity == SEVERITY_ERROR;
	return (int)finding_rows[kind].severity <= o->fail_on;
}

static void note_findings(struct outcome *out, const struct options *o, const struct report *r)
{
	for (size_t i = 0; i < r->findings.n; i++)
		out->failed_on |= fails(o, r->findings.v[i].kind);
	if (fails(o, FINDING_LEAK))
		out->more_s = fmax(out->more_s, report_too_short(r));
}

void outcome_add(struct outcome *out, const struct options *o, const struct report *last)
{
	out->reported = true;
	note_losses(out, o, last);
	note_findings(out, o, last);
	note_refusals(last);
}

enum exit_code outcome_code(const struct outcome *out, const struct options *o)
{
	if (out->failed_on)
		return EXIT_ASSERT;
	if (out->more_s > 0) {
		warn("the run was too short to tell leaks: needs %.0f s more", ceil(out->more_s));
		return EXIT_TOO_SHORT;
	}
	return out->losses && !o->allow_loss ? EXIT_LOSSES : EXIT_OK;
}
