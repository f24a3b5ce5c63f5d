/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Families that are switched off and on while their target is traced. See tracer.h. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/forget.h"
#include "kernel/store.h"

static void set_off(struct tracer *t, int target_id, uint32_t families, bool off)
{
	uint32_t *place = &t->skel->bss->families_off[target_id];

	if (off)
		__atomic_fetch_or(place, families, __ATOMIC_SEQ_CST);
	else
		__atomic_fetch_and(place, ~families, __ATOMIC_SEQ_CST);
}

void tracer_close_families(struct tracer *t, int target_id, uint32_t families)
{
	set_off(t, target_id, families, true);
}

static struct family_links *links_of(struct traced *s)
{
	return s->file ? &s->file->links : &s->links;
}

/* Does another target count by the same probes? */
static bool others_use(const struct tracer *t, const struct traced *s, unsigned family)
{
	for (int i = 0; s->file && i < JT_MAX_TARGETS; i++)
		if (&t->traced[i] != s && t->traced[i].file == s->file && t->traced[i].families >> family & 1)
			return true;
	return false;
}

void tracer_detach_families(struct tracer *t, int target_id, uint32_t families)
{
	struct traced *s = &t->traced[target_id];
	struct family_links *links = links_of(s);

	families &= s->families;
	s->families &= ~families;
	for (unsigned f = 0; f < NR_LINK_GROUPS; f++) {
		struct links *l = &links->of[f];

		if (!(families >> f & 1) || !l->v || others_use(t, s, f))
			continue;
		links_destroy(l->v, l->n);
		free(l->v);
		*l = (struct links){0};
	}
}

static void note_probed(struct tracer *t, struct traced *s, const struct probe_sites *sites)
{
	for (size_t i = 0; i < sites->n; i++)
		s->probed[sites->v[i].func] |= s->families >> func_family(t->catalog, sites->v[i].func) & 1;
}

void tracer_open_families(struct tracer *t, int target_id, uint32_t families)
{
	set_off(t, target_id, families, false);
}

uint32_t tracer_families(const struct tracer *t, int target_id)
{
	return t->traced[target_id].families;
}

int tracer_attach_families(struct tracer *t, int target_id, pid_t pid, const char *const *paths,
			   size_t nr_paths, const struct probe_sites *sites, uint32_t families)
{
	struct traced *s = &t->traced[target_id];
	struct attaching a = {
	    .t = t, .pid = s->file ? -1 : pid, .paths = paths, .nr_paths = nr_paths, .sites = sites};
	uint32_t before = s->families;
	int rc;

	a.rules = s->file ? NULL : s->rules;
	a.file = s->file ? (uint32_t)(s->file - t->files) + 1 : 0;
	t->families_seen |= families;
	rc = links_attach(&a, links_of(s), families);
	s->families |= families;
	if (rc) {
		tracer_detach_families(t, target_id, families & ~before);
		return rc;
	}
	note_probed(t, s, sites);
	return 0;
}

/* By site: its family, FAMILY_NONE where it is another target's; NULL: out of memory. */
static uint8_t *families_of_sites(struct tracer *t, int target_id, uint32_t n)
{
	uint8_t *family = malloc(n + 1);

	for (uint32_t i = 0; family && i < n; i++) {
		struct site site;

		family[i] = FAMILY_NONE;
		if (i && !bpf_map_lookup_elem(bpf_map__fd(t->skel->maps.sites), &i, &site) && site.stack_id &&
		    site.target_id == target_id && site.family < NR_FAMILIES)
			family[i] = site.family;
	}
	return family;
}

/*
 * Calls that are under way are never seen to return, and monitors that threads hold are followed no more:
 * what the probes meet later is of another time. The rules of families that go on are written as they are.
 */
static int begin_another_time(struct tracer *t, int target_id, uint32_t families)
{
	uint32_t anew = families & catalog_families(t->catalog, KIND_BIT(KIND_PAIR));
	struct traced *s = &t->traced[target_id];
	int rc = 0;

	if (families >> FAMILY_MONITOR & 1) {
		anew |= catalog_families(t->catalog, KINDS_OF_BOOKS);
		s->monitors_since++;
	}
	for (size_t i = 0; anew && i < s->nr_sites && !rc; i++) {
		struct rule r;

		rc = bpf_map_lookup_elem(bpf_map__fd(t->skel->maps.rules), &s->rules[i], &r);
		if (rc || !(anew >> r.family & 1))
			continue;
		r.since++;
		r.whole = 0;
		rc = bpf_map_update_elem(bpf_map__fd(t->skel->maps.rules), &s->rules[i], &r, BPF_EXIST);
	}
	if (rc || !(families >> FAMILY_MONITOR & 1))
		return rc;
	tracer_settle(); /* threads may be detaching just now */
	return snapshot_ends(t);
}

int tracer_forget_families(struct tracer *t, int target_id, uint32_t families, uint64_t live[NR_FAMILIES])
{
	struct whose whose = {
	    .target_id = (uint32_t)target_id, .families = families, .nr_sites = sites_in_use(t)};
	uint64_t *held = calloc(whose.nr_sites + 1, sizeof(*held));
	uint8_t *family = families_of_sites(t, target_id, whose.nr_sites);
	int rc = held && family ? begin_another_time(t, target_id, families) : -ENOMEM;

	whose.family_of = family;
	whose.held = held;
	if (!rc) {
		store_forget_families(t, &whose);
		rc = forget_families(t, &whose);
	}
	for (uint32_t i = 0; !rc && i < whose.nr_sites; i++) {
		struct site site;

		if (!held[i] || bpf_map_lookup_elem(bpf_map__fd(t->skel->maps.sites), &i, &site) ||
		    site.func >= NR_FUNCS)
			continue;
		t->let_go[i] += held[i];
		t->traced[target_id].let_go[site.func] += held[i];
		live[family[i]] += held[i] << site.level;
	}
	free(held);
	free(family);
	return rc;
}

bool tracer_endangers(const struct tracer *t, int target_id)
{
	return __atomic_load_n(&t->skel->bss->signal_stack[target_id], __ATOMIC_RELAXED);
}

void tracer_set_sampling(struct tracer *t, int target_id, unsigned level)
{
	/* first: who is not followed is never taken for one who was never acquired */
	if (level)
		__atomic_store_n(&t->skel->bss->sample_begun[target_id], 1, __ATOMIC_SEQ_CST);
	__atomic_store_n(&t->skel->bss->sample_level[target_id], level, __ATOMIC_SEQ_CST);
	overhead_forget(t->overhead);
}
