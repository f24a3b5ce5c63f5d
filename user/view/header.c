/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What stands above the rows of a table. See header.h. */
#include "view/header.h"

#include <math.h>
#include <string.h>

#include "model/sample.h"
#include "view/cells.h"
#include "view/text.h"

/* " · app@host · container 0123456789ab" */
static void add_place(struct flow *f, const struct report_target *t)
{
	if (t->user || t->host)
		FLOW_ADD(f, DOT, "%s@%s", t->user ?: "?", t->host ?: "?");
	if (t->container)
		FLOW_ADD(f, DOT, "container %.12s", t->container);
}

/* Beside all else that -v tells. */
static void put_command(struct buf *out, const struct report_target *t, int width)
{
	struct flow f = {.out = out, .width = width, .indent = INDENT};
	struct buf text = {0};

	if (!t->command)
		return;
	buf_printf(&text, "command: %s", t->command);
	if (!text.failed)
		flow_words(&f, text.p, text.n);
	flow_end(&f);
	out->failed |= text.failed;
	buf_free(&text);
}

static void add_title(struct flow *f, const struct report *r, size_t n)
{
	const struct report_target *t = &r->target;

	if (n != 1) {
		FLOW_ADD(f, "", "jnitrace - %zu targets", n);
		return;
	}
	FLOW_ADD(f, "", "jnitrace - PID %d %s", t->pid, target_name_of(t));
	add_place(f, t);
	FLOW_ADD(f, DOT, "%s %s", t->vm ? t->vm : "VM",
		 t->vm_version && *t->vm_version ? t->vm_version : "?");
}

static void add_elapsed(struct flow *f, const struct report *r)
{
	struct buf age = {0};

	if (r->elapsed_s < 100)
		buf_printf(&age, "%.1f s", isfinite(r->elapsed_s) ? r->elapsed_s : 0);
	else
		fmt_age(&age, r->elapsed_s);
	view_flow(f, DOT, &age);
	if (r->final && r->end_reason)
		FLOW_ADD(f, DOT, "final (%s)", end_reason_names[r->end_reason]);
	else if (r->final)
		FLOW_ADD(f, DOT, "final");
}

static void add_percent(struct buf *b, const char *who, double pct)
{
	buf_printf(b, "%s %.1f%%", who, pct);
}

/* Is what this family costs known, and more than 0.0 %? */
static bool costs(const struct report_family *f)
{
	return f->traced && f->target_cpu_pct >= 0.05;
}

static void add_cost(struct buf *b, const char **before, const char *of, double pct)
{
	buf_printf(b, "%s%s %.1f", *before, of, pct);
	*before = ", ";
}

/*
 * " (global 2.1, weak 0.1)", so that one can choose by it; where one family alone costs something
 * " (1,100 ns an event)".
 */
static void add_costs(struct buf *b, const struct report *r)
{
	const char *before = " (";
	bool check = r->check.on && r->check.target_cpu_pct >= 0.05;
	size_t known = check;

	for (size_t i = 0; i < NR_FAMILIES; i++)
		known += costs(&r->families[i]);
	if (known < 2 && r->probe_cost_ns_per_event >= 0 && r->probe_cost_ns_per_event < 1e15) {
		buf_printf(b, " (");
		fmt_count(b, (uint64_t)(r->probe_cost_ns_per_event + 0.5));
		buf_printf(b, " ns an event)");
		return;
	}
	for (size_t i = 0; known > 1 && i < NR_FAMILIES; i++)
		if (costs(&r->families[i]))
			add_cost(b, &before, family_name(r->catalog, i), r->families[i].target_cpu_pct);
	if (known > 1 && check)
		add_cost(b, &before, "check", r->check.target_cpu_pct);
	buf_printf(b, known > 1 ? ")" : "");
}

static void add_overhead(struct flow *f, const struct report *r)
{
	struct buf b = {0};
	const char *before = "overhead: ";

	if (r->target_cpu_pct >= 0) {
		add_percent(&b, "overhead: target", r->target_cpu_pct);
		add_costs(&b, r);
		before = ", ";
	}
	if (r->self_cpu_pct >= 0) {
		buf_printf(&b, "%s", before);
		add_percent(&b, "jnitrace", r->self_cpu_pct);
	}
	if (b.n)
		buf_printf(&b, " of a CPU");
	view_flow(f, DOT, &b);
}

