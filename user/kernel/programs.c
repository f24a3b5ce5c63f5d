/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which program serves which function, and which are loaded. */
#include "kernel/programs.h"

#include <bpf/bpf.h>

#define LOCAL         KIND_BIT(KIND_LOCAL)
#define REFS          (KIND_BIT(KIND_REFERENCE) | LOCAL)
#define HELD          KINDS_OF_BOOKS
#define PAIR          KIND_BIT(KIND_PAIR)
#define CHECK         KIND_BIT(KIND_USE)
#define ALL_KINDS     (~0U)
#define ENDS          (HELD | KIND_BIT(KIND_CRITICAL)) /* what a thread may take with it when it ends */
#define PROGRAM(name) offsetof(struct jnitrace_bpf, progs.name)
const struct program_row program_rows[NR_PROGRAM_ROWS] = {
    /* clang-format off */
    {PROGRAM(jt_call),          REFS,          OP_RELEASE,    true},
    {PROGRAM(jt_call),          REFS,          OP_ACQUIRE,    false},
    {PROGRAM(jt_call),          LOCAL,         OP_FRAME_POP,  false}, /* acquires one in the frame below */
    {PROGRAM(jt_frame),         LOCAL,         OP_FRAME_POP,  true},
    {PROGRAM(jt_frame),         LOCAL,         OP_FRAME_PUSH, true},
    {PROGRAM(jt_frame),         LOCAL,         OP_FRAME_ENSURE, true},
    {PROGRAM(jt_count),         ALL_KINDS,     OP_COUNT,      true},
    {PROGRAM(jt_unpin),         KINDS_OF_PINS, OP_RELEASE,    true},
    {PROGRAM(jt_pin_enter),     KINDS_OF_PINS, OP_ACQUIRE,    true},
    {PROGRAM(jt_pin),           KINDS_OF_PINS, OP_ACQUIRE,    false},
    {PROGRAM(jt_thread_return), HELD,          OP_RELEASE,    false},
    {PROGRAM(jt_thread_enter),  HELD,          OP_RELEASE,    true},
    {PROGRAM(jt_thread_return), HELD,          OP_ACQUIRE,    false},
    {PROGRAM(jt_thread_enter),  HELD,          OP_ACQUIRE,    true},
    {PROGRAM(jt_pair_enter),    PAIR,          OP_RELEASE,    true},
    {PROGRAM(jt_pair_enter),    PAIR,          OP_UNREF,      true},
    {PROGRAM(jt_pair_enter),    PAIR,          OP_REF,        true},
    {PROGRAM(jt_pair_enter),    PAIR,          OP_USE,        true},
    {PROGRAM(jt_pair),          PAIR,          OP_RELEASE,    false},
    {PROGRAM(jt_pair),          PAIR,          OP_UNREF,      false},
    {PROGRAM(jt_pair),          PAIR,          OP_REF,        false},
    {PROGRAM(jt_pair),          PAIR,          OP_REPLACE,    false},
    {PROGRAM(jt_pair_enter),    PAIR,          OP_REPLACE,    true},
    {PROGRAM(jt_pair),          PAIR,          OP_ACQUIRE,    false},
    {PROGRAM(jt_pair_enter),    PAIR,          OP_ACQUIRE,    true},
    {PROGRAM(jt_watch_enter),   PAIR,          OP_WATCH,      true},
    {PROGRAM(jt_watch),         PAIR,          OP_WATCH,      false},
    {PROGRAM(jt_use),           CHECK,         OP_USE,        true},
    {PROGRAM(jt_invoke),        CHECK,         OP_INVOKE,     true},
    /* clang-format on */
};

struct bpf_program *program_of(const struct tracer *t, const struct program_row *row)
{
	return *(struct bpf_program *const *)((const char *)t->skel + row->at);
}

bool program_serves(const struct tracer *t, const struct program_row *row, const struct probe_site *s)
{
	const struct func_row *f = &t->catalog->funcs[s->func];

	return row->kinds & KIND_BIT(t->catalog->families[f->family].kind) &&
	       row->operation == f->operation && row->entry == (s->point == POINT_ENTRY);
}

static bool is_served(const struct tracer *t, const struct probe_site *s)
{
	for (size_t i = 0; i < NR_PROGRAM_ROWS; i++)
		if (program_serves(t, &program_rows[i], s))
			return true;
	return false;
}

const struct probe_site *programs_lack(const struct tracer *t, const struct probe_sites *sites)
{
	for (size_t i = 0; i < sites->n; i++)
		if (!is_served(t, &sites->v[i]))
			return &sites->v[i];
	return NULL;
}

bool programs_trace(const struct tracer_opts *o, unsigned kinds)
{
	return catalog_families(o->catalog, kinds) & o->families;
}

bool programs_see_ends(const struct tracer_opts *o)
{
	return programs_trace(o, ENDS);
}

/* Has the catalog a function that may be traced and that the program serves? */
static bool is_needed(const struct tracer_opts *o, const struct program_row *row)
{
	for (int f = 0; f < NR_ALL_FUNCS; f++) {
		const struct func_row *func = &o->catalog->funcs[f];

		if (func->operation == row->operation && o->families >> func->family & 1 &&
		    row->kinds & KIND_BIT(func_kind(o->catalog, f)))
			return true;
	}
	return false;
}

void programs_choose(struct tracer *t, const struct tracer_opts *o)
{
	for (size_t i = 0; i < NR_PROGRAM_ROWS; i++)
		bpf_program__set_autoload(program_of(t, &program_rows[i]), false);
	for (size_t i = 0; i < NR_PROGRAM_ROWS; i++)
		if (is_needed(o, &program_rows[i]) &&
		    !(o->count_only &&
		      (program_rows[i].operation == OP_RELEASE || program_rows[i].operation == OP_WATCH)))
			bpf_program__set_autoload(program_of(t, &program_rows[i]), true);
	bpf_program__set_autoload(t->skel->progs.jt_thread_end, programs_see_ends(o));
	bpf_program__set_autoload(t->skel->progs.jt_stall_begin, programs_trace(o, KIND_BIT(KIND_CRITICAL)));
	bpf_program__set_autoload(t->skel->progs.jt_stall_end, programs_trace(o, KIND_BIT(KIND_CRITICAL)));
	bpf_program__set_autoload(t->skel->progs.jt_hold, o->hold);
	if (t->use_multi)
		uprobe_want_multi(t->skel->obj);
}

void tracer_print_programs(const struct tracer *t)
{
	struct bpf_program *p;

	warn("programs loaded in %.0f ms", (double)t->load_ns / 1e6);
	bpf_object__for_each_program (p, t->skel->obj) {
		struct bpf_prog_info info = {0};
		__u32 n = sizeof(info);

		if (!bpf_obj_get_info_by_fd(bpf_program__fd(p), &info, &n))
			warn("program %s: %u verified instructions, %u bytes of machine code",
			     bpf_program__name(p), info.verified_insns, info.jited_prog_len);
	}
}
