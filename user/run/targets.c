/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The targets of a command. See targets.h. */
#include "run/targets.h"

#include <errno.h>
#include <stdlib.h>

#include "proc/foreign.h"
#include "run/owners.h"

int targets_open(struct target_list *l, const struct options *o, int stop_fd, struct error *err)
{
	int rc = budget_new(o->limit_bytes, stop_fd, &l->shared.budget)
			 ?: elf_cache_new(l->shared.budget, &l->shared.images)
			 ?: modules_new(l->shared.images, &l->shared.modules);

	foreign_heed(stop_fd);
	rc = rc ?: owners_new(l->shared.budget, &l->shared.owners);

	l->shared.options = o;
	l->shared.families = o->families;
	l->shared.histories = &l->histories;
	for (size_t i = 0; !rc && i < o->nr_pids; i++)
		rc = targets_add(l, o->pids[i], true, NULL, err);
	if (!rc && (o->all || o->from_start))
		rc = discovery_new(runtime_by_name(o->runtime), &l->discovery);
	if (!rc && o->all) /* those of jnitrace run tell by themselves when they have libraries */
		discovery_set_pairs(l->discovery, o->pairs);
	return rc;
}

int targets_add(struct target_list *l, pid_t pid, bool asked_for, struct target **out, struct error *err)
{
	struct target **place = VEC_ADD(l), *t = NULL;
	int rc = place ? target_new(pid, asked_for, &l->shared, &t, err) : -ENOMEM;

	if (rc) {
		l->n -= place != NULL;
		return rc;
	}
	*place = t;
	if (out)
		*out = t;
	return 0;
}

void targets_remove(struct target_list *l, size_t i)
{
	target_free(l->v[i]);
	l->v[i] = l->v[--l->n];
}

void targets_may_switch(struct target_list *l)
{
	l->shared.switchable =
	    catalog_families(l->shared.options->catalog, ~(KIND_BIT(KIND_NONE) | KIND_BIT(KIND_USE)));
}

uint32_t targets_switchable(const struct target_list *l)
{
	uint32_t families = 0;

	for (size_t i = 0; i < l->n; i++)
		families |= target_switchable(l->v[i]);
	return families;
}

int targets_switch(struct target_list *l, uint32_t families, struct error *err)
{
	int rc = 0;

	for (size_t i = 0; i < l->n; i++)
		target_close_families(l->v[i], families);
	tracer_settle();
	l->shared.families = families;
	for (size_t i = 0; i < l->n && !rc; i++)
		rc = target_switch(l->v[i], families, err);
	return rc;
}

void targets_free(struct target_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		target_free(l->v[i]);
	free(l->v);
	discovery_free(l->discovery);
	modules_free(l->shared.modules);
	owners_free(l->shared.owners);
	elf_cache_free(l->shared.images);
	budget_free(l->shared.budget);
}
