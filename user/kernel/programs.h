/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The programs on functions: one row each. */
#ifndef JNITRACE_PROGRAMS_H
#define JNITRACE_PROGRAMS_H

#include "kernel/tracer_priv.h"

struct program_row {
	size_t at;      /* of the struct bpf_program * in the skeleton */
	unsigned kinds; /* of family that it serves: KIND_BIT()s */
	enum operation operation;
	bool entry; /* at the function's entry, or its return */
};
/* Releases first: an acquisition must not be counted before its release can be seen. */
#define NR_PROGRAM_ROWS 29
extern const struct program_row program_rows[NR_PROGRAM_ROWS];

struct bpf_program *program_of(const struct tracer *t, const struct program_row *row);
/* Is this the program for probes at this site? */
bool program_serves(const struct tracer *t, const struct program_row *row, const struct probe_site *s);
/* The first site that no program serves: its function could not be counted. NULL: each has one. */
const struct probe_site *programs_lack(const struct tracer *t, const struct probe_sites *sites);
/* Is a family of these kinds traced? */
bool programs_trace(const struct tracer_opts *o, unsigned kinds);
/* Are ends of threads looked at? */
bool programs_see_ends(const struct tracer_opts *o);
/* Verifying costs start-up time: a program that no chosen family needs is not loaded. Before the load. */
void programs_choose(struct tracer *t, const struct tracer_opts *o);

#endif