static void add_numbers(struct flow *f, const struct report *r)
{
	struct buf events = {0}, drops = {0}, maps = {0};
	uint64_t dropped = 0;
	double per_s = r->events_per_s;

	for (size_t i = 0; i < NR_DROPS; i++)
		dropped = add_capped(dropped, r->drops[i]);
	fmt_count(&events, per_s > 0 ? (uint64_t)(per_s < 1e18 ? per_s + 0.5 : 1e18) : 0);
	buf_printf(&events, " events/s");
	view_flow(f, DOT, &events);
	buf_printf(&drops, "drops ");
	fmt_count(&drops, dropped);
	view_flow(f, DOT, &drops);
	add_overhead(f, r);
	FLOW_ADD(f, DOT, "%zu probe%s", r->nr_probes, r->nr_probes == 1 ? "" : "s");
	buf_printf(&maps, "maps ");
	fmt_bytes(&maps, r->map_bytes);
	view_flow(f, DOT, &maps);
}

/* "tracked 12 + before attach 9 + the VM's own 3 = 24 of 24": what of the VM's count can be accounted for. */
static void put_account(struct buf *out, const struct report_family *family, int width)
{
	struct flow f = {.out = out, .width = width, .indent = INDENT, .col = INDENT - 1};
	struct buf b = {0};

	buf_printf(out, "%*s", INDENT - 1, ""); /* the first word puts a blank before it */
	buf_printf(&b, "tracked ");
	fmt_count(&b, family->outstanding);
	buf_printf(&b, " + before attach ");
	fmt_count(&b, family->before_attach);
	if (family->vm_own) {
		buf_printf(&b, " + the VM's own ");
		fmt_count(&b, family->vm_own);
	}
	buf_printf(&b, " = ");
	fmt_count(&b, add_capped(add_capped(family->outstanding, family->before_attach), family->vm_own));
	buf_printf(&b, " of ");
	fmt_count(&b, (uint64_t)family->vm_total);
	view_flow(&f, " ", &b);
	flow_end(&f);
	buf_free(&b);
}

/* Why the VM's count is not what its tables say. */
static void put_note(struct buf *out, const char *note, int width)
{
	struct flow f = {.out = out, .width = width, .indent = INDENT, .col = INDENT - 1};

	buf_printf(out, "%*s", INDENT - 1, "");
	flow_words(&f, note, strlen(note));
	flow_end(&f);
}

static void put_known(struct buf *out, bool known, uint64_t n)
{
	if (known)
		fmt_count(out, n);
	else
		buf_printf(out, "?");
}

/* What became of what was acquired. */
static void put_fate(struct buf *out, bool dies, const struct report_family *family)
{
	buf_printf(out, " -");
	fmt_count(out, family->released);
	if (dies) {
		buf_printf(out, " died ");
		put_known(out, !family->life_unknown, family->died);
	}
	buf_printf(out, " = ");
	put_known(out, !family->life_unknown, family->outstanding);
	sample_put_error(out, family->outstanding, family->one_in);
	buf_printf(out, " outstanding");
}

/* Does the VM count them? */
static bool has_vm_total(enum family_id id)
{
	return id == FAMILY_GLOBAL || id == FAMILY_WEAK || id == FAMILY_LOCAL;
}

/* ", off since 12.3s, let go 4" or ", off 12.3s to 15.0s, let go 4": what was held then is followed no more.
 */
static void put_switched(struct buf *out, const struct report_family *family)
{
	if (family->off_s <= 0 && family->on_s <= 0)
		return;
	buf_printf(out, ", off %s", !family->traced ? "since " : family->off_s <= 0 ? "until " : "");
	if (family->off_s > 0)
		fmt_age(out, family->off_s);
	if (family->traced) {
		buf_printf(out, "%s", family->off_s > 0 ? " to " : "");
		fmt_age(out, family->on_s);
	}
	if (!family->let_go)
		return;
	buf_printf(out, ", let go ");
	fmt_count(out, family->let_go);
}

