/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a probe costs the target, measured: the trap, by calling a probed instruction of our own with an
 * empty program behind it, and the programs, by the kernel's own clock around each run of them
 * (BPF_ENABLE_STATS, Linux 5.8), which is on for a part of the time only. Both are of this machine, now.
 */
#ifndef JNITRACE_OVERHEAD_H
#define JNITRACE_OVERHEAD_H

#include <bpf/libbpf.h>
#include <stdbool.h>

/* By what the kernel has to do for one event. */
enum trap {
	TRAP_ENTRY,  /* a probe on an instruction it can emulate */
	TRAP_RETURN, /* a return probe of such a function */
	TRAP_STEP,   /* a probe on an instruction it must single-step */
	NR_TRAPS
};

struct overhead; /* opaque */

/*
 * obj: loaded; nothing: its empty program. Borrowed for the overhead's life. steady: the clock goes on every
 * second, and not ever more seldom. 0 or -errno.
 */
int overhead_new(const struct bpf_object *obj, const struct bpf_program *nothing, bool use_multi, bool steady,
		 struct overhead **out);
/*
 * Begin to measure; later calls do nothing. The traps are measured once, by a thread of its own in some
 * milliseconds: nobody waits for it. step: also the single-stepped one, which takes ten times as long.
 */
void overhead_start(struct overhead *o, bool step);
/*
 * Call every 0.1 s or so: the clock around the programs goes on and off here, and is read; where they run so
 * much that it must be read at shorter moments, it takes some milliseconds.
 */
void overhead_poll(struct overhead *o);
/* Nanoseconds of one event, without the program. -1: not known (yet). */
double overhead_trap_ns(const struct overhead *o, enum trap trap);
/* Nanoseconds of one run of the program, lately: see run_cost.h. -1: it has not run while the clock was on.
 */
double overhead_run_ns(const struct overhead *o, const struct bpf_program *p);
/*
 * What the programs do has changed: what was measured of their runs until now counts no more than one run of
 * those to come, and is measured again from the next overhead_poll() on.
 */
void overhead_forget(struct overhead *o);
/* Has that been done since? Or it cannot be. */
bool overhead_is_new(const struct overhead *o);
/* Waits for the thread. */
void overhead_free(struct overhead *o);

#endif
