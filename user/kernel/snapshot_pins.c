/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Read what the probes keep of pins (bpf/books/pins.bpf.h) into a snapshot, and forget it. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernel/tracer_priv.h"
#include "model/report.h"

#define BATCH 4096

static int add_pin(struct snapshot *s, const struct pin_key *key, const struct pin *pin)
{
	struct snapshot_pin *v = VEC_ADD(&s->pins);

	if (!v)
		return -ENOMEM;
	*v = (struct snapshot_pin){*key, *pin};
	return 0;
}

/* Where a kernel reads no batches: one by one. Bounded: the map may change under the walk. */
static int read_one_by_one(struct tracer *t, struct snapshot *s)
{
	int fd = bpf_map__fd(t->skel->maps.pins), rc = 0;
	struct pin_key key, next, *prev = NULL;
	struct pin pin;

	for (uint64_t i = 0; i < 2ULL * JT_MAX_PINS && !rc && !bpf_map_get_next_key(fd, prev, &next); i++) {
		key = next;
		prev = &key;
		if (!bpf_map_lookup_elem(fd, &key, &pin))
			rc = add_pin(s, &key, &pin);
	}
	return rc;
}

static int read_all_pins(struct tracer *t, struct snapshot *s)
{
	struct pin_key *keys = calloc(BATCH, sizeof(*keys));
	struct pin *pins = calloc(BATCH, sizeof(*pins));
	uint32_t at = 0, count = 0;
	bool more = keys && pins, first = true;
	int rc = more ? 0 : -ENOMEM;

	s->pins.n = 0;
	while (more && !rc) {
		count = BATCH;
		rc = bpf_map_lookup_batch(bpf_map__fd(t->skel->maps.pins), first ? NULL : &at, &at, keys,
					  pins, &count, NULL);
		more = !rc;
		if (rc == -ENOENT) /* the end of the map */
			rc = 0;
		for (uint32_t i = 0; i < count && !rc; i++)
			rc = add_pin(s, &keys[i], &pins[i]);
		first = false;
	}
	free(keys);
	free(pins);
	if (rc && rc != -ENOMEM) {
		s->pins.n = 0;
		rc = read_one_by_one(t, s);
	}
	return rc;
}

/*
 * How long the thread has been inside without waiting for a CPU or for the VM, at least: whether one that is
 * ready to run waits just now, and since when, is not known; then what it has run counts, and that is known
 * by ticks. One that may be stopped by the VM since a call inside the section has waited since then.
 */
static int64_t own_ns(struct tracer *t, const struct critical *c)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC), held = now > c->start_ns ? now - c->start_ns : 0;
	uint64_t run, own = held, not_own = c->vm_ns;
	struct target_state target;
	struct proc_times times;
	uint32_t slot = c->slot;

	if (!t->started.cpu_waits ||
	    bpf_map_lookup_elem(bpf_map__fd(t->skel->maps.targets), &slot, &target) ||
	    proc_thread_times((pid_t)target.tgid, (pid_t)c->tid, &times))
		return -1;
	run = times.run_ns - c->run_ns;
	if (times.ready)
		own = run, not_own = JT_LONGEST_TICK_NS;
	else if (c->vm_since_ns)
		own = c->vm_since_ns - c->start_ns, not_own += c->vm_cpu_wait_ns - c->cpu_wait_ns;
	else
		not_own += times.cpu_wait_ns - c->cpu_wait_ns;
	own = own > not_own ? own - not_own : 0;
	return own < held ? (int64_t)own : (int64_t)held;
}

/* Of a thread that has ended with its process what was known last stands. */
static int64_t own_ns_before(const struct snapshot *s, const struct critical *c)
{
	for (size_t i = 0; i < s->criticals.n; i++) {
		const struct snapshot_critical *v = &s->criticals.v[i];

		if (v->critical.tid == c->tid && v->critical.start_ns == c->start_ns)
			return v->own_ns;
	}
	return -1;
}

/* Bounded: the map may change under the walk. */
static int read_criticals(struct tracer *t, struct snapshot *s)
{
	int fd = bpf_map__fd(t->skel->maps.criticals), rc = 0;
	uint32_t left = 2 * bpf_map__max_entries(t->skel->maps.criticals);
	uint64_t thread, next, *prev = NULL;
	struct snapshot now = {0};

	s->cpu_waits = t->started.cpu_waits;
	for (; left && !rc && !bpf_map_get_next_key(fd, prev, &next); left--) {
		struct snapshot_critical *v, c;

		thread = next;
		prev = &thread;
		if (bpf_map_lookup_elem(fd, &thread, &c.critical))
			continue;
		c.own_ns = own_ns(t, &c.critical);
		if (c.own_ns < 0)
			c.own_ns = own_ns_before(s, &c.critical);
		v = VEC_ADD(&now.criticals);
		if (v)
			*v = c;
		else
			rc = -ENOMEM;
	}
	free(s->criticals.v);
	memcpy(&s->criticals, &now.criticals, sizeof(s->criticals));
	return rc;
}