/* " (unverified 2, released untracked 3, VM total 21)": what there is of it. stale: of a moment ago. */
static void put_remarks(struct flow *f, enum family_id id, const struct report_family *family,
			bool count_only, bool stale)
{
	struct buf b = {0};

	if (family->one_in) {
		buf_printf(&b, ", sampled: 1 in ");
		fmt_count(&b, family->one_in);
		if (family->one_in_now && family->one_in_now != family->one_in) {
			buf_printf(&b, ", now 1 in ");
			fmt_count(&b, family->one_in_now);
		}
	}
	if (family->unverified) {
		buf_printf(&b, ", unverified ");
		fmt_count(&b, family->unverified);
	}
	if (count_only)
		buf_printf(&b, ", releases not counted");
	else if (family->released_untracked) {
		buf_printf(&b, ", released untracked ");
		fmt_count(&b, family->released_untracked);
	}
	put_switched(&b, family);
	if (has_vm_total(id) && family->traced) {
		buf_printf(&b, ", %sVM total ", stale ? "last " : "");
		put_known(&b, family->vm_total >= 0, (uint64_t)family->vm_total);
	}
	if (b.n && !b.failed) {
		buf_printf(&b, ")");
		b.p[1] = '('; /* for the first comma */
		flow_add(f, " ", b.p + 1, b.n - 1);
	}
	f->out->failed |= b.failed;
	buf_free(&b);
}

/*
 * "global: +1,009 -997 = 12 outstanding (released untracked 3, VM total 21)" and its account. gone: so is the
 * process, and the VM's total of before its end.
 */
static void put_family(struct buf *out, enum family_id id, const struct report *r, bool gone, int width)
{
	const struct report_family *family = &r->families[id];
	bool count_only = r->count_only;
	struct flow f = {.out = out, .width = width, .indent = INDENT};
	struct buf b = {0};

	buf_printf(&b, "%s: +", family_name(r->catalog, id));
	fmt_count(&b, family->acquired);
	if (!count_only)
		put_fate(&b, r->catalog->families[id].kind == KIND_LOCAL, family);
	view_flow(&f, " ", &b);
	put_remarks(&f, id, family, count_only, gone);
	flow_end(&f);
	if (family->before_known && family->vm_total >= 0 && !gone)
		put_account(out, family, width);
	if (family->vm_note)
		put_note(out, family->vm_note, width);
}

/* Is there nothing to say of it? */
static bool is_idle(const struct report_family *f)
{
	return !f->acquired && !f->released && !f->released_untracked && f->vm_total <= 0 &&
	       !(f->before_known && f->before_attach);
}

/* "no calls: weak, monitor" */
static void put_idle(struct buf *out, const struct report *r, int width)
{
	struct flow f = {.out = out, .width = width, .indent = INDENT};
	const char *before = NULL; /* its name waits for whether there is another */

	for (size_t i = 0; i < NR_FAMILIES; i++) {
		if (!r->families[i].traced || !is_idle(&r->families[i]) || r->families[i].off_s > 0)
			continue;
		if (before)
			FLOW_ADD(&f, " ", "%s,", before);
		else
			FLOW_ADD(&f, "", "no calls:");
		before = family_name(r->catalog, i);
	}
	if (!before)
		return;
	FLOW_ADD(&f, " ", "%s", before);
	flow_end(&f);
}

/*
 * "local references are not traced, and thread loop (4711) holds 19,471 of them, 500 more each second: add
 * -e global,weak,local"
 */
static void put_pile(struct buf *out, const struct report *r, bool with_pid, const struct view_opts *o,
		     int width)
{
	const struct report_pile *p = &r->pile;
	struct buf text = {0};

	if (!p->found)
		return;
	buf_printf(&text, "local references are not traced, and ");
	if (with_pid)
		buf_printf(&text, "PID %d ", p->pid);
	buf_printf(&text, "thread %s (%d) %s ", *p->name ? p->name : "?", p->tid, p->now ? "holds" : "held");
	if (p->more)
		buf_printf(&text, "at least ");
	fmt_count(&text, p->refs);
	buf_printf(&text, " of them");
	if (p->frames > 1) {
		buf_printf(&text, " in ");
		fmt_count(&text, p->frames);
		buf_printf(&text, " frames");
	}
	if (p->per_s >= 1) {
		buf_printf(&text, ", ");
		fmt_count(&text, (uint64_t)(p->per_s + 0.5));
		buf_printf(&text, " more each second");
	}
	buf_printf(&text, ": trace them with -e ");
	report_with_locals(r, &text);
	view_warning(out, &text, o, width);
}

