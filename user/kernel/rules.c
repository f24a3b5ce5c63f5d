/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the programs have to know of each probe site: see struct rule. */
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "kernel/tracer_priv.h"
#include "model/report.h"

/* How the runtime marks the handles that this function releases, as far as they are marked. */
static void set_kind(struct rule *r, const struct handle_kinds *kinds, bool locals)
{
	int family = r->func == FUNC_USE_DeleteLocalRef ? FAMILY_LOCAL : r->family;
	const struct handle_kind *k = family < NR_FAMILIES ? &kinds->of[family] : NULL;

	if (!k || !k->mask || (r->func == FUNC_USE_DeleteLocalRef ? locals : r->operation != OP_RELEASE))
		return; /* a local one's release is looked at once */
	r->kind_mask = k->mask;
	r->kind_bits = k->bits;
	r->by_place = k->by_place;
	r->by_books = k->by_books && (family == FAMILY_LOCAL || locals);
}

/* Does it return what a method has returned, which the caller must know to be an object? */
static bool returns_result(uint16_t func)
{
	static const uint16_t funcs[] = {
	    FUNC_CallObjectMethod,
	    FUNC_CallObjectMethodV,
	    FUNC_CallObjectMethodA,
	    FUNC_CallNonvirtualObjectMethod,
	    FUNC_CallNonvirtualObjectMethodV,
	    FUNC_CallNonvirtualObjectMethodA,
	    FUNC_CallStaticObjectMethod,
	    FUNC_CallStaticObjectMethodV,
	    FUNC_CallStaticObjectMethodA,
	};

	for (size_t i = 0; i < sizeof(funcs) / sizeof(funcs[0]); i++)
		if (funcs[i] == func)
			return true;
	return false;
}

/* A call of a method: where its jmethodID is, and how its arguments are passed. */
static void set_args(struct rule *r, const struct func_row *row)
{
	static const struct {
		int first,
		    last; /* rows of JNINativeInterface_: each function in three forms, in this order */
		uint8_t method_arg;
	} calls[] = {{28, 30, 2}, {34, 63, 2}, {64, 93, 3}, {114, 143, 2}};
	static const uint8_t forms[] = {ARGS_VARIABLE, ARGS_LIST, ARGS_ARRAY};

	for (size_t i = 0; i < ARRAY_LEN(calls) && row->operation == OP_USE; i++)
		if (row->index >= calls[i].first && row->index <= calls[i].last) {
			r->method_arg = calls[i].method_arg;
			r->args = forms[(row->index - calls[i].first) % 3];
		}
}

static bool has_locals(const struct tracer *t, const struct probe_sites *sites)
{
	for (size_t i = 0; i < sites->n; i++)
		if (func_kind(t->catalog, sites->v[i].func) == KIND_LOCAL)
			return true;
	return false;
}

/* The first of n free numbers in a row, or -ENOSPC. */
static int free_rules(const struct tracer *t, size_t n)
{
	size_t run = 0;

	for (size_t i = 0; i < t->max_rules; i++) {
		run = t->rule_used[i] ? 0 : run + 1;
		if (run == n)
			return (int)(i + 1 - n);
	}
	return -ENOSPC;
}

/* Is a use of this counted function probed, too? */
static bool has_use(const struct tracer *t, const struct probe_sites *sites, const struct func_row *row)
{
	for (size_t i = 0; i < sites->n; i++) {
		const struct func_row *use = &t->catalog->funcs[sites->v[i].func];

		if (func_is_use(sites->v[i].func) && row->family != FAMILY_CHECK &&
		    row->table == use->table && row->index == use->index && row->api &&
		    !strcmp(row->api, use->api))
			return true;
	}
	return false;
}

/* Is a counted function probed at the place of this use? */
static bool shares_trap(const struct probe_sites *sites, const struct probe_site *use)
{
	for (size_t i = 0; i < sites->n; i++)
		if (!func_is_use(sites->v[i].func) && sites->v[i].offset == use->offset)
			return true;
	return false;
}

/* May some handle of this family be given, or referred to, more than once? */
static bool has_more(const struct catalog *c, enum family_id family)
{
	for (uint32_t f = NR_JNI_FUNCS; f < c->nr_funcs; f++) {
		const struct func_row *row = &c->funcs[f];

		if (row->family == family && (row->operation == OP_REF || row->operation == OP_UNREF ||
					      row->counted || row->size != HANDLE_NONE ||
					      (row->count != HANDLE_NONE && row->counts == COUNT_NUMBER &&
					       row->operation == OP_ACQUIRE && row->form != HANDLE_ARRAY)))
			return true;
	}
	return false;
}

static bool releases(enum operation o)
{
	return o == OP_RELEASE || o == OP_UNREF || o == OP_REPLACE;
}

