/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "run/discover.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/util.h"
#include "run/opening.h"

/* A process that is not young and has no VM is looked at only every few scans: one may still dlopen it. */
#define OLD_EVERY 10

struct seen {
	pid_t pid;
	uint64_t start_time_ticks;
	bool returned, alive;
};
struct discovery {
	struct {
		struct seen *v;
		size_t n, cap;
	} seen;
	size_t
	    next; /* of seen: what is probably asked for next, as /proc lists in the same order each time */
	unsigned scans;
	const struct runtime *only;
	const struct pairs *pairs; /* not owned; NULL: VMs are looked for */
};

int discovery_new(const struct runtime *only, struct discovery **out)
{
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	(*out)->only = only;
	return 0;
}

void discovery_set_pairs(struct discovery *d, const struct pairs *pairs)
{
	d->pairs = pairs;
}

void discovery_free(struct discovery *d)
{
	if (d)
		free(d->seen.v);
	free(d);
}

static struct seen *seen_of(struct discovery *d, const struct proc_id *id)
{
	struct seen *s;

	for (size_t k = 0; k < d->seen.n; k++) {
		size_t i = (d->next + k) % d->seen.n;

		if (d->seen.v[i].pid == id->pid && d->seen.v[i].start_time_ticks == id->start_time_ticks) {
			d->next = i + 1;
			return &d->seen.v[i];
		}
	}
	s = VEC_ADD(&d->seen);
	if (s)
		*s = (struct seen){.pid = id->pid, .start_time_ticks = id->start_time_ticks};
	return s;
}

static void drop_dead(struct discovery *d)
{
	size_t kept = 0;

	for (size_t i = 0; i < d->seen.n; i++)
		if (d->seen.v[i].alive)
			d->seen.v[kept++] = d->seen.v[i];
	d->seen.n = kept;
}

static bool maps_vm(const struct discovery *d, pid_t pid)
{
	struct proc_maps maps = {0};
	bool found = !proc_maps_read(pid, &maps) &&
		     (d->pairs ? pairs_are_mapped(d->pairs, &maps) && !proc_descends(pid, getpid(), 0)
			       : vm_file_is_mapped(&maps, d->only));

	proc_maps_free(&maps);
	return found;
}

static int scan_one(struct discovery *d, const struct proc_id *id, struct pid_list *out)
{
	struct seen *s;
	pid_t *p;

	if (id->pid == getpid())
		return 0;
	s = seen_of(d, id);
	if (!s)
		return -ENOMEM;
	s->alive = true;
	if (s->returned)
		return 0;
	if (process_age(id) != AGE_YOUNG && d->scans % OLD_EVERY)
		return 0;
	if (!maps_vm(d, id->pid))
		return 0;
	p = VEC_ADD(out);
	if (!p)
		return -ENOMEM;
	*p = id->pid;
	s->returned = true;
	return 0;
}

int discovery_scan(struct discovery *d, struct pid_list *out)
{
	struct proc_ids ids;
	int rc = proc_ids(&ids);

	for (size_t i = 0; i < d->seen.n; i++)
		d->seen.v[i].alive = false;
	for (size_t i = 0; !rc && i < ids.n; i++)
		rc = scan_one(d, &ids.v[i], out);
	if (!rc)
		drop_dead(d);
	d->scans++;
	free(ids.v);
	return rc;
}

void discovery_forget(struct discovery *d, const struct proc_id *id)
{
	for (size_t i = 0; i < d->seen.n; i++)
		if (d->seen.v[i].pid == id->pid && d->seen.v[i].start_time_ticks == id->start_time_ticks)
			d->seen.v[i].returned = false;
}