/* Bounded likewise. */
static int read_stalls(struct tracer *t, struct snapshot *s)
{
	int stalled_fd = bpf_map__fd(t->skel->maps.stalled), stalls_fd = bpf_map__fd(t->skel->maps.stalls);
	uint32_t left = 2 * bpf_map__max_entries(t->skel->maps.stalled);
	struct stalled_key key, next, *prev = NULL;
	uint64_t thread, next_thread, *before = NULL;

	s->stalled.n = s->stalls.n = 0;
	for (; left && !bpf_map_get_next_key(stalled_fd, prev, &next); left--) {
		struct snapshot_stalled *v = VEC_ADD(&s->stalled);

		if (!v)
			return -ENOMEM;
		v->key = key = next;
		prev = &key;
		if (bpf_map_lookup_elem(stalled_fd, &key, &v->stalled))
			v->stalled.times = 0;
	}
	for (; left && !bpf_map_get_next_key(stalls_fd, before, &next_thread); left--) {
		struct stall stall, *v;

		thread = next_thread;
		before = &thread;
		if (bpf_map_lookup_elem(stalls_fd, &thread, &stall))
			continue;
		v = VEC_ADD(&s->stalls);
		if (!v)
			return -ENOMEM;
		*v = stall;
	}
	return 0;
}

static void count_pin(struct snapshot_site *site, const struct pin *pin)
{
	if (!site->live++ || (int32_t)(pin->tick - site->oldest_tick) < 0)
		site->oldest_tick = pin->tick;
	if (pin->bytes < 0)
		site->pins_unsized++;
	else
		site->pinned_bytes += (uint64_t)pin->bytes;
}

int snapshot_pins(struct tracer *t, struct snapshot *s)
{
	int rc;

	if (!(t->families & catalog_families(t->catalog, KINDS_OF_PINS)))
		return 0;
	for (size_t i = 0; i < s->sites.n; i++) {
		struct snapshot_site *site = &s->sites.v[i];

		site->has_pins = func_is_pin(t->catalog, site->func);
		if (site->has_pins) /* none: nothing was counted yet */
			bpf_map_lookup_elem(bpf_map__fd(t->skel->maps.pin_stats), &site->index, &site->pins);
	}
	rc = read_all_pins(t, s);
	for (size_t i = 0; i < s->pins.n; i++) {
		struct snapshot_site *site = snapshot_site_of(s, s->pins.v[i].pin.site);

		if (site)
			count_pin(site, &s->pins.v[i].pin);
	}
	rc = rc ?: read_criticals(t, s);
	return rc ?: read_stalls(t, s);
}

/*
 * Threads that were killed inside a critical section, or waiting for one. slot_at: where the value has its
 * slot. Returns how many there were. Bounded: the map may change under the walk.
 */
static uint32_t forget_inside(struct bpf_map *map, size_t slot_at, int slot)
{
	uint32_t left = 2 * bpf_map__max_entries(map), gone = 0;
	int fd = bpf_map__fd(map);
	uint64_t thread, next;
	bool more = !bpf_map_get_next_key(fd, NULL, &thread);

	for (; more && left; left--) {
		char value[sizeof(struct critical) + sizeof(struct stall)];
		uint16_t of;

		more = !bpf_map_get_next_key(fd, &thread, &next);
		if (!bpf_map_lookup_elem(fd, &thread, value)) {
			memcpy(&of, value + slot_at, sizeof(of));
			gone += of == slot && !bpf_map_delete_elem(fd, &thread);
		}
		thread = next;
	}
	return gone;
}

/* Bounded likewise. */
static void forget_before(struct tracer *t, int slot)
{
	int fd = bpf_map__fd(t->skel->maps.before_native);
	uint32_t left = 2 * bpf_map__max_entries(t->skel->maps.before_native);
	struct before_key key, next;
	bool more = !bpf_map_get_next_key(fd, NULL, &key);

	for (; more && left; left--) {
		more = !bpf_map_get_next_key(fd, &key, &next);
		if (key.slot == (uint32_t)slot)
			bpf_map_delete_elem(fd, &key);
		key = next;
	}
}

void forget_pins(struct tracer *t, int slot)
{
	struct snapshot s = {0};

	if (!(t->families & catalog_families(t->catalog, KINDS_OF_PINS)))
		return;
	forget_before(t, slot);
	__atomic_fetch_sub(&t->skel->bss->criticals_open,
			   forget_inside(t->skel->maps.criticals, offsetof(struct critical, slot), slot),
			   __ATOMIC_RELAXED);
	__atomic_fetch_sub(&t->skel->bss->stalls_open,
			   forget_inside(t->skel->maps.stalls, offsetof(struct stall, slot), slot),
			   __ATOMIC_RELAXED);
	read_all_pins(t, &s);
	for (size_t i = 0; i < s.pins.n; i++)
		if (s.pins.v[i].key.tag >> HANDLE_BITS == (uint64_t)slot + 1)
			bpf_map_delete_elem(bpf_map__fd(t->skel->maps.pins), &s.pins.v[i].key);
	read_stalls(t, &s);
	for (size_t i = 0; i < s.stalled.n; i++)
		if ((int)s.stalled.v[i].stalled.slot == slot)
			bpf_map_delete_elem(bpf_map__fd(t->skel->maps.stalled), &s.stalled.v[i].key);
	free(s.pins.v);
	free(s.stalled.v);
	free(s.stalls.v);
}