/* Which other families' handles does the function at this place release, too? */
static uint32_t also_of(const struct tracer *t, const struct probe_sites *sites,
			const struct probe_site *site)
{
	const struct func_row *row = &t->catalog->funcs[site->func];
	uint32_t families = 0;

	for (size_t i = 0; i < sites->n && releases(row->operation); i++) {
		const struct probe_site *s = &sites->v[i];
		const struct func_row *other = &t->catalog->funcs[s->func];

		if (s->file == site->file && s->offset == site->offset && s->point == site->point &&
		    releases(other->operation))
			families |= 1U << other->family;
	}
	return families & ~(1U << row->family);
}

/* Is it probed where it returns? */
static bool has_return(const struct probe_sites *sites, enum func_id func)
{
	for (size_t i = 0; i < sites->n; i++)
		if (sites->v[i].func == func && sites->v[i].point != POINT_ENTRY)
			return true;
	return false;
}

/* Does the kernel put an address of its own in the place of its return address? */
static bool has_return_probe(const struct probe_sites *sites, enum func_id func)
{
	for (size_t i = 0; i < sites->n; i++)
		if (sites->v[i].func == func && sites->v[i].point == POINT_URETPROBE)
			return true;
	return false;
}

/* May a handle of this family go unpaired, as the function that releases it cannot be probed? */
static bool has_finalizers(const struct catalog *c, enum family_id family)
{
	for (uint32_t f = NR_JNI_FUNCS; f < c->nr_funcs; f++)
		if (c->funcs[f].family == family && c->funcs[f].finalizer != HANDLE_NONE)
			return true;
	return false;
}

int rules_make(struct tracer *t, int target_id, const struct probe_sites *sites)
{
	struct traced *s = &t->traced[target_id];
	int first = free_rules(t, sites->n);

	if (first < 0)
		return first;

	for (size_t i = 0; i < sites->n; i++) {
		const struct probe_site *site = &sites->v[i];
		const struct func_row *row = &t->catalog->funcs[site->func];
		struct rule r = {
		    .target_id = target_id,
		    .func = site->func,
		    .valid = 1,
		    .operation = row->operation,
		    .family = row->family,
		    .refs = row->refs,
		    .nulls = row->nulls,
		    .weak_bit = sites->handle_kinds.weak_bit,
		    .others = site->point == POINT_URETPROBE,
		    .in_vm = site->strategy == STRATEGY_USDT, /* inside JNI_ENTRY */
		    .handle = site->handle,
		    .object = site->object,
		    .extra = site->extra,
		    .finalizer = site->finalizer,
		    .caller_pc = site->caller_pc,
		    .caller_fp = site->caller_fp,
		    .caller_cfa = site->caller_cfa,
		    .env = site->env,
		    .allowed = row->allowed,
		    .has_use = has_use(t, sites, row),
		    .is_shared = site->is_shared,
		    .form = row->form,
		    .success = row->success,
		    .narrow = row->narrow,
		    .counted = row->counted,
		    .has_more = has_more(t->catalog, row->family),
		    .counts = row->size != HANDLE_NONE ? COUNT_BYTES : row->counts,
		    .maybe = row->maybe,
		    .watch = row->watch,
		    .owns = row->owns,
		    .by_finalizer = row->finalizer != HANDLE_NONE,
		    .whole = sites->whole && s->families >> row->family & 1 && !row->others && !row->maybe &&
			     !row->narrow && !has_finalizers(t->catalog, row->family),
		    .by_argument = row->handle != HANDLE_RETURN && row->operation != OP_REPLACE,
		    .both_ends = func_at_both_ends(t->catalog, site->func) && has_return(sites, site->func),
		    .by_kernel = has_return_probe(sites, site->func),
		    .may_fail = func_may_fail(row),
		    .also = also_of(t, sites, site),
		};
		uint32_t number = (uint32_t)first + (uint32_t)i;
		int rc;

		if (func_is_use(site->func)) /* whose JNIEnv it is given is looked at, and then known */
			r.env = (struct loc){.kind = LOC_NONE};
		set_kind(&r, &sites->handle_kinds, has_locals(t, sites));
		set_args(&r, row);
		r.never_bits = returns_result(r.func) ? sites->handle_kinds.never_bits : 0;
		rc = bpf_map_update_elem(bpf_map__fd(t->skel->maps.rules), &number, &r, BPF_ANY);
		if (rc)
			return rc;
		t->rule_used[number] = true;
		s->rules[s->nr_sites++] = number;
		s->sites_of[row->family]++;
		s->probed[site->func] |= s->families >> row->family & 1;
		s->single_step[site->func] |= site->single_step;
		s->points[site->func] |= 1U << site->point;
		s->trap_shared[site->func] |= func_is_use(site->func) && shares_trap(sites, site);
		t->single_step |= s->single_step[site->func];
	}
	return first;
}