/* "drop refs_full 12: MEANING (ADVICE)" */
static void put_drops(struct buf *out, const struct report *r, const struct view_opts *o, int width)
{
	for (size_t i = 0; i < NR_DROPS; i++) {
		struct buf text = {0};

		if (!r->drops[i])
			continue;
		buf_printf(&text, "drop %s ", drop_rows[i].name);
		fmt_count(&text, r->drops[i]);
		buf_printf(&text, ": %s (%s)", drop_rows[i].meaning, drop_rows[i].advice);
		view_warning(out, &text, o, width);
	}
}

/* "Java frames are not shown: WHY" */
static void put_no_java(struct buf *out, const struct report *r, const struct view_opts *o, int width)
{
	struct buf text = {0};

	if (!r->no_java)
		return;
	buf_printf(&text, "%s frames are not shown: %s", r->language ?: "Java", r->no_java);
	view_warning(out, &text, o, width);
}

/* "stacks: 12 of 1,009 calls (1.2%) have an incomplete one, at 2 of 7 sites", and a line for each reason. */
static void put_stacks(struct buf *out, const struct report_stacks *s, const struct view_opts *o, int width)
{
	struct buf text = {0};
	double pct;

	if (!s->incomplete)
		return;
	buf_printf(&text, "stacks: ");
	fmt_count(&text, s->incomplete);
	buf_printf(&text, " of ");
	fmt_count(&text, add_capped(s->complete, s->incomplete));
	pct = 100 * (double)s->incomplete / ((double)s->complete + (double)s->incomplete);
	buf_printf(&text, " calls (%s%.1f%%) have an incomplete one, at ", pct < 0.1 ? "below " : "",
		   pct < 0.1 ? 0.1 : pct);
	fmt_count(&text, s->incomplete_sites);
	buf_printf(&text, " of ");
	fmt_count(&text, add_capped(s->complete_sites, s->incomplete_sites));
	buf_printf(&text, " sites");
	view_warning(out, &text, o, width);
	for (size_t i = 0; i < NR_ENDS; i++) {
		if (!s->reasons[i])
			continue;
		buf_printf(&text, "stacks %s ", stack_end_rows[i].name);
		fmt_count(&text, s->reasons[i]);
		buf_printf(&text, ": %s (%s)", stack_end_rows[i].meaning, stack_end_rows[i].advice);
		view_warning(out, &text, o, width);
	}
}

/* Names that take long come with a later report. */
static void put_pending(struct buf *out, const struct report *r, const struct view_opts *o, int width)
{
	struct buf text = {0};

	if (!r->sites_pending)
		return;
	fmt_count(&text, r->sites_pending);
	buf_printf(&text, r->final ? " sites lack names or lines: there was no time to find them"
				   : " sites are still being named: names or lines are pending");
	view_warning(out, &text, o, width);
}

void view_header(struct buf *out, const struct report *r, size_t n, const struct view_opts *o, int width)
{
	struct flow f = {.out = out, .width = width, .indent = INDENT};
	bool gone = n == 1 && end_is_gone(r->end_reason);

	view_style(out, o, BOLD);
	add_title(&f, r, n);
	view_style(out, o, PLAIN);
	add_elapsed(&f, r);
	add_numbers(&f, r);
	flow_end(&f);
	if (n == 1 && o->all)
		put_command(out, &r->target, width);
	for (size_t i = 0; i < NR_FAMILIES; i++)
		if ((r->families[i].traced && !is_idle(&r->families[i])) || r->families[i].off_s > 0)
			put_family(out, i, r, gone, width);
	put_idle(out, r, width);
	put_pile(out, r, n > 1, o, width);
	put_drops(out, r, o, width);
	put_no_java(out, r, o, width);
	put_stacks(out, &r->stacks, o, width);
	put_pending(out, r, o, width);
}
