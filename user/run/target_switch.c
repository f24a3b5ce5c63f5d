/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Families of a target that are switched on and off while it is traced. See target.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "run/target_priv.h"

static double elapsed_s(const struct target *t)
{
	return (double)(clock_ns(CLOCK_MONOTONIC) - t->started_ns) / 1e9;
}

static uint32_t to_switch_off(const struct target *t, uint32_t wanted)
{
	return t->plan.families & ~catalog_with_needed(wanted) & target_switchable(t);
}

uint32_t target_families_off(const struct target *t)
{
	uint32_t off = 0;

	for (unsigned f = 0; f < NR_FAMILIES; f++)
		if (t->switched[f].off_s > 0 && !(t->plan.families >> f & 1))
			off |= 1U << f;
	return off;
}

void target_close_families(struct target *t, uint32_t wanted)
{
	if (t->state == TARGET_TRACED)
		tracer_close_families(t->tracer, t->target_id, to_switch_off(t, wanted));
}

/* What the VM's tables told of these families says nothing of what comes. */
static void forget_tables(struct target *t, uint32_t families)
{
	if (!t->account)
		return;
	if (families >> FAMILY_GLOBAL & 1)
		account_forget(t->account, VM_GLOBAL);
	if (families >> FAMILY_WEAK & 1)
		account_forget(t->account, VM_WEAK);
}

static int switch_off(struct target *t, uint32_t families)
{
	uint64_t live[NR_FAMILIES] = {0};
	double now_s = elapsed_s(t);
	int rc;

	tracer_detach_families(t->tracer, t->target_id, families);
	rc = tracer_forget_families(t->tracer, t->target_id, families, live);
	t->plan.families &= ~families;
	for (unsigned f = 0; f < NR_FAMILIES; f++) {
		if (!(families >> f & 1))
			continue;
		t->switched[f].off_s = now_s;
		/* Of local ones the store has those that died with their frames, too. */
		t->switched[f].let_go += f == FAMILY_LOCAL ? t->report.families[f].outstanding : live[f];
	}
	aggregate_let_go(t->aggregate, naming_sites(t->naming), families);
	forget_tables(t, families);
	if (families >> FAMILY_LOCAL & 1) {
		left_books_free(t->left);
		t->left = NULL;
	}
	return rc;
}

/* Those that have no probes yet: a needed one may have. */
static int attach_families(struct target *t, uint32_t families)
{
	struct held_files h;
	int rc = target_hold_files(t, true, &h); /* a plugin may have been replaced */

	for (size_t i = 0; !rc && i < h.n; i++)
		rc = h.paths[i] ? target_touch(t, i, h.fd[i]) : 0;
	rc = rc
		 ?: tracer_attach_families(t->tracer, t->target_id, t->id.pid, h.paths, h.n, &t->sites,
					   families);
	target_let_files(&h);
	return rc;
}

static int switch_on(struct target *t, uint32_t families)
{
	uint32_t fresh = catalog_with_needed(families) & ~tracer_families(t->tracer, t->target_id);
	int rc;

	t->plan.families |= families; /* what the probes must know, before they run */
	rc = target_tell_plan(t);
	if (!rc && families >> FAMILY_LOCAL & 1 && !t->left)
		rc = left_books_new(&t->left);
	if (families >> FAMILY_CRITICAL & 1)
		inside_begin(t->at.vm, &t->id, &t->inside);
	rc = rc ?: attach_families(t, fresh);
	if (!rc && fresh >> FAMILY_THREAD & 1) /* as late as can be: others may attach themselves meanwhile */
		rc = target_tell_attached(t);
	if (rc) {
		tracer_detach_families(t->tracer, t->target_id, fresh);
		t->plan.families &= ~families;
		return rc;
	}
	tracer_open_families(t->tracer, t->target_id, fresh);
	if (families >> FAMILY_CRITICAL & 1)
		target_note_before(t);
	for (unsigned f = 0; f < NR_FAMILIES; f++)
		if (families & fresh & 1U << f) /* else it was counted all along */
			t->switched[f].on_s = elapsed_s(t);
	forget_tables(t, families);
	t->looking_at_tables = (struct seldom){0};
	target_look(t);
	t->looking_at_tables = (struct seldom){0}; /* and again with the next snapshot */
	t->report.nr_probes = tracer_probes(t->tracer, t->target_id);
	return 0;
}

int target_switch(struct target *t, uint32_t wanted, struct error *err)
{
	uint32_t off = to_switch_off(t, wanted), on = wanted & ~t->plan.families & target_switchable(t);
	char what[64];
	int rc;

	if (t->state != TARGET_TRACED)
		return 0;
	rc = off ? switch_off(t, off) : 0;
	rc = rc ?: on ? switch_on(t, on) : 0;
	t->report.nr_probes = tracer_probes(t->tracer, t->target_id);
	if (!rc || !proc_id_alive(&t->id)) /* its end is heard of */
		return 0;
	snprintf(what, sizeof(what), "switch families of PID %d", t->id.pid);
	return error_set(err, rc, EXIT_FAILED, what, NULL, "%s", strerror(-rc));
}
