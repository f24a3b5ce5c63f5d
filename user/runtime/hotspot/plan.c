/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "runtime/hotspot/plan.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "runtime/hotspot/events.h"
#include "runtime/hotspot/locals.h"
#include "runtime/hotspot/objects.h"
#include "runtime/hotspot/walk.h"

/* Where in the library's file an event passes. */
static void find_places(const struct hotspot *h, const struct vm_file *file, enum vm_event event,
			struct vm_places *out)
{
	out->n = hotspot_event_places(h, event, out->at, ARRAY_LEN(out->at), &out->at_entry);
	for (size_t i = 0; i < out->n; i++)
		if (!elf_vaddr_to_offset(file->elf, out->at[i], &out->at[i]))
			out->n = 0;
}

/*
 * An interpreted frame is known by an address that the next class may get: without a way to see that a class
 * is unloaded frames could get another's name.
 */
static int find_unloads(const struct hotspot *h, const struct vm_file *file, struct plan_walk *p,
			struct error *why)
{
	find_places(h, file, VM_CODE_FREED, &p->frees);
	find_places(h, file, VM_CLASS_UNLOADED, &p->unloads);
	p->java.unloads_at = p->unloads.n ? 0 : hotspot_unloads_counter(h);
	if (p->unloads.n || p->java.unloads_at)
		return 0;
	return error_set(why, -ENOENT, EXIT_FAILED, "walk Java frames",
			 "run it without -XX:-UsePerfData, or install its debug symbols",
			 "no way to see when a class is unloaded: no symbol, no USDT probe and no "
			 "performance counters");
}

void hotspot_plan_walk(const struct hotspot *h, const struct vm_file *file, struct plan_walk *out)
{
	struct error why = {0};
	int rc = hotspot_walk(h, &out->java, &why);

	rc = rc ?: find_unloads(h, file, out, &why);
	if (rc == -EAGAIN)
		return;
	out->state = rc ? PLAN_NEVER : PLAN_READY;
	snprintf(out->why, sizeof(out->why), "%s", !rc ? "" : why.why[0] ? why.why : strerror(-rc));
}

void hotspot_plan_objects(const struct oop_reader *r, struct plan_objects *out)
{
	hotspot_objects(r, &out->config);
	out->state = PLAN_READY;
}

void hotspot_plan_waits(const struct hotspot *h, const struct vm_file *file, struct plan_waits *out)
{
	struct vm_places at = {0};

	out->collector = hotspot_gc_waits(h);
	out->state = PLAN_NEVER;
	if (out->collector == 0)
		return;
	at.n = hotspot_gc_wait_places(h, file->mapping.path, at.at, ARRAY_LEN(at.at), &out->why);
	for (size_t i = 0; i < at.n; i++)
		if (elf_vaddr_to_offset(file->elf, at.at[i], &out->places.at[out->places.n]))
			out->places.n++;
	if (out->places.n)
		out->state = PLAN_READY;
}

void hotspot_plan_threads(struct hotspot *h, struct plan_threads *out)
{
	struct thread_config c;

	if (hotspot_thread_config(h, &c) < 0)
		return; /* they do without */
	out->config = c;
	out->whole = c.storage_global && c.storage_weak;
	out->state = PLAN_READY;
}
